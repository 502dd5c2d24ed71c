/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom an order means: hosts and processes that are named, or a choice by service, namespace, workload, pod,
 * container or process, looked up among what the hosts of the last two minutes told of themselves.
 */
#include "order.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTITIES_MAX	   1000
#define ENTITIES_BYTES_MAX (4u << 20)

static const char *const keys[][2] = {
	{ "hostname", "hostname" },	     { "namespace", "namespace" },
	{ "workload_name", "workloadName" }, { "workload_kind", "workloadKind" },
	{ "pod_name", "podName" },	     { "container_name", "containerName" },
	{ "process_name", "processName" },
};

static void entity__fail(struct check *check, size_t i, const char *name, const char *type,
			 const char *msg)
{
	struct json_object *loc = check_loc("body", "target_entities");

	(void)json__add_int(loc, NULL, (int64_t)i);
	if (name)
		(void)json__add_str(loc, NULL, name);
	check__fail_at(check, loc, type, msg);
}

/* "" is a name as any other; null and absent are the same. */
static void entity__copy(struct check *check, size_t at, const struct json_object *entity,
			 struct json_object *plain)
{
	struct json_object *value;
	int64_t pid;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (json__get_any(entity, keys[i][0], &value) &&
		    json__get_any(entity, keys[i][1], &value))
			continue;
		if (json__is_str(value) && strlen(json__str(value)) <= 256)
			(void)json__add_str(plain, keys[i][0], json__str(value));
		else
			entity__fail(check, at, keys[i][0], "type_error.str",
				     "a text of at most 256 bytes is expected");
	}
	if (json__get_any(entity, "pid", &value))
		return;
	if (json_whole(value, &pid) && pid > 0 && pid <= INT32_MAX)
		(void)json__add_int(plain, "pid", pid);
	else
		entity__fail(check, at, "pid", "type_error.integer",
			     "value is not a valid integer");
}

/* Without what its scope goes by, an entity would mean everything. */
static bool entity__is_enough(const struct json_object *plain, enum workload_scope scope)
{
	static const char *const needed[SCOPES] = {
		[SCOPE_HOST] = "hostname",	  [SCOPE_WORKLOAD] = "workload_name",
		[SCOPE_POD] = "pod_name",	  [SCOPE_CONTAINER] = "container_name",
		[SCOPE_PROCESS] = "process_name",
	};
	struct json_object *value;

	if (scope == SCOPE_PROCESS && !json__get_any(plain, "pid", &value))
		return true;
	return !needed[scope] || !json__get_any(plain, needed[scope], &value);
}

/* The entity as a group of session_spec__add_group; NULL: it is none, or has more conditions. Given. */
static char *entity__group(const struct json_object *plain, enum workload_scope scope)
{
	/* outermost first; what a group of the kind cannot say must be absent */
	static const struct {
		const char *kind, *parts[4];
	} kinds[SCOPES] = {
		[SCOPE_NAMESPACE] = { "namespace", { "namespace" } },
		[SCOPE_WORKLOAD] = { "workload", { "namespace", "workload_name" } },
		[SCOPE_POD] = { "pod", { "namespace", "pod_name" } },
		[SCOPE_CONTAINER] = { "container", { "namespace", "pod_name", "container_name" } },
	};
	struct buf text _auto_buf_ = { 0 };
	size_t used = 0, members = 0;
	const char *name;
	bool has_outer = false;

	if (!kinds[scope].kind)
		return NULL;
	buf__init(&text, 1024);
	buf__printf(&text, "%s:", kinds[scope].kind);
	for (size_t i = 0; kinds[scope].parts[i]; i++) {
		const bool has = !json__get_str(plain, kinds[scope].parts[i], &name) && *name;

		if ((has_outer && !has) || (has && strpbrk(name, "/:\n")))
			return NULL;
		if (has)
			buf__printf(&text, "%s%s", has_outer ? "/" : "", name);
		used += has;
		has_outer = has_outer || has;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		members += strcmp(keys[i][0], "hostname") != 0 &&
			   !json__get_str(plain, keys[i][0], &name);
	members += !json__get_any(plain, "pid", &(struct json_object *){ NULL });
	return text.err || !used || used != members ? NULL : buf__take(&text, NULL);
}

/* All entities are groups, or the order has none. */
static void order__name_groups(struct order *self, const struct json_object *entities)
{
	struct json_object *groups = json__new_array();
	const size_t cnt = json__len(entities);
	size_t i;

	for (i = 0; i < cnt; i++) {
		const struct json_object *entity = json__at(entities, i);
		char *text _auto_free_ = entity__group(entity, self->scope);
		struct json_object *one;
		const char *hostname;

		if (!text)
			break;
		one = json__new_object();
		(void)json__add_str(one, "group", text);
		if (!json__get_str(entity, "hostname", &hostname))
			(void)json__add_str(one, "hostname", hostname);
		(void)json__add(groups, NULL, one);
	}
	if (cnt && i == cnt)
		self->groups = groups;
	else
		json__put(groups);
}

/* The entities with plain names as JSON text. */
static int order__read_entities(struct order *self, const struct json_object *list, struct buf *out)
{
	struct json_object *plain _auto_json_ = json__new_array();
	const size_t cnt = json__len(list);
	size_t i;

	for (i = 0; i < cnt; i++) {
		struct json_object *one = json__new_object();
		const struct json_object *entity = json__at(list, i);

		(void)json__add(plain, NULL, one);
		if (!json__is_object(entity)) {
			entity__fail(&self->check, i, NULL, "type_error.dict",
				     "value is not a valid dict");
			continue;
		}
		entity__copy(&self->check, i, entity, one);
		if (!self->check.detail && !entity__is_enough(one, self->scope))
			entity__fail(&self->check, i, NULL, "value_error",
				     "names nothing of its target_scope");
	}
	if (!self->check.detail)
		order__name_groups(self, plain);
	return json__print(plain, false, out);
}

struct finding {
	struct json_object *hosts, *pids;
	char hostname[264]; /* of pids */
};

/* They come sorted by host. */
static int on_target(void *arg, const char *hostname, int64_t pid)
{
	struct finding *self = arg;

	if (pid < 0)
		return json__add_null(self->hosts, hostname);
	if (!self->pids || strcmp(self->hostname, hostname) != 0) {
		snprintf(self->hostname, sizeof(self->hostname), "%s", hostname);
		self->pids = json__new_array();
		if (json__add(self->hosts, hostname, self->pids))
			return -ENOMEM;
	}
	return json__add_int(self->pids, NULL, pid);
}

static int order__find(struct order *self, struct api *api, const char *entities, uint64_t now_ms)
{
	struct finding finding = { .hosts = json__new_object() };
	int err;

	self->hosts = finding.hosts;
	if (!finding.hosts)
		return -ENOMEM;
	err = store__each_target(api->store,
				 &(struct target_query){
					 .scope = self->scope,
					 .service = self->request.service,
					 .since_ms = (int64_t)now_ms - HOST_OFFLINE_MS,
					 .entities = entities,
				 },
				 on_target, &finding);
	/* The end of a subscription is worth an order even where nobody is left to stop. */
	if (!err && !json__len(self->hosts) &&
	    !(self->request.is_service && self->request.stops_host))
		snprintf(self->error, sizeof(self->error),
			 "No active targets were resolved for scope '%s' in service '%s'",
			 scope_names[self->scope], self->request.service);
	return err;
}

/* Named hosts are taken as they are, seen or not. */
static void order__name_hosts(struct order *self)
{
	struct json_object *hosts;
	const int err = json__get_object(self->check.body, "target_hosts", &hosts);

	if (err == -EBADMSG)
		check__fail(&self->check, "target_hosts", "type_error.dict",
			    "value is not a valid dict");
	else if (err || !json__len(hosts))
		check__fail(&self->check, "target_hosts", "value_error",
			    "hosts must be named, or target_entities of a target_scope");
	else
		self->hosts = json__get(hosts);
	self->request.is_service = false;
}

int order__find_targets(struct order *self, struct api *api, uint64_t now_ms)
{
	struct json_object *list = NULL, *hosts = NULL;
	struct buf entities _auto_buf_ = { 0 };
	const int found = json__get_array(self->check.body, "target_entities", &list);
	int err;

	if (found == -EBADMSG || json__len(list) > ENTITIES_MAX)
		check__fail(&self->check, "target_entities", "type_error.list",
			    "a list of at most 1000 entities is expected");
	if (self->check.detail)
		return 0;
	(void)json__get_object(self->check.body, "target_hosts", &hosts);
	if (!json__len(list) && (self->scope != SCOPE_SERVICE || json__len(hosts))) {
		order__name_hosts(self);
		return 0;
	}
	buf__init(&entities, ENTITIES_BYTES_MAX);
	err = order__read_entities(self, list, &entities);
	return err || self->check.detail ? err : order__find(self, api, entities.data, now_ms);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads and checks the body of a heartbeat. Where the real web app keeps silent about a bad value and
 * forgets the host, this says what is wrong. Not the containers (inventory.c), nor what follows (api_agent.c).
 */
#include "heartbeat.h"
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define IDS_MAX		 1000
#define EVENTS_BYTES_MAX 4096

static const char *null_if_empty(const char *text)
{
	return *text ? text : NULL;
}

const char *check__uuid(struct check *check, const char *name, bool is_required,
			char ret_text[UUID_TEXT_BYTES])
{
	const char *text = check__str(check, name, is_required);

	ret_text[0] = '\0';
	if (!*text)
		return NULL;
	if (!uuid__parse(text, ret_text))
		check__fail(check, name, "type_error.uuid", "value is not a valid uuid");
	return ret_text;
}

static const struct json_object *check__ids(struct check *check, const char *name)
{
	struct json_object *ids = NULL;
	char uuid[UUID_TEXT_BYTES];
	const int err = json__get_array(check->body, name, &ids);
	size_t i;

	if (err == -ENOENT)
		return NULL;
	if (err || json__len(ids) > IDS_MAX) {
		check__fail(check, name, "type_error.list",
			    "a list of at most 1000 ids is expected");
		return NULL;
	}
	for (i = 0; i < json__len(ids); i++) {
		if (!uuid__parse(json__str(json__at(ids, i)), uuid)) {
			check__fail(check, name, "type_error.uuid", "value is not a valid uuid");
			return NULL;
		}
	}
	return ids;
}

static void check__address(struct check *check, const char *text)
{
	struct in6_addr addr;

	if (*text && inet_pton(AF_INET, text, &addr) != 1 && inet_pton(AF_INET6, text, &addr) != 1)
		check__fail(check, "ip_address", "value_error.ipvanyaddress",
			    "value is not a valid IPv4 or IPv6 address");
}

/* Only looked at, not used: hosts are aged by the studio's own clock. */
static void check__timestamp(struct check *check)
{
	struct json_object *value;
	int year, month, day, hour, minute;

	if (json__get_any(check->body, "timestamp", &value) || json__is_int(value))
		return;
	if (!json__is_str(value) || sscanf(json__str(value), "%4d-%2d-%2d%*1[T ]%2d:%2d", &year,
					   &month, &day, &hour, &minute) != 5)
		check__fail(check, "timestamp", "value_error.datetime", "invalid datetime format");
}

/* A name of the kernel's, not prose. */
static bool is_event(const char *name)
{
	return *name && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789-_.:/=") == strlen(name);
}

/* " cycles instructions ", NULL: nothing is told. */
static const char *check__events(struct check *check, struct buf *out)
{
	struct json_object *list;
	const int err = json__get_array(check->body, "perf_supported_events", &list);
	const size_t cnt = err ? 0 : json__len(list);
	size_t i;

	if (err == -EBADMSG || cnt > EVENTS_MAX)
		check__fail(check, "perf_supported_events", "type_error.list",
			    "a list of at most 64 events is expected");
	if (err || cnt > EVENTS_MAX)
		return NULL;
	buf__init(out, EVENTS_BYTES_MAX);
	buf__putc(out, ' ');
	for (i = 0; i < cnt; i++) {
		if (!is_event(json__str(json__at(list, i)))) {
			check__fail(check, "perf_supported_events", "type_error.str",
				    "names of perf events are expected");
			return NULL;
		}
		buf__printf(out, "%s ", event_name(json__str(json__at(list, i))));
	}
	if (out->err == -E2BIG)
		check__fail(check, "perf_supported_events", "value_error.any_str.max_length",
			    "at most 4096 bytes in all");
	return out->data;
}

int heartbeat_body__read(struct heartbeat_body *self, struct check *check)
{
	static const char *const statuses[] = { "active", "idle", "error", "offline", NULL };
	struct json_object *runs = NULL;
	int err;

	*self = (struct heartbeat_body){ 0 };
	(void)json__get_array(check->body, "pulseprof_runs", &runs);
	self->beat = (struct heartbeat){
		.hostname = check__str(check, "hostname", true),
		.service = check__str(check, "service_name", true),
		.address = check__str(check, "ip_address", true),
		.status = check__word(check, "status", statuses,
				      "status must be active, idle, error or offline", "active"),
		.agent_version = null_if_empty(check__str(check, "agent_version", false)),
		.run_mode = null_if_empty(check__str(check, "run_mode", false)),
		.namespace = null_if_empty(check__str(check, "namespace", false)),
		.pod_name = null_if_empty(check__str(check, "pod_name", false)),
		.events = check__events(check, &self->events),
		.last_command_id = check__uuid(check, "last_command_id", false, self->last_id),
		.received_ids = check__ids(check, "received_command_ids"),
		.runs = runs,
		.inventory = &self->inventory,
	};
	(void)check__ids(check, "executed_command_ids");
	check__address(check, self->beat.address);
	check__timestamp(check);
	self->wait_s =
		(uint32_t)check__int(check, "wait_s", 0, INT32_MAX, "must not be negative", 0);
	err = inventory__read(&self->inventory, check);
	return err ? err : self->events.err == -ENOMEM ? -ENOMEM : 0;
}

void heartbeat_body__clear(struct heartbeat_body *self)
{
	inventory__clear(&self->inventory);
	buf__clear(&self->events);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads the containers of a heartbeat. As the real web app, it refuses the whole heartbeat for a container
 * or process without a name, and names its fields in camelCase then, whatever was sent. Knows neither the
 * rest of a heartbeat (heartbeat.c) nor how it is kept (store_inventory.c).
 */
#include "inventory.h"
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/hash.h"
#include "pp/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where we are in the body, for the words about a fault. */
struct place {
	struct check *check;
	struct inventory *inventory;
	const struct json_object *json; /* the object that is read */
	int64_t container, process; /* index; process -1: the container itself */
	int err;
};

static void place__fail(struct place *self, const char *name, const char *type, const char *msg)
{
	struct json_object *loc = check_loc("body", "containers");

	(void)json__add_int(loc, NULL, self->container);
	if (self->process >= 0) {
		(void)json__add_str(loc, NULL, "processes");
		(void)json__add_int(loc, NULL, self->process);
	}
	if (name)
		(void)json__add_str(loc, NULL, name);
	check__fail_at(self->check, loc, type, msg);
}

struct wanted {
	const char *snake, *camel;
};

static int is_wanted(void *arg, const char *name, struct json_object *value)
{
	const struct wanted *wanted = arg;

	return !strcmp(name, wanted->snake) || !strcmp(name, wanted->camel);
}

/* Something required is not there, or null, which the real web app tells apart. */
static void place__miss(struct place *self, const char *snake, const char *camel)
{
	struct wanted wanted = { snake, camel };

	if (json__each(self->json, is_wanted, &wanted))
		place__fail(self, camel, "type_error.none.not_allowed",
			    "none is not an allowed value");
	else
		place__fail(self, camel, "value_error.missing", "field required");
}

static struct json_object *place__get(const struct place *self, const char *snake,
				      const char *camel)
{
	struct json_object *value = NULL;

	if (json__get_any(self->json, snake, &value) == -ENOENT)
		(void)json__get_any(self->json, camel, &value);
	return value;
}

/* At most NAME_BYTES_MAX, and no half of a character. */
static const char *place__shorten(struct place *self, const char *text)
{
	struct inventory *inventory = self->inventory;
	size_t len = NAME_BYTES_MAX;
	char **cut;

	while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	cut = reallocarray(inventory->cut, inventory->cut_cnt + 1, sizeof(*cut));
	if (cut)
		inventory->cut = cut;
	if (cut)
		cut[inventory->cut_cnt] = strndup(text, len);
	if (!cut || !cut[inventory->cut_cnt]) {
		self->err = -ENOMEM;
		return "";
	}
	return cut[inventory->cut_cnt++];
}

static const char *place__str(struct place *self, const char *snake, const char *camel,
			      bool is_required)
{
	const char *text = NULL;
	int err;

	err = json__get_str(self->json, snake, &text);
	if (err == -ENOENT)
		err = json__get_str(self->json, camel, &text);
	if (err == -EBADMSG)
		place__fail(self, camel, "type_error.str", "str type expected, without NUL");
	else if (err && is_required)
		place__miss(self, snake, camel);
	if (err)
		return is_required ? "" : NULL;
	return strlen(text) > NAME_BYTES_MAX ? place__shorten(self, text) : text;
}

static uint64_t hash_text(const char *text, uint64_t seed)
{
	return text ? hash_bytes(text, strlen(text), seed) : hash_u64(1, seed);
}

static bool place__read_process(struct place *self, struct inventory_process *process)
{
	struct json_object *pid = place__get(self, "pid", "pid");

	process->name = place__str(self, "process_name", "processName", true);
	if (!pid)
		place__miss(self, "pid", "pid");
	else if (!json_whole(pid, &process->pid))
		place__fail(self, "pid", "type_error.integer", "value is not a valid integer");
	else if (process->pid < 0 || process->pid > INT32_MAX)
		place__fail(self, "pid", "value_error", "no PID is that large");
	else
		return true;
	return false;
}

static void place__read_processes(struct place *self, struct inventory_container *container)
{
	struct json_object *list = place__get(self, "processes", "processes");
	struct inventory *inventory = self->inventory;
	const struct wanted wanted = { "processes", "processes" };
	const size_t cnt = json__len(list);
	struct inventory_process *process;

	if (!list && json__each(self->json, is_wanted, (void *)&wanted))
		place__miss(self, "processes", "processes");
	else if (list && !json__is_array(list))
		place__fail(self, "processes", "type_error.list", "value is not a valid list");
	if (!json__is_array(list))
		return;
	for (self->process = 0; (size_t)self->process < cnt; self->process++) {
		if (inventory->process_cnt == PROCESSES_MAX) {
			inventory->left_out += cnt - (size_t)self->process;
			break;
		}
		self->json = json__at(list, (size_t)self->process);
		process = &inventory->processes[inventory->process_cnt];
		if (!json__is_object(self->json)) {
			place__fail(self, NULL, "type_error.dict", "value is not a valid dict");
		} else if (place__read_process(self, process)) {
			container->process_cnt++;
			inventory->process_cnt++;
			container->hash +=
				hash_text(process->name, hash_u64((uint64_t)process->pid, 1));
		}
	}
}

static uint64_t container_hash(const struct inventory_container *self)
{
	const char *const texts[] = { self->id,		  self->name,	  self->runtime,
				      self->namespace,	  self->pod_name, self->workload_name,
				      self->workload_kind };
	uint64_t hash = self->hash;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		hash = hash_text(texts[i], hash);
	return hash;
}

static void place__read_container(struct place *self, struct inventory_container *container)
{
	*container = (struct inventory_container){
		.id = place__str(self, "container_id", "containerId", false),
		.name = place__str(self, "container_name", "containerName", true),
		.runtime = place__str(self, "runtime", "runtime", false),
		.namespace = place__str(self, "namespace", "namespace", false),
		.pod_name = place__str(self, "pod_name", "podName", false),
		.workload_name = place__str(self, "workload_name", "workloadName", false),
		.workload_kind = place__str(self, "workload_kind", "workloadKind", false),
		.processes = &self->inventory->processes[self->inventory->process_cnt],
	};
	place__read_processes(self, container);
	container->hash = container_hash(container);
}

static size_t count_processes(const struct json_object *list, size_t cnt)
{
	struct json_object *processes;
	size_t sum = 0, i;

	for (i = 0; i < cnt; i++)
		if (!json__get_array(json__at(list, i), "processes", &processes))
			sum += json__len(processes);
	return sum < PROCESSES_MAX ? sum : PROCESSES_MAX;
}

int inventory__read(struct inventory *self, struct check *check)
{
	struct place place = { check, self, NULL, 0, -1, 0 };
	struct json_object *list = NULL;
	const int err = json__get_array(check->body, "containers", &list);
	size_t cnt = json__len(list);

	*self = (struct inventory){ 0 };
	if (err == -EBADMSG)
		check__fail(check, "containers", "type_error.list", "value is not a valid list");
	if (err || !cnt)
		return 0;
	if (cnt > CONTAINERS_MAX) {
		self->left_out = cnt - CONTAINERS_MAX;
		cnt = CONTAINERS_MAX;
	}
	self->containers = calloc(cnt, sizeof(*self->containers));
	self->processes = calloc(count_processes(list, cnt) + 1, sizeof(*self->processes));
	if (!self->containers || !self->processes)
		return -ENOMEM;
	for (; (size_t)place.container < cnt; place.container++) {
		place.process = -1;
		place.json = json__at(list, (size_t)place.container);
		if (!json__is_object(place.json)) {
			place__fail(&place, NULL, "type_error.dict", "value is not a valid dict");
			continue;
		}
		place__read_container(&place, &self->containers[self->container_cnt]);
		self->hash += self->containers[self->container_cnt++].hash;
	}
	self->hash += !self->hash;
	return place.err;
}

void inventory__clear(struct inventory *self)
{
	size_t i;

	for (i = 0; i < self->cut_cnt; i++)
		free(self->cut[i]);
	free(self->cut);
	free(self->containers);
	free(self->processes);
	*self = (struct inventory){ 0 };
}

const char *event_name(const char *name)
{
	static const char *const aliases[][2] = {
		{ "cpu-cycles", "cycles" },
		{ "branches", "branch-instructions" },
		{ "idle-cycles-frontend", "stalled-cycles-frontend" },
		{ "idle-cycles-backend", "stalled-cycles-backend" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(aliases); i++)
		if (!strcmp(name, aliases[i][0]))
			return aliases[i][1];
	return name;
}

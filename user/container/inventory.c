/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The host's containers with their processes, as heartbeats tell them: /proc is gone through on a worker when the
 * last time was 30 s ago, only while a runtime answers; what a runtime names is joined when it is asked for. Processes
 * outside of containers are not told, nor are pods' pause containers. Bounded: of what is beyond, the rest is left
 * out and counted.
 */
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/json.h"
#include "pp/base/loop.h"
#include "pp/base/sysroot.h"
#include "pp/base/vec.h"
#include "pp/metrics.h"

#define FRESH_NS       30000000000ull
#define MEMBERS_MAX    4096 /* processes in all */
#define CONTAINERS_MAX 512

struct member {
	char id[CONTAINER_ID_BYTES];
	char comm[16 + 1];
	uint32_t pid;
};

struct member_list {
	struct member *rows; /* by id, then pid */
	size_t cnt, cap;
	uint64_t left_out;
};

struct container_inventory {
	struct loop *loop; /* borrowed */
	const struct sysroot *root; /* borrowed */
	struct container_names *names; /* borrowed */
	struct member_list list;
	struct member_list walk; /* the worker's, while is_walking */
	uint64_t walked_ns; /* 0: never */
	bool is_walking;
	bool is_freed; /* while the worker walks */
};

int container_inventory__new(struct loop *loop, const struct sysroot *root,
			     struct container_names *names,
			     struct container_inventory **ret_inventory)
{
	struct container_inventory *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->root = root;
	self->names = names;
	*ret_inventory = self;
	return 0;
}

void container_inventory__free(struct container_inventory *self)
{
	if (!self)
		return;
	self->is_freed = true;
	if (self->is_walking) /* on_walked frees it */
		return;
	free(self->list.rows);
	free(self->walk.rows);
	free(self);
}

static void look_at(const struct sysroot *root, uint32_t pid, struct member_list *list)
{
	struct member member = { .pid = pid };
	struct container_ref ref;

	if (container_ref__read(root, pid, &ref))
		return;
	if (vec_room(list->rows, list->cnt + 1, list->cap, MEMBERS_MAX)) {
		list->left_out++;
		return;
	}
	memcpy(member.id, ref.id, sizeof(member.id));
	(void)sysroot__line(root, member.comm, sizeof(member.comm), "proc/%u/comm", pid);
	list->rows[list->cnt++] = member;
}

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = strcmp(x->id, y->id);

	return order ? order : (x->pid > y->pid) - (x->pid < y->pid);
}

static void walk(void *arg)
{
	struct container_inventory *self = arg;
	int fd = sysroot__open(self->root, O_RDONLY | O_DIRECTORY, "proc");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	work__be_patient();
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		char *end;
		unsigned long pid = strtoul(entry->d_name, &end, 10);

		if (*end == '\0' && pid > 0)
			look_at(self->root, (uint32_t)pid, &self->walk);
	}
	closedir(dir);
	if (self->walk.cnt)
		qsort(self->walk.rows, self->walk.cnt, sizeof(*self->walk.rows), compare_members);
}

static void on_walked(void *arg, int err)
{
	struct container_inventory *self = arg;

	self->is_walking = false;
	if (self->is_freed) {
		container_inventory__free(self);
		return;
	}
	if (err)
		return;
	metric__add(METRIC_INVENTORY_LEFT_OUT, self->walk.left_out);
	free(self->list.rows);
	self->list = self->walk;
	self->walk = (struct member_list){ 0 };
}

static void freshen(struct container_inventory *self)
{
	uint64_t now_ns = clock_mono_ns();

	if (self->is_walking || (self->walked_ns && now_ns - self->walked_ns < FRESH_NS))
		return;
	self->walked_ns = now_ns;
	container_names__refresh(self->names);
	if (!container_names__has_runtime(self->names)) {
		self->list.cnt = 0;
		return;
	}
	if (!work__submit(self->loop, walk, on_walked, self))
		self->is_walking = true;
}

static void add_text(struct json_object *json, const char *name, const char *text)
{
	if (*text)
		json__add_str(json, name, text);
	else
		json__add_null(json, name);
}

static struct json_object *describe(const struct container_facts *facts)
{
	struct json_object *json = json__new_object();
	bool is_k8s = facts->pod_name[0] != '\0';

	json__add_str(json, "container_id", facts->id);
	json__add_str(json, "container_name", facts->name);
	json__add_str(json, "runtime", facts->runtime);
	add_text(json, "namespace", facts->namespace);
	add_text(json, "pod_name", facts->pod_name);
	add_text(json, "workload_name", is_k8s ? facts->workload : facts->name);
	json__add_str(json, "workload_kind", is_k8s ? "k8s" : "container");
	return json;
}

static int add_process(struct json_object *list, const struct member *member)
{
	struct json_object *json = json__new_object();

	json__add_int(json, "pid", member->pid);
	json__add_str(json, "process_name", member->comm);
	return json__add(list, NULL, json);
}

/* The members [from, to) of one container. */
static int add_container(struct container_inventory *self, struct json_object *list, size_t from,
			 size_t to)
{
	const struct container_facts *facts;
	struct json_object *json, *processes;
	int err = 0;

	/* a name is needed; one that comes later is told later */
	if (container_names__find(self->names, self->list.rows[from].id, &facts) ||
	    strcmp(facts->name, "POD") == 0)
		return 0;
	json = describe(facts);
	processes = json__new_array();
	for (size_t i = from; i < to && !err; i++)
		err = add_process(processes, &self->list.rows[i]);
	if (!err)
		err = json__add(json, "processes", processes);
	else
		json__put(processes);
	if (!err)
		return json__add(list, NULL, json);
	json__put(json);
	return err;
}

int container_inventory__add_to(struct container_inventory *self, struct json_object *list)
{
	uint32_t cnt = 0;
	int err = 0;

	freshen(self);
	for (size_t from = 0, to; from < self->list.cnt && !err; from = to) {
		for (to = from + 1; to < self->list.cnt; to++)
			if (strcmp(self->list.rows[from].id, self->list.rows[to].id) != 0)
				break;
		if (cnt++ < CONTAINERS_MAX)
			err = add_container(self, list, from, to);
		else
			metric__add(METRIC_INVENTORY_LEFT_OUT, to - from);
	}
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_INVENTORY_H
#define PP_STUDIO_INVENTORY_H
/*
 * What runs on a host, as its heartbeat tells it: containers and the processes in them. Plain data between
 * the heartbeat's JSON and the store; here is also how it is read.
 */
#include <stddef.h>
#include <stdint.h>

struct check;

#define CONTAINERS_MAX 1000
#define PROCESSES_MAX  20000
#define NAME_BYTES_MAX 256
#define EVENTS_MAX     64

struct inventory_process {
	int64_t pid;
	const char *name;
};
struct inventory_container { /* strings borrowed from the JSON; NULL where absent, but for name */
	const char *id, *name, *runtime, *namespace, *pod_name, *workload_name, *workload_kind;
	struct inventory_process *processes; /* borrowed from the inventory */
	size_t process_cnt;
	uint64_t hash; /* of all that, whatever the order of the processes */
};
struct inventory { /* inventory__clear */
	struct inventory_container *containers;
	size_t container_cnt;
	struct inventory_process *processes;
	size_t process_cnt;
	uint64_t hash; /* whatever the order; 0: empty */
	size_t left_out; /* containers and processes over the limits */
	char **cut; /* names over the limit, shortened */
	size_t cut_cnt;
};
/*
 * The member "containers" of check's body, keys in snake_case or camelCase. Faults go to check; a name that
 * is too long is shortened, as processes choose theirs and must not make their host disappear. -ENOMEM.
 */
int inventory__read(struct inventory *self, struct check *check);
void inventory__clear(struct inventory *self);

/* A perf event's name without its aliases: "cpu-cycles" is "cycles". Borrowed. */
const char *event_name(const char *name);

#endif

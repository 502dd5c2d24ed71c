/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_CONTAINER_H
#define PP_CONTAINER_H
/*
 * Which container a process is in, and what the container runtime calls it. The id comes from the process's cgroup
 * path and is there at once; names come from the runtimes' sockets, later or never, and nobody waits for them. A
 * name belongs to an id of 64 digits, so it is never another container's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;
struct loop;
struct net;
struct sysroot;

#define CONTAINER_ID_BYTES   65
#define CONTAINER_UID_BYTES  40
#define CONTAINER_NAME_BYTES 256 /* names and label values we keep; longer ones are cut */

/* What a process's cgroup path says. */
struct container_ref {
	char id[CONTAINER_ID_BYTES]; /* 64 hexadecimal digits */
	char pod_uid[CONTAINER_UID_BYTES]; /* with '-'; "": not of a pod */
	bool is_unified; /* by the v2 hierarchy, so processes with the same cgroup id are in it, too */
};
/*
 * The text of /proc/PID/cgroup: v1, v2 and hybrid; the innermost container counts. 0, -ENOENT (in none), -EBADMSG.
 */
int container_ref__parse(const char *text, size_t len, struct container_ref *ret_ref);
/* The same for a process: one small file. And -ESRCH, -errno. */
int container_ref__read(const struct sysroot *root, uint32_t pid, struct container_ref *ret_ref);

/* What a runtime says of a container. Hostile text (label values), cut. */
struct container_facts {
	char id[CONTAINER_ID_BYTES];
	char name[CONTAINER_NAME_BYTES]; /* of the container in its pod, or docker's name */
	char pod_name[CONTAINER_NAME_BYTES]; /* "": not of a pod; so are the next three */
	char namespace[CONTAINER_NAME_BYTES];
	char pod_uid[CONTAINER_UID_BYTES];
	char workload[CONTAINER_NAME_BYTES];
	uint32_t attempt;
	const char *runtime; /* static */
};
/* As backends know it: "k8s_NAME_POD_NAMESPACE_UID_ATTEMPT", else its name. Returns text. */
char *container_facts__raw_name(const struct container_facts *self, char *text, size_t text_bytes);

/*
 * Names of containers, asked of the runtimes whose sockets are here (CRI, docker, podman; also below
 * /proc/1/root, for a daemon that is in a container itself) when an id comes that is not known, twice a second
 * at most; kept in a bounded cache. Without a socket it costs nothing. Loop thread only.
 */
struct container_names;
int container_names__new(struct loop *loop, struct net *net, const struct sysroot *root,
			 struct container_names **ret_names);
void container_names__free(struct container_names *self); /* before its net */
/*
 * 0 with facts (borrowed until the next call); -EAGAIN: not known yet, it is being asked; -ENOENT: no runtime here
 * knows it.
 */
int container_names__find(struct container_names *self, const char *id,
			  const struct container_facts **ret_facts);
/* Asks again, also if all that came is known: for the inventory. */
void container_names__refresh(struct container_names *self);
/*
 * The cgroups of containers by their runtime's words (groups of a session_spec): paths as in /proc/PID/cgroup, some
 * more than once. *ret_is_settled: every container has been asked for, nothing more will come by waiting. Costs some
 * milliseconds: each cgroup of the host is gone through. 0, or what fn returned if that was not 0.
 */
int container_groups__each(const struct sysroot *root, struct container_names *names,
			   const char *const *groups, size_t cnt,
			   int (*fn)(void *arg, const char *path), void *arg, bool *ret_is_settled);
/* Is there a socket of one that answers? */
bool container_names__has_runtime(const struct container_names *self);

/* The containers of this host with their processes, for heartbeats; loop thread only. */
struct container_inventory;
int container_inventory__new(struct loop *loop, const struct sysroot *root,
			     struct container_names *names,
			     struct container_inventory **ret_inventory);
void container_inventory__free(struct container_inventory *self); /* before its names */
/*
 * Appends to an array, for each container that has a name, {"container_id", "container_name", "runtime",
 * "namespace", "pod_name", "workload_name", "workload_kind", "processes": [{"pid", "process_name"}]}: as it was
 * at most 30 s before the last time this was called. -ENOMEM.
 */
int container_inventory__add_to(struct container_inventory *self, struct json_object *list);

#endif

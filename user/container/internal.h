/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_CONTAINER_INTERNAL_H
#define PP_CONTAINER_INTERNAL_H
/*
 * What the files of this room share: how each kind of runtime is asked for its containers, and its answer read.
 */
#include "pp/container.h"

/* fn's facts are borrowed; it returns 0 to go on. */
typedef int (*facts_fn)(void *arg, const struct container_facts *facts);

/*
 * The messages of a gRPC answer of ListContainers and ListPodSandbox (CRI v1 and v1alpha2 have the same fields).
 * 0, -EBADMSG, -EOPNOTSUPP (compressed), or fn's first non-zero.
 */
int cri__read_containers(const uint8_t *body, size_t len, const char *runtime, facts_fn fn,
			 void *arg);
int cri__read_sandboxes(const uint8_t *body, size_t len, const char *runtime, facts_fn fn,
			void *arg);
/* The answer of docker's and podman's GET /containers/json. */
int docker__read(const char *body, size_t len, const char *runtime, facts_fn fn, void *arg);

/* Is a cgroup's own name a container's? Then its id is set. */
bool container_name__read(const char *name, struct container_ref *ret_ref);
/* How much of a path is the innermost pod's cgroup; 0: it is in none. */
size_t container_path__pod_len(const char *path);
/* Is the container one of the group ("pod:shop/cart-7f": session_spec__add_group)? */
bool container_group__has(const char *group, const struct container_facts *facts);

/* The kubelet's /pods. */
int kubelet__read(const char *body, size_t len, facts_fn fn, void *arg);

/* Sets the id if it is one: 64 hexadecimal digits. */
bool facts__set_id(struct container_facts *self, const char *id, size_t len);
/* A label of a container or pod: fills in what the label tells. key and value: not NUL-terminated. */
void facts__label(struct container_facts *self, const char *key, size_t key_len, const char *value,
		  size_t value_len);
/* Copies text, cut to the member's size. */
void facts__text(char *member, size_t member_bytes, const char *text, size_t len);
/* When all labels were seen: the workload, where no label names it, is the pod's name without its suffix. */
void facts__finish(struct container_facts *self);

#endif

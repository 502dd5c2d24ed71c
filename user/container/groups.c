/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the names that operators use (container, pod, workload, namespace) to cgroups: those that there are now are
 * gone through, and what a runtime says of each container with an id is compared. A pod stands for all its containers,
 * also for later ones: its cgroup is given, where there is one. Asks nobody and keeps nothing.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/proc_cgroup.h"

#define ID_PREFIX_MIN 12 /* what runtimes' own tools show */
#define NAMES_MAX     3

struct search {
	struct container_names *names;
	const char *const *groups;
	size_t cnt;
	int (*fn)(void *arg, const char *path);
	void *arg;
	bool is_settled;
};

/* Compares the last of the names with the innermost, and so outwards as far as names are given. */
static bool are_same(const char *names, const char *const *innermost_first)
{
	const char *end = names + strlen(names);

	for (size_t i = 0; i < NAMES_MAX && innermost_first[i]; i++) {
		const char *begin = end;

		while (begin > names && begin[-1] != '/')
			begin--;
		if (strlen(innermost_first[i]) != (size_t)(end - begin) ||
		    memcmp(begin, innermost_first[i], (size_t)(end - begin)) != 0)
			return false;
		if (begin == names)
			return true;
		end = begin - 1;
	}
	return false;
}

static bool is_id(const char *text, const char *id)
{
	size_t len = strlen(text);

	return len >= ID_PREFIX_MIN && !strncmp(text, id, len);
}

bool container_group__has(const char *group, const struct container_facts *facts)
{
	const char *workload = facts->pod_name[0] ? facts->workload : facts->name;
	const char *names = group + strcspn(group, ":");

	if (*names++ != ':')
		return false;
	switch (group[0]) {
	case 'c':
		return is_id(names, facts->id) ||
		       are_same(names,
				(const char *[]){ facts->name, facts->pod_name, facts->namespace });
	case 'n': return facts->namespace[0] && !strcmp(names, facts->namespace);
	case 'p':
		return facts->pod_name[0] &&
		       are_same(names, (const char *[]){ facts->pod_name, facts->namespace, NULL });
	case 'w': return are_same(names, (const char *[]){ workload, facts->namespace, NULL });
	default: return false;
	}
}

/* The part of a path that is the pod's, or all of it. */
static int give(const struct search *self, const char *path, bool is_of_pod)
{
	size_t len = is_of_pod ? container_path__pod_len(path) : 0;
	char *pod _auto_free_ = len ? strndup(path, len) : NULL;

	return self->fn(self->arg, pod ?: path);
}

static int on_cgroup(void *arg, const char *path, const char *name)
{
	struct search *self = arg;
	const struct container_facts *facts;
	struct container_facts unnamed = { 0 };
	struct container_ref ref;
	int err;

	if (!container_name__read(name, &ref))
		return 0;
	err = container_names__find(self->names, ref.id, &facts);
	self->is_settled = self->is_settled && err != -EAGAIN;
	if (err) { /* by its id it can be meant all the same */
		memcpy(unnamed.id, ref.id, sizeof(ref.id));
		facts = &unnamed;
	}
	for (size_t i = 0; i < self->cnt; i++)
		if (container_group__has(self->groups[i], facts))
			return give(self, path, self->groups[i][0] != 'c');
	return 0;
}

int container_groups__each(const struct sysroot *root, struct container_names *names,
			   const char *const *groups, size_t cnt,
			   int (*fn)(void *arg, const char *path), void *arg, bool *ret_is_settled)
{
	struct search search = { names, groups, cnt, fn, arg, true };
	int err = cgroup_tree__each(root, on_cgroup, &search);

	*ret_is_settled = search.is_settled;
	return err;
}

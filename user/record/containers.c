/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The cgroups of a window's processes: the containers, and whether a run by paths wants them. The id is read when a process is first seen, while it lives; one that has
 * gone by then is in the same container as others of its cgroup, if those were read from the unified hierarchy, where
 * a cgroup id says which one it is. Names are asked for at once and filled in when the profile is finished: what no
 * runtime has told by then goes by the beginning of its id.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/vec.h"
#include "pp/container.h"
#include "pp/proc_cgroup.h"

#define CGROUPS_MAX    65536
#define MEMBERS_MAX    262144
#define SHORT_ID_BYTES 13 /* as the runtimes' own tools show them */

static bool is_cgroup(const void *arg, uint32_t id, const void *key)
{
	const struct window *self = arg;

	return self->cgroups[id].cgroup_id == *(const uint64_t *)key;
}

static const struct window_cgroup *find_cgroup(const struct window *self, uint64_t cgroup_id)
{
	uint32_t row;

	return self->by_cgroup.eq && !hash_index__find(&self->by_cgroup, hash_u64(cgroup_id, 0),
						       &cgroup_id, &row) ?
		       &self->cgroups[row] :
		       NULL;
}

/* Without memory it is only read again. */
static void remember(struct window *self, uint64_t cgroup_id, uint32_t container_id)
{
	if (!cgroup_id ||
	    vec_room(self->cgroups, self->cgroup_cnt + 1, self->cgroup_cap, CGROUPS_MAX))
		return;
	if (!self->by_cgroup.eq)
		hash_index__init(&self->by_cgroup, is_cgroup, self);
	if (hash_index__add(&self->by_cgroup, hash_u64(cgroup_id, 0), (uint32_t)self->cgroup_cnt))
		return;
	self->cgroups[self->cgroup_cnt++] =
		(struct window_cgroup){ .cgroup_id = cgroup_id, .container_id = container_id };
}

static bool is_member(const void *arg, uint32_t id, const void *key)
{
	const struct window *self = arg;

	return memcmp(&self->members[id].id, key, sizeof(struct proc_id)) == 0;
}

static uint64_t hash_id(const struct proc_id *id)
{
	return hash_u64(id->start_boottime_ns, hash_u64((uint64_t)id->pid << 32 | id->exec_id, 0));
}

static const struct window_member *find_member(const struct window *self, const struct proc_id *id)
{
	uint32_t row;

	return self->by_id.eq && !hash_index__find(&self->by_id, hash_id(id), id, &row) ?
		       &self->members[row] :
		       NULL;
}

/* The idle tasks are in the root of each hierarchy. */
static bool is_wanted(const struct wanted_cgroups *wanted, const struct buf *text)
{
	for (uint32_t i = 0; wanted && i < wanted->cnt; i++)
		if (text ? cgroup_text__has(text->data, text->len, wanted->paths[i]) :
			   !strcmp(wanted->paths[i], "/"))
			return true;
	return false;
}

/* Whoever has gone, or is in no container, has none; without memory or room for its id, too. */
static void read_member(struct window *self, struct window_member *member)
{
	const struct container_facts *facts;
	struct container_ref ref;
	_auto_buf_ struct buf text = { 0 };
	int err;

	if (!member->id.pid) { /* an idle task, where they are asked for */
		member->belongs = is_wanted(self->wanted, NULL) ? BELONGS : BELONGS_NOT;
		return;
	}
	member->belongs = BELONGS_UNKNOWN;
	err = cgroup_text__read(self->root, member->id.pid, &text);
	if (err || !text.len)
		return;
	member->belongs = is_wanted(self->wanted, &text) ? BELONGS : BELONGS_NOT;
	if (container_ref__parse(text.data, text.len, &ref) ||
	    profile__string(self->profile, ref.id, &member->container_id))
		return;
	member->is_unified = ref.is_unified;
	if (self->names)
		(void)container_names__find(self->names, ref.id, &facts); /* asked for early */
}

void window__read_container(struct window *self, const struct proc_id *id)
{
	struct window_member member = { .id = *id };

	if (find_member(self, id) ||
	    vec_room(self->members, self->member_cnt + 1, self->member_cap, MEMBERS_MAX))
		return;
	if (!self->by_id.eq) /* the window lies where it is filled by now */
		hash_index__init(&self->by_id, is_member, self);
	read_member(self, &member);
	if (hash_index__add(&self->by_id, hash_id(id), (uint32_t)self->member_cnt))
		return;
	self->members[self->member_cnt++] = member;
}

enum belonging window__belongs(struct window *self, const struct proc_id *id)
{
	const struct window_member *member;

	window__read_container(self, id);
	member = find_member(self, id);
	return member ? member->belongs : BELONGS_UNKNOWN;
}

void window__set_container(struct window *self, uint32_t process, uint64_t cgroup_id)
{
	struct profile_process *row = &self->profile->processes[process];
	const struct proc_id id = { .pid = row->pid,
				    .exec_id = row->exec_id,
				    .start_boottime_ns = row->start_boottime_ns };
	const struct window_cgroup *known = find_cgroup(self, cgroup_id);
	const struct window_member *member;

	if (known) {
		row->container_id = known->container_id;
		return;
	}
	window__read_container(self, &id);
	member = find_member(self, &id);
	if (!member)
		return;
	row->container_id = member->container_id;
	if (member->is_unified)
		remember(self, cgroup_id, member->container_id);
}

void window__forget_members(struct window *self)
{
	hash_index__clear(&self->by_id);
	self->member_cnt = 0;
}

void window__clear_containers(struct window *self)
{
	window__forget_members(self);
	free(self->cgroups);
	free(self->members);
	hash_index__clear(&self->by_cgroup);
}

static int name_container(struct profile *profile, struct profile_process *process,
			  struct container_names *names)
{
	const char *id = intern__str(profile->strings, process->container_id);
	const struct container_facts *facts;
	char text[6 * CONTAINER_NAME_BYTES];

	if (names && !container_names__find(names, id, &facts))
		container_facts__raw_name(facts, text, sizeof(text));
	else
		snprintf(text, SHORT_ID_BYTES, "%s", id);
	return profile__string(profile, text, &process->container);
}

int profile__name_containers(struct profile *profile, struct container_names *names)
{
	int err = 0;

	for (uint32_t i = 0; i < profile->process_cnt && !err; i++)
		if (profile->processes[i].container_id)
			err = name_container(profile, &profile->processes[i], names);
	return err == -E2BIG ? 0 : err; /* the pool of strings is full: the rest has no names */
}

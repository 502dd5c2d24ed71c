/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The runs' filters, in maps that the programs look into before they unwind anything: entries are shared, each
 * says which runs want it. A change first adds what is wanted and then takes away what is not, so that what
 * stays is never without.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/proc.h"
#include "pp/proc_cgroup.h"

#include "pulseprof.skel.h"

/* Deletes every entry of a small hash map. */
static void map__empty(int fd, size_t key_bytes)
{
	_auto_free_ void *key = calloc(1, key_bytes);

	while (key && !bpf_map_get_next_key(fd, NULL, key))
		if (bpf_map_delete_elem(fd, key) && errno != ENOENT)
			return;
}

/* Reading and writing are two steps: an entry that a program removes in between stays removed. */
static int put_pid(int fd, uint32_t pid, const struct pp_filter_pid *wanted)
{
	uint32_t roots = 0;

	for (uint32_t s = 0; s < PP_SLOTS; s++)
		roots |= wanted->root[s];
	if (roots)
		return bpf_map_update_elem(fd, &pid, wanted, BPF_EXIST) ? -errno : 0;
	return bpf_map_delete_elem(fd, &pid) ? -errno : 0;
}

static int add_pid(struct collect *self, uint32_t slot, uint32_t pid)
{
	int fd = bpf_map__fd(self->skel->maps.pp_filter_pids);
	struct pp_filter_pid wanted = { 0 };
	struct proc_stat stat;
	int err = proc__stat(self->root, pid, &stat);

	if (err)
		return err;
	/* another run may have it; not what a pid before had */
	if (bpf_map_lookup_elem(fd, &pid, &wanted) || wanted.start_ticks != stat.start_ticks)
		wanted = (struct pp_filter_pid){ .start_ticks = stat.start_ticks };
	wanted.root[slot] = pid;
	return bpf_map_update_elem(fd, &pid, &wanted, BPF_ANY) ? -errno : 0;
}

static bool has_pid(const struct session_spec *spec, uint32_t pid)
{
	for (uint32_t i = 0; i < spec->pid_cnt; i++)
		if (spec->pids[i] == pid)
			return true;
	return false;
}

/*
 * Takes from a run the processes that do not descend from one that the spec asks for; spec NULL: all. Those
 * below one are found before it is looked at, as keys are collected first.
 */
static int drop_pids(struct collect *self, uint32_t slot, const struct session_spec *spec)
{
	int fd = bpf_map__fd(self->skel->maps.pp_filter_pids);
	uint32_t key, cnt = 0, max = bpf_map__max_entries(self->skel->maps.pp_filter_pids);
	_auto_free_ uint32_t *keys = calloc(max, sizeof(*keys));
	struct pp_filter_pid wanted;

	if (!keys)
		return -ENOMEM;
	while (cnt < max && !bpf_map_get_next_key(fd, cnt ? &keys[cnt - 1] : NULL, &key))
		keys[cnt++] = key;
	for (uint32_t i = 0; i < cnt; i++) {
		uint32_t root;

		if (bpf_map_lookup_elem(fd, &keys[i], &wanted))
			continue;
		root = wanted.root[slot];
		/* without children only those asked for remain */
		if (!root ||
		    (spec && has_pid(spec, root) && (spec->children || has_pid(spec, keys[i]))))
			continue;
		wanted.root[slot] = 0;
		(void)put_pid(fd, keys[i], &wanted); /* -ENOENT: it has just exited */
	}
	return 0;
}

static int add_comm(struct collect *self, uint32_t slot, const char *comm)
{
	int fd = bpf_map__fd(self->skel->maps.pp_filter_comms);
	uint32_t slots = 0;

	(void)bpf_map_lookup_elem(fd, comm, &slots); /* -ENOENT: the first to want it */
	slots |= 1u << slot;
	return bpf_map_update_elem(fd, comm, &slots, BPF_ANY) ? -errno : 0;
}

static bool has_comm(const struct session_spec *spec, const char *comm)
{
	for (uint32_t i = 0; i < spec->comm_cnt; i++)
		if (!memcmp(spec->comms[i], comm, SPEC_COMM_BYTES))
			return true;
	return false;
}

static void drop_comms(struct collect *self, uint32_t slot, const struct session_spec *spec)
{
	int fd = bpf_map__fd(self->skel->maps.pp_filter_comms);
	struct pp_comm keys[(PP_SLOTS + 1) * SPEC_COMMS_MAX];
	uint32_t cnt = 0, slots;

	while (cnt < ARRAY_SIZE(keys) &&
	       !bpf_map_get_next_key(fd, cnt ? &keys[cnt - 1] : NULL, &keys[cnt]))
		cnt++;
	for (uint32_t i = 0; i < cnt; i++) {
		if ((spec && has_comm(spec, keys[i].text)) ||
		    bpf_map_lookup_elem(fd, &keys[i], &slots) || !(slots >> slot & 1))
			continue;
		slots &= ~(1u << slot);
		if (slots)
			(void)bpf_map_update_elem(fd, &keys[i], &slots, BPF_EXIST);
		else
			(void)bpf_map_delete_elem(fd, &keys[i]); /* nobody else writes this map */
	}
}

/* -ENOENT: there are cgroups in the spec, and none on this host; those of groups may come later. */
static int find_cgroups(const struct sysroot *root, const struct session_spec *spec,
			struct filter_cgroups *ret_found)
{
	struct filter_cgroups found = { 0 };
	struct cgroup_place place;

	for (uint32_t i = 0; i < spec->cgroup_cnt; i++) {
		if (cgroup_place__find(root, spec->cgroups[i], &place))
			continue;
		found.cnt++;
		found.ids[i] = place.id;
		found.by_path = found.by_path || !place.id;
	}
	*ret_found = found;
	return spec->cgroup_cnt && !spec->group_cnt && !found.cnt ? -ENOENT : 0;
}

static bool has_cgroup(const struct filter_cgroups *cgroups, uint64_t id)
{
	for (uint32_t i = 0; cgroups && !cgroups->by_path && i < SPEC_CGROUPS_MAX; i++)
		if (cgroups->ids[i] == id)
			return true;
	return false;
}

static int add_cgroups(struct collect *self, uint32_t slot, const struct filter_cgroups *cgroups)
{
	int fd = bpf_map__fd(self->skel->maps.pp_filter_cgrps), err = 0;

	for (uint32_t i = 0; i < SPEC_CGROUPS_MAX && !cgroups->by_path && !err; i++) {
		uint32_t slots = 0;

		if (!cgroups->ids[i])
			continue;
		(void)bpf_map_lookup_elem(fd, &cgroups->ids[i], &slots); /* -ENOENT: the first */
		slots |= 1u << slot;
		err = bpf_map_update_elem(fd, &cgroups->ids[i], &slots, BPF_ANY) ? -errno : 0;
	}
	return err;
}

/* Those that the run has no longer; cgroups NULL: all. */
static void drop_cgroups(struct collect *self, uint32_t slot, const struct filter_cgroups *cgroups)
{
	int fd = bpf_map__fd(self->skel->maps.pp_filter_cgrps);
	uint64_t keys[(PP_SLOTS + 1) * SPEC_CGROUPS_MAX];
	uint32_t cnt = 0, slots;

	while (cnt < ARRAY_SIZE(keys) &&
	       !bpf_map_get_next_key(fd, cnt ? &keys[cnt - 1] : NULL, &keys[cnt]))
		cnt++;
	for (uint32_t i = 0; i < cnt; i++) {
		if (has_cgroup(cgroups, keys[i]) || bpf_map_lookup_elem(fd, &keys[i], &slots) ||
		    !(slots >> slot & 1))
			continue;
		slots &= ~(1u << slot);
		if (slots)
			(void)bpf_map_update_elem(fd, &keys[i], &slots, BPF_EXIST);
		else
			(void)bpf_map_delete_elem(fd, &keys[i]); /* nobody else writes this map */
	}
}

/* -ESRCH: there are pids, and none lives. -ENOENT: there are cgroups, and none exists. */
static int add_all(struct collect *self, uint32_t slot, const struct session_spec *spec,
		   struct filter_cgroups *ret_cgroups)
{
	uint32_t alive = 0;
	int err = find_cgroups(self->root, spec, ret_cgroups);

	if (!err)
		err = add_cgroups(self, slot, ret_cgroups);
	for (uint32_t i = 0; i < spec->comm_cnt && !err; i++)
		err = add_comm(self, slot, spec->comms[i]);
	for (uint32_t i = 0; i < spec->pid_cnt && !err; i++)
		if (!add_pid(self, slot, spec->pids[i]))
			alive++;
	if (!err && spec->pid_cnt && !alive)
		err = -ESRCH;
	return err;
}

static uint32_t filters_of(const struct session_spec *spec, const struct filter_cgroups *cgroups)
{
	uint32_t filters = PP_FILTER_ON;

	if (spec->pid_cnt)
		filters |= PP_FILTER_PIDS;
	if (spec->pid_cnt && spec->children)
		filters |= PP_FILTER_FOLLOW;
	if (spec->comm_cnt)
		filters |= PP_FILTER_COMMS;
	if ((spec->cgroup_cnt || spec->group_cnt) && !cgroups->by_path)
		filters |= PP_FILTER_CGROUPS;
	if (!spec->idle)
		filters |= PP_FILTER_NO_IDLE;
	return filters;
}

static void set_filters(struct collect *self, uint32_t slot, uint32_t filters)
{
	__atomic_store_n(&object__run(self)->filters[slot], filters, __ATOMIC_RELEASE);
}

int filter__set(struct collect *self, uint32_t slot, const char **ret_why)
{
	const struct session_spec *spec = &self->slots[slot].spec;
	struct filter_cgroups *cgroups = &self->slots[slot].cgroups;
	int err;

	filter__clear(self, slot);
	err = add_all(self, slot, spec, cgroups);
	if (err == -ENOENT)
		*ret_why = spec->cgroup_cnt == 1 ? "no such cgroup" : "none of the cgroups exist";
	if (err == -ESRCH)
		*ret_why = spec->pid_cnt == 1 ? "no such process" : "none of the processes exist";
	if (err)
		return err;
	object__run(self)->window[slot]++;
	set_filters(self, slot, filters_of(spec, cgroups));
	return 0;
}

int filter__change(struct collect *self, uint32_t slot, const struct session_spec *spec)
{
	const struct session_spec *before = &self->slots[slot].spec;
	struct filter_cgroups cgroups;
	int err = add_all(self, slot, spec, &cgroups);

	if (!err) {
		set_filters(self, slot, filters_of(spec, &cgroups));
		self->slots[slot].cgroups = cgroups;
		before = spec;
	}
	(void)drop_pids(self, slot, before); /* no memory: more is sampled than was asked for */
	drop_comms(self, slot, before);
	drop_cgroups(self, slot, &self->slots[slot].cgroups);
	return err;
}

void filter__refresh(struct collect *self, uint32_t slot)
{
	const struct session_spec *spec = &self->slots[slot].spec;
	struct filter_cgroups *cgroups = &self->slots[slot].cgroups, found;

	/* while there is none, what was last there stands */
	if (!spec->cgroup_cnt || cgroups->by_path || find_cgroups(self->root, spec, &found) ||
	    found.by_path || !memcmp(found.ids, cgroups->ids, sizeof(found.ids)))
		return;
	if (add_cgroups(self, slot, &found))
		return; /* the next time */
	*cgroups = found;
	drop_cgroups(self, slot, cgroups);
}

static bool has_other(const struct collect *self, uint32_t slot)
{
	for (uint32_t s = 0; s < PP_SLOTS; s++)
		if (s != slot && self->slots[s].is_on)
			return true;
	return false;
}

/* At the end and at the begin: a program that was just adding a child is long over by then. */
void filter__clear(struct collect *self, uint32_t slot)
{
	set_filters(self, slot, 0);
	if (has_other(self, slot)) {
		(void)drop_pids(self, slot, NULL);
		drop_comms(self, slot, NULL);
		drop_cgroups(self, slot, NULL);
		return;
	}
	map__empty(bpf_map__fd(self->skel->maps.pp_filter_pids), sizeof(__u32));
	map__empty(bpf_map__fd(self->skel->maps.pp_filter_comms), PP_COMM_BYTES);
	map__empty(bpf_map__fd(self->skel->maps.pp_filter_cgrps), sizeof(__u64));
	map__empty(bpf_map__fd(self->skel->maps.pp_procs), sizeof(struct pp_proc_id));
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The run's filters, in the maps that the programs look into before they unwind anything.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

#include "pp/base/cleanup.h"
#include "pp/proc.h"

#include "pulseprof.skel.h"

/* Deletes every entry of a small hash map. */
static void map__empty(int fd, size_t key_bytes)
{
	_auto_free_ void *key = calloc(1, key_bytes);

	while (key && !bpf_map_get_next_key(fd, NULL, key))
		if (bpf_map_delete_elem(fd, key) && errno != ENOENT)
			return;
}

static int add_pid(struct collect *self, uint32_t pid, bool follow)
{
	struct pp_filter_pid wanted = { .flags = follow ? PP_FILTER_FOLLOW : 0 };
	struct proc_stat stat;
	__u32 key = pid;
	int err = proc__stat(self->root, pid, &stat);

	if (err)
		return err;
	wanted.start_ticks = stat.start_ticks;
	return bpf_map_update_elem(bpf_map__fd(self->skel->maps.pp_filter_pids), &key, &wanted,
				   BPF_ANY) ?
		       -errno :
		       0;
}

int collect__add_pid(struct collect *self, uint32_t pid, bool follow)
{
	return add_pid(self, pid, follow);
}

int filter__set(struct collect *self, const char **ret_why)
{
	const struct session_spec *spec = &self->spec;
	struct pp_run *run = object__run(self);
	uint32_t alive = 0, one = 1, filters = 0;

	filter__clear(self);
	for (uint32_t i = 0; i < spec->pid_cnt; i++)
		if (!add_pid(self, spec->pids[i], spec->children))
			alive++;
	if (spec->pid_cnt && !alive) {
		*ret_why = spec->pid_cnt == 1 ? "no such process" : "none of the processes exist";
		return -ESRCH;
	}
	for (uint32_t i = 0; i < spec->comm_cnt; i++)
		if (bpf_map_update_elem(bpf_map__fd(self->skel->maps.pp_filter_comms),
					spec->comms[i], &one, BPF_ANY))
			return -errno;
	if (spec->pid_cnt)
		filters |= PP_FILTER_PIDS;
	if (spec->comm_cnt)
		filters |= PP_FILTER_COMMS;
	if (!spec->idle)
		filters |= PP_FILTER_NO_IDLE;
	run->filters = filters;
	run->window++;
	return 0;
}

void filter__clear(struct collect *self)
{
	map__empty(bpf_map__fd(self->skel->maps.pp_filter_pids), sizeof(__u32));
	map__empty(bpf_map__fd(self->skel->maps.pp_filter_comms), PP_COMM_BYTES);
	map__empty(bpf_map__fd(self->skel->maps.pp_procs), sizeof(struct pp_proc_id));
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_CGROUP_H
#define PP_BPF_CGROUP_H
/*
 * The filter by cgroup: is the current task in one that a run wants, or below it? Asked at each sample, so a
 * process that comes into a cgroup while a run goes on is in the run from then on. The unified hierarchy only:
 * for v1 user space looks at paths.
 */
#include "maps.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 320); /* 64 of each run, and of what one changes to */
	__type(key, __u64);
	__type(value, __u32);
} pp_filter_cgrps __weak SEC(".maps"); /* user writes; pp_sample and pp_exec read */

static __always_inline bool cgroup__is_named(__u64 id, __u32 slot)
{
	const __u32 *slots = bpf_map_lookup_elem(&pp_filter_cgrps, &id);

	return slots && *slots >> slot & 1;
}

/* 0: not so deep. */
static __always_inline __u64 cgroup__ancestor(int level)
{
	struct cgroup___ids *cgroup;
	__u64 id = 0;

	if (!bpf_core_field_exists(((struct cgroup___ids *)0)->ancestor_ids))
		return bpf_get_current_ancestor_cgroup_id(level);
	cgroup = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), cgroups, dfl_cgrp);
	if (level <= BPF_CORE_READ(cgroup, level))
		bpf_probe_read_kernel(&id, sizeof(id),
				      (void *)cgroup + bpf_core_field_offset(cgroup->ancestor_ids) +
					      level * sizeof(id));
	return id;
}

/* Scalars only, verified once. The task's own cgroup first: most runs name a container's. */
__weak __noinline int cgroup_is_wanted(__u64 own_id, __u32 slot)
{
	if (cgroup__is_named(own_id, slot))
		return 1;
	for (int level = 0; level < PP_CGROUP_LEVELS_MAX; level++) {
		__u64 id = cgroup__ancestor(level);

		if (!id || id == own_id)
			break;
		if (cgroup__is_named(id, slot))
			return 1;
	}
	return 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_PROCESS_H
#define PP_BPF_PROCESS_H
/*
 * The process table as a sample uses it: are the mappings that we know still the process's? What differs
 * is noticed in the sample that would have been wrong; it is tagged, and user space is asked to read the
 * mappings again, not more often than the row allows. No tracepoint and no sweep.
 *
 * exec and pid reuse change the row's key. exec_vm sees what makes executable memory more or less;
 * mm_lock_seq (6.4 and later) and vmacache_seqnum (up to 6.0) see every change, with false alarms. 6.1 to 6.3 have
 * neither: a replacement of the same size at the same address is not seen there.
 */
#include "ask.bpf.h"

/* A row that was recycled between our reads is no row. Returns its epoch, or 0. */
static __always_inline __u32 process__take_ranges(struct walk *walk, struct pp_proc_info *info,
						  const struct pp_proc_id *id)
{
	__u32 epoch = *(volatile __u32 *)&info->epoch;
	__u64 check = *(volatile __u64 *)&info->check;
	__u64 generation = *(volatile __u32 *)&pp_tables.generation;

	walk->range_first = *(volatile __u32 *)&info->range_first;
	walk->range_cnt = *(volatile __u32 *)&info->range_cnt;
	walk->ranges_tag = check + generation * HASH_MUL_LO;
	if (epoch && check == pp_proc_check(id, epoch, walk->range_first, walk->range_cnt))
		return epoch;
	walk->range_cnt = 0;
	return 0;
}

/*
 * Nothing is known of it yet. A child that has its parent's image walks by the parent's ranges, tagged, so
 * that the first samples of what lives for milliseconds are whole too.
 */
static __always_inline void process__borrow_ranges(struct scratch *s, const struct pp_mm *mm,
						   const struct pp_proc_id *parent)
{
	struct pp_proc_info *info = bpf_map_lookup_elem(&pp_procs, parent);
	__u32 epoch;

	if (!info || info->mm.exec_vm != mm->exec_vm)
		return;
	epoch = process__take_ranges(&s->walk, info, parent);
	s->rec.key.maps = epoch ? epoch << 2 | PP_MAPS_MAYBE : 0;
	s->rec.key.maps_tgid = epoch ? parent->tgid : 0;
}

/*
 * Fills in the walk's ranges (none: not known) and the sample's tag; then *mm is what the sample saw. Where
 * one counter tells that nothing has changed, nothing else is read: each field is a cache miss.
 */
static __always_inline void process__look(struct scratch *s, __u64 *cnt, struct pp_mm *mm)
{
	struct pp_proc_info *info = bpf_map_lookup_elem(&pp_procs, &s->rec.key.proc);
	struct pp_proc_id parent;
	__u32 image = IMAGE_OWN, epoch = 0, why = 0;

	s->walk.range_cnt = 0;
	s->rec.key.maps = 0;
	s->rec.key.maps_tgid = 0;
	if (info)
		epoch = process__take_ranges(&s->walk, info, &s->rec.key.proc);
	if (epoch && process__is_announced(s, info) && task__same_maps(&info->mm)) {
		s->rec.key.maps = epoch << 2;
		return;
	}
	task__read_mm(mm);
	if (epoch) {
		why = mm__differs(&info->mm, mm);
		s->rec.key.maps = epoch << 2 | (why == PP_ASK_CHANGED ? PP_MAPS_CHANGED :
						why == PP_ASK_MAYBE   ? PP_MAPS_MAYBE :
									0);
	} else {
		why = PP_ASK_NO_RANGE; /* the answer is still to come, or was lost */
		image = task__parent_image(&parent);
		if (image != IMAGE_OWN)
			process__borrow_ranges(s, mm, &parent);
	}
	if (!info && image != IMAGE_SHARED) { /* one that shares will exec: another process then */
		process__add(s, cnt, mm);
		return;
	}
	if (info && !process__is_announced(s, info))
		why = PP_ASK_NEW;
	if (info && why)
		ask_when_due(s, info, cnt, why, mm);
}

/* A frame lies in no range that we know: itself a reason to read again. */
static __always_inline void process__ask_for_range(struct scratch *s, __u64 *cnt, struct pp_mm *mm)
{
	struct pp_proc_info *info = bpf_map_lookup_elem(&pp_procs, &s->rec.key.proc);

	task__read_mm(mm);
	if (info)
		ask_when_due(s, info, cnt, PP_ASK_NO_RANGE, mm);
}

#endif

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
#include "count.bpf.h"
#include "task.bpf.h"
#include "walk.bpf.h"

#define ASK_FIRST_MS 20 /* an unanswered question is repeated after so long */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct pp_proc_id);
	__type(value, struct pp_proc_info);
} pp_procs SEC(".maps"); /* pp_sample adds; user fills in and removes */

static __noinline int ask_for_maps(struct scratch *s, __u64 *cnt, __u32 why, __u64 now_ns,
				   const struct pp_mm *mm)
{
	struct pp_rec_proc rec = {}; /* not inlined: the walk's chain has 512 bytes of stack */

	rec.head.len = sizeof(rec);
	rec.head.kind = PP_REC_PROC;
	rec.head.cpu = bpf_get_smp_processor_id();
	rec.head.time_ns = now_ns;
	rec.proc = s->rec.key.proc;
	rec.tid = s->rec.tid;
	rec.why = why;
	rec.mm = *mm;
	__builtin_memcpy(rec.comm, s->rec.key.comm, PP_COMM_BYTES);
	if (!bpf_ringbuf_output(&pp_ring, &rec, sizeof(rec), 0))
		return 0;
	count(cnt, PP_CNT_PROC_RECORD_LOST);
	return -1;
}

/* Not there: added, and announced. */
static __noinline void process__add(struct scratch *s, __u64 *cnt, const struct pp_mm *mm)
{
	struct pp_proc_info info = {};
	__u64 now_ns = bpf_ktime_get_ns();

	if (!ask_for_maps(s, cnt, PP_ASK_NEW, now_ns, mm))
		info.window = pp_run.window;
	info.asked_ns = now_ns;
	info.ask_ms = ASK_FIRST_MS;
	if (bpf_map_update_elem(&pp_procs, &s->rec.key.proc, &info, BPF_NOEXIST))
		count(cnt, PP_CNT_PROC_TABLE_FULL);
}

static __always_inline void ask_when_due(struct scratch *s, struct pp_proc_info *info, __u64 *cnt,
					 __u32 why, const struct pp_mm *mm)
{
	__u64 now_ns = bpf_ktime_get_ns();
	__u64 pause_ms = why == PP_ASK_CHANGED ? PP_ASK_CHANGED_MS : info->ask_ms;

	if (why != PP_ASK_NEW && now_ns < info->asked_ns + pause_ms * 1000000)
		return;
	if (ask_for_maps(s, cnt, why, now_ns, mm))
		return;
	info->asked_ns = now_ns;
	info->window = pp_run.window;
}

/* A row that was recycled between our reads is no row. Returns its epoch, or 0. */
static __always_inline __u32 process__take_ranges(struct walk *walk, struct pp_proc_info *info,
						  const struct pp_proc_id *id)
{
	__u32 epoch = *(volatile __u32 *)&info->epoch;

	walk->range_first = *(volatile __u32 *)&info->range_first;
	walk->range_cnt = *(volatile __u32 *)&info->range_cnt;
	if (epoch && *(volatile __u64 *)&info->check ==
			     pp_proc_check(id, epoch, walk->range_first, walk->range_cnt))
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
 * Fills in the walk's ranges (none: not known) and the sample's tag. mm is what the sample saw.
 */
static __always_inline void process__look(struct scratch *s, __u64 *cnt, const struct pp_mm *mm)
{
	struct pp_proc_info *info = bpf_map_lookup_elem(&pp_procs, &s->rec.key.proc);
	struct pp_proc_id parent;
	__u32 image = IMAGE_OWN, epoch = 0, why = 0;

	s->walk.range_cnt = 0;
	s->rec.key.maps = 0;
	s->rec.key.maps_tgid = 0;
	if (info)
		epoch = process__take_ranges(&s->walk, info, &s->rec.key.proc);
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
	if (info && info->window != pp_run.window)
		why = PP_ASK_NEW;
	if (info && why)
		ask_when_due(s, info, cnt, why, mm);
}

/* A frame lies in no range that we know: itself a reason to read again. */
static __always_inline void process__ask_for_range(struct scratch *s, __u64 *cnt,
						   const struct pp_mm *mm)
{
	struct pp_proc_info *info = bpf_map_lookup_elem(&pp_procs, &s->rec.key.proc);
	if (info)
		ask_when_due(s, info, cnt, PP_ASK_NO_RANGE, mm);
}

#endif

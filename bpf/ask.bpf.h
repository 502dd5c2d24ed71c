/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_ASK_H
#define PP_BPF_ASK_H
/*
 * The process table, and how programs ask user space to read a process's mappings: by the ring, not more
 * often than the process's row allows. When to ask is process.bpf.h's.
 */
#include "count.bpf.h"
#include "task.bpf.h"
#include "walk.bpf.h"

#define ASK_FIRST_MS 20 /* an unanswered question is repeated after so long */

/* Not inlined, as it is rare: its record would stand in the frame below the walk's (512 bytes for a chain). */
static __noinline int ask_for_maps(struct scratch *s, __u64 *cnt, __u32 why, __u64 now_ns,
				   const struct pp_mm *mm)
{
	struct pp_rec_proc rec = {};

	rec.head.len = sizeof(rec);
	rec.head.kind = PP_REC_PROC;
	rec.head.cpu = bpf_get_smp_processor_id();
	rec.head.time_ns = now_ns;
	rec.proc = s->rec.key.proc;
	rec.tid = s->rec.tid;
	rec.why = why;
	rec.slots = 1u << s->rec.key.slot;
	rec.mm = *mm;
	__builtin_memcpy(rec.comm, s->rec.key.comm, PP_COMM_BYTES);
	if (!bpf_ringbuf_output(&pp_ring, &rec, sizeof(rec), 0))
		return 0;
	count(cnt, PP_CNT_PROC_RECORD_LOST);
	return -1;
}

/* Was it announced to this sample's run, in the window that goes on? */
static __always_inline bool process__is_announced(const struct scratch *s,
						  const struct pp_proc_info *info)
{
	__u32 slot = s->rec.key.slot;

	return *AT_SLOT(info->window, slot) == *AT_SLOT(pp_run.window, slot);
}

static __always_inline void process__set_announced(const struct scratch *s,
						   struct pp_proc_info *info)
{
	__u32 slot = s->rec.key.slot;

	*AT_SLOT(info->window, slot) = *AT_SLOT(pp_run.window, slot);
}

/* Not there: added, and announced. */
static __noinline void process__add(struct scratch *s, __u64 *cnt, const struct pp_mm *mm)
{
	struct pp_proc_info info = {};
	__u64 now_ns = bpf_ktime_get_ns();

	if (!ask_for_maps(s, cnt, PP_ASK_NEW, now_ns, mm))
		process__set_announced(s, &info);
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
	process__set_announced(s, info);
}

#endif

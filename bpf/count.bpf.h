/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_COUNT_H
#define PP_BPF_COUNT_H
/*
 * count(cnt, PP_CNT_x): the one way to say "this happened". Plain adds: each counter is written by one
 * program only, and a program does not interrupt itself on its own CPU.
 */
#include "knobs.bpf.h"
#include "maps.bpf.h"

static __always_inline struct pp_cpu_counters *cpu_counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pp_counters, &zero);
}

/* The counters of a run, and those of no run in particular. */
static __always_inline __u64 *counters_of(struct pp_cpu_counters *cpu, __u32 slot, __u32 generation)
{
	return (*AT_SLOT(cpu->cnt, slot))[generation];
}

/* Which maps and counters to write now. Read once per sample. */
static __always_inline __u32 generation_now(void)
{
	return MASKED(*(volatile __u32 *)&pp_run.generation, 1);
}

static __always_inline void count(__u64 *cnt, __u32 id)
{
	cnt[id]++;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_COUNT_H
#define PP_BPF_COUNT_H
/*
 * count(cpu, PP_CNT_x): the one way to say "this happened". Plain adds: each counter is written by one
 * program only, and a program does not interrupt itself on its own CPU.
 */
static __always_inline struct pp_cpu_counters *cpu_counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pp_counters, &zero);
}

static __always_inline void count(struct pp_cpu_counters *cpu, __u32 id)
{
	cpu->cnt[id]++;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_KNOBS_H
#define PP_BPF_KNOBS_H
/*
 * Switches set before load (the verifier removes the branches that are off). User space sets each by what
 * it probed, never by a kernel version.
 */

#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "pp/abi.h"

/* bpf_get_current_task_btf: 5.11; without it probe reads. */
extern const volatile __u32 pp_has_task_btf;
/* bpf_task_pt_regs: 5.15; without it the formula of arch_*.bpf.h. */
extern const volatile __u32 pp_has_task_regs;

/* Makes hashes differ from boot to boot. */
extern const volatile __u64 pp_hash_seed;

/* The switches that change while loaded. */
extern struct pp_run pp_run;
extern struct pp_tables pp_tables;

/* Keeps an index bounded where clang can prove the range and the verifier cannot. */
#define MASKED(index, mask)                  \
	({                                   \
		__u64 _i = (index);          \
		asm volatile("" : "+r"(_i)); \
		_i &(mask);                  \
	})

/* An element of an array by slot: hidden from clang, which ors a small index into an aligned address. */
#define AT_SLOT(array, slot)                       \
	({                                         \
		typeof(&(array)[0]) _a = (array);  \
		asm volatile("" : "+r"(_a));       \
		&_a[MASKED((slot), PP_SLOTS - 1)]; \
	})

#endif

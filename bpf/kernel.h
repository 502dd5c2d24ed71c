/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_KERNEL_H
#define PP_BPF_KERNEL_H
/*
 * The kernel as far as we read it: only the structs and fields that we touch, relocated by CO-RE against
 * the running kernel's BTF. The complete list of kernel internals that we depend on. Not a vmlinux.h.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct mm_struct {
	unsigned long total_vm; /* pages; grows and shrinks with every mapping */
	unsigned long exec_vm; /* pages of executable, not writable mappings */
	int map_count;
	unsigned long
		start_code; /* these two are set by exec, at random places, and copied by fork */
	unsigned long start_stack;
};
/* Advanced with every change of the mappings: seqcount_t since 6.14, int from 6.4 on. */
typedef struct {
	unsigned int sequence;
} seqcount_t;
struct mm_struct___seqcount {
	seqcount_t mm_lock_seq;
};
struct mm_struct___seqint {
	int mm_lock_seq;
};
struct mm_struct___vmacache {
	__u64 vmacache_seqnum; /* up to 6.0 */
};

/* Of the unified hierarchy. Up to 6.0; from 6.1 on ancestors are pointers, and a helper gives their ids (5.14). */
struct cgroup___ids {
	int level;
	__u64 ancestor_ids[1];
};
struct css_set {
	struct cgroup___ids *dfl_cgrp;
};

struct signal_struct {
	atomic_t live; /* threads that have not begun to exit */
};

struct task_struct {
	void *stack;
	int pid;
	int tgid;
	struct mm_struct *mm;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct signal_struct *signal;
	struct css_set *cgroups;
	__u64 start_boottime; /* since 5.5; before it was real_start_time */
	__u64 self_exec_id; /* u64 since 5.7 */
};

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long ip;
	unsigned long sp;
};

#pragma clang attribute pop

/*
 * The context of a perf_event program. Its fields are not relocated: the verifier rewrites loads by offset
 * and takes only whole 8-byte loads (UAPI struct pt_regs of x86-64, linux/bpf_perf_event.h).
 */
struct perf_context {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
	__u64 ip, cs, flags, sp, ss;
	__u64 sample_period;
	__u64 addr;
};

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ABI_H
#define PP_ABI_H
/*
 * The contract between bpf/ and user/collect: map keys and values, ring records, counter ids, limits.
 * Kernel and user half are one program: this may change freely. Fixed widths, explicit padding, no
 * pointers. Include <linux/types.h> (or the BPF equivalent) first.
 */
#include "pp/abi_counters.h"

#define PP_COMM_BYTES	     16
#define PP_USER_FRAMES_MAX   256
#define PP_KERNEL_FRAMES_MAX 127

/* Stacks are stored once, in the smallest size class that fits. */
#define PP_CLASS_SMALL	32
#define PP_CLASS_MEDIUM 96
#define PP_CLASS_LARGE	256

/* How a walk ended. */
enum pp_end {
	PP_END_NO_USER, /* no user part: kernel thread or exiting */
	PP_END_FP_ZERO, /* frame pointer 0 */
	PP_END_FP_OUTSIDE, /* frame pointer misaligned, not above the last one, or too far away */
	PP_END_FRAMES_MAX, /* PP_USER_FRAMES_MAX reached */
	PP_END_FAULT, /* stack memory unreadable */
	PP_END_RETURN_ZERO, /* return address 0 or in the kernel half */
};

/* A stack's name: two lanes of a seeded hash over its frames and its end. {0,0}: no stack. */
struct pp_stack_id {
	__u64 lo;
	__u64 hi;
};

/* Value of the stack maps; the class decides how many frames follow. Leaf first. */
struct pp_stack_head {
	__u32 depth;
	__u32 end; /* enum pp_end; for user stacks */
};
struct pp_stack_small {
	struct pp_stack_head head;
	__u64 frames[PP_CLASS_SMALL];
};
struct pp_stack_medium {
	struct pp_stack_head head;
	__u64 frames[PP_CLASS_MEDIUM];
};
struct pp_stack_large {
	struct pp_stack_head head;
	__u64 frames[PP_CLASS_LARGE];
};

struct pp_proc_id {
	__u32 tgid;
	__u32 exec_id;
	__u64 start_boottime_ns;
};

/* Whom a sample belongs to; its hash is the key of the count maps. */
struct pp_sample_key {
	struct pp_proc_id proc;
	__u64 cgroup_id;
	struct pp_stack_id user_stack;
	struct pp_stack_id kernel_stack;
	char comm[PP_COMM_BYTES];
	__u32 event;
	__u32 end; /* enum pp_end of the user stack */
};

struct pp_count_key {
	__u64 lo;
	__u64 hi;
};
struct pp_count {
	struct pp_sample_key key;
	__u64 cnt;
	__u32 tid; /* one of the threads, to find a process whose leader has gone */
	__u32 pad;
};

struct pp_proc_info {
	__u64 first_ns; /* CLOCK_MONOTONIC of its first sample */
};

/* Key of the thread name filter: as the kernel has it, zero-padded. */
struct pp_comm {
	char text[PP_COMM_BYTES];
};

/* pids filter: tgid -> this. */
#define PP_FILTER_FOLLOW 1u /* children are added by pp_fork */
struct pp_filter_pid {
	__u64 start_ticks; /* start_boottime in USER_HZ ticks: a reused pid does not match */
	__u32 flags;
	__u32 pad;
};

#define PP_NSEC_PER_TICK 10000000ull /* USER_HZ is 100 on every Linux ABI */

/* Switches of a run, written by user space into the programs' .bss. */
struct pp_run {
	__u32 generation; /* 0 or 1: which maps and counters to write */
	__u32 filters; /* PP_FILTER_* bits */
};
#define PP_FILTER_PIDS	  1u
#define PP_FILTER_COMMS	  2u
#define PP_FILTER_NO_IDLE 4u

/* Ring records: length and kind first, checked in that order. */
enum pp_rec_kind { PP_REC_PROC = 1, PP_REC_STACK = 2 };
struct pp_rec_head {
	__u16 len; /* whole record */
	__u16 kind;
	__u32 cpu;
	__u64 time_ns;
};
/* A process was sampled for the first time. */
struct pp_rec_proc {
	struct pp_rec_head head;
	struct pp_proc_id proc;
	__u32 tid;
	__u32 pad;
	char comm[PP_COMM_BYTES];
};
/* A sample whose stacks or count did not fit into the maps. */
struct pp_rec_stack {
	struct pp_rec_head head;
	struct pp_sample_key key;
	__u32 tid;
	__u32 generation;
	struct pp_stack_large user;
	struct pp_stack_large kernel; /* left out (see head.len) when there is no kernel part */
};
#define PP_REC_STACK_USER_ONLY_BYTES __builtin_offsetof(struct pp_rec_stack, kernel)

_Static_assert(sizeof(struct pp_stack_id) == 16, "two u64");
_Static_assert(sizeof(struct pp_proc_id) == 16, "no padding");
_Static_assert(sizeof(struct pp_sample_key) == 16 + 8 + 16 + 16 + 16 + 8,
	       "no padding, it is hashed");
_Static_assert(sizeof(struct pp_count) == sizeof(struct pp_sample_key) + 16, "no padding");
_Static_assert(sizeof(struct pp_rec_head) == 16, "record head");
_Static_assert(sizeof(struct pp_rec_stack) < 65536, "len is a u16");
_Static_assert(sizeof(struct pp_stack_large) < 32768, "fits a per-CPU value on 5.10");

#endif

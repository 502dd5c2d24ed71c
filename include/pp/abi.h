/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ABI_H
#define PP_ABI_H
/*
 * The contract between bpf/ and user/collect: map keys and values, ring records, counter ids, limits.
 * Kernel and user half are one program: this may change freely. Fixed widths, explicit padding, no
 * pointers. Include <linux/types.h> (or the BPF equivalent) first.
 */
#include "pp/abi_counters.h"
#include "pp/abi_run.h"
#include "pp/abi_stack.h"
#include "pp/abi_unwind.h"

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
	__u16 event;
	__u16 slot; /* of the run */
	__u32 end; /* of the user stack: enum pp_end, PP_WALK_* */
	__u32 maps; /* epoch << 2 | PP_MAPS_*: the mappings that its addresses belong to; 0: not told */
	__u32 maps_tgid; /* whose mappings these are: a young child walks by its parent's; 0: its own */
};
/* The epoch is that of pp_proc_info. MAYBE: something was mapped since, CHANGED: surely something executable. */
#define PP_MAPS_MAYBE	1u
#define PP_MAPS_CHANGED 2u
#define PP_EPOCH_MAX	0x3fffffffu

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

/* The process table. Programs add a process; user space fills in its ranges and removes it. */
struct pp_proc_info {
	__u32 window[PP_SLOTS]; /* pp_run.window in which it was announced to each run */
	__u32 epoch; /* of its ranges; grows when they change; 0: none known yet */
	__u32 range_first; /* in pp_ranges */
	__u32 range_cnt;
	__u32 ask_ms; /* not again before so long; PP_ASK_CHANGED_MS if executable memory has changed */
	__u64 check; /* pp_proc_check(): an element may be recycled while a program reads it */
	__u64 asked_ns; /* CLOCK_MONOTONIC: when a program asked last */
	struct pp_mm mm; /* as reported with the request after which the ranges were read */
};
static inline __u64 pp_proc_check(const struct pp_proc_id *id, __u32 epoch, __u32 range_first,
				  __u32 range_cnt)
{
	return (id->start_boottime_ns ^ ((__u64)id->tgid << 32 | id->exec_id)) *
		       0x9e3779b97f4a7c15ull ^
	       (((__u64)epoch << 32 | range_first) + ((__u64)range_cnt << 40));
}

/* Ring records: length and kind first, checked in that order. */
enum pp_rec_kind { PP_REC_PROC = 1, PP_REC_STACK = 2, PP_REC_PAGE = 3 };
struct pp_rec_head {
	__u16 len; /* whole record */
	__u16 kind;
	__u32 cpu;
	__u64 time_ns;
};
/* Read this process's mappings: it is new in this window, or they have changed. */
#define PP_ASK_CHANGED_MS 5
#define PP_EXEC_ANSWER_MS 10 /* by then the maps of a new image should have been read */
enum pp_ask {
	PP_ASK_NEW = 1,
	PP_ASK_CHANGED = 2,
	PP_ASK_MAYBE = 3,
	PP_ASK_NO_RANGE = 4,
	PP_ASK_EXEC = 5, /* not sampled yet; its loader has still to map the libraries */
};
struct pp_rec_proc {
	struct pp_rec_head head;
	struct pp_proc_id proc;
	__u32 tid;
	__u16 why; /* enum pp_ask */
	__u16 slots; /* the runs that ask, a bit each */
	char comm[PP_COMM_BYTES];
	struct pp_mm mm;
};
/* Convert this page of code: a stack went through it. */
struct pp_rec_page {
	struct pp_rec_head head;
	struct pp_proc_id proc;
	__u32 tid;
	__u32 dir_index;
	__u64 sp; /* where the stack continues: what else it will need is written there */
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

_Static_assert(sizeof(struct pp_proc_id) == 16, "no padding");
_Static_assert(sizeof(struct pp_sample_key) == 16 + 8 + 16 + 16 + 16 + 16,
	       "no padding, it is hashed");
_Static_assert(sizeof(struct pp_count) == sizeof(struct pp_sample_key) + 16, "no padding");
_Static_assert(sizeof(struct pp_rec_head) == 16, "record head");
_Static_assert(sizeof(struct pp_rec_stack) < 65536, "len is a u16");

#endif

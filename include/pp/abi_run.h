/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ABI_RUN_H
#define PP_ABI_RUN_H
/*
 * Runs, as the programs know them: which sample is whose, what each run wants, the switches. Part of the
 * contract of abi.h (include <linux/types.h> first).
 */
#include "pp/abi_counters.h"

#define PP_COMM_BYTES 16

/* Key of the thread name filter: as the kernel has it, zero-padded. Value: the runs that want it, a bit each. */
struct pp_comm {
	char text[PP_COMM_BYTES];
};

/* pids filter: tgid -> this. */
struct pp_filter_pid {
	__u64 start_ticks; /* start_boottime in USER_HZ ticks: a reused pid does not match */
	__u32 root[PP_SLOTS]; /* the pid asked for from which it descends, or itself; 0: that run has it not */
};

#define PP_NSEC_PER_TICK 10000000ull /* USER_HZ is 100 on every Linux ABI */

/*
 * A run has a slot, and a sample knows its slot by the period of its event: periods bear it in their lowest
 * bits (a nanosecond or a cycle more or less). So one program, loaded once, serves all runs on each kernel,
 * where a second program would cost as much as the first and a cookie a kernel of 5.15.
 */
#define PP_PERIOD_SLOT(period)	((__u32)(period) & (PP_SLOTS - 1))
#define PP_PERIOD(period, slot) (((period) & ~(PP_SLOTS - 1ull)) | (slot))

/* Switches of the runs, written by user space into the programs' .bss. */
struct pp_run {
	__u32 generation; /* 0 or 1: which maps and counters to write */
	__u32 pad;
	__u32 filters[PP_SLOTS]; /* PP_FILTER_* bits; 0: no run */
	__u32 window[PP_SLOTS]; /* a process is announced once in each */
};
#define PP_FILTER_ON	  1u
#define PP_FILTER_PIDS	  2u
#define PP_FILTER_COMMS	  4u
#define PP_FILTER_NO_IDLE 8u
#define PP_FILTER_FOLLOW  16u /* children are added by pp_fork */
#define PP_FILTER_CGROUPS 32u /* of the unified hierarchy, with their descendants */

/* Filter by cgroup: its id -> the runs that want it and what is below it, a bit each. */
#define PP_CGROUP_LEVELS_MAX 32 /* what lies deeper is found by its own id only */

#endif

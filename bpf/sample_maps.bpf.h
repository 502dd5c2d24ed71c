/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_SAMPLE_MAPS_H
#define PP_BPF_SAMPLE_MAPS_H
/*
 * The maps of the sampler alone. Two generations (_0, _1): the program writes those of pp_run.generation,
 * user space drains the others by batch lookup-and-delete.
 */
#include "walk.bpf.h"

#define COUNT_MAP(name)                           \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_HASH);  \
		__uint(max_entries, 4096);        \
		__type(key, struct pp_count_key); \
		__type(value, struct pp_count);   \
	} name SEC(".maps")
COUNT_MAP(pp_counts_0);
COUNT_MAP(pp_counts_1);

#define STACK_MAP(name, value_type, entries)     \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__uint(max_entries, entries);    \
		__type(key, struct pp_stack_id); \
		__type(value, value_type);       \
	} name SEC(".maps")
STACK_MAP(pp_small_0, struct pp_stack_small, 4096);
STACK_MAP(pp_small_1, struct pp_stack_small, 4096);
STACK_MAP(pp_medium_0, struct pp_stack_medium, 1024);
STACK_MAP(pp_medium_1, struct pp_stack_medium, 1024);
STACK_MAP(pp_large_0, struct pp_stack_large, 256);
STACK_MAP(pp_large_1, struct pp_stack_large, 256);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 320); /* 64 of each run, and of what one changes to */
	__type(key, struct pp_comm);
	__type(value, __u32);
} pp_filter_comms SEC(".maps"); /* user writes, pp_sample reads */

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_MAPS_H
#define PP_BPF_MAPS_H
/*
 * Every map, once. Those of two objects are weak: the linker makes them one. Sizes here are for two CPUs; user/collect/object.c scales them before load. All hashes
 * are preallocated: perf_event programs may not allocate (refused before 6.1, unsafe in NMI).
 *
 * Generations: the program writes maps of pp_run.generation only; user space drains the others.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pp_cpu_counters);
} pp_counters __weak SEC(".maps"); /* programs write, user reads */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct pp_filter_pid);
} pp_filter_pids __weak SEC(".maps"); /* user and pp_fork add, pp_exit removes, pp_sample reads */

#ifdef PP_SAMPLE_MAPS
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} pp_scratch SEC(".maps"); /* pp_sample only */

#define COUNT_MAP(name)                           \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_HASH);  \
		__uint(max_entries, 8192);        \
		__type(key, struct pp_count_key); \
		__type(value, struct pp_count);   \
	} name SEC(".maps")
COUNT_MAP(pp_counts_0); /* pp_sample writes; user drains by batch lookup-and-delete */
COUNT_MAP(pp_counts_1);

#define STACK_MAP(name, value_type, entries)     \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__uint(max_entries, entries);    \
		__type(key, struct pp_stack_id); \
		__type(value, value_type);       \
	} name SEC(".maps")
STACK_MAP(pp_small_0, struct pp_stack_small, 4096); /* as the counts */
STACK_MAP(pp_small_1, struct pp_stack_small, 4096);
STACK_MAP(pp_medium_0, struct pp_stack_medium, 1024);
STACK_MAP(pp_medium_1, struct pp_stack_medium, 1024);
STACK_MAP(pp_large_0, struct pp_stack_large, 256);
STACK_MAP(pp_large_1, struct pp_stack_large, 256);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct pp_proc_id);
	__type(value, struct pp_proc_info);
} pp_procs SEC(".maps"); /* pp_sample adds, user empties after a run */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct pp_comm);
	__type(value, __u32);
} pp_filter_comms SEC(".maps"); /* user writes, pp_sample reads */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} pp_ring SEC(".maps"); /* new processes, and samples that did not fit */
#endif

#endif

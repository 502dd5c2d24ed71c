/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_MAPS_H
#define PP_BPF_MAPS_H
/*
 * The maps that several programs use. Weak: the linker of BPF objects makes one of each. All hashes are
 * preallocated: perf_event programs may not allocate (refused before 6.1, unsafe in NMI).
 */
#include "knobs.bpf.h"

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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct pp_proc_id);
	__type(value, struct pp_proc_info);
} pp_procs __weak SEC(".maps"); /* pp_sample and pp_exec add; user fills in and removes */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} pp_ring __weak SEC(".maps"); /* requests of the sampler, and samples that did not fit */

#endif

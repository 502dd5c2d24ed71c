/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_BPF_HELPERS_H
#define FAKE_BPF_HELPERS_H
/*
 * Stands before libbpf's header of the same name where bpf/ is compiled for user space: maps are plain
 * objects whose types can be asked with sizeof, helpers are functions of fake_kernel.c. bpf/ has no #ifdef.
 */
#include <linux/types.h>

#define __uint(name, val)  int(*name)[val]
#define __type(name, val)  __typeof__(val) *name
#define __array(name, val) __typeof__(val) *name[]
#define SEC(name)

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline	__attribute__((noinline))
#define __weak		__attribute__((weak))

struct task_struct;

void *bpf_map_lookup_elem(const void *map, const void *key);
long bpf_map_update_elem(const void *map, const void *key, const void *value, __u64 flags);
long bpf_map_delete_elem(const void *map, const void *key);
long bpf_probe_read_user(void *dst, __u32 bytes, const void *addr);
long bpf_tail_call(void *ctx, const void *progs, __u32 index);
long bpf_ringbuf_output(const void *ring, const void *data, __u64 bytes, __u64 flags);
long bpf_get_stack(void *ctx, void *frames, __u32 bytes, __u64 flags);
long bpf_get_current_comm(void *comm, __u32 bytes);
long bpf_task_pt_regs(struct task_struct *task);
struct task_struct *bpf_get_current_task_btf(void);
__u64 bpf_get_current_task(void);
__u64 bpf_get_current_pid_tgid(void);
__u64 bpf_get_current_cgroup_id(void);
__u64 bpf_get_current_ancestor_cgroup_id(int level);
__u64 bpf_ktime_get_ns(void);
__u32 bpf_get_smp_processor_id(void);

#endif

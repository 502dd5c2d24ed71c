/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The yardstick: a CPU sampler of the shape that bcc's profile tool has had for years, two stack ids from
 * the kernel's own walker (127 frames) and a count by {pid, both ids, thread name} in a hash. Not part of
 * the product.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>

#include <bpf/bpf_helpers.h>

#define FRAMES_MAX 127
#define COMM_BYTES 16

struct key {
	__u32 pid;
	int user_stack_id;
	int kernel_stack_id;
	char comm[COMM_BYTES];
};

/* Larger than bcc's 16,384, so that no stack is refused for its place in the table. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 65536);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, FRAMES_MAX * sizeof(__u64));
} bcc_stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 40960);
	__type(key, struct key);
	__type(value, __u64);
} bcc_counts SEC(".maps");

SEC("perf_event")
int bcc_shape(struct bpf_perf_event_data *ctx)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u64 one = 1, *cnt;
	struct key key = {};

	if (!(__u32)pid_tgid) /* the idle task */
		return 0;
	key.pid = pid_tgid >> 32;
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	key.user_stack_id = bpf_get_stackid(ctx, &bcc_stacks, BPF_F_USER_STACK);
	key.kernel_stack_id = bpf_get_stackid(ctx, &bcc_stacks, 0);
	cnt = bpf_map_lookup_elem(&bcc_counts, &key);
	if (cnt)
		__sync_fetch_and_add(cnt, 1);
	else
		bpf_map_update_elem(&bcc_counts, &key, &one, BPF_NOEXIST);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

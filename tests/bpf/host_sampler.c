/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sampler as it is, with a task to find. Its switches are const and stay at what 5.10 has: the kernel's
 * structs are read by probe, user registers of a task in the kernel are taken from the stack's top.
 */
#include "../../bpf/sample.bpf.c"

#include "host_sampler.h"
#include "pp/base/err.h"

#include <string.h>

static struct {
	struct task_struct task;
	struct task_struct parent;
	struct mm_struct mm;
	struct mm_struct parent_mm;
	uint8_t stack[STACK_TOP_BYTES] __attribute__((aligned(16)));
	bool is_ready;
} machine;

__u64 bpf_get_current_task(void)
{
	return (__u64)&machine.task;
}

struct task_struct *bpf_get_current_task_btf(void)
{
	return &machine.task;
}

long bpf_task_pt_regs(struct task_struct *task)
{
	return (long)((uintptr_t)task->stack + STACK_TOP_BYTES - PT_REGS_BYTES);
}

__u64 bpf_get_current_pid_tgid(void)
{
	return (__u64)HOST_TGID << 32 | HOST_TID;
}

static const uint64_t *cgroups; /* of the task, from the root on; NULL: it is in the root, id 1 */
static uint32_t cgroup_levels;

__u64 bpf_get_current_cgroup_id(void)
{
	return cgroups ? cgroups[cgroup_levels - 1] : 1;
}

__u64 bpf_get_current_ancestor_cgroup_id(int level)
{
	return level >= (int)(cgroups ? cgroup_levels : 1) ? 0 : cgroups ? cgroups[level] : 1;
}

void host__enter_cgroups(const uint64_t *ids, uint32_t cnt)
{
	cgroups = ids;
	cgroup_levels = cnt;
}

void host__want_cgroup(uint64_t id, uint32_t slots)
{
	pp_assert(!bpf_map_update_elem(&pp_filter_cgrps, &id, &slots, BPF_ANY));
}

long bpf_get_current_comm(void *comm, __u32 bytes)
{
	memset(comm, 0, bytes);
	memcpy(comm, "host", 4);
	return 0;
}

long bpf_get_stack(void *ctx, void *frames, __u32 bytes, __u64 flags)
{
	static const uint64_t kernel[2] = { 0xffffffff81000100, 0xffffffff81000200 };

	memcpy(frames, kernel, sizeof(kernel));
	return sizeof(kernel);
}

static void make_ready(void)
{
	FAKE_MAP_ADD(pp_counters);
	FAKE_MAP_ADD(pp_filter_pids);
	FAKE_MAP_ADD(pp_filter_comms);
	FAKE_MAP_ADD(pp_filter_cgrps);
	FAKE_MAP_ADD(pp_scratch);
	FAKE_MAP_ADD(pp_procs);
	FAKE_MAP_ADD(pp_ranges);
	FAKE_MAP_ADD(pp_recent_ranges);
	FAKE_MAP_ADD(pp_dir);
	FAKE_MAP_ADD(pp_rules);
	FAKE_MAP_ADD(pp_rule_cache);
	FAKE_MAP_ADD(pp_counts_0);
	FAKE_MAP_ADD(pp_counts_1);
	FAKE_MAP_ADD(pp_small_0);
	FAKE_MAP_ADD(pp_small_1);
	FAKE_MAP_ADD(pp_medium_0);
	FAKE_MAP_ADD(pp_medium_1);
	FAKE_MAP_ADD(pp_large_0);
	FAKE_MAP_ADD(pp_large_1);
	fake_map__add(&pp_parts, BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 0, PP_PARTS_MAX);
	machine.is_ready = true;
}

void host__reset(void)
{
	if (!machine.is_ready)
		make_ready();
	fake_map__clear(&pp_procs);
	fake_map__clear(&pp_filter_pids);
	fake_map__clear(&pp_filter_comms);
	fake_map__clear(&pp_filter_cgrps);
	host__enter_cgroups(NULL, 0);
	fake_map__clear(&pp_ranges);
	fake_map__clear(&pp_dir);
	fake_map__clear(&pp_rules);
	fake_map__clear(&pp_rule_cache);
	fake_map__clear(&pp_scratch);
	for (uint32_t i = 0; i < PP_PARTS_MAX; i++)
		fake_map__set_inner(&pp_parts, i, NULL);
	pp_tables = (struct pp_tables){ .generation = 1, .on = 1 };
	pp_run = (struct pp_run){ 0 };
	machine.mm = (struct mm_struct){
		.exec_vm = 10, .total_vm = 100, .map_count = 7, .start_code = 1
	};
	machine.parent = (struct task_struct){ .tgid = 1, .mm = &machine.parent_mm };
	machine.parent.group_leader = &machine.parent;
	machine.task = (struct task_struct){ .stack = machine.stack,
					     .pid = HOST_TID,
					     .tgid = HOST_TGID,
					     .mm = &machine.mm,
					     .group_leader = &machine.task,
					     .real_parent = &machine.parent,
					     .start_boottime = HOST_START_BOOTTIME,
					     .self_exec_id = HOST_EXEC_ID };
}

struct host_tables host__tables(void)
{
	return (struct host_tables){ .dir = fake_map__values(&pp_dir),
				     .rules = fake_map__values(&pp_rules),
				     .ranges = fake_map__values(&pp_ranges),
				     .cache = fake_map__values(&pp_rule_cache),
				     .tables = &pp_tables };
}

void host__set_part(uint32_t part, uint32_t *words)
{
	fake_map__set_inner(&pp_parts, part, words);
}

static const struct pp_proc_id host_id = { HOST_TGID, HOST_EXEC_ID, HOST_START_BOOTTIME };

void host__set_process(const struct pp_proc_info *info)
{
	struct pp_proc_info row;

	fake_map__clear(&pp_procs);
	if (!info)
		return;
	row = *info;
	row.check = pp_proc_check(&host_id, row.epoch, row.range_first, row.range_cnt);
	row.mm = (struct pp_mm){ machine.mm.exec_vm, machine.mm.total_vm,
				 (__u32)machine.mm.map_count, 0 };
	pp_assert(!bpf_map_update_elem(&pp_procs, &host_id, &row, BPF_ANY));
}

const struct pp_proc_info *host__process(void)
{
	return bpf_map_lookup_elem(&pp_procs, &host_id);
}

struct pp_run *host__run(void)
{
	return &pp_run;
}

void host__want_pid(uint32_t tgid, const struct pp_filter_pid *wanted)
{
	pp_assert(!bpf_map_update_elem(&pp_filter_pids, &tgid, wanted, BPF_ANY));
}

void host__want_comm(const char *comm, uint32_t slots)
{
	struct pp_comm key = { 0 };

	memcpy(key.text, comm, strnlen(comm, sizeof(key.text) - 1));
	pp_assert(!bpf_map_update_elem(&pp_filter_comms, &key, &slots, BPF_ANY));
}

static void set_registers(const struct host_regs *regs, struct perf_context *context)
{
	const uint64_t *r = regs->regs;
	struct pt_regs *saved = (struct pt_regs *)bpf_task_pt_regs(&machine.task);

	memset(context, 0, sizeof(*context));
	memset(machine.stack, 0, sizeof(machine.stack));
	if (regs->is_in_kernel) {
		context->ip = 0xffffffff81000100;
		saved->di = r[REG_DI];
		saved->bp = r[REG_FP];
		saved->sp = r[REG_SP];
		saved->ip = regs->ip;
		return;
	}
	*context = (struct perf_context){ .ax = r[0],
					  .dx = r[1],
					  .cx = r[2],
					  .bx = r[3],
					  .si = r[4],
					  .di = r[5],
					  .bp = r[6],
					  .sp = r[7],
					  .r8 = r[8],
					  .r9 = r[9],
					  .r10 = r[10],
					  .r11 = r[11],
					  .r12 = r[12],
					  .r13 = r[13],
					  .r14 = r[14],
					  .r15 = r[15],
					  .ip = regs->ip,
					  .cs = 0x33 };
}

/* What came through the ring. */
static void read_ring(struct host_sample *sample)
{
	const struct pp_rec_head *head;

	for (size_t at = 0; at < fake_kernel.ring_bytes; at += head->len) {
		head = (const struct pp_rec_head *)(fake_kernel.ring + at);
		pp_assert(head->len >= sizeof(*head));
		if (head->kind == PP_REC_PAGE) {
			pp_assert(head->len == sizeof(struct pp_rec_page));
			if (sample->page_cnt < sizeof(sample->pages) / sizeof(sample->pages[0]))
				memcpy(&sample->pages[sample->page_cnt], head, head->len);
			sample->page_cnt++;
		} else if (head->kind == PP_REC_PROC) {
			memcpy(&sample->proc, head, sizeof(sample->proc));
			sample->proc_cnt++;
		}
	}
}

long bpf_tail_call(void *ctx, const void *progs, __u32 index)
{
	return pp_sample(ctx);
}

static int (*program_of(const struct host_regs *regs))(struct perf_context *)
{
	static int (*const in_front[PP_SLOTS])(struct perf_context *) = { pp_event_0, pp_event_1,
									  pp_event_2, pp_event_3 };

	if (regs->in_front)
		return in_front[regs->in_front - 1];
	return regs->by_frame_pointer ? pp_sample_fp : pp_sample;
}

void host__sample(const struct host_regs *regs, struct host_sample *ret_sample)
{
	struct pp_cpu_counters *counters = cpu_counters();
	struct perf_context context;
	const struct scratch *s = scratch_get();
	uint32_t slot = regs->in_front ? regs->in_front - 1 : PP_PERIOD_SLOT(regs->sample_period);
	uint32_t generation = pp_run.generation;

	fake_map__clear(&pp_counters);
	fake_map__clear(&pp_counts_0);
	fake_map__clear(&pp_small_0);
	fake_map__clear(&pp_medium_0);
	fake_map__clear(&pp_large_0);
	fake_kernel.ring_bytes = 0;
	set_registers(regs, &context);
	context.sample_period = regs->sample_period;
	pp_assert(!program_of(regs)(&context));
	memset(ret_sample, 0, sizeof(*ret_sample));
	ret_sample->depth = s->rec.user.head.depth;
	ret_sample->end = s->rec.user.head.end;
	ret_sample->frames = (const uint64_t *)s->rec.user.frames;
	ret_sample->key = s->rec.key;
	memcpy(ret_sample->cnt, counters->cnt[slot][generation], sizeof(ret_sample->cnt));
	for (size_t i = 0; i < sizeof(counters->cnt) / sizeof(counters->cnt[0][0][0]); i++)
		ret_sample->cnt_others += (&counters->cnt[0][0][0])[i];
	for (uint32_t i = 0; i < PP_CNT_MAX; i++)
		ret_sample->cnt_others -= ret_sample->cnt[i];
	read_ring(ret_sample);
}

void host__sample_by_steps(const struct host_regs *regs, struct host_sample *ret_sample)
{
	static struct pp_stack_large kept;
	struct scratch *s = scratch_get();
	int end = WALK_GOES_ON;

	host__sample(regs, ret_sample); /* for the ranges, and all but the walk */
	memcpy(s->walk.regs, regs->regs, sizeof(s->walk.regs));
	s->walk.ip = regs->ip;
	begin_walk(&s->walk);
	s->rec.user.head.depth = 0;
	walk_push(&s->walk, &s->rec.user, regs->ip);
	while (end == WALK_GOES_ON)
		end = walk_step();
	kept = s->rec.user;
	ret_sample->depth = kept.head.depth;
	ret_sample->end = (uint32_t)end | s->walk.flags;
	ret_sample->frames = (const uint64_t *)kept.frames;
}

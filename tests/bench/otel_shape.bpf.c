/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The yardstick of table unwinding: a walk of the shape that OpenTelemetry's profiler has. Per frame a trie
 * of {pid, address}, a hash of {executable, 64 KiB page}, a hash of maps chosen by the number of rows, a
 * binary search whose every step is a map lookup, an array of rules, and one read of user memory a word;
 * five frames a program, then a tail call. Written anew from its description, and leaner than the model:
 * no kernel stack, no interpreters, no merged rows, nothing sent to user space. Not part of the product.
 */
#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "otel_shape.h"

#define FRAMES_PER_PROGRAM 5
#define TAIL_CALLS_MAX	   29
#define SEARCH_STEPS	   16
#define SIGNAL_REGS_OFF	   40 /* of the general registers in a ucontext */
#define SIGNAL_REGS	   18

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct otel_address);
	__type(value, struct otel_mapping);
} otel_mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct otel_page_key);
	__type(value, struct otel_page);
} otel_pages SEC(".maps");

/* An inner array has one size, so there is an outer map for each power of two. */
#define BUCKET(bits)                                                         \
	struct {                                                             \
		__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);                     \
		__uint(max_entries, 4096);                                   \
		__type(key, __u64);                                          \
		__type(value, __u32);                                        \
		__array(                                                     \
			values, struct {                                     \
				__uint(type, BPF_MAP_TYPE_ARRAY);            \
				__uint(max_entries, 1 << (bits));            \
				__uint(key_size, sizeof(__u32));             \
				__uint(value_size, sizeof(struct otel_row)); \
			});                                                  \
	} otel_rows_##bits SEC(".maps")
BUCKET(8);
BUCKET(9);
BUCKET(10);
BUCKET(11);
BUCKET(12);
BUCKET(13);
BUCKET(14);
BUCKET(15);
BUCKET(16);
BUCKET(17);
BUCKET(18);
BUCKET(19);
BUCKET(20);
BUCKET(21);
BUCKET(22);
BUCKET(23);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OTEL_RULES_MAX);
	__type(key, __u32);
	__type(value, struct otel_rule);
} otel_rules SEC(".maps");

struct frame {
	__u64 file_id;
	__u64 vaddr;
	__u64 kind;
};
struct record {
	__u64 pc, sp, fp;
	__u64 file_id, vaddr;
	__u32 pid;
	__u32 depth;
	__u32 tail_calls;
	__u32 is_caller; /* pc is a return address */
	struct frame frames[OTEL_FRAMES_MAX];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} otel_records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct otel_facts);
} otel_facts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} otel_programs SEC(".maps");

enum step { STEP_ON, STEP_COMPLETE, STEP_FAILED };

static __always_inline void *rows_of(__u32 bucket)
{
	switch (bucket) {
	case 8: return &otel_rows_8;
	case 9: return &otel_rows_9;
	case 10: return &otel_rows_10;
	case 11: return &otel_rows_11;
	case 12: return &otel_rows_12;
	case 13: return &otel_rows_13;
	case 14: return &otel_rows_14;
	case 15: return &otel_rows_15;
	case 16: return &otel_rows_16;
	case 17: return &otel_rows_17;
	case 18: return &otel_rows_18;
	case 19: return &otel_rows_19;
	case 20: return &otel_rows_20;
	case 21: return &otel_rows_21;
	case 22: return &otel_rows_22;
	case 23: return &otel_rows_23;
	}
	return 0;
}

/* Where pc lies: one lookup in the trie. */
static __always_inline bool resolve(struct record *rec)
{
	struct otel_address key = { .prefix_bits = OTEL_PREFIX_BITS };
	struct otel_mapping *mapping;

	if (rec->pc < 0x1000 || rec->pc >> 56)
		return false;
	key.pid_be = bpf_htonl(rec->pid);
	key.addr_be = bpf_cpu_to_be64(rec->pc);
	mapping = bpf_map_lookup_elem(&otel_mappings, &key);
	if (!mapping)
		return false;
	rec->file_id = mapping->file_id;
	rec->vaddr = rec->pc - mapping->bias;
	return true;
}

/* The row in force at the record's vaddr: the last one that begins at or below it. */
static __always_inline struct otel_row *find_row(const struct record *rec)
{
	__u64 file_id = rec->file_id, vaddr = rec->vaddr - rec->is_caller;
	struct otel_page_key key = { .file_id = file_id, .page_vaddr = vaddr & ~OTEL_PAGE_MASK };
	struct otel_page *page = bpf_map_lookup_elem(&otel_pages, &key);
	void *outer, *inner;
	__u32 lo, hi;

	if (!page)
		return 0;
	outer = rows_of(page->bucket);
	if (!outer)
		return 0;
	inner = bpf_map_lookup_elem(outer, &file_id);
	if (!inner)
		return 0;
	lo = page->first_row;
	hi = lo + page->row_cnt;
#pragma unroll
	for (int i = 0; i < SEARCH_STEPS; i++) {
		__u32 middle = (lo + hi) >> 1;
		struct otel_row *row;

		if (lo >= hi)
			break;
		row = bpf_map_lookup_elem(inner, &middle);
		if (!row)
			return 0;
		if ((__u16)vaddr >= row->low)
			lo = middle + 1;
		else
			hi = middle;
	}
	hi--;
	return bpf_map_lookup_elem(inner, &hi);
}

static __always_inline __u64 base_of(const struct record *rec, __u32 base, __u64 cfa)
{
	return base == OTEL_BASE_CFA ? cfa : base == OTEL_BASE_FP ? rec->fp : rec->sp;
}

static __always_inline __u64 follow_rule(struct record *rec, __u32 rule_id)
{
	struct otel_rule *rule = bpf_map_lookup_elem(&otel_rules, &rule_id);
	__u64 cfa;

	if (!rule || !rule->base)
		return 0;
	cfa = base_of(rec, rule->base, 0) + rule->param;
	if (rule->is_deref) {
		if (bpf_probe_read_user(&cfa, sizeof(cfa), (void *)cfa))
			return 0;
		cfa += rule->post;
	}
	if (rule->fp_base)
		bpf_probe_read_user(&rec->fp, sizeof(rec->fp),
				    (void *)(base_of(rec, rule->fp_base, cfa) + rule->fp_param));
	return cfa;
}

static __always_inline enum step leave_signal_frame(struct record *rec)
{
	__u64 regs[SIGNAL_REGS];

	if (bpf_probe_read_user(regs, sizeof(regs), (void *)(rec->sp + SIGNAL_REGS_OFF)))
		return STEP_FAILED;
	rec->fp = regs[10];
	rec->sp = regs[15];
	rec->pc = regs[16];
	rec->is_caller = 0;
	return STEP_ON;
}

static __always_inline enum step leave_by_fp(struct record *rec)
{
	__u64 words[2];

	if (!rec->fp)
		return STEP_COMPLETE;
	if (bpf_probe_read_user(words, sizeof(words), (void *)rec->fp))
		return STEP_FAILED;
	rec->sp = rec->fp + sizeof(words);
	rec->fp = words[0];
	rec->pc = words[1];
	rec->is_caller = 1;
	return STEP_ON;
}

static __always_inline enum step leave_frame(struct record *rec)
{
	struct otel_row *row = find_row(rec);
	__u64 cfa;

	if (!row)
		return STEP_FAILED;
	if (row->rule & OTEL_COMMAND) {
		switch (row->rule & ~OTEL_COMMAND) {
		case OTEL_COMMAND_STOP: return STEP_COMPLETE;
		case OTEL_COMMAND_SIGNAL: return leave_signal_frame(rec);
		case OTEL_COMMAND_FP: return leave_by_fp(rec);
		case OTEL_COMMAND_PLT: cfa = rec->sp + 8 + ((rec->pc & 15) >= 11 ? 8 : 0); break;
		default: return STEP_FAILED;
		}
	} else {
		cfa = follow_rule(rec, row->rule);
	}
	if (!cfa || bpf_probe_read_user(&rec->pc, sizeof(rec->pc), (void *)(cfa - 8)))
		return STEP_FAILED;
	rec->sp = cfa;
	rec->is_caller = 1;
	return STEP_ON;
}

static __always_inline struct record *record_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&otel_records, &zero);
}

static __always_inline void finish(const struct record *rec, enum step step)
{
	__u32 zero = 0;
	struct otel_facts *facts = bpf_map_lookup_elem(&otel_facts, &zero);

	if (!facts)
		return;
	facts->samples++;
	facts->frames += rec->depth;
	facts->complete += step == STEP_COMPLETE;
}

static __always_inline void count_run(void)
{
	__u32 zero = 0;
	struct otel_facts *facts = bpf_map_lookup_elem(&otel_facts, &zero);

	if (facts)
		facts->runs++;
}

SEC("perf_event")
int otel_walk(struct perf_context *ctx)
{
	struct record *rec = record_get();
	enum step step = STEP_ON;

	if (!rec)
		return 0;
	for (int i = 0; i < FRAMES_PER_PROGRAM; i++) {
		__u32 depth = rec->depth;

		if (depth >= OTEL_FRAMES_MAX) {
			step = STEP_FAILED;
			break;
		}
		rec->frames[depth].file_id = rec->file_id;
		rec->frames[depth].vaddr = rec->vaddr;
		rec->frames[depth].kind = rec->is_caller;
		rec->depth = depth + 1;
		step = leave_frame(rec);
		if (step != STEP_ON)
			break;
		if (!resolve(rec)) {
			step = STEP_FAILED;
			break;
		}
	}
	if (step == STEP_ON && rec->tail_calls++ < TAIL_CALLS_MAX)
		bpf_tail_call(ctx, &otel_programs, 0);
	finish(rec, step);
	return 0;
}

SEC("perf_event")
int otel_shape(struct perf_context *ctx)
{
	struct otel_address process = { .prefix_bits = OTEL_PREFIX_BITS };
	struct record *rec = record_get();

	if (!rec)
		return 0;
	count_run();
	rec->pid = bpf_get_current_pid_tgid() >> 32;
	process.pid_be = bpf_htonl(rec->pid);
	if (!bpf_map_lookup_elem(&otel_mappings, &process)) /* page 0: this process is known */
		return 0;
	rec->depth = 0;
	rec->tail_calls = 0;
	rec->is_caller = 0;
	if (ctx->cs & 3) {
		rec->pc = ctx->ip;
		rec->sp = ctx->sp;
		rec->fp = ctx->bp;
	} else {
		struct task_struct *task = bpf_get_current_task_btf();
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

		/* Not by plain loads: clang would merge them with those from the context. */
		rec->pc = BPF_CORE_READ(regs, ip);
		rec->sp = BPF_CORE_READ(regs, sp);
		rec->fp = BPF_CORE_READ(regs, bp);
	}
	if (!resolve(rec)) {
		finish(rec, STEP_FAILED);
		return 0;
	}
	bpf_tail_call(ctx, &otel_programs, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

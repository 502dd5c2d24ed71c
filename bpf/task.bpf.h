/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_TASK_H
#define PP_BPF_TASK_H
/*
 * Who is running: the process as we name it {tgid, exec id, start time}, whether it has user memory, and
 * what that memory's mappings look like from outside. Direct loads from the BTF task cost about 4 ns where
 * probe reads cost 50 to 70; 5.10 has only those.
 */
#include "knobs.bpf.h"

/*
 * The counter that every change of the mappings advances, under the name of this kernel: a plain int from
 * 6.4, a seqcount_t from 6.14; up to 6.0 the vmacache had one.
 */
#define READ_SEQ(read, mm)                                                                \
	(bpf_core_field_exists(((struct mm_struct___seqcount *)0)->mm_lock_seq) ?         \
		 (__u32)read((struct mm_struct___seqcount *)(mm), mm_lock_seq.sequence) : \
	 bpf_core_field_exists(((struct mm_struct___seqint *)0)->mm_lock_seq) ?           \
		 (__u32)read((struct mm_struct___seqint *)(mm), mm_lock_seq) :            \
	 bpf_core_field_exists(((struct mm_struct___vmacache *)0)->vmacache_seqnum) ?     \
		 (__u32)read((struct mm_struct___vmacache *)(mm), vmacache_seqnum) :      \
		 0)
#define LOAD(mm, field) ((mm)->field)

static __always_inline void task__read_mm(struct pp_mm *ret_mm)
{
	if (pp_has_task_btf) {
		struct mm_struct *mm = bpf_get_current_task_btf()->mm;

		ret_mm->exec_vm = mm->exec_vm;
		ret_mm->total_vm = mm->total_vm;
		ret_mm->map_count = (__u32)mm->map_count;
		ret_mm->seq = READ_SEQ(LOAD, mm);
	} else {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();
		struct mm_struct *mm = BPF_CORE_READ(task, mm);

		ret_mm->exec_vm = BPF_CORE_READ(mm, exec_vm);
		ret_mm->total_vm = BPF_CORE_READ(mm, total_vm);
		ret_mm->map_count = (__u32)BPF_CORE_READ(mm, map_count);
		ret_mm->seq = READ_SEQ(BPF_CORE_READ, mm);
	}
}

/* Does the complete counter say that no mapping has changed since? False also where there is none. */
static __always_inline bool task__same_maps(const struct pp_mm *known)
{
	if (!pp_has_task_btf ||
	    (!bpf_core_field_exists(((struct mm_struct___seqcount *)0)->mm_lock_seq) &&
	     !bpf_core_field_exists(((struct mm_struct___seqint *)0)->mm_lock_seq)))
		return false;
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;

	return READ_SEQ(LOAD, mm) == known->seq;
}

static __always_inline void task__read_id(struct pp_proc_id *ret_id, bool *ret_has_mm)
{
	if (pp_has_task_btf) {
		struct task_struct *task = bpf_get_current_task_btf();

		ret_id->exec_id = task->self_exec_id;
		ret_id->start_boottime_ns = task->group_leader->start_boottime;
		*ret_has_mm = task->mm != 0;
	} else {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();

		ret_id->exec_id = BPF_CORE_READ(task, self_exec_id);
		ret_id->start_boottime_ns = BPF_CORE_READ(task, group_leader, start_boottime);
		*ret_has_mm = BPF_CORE_READ(task, mm) != 0;
	}
}

/* 0, PP_ASK_CHANGED (executable memory was added or removed) or PP_ASK_MAYBE. */
static __always_inline __u32 mm__differs(const struct pp_mm *a, const struct pp_mm *b)
{
	if (a->exec_vm != b->exec_vm)
		return PP_ASK_CHANGED;
	return a->seq != b->seq || a->total_vm != b->total_vm || a->map_count != b->map_count ?
		       PP_ASK_MAYBE :
		       0;
}

/*
 * A child of fork has the mappings of its parent until it changes them; one of vfork (posix_spawn, system)
 * is in the parent's memory itself until it execs. Returns whether the current task's image is its parent's,
 * then with the parent's id. Both addresses are random to an exec: an adopting parent does not match.
 */
enum { IMAGE_OWN, IMAGE_FORKED, IMAGE_SHARED };
static __always_inline int task__parent_image(struct pp_proc_id *ret_parent)
{
	__u64 code, stack, parent_code, parent_stack;
	struct mm_struct *mm, *parent_mm;
	__u32 tgid;

	if (pp_has_task_btf) {
		struct task_struct *task = bpf_get_current_task_btf();
		struct task_struct *parent = task->real_parent;

		ret_parent->tgid = parent->tgid;
		ret_parent->exec_id = parent->self_exec_id;
		ret_parent->start_boottime_ns = parent->group_leader->start_boottime;
		tgid = task->tgid;
		mm = task->mm;
		parent_mm = parent->mm;
		code = mm->start_code;
		stack = mm->start_stack;
		parent_code = parent_mm->start_code;
		parent_stack = parent_mm->start_stack;
	} else {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();
		struct task_struct *parent = BPF_CORE_READ(task, real_parent);

		ret_parent->tgid = BPF_CORE_READ(parent, tgid);
		ret_parent->exec_id = BPF_CORE_READ(parent, self_exec_id);
		ret_parent->start_boottime_ns = BPF_CORE_READ(parent, group_leader, start_boottime);
		tgid = BPF_CORE_READ(task, tgid);
		mm = BPF_CORE_READ(task, mm);
		parent_mm = BPF_CORE_READ(parent, mm);
		code = BPF_CORE_READ(mm, start_code);
		stack = BPF_CORE_READ(mm, start_stack);
		parent_code = BPF_CORE_READ(parent_mm, start_code);
		parent_stack = BPF_CORE_READ(parent_mm, start_stack);
	}
	if (tgid == ret_parent->tgid || code != parent_code || stack != parent_stack)
		return IMAGE_OWN;
	return (__u64)mm == (__u64)parent_mm ? IMAGE_SHARED : IMAGE_FORKED;
}

#endif

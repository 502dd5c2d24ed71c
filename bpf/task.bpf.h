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

/*
 * A child of vfork (posix_spawn, system) runs in its parent's memory until it execs. Returns whether the
 * current task is one, then with its parent's id.
 */
static __always_inline bool task__borrows_mm(struct pp_proc_id *ret_parent)
{
	if (pp_has_task_btf) {
		struct task_struct *task = bpf_get_current_task_btf();
		struct task_struct *parent = task->real_parent;

		ret_parent->tgid = parent->tgid;
		ret_parent->exec_id = parent->self_exec_id;
		ret_parent->start_boottime_ns = parent->group_leader->start_boottime;
		return ret_parent->tgid != (__u32)task->tgid &&
		       (__u64)task->mm == (__u64)parent->mm;
	}
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	ret_parent->tgid = BPF_CORE_READ(parent, tgid);
	ret_parent->exec_id = BPF_CORE_READ(parent, self_exec_id);
	ret_parent->start_boottime_ns = BPF_CORE_READ(parent, group_leader, start_boottime);
	return ret_parent->tgid != (__u32)BPF_CORE_READ(task, tgid) &&
	       (__u64)BPF_CORE_READ(task, mm) == (__u64)BPF_CORE_READ(parent, mm);
}

#endif

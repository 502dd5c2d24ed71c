/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_ARCH_H
#define PP_BPF_ARCH_H
/*
 * x86-64: which registers a walk starts from. Not the walk itself.
 */
#include "knobs.bpf.h"

struct user_regs {
	__u64 ip;
	__u64 sp;
	__u64 fp;
};

static __always_inline bool arch_in_user_mode(const struct perf_context *ctx)
{
	return ctx->cs & 3;
}

static __always_inline void arch_regs_of_context(const struct perf_context *ctx,
						 struct user_regs *ret_regs)
{
	ret_regs->ip = ctx->ip;
	ret_regs->sp = ctx->sp;
	ret_regs->fp = ctx->bp;
}

/*
 * The user registers of a task that is inside the kernel, saved at entry. The helper (5.15) is the only
 * right way where the kernel pads the stack top (CONFIG_X86_FRED, seen on 7.3). The formula serves kernels
 * without it, all of which are without FRED: 16 KiB stacks, pt_regs at the very top. Delete it when
 * the floor is 5.15.
 */
#define STACK_TOP_BYTES 16384
#define PT_REGS_BYTES	168
static __always_inline void arch_regs_of_task(struct user_regs *ret_regs)
{
	if (pp_has_task_regs) {
		struct task_struct *task = bpf_get_current_task_btf();
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

		ret_regs->ip = regs->ip;
		ret_regs->sp = regs->sp;
		ret_regs->fp = regs->bp;
	} else {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();
		struct pt_regs *regs = BPF_CORE_READ(task, stack) + STACK_TOP_BYTES - PT_REGS_BYTES;

		ret_regs->ip = BPF_CORE_READ(regs, ip);
		ret_regs->sp = BPF_CORE_READ(regs, sp);
		ret_regs->fp = BPF_CORE_READ(regs, bp);
	}
}

#endif

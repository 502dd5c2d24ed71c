/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_ARCH_H
#define PP_BPF_ARCH_H
/*
 * x86-64: which registers a walk starts from, by DWARF number (System V ABI x86-64, figure 3.36), and where
 * the kernel puts them for a signal handler. Not the walk itself.
 */
#include "knobs.bpf.h"

#define REGS_CNT       16
#define REG_DI	       5
#define REG_FP	       6
#define REG_SP	       7
#define REGS_NOT_SAVED 0x0f37u /* by a callee: rax rdx rcx rsi rdi r8..r11 */

static __always_inline bool arch_in_user_mode(const struct perf_context *ctx)
{
	return ctx->cs & 3;
}

#define COPY_REGS(regs, from)             \
	do {                              \
		(regs)[0] = (from)->ax;   \
		(regs)[1] = (from)->dx;   \
		(regs)[2] = (from)->cx;   \
		(regs)[3] = (from)->bx;   \
		(regs)[4] = (from)->si;   \
		(regs)[5] = (from)->di;   \
		(regs)[6] = (from)->bp;   \
		(regs)[7] = (from)->sp;   \
		(regs)[8] = (from)->r8;   \
		(regs)[9] = (from)->r9;   \
		(regs)[10] = (from)->r10; \
		(regs)[11] = (from)->r11; \
		(regs)[12] = (from)->r12; \
		(regs)[13] = (from)->r13; \
		(regs)[14] = (from)->r14; \
		(regs)[15] = (from)->r15; \
	} while (0)

static __always_inline void arch_regs_of_context(const struct perf_context *ctx,
						 __u64 regs[REGS_CNT], __u64 *ret_ip)
{
	COPY_REGS(regs, ctx);
	*ret_ip = ctx->ip;
}

/*
 * The user registers of a task that is inside the kernel, saved at entry. The helper (5.15) is the only
 * right way where the kernel pads the stack top (CONFIG_X86_FRED, seen on 7.3). The formula serves kernels
 * without it, all of which are without FRED: 16 KiB stacks, pt_regs at the very top. Delete it when
 * the floor is 5.15.
 */
#define STACK_TOP_BYTES 16384
#define PT_REGS_BYTES	168
static __always_inline void arch_regs_of_task(__u64 regs[REGS_CNT], __u64 *ret_ip)
{
	if (pp_has_task_regs) {
		struct task_struct *task = bpf_get_current_task_btf();
		struct pt_regs *from = (struct pt_regs *)bpf_task_pt_regs(task);

		COPY_REGS(regs, from);
		*ret_ip = from->ip;
	} else {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();
		struct pt_regs *from = BPF_CORE_READ(task, stack) + STACK_TOP_BYTES - PT_REGS_BYTES;

		/* bp, sp, di are all that a frame inside a system call needs; one call each */
		regs[REG_DI] = BPF_CORE_READ(from, di);
		regs[REG_FP] = BPF_CORE_READ(from, bp);
		regs[REG_SP] = BPF_CORE_READ(from, sp);
		*ret_ip = BPF_CORE_READ(from, ip);
	}
}

/*
 * The gregs of a ucontext, 40 bytes behind its begin (uc_flags, uc_link, uc_stack): r8..r15, rdi, rsi, rbp,
 * rbx, rdx, rax, rcx, rsp, rip (UAPI struct sigcontext). The ucontext lies at the stack pointer of the
 * trampoline that the handler returns to.
 */
#define GREGS_OFF   40
#define GREGS_WORDS 17
static __always_inline void arch_regs_of_signal(const __u64 gregs[GREGS_WORDS],
						__u64 regs[REGS_CNT], __u64 *ret_ip)
{
#pragma unroll
	for (int i = 0; i < 8; i++)
		regs[8 + i] = gregs[i];
	regs[0] = gregs[13];
	regs[1] = gregs[12];
	regs[2] = gregs[14];
	regs[3] = gregs[11];
	regs[4] = gregs[9];
	regs[5] = gregs[8];
	regs[6] = gregs[10];
	regs[7] = gregs[15];
	*ret_ip = gregs[16];
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef DEEP_H
#define DEEP_H
/*
 * The recursion that fp_deep and nofp_deep share; they differ in how they are compiled.
 */
#include "freestanding.h"

FRAME void leaf_50(void)
{
	spin(5);
}

FRAME void leaf_30(void)
{
	spin(3);
}

FRAME void leaf_20(void)
{
	spin(2);
}

#ifdef WITHOUT_FRAME_POINTER
/* Spins while rbp holds something that is no frame pointer; unwind tables know where it was saved. */
FRAME void misused(word rbp)
{
	word units = 100000;

	__asm__ volatile("push %%rbp\n"
			 ".cfi_adjust_cfa_offset 8\n"
			 ".cfi_rel_offset rbp, 0\n"
			 "mov %[value], %%rbp\n"
			 "1: dec %[count]\n"
			 "jnz 1b\n"
			 "pop %%rbp\n"
			 ".cfi_adjust_cfa_offset -8\n"
			 ".cfi_restore rbp\n"
			 : [count] "+c"(units)
			 : [value] "a"(rbp)
			 : "memory", "cc");
}

static word elsewhere[4] = { 0, 42, 0, 0 };

FRAME void misuse(void)
{
	word plain[8] = { 1, 42, 3, 0x1234567, 5, 6, 7, 8 };

	misused(7);
	misused((word)&plain[0]);
	plain[0] = (word)&plain[2];
	misused((word)&plain[0]);
	misused((word)&elsewhere[0]);
	misused(~0ul);
	NOT_A_TAIL_CALL();
}
#else
static inline void misuse(void)
{
}
#endif

FRAME void bottom(unsigned long deadline_ms)
{
	while (now_ms() < deadline_ms) {
		leaf_50();
		leaf_30();
		leaf_20();
		misuse();
	}
}

FRAME void descend(unsigned long depth, unsigned long deadline_ms)
{
	if (depth)
		descend(depth - 1, deadline_ms);
	else
		bottom(deadline_ms);
	NOT_A_TAIL_CALL();
}

int run(int argc, char **argv, char **envp)
{
	(void)envp;
	descend(number_arg(argc, argv, 1, 20), now_ms() + number_arg(argc, argv, 2, 10000));
	return 0;
}

#endif

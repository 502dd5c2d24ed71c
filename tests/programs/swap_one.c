/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A library for swaps.c: what stands at the same offset in the other one has frames of another size.
 */
/* PROGRAM_CFLAGS: -O2 -fPIC -fcf-protection=none */
/* PROGRAM_LDFLAGS: -shared */
#define FRAME __attribute__((noinline, noipa, used))
typedef void (*back_fn)(void);

FRAME static void one_inner(back_fn back, int depth)
{
	volatile long words[5];

	words[depth] = depth;
	if (depth)
		one_inner(back, depth - 1);
	else
		back();
	words[depth] += 1;
}

FRAME static void one_outer(back_fn back, int depth, int left)
{
	volatile long words[13];

	words[left] = depth;
	if (left)
		one_outer(back, depth, left - 1);
	else
		one_inner(back, depth);
	words[left] += 1;
}

void one_call(back_fn back, int depth);
FRAME void one_call(back_fn back, int depth)
{
	one_outer(back, depth, depth);
	__asm__ volatile("" ::: "memory");
}

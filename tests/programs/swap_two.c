/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A library for swaps.c: what stands at the same offset in the other one has frames of another size.
 */
/* PROGRAM_CFLAGS: -O2 -fPIC -fcf-protection=none */
/* PROGRAM_LDFLAGS: -shared */
#define FRAME __attribute__((noinline, noipa, used))
typedef void (*back_fn)(void);

/* Shifts what follows by less than a function. */
FRAME static void two_pad(void)
{
	__asm__ volatile(".skip 24, 0x90");
}

FRAME static void two_inner(back_fn back, int depth)
{
	volatile long words[40];

	words[depth] = depth;
	if (depth)
		two_inner(back, depth - 1);
	else
		back();
	words[depth] += 1;
}

FRAME static void two_outer(back_fn back, int depth, int left)
{
	volatile long words[83];

	words[left] = depth;
	if (left)
		two_outer(back, depth, left - 1);
	else
		two_inner(back, depth);
	words[left] += 1;
}

void two_call(back_fn back, int depth);
FRAME void two_call(back_fn back, int depth)
{
	two_outer(back, depth, depth);
	__asm__ volatile("" ::: "memory");
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stacks that no kernel made: coroutines [CPU_MS]. Two coroutines of makecontext hand over to each other at
 * different depths; the bottom of each is where the C library lets it begin.
 */
/* STACK: MAIN @libc? */
/* STACK: @libc !coroutine coroutine_down{1,8} (burn|@libc) */
/* PROGRAM_CFLAGS: -O2 */
#include "known.h"

#include <ucontext.h>

static ucontext_t contexts[2], back;
static char stacks[2][65536] __attribute__((aligned(16)));

FRAME static void coroutine_down(int which, int depth)
{
	if (depth)
		coroutine_down(which, depth - 1);
	burn();
	swapcontext(&contexts[which], which ? &back : &contexts[1]);
	NOT_A_TAIL_CALL();
}

FRAME static void coroutine(int which)
{
	for (;;)
		coroutine_down(which, which ? 7 : 3);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	for (int i = 0; i < 2; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = stacks[i];
		contexts[i].uc_stack.ss_size = sizeof(stacks[i]);
		makecontext(&contexts[i], (void (*)(void))coroutine, 1, i);
	}
	while (goes_on())
		swapcontext(&back, &contexts[0]);
	return 0;
}

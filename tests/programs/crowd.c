/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Thousands of processes, each of its own exec, that wake up now and then and burn for a moment:
 * crowd [COUNT [MS]]. Stacks of the members: _start;run;member;member_down;member_burn.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fomit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#define WITHOUT_FRAME_POINTER
#include "freestanding.h"

FRAME void member_burn(void)
{
	spin(6);
}

FRAME void member_down(void)
{
	word words[7] = { 1 };

	__asm__ volatile("" ::"m"(words) : "memory");
	member_burn();
	NOT_A_TAIL_CALL();
}

FRAME void member(unsigned long deadline_ms)
{
	while (now_ms() < deadline_ms) {
		member_down();
		sleep_ms(2000);
	}
}

int run(int argc, char **argv, char **envp)
{
	unsigned long cnt = number_arg(argc, argv, 1, 5000);
	unsigned long ms = number_arg(argc, argv, 2, 10000);
	char *child_argv[] = { argv[0], "0", argc > 2 ? argv[2] : "10000", 0 };

	if (!cnt)
		member(now_ms() + ms);
	for (unsigned long i = 0; i < cnt; i++)
		if (sys(SYS_fork, 0, 0, 0, 0, 0, 0) == 0) {
			sys(SYS_execve, (word)argv[0], (word)child_argv, (word)envp, 0, 0, 0);
			sys(SYS_exit_group, 127, 0, 0, 0, 0, 0);
		}
	while (sys(SYS_wait4, (word)-1, 0, 0, 0, 0, 0) > 0)
		continue;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Many processes that live for a few milliseconds, each by fork and exec as a shell would:
 * short_lived [COUNT [BURN_MS]]. The children's stack is _start;run;brief.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "freestanding.h"

FRAME void brief(unsigned long deadline_ms)
{
	while (now_ms() < deadline_ms)
		spin(1);
}

static inline char *decimal(unsigned long value, char *end)
{
	*--end = 0;
	do
		*--end = (char)('0' + value % 10);
	while (value /= 10);
	return end;
}

int run(int argc, char **argv, char **envp)
{
	unsigned long cnt = number_arg(argc, argv, 1, 200);
	unsigned long burn_ms = number_arg(argc, argv, 2, 5);
	char text[24];
	char *child_argv[] = { argv[0], "0", decimal(burn_ms, text + sizeof(text)), 0 };

	if (!cnt)
		brief(now_ms() + burn_ms);
	for (unsigned long i = 0; i < cnt; i++) {
		if (sys(SYS_fork, 0, 0, 0, 0, 0, 0) == 0) {
			sys(SYS_execve, (word)argv[0], (word)child_argv, (word)envp, 0, 0, 0);
			sys(SYS_exit_group, 127, 0, 0, 0, 0, 0);
		}
		sys(SYS_wait4, (word)-1, 0, 0, 0, 0, 0);
	}
	return 0;
}

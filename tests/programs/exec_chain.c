/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One process, two programs: exec_chain MS PROGRAM ARGS... burns in _start;run;before_exec, then becomes
 * PROGRAM. The workloads are linked at the same address, so the same addresses mean different functions
 * before and after: names of one image must not leak into the other.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "freestanding.h"

FRAME void before_exec(unsigned long deadline_ms)
{
	while (now_ms() < deadline_ms)
		spin(5);
}

int run(int argc, char **argv, char **envp)
{
	if (argc < 3)
		return 2;
	before_exec(now_ms() + number_arg(argc, argv, 1, 500));
	sys(SYS_execve, (word)argv[2], (word)(argv + 2), (word)envp, 0, 0, 0);
	return 127;
}

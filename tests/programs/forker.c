/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A parent that sleeps while its children burn: forker [COUNT [MS [BURN_MS]]]. It forks COUNT children,
 * each of which forks one grandchild; both burn for BURN_MS and exit, then the next lot follows until
 * MS are over. Stacks: _start;run;child_burn and _start;run;grandchild_burn.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "freestanding.h"

FRAME void child_burn(unsigned long deadline_ms)
{
	while (now_ms() < deadline_ms)
		spin(10);
}

FRAME void grandchild_burn(unsigned long deadline_ms)
{
	while (now_ms() < deadline_ms)
		spin(10);
}

static inline __attribute__((always_inline)) void fork_lot(unsigned long cnt,
							   unsigned long until_ms)
{
	for (unsigned long i = 0; i < cnt; i++) {
		if (sys(SYS_fork, 0, 0, 0, 0, 0, 0) != 0)
			continue;
		if (sys(SYS_fork, 0, 0, 0, 0, 0, 0) == 0) {
			grandchild_burn(until_ms);
		} else {
			child_burn(until_ms);
			sys(SYS_wait4, (word)-1, 0, 0, 0, 0, 0);
		}
		sys(SYS_exit_group, 0, 0, 0, 0, 0, 0);
	}
	while (sys(SYS_wait4, (word)-1, 0, 0, 0, 0, 0) > 0)
		continue;
}

int run(int argc, char **argv, char **envp)
{
	unsigned long cnt = number_arg(argc, argv, 1, 2);
	unsigned long deadline_ms = now_ms() + number_arg(argc, argv, 2, 10000);
	unsigned long burn_ms = number_arg(argc, argv, 3, 200);

	(void)envp;
	while (now_ms() < deadline_ms) {
		unsigned long until_ms = now_ms() + burn_ms;

		fork_lot(cnt, until_ms < deadline_ms ? until_ms : deadline_ms);
	}
	return 0;
}

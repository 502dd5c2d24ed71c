/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that sleeps nearly all of the time: sleeper [MS]. A profile of it alone has no samples, or a
 * handful, and must say why.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "freestanding.h"

int run(int argc, char **argv, char **envp)
{
	unsigned long deadline_ms = now_ms() + number_arg(argc, argv, 1, 10000);

	(void)envp;
	while (now_ms() < deadline_ms)
		sleep_ms(250);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Nearly all time inside the kernel, in read(): syscall_heavy [MS]. Samples taken there still have the
 * user stack _start;run;read_zeros below the kernel's frames.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "freestanding.h"

static char zeros[1 << 16];

FRAME void read_zeros(int fd)
{
	KEEP_FRAME();
	for (int i = 0; i < 50; i++)
		sys(SYS_read, (word)fd, (word)zeros, sizeof(zeros), 0, 0, 0);
}

int run(int argc, char **argv, char **envp)
{
	unsigned long deadline_ms = now_ms() + number_arg(argc, argv, 1, 10000);
	int fd = (int)sys(SYS_open, (word) "/dev/zero", 0, 0, 0, 0, 0);

	(void)envp;
	if (fd < 0)
		return 1;
	while (now_ms() < deadline_ms)
		read_zeros(fd);
	return 0;
}

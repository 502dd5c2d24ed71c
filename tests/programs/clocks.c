/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Time in the vdso and at the border of the kernel: clocks [CPU_MS].
 */
/* STACK: MAIN ask_clock ask_clock_down{4} @libc? @vdso? */
/* STACK: MAIN ask_kernel ask_kernel_down{4} @libc? */
/* PROGRAM_CFLAGS: -O2 */
#include "known.h"

#include <sys/syscall.h>
#include <unistd.h>

FRAME static void ask_clock_down(int depth)
{
	struct timespec time;

	if (depth)
		ask_clock_down(depth - 1);
	else
		for (int i = 0; i < 1000; i++)
			clock_gettime(CLOCK_MONOTONIC, &time);
	NOT_A_TAIL_CALL();
}

FRAME static void ask_clock(void)
{
	ask_clock_down(3);
	NOT_A_TAIL_CALL();
}

FRAME static void ask_kernel_down(int depth)
{
	if (depth)
		ask_kernel_down(depth - 1);
	else
		for (int i = 0; i < 200; i++) {
			getppid();
			syscall(SYS_getuid);
		}
	NOT_A_TAIL_CALL();
}

FRAME static void ask_kernel(void)
{
	ask_kernel_down(3);
	NOT_A_TAIL_CALL();
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (goes_on()) {
		ask_clock();
		ask_kernel();
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Named threads that burn beside a main thread: threads [COUNT [MS [leave]]]. Thread i is called
 * worker-i; even ones have the stack clone;work;burn_even, odd ones clone;work;burn_odd. The main thread
 * waits; with "leave" it exits at once and leaves a process without its leader.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "freestanding.h"

#define THREADS_MAX 64
#define STACK_BYTES 16384

/* Starts a thread at entry(arg); flags: VM, FS, FILES, SIGHAND, THREAD, SYSVSEM. */
long clone(void (*entry)(word arg), char *stack_top, word arg);
__asm__(".globl clone\n"
	".type clone, @function\n"
	"clone:\n"
	"	mov %rdi, %r8\n"
	"	mov %rdx, %r9\n"
	"	mov $0x50f00, %edi\n"
	"	xor %edx, %edx\n"
	"	xor %r10d, %r10d\n"
	"	mov $56, %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	"1:	xor %ebp, %ebp\n"
	"	mov %r9, %rdi\n"
	"	call *%r8\n"
	"	xor %edi, %edi\n"
	"	mov $60, %eax\n"
	"	syscall\n"
	"	hlt\n"
	".size clone, . - clone\n");

static char stacks[THREADS_MAX][STACK_BYTES] __attribute__((aligned(16)));
static unsigned long deadline_ms;

FRAME void burn_even(void)
{
	spin(20);
}

FRAME void burn_odd(void)
{
	spin(20);
}

FRAME void work(word i)
{
	char name[16] = "worker-00";

	if (i < 10) {
		name[7] = (char)('0' + i);
		name[8] = 0;
	} else {
		name[7] = (char)('0' + i / 10);
		name[8] = (char)('0' + i % 10);
	}
	sys(SYS_prctl, 15, (word)name, 0, 0, 0, 0);
	while (now_ms() < deadline_ms) {
		if (i & 1)
			burn_odd();
		else
			burn_even();
	}
}

int run(int argc, char **argv, char **envp)
{
	unsigned long cnt = number_arg(argc, argv, 1, 4);

	(void)envp;
	deadline_ms = now_ms() + number_arg(argc, argv, 2, 10000);
	for (unsigned long i = 0; i < cnt && i < THREADS_MAX; i++)
		clone(work, stacks[i] + STACK_BYTES, i);
	if (argc > 3)
		sys(SYS_exit, 0, 0, 0, 0, 0, 0);
	while (now_ms() < deadline_ms)
		sleep_ms(20);
	sleep_ms(50);
	return 0;
}

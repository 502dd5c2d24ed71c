/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Code without a file: jit [MS]. A loop written into an anonymous writable and executable page burns there;
 * the stack is _start;run;call_generated;[anon].
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "freestanding.h"

static const unsigned char code[] = {
	0x55, /* push %rbp */
	0x48, 0x89, 0xe5, /* mov %rsp, %rbp */
	0x48, 0xff, 0xcf, /* 1: dec %rdi */
	0x75, 0xfb, /* jnz 1b */
	0x5d, /* pop %rbp */
	0xc3, /* ret */
};
typedef void (*generated_fn)(word rounds);

FRAME void call_generated(generated_fn fn)
{
	fn(1000000);
	NOT_A_TAIL_CALL();
}

int run(int argc, char **argv, char **envp)
{
	unsigned long deadline_ms = now_ms() + number_arg(argc, argv, 1, 10000);
	/* Readable, writable, executable; PRIVATE | ANONYMOUS. */
	long page = sys(SYS_mmap, 0, 4096, 7, 0x22, (word)-1, 0);

	(void)envp;
	if (page < 0 && page > -4096)
		return 1;
	for (unsigned long i = 0; i < sizeof(code); i++)
		((volatile unsigned char *)page)[i] = code[i];
	while (now_ms() < deadline_ms)
		call_generated((generated_fn)page);
	return 0;
}

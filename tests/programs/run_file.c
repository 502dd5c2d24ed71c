/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Burns in code that lies in any file: run_file FILE MS maps the second page of FILE executable, without
 * asking what kind of file it is, and calls what stands there again and again. `run_file --code` prints
 * such code (a loop with a frame). The stack is _start;run;call_mapped;FILE+0x1000 and a bit.
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
typedef void (*mapped_fn)(word rounds);

FRAME void call_mapped(mapped_fn fn)
{
	fn(1000000);
	NOT_A_TAIL_CALL();
}

int run(int argc, char **argv, char **envp)
{
	unsigned long deadline_ms = now_ms() + number_arg(argc, argv, 2, 10000);
	long fd, page;

	(void)envp;
	if (argc < 2)
		return 2;
	if (argc == 2)
		return sys(SYS_write, 1, (word)code, sizeof(code), 0, 0, 0) != sizeof(code);
	fd = sys(SYS_open, (word)argv[1], 0, 0, 0, 0, 0);
	/* Readable and executable; PRIVATE. */
	page = fd < 0 ? -1 : sys(SYS_mmap, 0, 4096, 5, 2, (word)fd, 4096);
	if (page < 0 && page > -4096)
		return 1;
	while (now_ms() < deadline_ms)
		call_mapped((mapped_fn)page);
	return 0;
}

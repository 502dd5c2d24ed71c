/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process with 20,000 executable mappings, all of the same page of its own file, running in a
 * different one each time: many_maps [MS [COUNT]]. Whichever copy runs, the stack is _start;run;copied.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "freestanding.h"

#define PAGE_BYTES 4096ul

/* Alone on its page, and free of references to anything outside it. */
__attribute__((section("copied_page"), aligned(4096), noinline)) static void copied(void)
{
	spin(5);
}

extern const char __ehdr_start[];
typedef void (*copied_fn)(void);

int run(int argc, char **argv, char **envp)
{
	unsigned long deadline_ms = now_ms() + number_arg(argc, argv, 1, 10000);
	unsigned long cnt = number_arg(argc, argv, 2, 20000);
	int fd = (int)sys(SYS_open, (word) "/proc/self/exe", 0, 0, 0, 0, 0);
	/* Linked without gaps in the file before the text: offset = address - load address. */
	word off = (word)copied - (word)__ehdr_start;
	word base = 0x100000000000ul;
	unsigned long next = 1;

	(void)envp;
	for (unsigned long i = 0; i < cnt; i++) {
		word at = base + i * PAGE_BYTES;

		/* PRIVATE | FIXED_NOREPLACE, readable and executable. */
		if (sys(SYS_mmap, at, PAGE_BYTES, 5, 0x100002, (word)fd, off) != (long)at)
			return 1;
	}
	while (now_ms() < deadline_ms) {
		copied_fn fn;

		next = next * 6364136223846793005ul + 1442695040888963407ul;
		fn = (copied_fn)(base + (next >> 33) % cnt * PAGE_BYTES);
		fn();
	}
	return 0;
}

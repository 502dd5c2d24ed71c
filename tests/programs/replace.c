/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Code of one file that replaces other code of it at the same address and of the same size, again and again:
 * replace [HOW [MS [UNITS]]]. HOW: 0 mapped over it (MAP_FIXED), 1 unmapped and mapped, 2 moved there (mremap). Two
 * pages of this program take turns at one address; they have frames of different sizes and no frame
 * pointers, so that old rows for new code go astray. The stack is _start;run;page_a or _start;run;page_b.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fomit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#define WITHOUT_FRAME_POINTER
#include "freestanding.h"

enum { SYS_munmap = 11, SYS_mremap = 25 };
#define PAGE_BYTES    4096
#define READ_EXECUTE  5
#define MAP_FILE_FLAG 0x02 /* MAP_PRIVATE */
#define MAP_OVER      0x12 /* MAP_PRIVATE | MAP_FIXED */
#define MOVE_OVER     3 /* MREMAP_MAYMOVE | MREMAP_FIXED */
#define AT_ADDR	      0x10000000ul
#define TURN_UNITS    10000 /* some 0.4 s */

extern const char __ehdr_start[]; /* of the linker: the file's begin */

/* Nothing outside of its page is used: it runs wherever it is mapped. */
#define PAGE(name, words)                                                         \
	__attribute__((aligned(PAGE_BYTES))) FRAME void name(unsigned long units) \
	{                                                                         \
		word local[words];                                                \
                                                                                  \
		__asm__ volatile("" ::"r"(local) : "memory");                     \
		spin(units);                                                      \
		__asm__ volatile("" ::"r"(local) : "memory");                     \
	}
PAGE(page_a, 3)
PAGE(page_b, 40)
/* What stands behind is not mapped with it. */
__attribute__((aligned(PAGE_BYTES))) FRAME void behind(void)
{
}

typedef void (*page_fn)(unsigned long units);

static word map_page(int fd, page_fn page, word addr, word flags)
{
	return (word)sys(SYS_mmap, addr, PAGE_BYTES, READ_EXECUTE, flags, (word)fd,
			 (word)page - (word)__ehdr_start);
}

static inline void replace(int fd, page_fn page, unsigned long how)
{
	if (how == 2) {
		word elsewhere = map_page(fd, page, 0, MAP_FILE_FLAG);

		sys(SYS_mremap, elsewhere, PAGE_BYTES, PAGE_BYTES, MOVE_OVER, AT_ADDR, 0);
		return;
	}
	if (how == 1)
		sys(SYS_munmap, AT_ADDR, PAGE_BYTES, 0, 0, 0, 0);
	map_page(fd, page, AT_ADDR, MAP_OVER);
}

int run(int argc, char **argv, char **envp)
{
	unsigned long how = number_arg(argc, argv, 1, 0);
	unsigned long deadline_ms = now_ms() + number_arg(argc, argv, 2, 10000);
	unsigned long units = number_arg(argc, argv, 3, TURN_UNITS);
	int fd = (int)sys(SYS_open, (word) "/proc/self/exe", 0, 0, 0, 0, 0);

	(void)envp;
	behind();
	while (fd >= 0 && now_ms() < deadline_ms) {
		replace(fd, page_a, how);
		((page_fn)AT_ADDR)(units);
		replace(fd, page_b, how);
		((page_fn)AT_ADDR)(units);
		NOT_A_TAIL_CALL();
	}
	return fd < 0;
}

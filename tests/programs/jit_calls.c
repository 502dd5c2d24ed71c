/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Generated code between compiled functions without frame pointers: jit_calls [CPU_MS]. It keeps a frame
 * pointer itself and calls back into the program.
 */
/* STACK: MAIN outside outside_down{3} @anon inside inside_down{3} burn */
/* PROGRAM_CFLAGS: -O2 */
#include "known.h"

#include <sys/mman.h>

static const unsigned char code[] = {
	0x55, /* push %rbp */
	0x48, 0x89, 0xe5, /* mov %rsp, %rbp */
	0xb9, 0x00, 0x00, 0x01, 0x00, /* mov $65536, %ecx */
	0xff, 0xc9, /* 1: dec %ecx */
	0x75, 0xfc, /* jnz 1b */
	0xff, 0xd7, /* call *%rdi */
	0x5d, /* pop %rbp */
	0xc3, /* ret */
};
typedef void (*generated_fn)(void (*inside)(void));
static generated_fn generated;

FRAME static void inside_down(int depth)
{
	volatile long words[5];

	words[0] = depth;
	if (depth)
		inside_down(depth - 1);
	else
		burn();
	USE(words);
}

FRAME static void inside(void)
{
	inside_down(2);
	NOT_A_TAIL_CALL();
}

FRAME static void outside_down(int depth)
{
	volatile long words[9];

	words[0] = depth;
	if (depth)
		outside_down(depth - 1);
	else
		generated(inside);
	USE(words);
}

FRAME static void outside(void)
{
	outside_down(2);
	NOT_A_TAIL_CALL();
}

int main(int argc, char **argv)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	begin(argc, argv);
	if (page == MAP_FAILED)
		return 1;
	generated = (generated_fn)memcpy(page, code, sizeof(code));
	while (goes_on())
		outside();
	return 0;
}

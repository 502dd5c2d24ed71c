/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_TESTS_MADE_GO_FUNCS_H
#define PP_TESTS_MADE_GO_FUNCS_H
/*
 * Functions as Go's compiler and assembler make them: their first bytes, and how far rsp has moved where.
 */
#include <stdint.h>

#define GO_FUNC_BYTES 64
#define GO_TOP	      1
#define GO_SPWRITE    2

struct made_span {
	int32_t delta;
	uint32_t end; /* in the function; 0: no more spans */
};
struct made_func {
	const char *name;
	uint8_t flag; /* of Go 1.17 and newer */
	const char *code;
	uint8_t code_len;
	struct made_span spans[6]; /* none: the function has no table */
};

/* push %rbp; mov %rsp,%rbp; sub $32,%rsp; .. add $32,%rsp; pop %rbp; ret */
#define MADE_NEW "\x55\x48\x89\xe5\x48\x83\xec\x20\x90\x90\x48\x83\xc4\x20\x5d\xc3"
#define MADE_NEW_SPANS                                     \
	{                                                  \
		{ 0, 1 }, { 8, 8 }, { 40, 14 }, { 8, 15 }, \
		{                                          \
			0, GO_FUNC_BYTES                   \
		}                                          \
	}
/* sub $40,%rsp; mov %rbp,32(%rsp); lea 32(%rsp),%rbp; .. mov 32(%rsp),%rbp; add $40,%rsp; ret */
#define MADE_OLD                                                                           \
	"\x48\x83\xec\x28\x48\x89\x6c\x24\x20\x48\x8d\x6c\x24\x20\x90\x48\x8b\x6c\x24\x20" \
	"\x48\x83\xc4\x28\xc3"
#define MADE_OLD_SPANS                   \
	{                                \
		{ 0, 4 }, { 40, 24 },    \
		{                        \
			0, GO_FUNC_BYTES \
		}                        \
	}
enum {
	MADE_LEAF,
	MADE_PUSHES,
	MADE_STORES,
	MADE_SYSTEMSTACK,
	MADE_GOGO,
	MADE_GOEXIT,
	MADE_SIGTRAMP,
	MADE_MCALL,
	MADE_NO_TABLE,
	MADE_ASMCGOCALL,
	MADE_NANOTIME,
	MADE_ODD,
	MADE_FUNC_CNT,
};
static const struct made_func made_funcs[MADE_FUNC_CNT] = {
	[MADE_LEAF] = { "main.leaf", 0, "\xc3", 1, { { 0, GO_FUNC_BYTES } } },
	[MADE_PUSHES] = { "main.pushes", 0, MADE_NEW, 16, MADE_NEW_SPANS },
	[MADE_STORES] = { "main.stores", 0, MADE_OLD, 25, MADE_OLD_SPANS },
	[MADE_SYSTEMSTACK] = { "runtime.systemstack", GO_SPWRITE, MADE_NEW, 16, MADE_NEW_SPANS },
	[MADE_GOGO] = { "runtime.gogo", GO_SPWRITE, "\x90", 1, { { 0, GO_FUNC_BYTES } } },
	[MADE_GOEXIT] = { "runtime.goexit", GO_TOP, "\x90", 1, { { 0, GO_FUNC_BYTES } } },
	[MADE_SIGTRAMP] = { "runtime.sigtramp", GO_TOP, MADE_NEW, 16, MADE_NEW_SPANS },
	[MADE_MCALL] = { "runtime.mcall", GO_SPWRITE, MADE_NEW, 16, MADE_NEW_SPANS },
	[MADE_NO_TABLE] = { "main.asm", 0, "\x90", 1, { { 0, 0 } } },
	[MADE_ASMCGOCALL] = { "runtime.asmcgocall",
			      GO_SPWRITE,
			      "\x90",
			      1,
			      { { 0, GO_FUNC_BYTES } } },
	[MADE_NANOTIME] = { "runtime.nanotime1", GO_SPWRITE, MADE_OLD, 25, MADE_OLD_SPANS },
	[MADE_ODD] = { "main.odd",
		       0,
		       "\x90",
		       1,
		       { { 0, 4 }, { 7, 8 }, { -8, 12 }, { 0, GO_FUNC_BYTES } } },
};

#endif

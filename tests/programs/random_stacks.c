/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every stack is a new one: random_stacks [DEPTH [MS]]. Chains of DEPTH calls through 4096 functions spread over
 * two megabytes, drawn anew for each short piece of work: nothing repeats, and caches do not help.
 * Stacks: _start;run;f_*...;leaf. All with frame pointers.
 */
/* PROGRAM_CFLAGS: -O1 -g0 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls -falign-functions=512 */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "freestanding.h"

typedef void (*chain_fn)(unsigned long depth, word random);
extern const chain_fn chain[4096];

FRAME void leaf(void)
{
	KEEP_FRAME();
	for (unsigned long i = 40000; i; i--)
		__asm__ volatile("" : "+r"(i));
}

static inline __attribute__((always_inline)) void step(unsigned long depth, word random)
{
	if (depth)
		chain[random >> 52](depth - 1,
				    random * 6364136223846793005ul + 1442695040888963407ul);
	else
		leaf();
	NOT_A_TAIL_CALL();
}

/* X(f_000) to X(f_fff); each level has its own macro, since a macro does not expand inside itself. */
/* Version 14 never agrees with itself here. */
/* clang-format off */
#define DIGITS_1(X, p) \
	X(p##0) X(p##1) X(p##2) X(p##3) \
	X(p##4) X(p##5) X(p##6) X(p##7) \
	X(p##8) X(p##9) X(p##a) X(p##b) \
	X(p##c) X(p##d) X(p##e) X(p##f)
#define DIGITS_2(X, p) \
	DIGITS_1(X, p##0) DIGITS_1(X, p##1) DIGITS_1(X, p##2) DIGITS_1(X, p##3) \
	DIGITS_1(X, p##4) DIGITS_1(X, p##5) DIGITS_1(X, p##6) DIGITS_1(X, p##7) \
	DIGITS_1(X, p##8) DIGITS_1(X, p##9) DIGITS_1(X, p##a) DIGITS_1(X, p##b) \
	DIGITS_1(X, p##c) DIGITS_1(X, p##d) DIGITS_1(X, p##e) DIGITS_1(X, p##f)
#define DIGITS_3(X, p) \
	DIGITS_2(X, p##0) DIGITS_2(X, p##1) DIGITS_2(X, p##2) DIGITS_2(X, p##3) \
	DIGITS_2(X, p##4) DIGITS_2(X, p##5) DIGITS_2(X, p##6) DIGITS_2(X, p##7) \
	DIGITS_2(X, p##8) DIGITS_2(X, p##9) DIGITS_2(X, p##a) DIGITS_2(X, p##b) \
	DIGITS_2(X, p##c) DIGITS_2(X, p##d) DIGITS_2(X, p##e) DIGITS_2(X, p##f)
/* clang-format on */
#define DEFINE(n)                                      \
	FRAME void n(unsigned long depth, word random) \
	{                                              \
		step(depth, random);                   \
	}
#define POINTER(n) n,

DIGITS_3(DEFINE, f_)
const chain_fn chain[4096] = { DIGITS_3(POINTER, f_) };

int run(int argc, char **argv, char **envp)
{
	unsigned long depth = number_arg(argc, argv, 1, 26);
	unsigned long deadline_ms = now_ms() + number_arg(argc, argv, 2, 10000);
	word random = now_ms();

	(void)envp;
	while (now_ms() < deadline_ms) {
		for (int i = 0; i < 20; i++) {
			random = random * 6364136223846793005ul + 1442695040888963407ul;
			step(depth, random);
		}
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * C++ exceptions thrown through frames, caught, thrown on: throws [CPU_MS]. Much of the time is in the
 * unwinder of the C++ library itself, which writes the next return address into its own frame just before
 * it goes there: then the function that catches stands in the place of the one below it.
 */
/* STACK: MAIN catches catches? (throws_down+ (burn|@libstdc|@libgcc_s|@libc|@ld)*) */
/* STACK: MAIN catches catches? (@libstdc|@libgcc_s|@libc|@ld)* */
/* STACK: MAIN (@libc|@ld)* */
/* PROGRAM_CFLAGS: -O2 */
#include "known.h"

static volatile int sink;

struct counted {
	__attribute__((always_inline)) ~counted()
	{
		sink = sink + 1;
	}
};

extern "C" void throws_down(int depth);
extern "C" void catches(void);

FRAME void throws_down(int depth)
{
	counted here;

	if (!depth) {
		burn();
		throw depth;
	}
	try {
		throws_down(depth - 1);
	} catch (int) {
		if (depth & 1)
			throw;
		throw depth;
	}
}

FRAME void catches(void)
{
	for (int i = 0; i < 20; i++) {
		try {
			throws_down(6);
		} catch (int) {
			sink = 0;
		}
	}
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (goes_on())
		catches();
	return 0;
}

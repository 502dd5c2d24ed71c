/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PLT_CALLS_H
#define PLT_CALLS_H
/*
 * Calls through the procedure linkage table, so short that much of the time is in its stubs. The programs
 * that include it differ in how they are linked.
 */
#include "known.h"

#include <ctype.h>
#include <pthread.h>

static volatile long sink;

FRAME static void short_calls(void)
{
	static char text[64] = "some text that is looked at";
	char copy[64];

	for (int i = 0; i < 3000; i++) {
		sink += labs(i) + toupper(i & 127) + (long)pthread_self();
		memcpy(copy, text, (size_t)(i & 63));
		KEEP(copy[0]);
		sink += (long)strlen(text) + ffs(i) + strcmp(text, copy);
	}
}

FRAME static void deeper(int depth)
{
	if (depth)
		deeper(depth - 1);
	else
		short_calls();
	NOT_A_TAIL_CALL();
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (goes_on())
		deeper(5);
	return 0;
}

#endif

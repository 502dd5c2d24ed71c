/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef EXEC_TURN_H
#define EXEC_TURN_H
/*
 * One process, two programs in turn: an address means one function before exec and another after it.
 */
#include "known.h"

#include <unistd.h>

FRAME static void INNER(int depth)
{
	volatile long words[WORDS];

	words[0] = depth;
	if (depth)
		INNER(depth - 1);
	else
		burn();
	USE(words);
}

FRAME static void OUTER(void)
{
	for (int depth = 0; depth < 20; depth++)
		INNER(depth);
}

int main(int argc, char **argv)
{
	int times = argc > 1 ? atoi(argv[1]) : 10;
	char path[4096], left[16];

	begin(argc, argv);
	while (clock_ms(CLOCK_MONOTONIC) < begin_ms + 60)
		OUTER();
	if (!times)
		return 0;
	snprintf(left, sizeof(left), "%d", times - 1);
	snprintf(path, sizeof(path), "%.*s" OTHER, (int)(strlen(argv[0]) - 4), argv[0]);
	execl(path, path, left, NULL);
	return 1;
}

#endif

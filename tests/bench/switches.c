/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * switches SECONDS RATE: two processes on one CPU hand a byte to and fro, about RATE switches a second (0: as fast as they
 * can). Prints how many a second there were.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1, rate = argc > 2 ? atof(argv[2]) : 0;
	double begin = now_s();
	long cnt = 0;
	cpu_set_t one;
	int to[2], from[2];
	char byte = 0;

	CPU_ZERO(&one);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &one);
	if (sched_setaffinity(0, sizeof(one), &one) || pipe(to) || pipe(from))
		return 1;
	if (!fork()) {
		close(to[1]);
		while (read(to[0], &byte, 1) == 1 && write(from[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	while (now_s() - begin < seconds) {
		if (write(to[1], &byte, 1) != 1 || read(from[0], &byte, 1) != 1)
			return 1;
		cnt += 2;
		while (rate > 0 && (double)cnt > (now_s() - begin) * rate)
			;
	}
	printf("%.0f\n", (double)cnt / (now_s() - begin));
	return 0;
}

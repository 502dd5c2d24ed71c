/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Threads of the C library whose main thread has gone: pthreads [CPU_MS]. Each burns in functions of its own.
 */
/* STACK: MAIN @libc* */
/* STACK: THREAD first first_down{12} burn */
/* STACK: THREAD second (@libc* second_once second_down{3} burn) */
/* STACK: THREAD (first|second) @libc @vdso? */
/* STACK: THREAD @libc* (@ld|@libc)* (__do_global_dtors_aux @libc*)? */
/* PROGRAM_CFLAGS: -O2 */
/* PROGRAM_LDFLAGS: -pthread */
#include "known.h"

#include <pthread.h>

FRAME static void first_down(int depth)
{
	if (depth)
		first_down(depth - 1);
	else
		burn();
	NOT_A_TAIL_CALL();
}

FRAME static void *first(void *arg)
{
	while (goes_on_till(clock_ms(CLOCK_THREAD_CPUTIME_ID), cpu_ms / 2))
		first_down(11);
	return arg;
}

FRAME static void second_down(int depth)
{
	volatile char bytes[200 * depth + 1];

	bytes[0] = 1;
	if (depth)
		second_down(depth - 1);
	else
		burn();
	USE(bytes);
}

FRAME static void second_once(void)
{
	second_down(2);
	NOT_A_TAIL_CALL();
}

FRAME static void *second(void *arg)
{
	while (goes_on_till(clock_ms(CLOCK_THREAD_CPUTIME_ID), cpu_ms / 2)) {
		pthread_once_t once = PTHREAD_ONCE_INIT;

		pthread_once(&once, second_once);
	}
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	begin(argc, argv);
	pthread_create(&thread, NULL, first, NULL);
	pthread_create(&thread, NULL, second, NULL);
	pthread_exit(NULL);
}

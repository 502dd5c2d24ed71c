/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KNOWN_H
#define KNOWN_H
/*
 * What programs with known stacks share: NAME [CPU_MS [MODE]]. Each names its legal stacks in comments:
 *   "STACK: MAIN outer middle{3} inner": outermost first; a sample may end after any of them.
 * tests/e2e/known_stacks.py reads them. When its unwind tables must have been loaded, a program appends '='
 * to its thread's name: from then on every stack must be whole.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

/* A function that stays a frame of its own: not inlined, not cloned, not renamed. */
#ifdef __clang__
#define FRAME __attribute__((noinline, used))
#else
#define FRAME __attribute__((noinline, noipa, used))
#endif
/* Behind a call: keeps it from being the last thing a function does. */
#define NOT_A_TAIL_CALL() __asm__ volatile("" ::: "memory")
#define INLINE		  static inline __attribute__((always_inline))

#define WARM_MS		  400
#define WARM_CPU_MS	  100

static long begin_ms, cpu_ms;
static __thread int is_steady;

INLINE long clock_ms(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Returns MODE, or "". */
INLINE const char *begin(int argc, char **argv)
{
	begin_ms = clock_ms(CLOCK_MONOTONIC);
	cpu_ms = argc > 1 ? atol(argv[1]) : 10000;
	return argc > 2 ? argv[2] : "";
}

INLINE int goes_on_till(long used_ms, long end_ms)
{
	char name[18] = "";

	if (!is_steady && used_ms >= WARM_CPU_MS &&
	    clock_ms(CLOCK_MONOTONIC) >= begin_ms + WARM_MS) {
		prctl(PR_GET_NAME, name);
		name[strlen(name)] = '=';
		prctl(PR_SET_NAME, name);
		is_steady = 1;
	}
	return used_ms < end_ms;
}

INLINE int goes_on(void)
{
	return goes_on_till(clock_ms(CLOCK_PROCESS_CPUTIME_ID), cpu_ms);
}

/* Counts the time of children that were waited for, too. */
INLINE int goes_on_with_children(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return goes_on_till(clock_ms(CLOCK_PROCESS_CPUTIME_ID) +
				    (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
				    (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000,
			    cpu_ms);
}

/* The compiler must have it, and does not know what it becomes. */
#define KEEP(x) __asm__ volatile("" : "+r"(x))
#define USE(x)	__asm__ volatile("" ::"m"(x) : "memory")

/* About 25 us of one loop. */
FRAME static void burn(void)
{
	for (long i = 60000; i; i--)
		__asm__ volatile("" : "+r"(i));
}

#endif

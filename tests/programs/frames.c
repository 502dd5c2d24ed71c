/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every shape of frame that a compiler makes from C, one after the other: frames [CPU_MS [plain]].
 * Built by gcc and clang, -O0 to -O3, with and without frame pointers, as programs/frames.by/CC-OPT-FP.
 * Unless plain, the signals of two timers interrupt it at any instruction, one of them on another stack.
 */
/* STACK: MAIN plain plain_down{31} burn */
/* STACK: MAIN deep deep_down{201} burn */
/* STACK: MAIN even_odd even (odd even){6} burn */
/* STACK: MAIN dynamic dynamic_down{9} burn */
/* STACK: MAIN variable variable_down{9} burn */
/* STACK: MAIN realigned realigned_down{9} burn */
/* STACK: MAIN realigned_dynamic (realigned_dynamic_down @libc?){9} burn */
/* STACK: MAIN vectors vectors_down{9} burn */
/* STACK: MAIN large (large_down @libc?){5} burn */
/* STACK: MAIN varied varied_down @libc? */
/* STACK: MAIN varied varied_down burn */
/* STACK: MAIN pushed pushed_many (pushed_many|burn) */
/* STACK: MAIN pushed pushed_many burn */
/* STACK: MAIN by_value @libc? (by_value_down @libc?){1,5} burn */
/* STACK: MAIN no_return (@libc|last_call (never_returns (burn|@libc+))?) */
/* STACK: MAIN sorting @libc+ compare burn */
/* STACK: MAIN short_calls (saves_all|has_frame|returns_early|leaf_of_its_own|realigns|red_zone) */
/* STACK: MAIN short_calls (saves_all|has_frame|returns_early) leaf_of_its_own */
/* STACK: MAIN split rarely burn */
/* STACK O0 O1: MAIN tail_calls tail_1 tail_2 tail_3 burn */
/* STACK O2 O3: MAIN tail_calls (tail_1|tail_2|tail_3 burn) */
/* STACK: MAIN no_frame_below no_frame_1 no_frame_2 burn */
/* SIGNAL: @libc !on_signal handle? burn? (@libc !on_signal handle? burn?)? */
/* PROGRAM_CFLAGS: -O2 -fstack-clash-protection */
#include "known.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/time.h>

static volatile long sink;

FRAME static void plain_down(int depth)
{
	if (depth)
		plain_down(depth - 1);
	else
		burn();
	NOT_A_TAIL_CALL();
}

FRAME static void plain(void)
{
	plain_down(30);
	NOT_A_TAIL_CALL();
}

FRAME static void deep_down(int depth, long a, long b)
{
	if (depth)
		deep_down(depth - 1, b, a);
	else
		burn();
	sink = a + b;
}

FRAME static void deep(void)
{
	deep_down(200, 1, 2);
	NOT_A_TAIL_CALL();
}

/* Uses all registers that a callee saves, across the call. */
#define MANY_LIVE(call)                                                       \
	do {                                                                  \
		long a = sink, b = sink, c = sink, d = sink, e = sink, f = 7; \
		KEEP(a);                                                      \
		KEEP(b);                                                      \
		KEEP(c);                                                      \
		KEEP(d);                                                      \
		KEEP(e);                                                      \
		KEEP(f);                                                      \
		call;                                                         \
		sink = a + b * 3 + (c ^ d) + e * f;                           \
	} while (0)

static void even(int depth);
FRAME static void odd(int depth)
{
	MANY_LIVE(even(depth - 1));
}

FRAME static void even(int depth)
{
	if (depth)
		MANY_LIVE(odd(depth - 1));
	else
		burn();
	NOT_A_TAIL_CALL();
}

FRAME static void even_odd(void)
{
	even(12);
	NOT_A_TAIL_CALL();
}

FRAME static void dynamic_down(int depth)
{
	volatile char *bytes = __builtin_alloca(depth * 40 + 1);

	bytes[0] = 1;
	if (depth)
		dynamic_down(depth - 1);
	else
		burn();
	sink = bytes[0];
}

FRAME static void dynamic(void)
{
	dynamic_down(8);
	NOT_A_TAIL_CALL();
}

FRAME static void variable_down(int depth)
{
	volatile long words[depth * 3 + 1];

	words[depth] = depth;
	if (depth)
		variable_down(depth - 1);
	else
		burn();
	sink = words[depth];
}

FRAME static void variable(void)
{
	variable_down(8);
	NOT_A_TAIL_CALL();
}

FRAME static void realigned_down(int depth)
{
	_Alignas(64) volatile char bytes[64];

	bytes[depth] = 1;
	if (depth)
		realigned_down(depth - 1);
	else
		burn();
	sink = bytes[depth];
}

FRAME static void realigned(void)
{
	realigned_down(8);
	NOT_A_TAIL_CALL();
}

/* Realigned, of unknown size, with arguments on the stack: all that is fixed is another register. */
FRAME static void realigned_dynamic_down(int depth, long b, long c, long d, long e, long f, long g,
					 long h)
{
	_Alignas(32) char bytes[96];
	volatile char *more = __builtin_alloca(depth * 24 + 1);

	memset(bytes, depth, sizeof(bytes));
	KEEP(b);
	more[0] = bytes[depth];
	if (depth)
		realigned_dynamic_down(depth - 1, c, d, e, f, g, h, b);
	else
		burn();
	sink = more[0] + b + g + h;
}

FRAME static void realigned_dynamic(void)
{
	realigned_dynamic_down(8, 1, 2, 3, 4, 5, 6, 7);
	NOT_A_TAIL_CALL();
}

typedef float float8 __attribute__((vector_size(32)));

/* Locals that AVX would hold: 32-byte slots, with or without the instructions. */
FRAME static void vectors_down(int depth)
{
	volatile float8 kept = { (float)depth, 1, 2, 3, 4, 5, 6, 7 };

	if (depth)
		vectors_down(depth - 1);
	else
		burn();
	sink = (long)kept[2];
}

FRAME static void vectors(void)
{
	vectors_down(8);
	NOT_A_TAIL_CALL();
}

/* More than a page: the stack is probed in a loop. */
FRAME static void large_down(int depth)
{
	volatile char bytes[30000];

	bytes[depth * 5000] = 1;
	if (depth)
		large_down(depth - 1);
	else
		burn();
	sink = bytes[depth * 5000];
}

FRAME static void large(void)
{
	large_down(4);
	NOT_A_TAIL_CALL();
}

FRAME static void varied_down(int cnt, ...)
{
	va_list args;
	double sum = 0;

	va_start(args, cnt);
	for (int i = 0; i < cnt; i++)
		sum += va_arg(args, double);
	va_end(args);
	burn();
	sink = (long)sum;
}

FRAME static void varied(void)
{
	varied_down(10, 1., 2., 3., 4., 5., 6., 7., 8., 9., 10.);
	NOT_A_TAIL_CALL();
}

FRAME static long pushed_many(long a, long b, long c, long d, long e, long f, long g, long h,
			      long i, long j, long k)
{
	if (a == 1)
		burn();
	return a + b + c + d + e + f + g + h + i + j + k;
}

/* Pushes arguments while others wait on the stack. */
FRAME static void pushed(void)
{
	for (int i = 0; i < 20; i++)
		sink = pushed_many(i, 2, 3, 4, 5, 6, 7,
				   pushed_many(2, 2, 3, 4, 5, 6, sink, 8, 9, sink, 11), sink,
				   pushed_many(3, 2, 3, 4, 5, 6, 7, sink, 9, 10, sink), 11);
}

struct wide {
	long words[20];
};

FRAME static struct wide by_value_down(struct wide in, int depth)
{
	in.words[depth]++;
	if (depth)
		return by_value_down(by_value_down(in, 0), depth - 1);
	burn();
	return in;
}

FRAME static void by_value(void)
{
	struct wide wide = { .words = { 1 } };

	wide = by_value_down(wide, 4);
	sink = wide.words[3];
}

static jmp_buf back;

__attribute__((noreturn)) FRAME static void never_returns(void)
{
	burn();
	longjmp(back, 1);
}

/* Its return address lies behind its last byte. */
FRAME static void last_call(void)
{
	never_returns();
}

FRAME static void no_return(void)
{
	if (!_setjmp(back))
		last_call();
	NOT_A_TAIL_CALL();
}

FRAME static int compare(const void *a, const void *b)
{
	burn();
	return *(const int *)a - *(const int *)b;
}

FRAME static void sorting(void)
{
	int numbers[] = { 7, 1, 5, 3, 6, 2 };

	qsort(numbers, 6, sizeof(int), compare);
	sink = numbers[0];
}

FRAME static long leaf_of_its_own(long a)
{
	return a * 3 + 1;
}

FRAME static long saves_all(long x)
{
	long ret;

	MANY_LIVE(ret = leaf_of_its_own(x));
	return ret;
}

FRAME static long has_frame(long x)
{
	volatile long words[12];

	words[3] = leaf_of_its_own(x);
	return words[3];
}

/* The compiler may set up its frame only on one of the ways. */
FRAME static long returns_early(long x)
{
	if (x & 1)
		return x;
	if (x & 2) {
		MANY_LIVE(x = leaf_of_its_own(x));
		return x;
	}
	return leaf_of_its_own(leaf_of_its_own(x)) + 1;
}

FRAME static long realigns(long x)
{
	_Alignas(64) volatile long words[8];

	words[1] = x;
	return words[1];
}

FRAME static long red_zone(long x)
{
	volatile long words[6];

	words[5] = x;
	words[0] = words[5] + 1;
	return words[0];
}

/* Most time in prologues and epilogues. */
FRAME static void short_calls(void)
{
	for (long i = 0; i < 2000; i++)
		sink = saves_all(i) + has_frame(i) + returns_early(i) + realigns(i) + red_zone(i);
}

FRAME static void rarely(long x)
{
	burn();
	sink = x;
}

/* gcc puts the unlikely half elsewhere, with CFI of its own that begins in the middle of a frame. */
FRAME static void split(void)
{
	for (volatile long i = 0; i < 200; i++) {
		if (__builtin_expect(i % 100 == 99, 0)) {
			MANY_LIVE(rarely(i));
			MANY_LIVE(rarely(i));
		}
	}
}

FRAME static void tail_3(long x)
{
	burn();
	sink = x;
}

FRAME static void tail_2(long x)
{
	sink = x;
	tail_3(x + 1);
}

FRAME static void tail_1(long x)
{
	sink = x;
	tail_2(x + 1);
}

FRAME static void tail_calls(void)
{
	tail_1(1);
	NOT_A_TAIL_CALL();
}

/* rbp holds a number: whoever trusts it as a frame pointer is lost. */
FRAME static void no_frame_2(long x)
{
	MANY_LIVE(burn());
	sink = x;
}

FRAME static void no_frame_1(long x)
{
	MANY_LIVE(no_frame_2(x));
}

FRAME static void no_frame_below(void)
{
	MANY_LIVE(no_frame_1(1));
}

FRAME static void handle(void)
{
	for (int i = 0; i < 12; i++)
		burn();
}

FRAME static void on_signal(int number)
{
	sink = number;
	handle();
	NOT_A_TAIL_CALL();
}

INLINE void interrupt_often(void)
{
	static char other_stack[65536];
	struct itimerval each = { { 0, 5000 }, { 0, 5000 } };
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
	action.sa_flags |= SA_ONSTACK;
	sigaction(SIGVTALRM, &action, NULL);
	setitimer(ITIMER_VIRTUAL, &each, NULL);
}

int main(int argc, char **argv)
{
	static void (*const shapes[])(void) = {
		plain,
		deep,
		even_odd,
		dynamic,
		variable,
		realigned,
		realigned_dynamic,
		vectors,
		large,
		varied,
		pushed,
		by_value,
		no_return,
		sorting,
		split,
		short_calls,
		tail_calls,
		no_frame_below,
	};
	_Alignas(32) volatile char aligned[32]; /* realigns main too */
	const char *mode = begin(argc, argv);

	aligned[0] = 0;
	if (!mode[0])
		interrupt_often();
	while (goes_on())
		for (unsigned long i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
			shapes[i]();
	return aligned[0];
}

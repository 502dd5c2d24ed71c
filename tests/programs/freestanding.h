/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FREESTANDING_H
#define FREESTANDING_H
/*
 * A program without a C library: its own _start, raw system calls and a clock. The C library of
 * distributions is built without frame pointers, so only a program like this has a stack that a
 * frame pointer walk can follow to the bottom: `_start;run;...`, every frame known by construction.
 * The program defines run(); what it returns is the exit status.
 */
#ifndef __x86_64__
#error "the workloads are written for x86-64"
#endif

/* A function that stays a frame of its own: not inlined, not cloned, not renamed. */
#ifdef __clang__
#define FRAME static __attribute__((noinline, used))
#else
#define FRAME static __attribute__((noinline, noipa, used))
#endif
/* Behind a call: keeps it from being the last thing a function does. */
#define NOT_A_TAIL_CALL() __asm__ volatile("" ::: "memory")

typedef unsigned long word;

enum {
	SYS_read = 0,
	SYS_write = 1,
	SYS_open = 2,
	SYS_mmap = 9,
	SYS_nanosleep = 35,
	SYS_getpid = 39,
	SYS_fork = 57,
	SYS_execve = 59,
	SYS_exit = 60,
	SYS_wait4 = 61,
	SYS_prctl = 157,
	SYS_clock_gettime = 228,
	SYS_exit_group = 231,
};

int run(int argc, char **argv, char **envp);

__asm__(".globl _start\n"
	".type _start, @function\n"
	"_start:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined rip\n"
	"	xor %ebp, %ebp\n"
	"	mov (%rsp), %rdi\n"
	"	lea 8(%rsp), %rsi\n"
	"	lea 8(%rsi,%rdi,8), %rdx\n"
	"	and $-16, %rsp\n"
	"	call run\n"
	"	mov %eax, %edi\n"
	"	mov $231, %eax\n"
	"	syscall\n"
	"	hlt\n"
	"	.cfi_endproc\n"
	".size _start, . - _start\n");

static inline __attribute__((always_inline)) long sys(long nr, word a, word b, word c, word d,
						      word e, word f)
{
	register word r10 __asm__("r10") = d;
	register word r8 __asm__("r8") = e;
	register word r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/*
 * gcc leaves the frame pointer out of a leaf function that needs no stack, -fno-omit-frame-pointer or
 * not (ix86_finalize_stack_frame_flags, since gcc 8), and its caller then goes missing from the walk.
 */
#ifdef WITHOUT_FRAME_POINTER
#define KEEP_FRAME()
#else
#define KEEP_FRAME() __asm__ volatile("" ::"r"(__builtin_frame_address(0)))
#endif

/* The same work each time; about 40 us per unit. */
static inline __attribute__((always_inline)) void spin(unsigned long units)
{
	KEEP_FRAME();
	for (unsigned long i = units * 100000; i; i--)
		__asm__ volatile("" : "+r"(i));
}

static inline unsigned long now_ms(void)
{
	long time[2] = { 0, 0 };

	sys(SYS_clock_gettime, 1, (word)time, 0, 0, 0, 0);
	return (unsigned long)time[0] * 1000 + (unsigned long)time[1] / 1000000;
}

static inline void sleep_ms(unsigned long ms)
{
	long time[2] = { (long)(ms / 1000), (long)(ms % 1000) * 1000000 };

	sys(SYS_nanosleep, (word)time, 0, 0, 0, 0, 0);
}

/* The decimal number argv[i], or otherwise. */
static inline unsigned long number_arg(int argc, char **argv, int i, unsigned long otherwise)
{
	unsigned long value = 0;

	if (i >= argc)
		return otherwise;
	for (const char *p = argv[i]; *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (unsigned long)(*p - '0');
	return value;
}

#endif

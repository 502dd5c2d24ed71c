/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process whose stack pointer points anywhere, and whose stack is taken away while it runs on it:
 * wild_stacks [CPU_MS]. One thread burns with rsp and rbp set to each hostile value in turn; another maps and
 * unmaps memory below it. Nothing is to be learnt from its stacks but that they harm nobody.
 */
/* PROGRAM_CFLAGS: -O2 */
/* PROGRAM_LDFLAGS: -pthread */
#include "known.h"

#include <pthread.h>
#include <sys/mman.h>

#define AREA_BYTES (64ul << 10)

static char *area;
static volatile int is_over;

/* Burns for 100 us with another stack; no signal may arrive. */
FRAME static void burn_on(unsigned long rsp, unsigned long rbp)
{
	long rounds = 200000;

	__asm__ volatile("mov %%rsp, %%r12\n"
			 "mov %%rbp, %%r13\n"
			 "mov %[sp], %%rsp\n"
			 "mov %[fp], %%rbp\n"
			 "1: dec %[rounds]\n"
			 "jnz 1b\n"
			 "mov %%r12, %%rsp\n"
			 "mov %%r13, %%rbp\n"
			 : [rounds] "+r"(rounds)
			 : [sp] "r"(rsp), [fp] "r"(rbp)
			 : "r12", "r13", "memory", "cc");
}

/* Frames that lead to each other, to themselves, into code that was never called. */
static unsigned long made_frames[512] __attribute__((aligned(4096)));

static void make_frames(unsigned long seed)
{
	for (unsigned long i = 0; i < 512; i++) {
		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		made_frames[i] = seed >> 63 ? (unsigned long)&made_frames[seed >> 40 & 511] :
					      (unsigned long)burn_on + (seed >> 40 & 4095);
	}
}

FRAME static void *unmap(void *arg)
{
	while (!is_over) {
		mmap(area, AREA_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		memset(area, 0x41, AREA_BYTES);
		munmap(area, AREA_BYTES);
	}
	return arg;
}

int main(int argc, char **argv)
{
	unsigned long made = (unsigned long)made_frames, seed = 1;
	pthread_t thread;

	begin(argc, argv);
	area = mmap(NULL, AREA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_create(&thread, NULL, unmap, NULL);
	while (goes_on()) {
		unsigned long in_area = (unsigned long)area + AREA_BYTES / 2;
		unsigned long wild[] = {
			0,
			1,
			8,
			4095,
			made,
			made + 3,
			made + 4088,
			in_area,
			in_area + 4,
			(unsigned long)burn_on,
			1ul << 46,
			(1ul << 47) - 8,
			(1ul << 47) - 4096,
			1ul << 47,
			1ul << 62,
			1ul << 63,
			-4096ul,
			-8ul,
			-1ul,
			0xffffffffff600000ul,
		};
		unsigned long cnt = sizeof(wild) / sizeof(wild[0]);

		make_frames(seed++);
		for (unsigned long i = 0; i < cnt; i++)
			burn_on(wild[i], wild[(i * 7 + seed) % cnt]);
		for (unsigned long i = 0; i < 20; i++)
			burn_on(made + i * 8, made + i * 40);
	}
	is_over = 1;
	pthread_join(thread, NULL);
	return 0;
}

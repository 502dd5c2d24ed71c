/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * faults PAGES SLEEPS [SPIN_MS]: touches so many new pages, sleeps so many times for 100 us, and works in between. Prints
 * its pid first. PROGRAM_CFLAGS: -O2
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	long pages = argc > 1 ? atol(argv[1]) : 0, sleeps = argc > 2 ? atol(argv[2]) : 0;
	long until = now_ms() + (argc > 3 ? atol(argv[3]) : 0);
	char *memory;

	printf("%d\n", getpid());
	fflush(stdout);
	memory = mmap(NULL, (size_t)(pages + 1) * 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	madvise(memory, (size_t)(pages + 1) * 4096, MADV_NOHUGEPAGE);
	for (long i = 0; i < pages; i++)
		memory[i * 4096] = 1;
	for (long i = 0; i < sleeps; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	while (now_ms() < until)
		;
	return 0;
}

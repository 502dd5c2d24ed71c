/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Code that is replaced at one address, again and again: swap_code fixed|unmap|remap [MS [HOLD_US]]. Two
 * pages of this very file are mapped there in turn, as long as HOLD_US each: by MAP_FIXED, by munmap and
 * mmap, or moved there by mremap. Under when_alpha only alpha and alpha_inner run, under when_beta only beta
 * and beta_inner: any other pair was never on a stack. Their frames are equal, so that a walk by the other
 * one's rules comes through and is seen.
 */
/* PROGRAM_CFLAGS: -O2 -fno-stack-protector -fno-optimize-sibling-calls -fomit-frame-pointer */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE_BYTES 4096
#define FRAME	   __attribute__((noinline, used))
/* Each on a page of its own; calls stay inside it, so that it runs wherever it is mapped. */
#define IN_PAGE(name)	  __attribute__((noinline, used, noipa, section(name)))
#define PAGE_BEGIN(name)  __attribute__((noinline, used, noipa, section(name), aligned(PAGE_BYTES)))
#define NOT_A_TAIL_CALL() __asm__ volatile("" ::: "memory")

typedef void (*burn_fn)(unsigned long units);

extern const char __executable_start[];

PAGE_BEGIN(".alpha_page") void alpha_inner(unsigned long units)
{
	while (units--)
		NOT_A_TAIL_CALL();
}

IN_PAGE(".alpha_page") void alpha(unsigned long units)
{
	volatile char room[200];

	room[0] = 1;
	alpha_inner(units);
	NOT_A_TAIL_CALL();
	(void)room[0];
}

PAGE_BEGIN(".beta_page") void beta_inner(unsigned long units)
{
	while (units--)
		NOT_A_TAIL_CALL();
}

IN_PAGE(".beta_page") void beta(unsigned long units)
{
	volatile char room[200];

	room[0] = 1;
	beta_inner(units);
	NOT_A_TAIL_CALL();
	(void)room[0];
}

static char *place; /* where code is mapped */
static const char *way;
static int file;

static long now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void *map_page(void *at, int flags, const void *page)
{
	off_t off = (const char *)page - __executable_start;
	void *got = mmap(at, PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE | flags, file, off);

	if (got == MAP_FAILED)
		fail("mmap");
	return got;
}

/* Brings the page to its place; what was there is gone. */
static void put_page(const void *page)
{
	if (!strcmp(way, "fixed")) {
		map_page(place, MAP_FIXED, page);
	} else if (!strcmp(way, "unmap")) {
		munmap(place, PAGE_BYTES);
		map_page(place, MAP_FIXED_NOREPLACE, page);
	} else {
		void *elsewhere = map_page(NULL, 0, page);

		if (mremap(elsewhere, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
			   place) != place)
			fail("mremap");
	}
}

FRAME static void when_alpha(burn_fn burn, long until_us)
{
	while (now_us() < until_us)
		burn(20000);
	NOT_A_TAIL_CALL();
}

FRAME static void when_beta(burn_fn burn, long until_us)
{
	while (now_us() < until_us)
		burn(20000);
	__asm__ volatile("" ::: "memory", "cc"); /* or both would be one function */
}

FRAME static void swap(long end_us, long hold_us)
{
	while (now_us() < end_us) {
		put_page((void *)alpha_inner);
		when_alpha((burn_fn)(uintptr_t)(place + ((char *)alpha - (char *)alpha_inner)),
			   now_us() + hold_us);
		put_page((void *)beta_inner);
		when_beta((burn_fn)(uintptr_t)(place + ((char *)beta - (char *)beta_inner)),
			  now_us() + hold_us);
	}
}

int main(int argc, char **argv)
{
	long ms = argc > 2 ? atol(argv[2]) : 4000, hold_us = argc > 3 ? atol(argv[3]) : 20000;
	FILE *self = fopen("/proc/self/exe", "re");

	if (argc < 2 || !self)
		return 2;
	way = argv[1];
	file = fileno(self);
	place = mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (place == MAP_FAILED)
		fail("mmap");
	swap(now_us() + ms * 1000, hold_us);
	return 0;
}

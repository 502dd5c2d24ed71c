/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A library that arrives while the profile runs: late_library [MS]. The first half of the time is spent in
 * before_load, then libz is opened and crc32 works for the rest.
 */
/* PROGRAM_CFLAGS: -O2 -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -ldl */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef unsigned long (*crc32_fn)(unsigned long crc, const unsigned char *data, unsigned len);

static long now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

__attribute__((noinline, used)) static void before_load(long deadline_ms)
{
	while (now_ms() < deadline_ms)
		for (volatile int i = 0; i < 100000; i++)
			continue;
}

int main(int argc, char **argv)
{
	static unsigned char data[1 << 16];
	long ms = argc > 1 ? atol(argv[1]) : 4000;
	long start_ms = now_ms();
	unsigned long crc = 0;
	crc32_fn crc32;
	void *library;

	before_load(start_ms + ms / 2);
	library = dlopen("libz.so.1", RTLD_NOW);
	crc32 = library ? (crc32_fn)dlsym(library, "crc32") : NULL;
	if (!crc32) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	while (now_ms() < start_ms + ms)
		crc = crc32(crc, data, sizeof(data));
	return crc == 1;
}

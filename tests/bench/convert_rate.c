/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How fast call frame information becomes rows: convert_rate FILE [ROUNDS]. Opens and converts the whole
 * file, ROUNDS (5) times after one that warms the page cache, and prints rows per second of CPU time of the
 * best round, and what the file had.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pp/base/cleanup.h"
#include "pp/elf_cfi.h"

static double cpu_s(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int count(void *arg, const struct elf_cfi_row *row)
{
	*(uint64_t *)arg += row->rule != PP_RULE_NONE;
	return 0;
}

static int convert(int fd, struct elf_cfi_stats *ret_stats)
{
	struct elf_image *image = NULL;
	struct elf_cfi *cfi = NULL;
	uint64_t known = 0;
	int err;

	err = elf_image__open(fd, &image);
	if (!err)
		err = elf_cfi__open(image, &cfi);
	if (!err)
		err = elf_cfi__each_row(cfi, 0, UINT64_MAX, count, &known);
	if (!err)
		elf_cfi__stats(cfi, ret_stats);
	elf_cfi__close(cfi);
	elf_image__close(image);
	return err;
}

int main(int argc, char **argv)
{
	_auto_close_ int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	int rounds = argc > 2 ? atoi(argv[2]) : 5;
	struct elf_cfi_stats stats = { 0 };
	double best_s = 1e9;

	if (fd < 0) {
		fprintf(stderr, "usage: convert_rate FILE [ROUNDS]\n");
		return 2;
	}
	for (int i = 0; i <= rounds; i++) {
		double start_s = cpu_s(), took_s;
		int err = convert(fd, &stats);

		took_s = cpu_s() - start_s;
		if (err) {
			fprintf(stderr, "'%s': %s\n", argv[1], strerror(-err));
			return 1;
		}
		if (i > 0 && took_s < best_s)
			best_s = took_s;
	}
	printf("%.0f rows/s rows %" PRIu64 " entries %" PRIu64 " unsupported %" PRIu64
	       " damaged %" PRIu64 " ms %.2f\n",
	       (double)stats.rows / best_s, stats.rows, stats.entries, stats.unsupported,
	       stats.damaged, best_s * 1e3);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What names cost: symbol_rate ADDRS PLACES FILE... asks the reader process, with the cache of names before it, for ADDRS
 * places in all, spread evenly over the code of the files, once cold and once again. Prints for both: CPU ms (of both
 * processes), names found, and the growth of our memory in KiB. PLACES gets what was asked, "OFFSET PATH" a line.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"
#include "pp/elf_area.h"
#include "pp/reader.h"
#include "pp/symbol_cache.h"

#define OFFS_MAX    4096
#define CACHE_BYTES (4u << 20) /* as the daemon has */

struct code {
	uint64_t off, bytes;
};

static int take_segment(void *arg, const struct elf_area *area)
{
	struct code *code = arg;

	if (area->is_code && area->bytes > code->bytes)
		*code = (struct code){ area->off, area->bytes };
	return 0;
}

static double cpu_ms(void)
{
	double ms = 0;

	for (int i = 0; i < 2; i++) {
		struct rusage usage;

		getrusage(i ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage);
		ms += 1e3 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		      1e-3 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	}
	return ms;
}

static long rss_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* How many of cnt places in the file have names. places: NULL, or where they are written. */
static uint32_t ask(struct symbol_cache *cache, const struct sysroot *root, const char *path,
		    uint32_t cnt, FILE *places)
{
	_auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct symbol_request request = {
		.fd = fd, .host = root, .root_fd = root->fd, .path = path
	};
	struct symbol_result result;
	struct elf_image *image;
	struct code code = { 0, 0 };
	uint64_t offs[OFFS_MAX];
	uint32_t named = 0;

	if (fd < 0 || elf_image__open(fd, &image))
		return 0;
	(void)elf_image__each_segment(image, take_segment, &code);
	elf_image__close(image);
	if (!code.bytes)
		return 0;
	cnt = min_of(cnt, (uint32_t)min_of((uint64_t)OFFS_MAX, code.bytes));
	for (uint32_t i = 0; i < cnt; i++) {
		offs[i] = code.off + code.bytes / cnt * i;
		if (places)
			fprintf(places, "%llu %s\n", (unsigned long long)offs[i], path);
	}
	request.offs = offs;
	request.off_cnt = cnt;
	if (symbol_cache__run(cache, &request, &result))
		return 0;
	for (uint32_t i = 0; i < cnt; i++)
		named += result.names[i] != 0;
	symbol_result__clear(&result);
	return named;
}

int main(int argc, char **argv)
{
	struct sysroot root;
	struct symbol_cache *cache;
	struct reader *reader;
	FILE *places;

	if (reader__is_wanted(argc, argv))
		return reader__serve();
	if (argc < 4 || sysroot__open_root(&root, "/") || reader__new(&reader) ||
	    symbol_cache__new(reader__run, reader, CACHE_BYTES, &cache) ||
	    !(places = fopen(argv[2], "w")))
		return 1;
	for (int round = 0; round < 2; round++) {
		uint32_t named = 0, each = (uint32_t)(atoi(argv[1]) / (argc - 3) + 1);
		double before_ms = cpu_ms();
		long before_kib = rss_kib();

		for (int i = 3; i < argc; i++)
			named += ask(cache, &root, argv[i], each, round ? NULL : places);
		reader__rest(reader);
		printf("%s: %.0f ms CPU, %u named of %u, %ld KiB more\n", round ? "again" : "cold",
		       cpu_ms() - before_ms, named, each * (uint32_t)(argc - 3),
		       rss_kib() - before_kib);
	}
	fclose(places);
	symbol_cache__free(cache);
	reader__free(reader);
	sysroot__close(&root);
	return 0;
}

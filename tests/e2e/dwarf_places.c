/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Source lines and inlined functions of addresses as `addr2line -a -f -i -e FILE` prints them: dwarf_places FILE, the
 * addresses on stdin, ascending. Its own job is nothing but words.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/elf_dwarf.h"

#define ADDRS_MAX 1000000

struct answer {
	char *text;
};

static void on_places(void *arg, uint32_t i, const struct elf_place *places, uint32_t cnt)
{
	struct answer *answers = arg;
	size_t len;
	FILE *out;

	free(answers[i].text);
	out = open_memstream(&answers[i].text, &len);
	for (uint32_t p = 0; out && p < cnt; p++)
		fprintf(out, "%s\n%s%s%s:%u\n", places[p].name ?: "??",
			places[p].file && places[p].file[0] != '/' ? places[p].dir : "",
			places[p].file && places[p].file[0] != '/' ? "/" : "",
			places[p].file ?: "??", places[p].line);
	if (out)
		fclose(out);
}

int main(int argc, char **argv)
{
	static uint64_t addrs[ADDRS_MAX];
	static struct answer answers[ADDRS_MAX];
	uint64_t begin_ns = clock_cpu_ns();
	uint32_t cnt = 0;
	int fd, err;

	while (cnt < ADDRS_MAX && scanf("%" SCNx64, &addrs[cnt]) == 1)
		cnt++;
	fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 2;
	err = elf_dwarf__each(fd, addrs, cnt, clock_mono_ns() + 60000000000ull, on_places, answers);
	for (uint32_t i = 0; i < cnt; i++)
		printf("0x%016" PRIx64 "\n%s", addrs[i],
		       answers[i].text ? answers[i].text : "??\n??:0\n");
	fprintf(stderr, "%u addresses, %.0f ms CPU, %d\n", cnt,
		(double)(clock_cpu_ns() - begin_ns) / 1e6, err);
	return err ? 1 : 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Any bytes as an ELF file: the whole job of naming offsets spread over it. Nothing outside is read, and
 * the result has the shape that it promises.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pp/symbol.h"

#define OFF_CNT 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz_elf", MFD_CLOEXEC);
	uint64_t offs[OFF_CNT];
	struct symbol_request request = { .fd = fd, .offs = offs, .off_cnt = OFF_CNT };
	struct symbol_result result;

	for (uint64_t i = 0; i < OFF_CNT; i++)
		offs[i] = i * 8;
	if (fd < 0 || pwrite(fd, data, len, 0) != (ssize_t)len ||
	    symbol_job__run(&request, &result))
		abort();
	for (uint32_t i = 0; i < OFF_CNT; i++)
		if (result.names[i] >= result.text_bytes)
			abort();
	symbol_result__clear(&result);
	close(fd);
	return 0;
}

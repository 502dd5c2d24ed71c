/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Go's table of functions, over the code of a small program; its rows are ascending and within the page. */
#include <linux/types.h>

#include "../unit/made_go.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/unwind.h"

#define TABLE_BYTES_MAX 0x2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unwind_page *page = NULL;
	struct unwind_file *file;
	struct made_program elf;

	made_go__init(&elf, 20);
	size = min_of(size, (size_t)TABLE_BYTES_MAX);
	memset(elf.bytes + GO_TABLE_OFF, 0, TABLE_BYTES_MAX);
	made_program__put(&elf, GO_TABLE_OFF, data, size);
	if (!unwind_file__from_memory(elf.bytes, MADE_BYTES, &file)) {
		if (!unwind_file__page(file, made_go__vaddr(0, 0) >> PP_PAGE_SHIFT, &page) &&
		    page) {
			for (uint32_t i = 1; i < page->row_cnt; i++)
				pp_assert(page->rows[i] >> 16 > page->rows[i - 1] >> 16);
			free(page);
		}
		unwind_file__close(file);
	}
	made_program__free(&elf);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Any bytes as an ELF file whose pages are wanted: CFI, stubs, entry, trampolines. Pages hold what they promise. */
#include <linux/types.h>

#include <stdlib.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/unwind.h"

#define PAGES_MAX 16

static void check(const struct unwind_page *page)
{
	pp_assert(page->row_cnt > 0 && page->row_cnt <= PP_PAGE_ROWS_MAX &&
		  page->rows[0] >> 16 == 0);
	for (uint32_t i = 0; i < page->row_cnt; i++) {
		pp_assert((page->rows[i] & 0xffff) < page->rule_cnt);
		pp_assert(i == 0 || page->rows[i] >> 16 > page->rows[i - 1] >> 16);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct unwind_page *page = NULL;
	struct unwind_file *file;
	uint64_t first;
	uint32_t cnt;

	if (unwind_file__from_memory(data, len, &file))
		return 0;
	unwind_file__pages(file, &first, &cnt);
	for (uint32_t i = 0; i < min_of(cnt, PAGES_MAX); i++)
		if (!unwind_file__page(file, first + i, &page) && page) {
			check(page);
			free(page);
		}
	unwind_file__close(file);
	return 0;
}

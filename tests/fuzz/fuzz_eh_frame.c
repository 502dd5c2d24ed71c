/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Call frame information from any bytes. The first byte says what they are: a whole ELF file (0x7f, its own
 * magic), or sections of a sound one: the next is the length of .eh_frame_hdr in 4 bytes, the rest .eh_frame
 * or .debug_frame. Rows must ascend, differ from their neighbours, and be the same when a part is asked for.
 */
#include <stdlib.h>

#include "../unit/made_frames.h"
#include "pp/base/cleanup.h"
#include "pp/elf_cfi.h"

#define ROWS_MAX 4096

struct rows {
	uint64_t low;
	uint64_t high;
	uint32_t cnt;
	struct elf_cfi_row rows[ROWS_MAX];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int keep(void *arg, const struct elf_cfi_row *row)
{
	struct rows *rows = arg;
	const struct elf_cfi_row *last = rows->cnt ? &rows->rows[rows->cnt - 1] : NULL;

	if (last ? row->vaddr <= last->vaddr || row->rule == last->rule : row->vaddr != rows->low)
		abort();
	if (row->vaddr < rows->low || row->vaddr >= rows->high)
		abort();
	if (rows->cnt == ROWS_MAX)
		return 1;
	rows->rows[rows->cnt++] = *row;
	return 0;
}

static uint64_t rule_at(const struct rows *rows, uint64_t vaddr)
{
	uint64_t rule = PP_RULE_NONE;

	for (uint32_t i = 0; i < rows->cnt && rows->rows[i].vaddr <= vaddr; i++)
		rule = rows->rows[i].rule;
	return rule;
}

static void check(const struct elf_image *image)
{
	static struct rows all, part;
	struct elf_cfi_stats stats;
	struct elf_cfi *cfi;
	uint64_t middle;

	if (elf_cfi__open(image, &cfi))
		return;
	all = (struct rows){ .low = 0, .high = UINT64_MAX };
	if (!elf_cfi__each_row(cfi, 0, UINT64_MAX, keep, &all) && all.cnt > 1) {
		middle = all.rows[all.cnt / 2].vaddr;
		part = (struct rows){ .low = middle - min_of(middle, 5ull), .high = middle + 300 };
		elf_cfi__stats(cfi, &stats);
		if (part.high > middle && stats.damaged == 0 &&
		    !elf_cfi__each_row(cfi, part.low, part.high, keep, &part))
			for (uint64_t vaddr = part.low; vaddr < part.high; vaddr++)
				if (rule_at(&part, vaddr) != rule_at(&all, vaddr))
					abort();
	}
	elf_cfi__close(cfi);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct made_frames made = { .is_stripped = len > 0 && (data[0] & 2) };
	struct elf_image *image;
	void *file = NULL;
	size_t hdr_len;

	if (len < 2)
		return 0;
	if (data[0] != ELFMAG0) {
		hdr_len = min_of((size_t)data[1] * 4, len - 2);
		if (hdr_len)
			made.hdr = (struct made_section){ data + 2, hdr_len, 0 };
		*(data[0] & 1 ? &made.debug : &made.eh) =
			(struct made_section){ data + 2 + hdr_len, len - 2 - hdr_len, 0 };
		file = made_frames__file(&made, &len);
		data = file;
	}
	if (!elf_image__from_memory(data, len, &image)) {
		check(image);
		elf_image__close(image);
	}
	free(file);
	return 0;
}

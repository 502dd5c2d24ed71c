/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which pages a stack will need: every word of it that points into code with rows may be a return address.
 * Some are not (function pointers, what was left behind by earlier calls); they cost a page too many. So a
 * stack through a program that was never seen is complete after a round or two, not after one for each frame.
 */
#include "tables.h"

#define PREFETCH_PAGES_MAX 64 /* for one stack; what is missed is asked for by a program */

static const struct pp_range *find_range(const struct pp_range *ranges, uint32_t cnt, uint64_t addr)
{
	uint32_t low = 0, high = cnt;

	while (low < high) { /* the first that ends behind addr */
		uint32_t mid = low + (high - low) / 2;

		if (ranges[mid].end_addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < cnt && ranges[low].start_addr <= addr ? &ranges[low] : NULL;
}

void prefetch__words(struct unwind_tables *tables, const struct proc_id *id, const uint64_t *words,
		     uint32_t word_cnt)
{
	uint32_t range_cnt = 0, page_cnt = 0;
	const struct pp_range *ranges = processes__ranges(tables, id, &range_cnt);

	for (uint32_t i = 0; i < word_cnt && ranges && page_cnt < PREFETCH_PAGES_MAX; i++) {
		const struct pp_range *range = find_range(ranges, range_cnt, words[i] - 1);
		uint32_t dir_index;

		if (!range || range->kind != PP_RANGE_TABLE)
			continue;
		dir_index = (range->dir_first +
			     (uint32_t)((words[i] - 1 - range->bias) >> PP_PAGE_SHIFT)) &
			    (PP_DIR_MAX - 1);
		if (tables->pages[dir_index].state != PAGE_ABSENT)
			continue;
		pages__queue(tables, dir_index);
		page_cnt++;
	}
}

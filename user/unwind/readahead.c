/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pages that nobody has asked for yet, of files that somebody did ask for: the first sample in a page that is
 * not loaded is lost for the complete stacks, and a program has many pages. A whole libc is converted in a
 * millisecond, a libLLVM in thirty. Only when nothing else is to be done, each page once, and into a part
 * of the budget: the rest is for what is asked for. Evicts nothing.
 */
#include "tables.h"

#define AHEAD_PAGES_MAX 16 /* a job: someone who asks waits no longer than two milliseconds */
#define AHEAD_ROWS	5200 /* measured: no page of a distribution has more */

static bool has_room(const struct unwind_tables *tables, uint32_t page_cnt)
{
	uint64_t most_bytes =
		page_cnt * rows_to_units(AHEAD_ROWS) * (uint64_t)PP_UNIT_WORDS * sizeof(uint32_t);

	return tables->windows.waiting_cnt == 0 &&
	       tables->stats.bytes + most_bytes <= tables->ahead_bytes_max;
}

uint32_t readahead__next(struct unwind_tables *tables, uint32_t *ret_dir_indexes, uint32_t max)
{
	uint32_t cnt = 0;

	max = max < AHEAD_PAGES_MAX ? max : AHEAD_PAGES_MAX;
	for (uint32_t i = 1; i <= EXECUTABLES_MAX && has_room(tables, cnt + 1); i++) {
		struct executable *executable = tables->executables.at[i];

		if (!executable || !executable->source || !executable->is_wanted)
			continue;
		while (cnt < max && executable->ahead < executable->page_cnt) {
			uint32_t dir_index = executable->dir_at + executable->ahead++;

			if (tables->pages[dir_index].state == PAGE_ABSENT)
				ret_dir_indexes[cnt++] = dir_index;
		}
		if (cnt == max)
			break;
	}
	return cnt;
}

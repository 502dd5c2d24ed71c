/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_WINDOWS_H
#define PP_UNWIND_WINDOWS_H
/*
 * Rows in the kernel's memory: which page of code has them and where, what waits for room.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "extent.h"
#include "pp/unwind.h"

#define WAITING_MAX	  256 /* converted pages without room */
#define WAITING_UNITS_MAX 8192 /* 2 MiB */

struct unwind_tables;

/* The state of a page of code, beside what the kernel sees of it. */
enum page_state { PAGE_ABSENT, PAGE_QUEUED, PAGE_BUSY, PAGE_WAITING, PAGE_LOADED, PAGE_NO_ROWS };
struct page {
	uint32_t window; /* if loaded: PP_WINDOW_AT | part << 13 | unit */
	uint16_t row_cnt;
	uint8_t state; /* enum page_state */
};
static inline uint32_t rows_to_units(uint32_t row_cnt)
{
	return (PP_INDEX_WORDS + row_cnt + PP_UNIT_WORDS - 1) / PP_UNIT_WORDS;
}

struct part {
	uint32_t *words;
	struct extents units;
};
struct waiting_page {
	uint32_t dir_index;
	struct unwind_page *page;
};
struct windows {
	struct part parts[PP_PARTS_MAX];
	uint32_t part_cnt;
	uint32_t part_max;
	bool cannot_grow; /* until the next tick */
	uint64_t tokens; /* units that may be evicted now */
	struct waiting_page waiting[WAITING_MAX];
	uint32_t waiting_cnt;
	uint32_t waiting_units;
};

void windows__init(struct unwind_tables *tables);
void windows__clear(struct unwind_tables *tables); /* drops all parts */
/* page: taken; NULL: no rows. */
void windows__load(struct unwind_tables *tables, uint32_t dir_index, struct unwind_page *page);
void windows__unload(struct unwind_tables *tables, uint32_t dir_index);
void windows__settled(struct unwind_tables *tables);
void windows__tick(struct unwind_tables *tables, uint64_t passed_ns);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_EXTENT_H
#define PP_UNWIND_EXTENT_H
/*
 * Who has which numbers of [first, first + cnt): lowest first. What is given back rests in quarantine until
 * the second call of extents__settled, see tables.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct extent {
	uint32_t first;
	uint32_t cnt;
};
struct extent_list {
	struct extent *at;
	size_t cnt;
	size_t cap;
	uint32_t sum;
};
struct extents {
	struct extent_list free; /* ascending, neighbours merged */
	struct extent_list fresh; /* given back since the last settled */
	struct extent_list aged; /* before it */
};

int extents__init(struct extents *self, uint32_t first, uint32_t cnt);
void extents__clear(struct extents *self);
/* All are free again, quarantine or not. Only of what was initialised; cannot fail. */
void extents__reset(struct extents *self, uint32_t first, uint32_t cnt);
/* cnt > 0. 0, -ENOSPC. */
int extents__take(struct extents *self, uint32_t cnt, uint32_t *ret_first);
/* Without memory the numbers are lost until __clear: never used twice. */
void extents__give(struct extents *self, uint32_t first, uint32_t cnt);
/* True if something entered the second half of its quarantine. */
bool extents__settled(struct extents *self);

static inline uint32_t extents__free_cnt(const struct extents *self)
{
	return self->free.sum;
}
static inline uint32_t extents__resting_cnt(const struct extents *self)
{
	return self->fresh.sum + self->aged.sum;
}

#endif

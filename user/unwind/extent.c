/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The allocator of everything that kernel programs index: rule ids, directory entries, ranges, units of
 * windows. First fit in a sorted array, so that what is in use stays dense; no bookkeeping inside the memory
 * itself, which belongs to the kernel.
 */
#include "extent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/vec.h"

static int list__add(struct extent_list *self, size_t at, struct extent extent)
{
	int err = vec_room(self->at, self->cnt + 1, self->cap, SIZE_MAX / sizeof(extent));

	if (err)
		return err;
	memmove(&self->at[at + 1], &self->at[at], (self->cnt - at) * sizeof(extent));
	self->at[at] = extent;
	self->cnt++;
	return 0;
}

static void list__remove(struct extent_list *self, size_t at)
{
	self->cnt--;
	memmove(&self->at[at], &self->at[at + 1], (self->cnt - at) * sizeof(*self->at));
}

int extents__init(struct extents *self, uint32_t first, uint32_t cnt)
{
	*self = (struct extents){ .free.sum = cnt };
	return list__add(&self->free, 0, (struct extent){ first, cnt });
}

void extents__clear(struct extents *self)
{
	free(self->free.at);
	free(self->fresh.at);
	free(self->aged.at);
	*self = (struct extents){ 0 };
}

void extents__reset(struct extents *self, uint32_t first, uint32_t cnt)
{
	self->free.at[0] = (struct extent){ first, cnt };
	self->free.cnt = 1;
	self->free.sum = cnt;
	self->fresh.cnt = self->fresh.sum = 0;
	self->aged.cnt = self->aged.sum = 0;
}

int extents__take(struct extents *self, uint32_t cnt, uint32_t *ret_first)
{
	struct extent_list *list = &self->free;

	for (size_t i = 0; i < list->cnt && cnt <= list->sum; i++) {
		struct extent *extent = &list->at[i];

		if (extent->cnt < cnt)
			continue;
		*ret_first = extent->first;
		extent->first += cnt;
		extent->cnt -= cnt;
		list->sum -= cnt;
		if (extent->cnt == 0)
			list__remove(list, i);
		return 0;
	}
	return -ENOSPC;
}

void extents__give(struct extents *self, uint32_t first, uint32_t cnt)
{
	if (!list__add(&self->fresh, self->fresh.cnt, (struct extent){ first, cnt }))
		self->fresh.sum += cnt;
}

/* The first free extent behind number. */
static size_t find_behind(const struct extent_list *list, uint32_t number)
{
	size_t low = 0, high = list->cnt;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list->at[mid].first < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void set_free(struct extents *self, struct extent extent)
{
	struct extent_list *list = &self->free;
	size_t at = find_behind(list, extent.first);
	struct extent *before = at > 0 ? &list->at[at - 1] : NULL;
	struct extent *behind = at < list->cnt ? &list->at[at] : NULL;
	bool joins_before = before && before->first + before->cnt == extent.first;
	bool joins_behind = behind && extent.first + extent.cnt == behind->first;

	if (joins_before) {
		before->cnt += extent.cnt;
		if (joins_behind) {
			before->cnt += behind->cnt;
			list__remove(list, at);
		}
	} else if (joins_behind) {
		behind->first = extent.first;
		behind->cnt += extent.cnt;
	} else if (list__add(list, at, extent)) {
		return;
	}
	list->sum += extent.cnt;
}

bool extents__settled(struct extents *self)
{
	struct extent_list empty = self->aged;

	for (size_t i = 0; i < self->aged.cnt; i++)
		set_free(self, self->aged.at[i]);
	empty.cnt = 0;
	empty.sum = 0;
	self->aged = self->fresh;
	self->fresh = empty;
	return self->aged.cnt > 0;
}

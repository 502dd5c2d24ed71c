/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one process had mapped, reading by reading: a list that differs from the one before is a version.
 * Samples say under which epoch they were taken, so that an address whose mapping was replaced is looked
 * up where it lay then. Always true: versions stand oldest first and their epochs do not overlap. Reads
 * no files.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/vec.h"

/* Counts are at most a second old; maps that change all the time are read up to 200 times a second. */
#define VERSIONS_MAX 256

bool maps_version__is(const struct maps_version *version, const struct mapping *mappings,
		      uint32_t cnt)
{
	if (version->cnt != cnt)
		return false;
	for (uint32_t i = 0; i < cnt; i++) {
		const struct mapping *a = &version->mappings[i], *b = &mappings[i];

		if (a->start_addr != b->start_addr || a->end_addr != b->end_addr ||
		    a->off != b->off || a->inode != b->inode || a->dev_major != b->dev_major ||
		    a->dev_minor != b->dev_minor || a->kind != b->kind ||
		    /* that of anonymous code follows from the process */
		    (a->kind != MAPPING_ANON && a->module != b->module))
			return false;
	}
	return true;
}

static void drop_oldest(struct maps_history *self)
{
	self->mapping_cnt -= self->versions[0].cnt;
	free(self->versions[0].mappings);
	memmove(self->versions, self->versions + 1, --self->cnt * sizeof(*self->versions));
}

void maps_history__clear(struct maps_history *self)
{
	while (self->cnt)
		drop_oldest(self);
	free(self->versions);
	memset(self, 0, sizeof(*self));
}

int maps_history__add(struct maps_history *self, struct mapping *mappings, uint32_t cnt,
		      uint64_t read_at_ns, size_t room)
{
	struct maps_version *newest = maps_history__newest(self);
	int err;

	if (newest && maps_version__is(newest, mappings, cnt)) {
		newest->read_at_ns = read_at_ns;
		free(mappings);
		return 0;
	}
	if (cnt > room)
		return -E2BIG;
	err = vec_room(self->versions, self->cnt + 1, self->cap, VERSIONS_MAX + 1);
	if (err)
		return err;
	while (self->cnt == VERSIONS_MAX || (self->cnt && self->mapping_cnt + cnt > room))
		drop_oldest(self);
	self->versions[self->cnt++] = (struct maps_version){
		.mappings = mappings,
		.cnt = cnt,
		.read_at_ns = read_at_ns,
	};
	self->mapping_cnt += cnt;
	return 0;
}

struct maps_version *maps_history__newest(const struct maps_history *self)
{
	return self->cnt ? &self->versions[self->cnt - 1] : NULL;
}

const struct mapping *maps_version__find(const struct maps_version *self, uint64_t addr)
{
	uint32_t low = 0, high = self->cnt;

	while (low < high) { /* the first that ends after addr */
		uint32_t mid = low + (high - low) / 2;

		if (self->mappings[mid].end_addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == self->cnt || self->mappings[low].start_addr > addr)
		return NULL;
	return &self->mappings[low];
}

/* Is the code at addr the same? Nobody tells one anonymous area from another. */
static bool is_same_code(const struct mapping *a, const struct mapping *b, uint64_t addr)
{
	if (!a || !b)
		return a == b;
	if (a->kind != b->kind)
		return false;
	return a->kind == MAPPING_ANON ||
	       (a->module == b->module && a->inode == b->inode && a->dev_major == b->dev_major &&
		a->dev_minor == b->dev_minor &&
		mapping__addr_to_off(a, addr) == mapping__addr_to_off(b, addr));
}

static bool has_epoch(const struct maps_version *version, uint32_t epoch)
{
	return version->epoch_first && version->epoch_first <= epoch &&
	       epoch <= version->epoch_last;
}

/* Which versions an epoch may stand for: [*ret_from, *ret_to). */
static void versions_of(const struct maps_history *self, uint32_t epoch, size_t *ret_from,
			size_t *ret_to)
{
	size_t from = 0, to = self->cnt;

	if (!epoch) { /* without epochs the newest list counts, else what the first sample led to */
		from = self->versions[0].epoch_first ? 0 : self->cnt - 1;
		to = from + 1;
	} else {
		while (from < to && !has_epoch(&self->versions[from], epoch))
			from++;
		while (to > from && !has_epoch(&self->versions[to - 1], epoch))
			to--;
		if (from == to) {
			from = 0;
			to = self->cnt;
		}
	}
	*ret_from = from;
	*ret_to = to;
}

/*
 * A doubted sample was taken before its epoch's successor was given out, so between the epoch's reading and
 * the one after the successor's: all in between must agree. Returns the end of these versions.
 */
static size_t end_of_doubt(const struct maps_history *self, uint32_t epoch, size_t to)
{
	while (to < self->cnt && self->versions[to].epoch_first <= epoch)
		to++; /* read, never given out */
	return min_of(to + 2, self->cnt);
}

/*
 * Code that came and went between two readings is not seen. But where an address had other code at any
 * time that we know, it may have had it in between too.
 */
static bool was_replaced(const struct maps_history *self, const struct mapping *found,
			 uint64_t addr)
{
	for (size_t i = 0; i < self->cnt; i++) {
		const struct mapping *mapping = maps_version__find(&self->versions[i], addr);

		if (mapping && !is_same_code(found, mapping, addr))
			return true;
	}
	return false;
}

enum maps_beyond maps_history__beyond(const struct maps_history *self, uint32_t epoch)
{
	for (size_t i = 0; i < self->cnt; i++)
		if (self->versions[i].epoch_first > epoch)
			return i + 1 < self->cnt ? MAPS_SURELY : MAPS_NEXT;
	return MAPS_NOTHING;
}

int maps_history__find_at(const struct maps_history *self, uint32_t epoch, bool is_doubted,
			  uint64_t addr, const struct mapping **ret_mapping)
{
	const struct mapping *found;
	size_t from, to;

	if (!self->cnt)
		return -ESRCH;
	versions_of(self, epoch, &from, &to);
	if (is_doubted)
		to = end_of_doubt(self, epoch, to);
	found = maps_version__find(&self->versions[from], addr);
	for (size_t i = from + 1; i < to; i++)
		if (!is_same_code(found, maps_version__find(&self->versions[i], addr), addr))
			return -ESTALE;
	if (!found)
		return -ENOENT;
	if (is_doubted && was_replaced(self, found, addr))
		return -ESTALE;
	*ret_mapping = found;
	return 0;
}

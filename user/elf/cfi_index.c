/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where frame entries begin, ascending by the code that they describe. The linker's table in .eh_frame_hdr
 * is used where it stands in the file, whatever its pointer encoding, and searched by small reads; it is
 * checked once to be sorted, and each FDE is checked against it by who uses it. Without a sound table the
 * section is gone through in file order (terminators in the middle included, they come from crtend.o) and
 * the entries are sorted, bounded in number. LSB 5.0, 10.6.2.
 */
#include "cfi_parts.h"

#include <errno.h>

#include "cfi_numbers.h"
#include "pp/base/cleanup.h"
#include "pp/base/vec.h"

#define HEAD_BYTES 4 /* version and three encodings */

static int parse_header(struct cfi_index *self, struct cfi_bytes in, uint64_t *ret_table_at)
{
	const uint8_t *begin = in.at;
	uint8_t version = cfi_bytes__u8(&in), frame_encoding = cfi_bytes__u8(&in),
		cnt_encoding = cfi_bytes__u8(&in);
	uint64_t cnt;

	self->encoding = cfi_bytes__u8(&in);
	if (version != 1 || cnt_encoding == DW_EH_PE_omit || self->encoding == DW_EH_PE_omit)
		return -EBADMSG;
	(void)cfi_bytes__encoded(&in, frame_encoding, self->header_vaddr + HEAD_BYTES,
				 self->header_vaddr);
	cnt = cfi_bytes__encoded(&in, cnt_encoding, self->header_vaddr + (uint64_t)(in.at - begin),
				 self->header_vaddr);
	self->entry_bytes = (uint8_t)(2 * cfi_encoded_bytes(self->encoding));
	if (in.is_bad || cnt == 0 || cnt > UINT32_MAX || self->entry_bytes == 0)
		return -EBADMSG;
	self->cnt = (uint32_t)cnt;
	*ret_table_at = (uint64_t)(in.at - begin);
	return 0;
}

/* Equal neighbours are allowed: linkers fold functions of equal code. */
static int check_sorted(const struct cfi_index *self, struct cfi_walk *walk)
{
	struct cfi_index_entry entry;
	uint64_t last = 0;
	int err = 0;

	for (uint32_t i = 0; i < self->cnt && !err; i++) {
		err = cfi_index__at(self, walk, i, &entry);
		if (!err && entry.vaddr < last)
			err = -EBADMSG;
		last = entry.vaddr;
	}
	return err;
}

int cfi_index__open(struct cfi_index *self, struct cfi_walk *walk, uint64_t header_off,
		    uint64_t header_bytes, uint64_t header_vaddr)
{
	struct cfi_index index = { .header_vaddr = header_vaddr };
	uint64_t len = min_of(header_bytes, 32ull), table_at = 0;
	const uint8_t *data;
	int err;

	err = cfi_window__view(&walk->table, walk->section->image, header_off, len, &data);
	if (!err)
		err = parse_header(&index, (struct cfi_bytes){ data, data + len, false },
				   &table_at);
	if (!err && index.cnt > (header_bytes - table_at) / index.entry_bytes)
		err = -EBADMSG;
	if (err)
		return err;
	index.table_off = header_off + table_at;
	index.table_vaddr = header_vaddr + table_at;
	err = check_sorted(&index, walk);
	if (!err)
		*self = index;
	return err;
}

int cfi_index__at(const struct cfi_index *self, struct cfi_walk *walk, uint32_t i,
		  struct cfi_index_entry *ret_entry)
{
	const struct cfi_section *section = walk->section;
	uint64_t at = (uint64_t)i * self->entry_bytes, frame_vaddr;
	struct cfi_bytes in;
	const uint8_t *data;
	int err;

	if (!self->entry_bytes) {
		*ret_entry = self->entries[i];
		return 0;
	}
	err = cfi_window__view(&walk->table, section->image, self->table_off + at,
			       self->entry_bytes, &data);
	if (err)
		return err;
	in = (struct cfi_bytes){ data, data + self->entry_bytes, false };
	at += self->table_vaddr;
	ret_entry->vaddr = cfi_bytes__encoded(&in, self->encoding, at, self->header_vaddr);
	frame_vaddr = cfi_bytes__encoded(&in, self->encoding, at + self->entry_bytes / 2,
					 self->header_vaddr);
	ret_entry->off = frame_vaddr - section->vaddr; /* outside: refused by who reads it */
	return in.is_bad ? -EBADMSG : 0;
}

int cfi_index__seek(const struct cfi_index *self, struct cfi_walk *walk, uint64_t vaddr,
		    uint32_t *ret_i)
{
	struct cfi_index_entry entry;
	uint64_t wanted = vaddr;
	uint32_t low, high, mid;
	int err;

	/* twice: the last that begins at or below vaddr, then the first that begins with it */
	for (int round = 0; round < 2; round++) {
		low = 0;
		high = self->cnt;
		while (low < high) {
			mid = low + (high - low) / 2;
			err = cfi_index__at(self, walk, mid, &entry);
			if (err)
				return err;
			if (round == 0 ? entry.vaddr <= wanted : entry.vaddr < wanted)
				low = mid + 1;
			else
				high = mid;
		}
		if (round == 0) {
			if (low == 0)
				break;
			err = cfi_index__at(self, walk, low - 1, &entry);
			if (err)
				return err;
			wanted = entry.vaddr;
		}
	}
	*ret_i = low;
	return 0;
}

static int compare_entries(const void *left, const void *right)
{
	const struct cfi_index_entry *a = left, *b = right;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	return a->off < b->off ? -1 : a->off > b->off;
}

static void sort(struct cfi_index_entry *entries, uint32_t cnt)
{
	for (uint32_t i = 1; i < cnt; i++)
		if (compare_entries(&entries[i - 1], &entries[i]) > 0) {
			qsort(entries, cnt, sizeof(*entries), compare_entries);
			return;
		}
}

/* Adds the FDE at off, if it is one that describes code. */
static int add_entry(struct cfi_walk *walk, uint64_t off, struct cfi_index *index, size_t *cap)
{
	struct cfi_fde fde;
	int err;

	err = cfi_walk__fde(walk, off, &fde);
	if (err == -EBADMSG) {
		walk->cfi->stats.damaged++;
		return 0;
	}
	if (err)
		return err == -ENOENT ? 0 : err;
	/* a linker leaves 0 where it dropped the function of a .debug_frame entry */
	if (fde.bytes == 0 || (fde.vaddr == 0 && walk->section->is_debug))
		return 0;
	err = vec_room(index->entries, (size_t)index->cnt + 1, *cap, CFI_INDEX_MAX);
	if (err)
		return err;
	index->entries[index->cnt++] = (struct cfi_index_entry){ fde.vaddr, off };
	return 0;
}

int cfi_index__build(struct cfi_index *self, struct cfi_walk *walk)
{
	struct cfi_index index = { .is_built = true };
	uint64_t off = 0, bytes;
	size_t cap = 0;
	int err = 0;

	while (off < walk->section->bytes) {
		err = cfi_walk__entry_bytes(walk, off, &bytes);
		if (err)
			break;
		if (bytes == 0 && walk->section->has_terminator)
			break;
		if (bytes > 0)
			err = add_entry(walk, off, &index, &cap);
		if (err)
			break;
		off += bytes ? bytes : 4;
	}
	/* from a damaged length on nothing can be found, and what is too much is not looked for */
	if (err == -EBADMSG || err == -E2BIG) {
		walk->cfi->stats.damaged++;
		err = 0;
	}
	if (err) {
		free(index.entries);
		return err;
	}
	sort(index.entries, index.cnt);
	free(self->entries);
	*self = index;
	return 0;
}

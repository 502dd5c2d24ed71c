/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows of an interval: the entries that cover it are run one after the other, each up to where the next one
 * begins; where entries begin together the first counts. Gaps of .eh_frame are filled from .debug_frame, what
 * is left is told as a gap. Rows go out as they are made: nothing is collected. Work is bounded by the code
 * asked for, so that entries which overlap in the file cost no more than honest ones would.
 */
#include "cfi_parts.h"

#include <errno.h>
#include <limits.h>

#include "pp/base/cleanup.h"

static int walk_section(struct cfi_walk *walk, struct cfi_out *out);

static int give_row(struct cfi_out *self, uint64_t vaddr, uint64_t rule)
{
	struct elf_cfi_row row = { vaddr, rule };

	if (self->has_last && rule == self->last_rule)
		return 0;
	self->has_last = true;
	self->last_rule = rule;
	self->stats->rows++;
	if (rule == PP_CFA_UNSUPPORTED)
		self->stats->unsupported++;
	return self->fn(self->arg, &row);
}

/* What the section says nothing about, up to end_vaddr. */
static int give_gap(struct cfi_out *self, uint64_t end_vaddr)
{
	struct cfi_walk *filler = self->filler;
	uint64_t high = self->high;
	int err = 0;

	if (end_vaddr <= self->cursor)
		return 0;
	if (filler) {
		self->filler = NULL;
		self->high = end_vaddr;
		err = walk_section(filler, self);
		self->high = high;
		self->filler = filler;
	}
	if (!err && self->cursor < end_vaddr)
		err = give_row(self, self->cursor, PP_RULE_NONE);
	self->cursor = end_vaddr;
	return err;
}

int cfi_out__row(struct cfi_out *self, uint64_t begin_vaddr, uint64_t end_vaddr, uint64_t rule)
{
	int err = 0;

	end_vaddr = min_of(end_vaddr, self->high);
	if (end_vaddr <= self->cursor)
		return 0;
	if (begin_vaddr > self->cursor)
		err = give_gap(self, begin_vaddr);
	if (!err)
		err = give_row(self, self->cursor, rule);
	self->cursor = end_vaddr;
	return err;
}

/* The table does not say what the section says: it is not to be trusted. */
#define TABLE_IS_WRONG INT_MIN

/* Runs the entry if it is sound; *ret_used: no other that begins there counts. */
static int run_entry(struct cfi_walk *walk, const struct cfi_index_entry *entry,
		     uint64_t limit_vaddr, struct cfi_out *out, bool *ret_used)
{
	struct elf_cfi_stats *stats = out->stats;
	bool is_from_table = walk->section->index.entry_bytes > 0;
	struct cfi_fde fde;
	int err, stop;

	stats->entries++;
	err = cfi_walk__fde(walk, entry->off, &fde);
	if (!err && fde.vaddr != entry->vaddr)
		err = -EBADMSG;
	if (err == -EBADMSG || err == -ENOENT) {
		stats->damaged++;
		return is_from_table && walk->work_left > 0 ? TABLE_IS_WRONG : 0;
	}
	if (err || fde.bytes == 0)
		return err;
	*ret_used = true;
	err = cfi_fde__run(&fde, min_of(limit_vaddr, fde.vaddr + fde.bytes), out, &stop);
	if (err)
		stats->damaged++;
	return stop;
}

/* All entries that begin where the i-th does; *ret_next: the first that begins elsewhere. */
static int run_group(struct cfi_walk *walk, uint32_t i, struct cfi_out *out, uint32_t *ret_next)
{
	const struct cfi_index *index = &walk->section->index;
	struct cfi_index_entry first, entry;
	uint64_t limit = out->high;
	uint32_t next;
	bool is_used = false;
	int err;

	err = cfi_index__at(index, walk, i, &first);
	for (next = i + 1; !err && next < index->cnt; next++) {
		err = cfi_index__at(index, walk, next, &entry);
		if (!err && entry.vaddr != first.vaddr) {
			limit = min_of(limit, entry.vaddr);
			break;
		}
	}
	if (err)
		return err;
	*ret_next = first.vaddr < out->high ? next : UINT32_MAX;
	if (*ret_next == UINT32_MAX)
		return 0;
	err = run_entry(walk, &first, limit, out, &is_used);
	for (uint32_t same = i + 1; !err && !is_used && same < next; same++) {
		err = cfi_index__at(index, walk, same, &entry);
		if (!err)
			err = run_entry(walk, &entry, limit, out, &is_used);
	}
	return err;
}

static int walk_index(struct cfi_walk *walk, struct cfi_out *out)
{
	const struct cfi_index *index = &walk->section->index;
	uint32_t i;
	int err;

	err = cfi_index__seek(index, walk, out->cursor, &i);
	while (!err && i < index->cnt)
		err = run_group(walk, i, out, &i);
	return err;
}

static void set_work(struct cfi_walk *walk, uint64_t code_bytes)
{
	uint64_t most = 4 * max_of(walk->section->bytes, walk->section->packed_bytes), work;

	if (__builtin_mul_overflow(code_bytes, CFI_WORK_PER_CODE_BYTE, &work))
		work = most;
	walk->work_left = min_of(work, most) + CFI_ENTRY_BYTES_MAX;
}

static int build_index(struct cfi_walk *walk)
{
	uint64_t work_left = walk->work_left;
	int err;

	set_work(walk, UINT64_MAX);
	err = cfi_index__build(&walk->section->index, walk);
	walk->work_left = work_left;
	return err;
}

/* From out->cursor to out->high; gaps at the end are the caller's. */
static int walk_section(struct cfi_walk *walk, struct cfi_out *out)
{
	struct cfi_section *section = walk->section;
	int err = 0;

	if (section->packed_bytes) {
		err = cfi_section__load(section);
		if (err == -EBADMSG || err == -EOPNOTSUPP) {
			out->stats->damaged++;
			err = 0;
		}
	}
	if (!err && !section->index.entry_bytes && !section->index.is_built)
		err = build_index(walk);
	if (err)
		return err;
	err = walk_index(walk, out);
	if (err != TABLE_IS_WRONG)
		return err;
	err = build_index(walk);
	return err ? err : walk_index(walk, out);
}

static void walk__free(struct cfi_walk *self)
{
	if (!self)
		return;
	free(self->table.data);
	free(self->frames.data);
	free(self);
}

static void cleanup_walk(struct cfi_walk **walk)
{
	walk__free(*walk);
}
#define _auto_walk_ __cleanup(cleanup_walk)

static struct cfi_walk *walk__new(struct elf_cfi *cfi, struct cfi_section *section)
{
	struct cfi_walk *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->cfi = cfi;
	self->section = section;
	self->table.cap = CFI_TABLE_WINDOW_BYTES;
	self->frames.cap = CFI_WINDOW_BYTES;
	for (uint32_t i = 0; i < CFI_CIES; i++)
		self->cies[i].off = UINT64_MAX;
	return self;
}

int elf_cfi__each_row(struct elf_cfi *self, uint64_t low_vaddr, uint64_t high_vaddr,
		      elf_cfi_row_fn fn, void *arg)
{
	_auto_walk_ struct cfi_walk *eh = walk__new(self, &self->eh);
	_auto_walk_ struct cfi_walk *debug = walk__new(self, &self->debug);
	struct cfi_out out = {
		.stats = &self->stats,
		.fn = fn,
		.arg = arg,
		.cursor = low_vaddr,
		.high = high_vaddr,
	};
	int err = 0;

	if (!eh || !debug)
		return -ENOMEM;
	if (low_vaddr >= high_vaddr)
		return 0;
	set_work(eh, high_vaddr - low_vaddr);
	set_work(debug, high_vaddr - low_vaddr);
	if (self->debug.bytes || self->debug.packed_bytes)
		out.filler = debug;
	if (self->eh.bytes)
		err = walk_section(eh, &out);
	return err ? err : give_gap(&out, high_vaddr);
}

/* The table of .eh_frame_hdr, if it is sound; without it an index is made when it is first needed. */
static int open_table(struct elf_cfi *self, const struct elf_image *image)
{
	_auto_walk_ struct cfi_walk *walk = walk__new(self, &self->eh);
	const Elf64_Phdr *segment = &image->eh_frame_hdr;
	int err;

	if (!walk)
		return -ENOMEM;
	if (segment->p_filesz == 0 || self->eh.bytes == 0)
		return 0;
	err = cfi_index__open(&self->eh.index, walk, segment->p_offset, segment->p_filesz,
			      segment->p_vaddr);
	return err == -EBADMSG ? 0 : err;
}

int elf_cfi__open(const struct elf_image *image, struct elf_cfi **ret_cfi)
{
	struct elf_cfi *self;
	int err;

	if (image->machine != EM_X86_64)
		return -EOPNOTSUPP;
	if (image->is_relocatable) /* its addresses are not told yet */
		return -ENOENT;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	err = elf_cfi__find_sections(self, image);
	if (!err)
		err = open_table(self, image);
	if (err) {
		elf_cfi__close(self);
		return err;
	}
	*ret_cfi = self;
	return 0;
}

void elf_cfi__close(struct elf_cfi *self)
{
	if (!self)
		return;
	free(self->eh.data);
	free(self->eh.index.entries);
	free(self->debug.data);
	free(self->debug.index.entries);
	free(self);
}

void elf_cfi__stats(const struct elf_cfi *self, struct elf_cfi_stats *ret_stats)
{
	*ret_stats = self->stats;
}

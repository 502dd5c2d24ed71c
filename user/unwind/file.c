/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An ELF file as a source of pages. Who knows best speaks first: what is so whatever the file says (the
 * entry, signal trampolines), Go's own table for Go's functions (its CFI knows neither the frame pointer nor
 * where stacks are switched), the file's CFI, that of its debug file, stubs. Nothing is kept but the last
 * scratch rows: a page is converted when it is asked for.
 */
#include "pp/unwind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/elf_cfi.h"
#include "rows.h"

/* With fewer entries of its own, a file is taken to have been stripped of its CFI. */
#define OWN_ENTRIES_MIN 8
/* User space ends below 2^56 even with five levels of page tables; and page << 16 must not wrap. */
#define PAGES_MAX (1ull << 40)

struct unwind_file {
	struct elf_image *image;
	struct elf_image *debug_image; /* NULL: none or not needed */
	struct elf_cfi *cfi; /* NULL: none */
	struct elf_cfi *debug_cfi;
	struct gopclntab *go;
	struct unwind_code code;
	struct unwind_special special;
	uint64_t first_page;
	uint32_t page_cnt;
	struct rows rows;
	struct rows layer;
	struct rows over;
	struct rows scratch;
};

/* Code as a memory image of it; nothing there: -ENOENT is none. */
static int open_cfi(const struct elf_image *image, struct elf_cfi **ret_cfi)
{
	int err = elf_cfi__open(image, ret_cfi);

	return err == -ENOENT ? 0 : err;
}

static int stop_at_enough(void *arg, const struct elf_cfi_row *row)
{
	struct elf_cfi_stats stats;

	elf_cfi__stats(arg, &stats);
	return stats.entries >= OWN_ENTRIES_MIN;
}

static bool has_enough(struct unwind_file *self)
{
	int enough = 0;

	for (uint32_t i = 0; self->cfi && i < self->code.cnt && enough <= 0; i++)
		enough = elf_cfi__each_row(self->cfi, self->code.area[i].vaddr,
					   self->code.area[i].vaddr + self->code.area[i].bytes,
					   stop_at_enough, self->cfi);
	return enough > 0;
}

/* A debug file that cannot be used is as good as none: the file itself is what counts. */
static int open_debug(struct unwind_file *self, int debuglink_fd)
{
	int err;

	if (debuglink_fd < 0 || has_enough(self))
		return 0;
	err = elf_image__open(debuglink_fd, &self->debug_image);
	if (!err)
		err = open_cfi(self->debug_image, &self->debug_cfi);
	return err == -ENOMEM ? err : 0;
}

static int find_pages(struct unwind_file *self)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (uint32_t i = 0; i < self->code.cnt; i++) {
		const struct elf_area *area = &self->code.area[i];

		low = min_of(low, area->vaddr >> PP_PAGE_SHIFT);
		high = max_of(high, (area->vaddr + area->bytes - 1) >> PP_PAGE_SHIFT);
	}
	if (self->code.cnt == 0)
		return 0;
	if (high >= PAGES_MAX || high - low >= UINT32_MAX)
		return -EBADMSG;
	self->first_page = low;
	self->page_cnt = (uint32_t)(high - low + 1);
	return 0;
}

/* image: taken, also on failure. */
static int open_file(struct elf_image *image, int debuglink_fd, struct unwind_file **ret_file)
{
	struct unwind_file *file = calloc(1, sizeof(*file));
	int err = 0;

	if (!file) {
		elf_image__close(image);
		return -ENOMEM;
	}
	file->image = image;
	if (!elf_image__is_x86_64(image))
		err = -EOPNOTSUPP;
	if (!err)
		err = unwind_code__init(&file->code, image);
	if (!err)
		err = find_pages(file);
	if (!err)
		err = open_cfi(image, &file->cfi);
	if (!err)
		err = open_debug(file, debuglink_fd);
	if (!err)
		err = unwind_special__init(&file->special, &file->code);
	if (!err) {
		err = gopclntab__open(&file->code, &file->go);
		/* of a version to come, or damaged: what else the file has must do */
		err = err == -ENOMEM ? err : 0;
	}
	if (err) {
		unwind_file__close(file);
		return err;
	}
	*ret_file = file;
	return 0;
}

int unwind_file__open(int fd, int debuglink_fd, struct unwind_file **ret_file)
{
	struct elf_image *image;
	int err = elf_image__open(fd, &image);

	return err ? err : open_file(image, debuglink_fd, ret_file);
}

int unwind_file__from_memory(const void *data, size_t len, struct unwind_file **ret_file)
{
	struct elf_image *image;
	int err = elf_image__from_memory(data, len, &image);

	return err ? err : open_file(image, -1, ret_file);
}

void unwind_file__close(struct unwind_file *self)
{
	if (!self)
		return;
	gopclntab__close(self->go);
	elf_cfi__close(self->cfi);
	elf_cfi__close(self->debug_cfi);
	elf_image__close(self->image);
	elf_image__close(self->debug_image);
	rows__clear(&self->rows);
	rows__clear(&self->layer);
	rows__clear(&self->over);
	rows__clear(&self->scratch);
	free(self);
}

const struct elf_image *unwind_file__image(const struct unwind_file *self)
{
	return self->image;
}

void unwind_file__pages(const struct unwind_file *self, uint64_t *ret_first_page,
			uint32_t *ret_page_cnt)
{
	*ret_first_page = self->first_page;
	*ret_page_cnt = self->page_cnt;
}

#define MAP_BYTES 4096 /* what mappings begin and end at */
int unwind_file__map_vaddr(const struct unwind_file *self, uint64_t off, uint64_t *ret_vaddr)
{
	const struct elf_area *found = NULL;

	for (uint32_t i = 0; i < self->code.cnt; i++) {
		const struct elf_area *area = &self->code.area[i];
		uint64_t begin = area->off & ~(uint64_t)(MAP_BYTES - 1);

		/* where two share a page of the file, the one that begins in it is mapped from there */
		if (begin == off || (!found && off >= begin && off < area->off + area->bytes))
			found = area;
	}
	if (!found)
		return -ENOENT;
	*ret_vaddr = found->vaddr - found->off + off;
	return 0;
}

/* self->rows, and self->layer where they have gaps. */
static int lay_under(struct unwind_file *self)
{
	struct rows old = self->rows;
	int err = rows__lay(&self->scratch, &self->rows, &self->layer);

	self->rows = self->scratch;
	self->scratch = old;
	return err;
}

static int add_row(void *arg, const struct elf_cfi_row *row)
{
	return rows__add(arg, row->vaddr, row->rule);
}

static int lay_cfi(struct unwind_file *self, struct elf_cfi *cfi, uint64_t low, uint64_t high)
{
	int err;

	if (!cfi || !rows__has_gap(&self->rows))
		return 0;
	self->layer.cnt = 0;
	err = elf_cfi__each_row(cfi, low, high, add_row, &self->layer);
	return err ? err : lay_under(self);
}

static int gather(struct unwind_file *self, uint64_t low, uint64_t high)
{
	int err;

	self->rows.cnt = 0;
	err = unwind_special__rows(&self->special, low, high, &self->rows, &self->over);
	if (!err && self->go) {
		err = gopclntab__rows(self->go, low, high, &self->layer);
		err = err ? err : lay_under(self);
	}
	if (!err)
		err = lay_cfi(self, self->cfi, low, high);
	if (!err)
		err = lay_cfi(self, self->debug_cfi, low, high);
	if (!err && rows__has_gap(&self->rows)) {
		struct rows swapped = self->layer;

		self->layer = self->over;
		self->over = swapped;
		err = lay_under(self);
	}
	return err;
}

int unwind_file__page(struct unwind_file *self, uint64_t page, struct unwind_page **ret_page)
{
	uint64_t low = page << PP_PAGE_SHIFT;
	int err;

	if (page < self->first_page || page - self->first_page >= self->page_cnt) {
		*ret_page = NULL;
		return 0;
	}
	err = gather(self, low, low + PP_PAGE_BYTES);
	if (err)
		return err;
	err = rows__close_padding(&self->layer, &self->rows, &self->code);
	if (!err)
		err = unwind_page__pack(&self->layer, ret_page);
	if (!err && *ret_page)
		(*ret_page)->callers_by_fp = rows__callers_by_fp(&self->layer, &self->code, low);
	return err;
}

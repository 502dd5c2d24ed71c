/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Are two files the same, as far as their rows go? Their sizes, segments and build ids are equal already
 * (executables.c), but a build id is only a claim. What rows are made from is compared byte by byte: headers,
 * CFI, PLT stubs, Go's table, the code at the entry. Not the rest of the code: it may be a hundred megabytes,
 * and all that it decides is where a trampoline without CFI begins.
 */
#include <stdlib.h>
#include <string.h>

#include "executable.h"
#include "pp/base/cleanup.h"
#include "pp/elf_area.h"

#define CHUNK_BYTES  (64u << 10)
#define HEADER_BYTES 64
#define ENTRY_BYTES  256

struct comparison {
	const struct elf_image *a;
	const struct elf_image *b;
	char *chunk_a;
	char *chunk_b;
	uint64_t entry_off;
	uint32_t section_cnt;
};

/* 0, 1 if they differ, -errno if one cannot be read. */
static int compare_bytes(const struct comparison *self, uint64_t off, uint64_t bytes)
{
	int err = 0;

	while (bytes > 0 && !err) {
		size_t len = (size_t)min_of(bytes, (uint64_t)CHUNK_BYTES);

		err = elf_image__read(self->a, off, self->chunk_a, len);
		if (!err)
			err = elf_image__read(self->b, off, self->chunk_b, len);
		if (!err)
			err = memcmp(self->chunk_a, self->chunk_b, len) != 0;
		off += len;
		bytes -= len;
	}
	return err;
}

/* Segments are equal by their headers; sections of a's are looked for in b's, which stand in the same order. */
static int compare_section(void *arg, const struct elf_area *area)
{
	static const char *const decisive[] = {
		".eh_frame",  ".debug_frame",	       ".plt", ".iplt", ".init",
		".gopclntab", ".data.rel.ro.gopclntab"
	};
	struct comparison *self = arg;

	self->section_cnt++;
	for (size_t i = 0; i < ARRAY_SIZE(decisive); i++)
		if (strncmp(area->name, decisive[i], strlen(decisive[i])) == 0)
			return compare_bytes(self, area->off, area->bytes);
	return 0;
}

static int find_entry(void *arg, const struct elf_area *area)
{
	struct comparison *self = arg;
	uint64_t entry_vaddr = elf_image__entry_vaddr(self->a);

	if (area->is_code && entry_vaddr >= area->vaddr && entry_vaddr - area->vaddr < area->bytes)
		return compare_bytes(self, area->off + (entry_vaddr - area->vaddr),
				     min_of((uint64_t)ENTRY_BYTES,
					    area->bytes - (entry_vaddr - area->vaddr)));
	return 0;
}

static int compare(struct comparison *self)
{
	struct comparison back = { .a = self->b, .b = self->a };
	int err;

	back.chunk_a = self->chunk_b;
	back.chunk_b = self->chunk_a;
	err = compare_bytes(self, 0, HEADER_BYTES);
	if (!err)
		err = elf_image__each_segment(self->a, find_entry, self);
	if (!err)
		err = elf_image__each_section(self->a, compare_section, self);
	if (!err) /* what stands only in the other one's headers */
		err = elf_image__each_section(self->b, compare_section, &back);
	return err || self->section_cnt != back.section_cnt;
}

bool source__equals(const struct source *a, const struct source *b)
{
	_auto_free_ char *chunks = malloc(2 * (size_t)CHUNK_BYTES);
	struct elf_image *image_a = NULL, *image_b = NULL;
	struct comparison comparison = { .chunk_a = chunks };
	bool equal = false;

	if (!chunks || a->fd < 0 || b->fd < 0)
		return false;
	comparison.chunk_b = chunks + CHUNK_BYTES;
	if (!elf_image__open(a->fd, &image_a) && !elf_image__open(b->fd, &image_b)) {
		comparison.a = image_a;
		comparison.b = image_b;
		equal = !compare(&comparison) && source__is_unchanged(a) && source__is_unchanged(b);
	}
	elf_image__close(image_a);
	elf_image__close(image_b);
	return equal;
}

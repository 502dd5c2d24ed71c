/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a file has Go's table of functions: in its section, or (position independent, linked by another
 * linker, or without section headers) somewhere in its data, where it is known by how it begins. Reads
 * through all data only of files that say they are Go's, or say nothing.
 */
#include <errno.h>
#include <string.h>

#include "go_table.h"
#include "pp/base/cleanup.h"

#define SCAN_BYTES_MAX	 (256ull << 20) /* of a file, all its segments together */
#define SCAN_CHUNK_BYTES 16384
#define SCAN_PLACES_MAX	 64
#define RELOCATIONS_MAX	 (4ull << 20)
#define TABLE_ALIGN	 16 /* the linker's is 32 */

struct search {
	const struct elf_image *image;
	go_place_fn fn;
	void *arg;
	bool has_sections;
	bool is_go;
	uint64_t scanned_bytes;
	uint32_t place_cnt;
	int err; /* of fn, -EBADMSG: go on; -ENOENT: not called yet */
};

static int try_section(void *arg, const struct elf_area *area)
{
	struct search *self = arg;
	const struct go_place place = { area->off, area->off + area->bytes, area->vaddr };

	self->has_sections = true;
	if (strcmp(area->name, ".note.go.buildid") == 0 || strcmp(area->name, ".go.buildinfo") == 0)
		self->is_go = true;
	if (strcmp(area->name, ".gopclntab") != 0 &&
	    strcmp(area->name, ".data.rel.ro.gopclntab") != 0)
		return 0;
	self->is_go = true;
	self->err = self->fn(self->arg, &place);
	return self->err != -EBADMSG;
}

static int try_segment(void *arg, const struct elf_area *area)
{
	struct search *self = arg;
	uint64_t len = min_of(area->bytes, SCAN_BYTES_MAX - self->scanned_bytes);
	uint8_t chunk[SCAN_CHUNK_BYTES];

	if (area->off % TABLE_ALIGN != area->vaddr % TABLE_ALIGN)
		return 0;
	self->scanned_bytes += len;
	for (uint64_t at = -area->vaddr % TABLE_ALIGN; at < len; at += sizeof(chunk)) {
		size_t n = min_of(len - at, (uint64_t)sizeof(chunk));

		if (elf_image__read(self->image, area->off + at, chunk, n))
			return 0;
		for (size_t i = 0; i + GO_TABLE_BEGIN_BYTES <= n; i += TABLE_ALIGN) {
			const struct go_place place = { area->off + at + i, area->off + area->bytes,
							area->vaddr + at + i };

			if (!go_table__begins(chunk + i))
				continue;
			self->err = self->fn(self->arg, &place);
			if (self->err != -EBADMSG || ++self->place_cnt == SCAN_PLACES_MAX)
				return 1;
		}
	}
	return 0;
}

int go_find__table(const struct elf_image *image, go_place_fn fn, void *arg)
{
	struct search search = { .image = image, .fn = fn, .arg = arg, .err = -ENOENT };
	int err = elf_image__each_section(image, try_section, &search);

	if (err == 0 && (search.is_go || !search.has_sections))
		err = elf_image__each_segment(image, try_segment, &search);
	return err < 0 ? err : search.err;
}

struct section {
	const char *name;
	struct elf_area area;
};

static int match_section(void *arg, const struct elf_area *area)
{
	struct section *self = arg;

	if (strcmp(area->name, self->name) != 0)
		return 0;
	self->area = *area;
	return 1;
}

uint64_t go_find__section(const struct elf_image *image, const char *name)
{
	struct section section = { .name = name };

	return elf_image__each_section(image, match_section, &section) == 1 ? section.area.vaddr :
									      0;
}

/* Elf64_Rela */
struct relocation {
	uint64_t vaddr;
	uint64_t info;
	uint64_t addend;
};
#define R_RELATIVE 8 /* R_X86_64_RELATIVE: base + addend */

static bool find_relocation(const struct elf_image *image, const char *name, uint64_t vaddr,
			    uint64_t *ret_addend)
{
	struct section section = { .name = name };
	struct relocation chunk[256];
	uint64_t cnt, n;

	if (elf_image__each_section(image, match_section, &section) != 1)
		return false;
	cnt = min_of(section.area.bytes / sizeof(chunk[0]), RELOCATIONS_MAX);
	for (uint64_t at = 0; at < cnt; at += n) {
		n = min_of(cnt - at, (uint64_t)ARRAY_SIZE(chunk));
		if (elf_image__read(image, section.area.off + at * sizeof(chunk[0]), chunk,
				    n * sizeof(chunk[0])))
			return false;
		for (uint64_t i = 0; i < n; i++)
			if (chunk[i].vaddr == vaddr && chunk[i].info == R_RELATIVE) {
				*ret_addend = chunk[i].addend;
				return true;
			}
	}
	return false;
}

struct word {
	const struct elf_image *image;
	uint64_t vaddr;
	uint64_t value;
};

static int read_word(void *arg, const struct elf_area *area)
{
	struct word *self = arg;
	uint64_t behind = self->vaddr - area->vaddr;

	if (behind >= area->bytes || area->bytes - behind < sizeof(self->value))
		return 0;
	return elf_image__read(self->image, area->off + behind, &self->value, sizeof(self->value)) ?
		       0 :
		       1;
}

uint64_t go_find__pointer(const struct elf_image *image, uint64_t vaddr)
{
	struct word word = { .image = image, .vaddr = vaddr };
	uint64_t addend;

	if (find_relocation(image, ".rela.dyn", vaddr, &addend) ||
	    find_relocation(image, ".rela", vaddr, &addend))
		return addend;
	return elf_image__each_segment(image, read_word, &word) == 1 ? word.value : 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sections by which a stripped file leads to its symbols: MiniDebugInfo, an ELF file of function symbols
 * packed with xz (Fedora's and Guix's distributions have it in every program), and the link to a debug file by
 * name and checksum. Where that file lies is not known here.
 */
#include "pp/elf_debug.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/compress.h"

#define NAME_BYTES	 32
#define PACKED_BYTES_MAX (32u << 20)
#define CRC_CHUNK_BYTES	 65536
#define CRC_ALIGN_BYTES	 4

static const Elf64_Shdr *find_section(const struct elf_image *self, const char *name)
{
	const Elf64_Shdr *names;
	char have[NAME_BYTES];
	size_t want = strlen(name) + 1;
	uint64_t off;

	if (self->section_names >= self->section_cnt)
		return NULL;
	names = &self->sections[self->section_names];
	for (uint32_t i = 0; i < self->section_cnt; i++) {
		const Elf64_Shdr *section = &self->sections[i];

		if (section->sh_type == SHT_NOBITS || section->sh_name >= names->sh_size ||
		    names->sh_size - section->sh_name < want ||
		    __builtin_add_overflow(names->sh_offset, section->sh_name, &off) ||
		    elf_image__read(self, off, have, want))
			continue;
		if (memcmp(have, name, want) == 0)
			return section;
	}
	return NULL;
}

bool elf_image__has_symtab(const struct elf_image *self)
{
	for (uint32_t i = 0; i < self->section_cnt; i++)
		if (self->sections[i].sh_type == SHT_SYMTAB)
			return true;
	return false;
}

int elf_image__debuglink(const struct elf_image *self, struct elf_debuglink *ret_link)
{
	const Elf64_Shdr *section = find_section(self, ".gnu_debuglink");
	struct elf_debuglink link = { 0 };
	uint64_t bytes = section ? section->sh_size : 0;
	uint8_t data[ELF_DEBUGLINK_BYTES + 2 * CRC_ALIGN_BYTES];
	size_t name_bytes, crc_at;
	int err;

	if (!section)
		return -ENOENT;
	if (bytes > sizeof(data))
		return -EBADMSG;
	err = elf_image__read(self, section->sh_offset, data, bytes);
	if (err)
		return err;
	name_bytes = strnlen((const char *)data, bytes);
	crc_at = (name_bytes + CRC_ALIGN_BYTES) & ~(size_t)(CRC_ALIGN_BYTES - 1);
	if (name_bytes == 0 || name_bytes >= sizeof(link.name) || crc_at + 4 > bytes ||
	    memchr(data, '/', name_bytes))
		return -EBADMSG;
	memcpy(link.name, data, name_bytes);
	memcpy(&link.crc, data + crc_at, sizeof(link.crc));
	*ret_link = link;
	return 0;
}

int elf_image__mini_debug(const struct elf_image *self, struct buf *out)
{
	const Elf64_Shdr *section = find_section(self, ".gnu_debugdata");
	_auto_free_ uint8_t *packed = NULL;
	int err;

	if (!section)
		return -ENOENT;
	if (section->sh_size == 0 || section->sh_size > PACKED_BYTES_MAX ||
	    section->sh_offset > self->len || section->sh_size > self->len - section->sh_offset)
		return -EBADMSG;
	packed = malloc(section->sh_size);
	if (!packed)
		return -ENOMEM;
	err = elf_image__read(self, section->sh_offset, packed, section->sh_size);
	return err ? err : xz__unpack(packed, section->sh_size, out);
}

int elf_build_id__debug_path(const struct elf_build_id *self, char path[ELF_DEBUG_PATH_BYTES])
{
	int len;

	if (self->len < 2)
		return -ENOENT;
	len = snprintf(path, ELF_DEBUG_PATH_BYTES, "usr/lib/debug/.build-id/%02x/", self->bytes[0]);
	for (uint32_t i = 1; i < self->len; i++)
		len += snprintf(path + len, ELF_DEBUG_PATH_BYTES - (size_t)len, "%02x",
				self->bytes[i]);
	snprintf(path + len, ELF_DEBUG_PATH_BYTES - (size_t)len, ".debug");
	return 0;
}

int elf_image__crc(const struct elf_image *self, uint32_t *ret_crc)
{
	_auto_free_ uint8_t *chunk = malloc(CRC_CHUNK_BYTES);
	uint32_t crc = 0;
	int err;

	if (!chunk)
		return -ENOMEM;
	for (uint64_t off = 0; off < self->len; off += CRC_CHUNK_BYTES) {
		size_t len = (size_t)min_of(self->len - off, (uint64_t)CRC_CHUNK_BYTES);

		err = elf_image__read(self, off, chunk, len);
		if (err)
			return err;
		crc = crc32__add(crc, chunk, len);
	}
	*ret_crc = crc;
	return 0;
}

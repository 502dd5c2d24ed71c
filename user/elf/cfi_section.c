/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where call frame information stands in an image, and windows over it: .eh_frame by its section, or behind
 * the program header of .eh_frame_hdr in files without section headers; .debug_frame plain, compressed
 * (SHF_COMPRESSED with zlib) or as the older .zdebug_frame. Read in chunks into our own memory; only what is
 * compressed is kept, unpacked, when it is first needed. gABI, "Section Compression"; LSB 5.0, 10.6.
 */
#include "cfi_parts.h"

#include <errno.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/compress.h"

#define NAME_BYTES	   16 /* longer than each name that we look for, with its NUL */
#define SHT_X86_64_UNWIND_ 0x70000001u
#define ZDEBUG_HEAD_BYTES  12 /* "ZLIB", then the length, big endian */

int cfi_window__view(struct cfi_window *self, const struct elf_image *image, uint64_t off,
		     size_t len, const uint8_t **ret_data)
{
	size_t want;
	int err;

	if (off > image->len || len > image->len - off)
		return -EBADMSG;
	if (image->memory) {
		*ret_data = image->memory + off;
		return 0;
	}
	if (off >= self->off && off - self->off <= self->len &&
	    len <= self->len - (off - self->off)) {
		*ret_data = self->data + (off - self->off);
		return 0;
	}
	if (len > self->cap || !self->data) {
		size_t cap = max_of(self->cap, len);
		uint8_t *data = realloc(self->data, cap);

		if (!data)
			return -ENOMEM;
		self->data = data;
		self->cap = cap;
	}
	self->len = 0;
	want = (size_t)min_of((uint64_t)self->cap, image->len - off);
	err = elf_image__read(image, off, self->data, want);
	if (err)
		return err;
	self->off = off;
	self->len = want;
	*ret_data = self->data;
	return 0;
}

int cfi_section__view(const struct cfi_section *self, struct cfi_window *window, uint64_t off,
		      size_t len, const uint8_t **ret_data)
{
	if (off > self->bytes || len > self->bytes - off)
		return -EBADMSG;
	if (self->data) {
		*ret_data = self->data + off;
		return 0;
	}
	return cfi_window__view(window, self->image, self->off + off, len, ret_data);
}

/* How the bytes are packed: where the zlib stream begins and what it becomes. */
static int read_packing(const struct cfi_section *self, uint64_t *ret_head_bytes,
			uint64_t *ret_bytes)
{
	uint8_t head[ZDEBUG_HEAD_BYTES];
	Elf64_Chdr chdr;
	uint64_t bytes;
	int err;

	if (self->is_packed_by_name) {
		err = elf_image__read(self->image, self->off, head, sizeof(head));
		if (err)
			return err;
		memcpy(&bytes, head + 4, 8);
		*ret_bytes = __builtin_bswap64(bytes);
		*ret_head_bytes = sizeof(head);
		return memcmp(head, "ZLIB", 4) == 0 ? 0 : -EBADMSG;
	}
	err = elf_image__read(self->image, self->off, &chdr, sizeof(chdr));
	if (err)
		return err;
	*ret_bytes = chdr.ch_size;
	*ret_head_bytes = sizeof(chdr);
	return chdr.ch_type == ELFCOMPRESS_ZLIB ? 0 : -EOPNOTSUPP;
}

static int unpack(struct cfi_section *self)
{
	_auto_free_ uint8_t *packed = NULL;
	struct buf out;
	uint64_t head_bytes, bytes;
	size_t len;
	int err;

	err = read_packing(self, &head_bytes, &bytes);
	if (err)
		return err;
	if (self->packed_bytes < head_bytes || bytes == 0 || bytes > CFI_UNPACKED_BYTES_MAX)
		return -EBADMSG;
	len = (size_t)(self->packed_bytes - head_bytes);
	packed = malloc(len + 1);
	if (!packed)
		return -ENOMEM;
	err = elf_image__read(self->image, self->off + head_bytes, packed, len);
	if (err)
		return err;
	buf__init(&out, (size_t)bytes);
	err = zlib__unpack(packed, len, &out);
	if (!err && out.len != bytes)
		err = -EBADMSG;
	if (!err) {
		self->data = (uint8_t *)buf__take(&out, &len);
		self->bytes = bytes;
	}
	buf__clear(&out);
	return err;
}

int cfi_section__load(struct cfi_section *self)
{
	int err;

	if (self->packed_bytes == 0)
		return 0;
	err = unpack(self);
	if (err == -ENOMEM)
		return err;
	self->packed_bytes = 0; /* once: what is damaged stays empty */
	return err;
}

static int read_name(const struct elf_image *image, const Elf64_Shdr *section,
		     char name[NAME_BYTES])
{
	const Elf64_Shdr *names = &image->sections[image->section_names];
	uint64_t len;

	memset(name, 0, NAME_BYTES);
	if (section->sh_name >= names->sh_size)
		return -EBADMSG;
	len = min_of((uint64_t)NAME_BYTES - 1, names->sh_size - section->sh_name);
	if (names->sh_offset > image->len)
		return -EBADMSG;
	return elf_image__read(image, names->sh_offset + section->sh_name, name, len);
}

static void take_section(struct cfi_section *self, const struct elf_image *image,
			 const Elf64_Shdr *section)
{
	uint64_t end;

	if (self->bytes || self->packed_bytes || section->sh_type == SHT_NOBITS ||
	    section->sh_size > CFI_SECTION_BYTES_MAX ||
	    __builtin_add_overflow(section->sh_offset, section->sh_size, &end) || end > image->len)
		return;
	self->image = image;
	self->off = section->sh_offset;
	self->vaddr = section->sh_addr;
	if ((section->sh_flags & SHF_COMPRESSED) || self->is_packed_by_name)
		self->packed_bytes = section->sh_size;
	else
		self->bytes = section->sh_size;
}

/* Without section headers: the linker puts .eh_frame behind its header, at the same distance as in memory. */
static int find_by_header(struct cfi_section *eh, const struct elf_image *image)
{
	const Elf64_Phdr *segment = &image->eh_frame_hdr;
	struct cfi_bytes in;
	uint8_t head[16];
	uint64_t vaddr, off;
	int err;

	if (segment->p_filesz < sizeof(head))
		return 0;
	err = elf_image__read(image, segment->p_offset, head, sizeof(head));
	if (err)
		return err == -EBADMSG ? 0 : err;
	in = (struct cfi_bytes){ head + 4, head + sizeof(head), false };
	vaddr = cfi_bytes__encoded(&in, head[1], segment->p_vaddr + 4, segment->p_vaddr);
	off = vaddr - segment->p_vaddr + segment->p_offset;
	if (in.is_bad || off >= image->len)
		return 0;
	eh->image = image;
	eh->off = off;
	eh->vaddr = vaddr;
	eh->bytes = min_of(image->len - off, (uint64_t)CFI_SECTION_BYTES_MAX);
	eh->has_terminator = true;
	return 0;
}

int elf_cfi__find_sections(struct elf_cfi *self, const struct elf_image *image)
{
	int err;

	self->debug.is_debug = true;
	for (uint32_t i = 0; image->section_names < image->section_cnt && i < image->section_cnt;
	     i++) {
		const Elf64_Shdr *section = &image->sections[i];
		char name[NAME_BYTES];

		if (section->sh_type != SHT_PROGBITS && section->sh_type != SHT_X86_64_UNWIND_)
			continue;
		err = read_name(image, section, name);
		if (err && err != -EBADMSG)
			return err;
		if (strcmp(name, ".eh_frame") == 0) {
			take_section(&self->eh, image, section);
		} else if (strcmp(name, ".debug_frame") == 0 ||
			   strcmp(name, ".zdebug_frame") == 0) {
			self->debug.is_packed_by_name = name[1] == 'z';
			take_section(&self->debug, image, section);
		}
	}
	if (!self->eh.bytes && image->section_cnt == 0) {
		err = find_by_header(&self->eh, image);
		if (err)
			return err;
	}
	return self->eh.bytes || self->debug.bytes || self->debug.packed_bytes ? 0 : -ENOENT;
}

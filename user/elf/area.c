/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lists the parts of an image for other rooms: segments as the kernel maps them, sections with their names.
 * Reads the headers anew, so that an image that nobody asks costs nothing. Bounds are checked here as far
 * as arithmetic goes; the bytes themselves are checked when they are read.
 */
#include "pp/elf_area.h"

#include <errno.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"

static bool wraps(const struct elf_area *area)
{
	uint64_t end;

	return __builtin_add_overflow(area->off, area->bytes, &end) ||
	       __builtin_add_overflow(area->vaddr, area->bytes, &end);
}

int elf_image__each_segment(const struct elf_image *self, elf_area_fn fn, void *arg)
{
	_auto_free_ Elf64_Phdr *segments = NULL;
	Elf64_Ehdr header;
	uint64_t cnt;
	int err;

	err = elf_image__read(self, 0, &header, sizeof(header));
	if (err)
		return err;
	cnt = header.e_phnum == PN_XNUM && self->section_cnt > 0 ? self->sections[0].sh_info :
								   header.e_phnum;
	if (cnt == 0)
		return 0;
	if (cnt > ELF_SEGMENTS_MAX || header.e_phentsize != sizeof(*segments))
		return -EBADMSG;
	segments = malloc(cnt * sizeof(*segments));
	if (!segments)
		return -ENOMEM;
	err = elf_image__read(self, header.e_phoff, segments, cnt * sizeof(*segments));
	for (uint64_t i = 0; i < cnt && !err; i++) {
		const struct elf_area area = {
			.vaddr = segments[i].p_vaddr,
			.off = segments[i].p_offset,
			.bytes = segments[i].p_filesz,
			.is_code = segments[i].p_flags & PF_X,
		};

		if (segments[i].p_type == PT_LOAD && area.bytes > 0)
			err = wraps(&area) ? -EBADMSG : fn(arg, &area);
	}
	return err;
}

/* As much of the name as fits and stands in the file; "" if there is none. */
static void read_name(const struct elf_image *self, const Elf64_Shdr *names, uint32_t at,
		      char name[ELF_AREA_NAME_BYTES])
{
	uint64_t len = at < names->sh_size ?
			       min_of(names->sh_size - at, (uint64_t)ELF_AREA_NAME_BYTES - 1) :
			       0;
	uint64_t off;

	memset(name, 0, ELF_AREA_NAME_BYTES);
	if (__builtin_add_overflow(names->sh_offset, at, &off) ||
	    elf_image__read(self, off, name, len))
		name[0] = '\0';
}

int elf_image__each_section(const struct elf_image *self, elf_area_fn fn, void *arg)
{
	static const Elf64_Shdr none;
	const Elf64_Shdr *names = &none;
	Elf64_Ehdr header;
	uint32_t at;
	int err;

	err = elf_image__read(self, 0, &header, sizeof(header));
	if (err || self->section_cnt == 0)
		return err;
	at = header.e_shstrndx == SHN_XINDEX ? self->sections[0].sh_link : header.e_shstrndx;
	if (at < self->section_cnt && self->sections[at].sh_type == SHT_STRTAB)
		names = &self->sections[at];
	for (uint32_t i = 0; i < self->section_cnt && !err; i++) {
		const Elf64_Shdr *section = &self->sections[i];
		struct elf_area area = {
			.vaddr = section->sh_addr,
			.off = section->sh_offset,
			.bytes = section->sh_size,
			.is_code = section->sh_flags & SHF_EXECINSTR,
		};

		if (!(section->sh_flags & SHF_ALLOC) || section->sh_type == SHT_NOBITS ||
		    section->sh_type == SHT_NULL || area.bytes == 0 || wraps(&area))
			continue;
		read_name(self, names, section->sh_name, area.name);
		err = fn(arg, &area);
	}
	return err;
}

bool elf_image__is_x86_64(const struct elf_image *self)
{
	return self->machine == EM_X86_64;
}

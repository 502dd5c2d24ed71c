/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef MADE_FRAMES_H
#define MADE_FRAMES_H
/*
 * ELF files made around given frame sections, in memory: a header, .eh_frame_hdr (with its segment),
 * .eh_frame, .debug_frame, names. Whatever the bytes are, the file around them is sound. Sections stand at
 * MADE_VADDR + their file offset.
 */
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MADE_VADDR 0x10000

struct made_section {
	const void *data; /* NULL: there is none */
	size_t len;
	uint64_t flags;
};
struct made_frames {
	struct made_section hdr;
	struct made_section eh;
	struct made_section debug;
	const char *debug_name; /* NULL: .debug_frame */
	bool is_stripped; /* no section headers */
};

#define MADE_HDR_OFF 256 /* where .eh_frame_hdr begins */
static inline size_t made_eh_off(const struct made_frames *self)
{
	return MADE_HDR_OFF + ((self->hdr.len + 7) & ~(size_t)7);
}
static inline size_t made_debug_off(const struct made_frames *self)
{
	return made_eh_off(self) + ((self->eh.len + 7) & ~(size_t)7);
}

static inline void made_put(uint8_t *file, Elf64_Shdr *shdr, const struct made_section *section,
			    size_t off, uint32_t name)
{
	if (!section->data)
		return;
	if (section->len)
		memcpy(file + off, section->data, section->len);
	*shdr = (Elf64_Shdr){
		.sh_name = name,
		.sh_type = SHT_PROGBITS,
		.sh_flags = section->flags,
		.sh_addr = MADE_VADDR + off,
		.sh_offset = off,
		.sh_size = section->len,
	};
}

/* free() it. */
static inline void *made_frames__file(const struct made_frames *self, size_t *ret_len)
{
	char names[64] = "\0.eh_frame\0";
	const char *debug_name = self->debug_name ? self->debug_name : ".debug_frame";
	size_t names_off = made_debug_off(self) + ((self->debug.len + 7) & ~(size_t)7);
	size_t shdrs_off = names_off + sizeof(names);
	uint8_t *file = calloc(1, shdrs_off + 5 * sizeof(Elf64_Shdr));
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)file;
	Elf64_Phdr *phdr = (Elf64_Phdr *)(file + sizeof(*ehdr));
	Elf64_Shdr *shdrs = (Elf64_Shdr *)(file + shdrs_off);

	if (!file)
		abort();
	memcpy(names + 16, debug_name, strlen(debug_name) + 1);
	*ehdr = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_ehsize = sizeof(*ehdr),
		.e_phoff = sizeof(*ehdr),
		.e_phentsize = sizeof(*phdr),
		.e_phnum = self->hdr.data ? 1 : 0,
		.e_shoff = self->is_stripped ? 0 : shdrs_off,
		.e_shentsize = sizeof(*shdrs),
		.e_shnum = self->is_stripped ? 0 : 5,
		.e_shstrndx = 4,
	};
	made_put(file, &shdrs[1], &self->hdr, MADE_HDR_OFF, 0);
	*phdr = (Elf64_Phdr){
		.p_type = PT_GNU_EH_FRAME,
		.p_offset = MADE_HDR_OFF,
		.p_vaddr = MADE_VADDR + MADE_HDR_OFF,
		.p_filesz = self->hdr.len,
	};
	made_put(file, &shdrs[2], &self->eh, made_eh_off(self), 1);
	made_put(file, &shdrs[3], &self->debug, made_debug_off(self), 16);
	made_put(file, &shdrs[4], &(struct made_section){ names, sizeof(names), 0 }, names_off, 0);
	*ret_len = shdrs_off + 5 * sizeof(Elf64_Shdr);
	return file;
}

#endif

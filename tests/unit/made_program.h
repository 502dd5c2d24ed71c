/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_TESTS_MADE_PROGRAM_H
#define PP_TESTS_MADE_PROGRAM_H
/*
 * An ELF file made in memory: segments and named sections over bytes that the test writes, vaddr =
 * MADE_VADDR + offset. Header, program headers and section headers stand in the first page.
 */
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MADE_VADDR	  0x400000
#define MADE_BYTES	  (0x50000)
#define MADE_SECTIONS_MAX 12
#define MADE_NAMES_OFF	  0xe00

struct made_program {
	uint8_t *bytes; /* MADE_BYTES; exactly as long, so that a sanitizer sees what is read past it */
	Elf64_Ehdr *header;
	Elf64_Phdr *segments;
	Elf64_Shdr *sections;
	size_t names_len;
};

static inline void made_program__init(struct made_program *self)
{
	memset(self, 0, sizeof(*self));
	self->bytes = calloc(1, MADE_BYTES);
	if (!self->bytes)
		abort();
	self->header = (void *)self->bytes;
	self->segments = (void *)(self->bytes + sizeof(*self->header));
	self->sections = (void *)(self->bytes + 0x800);
	memcpy(self->header->e_ident, ELFMAG, SELFMAG);
	self->header->e_ident[EI_CLASS] = ELFCLASS64;
	self->header->e_ident[EI_DATA] = ELFDATA2LSB;
	self->header->e_ident[EI_VERSION] = EV_CURRENT;
	self->header->e_type = ET_EXEC;
	self->header->e_machine = EM_X86_64;
	self->header->e_phoff = sizeof(*self->header);
	self->header->e_phentsize = sizeof(*self->segments);
	self->header->e_shoff = 0x800;
	self->header->e_shentsize = sizeof(*self->sections);
	self->header->e_shnum = 2;
	self->header->e_shstrndx = 1;
	self->sections[1].sh_type = SHT_STRTAB;
	self->sections[1].sh_offset = MADE_NAMES_OFF;
	self->sections[1].sh_size = 0x200;
	self->names_len = 1;
}

static inline void made_program__free(struct made_program *self)
{
	free(self->bytes);
}

static inline void made_program__segment(struct made_program *self, uint64_t off, uint64_t bytes,
					 uint32_t flags)
{
	self->segments[self->header->e_phnum++] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = flags,
		.p_offset = off,
		.p_vaddr = MADE_VADDR + off,
		.p_filesz = bytes,
		.p_memsz = bytes,
	};
}

static inline void made_program__section(struct made_program *self, const char *name, uint64_t off,
					 uint64_t bytes, uint64_t flags)
{
	self->sections[self->header->e_shnum++] = (Elf64_Shdr){
		.sh_name = (uint32_t)self->names_len,
		.sh_type = SHT_PROGBITS,
		.sh_flags = flags | SHF_ALLOC,
		.sh_addr = MADE_VADDR + off,
		.sh_offset = off,
		.sh_size = bytes,
	};
	memcpy(self->bytes + MADE_NAMES_OFF + self->names_len, name, strlen(name) + 1);
	self->names_len += strlen(name) + 1;
}

static inline void made_program__put(struct made_program *self, uint64_t off, const void *data,
				     size_t len)
{
	memcpy(self->bytes + off, data, len);
}

#endif

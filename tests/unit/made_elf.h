/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef MADE_ELF_H
#define MADE_ELF_H
/*
 * Small ELF files of code that is never run, made by the test. What their rows are to be stands where the
 * entry is. Included after cmocka.h.
 */
#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pp/abi_unwind.h"

#define CONTENT_OFF 0x200 /* the entry: what twins are told apart by */
#define NO_ROWS	    0u
#define BROKEN	    UINT32_MAX

struct content {
	uint32_t id;
	uint32_t row_cnt; /* of each page; NO_ROWS, BROKEN */
	uint32_t rule_cnt; /* distinct ones in each page */
};

struct made_file {
	uint64_t vaddr;
	uint64_t off; /* of the segment of code */
	uint32_t pages;
	const char *build_id; /* NULL: none */
	struct content content;
};

/* An ELF file with one segment of code: close(). */
static inline int made_file__open(const struct made_file *file)
{
	uint8_t data[CONTENT_OFF + sizeof(file->content)] = { 0 };
	Elf64_Ehdr *header = (Elf64_Ehdr *)data;
	Elf64_Phdr *segments = (Elf64_Phdr *)(data + sizeof(*header));
	Elf64_Nhdr *note = (Elf64_Nhdr *)(data + 0x100);
	int fd = memfd_create("made", MFD_CLOEXEC);

	*header = (Elf64_Ehdr){ .e_type = ET_DYN,
				.e_machine = EM_X86_64,
				.e_version = 1,
				.e_entry = file->vaddr - file->off + CONTENT_OFF,
				.e_phoff = sizeof(*header),
				.e_phentsize = sizeof(*segments),
				.e_phnum = file->build_id ? 2 : 1 };
	memcpy(header->e_ident, ELFMAG "\2\1\1", 7);
	segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				    .p_flags = PF_R | PF_X,
				    .p_offset = file->off,
				    .p_vaddr = file->vaddr,
				    .p_filesz = (uint64_t)file->pages * PP_PAGE_BYTES };
	if (file->build_id) {
		segments[1] = (Elf64_Phdr){ .p_type = PT_NOTE,
					    .p_offset = 0x100,
					    .p_filesz = sizeof(*note) + 4 + 8,
					    .p_align = 4 };
		*note = (Elf64_Nhdr){ 4, 8, 3 };
		memcpy(note + 1, "GNU", 4);
		strncpy((char *)(note + 1) + 4, file->build_id, 8);
	}
	memcpy(data + CONTENT_OFF, &file->content, sizeof(file->content));
	assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
	assert_int_equal(ftruncate(fd, (off_t)(file->off + segments[0].p_filesz)), 0);
	return fd;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ELF_INTERNAL_H
#define PP_ELF_INTERNAL_H
/*
 * What the files of this room share: an image with its headers already checked. The limits are far above
 * what linkers make and bound what a hostile file can cost.
 */
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/elf.h"

#define ELF_SEGMENTS_MAX      4096
#define ELF_SECTIONS_MAX      65536
#define ELF_CODE_SEGMENTS_MAX 64
#define ELF_NOTE_BYTES_MAX    65536
#define ELF_NOTE_RANGES_MAX   64

struct elf_code_segment {
	uint64_t off;
	uint64_t file_bytes;
	uint64_t vaddr;
};

struct elf_image {
	int fd;
	const uint8_t *memory; /* instead of fd, or NULL; borrowed */
	uint64_t len;
	uint64_t entry_vaddr;
	uint16_t machine;
	bool is_program;
	bool is_relocatable;
	uint32_t code_cnt;
	struct elf_code_segment code[ELF_CODE_SEGMENTS_MAX];
	Elf64_Shdr *sections;
	uint32_t section_cnt;
	uint32_t section_names; /* which section has their names; none: section_cnt or more */
	Elf64_Phdr eh_frame_hdr; /* p_filesz 0: none */
	uint32_t note_range_cnt; /* looked through so far */
	struct elf_build_id build_id;
};

/*
 * Looks for a build id among the notes of this range, unless one was found already or enough ranges were
 * looked through. Damaged notes are passed over; a range outside the file is -EBADMSG.
 */
int elf_image__scan_notes(struct elf_image *self, uint64_t off, uint64_t bytes, uint64_t align);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ELF_AREA_H
#define PP_ELF_AREA_H
/*
 * Where the parts of an ELF file lie, for those who read machine code and tables that have no format of
 * ELF's own. Part of the door of elf. One thread per image.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pp/elf.h"

#define ELF_AREA_NAME_BYTES 32 /* longer names are cut */
/* A loaded segment or an allocated section. Never wraps; bytes may still reach past the file's end. */
struct elf_area {
	uint64_t vaddr;
	uint64_t off;
	uint64_t bytes; /* that come from the file */
	bool is_code; /* executable */
	char name[ELF_AREA_NAME_BYTES]; /* sections only */
};
typedef int (*elf_area_fn)(void *arg, const struct elf_area *area);

/* PT_LOAD segments, in file order, empty ones left out. 0, -EBADMSG, -ENOMEM, or fn's first non-zero. */
int elf_image__each_segment(const struct elf_image *self, elf_area_fn fn, void *arg);
/* Allocated sections with bytes in the file; damaged ones are passed over. 0 or fn's first non-zero. */
int elf_image__each_section(const struct elf_image *self, elf_area_fn fn, void *arg);
/* x86-64 */
bool elf_image__is_x86_64(const struct elf_image *self);

#endif

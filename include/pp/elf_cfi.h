/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ELF_CFI_H
#define PP_ELF_CFI_H
/*
 * Call frame information of one ELF file, as rules (abi_unwind.h): .eh_frame, found by .eh_frame_hdr's
 * sorted table or else in file order, and .debug_frame (plain or compressed) for what it does not cover.
 * Rows are ascending, do not overlap, gaps are explicit; what cannot be expressed says so and is counted.
 * Part of the door of elf. One thread per image. Sources: DWARF 5, 6.4; LSB 5.0, 10.6; System V ABI x86-64.
 */
#include <linux/types.h>
#include <stdint.h>

#include "pp/abi_unwind.h"
#include "pp/elf.h"

struct elf_cfi;

/* image: borrowed until __close. 0, -ENOENT (no CFI at all), -EOPNOTSUPP (not x86-64), -EBADMSG, -ENOMEM, -errno. */
int elf_cfi__open(const struct elf_image *image, struct elf_cfi **ret_cfi);
void elf_cfi__close(struct elf_cfi *self);

/* From vaddr on, up to the next row, rule holds. PP_RULE_NONE: a gap. */
struct elf_cfi_row {
	uint64_t vaddr;
	uint64_t rule;
};
typedef int (*elf_cfi_row_fn)(void *arg, const struct elf_cfi_row *row);
/*
 * Calls fn for each row in [low_vaddr, high_vaddr), the first at low_vaddr itself (in force there, maybe a
 * gap), adjacent equal rules merged. Reads only the entries that cover the interval; where entries overlap, each
 * ends where the next begins. From where an entry is damaged on it is a gap, and counted. 0, fn's first non-zero,
 * -ENOMEM, -EBADMSG (the file was truncated meanwhile), -errno of pread.
 */
int elf_cfi__each_row(struct elf_cfi *self, uint64_t low_vaddr, uint64_t high_vaddr,
		      elf_cfi_row_fn fn, void *arg);

/* What was met so far. */
struct elf_cfi_stats {
	uint64_t entries; /* FDEs read */
	uint64_t rows;
	uint64_t unsupported; /* rows whose rule is PP_CFA_UNSUPPORTED */
	uint64_t damaged; /* entries that were refused */
};
void elf_cfi__stats(const struct elf_cfi *self, struct elf_cfi_stats *ret_stats);

#endif

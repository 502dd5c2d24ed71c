/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ELF_DWARF_H
#define PP_ELF_DWARF_H
/*
 * Source lines and inlined functions by DWARF (2 to 5), through libdw, which was not written for hostile files:
 * for the reader process. Reads all debug sections of a file into memory.
 */
#include <stdint.h>

/* One function at an address. Texts are borrowed during the call; name NULL: not told. */
struct elf_place {
	const char *name; /* linkage name where there is one */
	const char *dir; /* where a file without a leading slash is; NULL: not told */
	const char *file; /* NULL: not told */
	uint32_t line; /* 0: not told */
};
#define ELF_PLACES_MAX 16 /* at one address; what is inlined deeper leaves out the middle */

/*
 * fn gets the places of the i-th vaddr, the innermost inlined function first and last the one that is there by
 * itself; not called for those without any. vaddrs: ascending. fd: borrowed. Past deadline_ns (CLOCK_MONOTONIC) the
 * rest has none. 0, -ENOENT (no debug information), -ETIMEDOUT, -EBADMSG, -ENOMEM.
 */
typedef void (*elf_dwarf_fn)(void *arg, uint32_t i, const struct elf_place *places, uint32_t cnt);
int elf_dwarf__each(int fd, const uint64_t *vaddrs, uint32_t cnt, uint64_t deadline_ns,
		    elf_dwarf_fn fn, void *arg);

#endif

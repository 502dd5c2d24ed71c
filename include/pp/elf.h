/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ELF_H
#define PP_ELF_H
/*
 * A bounded view of one ELF file. No byte outside the file is read, whatever its headers say; what we
 * look at is read by pread into our own memory, never mapped (a truncated file would be SIGBUS).
 * vaddr = address in ELF headers, off = file offset. Worker or any thread; one thread per image.
 */
#include <stddef.h>
#include <stdint.h>

struct elf_image;

#define ELF_BUILD_ID_BYTES 64 /* longest build id we keep */
struct elf_build_id {
	uint8_t len; /* 0: the file has none */
	uint8_t bytes[ELF_BUILD_ID_BYTES];
};

/*
 * fd: borrowed, must stay open until __close. Returns 0, -EBADMSG (not ELF, damaged), -EOPNOTSUPP
 * (32-bit, other byte order), -ENOMEM, -errno of pread.
 */
int elf_image__open(int fd, struct elf_image **ret_image);
/* The same over memory that we own (the vdso); borrowed. */
int elf_image__from_memory(const void *data, size_t len, struct elf_image **ret_image);
void elf_image__close(struct elf_image *self);

void elf_image__build_id(const struct elf_image *self, struct elf_build_id *ret_id);
uint64_t elf_image__entry_vaddr(const struct elf_image *self);
/* By the executable PT_LOAD that holds off. 0 or -ENOENT. */
int elf_image__off_to_vaddr(const struct elf_image *self, uint64_t off, uint64_t *ret_vaddr);

/* Function symbols of .symtab and .dynsym together, sorted by vaddr, aliases reduced to one. */
struct elf_symbol {
	uint64_t vaddr;
	uint64_t size; /* 0 in the file: up to the next symbol or the end of its section */
	const char *name; /* borrowed from the table; printable as it stands in the file: hostile */
};
struct elf_symtab;
/* Bounded: at most 4,000,000 symbols and 256 MiB of strings. 0 (also for none), -EBADMSG, -ENOMEM. */
int elf_image__symtab(struct elf_image *self, struct elf_symtab **ret_symtab);
void elf_symtab__free(struct elf_symtab *self);
uint32_t elf_symtab__cnt(const struct elf_symtab *self);
/* The symbol that covers vaddr. 0 or -ENOENT; ret_symbol->name borrowed from self. */
int elf_symtab__find(const struct elf_symtab *self, uint64_t vaddr, struct elf_symbol *ret_symbol);

#endif

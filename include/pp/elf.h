/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ELF_H
#define PP_ELF_H
/*
 * A bounded view of one ELF file. No byte outside the file is read, whatever its headers say; what we
 * look at is read by pread into our own memory, never mapped (a truncated file would be SIGBUS).
 * vaddr = address in ELF headers, off = file offset. Worker or any thread; one thread per image.
 */
#include <stdbool.h>
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
/* ET_EXEC, or it names its interpreter: the entry is where a process starts, not a linker's filling. */
bool elf_image__is_program(const struct elf_image *self);
/* By the executable PT_LOAD that holds off. 0 or -ENOENT. */
int elf_image__off_to_vaddr(const struct elf_image *self, uint64_t off, uint64_t *ret_vaddr);
/* Exactly len bytes at a file offset. 0, -EBADMSG (not all inside the file), -errno. */
int elf_image__read(const struct elf_image *self, uint64_t off, void *data, size_t len);

/*
 * For files without symbols, x86-64 and some arm64: does the code at off (any offset) begin as entry
 * points do? How long is the entry's code there (0: no telling; at most ELF_ENTRY_BYTES_MAX)? Does it end a thread by exit(result)?
 */
#define ELF_ENTRY_BYTES_MAX 64
bool elf_image__enters_at(const struct elf_image *self, uint64_t off);
uint32_t elf_image__entry_bytes(const struct elf_image *self, uint64_t off);
bool elf_image__exits_at(const struct elf_image *self, uint64_t off);
/*
 * May off be a return address? Yes behind a call, at glibc's and musl's __restore_rt (the kernel pushes it),
 * and one byte into Go's runtime.goexit. True also where this cannot be told (other machine, unreadable).
 */
bool elf_image__returns_to(const struct elf_image *self, uint64_t off);

/* A defined function symbol, as it stands in the file; its name is read only when somebody asks. */
struct elf_symbol {
	uint64_t vaddr;
	uint64_t size; /* 0: not told */
	uint64_t reach_vaddr; /* how far one without size can reach at most: its section's end */
	uint64_t name_off; /* file offset of the name */
	uint32_t name_max; /* bytes from there to the end of the string table, at most ELF_NAME_BYTES */
	uint8_t rank; /* lower is better: global, weak, local; a function before an untyped label */
};
#define ELF_NAME_BYTES 4096 /* longest name, with its NUL; longer ones count as damaged */

/*
 * Calls fn for each function symbol of .symtab, then of .dynsym, in file order; no table is kept, so
 * memory is one 64 KiB chunk whatever the file's size. Files without section headers have none.
 * At most 4,000,000 symbols per table. 0 (also for none), -EBADMSG, -ENOMEM, or fn's first non-zero.
 */
int elf_image__each_symbol(const struct elf_image *self,
			   int (*fn)(void *arg, const struct elf_symbol *symbol), void *arg);
/* Hostile bytes, any but NUL, not empty. 0, -EBADMSG (no NUL within bounds, empty), -errno. */
int elf_image__symbol_name(const struct elf_image *self, const struct elf_symbol *symbol,
			   char name[ELF_NAME_BYTES]);

#endif

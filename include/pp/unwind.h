/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_H
#define PP_UNWIND_H
/*
 * One ELF file as pages of unwind rows: CFI, else Go's pclntab; PLT stubs and the entry point made up where
 * the file says nothing. Always true: rows are ascending and do not overlap, gaps are explicit
 * (all but padding between functions), and the same file gives the same bytes. What is loaded where is unwind_tables.h's. Worker; one thread per file.
 */
#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/abi_unwind.h"
#include "pp/elf.h"

struct sysroot;
struct unwind_file;

/*
 * fd: borrowed until __close. debuglink_fd: -1, or the file's debug file (borrowed too), used where the file
 * itself has too little. -EBADMSG, -EOPNOTSUPP, -ENOMEM, -errno.
 */
int unwind_file__open(int fd, int debuglink_fd, struct unwind_file **ret_file);
/* The host's debug file of that build id: a descriptor (the caller's), or negative: none. */
int unwind_debug__open(const struct sysroot *root, const struct elf_build_id *id);
/* The vdso; data borrowed until __close. */
int unwind_file__from_memory(const void *data, size_t len, struct unwind_file **ret_file);
void unwind_file__close(struct unwind_file *self);
const struct elf_image *unwind_file__image(const struct unwind_file *self); /* borrowed */

/* Executable segments: the first page (vaddr >> 16) and how many up to the last. page_cnt 0: no code. */
void unwind_file__pages(const struct unwind_file *self, uint64_t *ret_first_page,
			uint32_t *ret_page_cnt);

/*
 * The vaddr of what a mapping of code shows first: its offset is a page's, so it may lie before the first byte
 * of the segment. 0 or -ENOENT.
 */
int unwind_file__map_vaddr(const struct unwind_file *self, uint64_t off, uint64_t *ret_vaddr);

/* A converted page. rows: PP_ROW(vaddr, index into rules). The first row stands at the page's begin. */
struct unwind_page {
	uint32_t row_cnt;
	uint32_t rule_cnt;
	bool callers_by_fp; /* every return address is in a row "CFA = rbp + 16, rbp at CFA - 16" */
	uint64_t *rules; /* distinct, in order of first use */
	uint32_t rows[]; /* the rules stand behind them: one allocation, free() */
};
/* page: vaddr >> 16. *ret_page is given (free), NULL if the page has no rows at all. -E2BIG: more than PP_PAGE_ROWS_MAX. */
int unwind_file__page(struct unwind_file *self, uint64_t page, struct unwind_page **ret_page);

/* Words of the page's window for the kernel (index, rows), before rounding to units. */
static inline uint32_t unwind_page__words(const struct unwind_page *self)
{
	return PP_INDEX_WORDS + self->row_cnt;
}
/* rule_ids: the kernel's id of each of self->rules. words: unwind_page__words() of them. */
void unwind_page__write(const struct unwind_page *self, const uint16_t *rule_ids, uint32_t *words);
/* The rule in force at vaddr's low 16 bits. */
uint64_t unwind_page__find(const struct unwind_page *self, uint64_t vaddr);

/*
 * Converted pages on disk: one file per converted ELF file, found by identity; a record is whole (checked by
 * checksum) or absent; bounded in bytes, the oldest go first. Worker; may be NULL (no cache).
 */
struct unwind_cache;
struct unwind_identity {
	uint64_t dev;
	uint64_t inode;
	uint64_t size_bytes;
	uint64_t mtime_ns;
	uint64_t ctime_ns; /* nobody but the superuser can set it back */
	struct elf_build_id build_id;
};
int unwind_cache__open(const char *dir, uint64_t bytes_max, struct unwind_cache **ret_cache);
void unwind_cache__close(struct unwind_cache *self);
/* 0 with the page (given; NULL: known to have no rows), -ENOENT. Damage is -ENOENT, and counted. */
int unwind_cache__get(struct unwind_cache *self, const struct unwind_identity *identity,
		      uint64_t page, struct unwind_page **ret_page);
int unwind_cache__put(struct unwind_cache *self, const struct unwind_identity *identity,
		      uint64_t page, const struct unwind_page *unwind_page);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_ROWS_H
#define PP_UNWIND_ROWS_H
/*
 * What the files that make a page share: rows being gathered, rules being made, machine code being looked
 * at. Several sources speak about the same page; one is laid over the other (rows__lay), and what is on top
 * says nothing only where its rule is PP_RULE_NONE.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/abi_unwind.h"
#include "pp/elf_area.h"
#include "pp/elf_cfi.h"
#include "pp/unwind.h"

/* Advance it whenever the same ELF file gives other rows: pages on disk are then made anew. */
#define UNWIND_CONVERSION 4u

#define REG_RBP		  6u
#define REG_RSP		  7u

/* ra at CFA - 8; offsets must fit, which they do for what we make up ourselves */
static inline uint64_t rule_make(uint32_t form, uint32_t reg, int64_t cfa_bytes, uint32_t fp_form,
				 int64_t fp_bytes, int64_t param)
{
	return (uint64_t)form | (uint64_t)reg << 4 | (uint64_t)fp_form << 8 |
	       ((uint64_t)(fp_bytes / 8) & 0xfff) << 16 | ((uint64_t)param & 0xfff) << 28 |
	       (uint64_t)cfa_bytes << 40;
}
#define RULE_RSP(cfa_bytes)  rule_make(PP_CFA_REG, REG_RSP, cfa_bytes, PP_FP_SAME, 0, 0)
#define RULE_PLT(push_bytes) rule_make(PP_CFA_PLT, REG_RSP, 8, PP_FP_SAME, 0, push_bytes)
#define RULE_END	     ((uint64_t)PP_CFA_END)
#define RULE_SIGNAL	     ((uint64_t)PP_CFA_SIGNAL)
#define RULE_UNSUPPORTED     ((uint64_t)PP_CFA_UNSUPPORTED)
/* PP_RULE_NONE that nothing laid under it may fill; never leaves this room. */
#define RULE_BY_FP ((uint64_t)15)

/* Ascending, adjacent rules differ, at most PP_PAGE_ROWS_MAX. Zeroed: empty. */
struct rows {
	struct elf_cfi_row *at;
	size_t cnt;
	size_t cap;
};
void rows__clear(struct rows *self); /* frees */
/* vaddr: not below the last one; at the same one, it replaces it. 0, -E2BIG, -ENOMEM. */
int rows__add(struct rows *self, uint64_t vaddr, uint64_t rule);
/* self = over, and under where over has no rule. Both begin at the same vaddr, or are empty. */
int rows__lay(struct rows *self, const struct rows *over, const struct rows *under);
bool rows__has_gap(const struct rows *self);
/* rows: from low_vaddr on, at least one. *ret_page is given, NULL if all are gaps. */
int unwind_page__pack(const struct rows *rows, struct unwind_page **ret_page);
/* One allocation, nothing filled in. */
struct unwind_page *unwind_page__new(uint32_t row_cnt, uint32_t rule_cnt);

/* Executable segments of a file. */
#define UNWIND_CODE_MAX 64
struct unwind_code {
	const struct elf_image *image; /* borrowed */
	uint32_t cnt;
	struct elf_area area[UNWIND_CODE_MAX];
};
int unwind_code__init(struct unwind_code *self, const struct elf_image *image);
/* The segment that holds vaddr, or NULL. */
const struct elf_area *unwind_code__find(const struct unwind_code *self, uint64_t vaddr);
/* Code at vaddr, as many bytes of len as there are in its segment and file (0: none). */
size_t unwind_code__read(const struct unwind_code *self, uint64_t vaddr, void *code, size_t len);

/* self = from, without gaps that are only padding between functions; RULE_BY_FP becomes PP_RULE_NONE. */
int rows__close_padding(struct rows *self, const struct rows *from, const struct unwind_code *code);

/* Rows of the page at low_vaddr: is every return address in one that says CFA = rbp + 16, rbp at CFA - 16? */
bool rows__callers_by_fp(const struct rows *self, const struct unwind_code *code,
			 uint64_t low_vaddr);

/* What every file leaves out: PLT stubs, entry, thread ends, signal trampolines. */
#define UNWIND_STUBS_MAX 16
struct unwind_special {
	const struct unwind_code *code; /* borrowed */
	uint64_t entry_vaddr; /* [.., entry_end): the stack's bottom; equal: unknown */
	uint64_t entry_end_vaddr;
	uint32_t stub_cnt;
	struct elf_area stubs[UNWIND_STUBS_MAX];
};
int unwind_special__init(struct unwind_special *self, const struct unwind_code *code);
/* over: what is so whatever the file says; under: what fills its gaps. Both are emptied first. */
int unwind_special__rows(const struct unwind_special *self, uint64_t low_vaddr, uint64_t high_vaddr,
			 struct rows *over, struct rows *under);

/* Go's table of functions. */
struct gopclntab;
/* code: borrowed until __close. -ENOENT: not Go; -EBADMSG, -EOPNOTSUPP (a version we do not know), -ENOMEM. */
int gopclntab__open(const struct unwind_code *code, struct gopclntab **ret_table);
void gopclntab__close(struct gopclntab *self);
/* Rows of [low, high), gaps where there is no Go function; rows is emptied first. */
int gopclntab__rows(struct gopclntab *self, uint64_t low_vaddr, uint64_t high_vaddr,
		    struct rows *rows);

#endif

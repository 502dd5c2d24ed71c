/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_GO_TABLE_H
#define PP_UNWIND_GO_TABLE_H
/*
 * Between the reader of Go's table (gopclntab.c), the one who finds it in a file (go_find.c) and the one who
 * makes rules of it (go_frame.c).
 */
#include "rows.h"

#define GO_NAME_BYTES 40 /* enough to tell the functions that we know by name */

/* Flags of Go 1.17 and newer. */
#define GO_FLAG_TOP_FRAME 1u
#define GO_FLAG_SP_WRITE  2u

struct go_func {
	uint64_t vaddr;
	uint64_t end_vaddr; /* where the next one begins */
	uint64_t pcsp_off; /* file offset; 0: none */
	uint64_t name_off;
	uint8_t flag;
};

/* rsp has moved by delta_bytes since the function was entered. */
struct go_span {
	uint64_t vaddr;
	uint64_t end_vaddr;
	int64_t delta_bytes;
};
typedef int (*go_span_fn)(void *arg, const struct go_span *span);

/* Function number i, wherever it points. 0, -EBADMSG (no such entry, or it ends before it begins). */
int go_table__func(struct gopclntab *self, uint64_t i, struct go_func *ret_func);
/* The one that vaddr lies in. 0, -ENOENT. */
int go_table__find(struct gopclntab *self, uint64_t vaddr, struct go_func *ret_func);
/* As much of it as fits, with a NUL; "" if there is none. name_bytes: less than a window. */
void go_table__name(struct gopclntab *self, const struct go_func *func, char *name,
		    size_t name_bytes);
/* Whether functions have them. */
bool go_table__has_flags(const struct gopclntab *self);
/* Code at vaddr; what is not there stays as it is. */
void go_table__code(struct gopclntab *self, uint64_t vaddr, uint8_t *code, size_t len);
/* In ascending order, not past the function's end. 0, -ENOENT (none), -EBADMSG, or fn's first non-zero. */
int go_table__each_span(struct gopclntab *self, const struct go_func *func, go_span_fn fn,
			void *arg);

/* Adds the function's rows within [low, high). 0, -E2BIG, -ENOMEM. */
int go_frame__rows(struct gopclntab *self, const struct unwind_code *code,
		   const struct go_func *func, uint64_t low_vaddr, uint64_t high_vaddr,
		   struct rows *rows);
/* Does the code look as the function's spans say? 1 yes, 0 no, -ENOENT: nothing to be seen there. */
int go_frame__fits(struct gopclntab *self, const struct go_func *func);

/* Where a table may be, before anything of it is believed. */
struct go_place {
	uint64_t off;
	uint64_t end_off;
	uint64_t vaddr;
};
/*
 * Calls fn for each place that begins as a table does, until it returns other than -EBADMSG. Returns that,
 * -ENOENT if there was none, or -errno.
 */
typedef int (*go_place_fn)(void *arg, const struct go_place *place);
int go_find__table(const struct elf_image *image, go_place_fn fn, void *arg);
/* What the pointer at vaddr will be when the file is loaded: its relocation, else its bytes. 0: unknown. */
uint64_t go_find__pointer(const struct elf_image *image, uint64_t vaddr);
/* Where a section begins, 0 if there is none. */
uint64_t go_find__section(const struct elf_image *image, const char *name);
#define GO_TABLE_BEGIN_BYTES 8
bool go_table__begins(const uint8_t bytes[GO_TABLE_BEGIN_BYTES]);

#endif

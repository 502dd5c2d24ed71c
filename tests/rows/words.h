/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ROWS_WORDS_H
#define ROWS_WORDS_H
/*
 * The text of readelf, and the rule that its words mean. Written from the words alone: nothing of elf_cfi
 * is used, so that a mistake there is not repeated here.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "pp/abi_unwind.h"

/* A running readelf. */
struct readelf {
	FILE *out;
	pid_t pid;
	char *line;
	size_t cap;
};
void readelf__begin(struct readelf *self, const char *option, const char *file);
char *readelf__line(struct readelf *self); /* borrowed until the next; NULL: the end */
void readelf__end(struct readelf *self);

/* Which column is which in the rows that follow; 0: there is none. */
struct columns {
	uint32_t fp;
	uint32_t sp;
	uint32_t ra;
};
void columns__read(struct columns *self, const char *line);

#define CELL_BYTES 24
struct row {
	uint64_t loc;
	char cfa[CELL_BYTES];
	char fp[CELL_BYTES]; /* empty: no column */
	char sp[CELL_BYTES];
	char ra[CELL_BYTES];
};
bool row__read(struct row *ret_row, const struct columns *columns, const char *line);
/* Does the row say "exp" where it matters, or "u" for the return address? */
bool row__needs_words(const struct row *self);

/* What -wf says in addition, at one place of one FDE. */
#define EXPR_BYTES 160
struct word_state {
	char cfa[EXPR_BYTES]; /* the expression, empty if there is none */
	char fp[EXPR_BYTES];
	char ra[EXPR_BYTES];
	bool is_fp_undefined;
	bool is_sp_undefined;
	bool is_ra_undefined;
	bool is_fp_restored; /* by its CIE, where binutils 2.40 ignores it; gdb and libgcc do not */
};
struct words;
struct words *words__read(const char *file);
void words__free(struct words *self);
/* fde_no: counted from 1 over all sections. NULL: nothing in addition. */
const struct word_state *words__find(const struct words *self, uint32_t fde_no, uint64_t loc);

/* why: the reason, where the rule is PP_CFA_UNSUPPORTED. */
uint64_t row__rule(const struct row *self, const struct word_state *words, bool is_signal,
		   char *why, size_t why_bytes);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the words of readelf to the rule that they mean, by matching text: the few shapes of expressions that
 * rules can say are written out here as binutils prints them. Nothing of elf_cfi is used.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

static const char *const register_names[] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi",
					      "rbp", "rsp", "r8",  "r9",  "r10", "r11",
					      "r12", "r13", "r14", "r15" };

/* A rule in parts. */
struct parts {
	uint64_t form, reg, fp_form, ra_form, ra_reg;
	int64_t fp_off, param, off;
};

static uint64_t join(const struct parts *self)
{
	return self->form | self->reg << 4 | self->fp_form << 8 | self->ra_form << 10 |
	       self->ra_reg << 12 | ((uint64_t)(self->fp_off / 8) & 0xfff) << 16 |
	       ((uint64_t)self->param & 0xfff) << 28 | (uint64_t)self->off << 40;
}

static bool is_small(int64_t n)
{
	return n % 8 == 0 && n / 8 >= -2048 && n / 8 <= 2047;
}

/* "rsp+16", "r10+0" */
static bool read_register(const char *cell, uint64_t *ret_reg, int64_t *ret_off)
{
	size_t len = strcspn(cell, "+-");

	for (uint64_t i = 0; i < 16; i++)
		if (strlen(register_names[i]) == len &&
		    strncmp(cell, register_names[i], len) == 0) {
			*ret_reg = i;
			*ret_off = strtoll(cell + len, NULL, 10);
			return true;
		}
	return false;
}

/* "DW_OP_breg6 (rbp): -8" and what follows it. */
static bool read_breg(const char *expr, uint64_t *ret_reg, int64_t *ret_off, const char **ret_rest)
{
	int len = 0;

	if (sscanf(expr, "DW_OP_breg%" SCNu64 " (%*[a-z0-9]): %" SCNd64 "%n", ret_reg, ret_off,
		   &len) != 2 ||
	    len == 0 || *ret_reg > 15)
		return false;
	*ret_rest = expr + len;
	return true;
}

static bool read_cfa_expr(struct parts *parts, const char *expr)
{
	const char *rest;
	int64_t more = 0;
	int late, len = 0;

	if (sscanf(expr,
		   "DW_OP_breg7 (rsp): 8; DW_OP_breg16 (rip): 0; DW_OP_lit15; DW_OP_and; "
		   "DW_OP_lit%d; DW_OP_ge; DW_OP_lit3; DW_OP_shl; DW_OP_plus%n",
		   &late, &len) == 1 &&
	    len > 0 && late <= 15) {
		parts->form = PP_CFA_PLT;
		parts->reg = 7;
		parts->param = late;
		parts->off = 8;
		return true;
	}
	if (!read_breg(expr, &parts->reg, &parts->off, &rest))
		return false;
	parts->form = PP_CFA_REG;
	if (*rest == 0)
		return true;
	if (strncmp(rest, "; DW_OP_deref", 13) != 0)
		return false;
	parts->form = PP_CFA_DEREF;
	rest += 13;
	if (*rest != 0 && sscanf(rest, "; DW_OP_plus_uconst: %" SCNd64 "%n", &more, &len) != 1)
		return false;
	parts->param = more / 8;
	return is_small(more) && (*rest == 0 || rest[len] == 0);
}

static bool read_cfa(const struct row *row, const struct word_state *words, struct parts *parts,
		     char *why, size_t why_bytes)
{
	if (strcmp(row->cfa, "exp") == 0) {
		if (words && read_cfa_expr(parts, words->cfa))
			return true;
		snprintf(why, why_bytes, "CFA by %s", words ? words->cfa : "?");
		return false;
	}
	parts->form = PP_CFA_REG;
	if (!read_register(row->cfa, &parts->reg, &parts->off)) {
		snprintf(why, why_bytes, "CFA is %s", row->cfa);
		return false;
	}
	if (parts->off > PP_RULE_CFA_MAX || parts->off < -PP_RULE_CFA_MAX - 1) {
		snprintf(why, why_bytes, "CFA is too far away");
		return false;
	}
	return true;
}

/* A place by expression: relative to the CFA where its register is the CFA's. */
static bool read_place(const char *expr, const struct parts *parts, bool *ret_by_cfa,
		       uint64_t *ret_reg, int64_t *ret_off)
{
	const char *rest;

	if (!read_breg(expr, ret_reg, ret_off, &rest) || *rest != 0)
		return false;
	*ret_by_cfa = parts->form == PP_CFA_REG && *ret_reg == parts->reg;
	if (*ret_by_cfa)
		*ret_off -= parts->off;
	return true;
}

static void read_fp(const struct row *row, const struct word_state *words, struct parts *parts)
{
	uint64_t reg;
	bool by_cfa = true;

	if (row->fp[0] == 0 || strcmp(row->fp, "s") == 0 || (words && words->is_fp_restored))
		return;
	if (strcmp(row->fp, "u") == 0) {
		parts->fp_form = words && words->is_fp_undefined ? PP_FP_UNKNOWN : PP_FP_SAME;
		return;
	}
	parts->fp_form = PP_FP_UNKNOWN;
	if (row->fp[0] == 'c')
		parts->fp_off = strtoll(row->fp + 1, NULL, 10);
	else if (strcmp(row->fp, "exp") != 0 || !words ||
		 !read_place(words->fp, parts, &by_cfa, &reg, &parts->fp_off))
		return; /* v+0, vexp, r5: its value is not to be had further out */
	if (is_small(parts->fp_off) && by_cfa)
		parts->fp_form = PP_FP_AT_CFA;
	else if (is_small(parts->fp_off) && reg == 6)
		parts->fp_form = PP_FP_AT_FP;
	else
		parts->fp_off = 0;
}

static bool read_ra(const struct row *row, const struct word_state *words, struct parts *parts)
{
	bool by_cfa = true;
	uint64_t reg;
	int64_t off;

	if (row->ra[0] == 'r') {
		parts->ra_form = PP_RA_IN_REG;
		parts->ra_reg = strtoull(row->ra + 1, NULL, 10);
		return parts->ra_reg < 16;
	}
	if (row->ra[0] == 'c')
		off = strtoll(row->ra + 1, NULL, 10);
	else if (strcmp(row->ra, "exp") != 0 || !words ||
		 !read_place(words->ra, parts, &by_cfa, &reg, &off) || !by_cfa)
		return false;
	if (off == -8)
		return true;
	if (parts->form != PP_CFA_REG || !is_small(off))
		return false;
	parts->ra_form = PP_RA_AT_CFA_PARAM;
	parts->param = off / 8;
	return true;
}

uint64_t row__rule(const struct row *self, const struct word_state *words, bool is_signal,
		   char *why, size_t why_bytes)
{
	struct parts parts = { 0 };

	if (strcmp(self->ra, "u") == 0 && words && words->is_ra_undefined)
		return PP_CFA_END;
	if (is_signal) {
		if (words && strcmp(words->cfa, "DW_OP_breg7 (rsp): 160; DW_OP_deref") == 0 &&
		    strcmp(words->ra, "DW_OP_breg7 (rsp): 168") == 0)
			return PP_CFA_SIGNAL;
		snprintf(why, why_bytes, "a signal frame of another layout");
		return PP_CFA_UNSUPPORTED;
	}
	if ((self->sp[0] != 0 && strcmp(self->sp, "u") != 0 && strcmp(self->sp, "v+0") != 0) ||
	    (words && words->is_sp_undefined)) {
		snprintf(why, why_bytes, "the caller's rsp is %s", self->sp);
		return PP_CFA_UNSUPPORTED;
	}
	if (!read_cfa(self, words, &parts, why, why_bytes))
		return PP_CFA_UNSUPPORTED;
	if (!read_ra(self, words, &parts)) {
		snprintf(why, why_bytes, "the return address is %s%s%s", self->ra,
			 words && words->ra[0] ? " by " : "", words ? words->ra : "");
		return PP_CFA_UNSUPPORTED;
	}
	read_fp(self, words, &parts);
	return join(&parts);
}

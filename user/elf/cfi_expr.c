/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DWARF expressions as far as a rule can say them. Nothing is computed: a small stack of symbols
 * (register + n, *(register + n) + m, pc & 15, ...) is enough for what compilers, linkers and hand-written
 * assembly emit: realigned stacks, PLT stubs, saved frames of libcrypto. Every other operator makes the
 * expression unsupported, never approximate. DWARF 5, 2.5 and 6.4.2.
 */
#include "cfi_parts.h"

#include <limits.h>

#include "cfi_numbers.h"

#define STACK_MAX 8
#define REG_PC	  16

enum symbol_kind {
	SYM_CONST, /* off */
	SYM_REG, /* reg + off */
	SYM_CFA, /* CFA + off: what the place of a register begins with */
	SYM_DEREF, /* *(reg + off) + param */
	SYM_PC,
	SYM_PC_LOW, /* pc & 15 */
	SYM_IS_LATE, /* (pc & 15) >= param */
	SYM_LATE_STEP, /* 8 where that is so */
	SYM_PLT, /* rsp + 8 + that */
};
struct symbol {
	uint8_t kind;
	uint8_t reg;
	int64_t off;
	int64_t param;
};
struct machine {
	struct symbol stack[STACK_MAX];
	uint32_t depth;
	bool is_unknown;
};

static void push(struct machine *self, struct symbol symbol)
{
	if (self->depth == STACK_MAX)
		self->is_unknown = true;
	else
		self->stack[self->depth++] = symbol;
}

static struct symbol pop(struct machine *self)
{
	if (self->depth == 0) {
		self->is_unknown = true;
		return (struct symbol){ 0 };
	}
	return self->stack[--self->depth];
}

static void push_register(struct machine *self, uint64_t reg, int64_t off)
{
	if (reg == REG_PC && off == 0)
		push(self, (struct symbol){ .kind = SYM_PC });
	else if (reg < REG_PC)
		push(self, (struct symbol){ .kind = SYM_REG, .reg = (uint8_t)reg, .off = off });
	else
		self->is_unknown = true;
}

static void add_const(struct machine *self, struct symbol symbol, int64_t n)
{
	int64_t *sum = symbol.kind == SYM_DEREF ? &symbol.param : &symbol.off;

	if (symbol.kind > SYM_DEREF || __builtin_add_overflow(*sum, n, sum))
		self->is_unknown = true;
	push(self, symbol);
}

static bool is_rsp_8(const struct symbol *symbol)
{
	return symbol->kind == SYM_REG && symbol->reg == 7 && symbol->off == 8;
}

static void add(struct machine *self, struct symbol a, struct symbol b)
{
	if (b.kind == SYM_CONST)
		add_const(self, a, b.off);
	else if (a.kind == SYM_CONST)
		add_const(self, b, a.off);
	else if (is_rsp_8(&a) && b.kind == SYM_LATE_STEP)
		push(self, (struct symbol){ .kind = SYM_PLT, .param = b.param });
	else if (is_rsp_8(&b) && a.kind == SYM_LATE_STEP)
		push(self, (struct symbol){ .kind = SYM_PLT, .param = a.param });
	else
		self->is_unknown = true;
}

/* a OP b, where b was pushed last. */
static void run_binary(struct machine *self, uint8_t op)
{
	struct symbol b = pop(self), a = pop(self);

	if (op == DW_OP_plus)
		return add(self, a, b);
	if (b.kind != SYM_CONST) {
		self->is_unknown = true;
	} else if (op == DW_OP_minus && b.off != INT64_MIN) {
		add_const(self, a, -b.off);
	} else if (op == DW_OP_and && a.kind == SYM_PC && b.off == 15) {
		push(self, (struct symbol){ .kind = SYM_PC_LOW });
	} else if (op == DW_OP_ge && a.kind == SYM_PC_LOW && b.off >= 0 && b.off <= 15) {
		push(self, (struct symbol){ .kind = SYM_IS_LATE, .param = b.off });
	} else if (op == DW_OP_shl && a.kind == SYM_IS_LATE && b.off == 3) {
		push(self, (struct symbol){ .kind = SYM_LATE_STEP, .param = a.param });
	} else {
		self->is_unknown = true;
	}
}

static void run_deref(struct machine *self)
{
	struct symbol symbol = pop(self);

	if (symbol.kind != SYM_REG)
		self->is_unknown = true;
	symbol.kind = SYM_DEREF;
	symbol.param = 0;
	push(self, symbol);
}

/* The constant that follows op, if op is one that pushes a constant. */
static bool read_const(struct cfi_bytes *expr, uint8_t op, int64_t *ret_n)
{
	switch (op) {
	case DW_OP_const1u: *ret_n = (int64_t)cfi_bytes__fixed(expr, 1); return true;
	case DW_OP_const1s: *ret_n = (int8_t)cfi_bytes__fixed(expr, 1); return true;
	case DW_OP_const2u: *ret_n = (int64_t)cfi_bytes__fixed(expr, 2); return true;
	case DW_OP_const2s: *ret_n = (int16_t)cfi_bytes__fixed(expr, 2); return true;
	case DW_OP_const4u: *ret_n = (int64_t)cfi_bytes__fixed(expr, 4); return true;
	case DW_OP_const4s: *ret_n = (int32_t)cfi_bytes__fixed(expr, 4); return true;
	case DW_OP_const8u:
	case DW_OP_const8s: *ret_n = (int64_t)cfi_bytes__fixed(expr, 8); return true;
	case DW_OP_constu: *ret_n = (int64_t)cfi_bytes__uleb(expr); return true;
	case DW_OP_consts: *ret_n = cfi_bytes__sleb(expr); return true;
	default: return false;
	}
}

static void run_op(struct machine *self, struct cfi_bytes *expr, uint8_t op)
{
	uint64_t u;
	int64_t n;

	if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
		return push_register(self, op - DW_OP_breg0, cfi_bytes__sleb(expr));
	if (op >= DW_OP_lit0 && op <= DW_OP_lit31)
		return push(self, (struct symbol){ .kind = SYM_CONST, .off = op - DW_OP_lit0 });
	if (read_const(expr, op, &n))
		return push(self, (struct symbol){ .kind = SYM_CONST, .off = n });
	switch (op) {
	case DW_OP_nop: break;
	case DW_OP_deref: run_deref(self); break;
	case DW_OP_bregx:
		u = cfi_bytes__uleb(expr);
		push_register(self, u, cfi_bytes__sleb(expr));
		break;
	case DW_OP_plus_uconst:
		u = cfi_bytes__uleb(expr);
		if (u > INT64_MAX)
			self->is_unknown = true;
		add_const(self, pop(self), (int64_t)u);
		break;
	case DW_OP_plus:
	case DW_OP_minus:
	case DW_OP_and:
	case DW_OP_ge:
	case DW_OP_shl: run_binary(self, op); break;
	default: self->is_unknown = true;
	}
}

/* Runs the expression; false if it is not one of ours. */
static bool run(struct machine *self, struct cfi_bytes expr, struct symbol *ret_symbol)
{
	while (expr.at < expr.end && !self->is_unknown)
		run_op(self, &expr, cfi_bytes__u8(&expr));
	*ret_symbol = pop(self);
	return !self->is_unknown && !expr.is_bad;
}

void cfi_expr__value(struct cfi_bytes expr, struct cfi_value *ret_value)
{
	struct machine machine = { .depth = 0 };
	struct symbol symbol;

	*ret_value = (struct cfi_value){ .form = PP_CFA_UNSUPPORTED };
	if (!run(&machine, expr, &symbol))
		return;
	switch (symbol.kind) {
	case SYM_REG: ret_value->form = PP_CFA_REG; break;
	case SYM_DEREF: ret_value->form = PP_CFA_DEREF; break;
	case SYM_PLT: ret_value->form = PP_CFA_PLT; break;
	default: return;
	}
	ret_value->reg = symbol.kind == SYM_PLT ? 7 : symbol.reg;
	ret_value->off = symbol.kind == SYM_PLT ? 8 : symbol.off;
	ret_value->param = symbol.kind == SYM_REG ? 0 : symbol.param;
}

void cfi_expr__place(struct cfi_bytes expr, struct cfi_saved *ret_saved)
{
	/* the CFA stands on the stack before the first operator */
	struct machine machine = { .stack[0] = { .kind = SYM_CFA }, .depth = 1 };
	struct symbol symbol;

	*ret_saved = (struct cfi_saved){ .how = CFI_OTHER };
	if (!run(&machine, expr, &symbol))
		return;
	if (symbol.kind == SYM_CFA)
		*ret_saved = (struct cfi_saved){ .how = CFI_AT_CFA, .off = symbol.off };
	else if (symbol.kind == SYM_REG)
		*ret_saved = (struct cfi_saved){ .how = CFI_AT_REG,
						 .reg = symbol.reg,
						 .off = symbol.off };
}

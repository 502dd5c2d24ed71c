/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules of one Go function. Its table says how far rsp has moved; that the frame pointer stands below the
 * return address is seen where the frame is made (Go saves it since 1.7, but not in every function), so that
 * frames of C further out find their own. A function that writes rsp (stack switches: systemstack, asmcgocall)
 * is followed by its frame pointer, which stays on the stack that it came from, or not at all: never by rsp.
 * Source: src/cmd/internal/obj/x86/obj6.go (prologues), src/runtime/asm_amd64.s (switches).
 */
#include <errno.h>
#include <string.h>

#include "go_table.h"
#include "pp/base/cleanup.h"

enum go_kind {
	GO_PLAIN,
	GO_SWITCHES, /* writes rsp */
	GO_KEEPS_FP, /* and rbp is its caller's: followed by it, as a guess that leaves out the caller */
	GO_OPAQUE, /* leaves nothing to follow */
	GO_END,
};

/* Before 1.17 there are no flags. What mcall calls never returns, and whose goroutine it was runs elsewhere. */
static const struct {
	const char *name;
	enum go_kind kind;
} known[] = {
	{ "runtime.goexit", GO_END },
	{ "runtime.mstart", GO_END },
	{ "runtime.rt0_go", GO_END },
	{ "runtime.mcall", GO_END },
	{ "runtime.sigtramp", GO_PLAIN },
	{ "runtime.cgoSigtramp", GO_PLAIN },
	{ "runtime.gogo", GO_OPAQUE },
	{ "runtime.morestack", GO_OPAQUE },
	{ "runtime.jmpdefer", GO_OPAQUE },
	/* of these two, Go 1.21 and newer have frames of their own */
	{ "runtime.systemstack", GO_KEEPS_FP },
	{ "runtime.asmcgocall", GO_KEEPS_FP },
	{ "runtime.cgocallback", GO_SWITCHES },
	{ "runtime.cgocallback_gofunc", GO_SWITCHES },
	{ "runtime.callCgoMmap", GO_SWITCHES },
	{ "runtime.callCgoMunmap", GO_SWITCHES },
	{ "runtime.callCgoSigaction", GO_SWITCHES },
	{ "runtime.sigfwd", GO_SWITCHES },
	{ "runtime.nanotime", GO_SWITCHES },
	{ "runtime.nanotime1", GO_SWITCHES },
	{ "runtime.walltime", GO_SWITCHES },
	{ "runtime.walltime1", GO_SWITCHES },
	{ "time.now", GO_SWITCHES },
};

static enum go_kind classify(struct gopclntab *self, const struct unwind_code *code,
			     const struct go_func *func)
{
	char name[GO_NAME_BYTES];

	if (func->vaddr == elf_image__entry_vaddr(code->image))
		return GO_END;
	if (go_table__has_flags(self) && !(func->flag & (GO_FLAG_TOP_FRAME | GO_FLAG_SP_WRITE)))
		return GO_PLAIN;
	go_table__name(self, func, name, sizeof(name));
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(name, known[i].name) == 0)
			return known[i].kind;
	if (func->flag & GO_FLAG_TOP_FRAME)
		return GO_END;
	return func->flag & GO_FLAG_SP_WRITE ? GO_SWITCHES : GO_PLAIN;
}

struct frame {
	struct gopclntab *table;
	enum go_kind kind;
	uint64_t low;
	uint64_t high;
	struct rows *rows;
	uint64_t at; /* how far we came */
	int64_t delta_bytes; /* of the span before */
	bool saves_fp; /* from somewhere before here on */
	bool owns_fp; /* rbp is the function's own, at CFA - 16 */
};

/* Cut to the interval. */
static int put(struct frame *self, uint64_t vaddr, uint64_t rule)
{
	vaddr = max_of(vaddr, self->low);
	if (vaddr >= self->high ||
	    (self->rows->cnt > 0 && vaddr < self->rows->at[self->rows->cnt - 1].vaddr))
		return 0;
	return rows__add(self->rows, vaddr, rule);
}

/* Bytes of "op disp(%rsp),%rbp" or the other way round (48 op, modrm, sib, disp); 0: it is another one. */
static uint32_t rsp_rbp_bytes(const uint8_t *code, uint8_t op)
{
	if (code[0] != 0x48 || code[1] != op || code[3] != 0x24)
		return 0;
	switch (code[2]) {
	case 0x2c: return 4;
	case 0x6c: return 5;
	case 0xac: return 8;
	default: return 0;
	}
}

#define OP_STORE 0x89
#define OP_LEA	 0x8d
#define BEFORE	 7 /* bytes of code that are looked at before a span */
#define AFTER	 16

/* The frame begins with this span: where is rbp saved, from where is it the function's own? */
static void see_setup(const struct frame *self, const struct go_span *span, uint64_t *ret_saved,
		      uint64_t *ret_own)
{
	static const uint8_t set_fp[] = { 0x48, 0x89, 0xe5 }; /* mov %rsp,%rbp */
	uint8_t bytes[BEFORE + AFTER] = { 0 };
	const uint8_t *code = bytes + BEFORE;
	uint32_t store, lea;

	go_table__code(self->table, span->vaddr - BEFORE, bytes, sizeof(bytes));
	store = rsp_rbp_bytes(code, OP_STORE);
	if (code[-1] == 0x55 && span->delta_bytes == 8) { /* push %rbp */
		*ret_saved = span->vaddr;
		if (memcmp(code, set_fp, sizeof(set_fp)) == 0)
			*ret_own = span->vaddr + sizeof(set_fp);
	} else if (store) {
		*ret_saved = span->vaddr + store;
		lea = rsp_rbp_bytes(code + store, OP_LEA);
		if (lea)
			*ret_own = *ret_saved + lea;
	}
}

static uint64_t rule_here(const struct frame *self, int64_t delta_bytes)
{
	if (self->kind == GO_SWITCHES)
		return self->owns_fp ? rule_make(PP_CFA_SWITCH, REG_RBP, 16, PP_FP_AT_CFA, -16, 0) :
				       RULE_UNSUPPORTED;
	return rule_make(PP_CFA_REG, REG_RSP, delta_bytes + 8,
			 self->saves_fp ? PP_FP_AT_CFA : PP_FP_SAME, self->saves_fp ? -16 : 0, 0);
}

static int add_setup(struct frame *self, const struct go_span *span)
{
	uint64_t plain = RULE_RSP(span->delta_bytes + 8), saved = UINT64_MAX, own = UINT64_MAX;
	int err = 0;

	see_setup(self, span, &saved, &own);
	if (saved == UINT64_MAX) /* the way back into the frame, behind a return */
		return put(self, span->vaddr, rule_here(self, span->delta_bytes));
	if (saved > span->vaddr)
		err = put(self, span->vaddr, plain);
	self->saves_fp = true;
	self->owns_fp |= own != UINT64_MAX;
	if (self->kind == GO_SWITCHES && own != UINT64_MAX) {
		if (!err && saved < span->end_vaddr)
			err = put(self, saved,
				  rule_make(PP_CFA_REG, REG_RSP, span->delta_bytes + 8,
					    PP_FP_AT_CFA, -16, 0));
		saved = own;
	}
	if (!err && saved < span->end_vaddr)
		err = put(self, saved, rule_here(self, span->delta_bytes));
	return err;
}

/* Before Go 1.21, rbp is loaded before rsp goes back: for one instruction it is the caller's already. */
static int add_teardown(struct frame *self, const struct go_span *span)
{
	uint8_t code[BEFORE] = { 0 };
	uint32_t len = 0;

	go_table__code(self->table, span->vaddr - BEFORE, code, sizeof(code));
	if (memcmp(code + BEFORE - 4, "\x48\x83\xc4", 3) == 0)
		len = 4;
	else if (memcmp(code, "\x48\x81\xc4", 3) == 0)
		len = 7;
	return len ? put(self, span->vaddr - len, RULE_RSP(self->delta_bytes + 8)) : 0;
}

static int add_span(void *arg, const struct go_span *span)
{
	struct frame *self = arg;
	int64_t delta = span->delta_bytes;
	int err = 0;

	if (delta < 0 || delta % 8 != 0 || delta > PP_RULE_CFA_MAX - 8) {
		err = put(self, span->vaddr, RULE_UNSUPPORTED);
	} else if (delta == 0) {
		if (self->kind == GO_SWITCHES && self->delta_bytes > 0)
			err = add_teardown(self, span);
		if (!err)
			err = put(self, span->vaddr, RULE_RSP(8));
	} else if (self->delta_bytes == 0) {
		err = add_setup(self, span);
	} else {
		err = put(self, span->vaddr, rule_here(self, delta));
	}
	self->delta_bytes = delta;
	self->at = span->end_vaddr;
	return err;
}

/* Stops with 1 at the first frame that is made. */
static int find_setup(void *arg, const struct go_span *span)
{
	struct go_span *found = arg;

	if (span->delta_bytes <= 0)
		return 0;
	*found = *span;
	return 1;
}

/* What holds all over the function; false: it goes by its spans. */
static bool is_uniform(struct frame *self, const struct go_func *func, uint64_t *ret_rule)
{
	uint64_t saved = UINT64_MAX, own = UINT64_MAX;
	struct go_span setup;

	if (self->kind == GO_SWITCHES || self->kind == GO_KEEPS_FP) {
		if (go_table__each_span(self->table, func, find_setup, &setup) == 1)
			see_setup(self, &setup, &saved, &own);
		if (own == UINT64_MAX && self->kind == GO_SWITCHES)
			self->kind = GO_OPAQUE;
		else if (own != UINT64_MAX)
			self->kind = GO_SWITCHES;
	}
	switch (self->kind) {
	case GO_END: *ret_rule = RULE_END; return true;
	case GO_OPAQUE: *ret_rule = RULE_UNSUPPORTED; return true;
	case GO_KEEPS_FP: *ret_rule = RULE_BY_FP; return true;
	default: return false;
	}
}

int go_frame__rows(struct gopclntab *self, const struct unwind_code *code,
		   const struct go_func *func, uint64_t low_vaddr, uint64_t high_vaddr,
		   struct rows *rows)
{
	struct frame frame = {
		.table = self,
		.kind = classify(self, code, func),
		.low = low_vaddr,
		.high = high_vaddr,
		.rows = rows,
		.at = func->vaddr,
	};
	uint64_t rule;
	int err;

	if (is_uniform(&frame, func, &rule))
		return put(&frame, func->vaddr, rule);
	err = go_table__each_span(self, func, add_span, &frame);
	/* the rest is not known: the table has none for this function, or is damaged */
	if (err == -ENOENT || err == -EBADMSG)
		err = put(&frame, frame.at, PP_RULE_NONE);
	return err;
}

int go_frame__fits(struct gopclntab *self, const struct go_func *func)
{
	uint8_t code[BEFORE];
	struct go_span setup;

	if (go_table__each_span(self, func, find_setup, &setup) != 1 ||
	    setup.vaddr < func->vaddr + 1)
		return -ENOENT;
	memset(code, 0, sizeof(code));
	go_table__code(self, setup.vaddr - BEFORE, code, sizeof(code));
	return (code[BEFORE - 1] & 0xf8) == 0x50 || /* push */
	       memcmp(code + BEFORE - 4, "\x48\x83\xec", 3) == 0 || /* sub $imm8,%rsp */
	       memcmp(code + BEFORE - 4, "\x48\x83\xc4", 3) == 0 || /* add $-128,%rsp */
	       memcmp(code, "\x48\x81\xec", 3) == 0; /* sub $imm32,%rsp */
}

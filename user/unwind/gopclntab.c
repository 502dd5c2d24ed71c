/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Go's own table of functions (the runtime walks stacks by it, so it is in every Go program, stripped or not):
 * how far rsp has moved at each pc, and which functions end a stack or write rsp. Where the frame pointer is
 * saved is seen in the code: go_frame.c. Headers of Go 1.2, 1.16, 1.18 and 1.20. Hostile: every offset is
 * checked against the table's bounds when it is used, a function that is damaged is a gap.
 * Source: src/runtime/symtab.go, src/internal/abi/symtab.go, "Go 1.2 Runtime Symbol Information".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "go_table.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"

#define MAGIC_1_2      0xfffffffbu
#define MAGIC_1_16     0xfffffffau
#define MAGIC_1_18     0xfffffff0u
#define MAGIC_1_20     0xfffffff1u

#define FUNCS_MAX      (1u << 24)
#define PCSP_BYTES_MAX (1u << 18) /* of one function */
#define PROBES	       64 /* functions that are compared with their code */

/* Where things stand in a version's header and functions. */
struct go_layout {
	uint32_t magic;
	uint8_t text_at; /* 0: the function table has whole addresses */
	uint8_t names_at; /* 0: all offsets are from the table's begin */
	uint8_t pcs_at;
	uint8_t funcs_at;
	uint8_t header_bytes;
	uint8_t pc_bytes; /* of an entry of the function table: pc, offset, both of this size */
	uint8_t name_at; /* in a function */
	uint8_t pcsp_at;
	uint8_t flag_at; /* 0: none */
};

static const struct go_layout layouts[] = {
	{ MAGIC_1_2, 0, 0, 0, 0, 16, 8, 8, 20, 0 },
	{ MAGIC_1_16, 0, 24, 48, 56, 64, 8, 8, 20, 41 },
	{ MAGIC_1_18, 24, 32, 56, 64, 72, 4, 4, 16, 37 },
	{ MAGIC_1_20, 24, 32, 56, 64, 72, 4, 4, 16, 41 },
};

#define WINDOW_BYTES 4096
/* A part of the file, read ahead. */
struct window {
	uint64_t off;
	size_t len;
	uint8_t bytes[WINDOW_BYTES];
};

struct gopclntab {
	const struct unwind_code *code;
	const struct go_layout *layout;
	uint64_t off; /* the table in the file */
	uint64_t end_off;
	uint64_t vaddr; /* where it is loaded */
	uint64_t text_vaddr; /* added to pcs of the function table */
	uint64_t func_cnt;
	uint64_t functab_off;
	uint64_t funcs_off;
	uint64_t pcs_off;
	uint64_t names_off;
	struct window functab;
	struct window funcs;
	struct window pcs;
	struct window names;
	struct window text; /* off: vaddr */
};

/* len bytes (less than a window) at off, inside the table. NULL: outside, or unreadable. */
static const uint8_t *peek(const struct gopclntab *self, struct window *window, uint64_t off,
			   size_t len)
{
	if (off < self->off || off >= self->end_off || len > self->end_off - off)
		return NULL;
	if (off < window->off || off - window->off > window->len ||
	    window->len - (off - window->off) < len) {
		window->off = off;
		window->len = min_of(self->end_off - off, (uint64_t)WINDOW_BYTES);
		if (elf_image__read(self->code->image, off, window->bytes, window->len)) {
			window->len = 0;
			return NULL;
		}
	}
	return window->bytes + (off - window->off);
}

static uint64_t get_le(const uint8_t *bytes, size_t len)
{
	uint64_t value = 0;

	while (len--)
		value = value << 8 | bytes[len];
	return value;
}

/* Number i of the function table: its pc and the file offset of its function. */
static int read_entry(struct gopclntab *self, uint64_t i, uint64_t *ret_vaddr,
		      uint64_t *ret_func_off)
{
	size_t bytes = self->layout->pc_bytes;
	const uint8_t *entry = peek(self, &self->functab, self->functab_off + 2 * bytes * i,
				    i < self->func_cnt ? 2 * bytes : bytes);

	if (!entry)
		return -EBADMSG;
	*ret_vaddr = self->text_vaddr + get_le(entry, bytes);
	if (i < self->func_cnt &&
	    __builtin_add_overflow(self->funcs_off, get_le(entry + bytes, bytes), ret_func_off))
		return -EBADMSG;
	return 0;
}

int go_table__func(struct gopclntab *self, uint64_t i, struct go_func *ret_func)
{
	const struct go_layout *layout = self->layout;
	struct go_func func = { 0 };
	const uint8_t *bytes;
	uint64_t func_off = 0, none;
	int err;

	err = read_entry(self, i, &func.vaddr, &func_off);
	if (!err)
		err = read_entry(self, i + 1, &func.end_vaddr, &none);
	if (err)
		return err;
	if (func.end_vaddr <= func.vaddr)
		return -EBADMSG;
	*ret_func = func;
	bytes = peek(self, &self->funcs, func_off, 44);
	if (!bytes)
		return 0; /* a place without rows */
	func.pcsp_off = get_le(bytes + layout->pcsp_at, 4);
	func.pcsp_off = func.pcsp_off ? self->pcs_off + func.pcsp_off : 0;
	func.name_off = self->names_off + get_le(bytes + layout->name_at, 4);
	func.flag = layout->flag_at ? bytes[layout->flag_at] : 0;
	*ret_func = func;
	return 0;
}

void go_table__name(struct gopclntab *self, const struct go_func *func, char *name,
		    size_t name_bytes)
{
	uint64_t left = func->name_off < self->end_off ? self->end_off - func->name_off : 0;
	size_t len = min_of(left, (uint64_t)name_bytes - 1);
	const uint8_t *bytes = peek(self, &self->names, func->name_off, len);

	pp_assert(name_bytes < WINDOW_BYTES);
	memset(name, 0, name_bytes);
	if (bytes)
		memcpy(name, bytes, len);
}

/* LEB128 of at most 32 bits. 0 or -EBADMSG. */
static int read_varint(struct gopclntab *self, uint64_t *off, uint32_t *ret_value)
{
	uint32_t value = 0;

	for (uint32_t shift = 0; shift < 35; shift += 7) {
		const uint8_t *byte = peek(self, &self->pcs, (*off)++, 1);

		if (!byte)
			return -EBADMSG;
		value |= (uint32_t)(*byte & 0x7f) << shift;
		if (!(*byte & 0x80)) {
			*ret_value = value;
			return 0;
		}
	}
	return -EBADMSG;
}

int go_table__each_span(struct gopclntab *self, const struct go_func *func, go_span_fn fn,
			void *arg)
{
	struct go_span span = { .vaddr = func->vaddr, .delta_bytes = -1 };
	uint64_t off = func->pcsp_off;
	uint32_t value, pc;
	int err;

	if (off == 0)
		return -ENOENT;
	while (off - func->pcsp_off < PCSP_BYTES_MAX && span.vaddr < func->end_vaddr) {
		err = read_varint(self, &off, &value);
		if (err)
			return err;
		if (value == 0 && span.vaddr != func->vaddr)
			return 0;
		err = read_varint(self, &off, &pc);
		if (err || pc == 0)
			return -EBADMSG;
		span.delta_bytes += (int32_t)(value >> 1) ^ -(int32_t)(value & 1);
		span.end_vaddr = min_of(span.vaddr + pc, func->end_vaddr);
		err = fn(arg, &span);
		if (err)
			return err;
		span.vaddr = span.end_vaddr;
	}
	return 0;
}

bool go_table__has_flags(const struct gopclntab *self)
{
	return self->layout->text_at != 0; /* magic of 1.16 stands for 1.17 too, which has them */
}

void go_table__code(struct gopclntab *self, uint64_t vaddr, uint8_t *code, size_t len)
{
	struct window *window = &self->text;

	if (vaddr - window->off >= window->len || window->len - (vaddr - window->off) < len) {
		window->off = vaddr;
		window->len =
			unwind_code__read(self->code, vaddr, window->bytes, sizeof(window->bytes));
	}
	memcpy(code, window->bytes + (vaddr - window->off), min_of(len, window->len));
}

/* The last function that begins at or below vaddr; 0 if all are above. */
static uint64_t find_func(struct gopclntab *self, uint64_t vaddr)
{
	uint64_t low = 0, high = self->func_cnt, at, none;

	while (high - low > 1) {
		uint64_t mid = low + (high - low) / 2;

		if (read_entry(self, mid, &at, &none) || at > vaddr)
			high = mid;
		else
			low = mid;
	}
	return low;
}

int go_table__find(struct gopclntab *self, uint64_t vaddr, struct go_func *ret_func)
{
	struct go_func func;

	if (go_table__func(self, find_func(self, vaddr), &func) || vaddr < func.vaddr ||
	    vaddr >= func.end_vaddr)
		return -ENOENT;
	*ret_func = func;
	return 0;
}

int gopclntab__rows(struct gopclntab *self, uint64_t low_vaddr, uint64_t high_vaddr,
		    struct rows *rows)
{
	struct go_func func;
	uint64_t at = low_vaddr;
	int err;

	rows->cnt = 0;
	err = rows__add(rows, low_vaddr, PP_RULE_NONE);
	for (uint64_t i = find_func(self, low_vaddr); i < self->func_cnt && !err; i++) {
		/* a table that goes back in its order is damaged: nothing is believed from there on */
		if (go_table__func(self, i, &func) || func.vaddr >= high_vaddr ||
		    (func.vaddr < at && at != low_vaddr))
			break;
		at = func.end_vaddr;
		if (at > low_vaddr)
			err = go_frame__rows(self, self->code, &func, low_vaddr, high_vaddr, rows);
	}
	if (!err && at > low_vaddr && at < high_vaddr)
		err = rows__add(rows, at, PP_RULE_NONE);
	return err;
}

bool go_table__begins(const uint8_t bytes[GO_TABLE_BEGIN_BYTES])
{
	uint32_t magic = (uint32_t)get_le(bytes, 4);

	/* two zeros, bytes of the smallest instruction, bytes of a pointer */
	if (bytes[4] != 0 || bytes[5] != 0 || bytes[6] != 1 || bytes[7] != 8)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].magic == magic)
			return true;
	return false;
}

static int read_header(struct gopclntab *self)
{
	const struct go_layout *layout = layouts;
	const uint8_t *bytes = peek(self, &self->functab, self->off, GO_TABLE_BEGIN_BYTES);

	if (!bytes || !go_table__begins(bytes))
		return -EBADMSG;
	while (layout->magic != get_le(bytes, 4))
		layout++;
	bytes = peek(self, &self->functab, self->off, layout->header_bytes);
	if (!bytes)
		return -EBADMSG;
	self->layout = layout;
	self->func_cnt = get_le(bytes + 8, 8);
	self->names_off = self->pcs_off = self->funcs_off = self->off;
	self->functab_off = self->off + layout->header_bytes;
	if (layout->names_at) {
		/* wrapped sums are outside of the table, and refused when they are used */
		self->names_off += get_le(bytes + layout->names_at, 8);
		self->pcs_off += get_le(bytes + layout->pcs_at, 8);
		self->funcs_off += get_le(bytes + layout->funcs_at, 8);
		self->functab_off = self->funcs_off;
	}
	return self->func_cnt > 0 && self->func_cnt <= FUNCS_MAX ? 0 : -EBADMSG;
}

/* With this text_vaddr, is the code what the table says? Looks at functions from all over the program. */
static bool fits(struct gopclntab *self, uint64_t text_vaddr)
{
	uint32_t seen = 0, right = 0;
	struct go_func func;
	uint64_t end, none;

	self->text_vaddr = text_vaddr;
	if (read_entry(self, 0, &func.vaddr, &none) ||
	    read_entry(self, self->func_cnt, &end, &none) || end <= func.vaddr ||
	    !unwind_code__find(self->code, func.vaddr) || !unwind_code__find(self->code, end - 1))
		return false;
	for (uint64_t i = 0; i < PROBES; i++) {
		int fit = go_table__func(self, i * self->func_cnt / PROBES, &func);

		if (!fit)
			fit = go_frame__fits(self, &func);
		seen += fit >= 0;
		right += fit > 0;
	}
	return right > 0 && right >= seen - seen / 4;
}

/* text, in the runtime's moduledata, which has a section of its own since Go 1.26 */
#define MODULE_TEXT_AT (22 * 8)

static int find_text(struct gopclntab *self)
{
	const struct elf_image *image = self->code->image;
	uint64_t module;

	if (!self->layout->text_at)
		return fits(self, 0) ? 0 : -EBADMSG;
	if (fits(self, go_find__pointer(image, self->vaddr + self->layout->text_at)))
		return 0;
	module = go_find__section(image, ".go.module");
	if (module && fits(self, go_find__pointer(image, module + MODULE_TEXT_AT)))
		return 0;
	return fits(self, go_find__section(image, ".text")) ? 0 : -EBADMSG;
}

static int try_place(void *arg, const struct go_place *place)
{
	struct gopclntab *self = arg;
	const struct unwind_code *code = self->code;
	int err;

	memset(self, 0, sizeof(*self));
	self->code = code;
	self->off = place->off;
	self->end_off = place->end_off;
	self->vaddr = place->vaddr;
	err = read_header(self);
	return err ? err : find_text(self);
}

int gopclntab__open(const struct unwind_code *code, struct gopclntab **ret_table)
{
	struct gopclntab *table = calloc(1, sizeof(*table));
	int err;

	if (!table)
		return -ENOMEM;
	table->code = code;
	err = go_find__table(code->image, try_place, table);
	if (err) {
		free(table);
		return err;
	}
	*ret_table = table;
	return 0;
}

void gopclntab__close(struct gopclntab *self)
{
	free(self);
}

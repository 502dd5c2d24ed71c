/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Drops the gaps between functions that are nothing but padding: it is never executed, so the rule before it
 * may as well go on, and mostly it is the next function's first rule too. Known by its bytes (nops of any
 * length, int3), never by being short: a gap that holds other code stays one.
 */
#include <string.h>

#include "pp/base/cleanup.h"
#include "rows.h"

#define PADDING_MAX  64 /* alignment of functions */
#define WINDOW_BYTES 4096

struct window {
	uint64_t vaddr;
	size_t len;
	uint8_t bytes[WINDOW_BYTES];
};

/* Bytes of the nop or int3 that begins here, 0 if there is none. Intel SDM 2, NOP: recommended sequences. */
static size_t filler_bytes(const uint8_t *code, size_t len)
{
	static const struct {
		uint8_t modrm;
		uint8_t bytes;
	} long_nops[] = { { 0x00, 3 }, { 0x40, 4 }, { 0x44, 5 }, { 0x80, 7 }, { 0x84, 8 } };
	size_t at = 0;

	while (at < len && (code[at] == 0x66 || code[at] == 0x2e)) /* prefixes */
		at++;
	if (at < len && (code[at] == 0x90 || code[at] == 0xcc))
		return at + 1;
	if (at + 3 > len || code[at] != 0x0f || code[at + 1] != 0x1f)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(long_nops); i++)
		if (code[at + 2] == long_nops[i].modrm && at + long_nops[i].bytes <= len)
			return at + long_nops[i].bytes;
	return 0;
}

static bool is_padding(struct window *window, const struct unwind_code *code, uint64_t vaddr,
		       uint64_t end_vaddr)
{
	size_t len = end_vaddr - vaddr, step;
	const uint8_t *at;

	if (len > PADDING_MAX)
		return false;
	if (vaddr < window->vaddr || vaddr - window->vaddr >= window->len ||
	    window->len - (vaddr - window->vaddr) < len) {
		window->vaddr = vaddr;
		window->len = unwind_code__read(code, vaddr, window->bytes, sizeof(window->bytes));
	}
	if (window->len - (vaddr - window->vaddr) < len)
		return false;
	for (at = window->bytes + (vaddr - window->vaddr); len > 0; at += step, len -= step) {
		step = filler_bytes(at, len);
		if (step == 0)
			return false;
	}
	return true;
}

int rows__close_padding(struct rows *self, const struct rows *from, const struct unwind_code *code)
{
	struct window window = { 0 };
	int err = 0;

	self->cnt = 0;
	for (size_t i = 0; i < from->cnt && !err; i++) {
		const struct elf_cfi_row *row = &from->at[i];
		uint64_t rule = row->rule == RULE_BY_FP ? PP_RULE_NONE : row->rule;

		if (row->rule != PP_RULE_NONE || i == 0 || i + 1 == from->cnt ||
		    !is_padding(&window, code, row->vaddr, row[1].vaddr))
			err = rows__add(self, row->vaddr, rule);
	}
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_TESTS_MADE_GO_H
#define PP_TESTS_MADE_GO_H
/*
 * A small Go program in memory: functions of 64 bytes with the prologues of Go's compiler, and the table of
 * them as the four versions of its format have it.
 */
#include "made_go_funcs.h"
#include "made_program.h"

#define GO_TEXT_OFF   0x10000
#define GO_TEXT_BYTES 0x1000
#define GO_TABLE_OFF  0x20000
static inline uint64_t made_go__vaddr(uint32_t func, uint64_t behind)
{
	return MADE_VADDR + GO_TEXT_OFF + (uint64_t)func * GO_FUNC_BYTES + behind;
}

struct made_table {
	uint8_t *bytes;
	uint64_t len;
};

static inline void made_table__put(struct made_table *self, uint64_t at, uint64_t value, int len)
{
	for (int i = 0; i < len; i++)
		self->bytes[at + (uint64_t)i] = (uint8_t)(value >> (8 * i));
}

static inline void made_table__varint(struct made_table *self, uint32_t value)
{
	for (; value >= 0x80; value >>= 7)
		self->bytes[self->len++] = (uint8_t)(value | 0x80);
	self->bytes[self->len++] = (uint8_t)value;
}

/* pcsp of one function; returns its place in the table */
static inline uint64_t made_table__spans(struct made_table *self, const struct made_func *func)
{
	uint64_t at = self->len;
	int32_t delta = -1;
	uint32_t pc = 0;

	if (func->spans[0].end == 0)
		return 0;
	for (int i = 0; i < 6 && func->spans[i].end; i++) {
		int32_t step = func->spans[i].delta - delta;

		made_table__varint(self, ((uint32_t)step << 1) ^ (uint32_t)(step >> 31));
		made_table__varint(self, func->spans[i].end - pc);
		delta = func->spans[i].delta;
		pc = func->spans[i].end;
	}
	self->bytes[self->len++] = 0;
	return at;
}

/* version: 2, 16, 18, 20 */
static inline void made_go__fill(struct made_program *elf, int version)
{
	static const uint32_t magics[] = {
		[2] = 0xfffffffb, [16] = 0xfffffffa, [18] = 0xfffffff0, [20] = 0xfffffff1
	};
	struct made_table table = { .bytes = elf->bytes + GO_TABLE_OFF };
	int wide = version < 18 ? 8 : 4, after_text = version < 18 ? 0 : 8;
	uint64_t names = 0x100, pcs = 0x400, funcs = version == 2 ? 16 : 0x800,
		 base = version == 2 ? 0 : funcs;
	uint64_t func_at = funcs + 2 * (uint64_t)wide * MADE_FUNC_CNT + 16, name_at = names;

	memset(table.bytes, 0, 0x2000);
	if (version == 2) { /* one address space for all */
		names = pcs = 0;
		name_at = 0x600;
	}
	made_table__put(&table, 0, magics[version], 4);
	made_table__put(&table, 4, 0x08010000, 4);
	made_table__put(&table, 8, MADE_FUNC_CNT, 8);
	if (version >= 18)
		made_table__put(&table, 24, MADE_VADDR + GO_TEXT_OFF, 8);
	if (version >= 16) {
		made_table__put(&table, 24 + (uint64_t)after_text, names, 8);
		made_table__put(&table, 48 + (uint64_t)after_text, pcs, 8);
		made_table__put(&table, 56 + (uint64_t)after_text, funcs, 8);
	}
	table.len = pcs ? pcs + 1 : 0xa00;
	for (uint32_t i = 0; i <= MADE_FUNC_CNT; i++) {
		const struct made_func *func = &made_funcs[i % MADE_FUNC_CNT];
		uint64_t pc = version < 18 ? made_go__vaddr(i, 0) : (uint64_t)i * GO_FUNC_BYTES;
		uint64_t entry = funcs + 2 * (uint64_t)wide * i;
		uint64_t spans;

		made_table__put(&table, entry, pc, wide);
		if (i == MADE_FUNC_CNT)
			break;
		made_program__put(elf, GO_TEXT_OFF + (uint64_t)i * GO_FUNC_BYTES, func->code,
				  func->code_len);
		made_table__put(&table, entry + (uint64_t)wide, func_at - base, wide);
		spans = made_table__spans(&table, func);
		made_table__put(&table, func_at, pc, wide);
		made_table__put(&table, func_at + (uint64_t)wide, name_at - names, 4);
		made_table__put(&table, func_at + (uint64_t)wide + 12, spans ? spans - pcs : 0, 4);
		if (version >= 18)
			table.bytes[func_at + (version == 18 ? 37 : 41)] = func->flag;
		memcpy(table.bytes + name_at, func->name, strlen(func->name) + 1);
		name_at += strlen(func->name) + 1;
		func_at += 48;
	}
}

static inline void made_go__init(struct made_program *elf, int version)
{
	made_program__init(elf);
	made_program__segment(elf, GO_TEXT_OFF, GO_TEXT_BYTES, PF_R | PF_X);
	made_program__segment(elf, GO_TABLE_OFF, 0x2000, PF_R);
	made_program__section(elf, ".text", GO_TEXT_OFF, GO_TEXT_BYTES, SHF_EXECINSTR);
	made_program__section(elf, ".gopclntab", GO_TABLE_OFF, 0x2000, 0);
	made_go__fill(elf, version);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the symbols of a few sorted addresses in one pass over a table of any size and order. Each slot
 * (asked address) keeps two candidates:
 *
 *   cover  the symbol with the greatest start whose own size reaches over the address;
 *   start  the symbol with the greatest start at or before it, of any size. While the pass runs it is
 *          kept only in the first slot at or after the symbol; afterwards slots without one inherit from
 *          the slot before. It answers for hand-written code without sizes: if it has none itself, it
 *          reaches to the next symbol, and at most to the end of its section.
 *
 * Aliases (same start) are decided by binding, size and name, never by their order in the file. What a
 * hostile table can cost is bounded by two budgets.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

/* The first slot at or after vaddr. */
static uint32_t first_slot(const struct lookup *self, uint64_t vaddr)
{
	uint32_t low = 0, high = self->cnt;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (self->slots[mid].vaddr < vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

uint32_t addrs__not_below(const uint64_t *addrs, uint32_t cnt, uint64_t addr)
{
	uint32_t low = 0, high = cnt;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (addrs[mid] < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int symbol_name__compare(const char *a, const char *b)
{
	size_t a_under = strspn(a, "_"), b_under = strspn(b, "_");
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_under != b_under)
		return a_under < b_under ? -1 : 1;
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return strcmp(a, b);
}

static bool has_nicer_name(struct lookup *self, const struct elf_symbol *symbol,
			   const struct elf_symbol *best)
{
	char name[ELF_NAME_BYTES], best_name[ELF_NAME_BYTES];

	if (symbol->name_off == best->name_off || self->name_budget == 0)
		return false;
	self->name_budget--;
	if (elf_image__symbol_name(self->image, symbol, name))
		return false;
	if (elf_image__symbol_name(self->image, best, best_name))
		return true;
	return symbol_name__compare(name, best_name) < 0;
}

static bool is_better_cover(struct lookup *self, const struct elf_symbol *symbol,
			    const struct elf_symbol *best)
{
	if (symbol->vaddr != best->vaddr)
		return symbol->vaddr > best->vaddr;
	if (symbol->rank != best->rank)
		return symbol->rank < best->rank;
	if (symbol->size != best->size)
		return symbol->size > best->size;
	return has_nicer_name(self, symbol, best);
}

static bool is_better_start(struct lookup *self, const struct elf_symbol *symbol,
			    const struct elf_symbol *best)
{
	if (symbol->vaddr != best->vaddr)
		return symbol->vaddr > best->vaddr;
	/* one with a size says where the function ends, so an alias without must not reach further */
	if ((symbol->size > 0) != (best->size > 0))
		return symbol->size > 0;
	if (symbol->reach_vaddr != best->reach_vaddr) /* .symtab before .dynsym */
		return symbol->reach_vaddr > best->reach_vaddr;
	if (symbol->rank != best->rank)
		return symbol->rank < best->rank;
	return symbol->size == 0 && has_nicer_name(self, symbol, best);
}

static int note_symbol(void *arg, const struct elf_symbol *symbol)
{
	struct lookup *self = arg;
	uint32_t i = first_slot(self, symbol->vaddr);

	if (i == self->cnt)
		return 0;
	if (!self->slots[i].has_start || is_better_start(self, symbol, &self->slots[i].start)) {
		self->slots[i].start = *symbol;
		self->slots[i].has_start = true;
	}
	for (; i < self->cnt && self->slots[i].vaddr - symbol->vaddr < symbol->size; i++) {
		struct lookup_slot *slot = &self->slots[i];

		if (self->cover_budget-- == 0)
			return -EBADMSG;
		if (!slot->is_covered || is_better_cover(self, symbol, &slot->cover)) {
			slot->cover = *symbol;
			slot->is_covered = true;
		}
	}
	return 0;
}

int lookup__run(struct lookup *self)
{
	int err = elf_image__each_symbol(self->image, note_symbol, self);

	if (err)
		return err;
	for (uint32_t i = 1; i < self->cnt; i++) {
		if (!self->slots[i].has_start && self->slots[i - 1].has_start) {
			self->slots[i].start = self->slots[i - 1].start;
			self->slots[i].has_start = true;
		}
	}
	return 0;
}

const struct elf_symbol *lookup_slot__symbol(const struct lookup_slot *self)
{
	if (self->is_covered)
		return &self->cover;
	if (self->has_start && self->start.size == 0 && self->vaddr < self->start.reach_vaddr)
		return &self->start;
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows of one 64 KiB page: gathered, laid over each other, packed for keeping, written as the window that
 * programs search (an index of where each KiB begins, then the rows), and searched as they do. A packed page
 * begins with a row at its first byte, so a search always finds one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/hash.h"
#include "pp/base/vec.h"
#include "rows.h"

void rows__clear(struct rows *self)
{
	free(self->at);
	memset(self, 0, sizeof(*self));
}

int rows__add(struct rows *self, uint64_t vaddr, uint64_t rule)
{
	int err;

	pp_assert(self->cnt == 0 || vaddr >= self->at[self->cnt - 1].vaddr);
	if (self->cnt > 0 && self->at[self->cnt - 1].vaddr == vaddr)
		self->cnt--;
	if (self->cnt > 0 && self->at[self->cnt - 1].rule == rule)
		return 0;
	if (self->cnt == self->cap) {
		err = vec_room(self->at, self->cnt + 1, self->cap, PP_PAGE_ROWS_MAX);
		if (err)
			return err;
	}
	self->at[self->cnt++] = (struct elf_cfi_row){ .vaddr = vaddr, .rule = rule };
	return 0;
}

int rows__lay(struct rows *self, const struct rows *over, const struct rows *under)
{
	uint64_t over_rule = PP_RULE_NONE, under_rule = PP_RULE_NONE;
	size_t i = 0, j = 0;
	int err = 0;

	self->cnt = 0;
	while (!err && (i < over->cnt || j < under->cnt)) {
		uint64_t vaddr = UINT64_MAX;

		if (i < over->cnt)
			vaddr = over->at[i].vaddr;
		if (j < under->cnt)
			vaddr = min_of(vaddr, under->at[j].vaddr);
		if (i < over->cnt && over->at[i].vaddr == vaddr)
			over_rule = over->at[i++].rule;
		if (j < under->cnt && under->at[j].vaddr == vaddr)
			under_rule = under->at[j++].rule;
		err = rows__add(self, vaddr, over_rule != PP_RULE_NONE ? over_rule : under_rule);
	}
	return err;
}

bool rows__has_gap(const struct rows *self)
{
	for (size_t i = 0; i < self->cnt; i++)
		if (self->at[i].rule == PP_RULE_NONE)
			return true;
	return self->cnt == 0;
}

struct unwind_page *unwind_page__new(uint32_t row_cnt, uint32_t rule_cnt)
{
	size_t rules_off = (sizeof(struct unwind_page) + row_cnt * sizeof(uint32_t) + 7) / 8 * 8;
	struct unwind_page *page = malloc(rules_off + rule_cnt * sizeof(uint64_t));

	if (!page)
		return NULL;
	page->row_cnt = row_cnt;
	page->rule_cnt = rule_cnt;
	page->callers_by_fp = false;
	page->rules = (uint64_t *)(void *)((char *)page + rules_off);
	return page;
}

/* Distinct rules in order of first use; open addressing, at most half full. */
struct rule_set {
	uint32_t cnt;
	uint32_t mask; /* of slots */
	uint16_t *slots; /* number in rules + 1; 0: empty */
	uint64_t *rules;
};

static int rule_set__init(struct rule_set *self, size_t rules_max)
{
	uint32_t slot_cnt = 16;

	while (slot_cnt < 2 * rules_max)
		slot_cnt *= 2;
	*self = (struct rule_set){
		.mask = slot_cnt - 1,
		.slots = calloc(slot_cnt, sizeof(*self->slots)),
		.rules = malloc(rules_max * sizeof(*self->rules)),
	};
	return self->slots && self->rules ? 0 : -ENOMEM;
}

static void rule_set__clear(struct rule_set *self)
{
	free(self->slots);
	free(self->rules);
}

static uint32_t rule_set__add(struct rule_set *self, uint64_t rule)
{
	uint32_t slot = (uint32_t)hash_u64(rule, 0) & self->mask;

	for (; self->slots[slot]; slot = (slot + 1) & self->mask)
		if (self->rules[self->slots[slot] - 1] == rule)
			return self->slots[slot] - 1u;
	self->rules[self->cnt++] = rule;
	self->slots[slot] = (uint16_t)self->cnt;
	return self->cnt - 1;
}

int unwind_page__pack(const struct rows *rows, struct unwind_page **ret_page)
{
	__cleanup(rule_set__clear) struct rule_set set = { 0 };
	_auto_free_ uint32_t *packed = NULL;
	struct unwind_page *page;
	int err;

	pp_assert(rows->cnt > 0 && rows->cnt <= PP_PAGE_ROWS_MAX);
	pp_assert(rows->at[0].vaddr % PP_PAGE_BYTES == 0);
	if (rows->cnt == 1 && rows->at[0].rule == PP_RULE_NONE) {
		*ret_page = NULL;
		return 0;
	}
	err = rule_set__init(&set, rows->cnt);
	packed = malloc(rows->cnt * sizeof(*packed));
	if (err || !packed)
		return -ENOMEM;
	for (size_t i = 0; i < rows->cnt; i++)
		packed[i] = PP_ROW(rows->at[i].vaddr, rule_set__add(&set, rows->at[i].rule));
	page = unwind_page__new((uint32_t)rows->cnt, set.cnt);
	if (!page)
		return -ENOMEM;
	memcpy(page->rows, packed, rows->cnt * sizeof(*packed));
	memcpy(page->rules, set.rules, set.cnt * sizeof(*set.rules));
	*ret_page = page;
	return 0;
}

void unwind_page__write(const struct unwind_page *self, const uint16_t *rule_ids, uint32_t *words)
{
	uint16_t index[2 * PP_INDEX_WORDS] = { 0 };
	uint32_t row = 0;

	_Static_assert(sizeof(index) == PP_INDEX_WORDS * sizeof(*words), "an index of u16");
	for (uint32_t kib = 0; kib < PP_PAGE_KIBS; kib++) {
		while (row + 1 < self->row_cnt && self->rows[row + 1] >> 16 <= kib << 10)
			row++;
		index[kib] = (uint16_t)row;
	}
	index[PP_PAGE_KIBS] = (uint16_t)(self->row_cnt - 1);
	memcpy(words, index, sizeof(index));
	for (uint32_t i = 0; i < self->row_cnt; i++)
		words[PP_INDEX_WORDS + i] = (self->rows[i] & 0xffff0000u) |
					    rule_ids[self->rows[i] & 0xffff];
}

uint64_t unwind_page__find(const struct unwind_page *self, uint64_t vaddr)
{
	uint32_t wanted = PP_ROW(vaddr, 0xffff), low = 0, high = self->row_cnt;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (self->rows[mid] <= wanted)
			low = mid;
		else
			high = mid;
	}
	return self->rules[self->rows[low] & 0xffff];
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules, host-wide: each distinct one stands once in the kernel's array, rows name it by a u16. They are not
 * counted by use: when the array is full, those that no loaded window names any more are found by looking
 * through all rows (windows.c), and their ids rest in quarantine like all memory.
 * Measured: 1,491 distinct rules in all of clang's 20 images; the array holds 16,383.
 */
#include <errno.h>

#include "tables.h"

static bool is_same_rule(const void *arg, uint32_t id, const void *key)
{
	const struct rules *self = arg;

	return self->rules[id] == *(const uint64_t *)key;
}

int rules__init(struct rules *self, uint64_t *rules)
{
	*self = (struct rules){ .rules = rules };
	hash_index__init(&self->by_rule, is_same_rule, self);
	rules[0] = PP_RULE_NONE;
	return extents__init(&self->ids, 1, PP_RULES_MAX - 1);
}

void rules__clear(struct rules *self)
{
	hash_index__clear(&self->by_rule);
	extents__clear(&self->ids);
}

void rules__reset(struct rules *self)
{
	hash_index__clear(&self->by_rule);
	extents__reset(&self->ids, 1, PP_RULES_MAX - 1);
	self->is_full = false;
}

int rules__intern(struct rules *self, uint64_t rule, uint16_t *ret_id, bool *ret_is_new)
{
	uint64_t hash = hash_u64(rule, 0);
	uint32_t id;
	int err;

	*ret_is_new = false;
	if (rule == PP_RULE_NONE) {
		*ret_id = 0;
		return 0;
	}
	if (!hash_index__find(&self->by_rule, hash, &rule, &id)) {
		*ret_id = (uint16_t)id;
		return 0;
	}
	err = extents__take(&self->ids, 1, &id);
	if (err) {
		self->is_full = true;
		return err;
	}
	err = hash_index__add(&self->by_rule, hash, id);
	if (err) {
		extents__give(&self->ids, id, 1);
		return err;
	}
	__atomic_store_n(&self->rules[id], rule, __ATOMIC_RELEASE);
	*ret_id = (uint16_t)id;
	*ret_is_new = true;
	return 0;
}

void rules__sweep(struct rules *self, const uint64_t *used)
{
	for (uint32_t id = 1; id < PP_RULES_MAX; id++) {
		uint64_t rule = self->rules[id];
		uint32_t known;

		if (used[id / 64] >> (id % 64) & 1 || rule == PP_RULE_NONE ||
		    hash_index__find(&self->by_rule, hash_u64(rule, 0), &rule, &known) ||
		    known != id)
			continue;
		(void)hash_index__del(&self->by_rule, hash_u64(rule, 0), &rule); /* it was found */
		extents__give(&self->ids, id, 1);
	}
	self->is_full = false;
}

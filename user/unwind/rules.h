/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_RULES_H
#define PP_UNWIND_RULES_H
/*
 * The kernel's array of rules and the ids of its elements.
 */
#include <stdbool.h>
#include <stdint.h>

#include "extent.h"
#include "pp/base/hash.h"

/* Rules that some window may name. */
struct rules {
	uint64_t *rules; /* the kernel's */
	struct extents ids;
	struct hash_index by_rule;
	bool is_full;
};
int rules__init(struct rules *self, uint64_t *rules);
void rules__clear(struct rules *self);
void rules__reset(struct rules *self); /* none is used any more */
/* *ret_id with the rule's id; *ret_is_new: nobody had it. 0, -ENOSPC, -ENOMEM. */
int rules__intern(struct rules *self, uint64_t rule, uint16_t *ret_id, bool *ret_is_new);
/* Forgets every rule whose bit is not set. */
void rules__sweep(struct rules *self, const uint64_t *used);

#endif

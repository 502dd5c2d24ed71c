/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_HASH_H
#define PP_BASE_HASH_H
/*
 * Hashing, and an index from keys to small numbers. The index stores only {hash, id}: the things
 * themselves stand in the caller's array, which also compares. Not a map of pointers.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);
uint64_t hash_u64(uint64_t value, uint64_t seed);

/* Does the thing number `id` equal `key`? `arg` is the caller's. */
typedef bool (*hash_eq_fn)(const void *arg, uint32_t id, const void *key);

struct hash_index {
	struct hash_slot *slots;
	uint32_t cap; /* power of two or 0 */
	uint32_t cnt;
	hash_eq_fn eq;
	const void *arg; /* borrowed */
};

void hash_index__init(struct hash_index *self, hash_eq_fn eq, const void *arg);
void hash_index__clear(struct hash_index *self);
/* Returns 0 or -ENOENT. */
int hash_index__find(const struct hash_index *self, uint64_t hash, const void *key,
		     uint32_t *ret_id);
/* The key must not be in it yet. Returns 0, -ENOMEM, -E2BIG (2^30 entries). */
int hash_index__add(struct hash_index *self, uint64_t hash, uint32_t id);
/* Returns 0 or -ENOENT. */
int hash_index__del(struct hash_index *self, uint64_t hash, const void *key);

#endif

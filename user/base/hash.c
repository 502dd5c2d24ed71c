/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hash functions (multiply and fold, in the manner of wyhash) and the index: open addressing with
 * linear probing, at most 3/4 full, deletion by moving later entries back, so that no tombstones
 * pile up. The functions are not a defence against keys made to collide; indexes are bounded by
 * their owners.
 */
#include "pp/base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENTRIES (1u << 30)
#define FIRST_CAP   16u
#define PRIME_A	    0xa0761d6478bd642full
#define PRIME_B	    0xe7037ed1a0b428dbull

struct hash_slot {
	uint32_t hash; /* 0: empty */
	uint32_t id;
};

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_u64(uint64_t value, uint64_t seed)
{
	return fold(fold(value ^ PRIME_A, seed ^ PRIME_B) ^ PRIME_B, value ^ PRIME_A ^ (seed << 1));
}

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *s = data;
	uint64_t h = seed ^ PRIME_A;
	uint64_t word;
	size_t left;

	for (left = len; left >= 8; left -= 8, s += 8) {
		memcpy(&word, s, 8);
		h = fold(h ^ word, PRIME_B ^ (h >> 32));
	}
	word = 0;
	if (left)
		memcpy(&word, s, left);
	h = fold(h ^ word, PRIME_B ^ (h >> 32));
	return fold(h ^ len, PRIME_A);
}

static uint32_t slot_hash(uint64_t hash)
{
	uint32_t h = (uint32_t)(hash ^ (hash >> 32));

	return h ? h : 1;
}

void hash_index__init(struct hash_index *self, hash_eq_fn eq, const void *arg)
{
	*self = (struct hash_index){ .eq = eq, .arg = arg };
}

void hash_index__clear(struct hash_index *self)
{
	free(self->slots);
	hash_index__init(self, self->eq, self->arg);
}

static struct hash_slot *find_slot(const struct hash_index *self, uint64_t hash, const void *key)
{
	uint32_t h = slot_hash(hash);
	uint32_t mask = self->cap - 1;

	if (!self->cap)
		return NULL;
	for (uint32_t i = h & mask; self->slots[i].hash; i = (i + 1) & mask) {
		struct hash_slot *slot = &self->slots[i];

		if (slot->hash == h && self->eq(self->arg, slot->id, key))
			return slot;
	}
	return NULL;
}

int hash_index__find(const struct hash_index *self, uint64_t hash, const void *key,
		     uint32_t *ret_id)
{
	const struct hash_slot *slot = find_slot(self, hash, key);

	if (!slot)
		return -ENOENT;
	*ret_id = slot->id;
	return 0;
}

static void put(struct hash_slot *slots, uint32_t cap, struct hash_slot entry)
{
	uint32_t i = entry.hash & (cap - 1);

	while (slots[i].hash)
		i = (i + 1) & (cap - 1);
	slots[i] = entry;
}

static int grow(struct hash_index *self)
{
	uint32_t cap = self->cap ? self->cap * 2 : FIRST_CAP;
	struct hash_slot *slots = calloc(cap, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < self->cap; i++) {
		if (self->slots[i].hash)
			put(slots, cap, self->slots[i]);
	}
	free(self->slots);
	self->slots = slots;
	self->cap = cap;
	return 0;
}

int hash_index__add(struct hash_index *self, uint64_t hash, uint32_t id)
{
	int err;

	if (self->cnt >= MAX_ENTRIES)
		return -E2BIG;
	if (self->cnt >= self->cap / 4 * 3) {
		err = grow(self);
		if (err)
			return err;
	}
	put(self->slots, self->cap, (struct hash_slot){ .hash = slot_hash(hash), .id = id });
	self->cnt++;
	return 0;
}

int hash_index__del(struct hash_index *self, uint64_t hash, const void *key)
{
	struct hash_slot *slot = find_slot(self, hash, key);
	uint32_t mask = self->cap - 1;
	uint32_t hole;

	if (!slot)
		return -ENOENT;
	hole = (uint32_t)(slot - self->slots);
	for (uint32_t i = (hole + 1) & mask; self->slots[i].hash; i = (i + 1) & mask) {
		uint32_t home = self->slots[i].hash & mask;

		/* It may move back only if its home does not lie behind the hole. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			self->slots[hole] = self->slots[i];
			hole = i;
		}
	}
	self->slots[hole].hash = 0;
	self->cnt--;
	return 0;
}

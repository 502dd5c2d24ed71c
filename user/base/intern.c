/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A pool of distinct strings. Their bytes stand in chunks that never move, so a borrowed string
 * stays valid while the pool grows. What counts against the maximum: the bytes, a NUL and an entry
 * for each.
 */
#include "pp/base/intern.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/hash.h"
#include "pp/base/vec.h"

#define CHUNK_BYTES 16384

struct chunk {
	struct chunk *next;
	size_t used;
	size_t cap;
	char data[];
};

struct entry {
	const char *str; /* in a chunk */
	uint32_t len;
};

struct key {
	const char *str;
	size_t len;
};

struct intern {
	struct chunk *chunks; /* the one being filled stands first */
	struct entry *entries;
	size_t entry_cap;
	uint32_t entry_cnt;
	struct hash_index index;
	size_t bytes;
	size_t max_bytes;
};

static bool key_equal(const void *arg, uint32_t id, const void *key)
{
	const struct intern *self = arg;
	const struct key *k = key;

	return self->entries[id].len == k->len && !memcmp(self->entries[id].str, k->str, k->len);
}

int intern__new(struct intern **ret_intern, size_t max_bytes)
{
	struct intern *self = calloc(1, sizeof(*self));
	uint32_t id;
	int err;

	if (!self)
		return -ENOMEM;
	self->max_bytes = max_bytes;
	hash_index__init(&self->index, key_equal, self);
	err = intern__add(self, "", 0, &id);
	if (err) {
		intern__free(self);
		return err;
	}
	*ret_intern = self;
	return 0;
}

void intern__free(struct intern *self)
{
	struct chunk *chunk, *next;

	if (!self)
		return;
	for (chunk = self->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	hash_index__clear(&self->index);
	free(self->entries);
	free(self);
}

/* The rest of the chunk before is given up; strings are short against a chunk. */
static char *room_for(struct intern *self, size_t bytes)
{
	struct chunk *first = self->chunks;
	struct chunk *chunk;
	size_t cap;

	if (first && first->cap - first->used >= bytes)
		return first->data + first->used;
	cap = max_of(bytes, (size_t)CHUNK_BYTES - sizeof(*chunk));
	chunk = malloc(sizeof(*chunk) + cap);
	if (!chunk)
		return NULL;
	chunk->used = 0;
	chunk->cap = cap;
	chunk->next = first;
	self->chunks = chunk;
	return chunk->data;
}

static int add_new(struct intern *self, const struct key *key, uint64_t hash, uint32_t *ret_id)
{
	size_t bytes = key->len + 1 + sizeof(struct entry);
	uint32_t id = self->entry_cnt;
	char *str;
	int err;

	if (key->len > UINT32_MAX / 2 || bytes > self->max_bytes - self->bytes)
		return -E2BIG;
	err = vec_room(self->entries, (size_t)id + 1, self->entry_cap, UINT32_MAX);
	if (err)
		return err;
	str = room_for(self, key->len + 1);
	if (!str)
		return -ENOMEM;
	err = hash_index__add(&self->index, hash, id);
	if (err)
		return err;
	memcpy(str, key->str, key->len);
	str[key->len] = '\0';
	self->chunks->used += key->len + 1;
	self->entries[id] = (struct entry){ .str = str, .len = (uint32_t)key->len };
	self->entry_cnt++;
	self->bytes += bytes;
	*ret_id = id;
	return 0;
}

int intern__add(struct intern *self, const char *str, size_t len, uint32_t *ret_id)
{
	struct key key = { .str = str, .len = len };
	uint64_t hash = hash_bytes(str, len, 0);

	if (!hash_index__find(&self->index, hash, &key, ret_id))
		return 0;
	if (memchr(str, '\0', len))
		return -EINVAL;
	return add_new(self, &key, hash, ret_id);
}

const char *intern__str(const struct intern *self, uint32_t id)
{
	pp_assert(id < self->entry_cnt);
	return self->entries[id].str;
}

uint32_t intern__len(const struct intern *self, uint32_t id)
{
	pp_assert(id < self->entry_cnt);
	return self->entries[id].len;
}

uint32_t intern__cnt(const struct intern *self)
{
	return self->entry_cnt;
}

size_t intern__bytes(const struct intern *self)
{
	return self->bytes;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maps with the kernel's rules (an index beyond the end finds nothing, a full hash refuses), each in memory
 * of its own so that a sanitizer sees what is read beside it; helpers that read from fake_kernel.
 */
#include "fake_kernel.h"

#include <bpf/bpf_helpers.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/err.h"

#define MAPS_MAX  32
#define INNER_MAX 64
#define USER_END  0x7ffffffff000ull /* the kernel refuses what lies beyond */

struct inner {
	void *words;
};
struct fake_map {
	const void *map;
	uint32_t type;
	size_t key_bytes;
	size_t value_bytes;
	size_t max_entries;
	size_t cnt; /* of a hash */
	uint8_t *keys;
	uint8_t *values;
	struct inner inner[INNER_MAX]; /* of an array of maps */
};

struct fake_kernel fake_kernel;
static struct fake_map maps[MAPS_MAX];
static uint32_t map_cnt;

static struct fake_map *find(const void *map)
{
	for (uint32_t i = 0; i < map_cnt; i++)
		if (maps[i].map == map)
			return &maps[i];
	return NULL;
}

void fake_map__add(const void *map, uint32_t type, size_t key_bytes, size_t value_bytes,
		   size_t max_entries)
{
	struct fake_map *self = &maps[map_cnt++];

	pp_assert(map_cnt <= MAPS_MAX && !find(map));
	*self = (struct fake_map){
		map, type, key_bytes, value_bytes, max_entries, 0, NULL, NULL, {}
	};
	if (type == BPF_MAP_TYPE_HASH)
		self->keys = calloc(max_entries, key_bytes);
	if (value_bytes)
		self->values = calloc(max_entries, value_bytes);
	pp_assert((self->values || !value_bytes) && (self->keys || type != BPF_MAP_TYPE_HASH));
}

void fake_map__clear(const void *map)
{
	struct fake_map *self = find(map);

	self->cnt = 0;
	if (self->type != BPF_MAP_TYPE_HASH)
		memset(self->values, 0, self->max_entries * self->value_bytes);
}

void *fake_map__values(const void *map)
{
	return find(map)->values;
}

void fake_map__set_inner(const void *outer, uint32_t index, void *words)
{
	struct fake_map *self = find(outer);

	pp_assert(self->type == BPF_MAP_TYPE_ARRAY_OF_MAPS && index < INNER_MAX);
	self->inner[index].words = words;
}

static int64_t find_key(const struct fake_map *self, const void *key)
{
	for (size_t i = 0; i < self->cnt; i++)
		if (!memcmp(self->keys + i * self->key_bytes, key, self->key_bytes))
			return (int64_t)i;
	return -1;
}

/* The words of an inner map, which programs know by what they found in the outer one. */
static void *find_inner(const void *inner, const void *key)
{
	for (uint32_t i = 0; i < map_cnt; i++) {
		const struct inner *first = maps[i].inner;

		if (maps[i].type == BPF_MAP_TYPE_ARRAY_OF_MAPS &&
		    (uintptr_t)inner >= (uintptr_t)first &&
		    (uintptr_t)inner < (uintptr_t)(first + INNER_MAX))
			return *(const uint32_t *)key ? NULL : ((const struct inner *)inner)->words;
	}
	pp_assert(!"a map that was added");
	return NULL;
}

void *bpf_map_lookup_elem(const void *map, const void *key)
{
	struct fake_map *self = find(map);
	uint32_t index;
	int64_t at;

	if (!self)
		return find_inner(map, key);
	if (self->type == BPF_MAP_TYPE_HASH) {
		at = find_key(self, key);
		return at < 0 ? NULL : self->values + (size_t)at * self->value_bytes;
	}
	index = *(const uint32_t *)key;
	if (index >= self->max_entries)
		return NULL;
	if (self->type == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		return self->inner[index].words ? &self->inner[index] : NULL;
	return self->values + index * self->value_bytes;
}

long bpf_map_update_elem(const void *map, const void *key, const void *value, __u64 flags)
{
	struct fake_map *self = find(map);
	int64_t at = find_key(self, key);

	pp_assert(self->type == BPF_MAP_TYPE_HASH);
	if (at >= 0 && flags == BPF_NOEXIST)
		return -EEXIST;
	if (at < 0) {
		if (self->cnt == self->max_entries)
			return -E2BIG;
		at = (int64_t)self->cnt++;
		memcpy(self->keys + (size_t)at * self->key_bytes, key, self->key_bytes);
	}
	memcpy(self->values + (size_t)at * self->value_bytes, value, self->value_bytes);
	return 0;
}

long bpf_map_delete_elem(const void *map, const void *key)
{
	struct fake_map *self = find(map);
	int64_t at = find_key(self, key);
	size_t to = (size_t)at, from;

	if (at < 0)
		return -ENOENT;
	from = --self->cnt;
	memcpy(self->keys + to * self->key_bytes, self->keys + from * self->key_bytes,
	       self->key_bytes);
	memcpy(self->values + to * self->value_bytes, self->values + from * self->value_bytes,
	       self->value_bytes);
	return 0;
}

long bpf_probe_read_user(void *dst, __u32 bytes, const void *addr)
{
	fake_kernel.reads++;
	if ((uint64_t)(uintptr_t)addr + bytes <= USER_END &&
	    (uint64_t)(uintptr_t)addr <= USER_END &&
	    !fake_kernel.read_user(fake_kernel.read_arg, (uint64_t)(uintptr_t)addr, dst, bytes))
		return 0;
	memset(dst, 0, bytes); /* as the helper does */
	return -EFAULT;
}

long bpf_ringbuf_output(const void *ring, const void *data, __u64 bytes, __u64 flags)
{
	if (fake_kernel.ring_is_full || bytes > sizeof(fake_kernel.ring) - fake_kernel.ring_bytes)
		return -EAGAIN;
	memcpy(fake_kernel.ring + fake_kernel.ring_bytes, data, bytes);
	fake_kernel.ring_bytes += bytes;
	return 0;
}

__u64 bpf_ktime_get_ns(void)
{
	return ++fake_kernel.now_ns;
}

__u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

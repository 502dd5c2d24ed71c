/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H
/*
 * What a BPF program finds around it, in user space: maps that it names by the address of their declaration,
 * user memory, a ring. Not the programs themselves (host_sampler.h). One thread.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads memory of the process that was sampled. 0, or anything else: a fault. */
typedef int (*fake_read_fn)(void *arg, uint64_t addr, void *data, size_t bytes);

struct fake_kernel {
	fake_read_fn read_user;
	void *read_arg;
	uint64_t now_ns; /* advances by one a question */
	uint64_t reads; /* of user memory */
	bool ring_is_full;
	/* what came through the ring, oldest first; what does not fit is refused, as by a full ring */
	uint8_t ring[65536] __attribute__((aligned(8)));
	size_t ring_bytes;
};
extern struct fake_kernel fake_kernel;

/* All values zero; hashes empty. Element size 0: a ring, an array of maps. */
void fake_map__add(const void *map, uint32_t type, size_t key_bytes, size_t value_bytes,
		   size_t max_entries);
void fake_map__clear(const void *map);
void *fake_map__values(const void *map); /* of arrays: all of them; borrowed */
/* words: the only value of the inner map, borrowed; NULL: there is none. */
void fake_map__set_inner(const void *outer, uint32_t index, void *words);

/* MAP: a map of bpf/ whose key and value have types. */
#define FAKE_MAP_ADD(map)                                                            \
	fake_map__add(&(map), sizeof(*(map).type) / sizeof(int), sizeof(*(map).key), \
		      sizeof(*(map).value), sizeof(*(map).max_entries) / sizeof(int))

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_CACHE_ROOM_H
#define PP_UNWIND_CACHE_ROOM_H
/*
 * How many bytes the files of the cache's directory take together, and which go when it is too many.
 */
#include <stdint.h>

struct cache_room {
	int dir_fd; /* borrowed */
	uint64_t bytes_max;
	uint64_t bytes; /* as last counted, and what was added since */
	uint32_t uncounted; /* additions until the directory is counted again; others add too */
};

void cache_room__init(struct cache_room *self, int dir_fd, uint64_t bytes_max);
/* keep: the file that will grow, which does not go. 0, -ENOSPC (more than fits at all), -ENOMEM, -errno. */
int cache_room__make(struct cache_room *self, uint64_t bytes, const char *keep);

#endif

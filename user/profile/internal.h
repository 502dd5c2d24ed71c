/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROFILE_INTERNAL_H
#define PP_PROFILE_INTERNAL_H
/*
 * What a profile needs only while it is being built: an index per kind of thing, and the capacities of
 * the plain arrays. Not seen outside this room; readers of a profile need only counts.
 */
#include <stddef.h>

#include "pp/base/hash.h"
#include "pp/profile.h"

#define PROFILE_STRINGS_MAX_BYTES (64u << 20)
#define PROFILE_STRING_MAX_BYTES  65535u

struct profile_build {
	struct hash_index processes;
	struct hash_index frames;
	struct hash_index stacks;
	struct hash_index samples;
	size_t module_cap;
	size_t process_cap;
	size_t frame_cap;
	size_t stack_frame_cap;
	size_t stack_cap;
	size_t sample_cap;
};

/* Points the indexes at the profile's arrays. */
void profile_build__init(struct profile_build *self, const struct profile *profile);
void profile_build__clear(struct profile_build *self);

#endif

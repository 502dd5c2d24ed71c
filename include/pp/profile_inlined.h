/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROFILE_INLINED_H
#define PP_PROFILE_INLINED_H
/*
 * Inlined functions become frames of a profile, for who gives it its names. Part of the door of profile.
 */
#include <stdint.h>

struct profile;

/* A function that is inlined into that of the frame (which is the outermost, or was inlined before). */
int profile__inlined(struct profile *self, uint32_t frame, uint32_t name, uint32_t file,
		     uint32_t line, uint32_t *ret_inner);
/* Each stack gets the inlined functions of its frames as frames; what would be too deep stays without. */
int profile__expand_inlined(struct profile *self);

#endif

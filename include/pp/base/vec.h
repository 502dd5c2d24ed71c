/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_VEC_H
#define PP_BASE_VEC_H
/*
 * Growing a plain array that has a maximum. Arrays stay plain C (pointer, count, capacity).
 */
#include <stddef.h>

/*
 * Make room for at least `want` elements. *ptr and *cap (in elements) are updated only on success;
 * new memory is zeroed. Returns 0, -E2BIG past max, -ENOMEM.
 */
int vec_reserve(void **ptr, size_t elem_bytes, size_t want, size_t *cap, size_t max);
#define vec_room(ptr, want, cap, max) \
	vec_reserve((void **)&(ptr), sizeof(*(ptr)), (want), &(cap), (max))

#endif

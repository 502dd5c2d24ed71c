/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Growth of plain arrays: by half, never past the maximum that the caller names. The pointer is
 * read and written as bytes because the caller's has another type than void *.
 */
#include "pp/base/vec.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"

#define FIRST_CAP 8

int vec_reserve(void **ptr, size_t elem_bytes, size_t want, size_t *cap, size_t max)
{
	size_t new_cap, bytes;
	char *old, *grown;

	if (want <= *cap)
		return 0;
	if (want > max)
		return -E2BIG;
	new_cap = max_of(*cap + *cap / 2, (size_t)FIRST_CAP);
	new_cap = min_of(max_of(new_cap, want), max);
	if (__builtin_mul_overflow(new_cap, elem_bytes, &bytes))
		return -ENOMEM;
	memcpy(&old, ptr, sizeof(old));
	grown = realloc(old, bytes);
	if (!grown)
		return -ENOMEM;
	memset(grown + *cap * elem_bytes, 0, bytes - *cap * elem_bytes);
	memcpy(ptr, &grown, sizeof(grown));
	*cap = new_cap;
	return 0;
}

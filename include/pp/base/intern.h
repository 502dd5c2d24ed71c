/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_INTERN_H
#define PP_BASE_INTERN_H
/*
 * A pool of distinct strings with small ids; 0 is always "". Strings live as long as the pool.
 * A string may hold any byte but NUL. Bounded in bytes.
 */
#include <stddef.h>
#include <stdint.h>

struct intern;

int intern__new(struct intern **ret_intern, size_t max_bytes);
void intern__free(struct intern *self);
/* Returns 0, -ENOMEM, -E2BIG when the pool is full. */
int intern__add(struct intern *self, const char *str, size_t len, uint32_t *ret_id);
/* NUL-terminated, borrowed until __free. An id that was never given is an assertion. */
const char *intern__str(const struct intern *self, uint32_t id);
uint32_t intern__len(const struct intern *self, uint32_t id);
uint32_t intern__cnt(const struct intern *self);
size_t intern__bytes(const struct intern *self);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SYMBOL_CACHE_H
#define PP_SYMBOL_CACHE_H
/*
 * Names that were read once, for the windows after. Part of the door of symbol. One thread at a time.
 */
#include <stddef.h>

#include "pp/symbol.h"

struct symbol_cache;

/* run: who reads what is not known yet; borrowed, as is run_arg. */
int symbol_cache__new(symbol_run_fn run, void *run_arg, size_t bytes_max,
		      struct symbol_cache **ret_cache);
/*
 * What an earlier process left in dir (of ours, private; borrowed; NULL: nothing) is known at once, and __free leaves what
 * is known then. 0 or -ENOMEM: damage, and what cannot be read, is counted (symbol_cache_damaged) and not used.
 */
int symbol_cache__use_dir(struct symbol_cache *self, const char *dir);
void symbol_cache__free(struct symbol_cache *self);
/* A symbol_run_fn; arg is the cache. Requests for places or for code made at run time go on as they are. */
int symbol_cache__run(void *arg, const struct symbol_request *request,
		      struct symbol_result *ret_result);

#endif

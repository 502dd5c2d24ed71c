/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef WALKER_H
#define WALKER_H
/*
 * Our side: the sampler on the host, with tables that the production code of user/unwind makes from the
 * target's files when the sampler asks for pages.
 */
#include "target.h"

struct walker;

int walker__new(struct target *target, const struct sysroot *root, struct walker **ret_walker);
void walker__free(struct walker *self);
/* Takes the target's mappings anew. Returns 1 if they have changed, 0, -errno. */
int walker__refresh(struct walker *self);
/* Samples until no page is asked for any more. */
void walker__walk(struct walker *self, const struct target_thread *thread,
		  struct host_sample *ret_sample);
/* Rounds of asking, walks that were by pages that were absent. */
uint64_t walker__pages_asked(const struct walker *self);

#endif

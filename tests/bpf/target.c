/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What processes and core dumps have in common.
 */
#include "target.h"

#include <stdlib.h>

void target__close(struct target *self)
{
	live__free(self);
	core__free(self);
	free(self->threads);
}

int target__read(void *arg, uint64_t addr, void *data, size_t bytes)
{
	const struct target *self = arg;

	return self->live ? live__read(self, addr, data, bytes) :
			    core__read(self, addr, data, bytes);
}

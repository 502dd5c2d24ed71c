/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_COLLECT_FILTER_H
#define PP_COLLECT_FILTER_H
/*
 * What the runs' filters in the kernel are, for the rest of this room.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pp/spec.h"

struct collect;

/* The cgroups of a run: those that are there. */
struct filter_cgroups {
	uint32_t cnt;
	bool by_path; /* one is only in a v1 hierarchy, which the kernel's ids do not tell: the caller filters */
	uint64_t ids[SPEC_CGROUPS_MAX]; /* as the spec has them; 0: not there */
};

int filter__set(struct collect *self, uint32_t slot, const char **ret_why);
int filter__change(struct collect *self, uint32_t slot, const struct session_spec *spec);
/* A cgroup that was made anew under its name (a restarted service) has another id. */
void filter__refresh(struct collect *self, uint32_t slot);
void filter__clear(struct collect *self,
		   uint32_t slot); /* with the last run, the process table too */

#endif

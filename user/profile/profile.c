/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Life of a profile and its size. Not how things get into it (aggregate.c) nor whether its numbers are
 * right (account.c). Module 0 and string 0 always exist: "none" and "".
 */
#include "pp/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"

static void profile_cleanup(struct profile **self)
{
	profile__free(*self);
}

int profile__new(struct profile **ret_profile)
{
	__cleanup(profile_cleanup) struct profile *self = calloc(1, sizeof(*self));
	uint32_t none;
	int err;

	if (!self)
		return -ENOMEM;
	self->meta.busy_pct = -1;
	self->meta.mem_pct = -1;
	self->build = calloc(1, sizeof(*self->build));
	if (!self->build)
		return -ENOMEM;
	profile_build__init(self->build, self);
	err = intern__new(&self->strings, PROFILE_STRINGS_MAX_BYTES);
	if (err)
		return err;
	err = profile__module(self, "", "", &none);
	if (err)
		return err;
	*ret_profile = take_ptr(self);
	return 0;
}

void profile__free(struct profile *self)
{
	if (!self)
		return;
	if (self->build)
		profile_build__clear(self->build);
	free(self->build);
	free(self->samples);
	free(self->processes);
	free(self->stacks);
	free(self->stack_frames);
	free(self->frames);
	free(self->modules);
	free(self->counters_flat);
	free(self->counters_detail);
	free(self->counters_html);
	intern__free(self->strings);
	free(self);
}

size_t profile__bytes(const struct profile *self)
{
	const struct profile_build *build = self->build;
	/* A slot of hash_index is a hash and an id. */
	size_t slot_cnt = (size_t)build->processes.cap + build->frames.cap + build->stacks.cap +
			  build->samples.cap;

	return sizeof(*self) + sizeof(*build) + intern__bytes(self->strings) +
	       slot_cnt * (sizeof(uint64_t) + sizeof(uint64_t)) +
	       build->module_cap * sizeof(*self->modules) +
	       build->process_cap * sizeof(*self->processes) +
	       build->frame_cap * sizeof(*self->frames) +
	       build->stack_frame_cap * sizeof(*self->stack_frames) +
	       build->stack_cap * sizeof(*self->stacks) +
	       build->sample_cap * sizeof(*self->samples);
}

int profile__string(struct profile *self, const char *str, uint32_t *ret_id)
{
	size_t len = strlen(str);

	if (len > PROFILE_STRING_MAX_BYTES)
		return -E2BIG;
	return intern__add(self->strings, str, len, ret_id);
}

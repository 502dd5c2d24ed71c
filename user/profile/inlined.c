/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inlined functions as frames, once a profile has its names: from then on a stack is what the source says. Stacks that
 * became equal stay two.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/vec.h"
#include "pp/profile_inlined.h"

int profile__inlined(struct profile *self, uint32_t frame, uint32_t name, uint32_t file,
		     uint32_t line, uint32_t *ret_inner)
{
	struct profile_frame inner = {
		.kind = FRAME_INLINED, .name = name, .file = file, .line = line
	};
	int err;

	pp_assert(frame < self->frame_cnt && !self->frames[frame].inner);
	if (profile__bytes(self) > PROFILE_BYTES_MAX)
		return -E2BIG;
	err = vec_room(self->frames, self->frame_cnt + 1, self->build->frame_cap,
		       PROFILE_BYTES_MAX / sizeof(inner));
	if (err)
		return err;
	inner.module = self->frames[frame].module;
	inner.off = self->frames[frame].off;
	self->frames[self->frame_cnt] = inner;
	self->frames[frame].inner = self->frame_cnt + 1;
	*ret_inner = self->frame_cnt++;
	return 0;
}

static uint32_t inlined_cnt(const struct profile *self, uint32_t frame)
{
	uint32_t cnt = 0;

	while (self->frames[frame].inner) {
		frame = self->frames[frame].inner - 1;
		cnt++;
	}
	return cnt;
}

/*
 * Leaf first: what is inlined stands before what it is inlined into. Returns how many frames there are, at most
 * PROFILE_DEPTH_MAX; frames: NULL to count only.
 */
static uint32_t expand(const struct profile *self, const struct profile_stack *stack,
		       uint32_t *frames)
{
	uint32_t spare = PROFILE_DEPTH_MAX - stack->depth, cnt = 0;

	for (uint32_t i = 0; i < stack->depth; i++) {
		uint32_t frame = self->stack_frames[stack->first + i];
		uint32_t more = inlined_cnt(self, frame);

		if (more > spare)
			more = 0;
		spare -= more;
		cnt += more + 1;
		for (uint32_t k = 0; frames && k <= more; k++) {
			frames[cnt - 1 - k] = frame;
			if (k < more)
				frame = self->frames[frame].inner - 1;
		}
	}
	return cnt;
}

int profile__expand_inlined(struct profile *self)
{
	uint32_t *all = NULL;
	size_t cnt = 0, cap = 0;
	int err;

	for (uint32_t i = 0; i < self->stack_cnt; i++)
		cnt += expand(self, &self->stacks[i], NULL);
	err = vec_room(all, max_of(cnt, (size_t)1), cap, PROFILE_BYTES_MAX / sizeof(*all));
	if (err)
		return err;
	cnt = 0;
	for (uint32_t i = 0; i < self->stack_cnt; i++) {
		uint32_t depth = expand(self, &self->stacks[i], all + cnt);

		self->stacks[i].first = (uint32_t)cnt;
		self->stacks[i].depth = (uint16_t)depth;
		cnt += depth;
	}
	free(self->stack_frames);
	self->stack_frames = all;
	self->stack_frame_cnt = (uint32_t)cnt;
	self->build->stack_frame_cap = cap;
	return 0;
}

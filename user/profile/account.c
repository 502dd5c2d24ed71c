/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The arithmetic of a profile: what was expected, taken, accepted, filtered and lost, and whether the
 * samples say the same. The names of reasons and ends are fields of our JSON: append-only.
 */
#include <errno.h>
#include <string.h>

#include "pp/base/err.h"
#include "pp/profile.h"

const char *profile_stack_end__name(uint32_t end)
{
	static const char *const names[] = {
#define X(id, name, text) name,
		PP_STACK_ENDS(X)
#undef X
	};

	return end < STACK_END_CNT ? names[end] : "unknown";
}

static const struct {
	const char *name, *text;
} unnamed[] = {
#define X(id, name, text) { name, text },
	PP_UNNAMED(X)
#undef X
};

const char *profile_unnamed__name(uint32_t why)
{
	return why < UNNAMED_CNT ? unnamed[why].name : "unknown";
}

const char *profile_unnamed__text(uint32_t why)
{
	return why < UNNAMED_CNT ? unnamed[why].text : "";
}

static void set_reason(struct profile_reason *reasons, uint32_t *cnt, const char *name,
		       uint64_t add)
{
	for (uint32_t i = 0; i < *cnt; i++) {
		if (!strcmp(reasons[i].name, name)) {
			reasons[i].cnt += add;
			return;
		}
	}
	pp_assert(*cnt < PROFILE_REASONS_MAX);
	reasons[(*cnt)++] = (struct profile_reason){ .name = name, .cnt = add };
}

void profile_account__filtered(struct profile_account *self, const char *name, uint64_t cnt)
{
	set_reason(self->filtered_by, &self->filtered_by_cnt, name, cnt);
	self->filtered += cnt;
}

void profile_account__lost(struct profile_account *self, const char *name, uint64_t cnt)
{
	set_reason(self->lost_by, &self->lost_by_cnt, name, cnt);
	self->lost += cnt;
}

static uint64_t sum_of(const struct profile_reason *reasons, uint32_t cnt)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < cnt; i++)
		sum += reasons[i].cnt;
	return sum;
}

static bool account_is_right(const struct profile_account *self)
{
	return self->expected == self->taken + self->missed && self->missed_idle <= self->missed &&
	       self->taken == self->accepted + self->filtered + self->lost &&
	       self->filtered == sum_of(self->filtered_by, self->filtered_by_cnt) &&
	       self->lost == sum_of(self->lost_by, self->lost_by_cnt);
}

static bool references_are_right(const struct profile *self)
{
	for (uint32_t i = 0; i < self->stack_cnt; i++) {
		const struct profile_stack *stack = &self->stacks[i];

		if (stack->kernel_depth > stack->depth ||
		    (uint64_t)stack->first + stack->depth > self->stack_frame_cnt)
			return false;
	}
	for (uint64_t i = 0; i < self->stack_frame_cnt; i++) {
		if (self->stack_frames[i] >= self->frame_cnt)
			return false;
	}
	for (uint32_t i = 0; i < self->frame_cnt; i++) {
		if (self->frames[i].module >= self->module_cnt)
			return false;
	}
	return true;
}

int profile__check(const struct profile *self)
{
	uint64_t sample_sum = 0, process_sum = 0;

	if (!account_is_right(&self->account) || !references_are_right(self))
		return -EBADMSG;
	for (uint32_t i = 0; i < self->sample_cnt; i++) {
		const struct profile_sample *sample = &self->samples[i];

		if (sample->process >= self->process_cnt || sample->stack >= self->stack_cnt ||
		    sample->end >= STACK_END_CNT || !sample->weight)
			return -EBADMSG;
		sample_sum += sample->weight;
	}
	for (uint32_t i = 0; i < self->process_cnt; i++)
		process_sum += self->processes[i].weight;
	if (sample_sum != self->account.accepted || process_sum != sample_sum)
		return -EBADMSG;
	return 0;
}

static void add_frames(const struct profile *self, const struct profile_sample *sample,
		       struct profile_totals *totals)
{
	const struct profile_stack *stack = &self->stacks[sample->stack];

	totals->frames += sample->weight * stack->depth;
	for (uint32_t i = 0; i < stack->depth; i++) {
		const struct profile_frame *frame =
			&self->frames[self->stack_frames[stack->first + i]];

		if (frame->kind == FRAME_INLINED) { /* of the place that counts already */
			totals->frames -= sample->weight;
			continue;
		}
		/* before names were looked for, nothing says why */
		totals->frames_by[frame->name	 ? UNNAMED_NOT :
				  frame->unnamed ?:
						   UNNAMED_NO_SYMBOL] += sample->weight;
	}
}

void profile__totals(const struct profile *self, struct profile_totals *ret_totals)
{
	struct profile_totals totals = { 0 };

	for (uint32_t i = 0; i < self->sample_cnt; i++) {
		const struct profile_sample *sample = &self->samples[i];

		totals.by_end[sample->end] += sample->weight;
		if (sample->end != STACK_END_NONE)
			totals.user_stacks += sample->weight;
		add_frames(self, sample, &totals);
	}
	totals.user_stacks_complete = totals.by_end[STACK_END_COMPLETE];
	totals.user_stacks_jit = totals.by_end[STACK_END_JIT] + totals.by_end[STACK_END_JIT_CUT];
	for (uint32_t i = 0; i < self->frame_cnt; i++) {
		if (self->frames[i].kind == FRAME_NATIVE && !self->frames[i].name)
			totals.frames_unnamed++;
	}
	*ret_totals = totals;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * New images on their way to their first sample. At exec only the program and its loader are mapped; the
 * loader maps the libraries within a millisecond or two, so the mappings are read a little later, before a
 * sample comes if all goes well. Those that wait are few (programs announce few) and forgotten at the run's
 * end; one that does not fit is asked for by its first sample.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/loop.h"

#define YOUNG_MS  2
#define YOUNG_MAX 64

struct young {
	struct loop_timer *timer;
	young_fn fn;
	void *arg;
	struct pp_rec_proc waiting[YOUNG_MAX]; /* oldest first */
	uint32_t cnt;
};

static void on_due(void *arg)
{
	struct young *self = arg;
	uint64_t due_ns = clock_mono_ns() - YOUNG_MS * 1000000ull;
	uint32_t done = 0;

	while (done < self->cnt && self->waiting[done].head.time_ns <= due_ns)
		self->fn(self->arg, &self->waiting[done++]);
	self->cnt -= done;
	memmove(self->waiting, self->waiting + done, self->cnt * sizeof(self->waiting[0]));
	if (self->cnt)
		(void)loop_timer__start(self->timer, 1, 0); /* one that exists does not fail */
}

int young__new(struct loop *loop, young_fn fn, void *arg, struct young **ret_young)
{
	struct young *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	self->fn = fn;
	self->arg = arg;
	err = loop_timer__new(loop, on_due, self, &self->timer);
	if (err) {
		free(self);
		return err;
	}
	*ret_young = self;
	return 0;
}

void young__free(struct young *self)
{
	if (!self)
		return;
	loop_timer__free(self->timer);
	free(self);
}

void young__add(struct young *self, const struct pp_rec_proc *proc)
{
	if (self->cnt == YOUNG_MAX)
		return;
	self->waiting[self->cnt++] = *proc;
	if (self->cnt == 1)
		(void)loop_timer__start(self->timer, YOUNG_MS, 0);
}

void young__forget(struct young *self)
{
	self->cnt = 0;
	loop_timer__stop(self->timer);
}

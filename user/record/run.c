/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of a run: start, windows, end. Sampling goes on while a finished window is named on a worker;
 * finished windows are named one at a time and delivered in order. Knows no format and no network.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/symbol.h"

#define TICK_MS 1000

/* A closed window on its way to the caller. */
struct finished {
	struct finished *next;
	struct record *record;
	struct window window;
	bool is_last;
	int err;
	int kernel_err; /* why kernel frames have no names */
};

struct record {
	struct loop *loop; /* borrowed */
	const struct sysroot *root; /* borrowed */
	struct collect *collect; /* borrowed */
	struct unwinder *unwinder;
	struct young *young;
	struct loop_timer *deadline;
	struct loop_timer *tick;

	bool is_running; /* until the last window was delivered */
	bool is_interrupted;
	bool has_told_sampling;
	bool window_is_due; /* the next drain closes a window */
	uint64_t begin_ns;
	struct session_spec spec;
	struct record_ops ops;
	struct window window;
	struct finished *first; /* the one being named */
	struct finished **tail;
};

static void finish_next(struct record *self);

static void tell_sampling(struct record *self)
{
	if (self->has_told_sampling)
		return;
	self->has_told_sampling = true;
	if (self->ops.sampling)
		self->ops.sampling(self->ops.arg);
}

static void on_tick(void *arg)
{
	struct record *self = arg;
	struct collect_stats stats;

	unwinder__tick(self->unwinder);
	tell_sampling(self); /* a second without a sample: it is on all the same */
	if (!self->ops.progress)
		return;
	collect__stats(self->collect, &stats);
	self->ops.progress(self->ops.arg, clock_mono_ns() - self->begin_ns,
			   stats.counters[PP_CNT_TAKEN], stats.counters[PP_CNT_ACCEPTED]);
}

static void on_young(void *arg, const struct pp_rec_proc *proc)
{
	struct record *self = arg;

	unwinder__process(self->unwinder, self->window.table, proc);
}

static void on_process(void *arg, const struct pp_rec_proc *proc)
{
	struct record *self = arg;

	if (proc->why == PP_ASK_EXEC) {
		young__add(self->young, proc);
		return;
	}
	unwinder__process(self->unwinder, self->window.table, proc);
	tell_sampling(self);
}

static void on_page(void *arg, const struct pp_rec_page *page)
{
	struct record *self = arg;

	unwinder__page(self->unwinder, page);
}

static void on_count(void *arg, const struct collect_count *count)
{
	struct record *self = arg;

	window__add(&self->window, count, clock_mono_ns());
}

static void name_on_worker(void *arg)
{
	struct finished *self = arg;

	self->err = symbolize__profile(self->window.profile, self->window.table, self->record->root,
				       &self->kernel_err);
}

static void deliver(void *arg, int err)
{
	struct finished *self = arg;
	struct record *record = self->record;
	struct profile *profile = take_ptr(self->window.profile);
	struct record_ops ops = record->ops;
	bool is_last = self->is_last;

	if (self->err)
		err = self->err;
	if (self->kernel_err)
		log_debug("record: no kernel names: %s", errname(self->kernel_err));
	if (!err)
		err = profile__check(profile);
	record->first = self->next;
	if (!record->first)
		record->tail = &record->first;
	window__clear(&self->window);
	free(self);
	if (is_last)
		record->is_running = false;
	if (err)
		profile__free(take_ptr(profile));
	ops.window(ops.arg, err, err ? "the profile could not be finished" : NULL, profile,
		   is_last);
	finish_next(record);
}

static void finish_next(struct record *self)
{
	struct finished *next = self->first;
	int err;

	if (!next)
		return;
	err = next->err ?: work__submit(self->loop, name_on_worker, deliver, next);
	if (err)
		deliver(next, err);
}

/* Moves the current window to the queue. */
static int close_window(struct record *self, bool is_last)
{
	struct finished *finished = calloc(1, sizeof(*finished));
	struct collect_stats stats;

	if (!finished)
		return -ENOMEM;
	collect__stats(self->collect, &stats);
	finished->record = self;
	finished->is_last = is_last;
	finished->window = self->window;
	memset(&self->window, 0, sizeof(self->window));
	finished->err = window__close(&finished->window, self->root, &stats, &self->spec);
	unwinder__end_window(self->unwinder, &finished->window.profile->meta.tables);
	if (is_last)
		finished->window.profile->meta.interrupted = self->is_interrupted;
	*self->tail = finished;
	self->tail = &finished->next;
	if (self->first == finished)
		finish_next(self);
	return 0;
}

static void fail_run(struct record *self, int err, const char *why)
{
	struct record_ops ops = self->ops;

	window__clear(&self->window);
	self->is_running = false;
	ops.window(ops.arg, err, why, NULL, true);
}

static void on_drained(void *arg, int err, bool is_last)
{
	struct record *self = arg;

	if (err)
		log_warn("record: a drain of the maps fell short: %s, ignoring", errname(err));
	else
		unwinder__drained(self->unwinder);
	if (is_last) {
		(void)loop__hurry(self->loop, false);
		young__forget(self->young);
		unwinder__end(self->unwinder);
		err = close_window(self, true);
		if (err)
			fail_run(self, err, "no memory to finish the profile");
		return;
	}
	if (!self->window_is_due)
		return;
	self->window_is_due = false;
	err = close_window(self, false);
	if (!err)
		err = window__begin(&self->window, self->root);
	collect__mark(self->collect);
	if (err) {
		log_error("record: no memory for the next window: %s", errname(err));
		record__stop(self);
	}
}

static void on_deadline(void *arg)
{
	struct record *self = arg;

	if (!self->spec.continuous) {
		loop_timer__stop(self->tick);
		collect__stop(self->collect);
		return;
	}
	self->window_is_due = true;
	(void)collect__drain(self->collect); /* busy: the drain that goes on closes the window */
}

int record__new(struct loop *loop, const struct sysroot *root, struct collect *collect,
		const struct record_options *options, struct record **ret_record)
{
	struct record *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->root = root;
	self->collect = collect;
	self->tail = &self->first;
	err = loop_timer__new(loop, on_deadline, self, &self->deadline);
	if (!err)
		err = loop_timer__new(loop, on_tick, self, &self->tick);
	if (!err)
		err = unwinder__new(loop, root, collect, options, &self->unwinder);
	if (!err)
		err = young__new(loop, on_young, self, &self->young);
	if (err) {
		record__free(self);
		return err;
	}
	*ret_record = self;
	return 0;
}

void record__free(struct record *self)
{
	if (!self)
		return;
	pp_assert(!self->first); /* a worker would write into freed memory */
	loop_timer__free(self->deadline);
	loop_timer__free(self->tick);
	window__clear(&self->window);
	young__free(self->young);
	unwinder__free(self->unwinder);
	free(self);
}

int record__start(struct record *self, const struct session_spec *spec,
		  const struct record_ops *ops, const char **ret_why)
{
	const struct collect_ops collect_ops = {
		.process = on_process,
		.page = on_page,
		.count = on_count,
		.drained = on_drained,
		.arg = self,
	};
	uint64_t duration_ms = spec->duration_s * 1000ull;
	int err;

	if (self->is_running) {
		*ret_why = "a run goes on";
		return -EBUSY;
	}
	*ret_why = "no memory";
	self->spec = *spec;
	self->ops = *ops;
	self->is_interrupted = false;
	self->has_told_sampling = false;
	self->window_is_due = false;
	err = window__begin(&self->window, self->root);
	if (err)
		return err;
	self->begin_ns = clock_mono_ns();
	/* A process that waits for its ranges is walked by frame pointers; without the right it waits longer. */
	(void)loop__hurry(self->loop, true);
	err = collect__start(self->collect, spec, &collect_ops, ret_why);
	if (err) {
		(void)loop__hurry(self->loop, false);
		window__clear(&self->window);
		return err;
	}
	self->is_running = true;
	unwinder__begin(self->unwinder);
	/* Timers that exist cannot fail to start. */
	(void)loop_timer__start(self->tick, TICK_MS, TICK_MS);
	if (duration_ms)
		(void)loop_timer__start(self->deadline, duration_ms,
					spec->continuous ? duration_ms : 0);
	return 0;
}

void record__stop(struct record *self)
{
	if (!self->is_running)
		return;
	self->is_interrupted = true;
	loop_timer__stop(self->deadline);
	loop_timer__stop(self->tick);
	collect__stop(self->collect);
}

bool record__is_running(const struct record *self)
{
	return self->is_running;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of runs: start, windows, change, end. What a program says of a process goes to the unwinder and to
 * the process table of the run whose sample it was. Knows no format and no network.
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

#define TICK_MS 1000

struct record_run {
	struct record *record;
	struct loop_timer *deadline;
	struct loop_timer *tick;
	struct session_spec spec;
	struct record_ops ops;
	struct window window; /* empty where memory ran out */
	uint64_t begin_ns;
	bool is_over; /* asked to stop, or its time is over */
	bool is_interrupted;
	bool has_told_sampling;
	bool window_is_due; /* the next drain closes a window */
};

struct record {
	struct loop *loop; /* borrowed */
	const struct sysroot *root; /* borrowed */
	struct collect *collect; /* borrowed */
	struct unwinder *unwinder;
	struct young *young;
	struct naming *naming;
	struct record_run
		*runs[RECORD_RUNS_MAX]; /* until their last window was delivered; NULL: free */
};

static void tell_sampling(struct record_run *self)
{
	if (self->has_told_sampling)
		return;
	self->has_told_sampling = true;
	if (self->ops.sampling)
		self->ops.sampling(self->ops.arg);
}

static void on_tick(void *arg)
{
	struct record_run *self = arg;
	struct collect_stats stats;

	unwinder__tick(self->record->unwinder);
	tell_sampling(self); /* a second without a sample: it is on all the same */
	if (!self->ops.progress)
		return;
	collect__stats(self->record->collect, &stats);
	self->ops.progress(self->ops.arg, clock_mono_ns() - self->begin_ns,
			   stats.counters[PP_CNT_TAKEN], stats.counters[PP_CNT_ACCEPTED]);
}

static void on_young(void *arg, const struct pp_rec_proc *proc)
{
	struct record *self = arg;

	unwinder__process(self->unwinder, self->runs[0]->window.table, proc);
}

static void on_process(void *arg, const struct pp_rec_proc *proc)
{
	struct record_run *self = arg;

	if (proc->why == PP_ASK_EXEC) {
		young__add(self->record->young, proc);
		return;
	}
	unwinder__process(self->record->unwinder, self->window.table, proc);
	tell_sampling(self);
}

static void on_page(void *arg, const struct pp_rec_page *page)
{
	struct record_run *self = arg;

	unwinder__page(self->record->unwinder, page);
}

static void on_count(void *arg, const struct collect_count *count)
{
	struct record_run *self = arg;

	if (self->window.profile)
		window__add(&self->window, count, clock_mono_ns());
}

static void run__free(struct record_run *self)
{
	loop_timer__free(self->deadline);
	loop_timer__free(self->tick);
	window__clear(&self->window);
	free(self);
}

/* One window less, or none at all: what the caller hears. The run's place is free before it hears of the end. */
static void deliver(struct record_run *self, int err, const char *why, struct profile *profile,
		    bool is_last)
{
	for (uint32_t i = 0; i < RECORD_RUNS_MAX && is_last; i++)
		if (self->record->runs[i] == self)
			self->record->runs[i] = NULL;
	self->ops.window(self->ops.arg, err, why, profile, is_last);
	if (is_last)
		run__free(self);
}

static void on_named(void *arg, int err, struct profile *profile, bool is_last)
{
	deliver(arg, err, err ? "the profile could not be finished" : NULL, profile, is_last);
}

/* Moves the current window to those being named. */
static int close_window(struct record_run *self, bool is_last)
{
	struct record *record = self->record;
	struct collect_stats stats;
	int err;

	if (!self->window.profile)
		return -ENOMEM;
	collect__stats(record->collect, &stats);
	err = window__close(&self->window, record->root, &stats, &self->spec);
	unwinder__end_window(record->unwinder, &self->window.profile->meta.tables);
	if (is_last)
		self->window.profile->meta.interrupted = self->is_interrupted;
	return naming__add(record->naming, &self->window, err, self, is_last);
}

static void end_run(struct record_run *self)
{
	(void)loop__hurry(self->record->loop, false);
	young__forget(self->record->young);
	unwinder__end(self->record->unwinder);
	if (close_window(self, true))
		deliver(self, -ENOMEM, "no memory to finish the profile", NULL, true);
}

static void on_drained(void *arg, int err, bool is_last)
{
	struct record_run *self = arg;

	if (err)
		log_warn("record: a drain of the maps fell short: %s, ignoring", errname(err));
	else
		unwinder__drained(self->record->unwinder);
	if (is_last) {
		end_run(self);
		return;
	}
	if (!self->window_is_due)
		return;
	self->window_is_due = false;
	err = close_window(self, false);
	window__clear(&self->window); /* one that could not be moved */
	if (!err)
		err = window__begin(&self->window, self->record->root);
	collect__mark(self->record->collect);
	if (err) {
		log_error("record: no memory for the next window: %s", errname(err));
		record_run__stop(self);
	}
}

static void on_deadline(void *arg)
{
	struct record_run *self = arg;

	if (self->spec.continuous) {
		self->window_is_due = true;
		/* busy: the drain that goes on closes the window */
		(void)collect__drain(self->record->collect);
		return;
	}
	self->is_over = true;
	loop_timer__stop(self->tick);
	collect__stop(self->record->collect);
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
	err = unwinder__new(loop, root, collect, options, &self->unwinder);
	if (!err)
		err = young__new(loop, on_young, self, &self->young);
	if (!err)
		err = naming__new(loop, root, on_named, &self->naming);
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
	for (uint32_t i = 0; i < RECORD_RUNS_MAX; i++)
		pp_assert(!self->runs[i]);
	naming__free(self->naming);
	young__free(self->young);
	unwinder__free(self->unwinder);
	free(self);
}

static int new_run(struct record *record, const struct session_spec *spec,
		   const struct record_ops *ops, struct record_run **ret_run)
{
	struct record_run *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	self->record = record;
	self->spec = *spec;
	self->ops = *ops;
	err = loop_timer__new(record->loop, on_deadline, self, &self->deadline);
	if (!err)
		err = loop_timer__new(record->loop, on_tick, self, &self->tick);
	if (!err)
		err = window__begin(&self->window, record->root);
	if (err) {
		run__free(self);
		return err;
	}
	*ret_run = self;
	return 0;
}

static int switch_on(struct record_run *self, const char **ret_why)
{
	const struct collect_ops collect_ops = {
		.process = on_process,
		.page = on_page,
		.count = on_count,
		.drained = on_drained,
		.arg = self,
	};
	struct record *record = self->record;
	int err;

	self->begin_ns = clock_mono_ns();
	/* A process that waits for its ranges is walked by frame pointers; without the right it waits longer. */
	(void)loop__hurry(record->loop, true);
	err = collect__start(record->collect, &self->spec, &collect_ops, ret_why);
	if (err) {
		(void)loop__hurry(record->loop, false);
		return err;
	}
	unwinder__begin(record->unwinder);
	return 0;
}

int record__start(struct record *self, const struct session_spec *spec,
		  const struct record_ops *ops, struct record_run **ret_run, const char **ret_why)
{
	uint64_t duration_ms = spec->duration_s * 1000ull;
	struct record_run *run;
	uint32_t place = 0;
	int err;

	while (place < 1 && self->runs[place])
		place++;
	if (place == 1) {
		*ret_why = "a run goes on";
		return -EBUSY;
	}
	*ret_why = "no memory";
	err = new_run(self, spec, ops, &run);
	if (err)
		return err;
	err = switch_on(run, ret_why);
	if (err) {
		run__free(run);
		return err;
	}
	self->runs[place] = run;
	/* Timers that exist cannot fail to start. */
	(void)loop_timer__start(run->tick, TICK_MS, TICK_MS);
	if (duration_ms)
		(void)loop_timer__start(run->deadline, duration_ms,
					spec->continuous ? duration_ms : 0);
	*ret_run = run;
	return 0;
}

void record_run__stop(struct record_run *self)
{
	if (self->is_over)
		return;
	self->is_over = true;
	self->is_interrupted = true;
	loop_timer__stop(self->deadline);
	loop_timer__stop(self->tick);
	collect__stop(self->record->collect);
}

int record_run__change(struct record_run *self, const struct session_spec *spec)
{
	return -EOPNOTSUPP;
}

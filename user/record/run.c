/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of runs: start, windows, change, end. What a program says of a process goes to the unwinder and to
 * the process tables of all runs that know it or ask: each has its own, of its own window, with the same
 * epochs. Knows no format and no network.
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
#include "pp/container.h"
#include "pp/proc_cgroup.h"

#define TICK_MS 1000
/* Names of containers come within milliseconds, or when their runtime is busy in seconds; new pods now and then. */
#define LOOK_SOON_MS 50
#define LOOK_MS	     5000
#define LOOK_MIN_NS  1000000000ull /* a container may be just starting */
#define LOOK_MAX_NS  5000000000ull

struct record_run {
	struct record *record;
	struct loop_timer *deadline;
	struct loop_timer *look; /* for the cgroups of groups */
	struct session_spec spec; /* as it was wished, and below it with the cgroups of its groups */
	struct session_spec found;
	struct wanted_cgroups wanted;
	struct record_ops ops;
	struct window window; /* empty where memory ran out */
	uint32_t window_before; /* mark of the one before it; of the first: its own */
	uint64_t begin_ns;
	uint64_t wished_ns; /* when its groups were named */
	uint32_t slot; /* while is_on */
	bool is_on; /* until its last drain was delivered */
	bool is_over; /* asked to stop, or its time is over */
	bool is_interrupted;
	bool has_told_sampling;
	bool window_is_due; /* the next drain closes a window */
	bool waits_for_groups; /* there are some, and no cgroup of them yet */
	struct run_counters *counters; /* NULL: not wanted, or not to be had */
	struct run_event event; /* what the spec names; else empty */
	const char *why; /* static: it gives no profile, for this reason; else NULL */
};

struct record {
	struct loop *loop; /* borrowed */
	const struct sysroot *root; /* borrowed */
	struct collect *collect; /* borrowed */
	struct unwinder *unwinder;
	struct young *young;
	struct naming *naming;
	struct container_names *container_names; /* borrowed; may be NULL */
	struct loop_timer *tick;
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

static uint64_t lost_so_far(const struct collect_stats *stats)
{
	static const enum pp_counter_kind kinds[] = {
#define X(id, name, kind, text) [PP_CNT_##id] = PP_KIND_##kind,
		PP_COUNTERS(X)
#undef X
	};
	uint64_t lost = 0;

	for (uint32_t i = 0; i < PP_CNT_MAX; i++)
		lost += kinds[i] == PP_KIND_LOST ? stats->counters[i] : 0;
	return lost;
}

static void tick(struct record_run *self, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - self->begin_ns;
	struct collect_stats stats;

	if (self->window.profile)
		window__read_memory(&self->window);
	if (elapsed_ns >= TICK_MS * 1000000ull && !self->waits_for_groups)
		tell_sampling(self); /* a second without a sample: it is on all the same */
	if (!self->ops.progress)
		return;
	collect__stats(self->record->collect, self->slot, &stats);
	self->ops.progress(self->ops.arg, elapsed_ns, stats.counters[PP_CNT_ACCEPTED],
			   lost_so_far(&stats));
}

static void on_tick(void *arg)
{
	struct record *self = arg;

	unwinder__tick(self->unwinder);
	collect__refresh(self->collect);
	for (uint32_t i = 0; i < RECORD_RUNS_MAX; i++)
		if (self->runs[i] && !self->runs[i]->is_over)
			tick(self->runs[i], clock_mono_ns());
}

static bool knows(const struct record_run *self, const struct proc_id *id)
{
	const struct mapping *mappings;
	uint32_t cnt;

	return !proc_table__mappings(self->window.table, id, &mappings, &cnt);
}

/* Read once, for all: an epoch must stand for the same mappings in each table. */
static void read_process(struct record *self, const struct pp_rec_proc *proc)
{
	const struct proc_id id = proc_id_of(&proc->proc);
	struct record_run *wants[RECORD_RUNS_MAX], *reader;
	uint32_t cnt = 0, first = 0;

	for (uint32_t i = 0; i < RECORD_RUNS_MAX; i++) {
		struct record_run *run = self->runs[i];
		bool is_known = run && run->is_on && run->window.table && knows(run, &id);

		if (!is_known &&
		    !(run && run->is_on && run->window.table && proc->slots >> run->slot & 1))
			continue;
		if (is_known)
			first = cnt;
		wants[cnt++] = run;
	}
	if (!cnt)
		return;
	reader = wants[first];
	unwinder__process(self->unwinder, reader->window.table, proc);
	for (uint32_t i = 0; i < cnt; i++)
		window__read_container(&wants[i]->window, &id);
	for (uint32_t i = 0; i < cnt; i++)
		if (wants[i] != reader) /* -ESRCH: nobody could read it */
			(void)proc_table__adopt(wants[i]->window.table, reader->window.table, &id);
}

static void on_young(void *arg, const struct pp_rec_proc *proc)
{
	read_process(arg, proc);
}

static void on_process(void *arg, const struct pp_rec_proc *proc)
{
	struct record *self = arg;

	if (proc->why == PP_ASK_EXEC) {
		young__add(self->young, proc);
		return;
	}
	read_process(self, proc);
	for (uint32_t i = 0; i < RECORD_RUNS_MAX; i++)
		if (self->runs[i] && self->runs[i]->is_on && proc->slots >> self->runs[i]->slot & 1)
			tell_sampling(self->runs[i]);
}

static void on_page(void *arg, const struct pp_rec_page *page)
{
	struct record *self = arg;

	unwinder__page(self->unwinder, page);
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
	loop_timer__free(self->look);
	window__clear(&self->window);
	run_counters__free(self->counters);
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

/*
 * Who was not sampled since then by any run is forgotten when a window ends. A window of another run that has
 * just begun says little: there the one before it counts.
 */
static uint32_t oldest_window(const struct record_run *ending)
{
	const struct record *record = ending->record;
	uint32_t oldest = ending->window.mark.window;

	for (uint32_t i = 0; i < RECORD_RUNS_MAX; i++) {
		const struct record_run *run = record->runs[i];

		if (run && run->is_on && run != ending)
			oldest = min_of(oldest, run->window_before);
	}
	return oldest;
}

static int begin_window(struct record_run *self)
{
	int err = window__begin(&self->window, self->record->root, self->record->container_names);

	self->window.wanted = &self->wanted;
	if (!err)
		unwinder__mark(self->record->unwinder, &self->window.mark);
	return err;
}

/* Which samples are the run's, where the kernel cannot tell. */
static void want_paths(struct record_run *self)
{
	const struct record *record = self->record;
	struct cgroup_place place;

	self->wanted.cnt = 0;
	if (!collect__wants_paths(record->collect, self->slot))
		return;
	for (uint32_t i = 0; i < self->found.cgroup_cnt; i++)
		self->wanted.paths[self->wanted.cnt++] =
			cgroup_place__find(record->root, self->found.cgroups[i], &place) ?
				self->found.cgroups[i] :
				place.path;
}

/* More than a spec can have are left out, and said once a run. */
static int add_found(void *arg, const char *path)
{
	struct session_spec *spec = arg;
	const char *why;
	int err = session_spec__add_cgroup(spec, path, &why);

	if (err)
		log_warn("record: cgroup '%s' is left out: %s", path, why);
	return err == -E2BIG ? err : 0;
}

/* The wish with the cgroups that its groups have now. False: more may come soon. */
static bool find_groups(const struct record *record, const struct session_spec *spec,
			struct session_spec *ret_found)
{
	const char *groups[SPEC_GROUPS_MAX];
	bool is_settled = true;

	*ret_found = *spec;
	for (uint32_t i = 0; i < spec->group_cnt; i++)
		groups[i] = spec->groups[i];
	if (spec->group_cnt)
		(void)container_groups__each(record->root, record->container_names, groups,
					     spec->group_cnt, add_found, ret_found, &is_settled);
	return is_settled;
}

static void look_again(struct record_run *self, bool is_settled)
{
	bool is_new = clock_mono_ns() - self->wished_ns < LOOK_MAX_NS;
	uint64_t ms = self->waits_for_groups || (is_new && !is_settled) ? LOOK_SOON_MS : LOOK_MS;

	if (self->spec.group_cnt && !self->is_over)
		(void)loop_timer__start(self->look, ms, 0); /* one that exists does not fail */
}

static void take_found(struct record_run *self, const struct session_spec *found)
{
	self->found = *found;
	self->waits_for_groups = self->spec.group_cnt && !found->cgroup_cnt;
	want_paths(self);
	window__forget_members(&self->window);
}

static void on_look(void *arg)
{
	struct record_run *self = arg;
	uint64_t elapsed_ns = clock_mono_ns() - self->wished_ns;
	struct session_spec found;
	bool is_settled;

	if (self->is_over)
		return;
	is_settled = find_groups(self->record, &self->spec, &found);
	if (!session_spec__equal(&found, &self->found) &&
	    !collect__change(self->record->collect, self->slot, &found))
		take_found(self, &found);
	if (self->waits_for_groups && elapsed_ns > (is_settled ? LOOK_MIN_NS : LOOK_MAX_NS)) {
		self->why = "no container here is of that name";
		record_run__stop(self);
		return;
	}
	look_again(self, is_settled);
}

/* Moves the current window to those being named. */
static int close_window(struct record_run *self, bool is_last)
{
	struct record *record = self->record;
	struct collect_stats stats;
	int err;

	if (!self->window.profile)
		return -ENOMEM;
	collect__stats(record->collect, self->slot, &stats);
	err = window__close(&self->window, record->root, &stats, &self->spec);
	if (!err)
		run_counters__close_window(self->counters, record->container_names,
					   self->window.profile);
	unwinder__end_window(record->unwinder, &self->window.mark, oldest_window(self),
			     &self->window.profile->meta.tables);
	if (is_last)
		self->window.profile->meta.interrupted = self->is_interrupted;
	return naming__add(record->naming, &self->window, err, self, is_last);
}

static bool is_idle(const struct record *self)
{
	for (uint32_t i = 0; i < RECORD_RUNS_MAX; i++)
		if (self->runs[i] && self->runs[i]->is_on)
			return false;
	return true;
}

static void end_run(struct record_run *self)
{
	struct record *record = self->record;
	int err = self->why ? -ENOENT : close_window(self, true);

	self->is_on = false;
	if (is_idle(record)) {
		loop_timer__stop(record->tick);
		(void)loop__hurry(record->loop, false);
		young__forget(record->young);
		unwinder__end(record->unwinder);
	}
	if (err)
		deliver(self, err, self->why ?: "no memory to finish the profile", NULL, true);
}

static void on_all_drained(void *arg, int err)
{
	struct record *self = arg;

	if (err)
		log_warn("record: a drain of the maps fell short: %s, ignoring", errname(err));
	else
		unwinder__drained(self->unwinder);
}

static void on_drained(void *arg, int err, bool is_last)
{
	struct record_run *self = arg;

	if (is_last) {
		end_run(self);
		return;
	}
	if (!self->window_is_due)
		return;
	self->window_is_due = false;
	self->window_before = self->window.mark.window;
	err = close_window(self, false);
	window__clear(&self->window); /* one that could not be moved */
	if (!err)
		err = begin_window(self);
	collect__mark(self->record->collect, self->slot);
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
	collect__stop(self->record->collect, self->slot);
}

int record__new(struct loop *loop, const struct sysroot *root, struct collect *collect,
		const struct record_options *options, struct record **ret_record)
{
	struct record *self = calloc(1, sizeof(*self));
	const struct collect_ops ops = {
		.process = on_process, .page = on_page, .drained = on_all_drained, .arg = self
	};
	int err;

	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->root = root;
	self->collect = collect;
	self->container_names = options->container_names;
	collect__listen(collect, &ops);
	err = loop_timer__new(loop, on_tick, self, &self->tick);
	if (!err)
		err = unwinder__new(loop, root, collect, options, &self->unwinder);
	if (!err)
		err = young__new(loop, on_young, self, &self->young);
	if (!err)
		err = naming__new(loop, root, options, on_named, &self->naming);
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
	loop_timer__free(self->tick);
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
		err = loop_timer__new(record->loop, on_look, self, &self->look);
	if (!err)
		err = begin_window(self);
	self->window_before = self->window.mark.window;
	if (err) {
		run__free(self);
		return err;
	}
	*ret_run = self;
	return 0;
}

static int switch_on(struct record_run *self, const char **ret_why)
{
	const struct collect_run_ops ops = { .count = on_count,
					     .drained = on_drained,
					     .arg = self };
	struct record *record = self->record;
	bool is_first = is_idle(record), is_settled;
	int err;

	self->begin_ns = self->wished_ns = clock_mono_ns();
	/* A process that waits for its ranges is walked by frame pointers; without the right it waits longer. */
	if (is_first)
		(void)loop__hurry(record->loop, true);
	is_settled = find_groups(record, &self->spec, &self->found);
	err = collect__start(record->collect, &self->found,
			     self->spec.event[0] ? &self->event.clock : NULL, &ops, &self->slot,
			     ret_why);
	if (!err && self->spec.counters)
		run_counters__begin(record->root, &self->counters);
	if (!err) {
		self->is_on = true;
		take_found(self, &self->found);
		look_again(self, is_settled);
	}
	if (err && is_first)
		(void)loop__hurry(record->loop, false);
	if (err || !is_first)
		return err;
	unwinder__begin(record->unwinder);
	(void)loop_timer__start(record->tick, TICK_MS, TICK_MS); /* one that exists does not fail */
	return 0;
}

int record__start(struct record *self, const struct session_spec *spec,
		  const struct record_ops *ops, struct record_run **ret_run, const char **ret_why)
{
	uint64_t duration_ms = spec->duration_s * 1000ull;
	struct record_run *run;
	uint32_t place = 0;
	int err;

	while (place < RECORD_RUNS_MAX && self->runs[place])
		place++;
	if (place == RECORD_RUNS_MAX) {
		*ret_why = "as many runs as can be go on";
		return -EBUSY;
	}
	*ret_why = "no container runtime can be asked";
	if (spec->group_cnt && !self->container_names)
		return -EOPNOTSUPP;
	*ret_why = "no memory";
	err = new_run(self, spec, ops, &run);
	if (err)
		return err;
	if (spec->event[0])
		err = run_event__find(&run->event, self->root, spec->event, ret_why);
	if (!err)
		err = switch_on(run, ret_why);
	if (err) {
		run__free(run);
		return err;
	}
	self->runs[place] = run;
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
	loop_timer__stop(self->look);
	collect__stop(self->record->collect, self->slot);
}

int record_run__change(struct record_run *self, const struct session_spec *spec)
{
	struct session_spec found;
	int err;

	if (spec->rate_hz != self->spec.rate_hz || spec->duration_s != self->spec.duration_s ||
	    spec->continuous != self->spec.continuous || spec->idle != self->spec.idle ||
	    strcmp(spec->event, self->spec.event))
		return -EINVAL;
	if (self->is_over)
		return -ECANCELED;
	(void)find_groups(self->record, spec, &found);
	err = collect__change(self->record->collect, self->slot, &found);
	if (err)
		return err;
	self->spec = *spec;
	self->wished_ns = clock_mono_ns();
	take_found(self, &found);
	look_again(self, false);
	return 0;
}

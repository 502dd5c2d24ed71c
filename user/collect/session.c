/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The door of the room: load once, then runs that start, change, drain and stop, each in a slot. Knows no profile and no process;
 * what comes out goes to the caller's callbacks.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"

#define DRAIN_MS_MAX 1000
#define DRAIN_MS_MIN 50
#define EVENTS_HZ    10000 /* what is feared of events without a rate */

int collect__new(struct loop *loop, const struct sysroot *root, const struct collect_tuning *tuning,
		 struct collect **ret_collect, const char **ret_why)
{
	struct collect *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	*ret_why = "";
	self->loop = loop;
	self->root = root;
	if (tuning)
		self->tuning = *tuning;
	self->possible_cpus = libbpf_num_possible_cpus();
	err = self->possible_cpus > 0 ? 0 : -EOPNOTSUPP;
	if (!err) {
		self->cpu_counters = calloc(self->possible_cpus, sizeof(*self->cpu_counters));
		err = self->cpu_counters ? object__load(self, ret_why) : -ENOMEM;
	}
	if (!err)
		err = ring__open(self);
	if (err) {
		collect__free(self);
		return err;
	}
	*ret_collect = self;
	return 0;
}

void collect__free(struct collect *self)
{
	if (!self)
		return;
	pp_assert(!self->is_draining); /* the worker would write into freed memory */
	loop_timer__free(self->drain_timer);
	for (uint32_t s = 0; s < PP_SLOTS && self->skel; s++) {
		self->slots[s].is_on = false;
		sources__off(self, s);
	}
	ring__close(self);
	object__close(self);
	free(self->cpu_counters);
	free(self);
}

void collect__listen(struct collect *self, const struct collect_ops *ops)
{
	self->ops = *ops;
}

bool collect__is_running(const struct collect *self)
{
	for (uint32_t s = 0; s < PP_SLOTS; s++)
		if (self->slots[s].is_on)
			return true;
	return false;
}

static bool is_sampling(const struct slot *self)
{
	return self->is_on && !self->is_stopping;
}

static bool any_is_sampling(const struct collect *self)
{
	for (uint32_t s = 0; s < PP_SLOTS; s++)
		if (is_sampling(&self->slots[s]))
			return true;
	return false;
}

/*
 * Half of a stack map must last from drain to drain even if every stack is new. Few CPUs at 99 Hz drain
 * once a second; many at 999 Hz more often: a drain costs about a millisecond.
 */
static uint64_t drain_interval_ms(const struct collect *self)
{
	uint64_t samples_per_s = 0, ms;

	if (self->tuning.drain_ms)
		return self->tuning.drain_ms;
	for (uint32_t s = 0; s < PP_SLOTS; s++)
		if (is_sampling(&self->slots[s]))
			samples_per_s += (uint64_t)(self->slots[s].stats.rate_hz ?: EVENTS_HZ) *
					 self->slots[s].stats.cpu_cnt;
	ms = 1000ull * (self->small_entries / 2) / max_of(samples_per_s, 1ull);
	return ms < DRAIN_MS_MIN ? DRAIN_MS_MIN : min_of(ms, (uint64_t)DRAIN_MS_MAX);
}

static void on_drain_timer(void *arg)
{
	(void)collect__drain(arg); /* next tick tries again */
}

/* Drains come as often as all runs together want. */
static int fit_drain_timer(struct collect *self)
{
	uint64_t interval_ms = drain_interval_ms(self);
	int err = 0;

	if (self->drain_timer)
		loop_timer__stop(self->drain_timer);
	else
		err = loop_timer__new(self->loop, on_drain_timer, self, &self->drain_timer);
	if (!err && any_is_sampling(self))
		err = loop_timer__start(self->drain_timer, interval_ms, interval_ms);
	return err;
}

static int start_sources(struct collect *self, uint32_t s, const struct perf_clock *event,
			 const char **ret_why)
{
	struct slot *slot = &self->slots[s];
	uint32_t rate_hz = event ? 0 : self->tuning.rate_hz ?: slot->spec.rate_hz;
	int why_software, err = 0;

	if (event)
		slot->clock = *event;
	else
		err = perf_clock__choose(self->root, rate_hz, &slot->clock, &why_software);
	if (err) {
		*ret_why = "perf events cannot be opened: permission or kernel.perf_event_paranoid";
		return err;
	}
	if (!event)
		slot->clock.period = PP_PERIOD(slot->clock.period, s);
	err = filter__set(self, s, ret_why);
	if (!err)
		err = counters__begin(self, s);
	if (!err)
		err = sources__on(self, s, ret_why);
	if (err)
		return err;
	slot->stats.rate_hz = rate_hz;
	slot->stats.cpu_cnt = slot->events.cnt;
	slot->stats.clock = slot->clock.name;
	slot->stats.clock_is_software = slot->clock.is_software;
	slot->stats.is_event = slot->clock.is_event;
	slot->stats.period = slot->clock.period;
	return fit_drain_timer(self);
}

int collect__start(struct collect *self, const struct session_spec *spec,
		   const struct perf_clock *event, const struct collect_run_ops *ops,
		   uint32_t *ret_slot, const char **ret_why)
{
	struct slot *slot;
	uint32_t s = 0;
	int err;

	while (s < PP_SLOTS && self->slots[s].is_on)
		s++;
	if (s == PP_SLOTS) {
		*ret_why = "as many runs as can be go on";
		return -EBUSY;
	}
	*ret_why = "";
	if (!collect__is_running(self))
		drain__discard(self);
	slot = &self->slots[s];
	memset(slot, 0, sizeof(*slot));
	slot->spec = *spec;
	slot->ops = *ops;
	slot->is_on = true; /* records may come as soon as the events are on */
	err = start_sources(self, s, event, ret_why);
	if (err) {
		slot->is_on = false;
		sources__off(self, s);
		filter__clear(self, s);
		(void)fit_drain_timer(self);
		return err;
	}
	*ret_slot = s;
	return 0;
}

int collect__change(struct collect *self, uint32_t slot, const struct session_spec *spec)
{
	struct session_spec before = self->slots[slot].spec;
	int err;

	if (!is_sampling(&self->slots[slot]))
		return -ECANCELED;
	/* First the links: a child that is forked meanwhile is not missed. */
	self->slots[slot].spec = *spec;
	err = sources__fit(self);
	self->slots[slot].spec = before;
	if (!err)
		err = filter__change(self, slot, spec);
	if (!err)
		self->slots[slot].spec = *spec;
	else
		(void)sources__fit(self); /* what was attached is attached */
	return err;
}

bool collect__wants_paths(const struct collect *self, uint32_t slot)
{
	return self->slots[slot].cgroups.by_path;
}

void collect__refresh(struct collect *self)
{
	for (uint32_t s = 0; s < PP_SLOTS; s++)
		if (is_sampling(&self->slots[s]))
			filter__refresh(self, s);
}

int collect__drain(struct collect *self)
{
	if (!any_is_sampling(self))
		return -EINVAL;
	if (self->is_draining)
		return -EBUSY;
	return drain__begin(self);
}

void collect__stop(struct collect *self, uint32_t s)
{
	struct slot *slot = &self->slots[s];

	if (!is_sampling(slot))
		return;
	slot->is_stopping = true;
	/* Disabled first: what the events counted is read when it no longer grows. */
	(void)perf_set__disable(&slot->events); /* off by closing, whatever this said */
	if (perf_set__read(&slot->events, &slot->final_enabled_ns, &slot->final_expected,
			   slot->clock.period)) {
		slot->final_enabled_ns = slot->enabled_before_ns;
		slot->final_expected = slot->expected_before;
	}
	sources__off(self, s);
	(void)fit_drain_timer(self); /* without one the maps are drained when they are full */
	if (!self->is_draining)
		(void)drain__begin(self); /* no worker: the run ends without its last second */
}

void collect__stats(const struct collect *self, uint32_t slot, struct collect_stats *ret_stats)
{
	*ret_stats = self->slots[slot].stats;
}

void collect__mark(struct collect *self, uint32_t slot)
{
	struct collect_stats *stats = &self->slots[slot].stats;

	memset(stats->counters, 0, sizeof(stats->counters));
	stats->expected = 0;
	stats->enabled_ns = 0;
	object__run(self)->window[slot]++; /* each process is announced again */
}

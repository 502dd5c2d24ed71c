/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The door of the room: load once, then runs that start, drain and stop. Knows no profile and no process;
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
	sources__off(self);
	ring__close(self);
	object__close(self);
	free(self->cpu_counters);
	free(self);
}

/*
 * Half of a stack map must last from drain to drain even if every stack is new. Few CPUs at 99 Hz drain
 * once a second; many at 999 Hz more often: a drain costs about a millisecond.
 */
static uint64_t drain_interval_ms(const struct collect *self, uint32_t rate_hz)
{
	uint64_t samples_per_s = (uint64_t)rate_hz * self->events.cnt;
	uint64_t ms = 1000ull * (self->small_entries / 2) / max_of(samples_per_s, 1ull);

	if (self->tuning.drain_ms)
		return self->tuning.drain_ms;
	return ms < DRAIN_MS_MIN ? DRAIN_MS_MIN : min_of(ms, (uint64_t)DRAIN_MS_MAX);
}

static void on_drain_timer(void *arg)
{
	struct collect *self = arg;

	if (!self->is_draining && !self->is_stopping)
		(void)drain__begin(self, false); /* next tick tries again */
}

static int start_sources(struct collect *self, uint32_t rate_hz, const char **ret_why)
{
	int why_software, err;

	err = perf_clock__choose(self->root, rate_hz, &self->clock, &why_software);
	if (err) {
		*ret_why = "perf events cannot be opened: permission or kernel.perf_event_paranoid";
		return err;
	}
	err = filter__set(self, ret_why);
	if (err)
		return err;
	drain__discard(self);
	err = counters__read(self, self->settled);
	if (err)
		return err;
	memset(&self->stats, 0, sizeof(self->stats));
	self->expected_before = 0;
	self->enabled_before_ns = 0;
	err = sources__on(self, ret_why);
	if (err)
		return err;
	self->stats.rate_hz = rate_hz;
	self->stats.cpu_cnt = self->events.cnt;
	self->stats.clock = self->clock.name;
	self->stats.clock_is_software = self->clock.is_software;
	return 0;
}

int collect__start(struct collect *self, const struct session_spec *spec,
		   const struct collect_ops *ops, const char **ret_why)
{
	uint32_t rate_hz = self->tuning.rate_hz ?: spec->rate_hz;
	uint64_t interval_ms;
	int err;

	if (self->is_running) {
		*ret_why = "a run goes on";
		return -EBUSY;
	}
	*ret_why = "";
	self->spec = *spec;
	self->ops = *ops;
	self->is_running = true; /* records may come as soon as the events are on */
	err = start_sources(self, rate_hz, ret_why);
	if (!err) {
		interval_ms = drain_interval_ms(self, rate_hz);
		err = self->drain_timer ?
			      0 :
			      loop_timer__new(self->loop, on_drain_timer, self, &self->drain_timer);
		if (!err)
			err = loop_timer__start(self->drain_timer, interval_ms, interval_ms);
		if (err)
			sources__off(self);
	}
	if (err) {
		filter__clear(self);
		self->is_running = false;
	}
	return err;
}

int collect__drain(struct collect *self)
{
	if (!self->is_running || self->is_stopping)
		return -EINVAL;
	if (self->is_draining)
		return -EBUSY;
	return drain__begin(self, false);
}

void collect__stop(struct collect *self)
{
	if (!self->is_running || self->is_stopping)
		return;
	self->is_stopping = true;
	loop_timer__stop(self->drain_timer);
	/* Disabled first: what the events counted is read when it no longer grows. */
	(void)perf_set__disable(&self->events); /* off by closing, whatever this said */
	if (perf_set__read(&self->events, &self->final_enabled_ns, &self->final_expected,
			   self->clock.period)) {
		self->final_enabled_ns = self->enabled_before_ns;
		self->final_expected = self->expected_before;
	}
	sources__off(self);
	if (!self->is_draining)
		(void)drain__begin(self,
				   true); /* no worker: the run ends without its last second */
}

void collect__stats(const struct collect *self, struct collect_stats *ret_stats)
{
	*ret_stats = self->stats;
}

void collect__mark(struct collect *self)
{
	memset(self->stats.counters, 0, sizeof(self->stats.counters));
	self->stats.expected = 0;
	self->stats.enabled_ns = 0;
	object__run(self)->window++; /* each process is announced again */
}

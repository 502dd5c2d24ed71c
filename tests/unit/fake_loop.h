/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_LOOP_H
#define FAKE_LOOP_H
/*
 * Stands in for timers, workers and the monotonic clock under a room that waits: time passes when the test
 * says so. One test program includes it once. Link with --wrap of the functions below.
 */
#include <stdlib.h>
#include <string.h>

#include "pp/base/err.h"
#include "pp/base/loop.h"

struct loop_timer {
	loop_timer_fn fn;
	void *arg;
	bool active;
	uint64_t after_ms;
};

static uint64_t wire_now_ns = 1000000000;

#define WIRE_WORKS_MAX 8
static struct {
	void (*run)(void *arg);
	void (*done)(void *arg, int err);
	void *arg;
} wire_works[WIRE_WORKS_MAX]; /* submitted, the oldest first */
static size_t wire_works_cnt;

int __wrap_loop_timer__new(struct loop *loop, loop_timer_fn fn, void *arg,
			   struct loop_timer **ret_timer);
int __wrap_loop_timer__start(struct loop_timer *self, uint64_t after_ms, uint64_t repeat_ms);
void __wrap_loop_timer__stop(struct loop_timer *self);
bool __wrap_loop_timer__is_active(const struct loop_timer *self);
void __wrap_loop_timer__free(struct loop_timer *self);
int __wrap_work__submit(struct loop *loop, void (*run)(void *arg), void (*done)(void *arg, int err),
			void *arg);
uint64_t __wrap_clock_mono_ns(void);

uint64_t __wrap_clock_mono_ns(void)
{
	return wire_now_ns;
}

int __wrap_loop_timer__new(struct loop *loop, loop_timer_fn fn, void *arg,
			   struct loop_timer **ret_timer)
{
	struct loop_timer *self = calloc(1, sizeof(*self));

	pp_assert(self);
	self->fn = fn;
	self->arg = arg;
	*ret_timer = self;
	return 0;
}

static struct loop_timer *wire_timer; /* the one started last */

int __wrap_loop_timer__start(struct loop_timer *self, uint64_t after_ms, uint64_t repeat_ms)
{
	self->active = true;
	self->after_ms = after_ms;
	wire_timer = self;
	return 0;
}

void __wrap_loop_timer__stop(struct loop_timer *self)
{
	self->active = false;
}

bool __wrap_loop_timer__is_active(const struct loop_timer *self)
{
	return self->active;
}

void __wrap_loop_timer__free(struct loop_timer *self)
{
	if (wire_timer == self)
		wire_timer = NULL;
	free(self);
}

/* Lets the time of the timer started last pass and fires it. */
static inline void wire_expire(void)
{
	pp_assert(wire_timer && wire_timer->active);
	wire_now_ns += wire_timer->after_ms * 1000000;
	wire_timer->active = false;
	wire_timer->fn(wire_timer->arg);
}

int __wrap_work__submit(struct loop *loop, void (*run)(void *arg), void (*done)(void *arg, int err),
			void *arg)
{
	pp_assert(wire_works_cnt < WIRE_WORKS_MAX);
	wire_works[wire_works_cnt].run = run;
	wire_works[wire_works_cnt].done = done;
	wire_works[wire_works_cnt++].arg = arg;
	return 0;
}

/* Lets the work submitted first happen. False: there was none. */
static inline bool wire_work_off(void)
{
	void (*run)(void *arg) = wire_works[0].run;
	void (*done)(void *arg, int err) = wire_works[0].done;
	void *arg = wire_works[0].arg;

	if (!wire_works_cnt)
		return false;
	wire_works_cnt--;
	memmove(wire_works, wire_works + 1, wire_works_cnt * sizeof(*wire_works));
	run(arg);
	done(arg, 0);
	return true;
}

#endif

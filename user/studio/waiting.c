/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Heartbeats that wait for a command. A waiter is in two lists: with the others of its bucket of host names,
 * and either at the place of a wheel where its time is up or among those that were woken. The woken ones
 * are served some at a time, so that an order for thousands of hosts does not stop everything else.
 */
#include "waiting.h"

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/hash.h"
#include "pp/base/loop.h"
#include "pp/httpd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS	   8192
#define WHEEL	   256 /* ticks */
#define WAIT_MAX_S 55
#define AT_ONCE_NS 5000000 /* of serving the woken ones */
#define TICK_MS	   250

struct link {
	struct link *prev, *next;
};
#define of_link(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

struct waiter {
	struct link by_host, by_time;
	struct waiting *waiting;
	struct httpd_call *call;
	struct waiter_id id; /* its strings follow */
	uint64_t until; /* ticks, as all times here */
	char text[];
};

struct waiting {
	struct waiting_ops ops;
	struct loop_timer *tick, *serve;
	uint32_t cnt, max;
	uint64_t seen; /* the wheel is empty up to this tick */
	struct link woken;
	struct link wheel[WHEEL];
	struct link buckets[BUCKETS];
};

static void link__init(struct link *self)
{
	self->prev = self->next = self;
}

static void link__leave(struct link *self)
{
	self->prev->next = self->next;
	self->next->prev = self->prev;
}

static void link__enter(struct link *self, struct link *list)
{
	self->next = list;
	self->prev = list->prev;
	list->prev->next = self;
	list->prev = self;
}

static uint64_t now_tick(void)
{
	return clock_mono_ns() / (TICK_MS * 1000000ull);
}

static struct link *waiting__bucket(struct waiting *self, const char *hostname, const char *service)
{
	const uint64_t seed = hash_bytes(service, strlen(service), 0);

	return &self->buckets[hash_bytes(hostname, strlen(hostname), seed) % BUCKETS];
}

static void waiter__remove(struct waiter *self)
{
	link__leave(&self->by_host);
	link__leave(&self->by_time);
	if (!--self->waiting->cnt)
		loop_timer__stop(self->waiting->tick);
	free(self);
}

static void on_gone(void *arg)
{
	waiter__remove(arg);
}

static void waiter__answer(struct waiter *self, const struct command *command)
{
	const struct waiting_ops *ops = &self->waiting->ops;
	struct httpd_call *call = self->call;

	waiter__remove(self);
	ops->answer(ops->arg, call, command);
}

/* To the place of the wheel where its time is up; if that was passed, to the next. */
static void waiter__wait(struct waiter *self)
{
	struct waiting *waiting = self->waiting;
	const uint64_t at = max_of(self->until, waiting->seen + 1);

	link__enter(&self->by_time, &waiting->wheel[at % WHEEL]);
}

static void on_tick(void *arg)
{
	struct waiting *self = arg;
	const uint64_t now = now_tick();
	struct link *link, *next, *slot;

	if (now - self->seen > WHEEL) /* the machine slept */
		self->seen = now - WHEEL;
	while (self->seen < now) {
		slot = &self->wheel[++self->seen % WHEEL];
		for (link = slot->next; link != slot; link = next) {
			struct waiter *waiter = of_link(link, struct waiter, by_time);

			next = link->next;
			if (waiter->until <= now)
				waiter__answer(waiter, NULL);
		}
	}
}

static void waiter__serve(struct waiter *self)
{
	const struct waiting_ops *ops = &self->waiting->ops;
	struct command command = { 0 };
	int err;

	err = ops->deliver(ops->arg, &self->id, &command);
	if (err == -ENOENT) {
		link__leave(&self->by_time);
		waiter__wait(self);
	} else {
		waiter__answer(self, err ? NULL : &command);
	}
	command__clear(&command);
}

static void on_serve(void *arg)
{
	struct waiting *self = arg;
	const uint64_t begin_ns = clock_mono_ns();

	while (self->woken.next != &self->woken) {
		if (clock_mono_ns() - begin_ns > AT_ONCE_NS) {
			(void)loop_timer__start(self->serve, 1, 0);
			return;
		}
		waiter__serve(of_link(self->woken.next, struct waiter, by_time));
	}
}

int waiting__new(struct loop *loop, const struct waiting_ops *ops, uint32_t max,
		 struct waiting **ret_waiting)
{
	struct waiting *self = calloc(1, sizeof(*self));
	size_t i;
	int err;

	if (!self)
		return -ENOMEM;
	self->ops = *ops;
	self->max = max;
	link__init(&self->woken);
	for (i = 0; i < WHEEL; i++)
		link__init(&self->wheel[i]);
	for (i = 0; i < BUCKETS; i++)
		link__init(&self->buckets[i]);
	err = loop_timer__new(loop, on_tick, self, &self->tick);
	err = err ? err : loop_timer__new(loop, on_serve, self, &self->serve);
	if (err) {
		waiting__free(self);
		return err;
	}
	*ret_waiting = self;
	return 0;
}

void waiting__free(struct waiting *self)
{
	if (!self)
		return;
	loop_timer__free(self->tick);
	loop_timer__free(self->serve);
	free(self);
}

static char *copy_text(char **at, const char *text)
{
	char *copy = *at;

	*at = stpcpy(copy, text) + 1;
	return copy;
}

static struct waiter *waiter__new(struct waiting *waiting, const struct waiter_id *id)
{
	struct waiter *self = malloc(sizeof(*self) + strlen(id->hostname) + strlen(id->service) +
				     strlen(id->agent) + 3);
	char *at;

	if (!self)
		return NULL;
	at = self->text;
	self->waiting = waiting;
	self->id = (struct waiter_id){ copy_text(&at, id->hostname), copy_text(&at, id->service),
				       copy_text(&at, id->agent), id->traits };
	return self;
}

static bool waiter__is_of(const struct waiter *self, const char *hostname, const char *service)
{
	return !strcmp(self->id.hostname, hostname) && !strcmp(self->id.service, service);
}

/* An agent calls once at a time: an older call of it is one whose end we did not see. */
static void waiting__replace(struct waiting *self, struct link *bucket, const struct waiter_id *id)
{
	struct link *link;

	for (link = bucket->next; link != bucket; link = link->next) {
		struct waiter *waiter = of_link(link, struct waiter, by_host);

		if (waiter__is_of(waiter, id->hostname, id->service) &&
		    !strcmp(waiter->id.agent, id->agent)) {
			waiter__answer(waiter, NULL);
			return;
		}
	}
}

int waiting__add(struct waiting *self, const struct waiter_id *id, struct httpd_call *call,
		 uint32_t wait_s)
{
	struct link *bucket = waiting__bucket(self, id->hostname, id->service);
	struct waiter *waiter;
	int err;

	waiting__replace(self, bucket, id);
	if (self->cnt >= self->max)
		return -EBUSY;
	waiter = waiter__new(self, id);
	err = waiter ? httpd_call__hold(call, on_gone, waiter) : -ENOMEM;
	if (err) {
		free(waiter);
		return err;
	}
	waiter->call = call;
	waiter->until = now_tick() + 1 + min_of(wait_s, (uint32_t)WAIT_MAX_S) * (1000 / TICK_MS);
	if (!self->cnt++) {
		self->seen = now_tick();
		(void)loop_timer__start(self->tick, TICK_MS, TICK_MS);
	}
	link__enter(&waiter->by_host, bucket);
	waiter__wait(waiter);
	return 0;
}

void waiting__wake(struct waiting *self, const char *hostname, const char *service)
{
	struct link *bucket = waiting__bucket(self, hostname, service), *link;

	for (link = bucket->next; link != bucket; link = link->next) {
		struct waiter *waiter = of_link(link, struct waiter, by_host);

		if (!waiter__is_of(waiter, hostname, service))
			continue;
		if (self->woken.next == &self->woken)
			(void)loop_timer__start(self->serve, 0, 0);
		link__leave(&waiter->by_time);
		link__enter(&waiter->by_time, &self->woken);
	}
}

uint32_t waiting__cnt(const struct waiting *self)
{
	return self->cnt;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The event loop over libuv. libuv frees nothing and closes a handle only on the next turn, so
 * __free cuts the callback at once and leaves the memory to the close callback; that is why a
 * callback may free its own handle. With no active timer the loop sleeps in epoll without end:
 * idle means no wake-ups.
 */
#include "pp/base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <uv.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"

#define WORKERS	     "2"
#define HURRIED_NICE (-10)

struct loop_timer {
	uv_timer_t uv; /* first in each of the three: libuv's handle pointer is ours */
	struct loop *loop;
	loop_timer_fn fn;
	void *arg;
};

struct loop_io {
	uv_poll_t uv;
	loop_io_fn fn;
	void *arg;
};

struct loop_signal {
	uv_signal_t uv;
	loop_signal_fn fn;
	void *arg;
};

int loop__new(struct loop **ret_loop)
{
	struct loop *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	/* Read by libuv when the first work is submitted; an operator's value stands. */
	setenv("UV_THREADPOOL_SIZE", WORKERS, 0);
	self->uv = calloc(1, sizeof(*self->uv));
	err = self->uv ? uv_loop_init(self->uv) : -ENOMEM;
	if (err) {
		free(self->uv);
		free(self);
		return err;
	}
	pp_assert(pthread_mutex_init(&self->hurry_lock, NULL) == 0);
	*ret_loop = self;
	return 0;
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void silence(uv_handle_t *handle, void *arg)
{
	if (uv_is_closing(handle))
		return;
	switch (uv_handle_get_type(handle)) {
	case UV_TIMER: uv_timer_stop((uv_timer_t *)handle); break;
	case UV_POLL: uv_poll_stop((uv_poll_t *)handle); break;
	case UV_SIGNAL: uv_signal_stop((uv_signal_t *)handle); break;
	default: break; /* libuv's own */
	}
}

static void close_ours(uv_handle_t *handle, void *arg)
{
	uv_handle_type type = uv_handle_get_type(handle);

	if ((type == UV_TIMER || type == UV_POLL || type == UV_SIGNAL) && !uv_is_closing(handle))
		uv_close(handle, free_handle);
}

void loop__free(struct loop *self)
{
	if (!self)
		return;
	self->ending = true;
	uv_walk(self->uv, silence, NULL);
	work__cancel_all(self);
	while (self->works)
		uv_run(self->uv, UV_RUN_ONCE);
	uv_walk(self->uv, close_ours, NULL);
	while (uv_loop_close(self->uv) == UV_EBUSY)
		uv_run(self->uv, UV_RUN_ONCE);
	pthread_mutex_destroy(&self->hurry_lock);
	free(self->uv);
	free(self);
}

int loop__run(struct loop *self)
{
	(void)uv_run(self->uv, UV_RUN_DEFAULT); /* tells only whether something is still active */
	return 0;
}

void loop__stop(struct loop *self)
{
	uv_stop(self->uv);
}

static void do_nothing(void *arg)
{
}

static void did_nothing(void *arg, int err)
{
}

/* So that there is one to be hurried: a worker is known from its first work on. */
static int make_workers(struct loop *self)
{
	return work__submit(self, do_nothing, did_nothing, self);
}

static int hurry_all(struct loop *self, bool on)
{
	/* 0 is the calling thread, not the process (setpriority(2), C library/kernel differences) */
	if (setpriority(PRIO_PROCESS, 0, on ? self->hurried_nice : self->nice))
		return errno == EACCES ? -EPERM : -errno;
	self->is_hurried = on;
	workers__hurry(self);
	return 0;
}

int loop__hurry(struct loop *self, bool on)
{
	int err;

	if (on == self->is_hurried)
		return 0;
	if (on) {
		err = make_workers(self);
		if (err)
			return err;
		errno = 0;
		self->nice = getpriority(PRIO_PROCESS, 0);
		if (errno)
			return -errno;
		self->hurried_nice = min_of(self->nice, HURRIED_NICE);
	}
	pthread_mutex_lock(&self->hurry_lock);
	err = hurry_all(self, on);
	pthread_mutex_unlock(&self->hurry_lock);
	return err;
}

static void on_timer(uv_timer_t *uv)
{
	struct loop_timer *self = (struct loop_timer *)uv;

	self->fn(self->arg);
}

int loop_timer__new(struct loop *loop, loop_timer_fn fn, void *arg, struct loop_timer **ret_timer)
{
	struct loop_timer *self;
	int err;

	if (loop->ending)
		return -ECANCELED;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->fn = fn;
	self->arg = arg;
	err = uv_timer_init(loop->uv, &self->uv);
	if (err) {
		free(self);
		return err;
	}
	*ret_timer = self;
	return 0;
}

int loop_timer__start(struct loop_timer *self, uint64_t after_ms, uint64_t repeat_ms)
{
	if (self->loop->ending)
		return -ECANCELED;
	/* libuv counts from when the loop last woke; a long callback would shorten the time. */
	uv_update_time(self->loop->uv);
	return uv_timer_start(&self->uv, on_timer, after_ms, repeat_ms);
}

void loop_timer__stop(struct loop_timer *self)
{
	uv_timer_stop(&self->uv);
}

bool loop_timer__is_active(const struct loop_timer *self)
{
	return uv_is_active((const uv_handle_t *)&self->uv);
}

void loop_timer__free(struct loop_timer *self)
{
	if (self)
		uv_close((uv_handle_t *)&self->uv, free_handle);
}

static void on_io(uv_poll_t *uv, int status, int uv_events)
{
	struct loop_io *self = (struct loop_io *)uv;
	int events = 0;

	if (uv_events & UV_READABLE)
		events |= LOOP_READ;
	if (uv_events & UV_WRITABLE)
		events |= LOOP_WRITE;
	/*
	 * libuv says EBADF for EPOLLERR, though the descriptor is good and only its other end is
	 * not.
	 */
	self->fn(self->arg, events, status == UV_EBADF ? -EIO : status);
}

int loop_io__new(struct loop *loop, int fd, int events, loop_io_fn fn, void *arg,
		 struct loop_io **ret_io)
{
	struct loop_io *self;
	int err;

	if (loop->ending)
		return -ECANCELED;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->fn = fn;
	self->arg = arg;
	err = uv_poll_init(loop->uv, &self->uv, fd);
	if (err) {
		free(self);
		return err;
	}
	err = loop_io__set(self, events);
	if (err) {
		loop_io__free(self);
		return err;
	}
	*ret_io = self;
	return 0;
}

int loop_io__set(struct loop_io *self, int events)
{
	int uv_events = 0;

	if (events & LOOP_READ)
		uv_events |= UV_READABLE;
	if (events & LOOP_WRITE)
		uv_events |= UV_WRITABLE;
	return uv_events ? uv_poll_start(&self->uv, uv_events, on_io) : uv_poll_stop(&self->uv);
}

void loop_io__free(struct loop_io *self)
{
	/* Takes the descriptor out of epoll at once, so the caller may close it. */
	if (self)
		uv_close((uv_handle_t *)&self->uv, free_handle);
}

static void on_signal(uv_signal_t *uv, int signo)
{
	struct loop_signal *self = (struct loop_signal *)uv;

	self->fn(self->arg, signo);
}

int loop_signal__new(struct loop *loop, int signo, loop_signal_fn fn, void *arg,
		     struct loop_signal **ret_signal)
{
	struct loop_signal *self;
	int err;

	if (loop->ending)
		return -ECANCELED;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->fn = fn;
	self->arg = arg;
	err = uv_signal_init(loop->uv, &self->uv);
	if (err) {
		free(self);
		return err;
	}
	err = uv_signal_start(&self->uv, on_signal, signo);
	if (err) {
		loop_signal__free(self);
		return err;
	}
	*ret_signal = self;
	return 0;
}

void loop_signal__free(struct loop_signal *self)
{
	if (self)
		uv_close((uv_handle_t *)&self->uv, free_handle);
}

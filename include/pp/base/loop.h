/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_LOOP_H
#define PP_BASE_LOOP_H
/*
 * The one event loop of a program (libuv behind it): timers, descriptors, signals, and work for
 * the pool of two worker threads. All calls are loop-thread only unless said. A callback may free
 * its own handle. __free(NULL) is a no-op.
 */
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_io;
struct loop_signal;
struct work;

int loop__new(struct loop **ret_loop);
/*
 * Stops timers, descriptors and signals, cancels queued work and waits for running work (their
 * done() is called), frees the handles that are left: their pointers are dead then.
 */
void loop__free(struct loop *self);
/* Runs until loop__stop or until nothing is active. Returns 0. */
int loop__run(struct loop *self);
void loop__stop(struct loop *self);
/*
 * While on, the loop's thread and the workers, but for patient work, go before others that are ready (nice
 * -10): for what is late after a millisecond. -EPERM: it may not; nothing changed. On the loop's thread.
 */
int loop__hurry(struct loop *self, bool on);

typedef void (*loop_timer_fn)(void *arg);
int loop_timer__new(struct loop *loop, loop_timer_fn fn, void *arg, struct loop_timer **ret_timer);
/* Fires after after_ms, then every repeat_ms (0: once). Restarts a running timer. */
int loop_timer__start(struct loop_timer *self, uint64_t after_ms, uint64_t repeat_ms);
void loop_timer__stop(struct loop_timer *self);
bool loop_timer__is_active(const struct loop_timer *self);
void loop_timer__free(struct loop_timer *self);

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
/*
 * events: what is ready, or 0 with err: -EIO if epoll reports an error of the descriptor (a closed
 * other end, a refused connection: ask it); it is then paused until loop_io__set. The descriptor
 * stays the caller's (borrowed) and becomes non-blocking. -EPERM: it cannot be polled (regular
 * files).
 */
typedef void (*loop_io_fn)(void *arg, int events, int err);
int loop_io__new(struct loop *loop, int fd, int events, loop_io_fn fn, void *arg,
		 struct loop_io **ret_io);
int loop_io__set(struct loop_io *self, int events); /* 0 pauses */
void loop_io__free(struct loop_io *self); /* the descriptor may be closed right after */

typedef void (*loop_signal_fn)(void *arg, int signo);
int loop_signal__new(struct loop *loop, int signo, loop_signal_fn fn, void *arg,
		     struct loop_signal **ret_signal);
void loop_signal__free(struct loop_signal *self);

/*
 * Runs run(arg) on a worker, then done(arg, err) on the loop: err 0, or -ECANCELED if it never ran.
 * arg is the caller's; it must not hold pointers into loop-only objects while run() goes on.
 * Two workers (UV_THREADPOOL_SIZE is set to 2 by loop__new).
 */
int work__submit(struct loop *loop, void (*run)(void *arg), void (*done)(void *arg, int err),
		 void *arg);
/* On a worker: the rest of this work takes long and may wait, it is not hurried. Elsewhere: nothing. */
void work__be_patient(void);

#endif

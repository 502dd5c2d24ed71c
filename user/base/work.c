/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Work for libuv's pool of threads. Each piece is listed in its loop until done() has been called,
 * so that the loop's end can cancel what is queued and wait for what runs: done() is called
 * exactly once for each submitted piece. Not a queue with a limit: whoever submits bounds what he
 * has under way.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "pp/base/loop.h"

struct work {
	uv_work_t uv; /* first: libuv's pointer is ours */
	struct loop *loop;
	struct work *next;
	struct work **link; /* the pointer that points to us */
	void (*run)(void *arg);
	void (*done)(void *arg, int err);
	void *arg;
};

/* On a worker, while it works. */
static _Thread_local struct loop *served;
static _Thread_local struct worker *worker;

/* A failure changes nothing that anybody could do something about: the work is done later. */
static void worker__hurry(const struct loop *loop, const struct worker *self)
{
	bool on = loop->is_hurried && !self->is_patient;

	(void)setpriority(PRIO_PROCESS, (id_t)self->tid, on ? loop->hurried_nice : loop->nice);
}

void workers__hurry(struct loop *loop)
{
	for (int i = 0; i < WORKERS_MAX && loop->workers[i].tid; i++)
		worker__hurry(loop, &loop->workers[i]);
}

static void be_known(struct loop *loop)
{
	pid_t tid = gettid();

	served = loop;
	worker = NULL;
	pthread_mutex_lock(&loop->hurry_lock);
	for (int i = 0; i < WORKERS_MAX && !worker; i++) {
		if (!loop->workers[i].tid) {
			loop->workers[i].tid = tid;
			if (loop->is_hurried)
				worker__hurry(loop, &loop->workers[i]);
		}
		if (loop->workers[i].tid == tid)
			worker = &loop->workers[i];
	}
	pthread_mutex_unlock(&loop->hurry_lock);
}

static void set_patient(bool is_patient)
{
	if (!worker || worker->is_patient == is_patient)
		return;
	pthread_mutex_lock(&served->hurry_lock);
	worker->is_patient = is_patient;
	if (served->is_hurried)
		worker__hurry(served, worker);
	pthread_mutex_unlock(&served->hurry_lock);
}

void work__be_patient(void)
{
	set_patient(true);
}

static void on_worker(uv_work_t *uv)
{
	struct work *self = (struct work *)uv;

	be_known(self->loop);
	self->run(self->arg);
	set_patient(false);
	worker = NULL;
}

static void on_done(uv_work_t *uv, int status)
{
	struct work *self = (struct work *)uv;
	void (*done)(void *arg, int err) = self->done;
	void *arg = self->arg;

	*self->link = self->next;
	if (self->next)
		self->next->link = self->link;
	free(self);
	done(arg, status);
}

int work__submit(struct loop *loop, void (*run)(void *arg), void (*done)(void *arg, int err),
		 void *arg)
{
	struct work *self;
	int err;

	if (loop->ending)
		return -ECANCELED;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->run = run;
	self->done = done;
	self->arg = arg;
	err = uv_queue_work(loop->uv, &self->uv, on_worker, on_done);
	if (err) {
		free(self);
		return err;
	}
	self->next = loop->works;
	self->link = &loop->works;
	if (self->next)
		self->next->link = &self->next;
	loop->works = self;
	return 0;
}

void work__cancel_all(struct loop *loop)
{
	/*
	 * A running one answers EBUSY and ends by itself. done() comes from the loop, never from
	 * here.
	 */
	for (struct work *work = loop->works; work; work = work->next)
		(void)uv_cancel((uv_req_t *)&work->uv);
}

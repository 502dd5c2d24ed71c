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

static void on_worker(uv_work_t *uv)
{
	struct work *self = (struct work *)uv;

	self->run(self->arg);
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

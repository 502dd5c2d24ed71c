/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Queues of jobs for the loop's workers, see slow.h. At most one job of a queue is with the workers, so that jobs
 * of a queue end in the order in which they came, and there is a worker for each queue.
 */
#include "slow.h"

#include "pp/base/cleanup.h"
#include "pp/base/loop.h"
#include "pp/httpd.h"

#include <errno.h>
#include <stdlib.h>

struct slow {
	struct loop *loop;
	struct queue {
		struct slow_job *first, *last; /* the first one is with a worker */
		uint32_t cnt;
		size_t bytes;
	} queues[SLOW_QUEUES];
};

static void slow__begin(struct slow *self, struct queue *queue);

static void queue__pop(struct queue *self)
{
	struct slow_job *job = self->first;

	self->first = job->next;
	self->cnt--;
	self->bytes -= job->bytes;
	job->free(job);
}

static void on_run(void *arg)
{
	struct slow_job *job = arg;

	job->run(job);
}

/* -ECANCELED: the loop ends; what is left is freed by slow__free. */
static void on_done(void *arg, int err)
{
	struct slow_job *job = arg;
	struct slow *self = job->slow;
	struct queue *queue = &self->queues[job->queue];

	if (err)
		return;
	job->finish(job, &(struct httpd_request){ .call = take_ptr(job->call) });
	queue__pop(queue);
	slow__begin(self, queue);
}

/* Out of the middle of its queue, where it only waits. */
static void queue__drop(struct queue *self, struct slow_job *job)
{
	struct slow_job *before = self->first;

	while (before->next != job)
		before = before->next;
	before->next = job->next;
	if (self->last == job)
		self->last = before;
	self->cnt--;
	self->bytes -= job->bytes;
	job->free(job);
}

static void on_gone(void *arg)
{
	struct slow_job *job = arg;
	struct queue *queue = &job->slow->queues[job->queue];

	job->call = NULL;
	if (job->is_for_client && job != queue->first)
		queue__drop(queue, job);
}

static void slow__begin(struct slow *self, struct queue *queue)
{
	struct slow_job *job = queue->first;
	int err;

	if (!job)
		return;
	err = work__submit(self->loop, on_run, on_done, job);
	if (err && err != -ECANCELED) { /* no memory for a worker: then here */
		on_run(job);
		on_done(job, 0);
	}
}

int slow__add(struct slow *self, enum slow_queue number, struct slow_job *job,
	      struct httpd_call *call)
{
	struct queue *queue = &self->queues[number];
	int err;

	if (queue->cnt >= SLOW_JOBS_MAX ||
	    (queue->cnt && queue->bytes + job->bytes > SLOW_BYTES_MAX))
		return -EBUSY;
	err = httpd_call__hold(call, on_gone, job);
	if (err)
		return err;
	job->slow = self;
	job->next = NULL;
	job->call = call;
	job->queue = number;
	if (queue->first)
		queue->last->next = job;
	else
		queue->first = job;
	queue->last = job;
	queue->bytes += job->bytes;
	if (!queue->cnt++)
		slow__begin(self, queue);
	return 0;
}

int slow__new(struct loop *loop, struct slow **ret_slow)
{
	struct slow *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->loop = loop;
	*ret_slow = self;
	return 0;
}

void slow__free(struct slow *self)
{
	size_t i;

	if (!self)
		return;
	for (i = 0; i < SLOW_QUEUES; i++)
		while (self->queues[i].first)
			queue__pop(&self->queues[i]);
	free(self);
}

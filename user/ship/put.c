/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A parcel's way into the spool: a worker compresses it, the loop makes room, a worker writes and syncs it,
 * the loop tells. Decides nothing; sends nothing.
 */
#include "put.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/compress.h"
#include "pp/base/file.h"
#include "pp/base/loop.h"
#include "pp/ship.h"

/* The buffers, names and dir_fd belong to the worker while it runs; ship is NULL when it has gone meanwhile. */
struct put_job {
	struct loop *loop;
	struct put_list *list;
	struct put_job *next;
	bool is_held;
	struct buf parcel, packed;
	struct spool_name name;
	int dir_fd;
	ship_put_fn fn;
	void *arg;
	int err;
};

static void put_job__free(struct put_job *self)
{
	buf__clear(&self->parcel);
	buf__clear(&self->packed);
	if (self->dir_fd >= 0)
		close(self->dir_fd);
	free(self);
}

static void put_list__next(struct put_list *self);

/* The first of the list has ended, well or not; `ended` and fn may put more. */
static void put_job__end(struct put_job *self, int err)
{
	struct put_list *list = self->list;
	ship_put_fn fn = self->fn;
	void *arg = self->arg;

	if (list)
		list->first = self->next;
	put_job__free(self);
	if (!list)
		return;
	put_list__next(list);
	list->ended(list->arg);
	if (fn)
		fn(arg, err);
}

static void write_on_worker(void *arg)
{
	struct put_job *self = arg;
	char name[SPOOL_NAME_BYTES];

	spool_name__print(&self->name, name);
	self->err =
		file__write_atomic(self->dir_fd, name, self->packed.data, self->packed.len, 0600);
}

static void on_written(void *arg, int err)
{
	struct put_job *self = arg;

	if (!err)
		err = self->err;
	if (self->list)
		err = spool__written(self->list->spool, self->name.stem, err, self->packed.data);
	put_job__end(self, err);
}

static void pack_on_worker(void *arg)
{
	struct put_job *self = arg;

	work__be_patient();
	self->err = gzip__pack(self->parcel.data, self->parcel.len, 6, &self->packed);
	buf__clear(&self->parcel);
}

static void on_packed(void *arg, int err)
{
	struct put_job *self = arg;
	struct spool *spool = self->list ? self->list->spool : NULL;

	if (!err)
		err = self->err;
	if (!err && !spool)
		err = -ECANCELED;
	if (!err)
		err = spool__reserve(spool, &self->name, self->is_held, self->packed.len,
				     self->list->pinned);
	if (err) {
		put_job__end(self, err);
		return;
	}
	/* The directory may be closed before the worker has done. */
	self->dir_fd = fcntl(spool->dir_fd, F_DUPFD_CLOEXEC, 3);
	err = self->dir_fd < 0 ? (spool->dir_fd < 0 ? -EROFS : -errno) : 0;
	if (!err)
		err = work__submit(self->loop, write_on_worker, on_written, self);
	if (err)
		on_written(self, err);
}

/* One at a time: they reach the spool in the order in which they came, and one worker stays free. */
static void put_list__next(struct put_list *self)
{
	struct put_job *job = self->first;
	int err;

	if (!job)
		return;
	err = work__submit(job->loop, pack_on_worker, on_packed, job);
	if (err)
		put_job__end(job, err);
}

int put_list__add(struct put_list *self, struct loop *loop, const struct ship_item *item,
		  ship_put_fn fn, void *arg)
{
	struct put_job *job = calloc(1, sizeof(*job));
	struct put_job **last = &self->first;
	bool is_only = !self->first;
	int err = 0;

	if (!job)
		return -ENOMEM;
	job->loop = loop;
	job->list = self;
	job->dir_fd = -1;
	job->is_held = item->is_held;
	job->fn = fn;
	job->arg = arg;
	job->name = (struct spool_name){ .part = 1, .parts = 1, .pieces = 1 };
	if (item->share.cnt > 1) {
		job->name.part = item->share.index + 1;
		job->name.parts = item->share.cnt;
	}
	if (item->command_id)
		spool_name__encode_command(item->command_id, job->name.command);
	buf__init(&job->packed, SPOOL_PACKED_MAX_BYTES);
	job->parcel = *item->parcel;
	if (is_only)
		err = work__submit(loop, pack_on_worker, on_packed, job);
	if (err) {
		free(job);
		return err;
	}
	buf__init(item->parcel, item->parcel->max_bytes);
	while (*last)
		last = &(*last)->next;
	*last = job;
	return 0;
}

void put_list__release(struct put_list *self, const char *command)
{
	for (struct put_job *job = self->first; job; job = job->next)
		if (!command || !strcmp(job->name.command, command))
			job->is_held = false;
}

uint32_t put_list__cnt(const struct put_list *self)
{
	uint32_t cnt = 0;

	for (const struct put_job *job = self->first; job; job = job->next)
		cnt++;
	return cnt;
}

void put_list__cancel(struct put_list *self)
{
	struct put_job *running = self->first;
	struct put_job *job;

	while ((job = self->first)) {
		self->first = job->next;
		job->list = NULL;
		if (job->fn)
			job->fn(job->arg, -ECANCELED);
		if (job != running) /* the worker's end frees that one */
			put_job__free(job);
	}
}

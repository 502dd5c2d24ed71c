/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The journal's file: replaced as a whole by a synced rename, on a worker, so that it is always one state or the
 * next, whenever the power goes. At most one write is under way; what changes meanwhile goes into the next.
 * Knows nothing of what is in it. On a disk that takes nothing it says so and tries again later.
 */
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/metrics.h"

#define FILE_NAME    "journal"
#define ASIDE_NAME   "journal.damaged"
#define TMP_PREFIX   "journal.tmp-"
#define RETRY_MS     60000
#define LOG_EVERY_MS 300000

/* Lives until its done() was called, which may be after the journal's end. */
struct write_job {
	struct journal *journal; /* NULL: gone */
	char *state_dir;
	struct buf text;
	uint64_t generation;
	int err;
	/* Two writers at the end: the one with the older text must not come last. */
	pthread_mutex_t lock;
	bool is_void;
};

struct journal {
	struct loop *loop;
	struct loop_timer *timer; /* runs only after a write that failed */
	struct journal_ops ops;
	char *state_dir;
	struct write_job *job; /* under way */
	uint64_t wanted, written; /* generations */
	struct log_rate failures_log;
	bool is_failing;
};

static void journal__kick(struct journal *self);

static void journal__on_timer(void *arg)
{
	journal__kick(arg);
}

int journal__new(struct loop *loop, const char *state_dir, const struct journal_ops *ops,
		 struct journal **ret_journal)
{
	struct journal *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->ops = *ops;
	self->state_dir = strdup(state_dir);
	err = self->state_dir ? loop_timer__new(loop, journal__on_timer, self, &self->timer) :
				-ENOMEM;
	if (err) {
		free(self->state_dir);
		free(self);
		return err;
	}
	*ret_journal = self;
	return 0;
}

static int write_file(const char *state_dir, const struct buf *text)
{
	_auto_close_ int fd = -1;
	int err = dir__open_private(state_dir, &fd);

	return err ? err : file__write_atomic(fd, FILE_NAME, text->data, text->len, 0600);
}

static void write_on_worker(void *arg)
{
	struct write_job *self = arg;

	pthread_mutex_lock(&self->lock);
	if (!self->is_void)
		self->err = write_file(self->state_dir, &self->text);
	pthread_mutex_unlock(&self->lock);
}

static void job__free(struct write_job *self)
{
	pthread_mutex_destroy(&self->lock);
	buf__clear(&self->text);
	free(self->state_dir);
	free(self);
}

static void journal__note(struct journal *self, uint64_t generation, int err)
{
	if (err) {
		metric__add(METRIC_JOURNAL_UNWRITTEN, 1);
		log_every(&self->failures_log, LOG_EVERY_MS, LOG_LVL_ERROR,
			  "control: the journal in '%s' cannot be written, commands may run again "
			  "after a crash: %s",
			  self->state_dir, errname(err));
	} else {
		if (self->is_failing)
			log_info("control: the journal can be written again");
		self->written = generation;
		loop_timer__stop(self->timer);
	}
	self->is_failing = err != 0;
}

static void on_written(void *arg, int err)
{
	struct write_job *job = arg;
	struct journal *self = job->journal;
	uint64_t generation = job->generation;

	if (!err)
		err = job->err;
	job__free(job);
	if (!self)
		return;
	self->job = NULL;
	journal__note(self, generation, err);
	if (self->wanted > generation)
		journal__kick(self);
	else if (err && loop_timer__start(self->timer, RETRY_MS, 0))
		log_error("control: no timer, the journal waits for the next change");
	self->ops.written(self->ops.arg, generation, err);
}

static int job__new(struct journal *journal, struct write_job **ret_job)
{
	struct write_job *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	pthread_mutex_init(&self->lock, NULL);
	buf__init(&self->text, JOURNAL_MAX_BYTES);
	self->journal = journal;
	self->generation = journal->wanted;
	self->state_dir = strdup(journal->state_dir);
	err = self->state_dir ? journal->ops.print(journal->ops.arg, &self->text) : -ENOMEM;
	if (err) {
		job__free(self);
		return err;
	}
	*ret_job = self;
	return 0;
}

/* Tells that it failed, but not from inside the caller's call: when the timer fires, or the next write ends. */
static void journal__kick(struct journal *self)
{
	struct write_job *job = NULL;
	int err;

	if (self->job)
		return;
	err = job__new(self, &job);
	if (!err)
		err = work__submit(self->loop, write_on_worker, on_written, job);
	if (!err) {
		self->job = job;
		return;
	}
	if (job)
		job__free(job);
	journal__note(self, self->wanted, err);
	(void)loop_timer__start(self->timer, RETRY_MS, 0);
}

uint64_t journal__save(struct journal *self)
{
	self->wanted++;
	journal__kick(self);
	return self->wanted;
}

void journal__save_now(struct journal *self)
{
	struct buf text _auto_buf_;
	int err;

	buf__init(&text, JOURNAL_MAX_BYTES);
	self->wanted++;
	err = self->ops.print(self->ops.arg, &text);
	if (self->job) {
		pthread_mutex_lock(&self->job->lock);
		self->job->is_void = true;
	}
	if (!err)
		err = write_file(self->state_dir, &text);
	if (self->job)
		pthread_mutex_unlock(&self->job->lock);
	journal__note(self, self->wanted, err);
	if (err)
		(void)loop_timer__start(self->timer, RETRY_MS, 0);
}

void journal__free(struct journal *self)
{
	if (!self)
		return;
	if (self->written < self->wanted)
		journal__save_now(self);
	if (self->job)
		self->job->journal = NULL;
	loop_timer__free(self->timer);
	free(self->state_dir);
	free(self);
}

/* What a write that was cut off has left. */
static void remove_leftovers(int dir_fd)
{
	int fd = dup(dir_fd);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, TMP_PREFIX, strlen(TMP_PREFIX)))
			(void)unlinkat(dir_fd, entry->d_name, 0);
	closedir(dir);
}

int journal__read(struct journal *self, struct buf *out)
{
	_auto_close_ int fd = -1;
	int err = dir__open_private(self->state_dir, &fd);

	if (err)
		return err;
	remove_leftovers(fd);
	return file__read_trusted(fd, FILE_NAME, out);
}

void journal__set_aside(struct journal *self)
{
	_auto_close_ int fd = -1;

	if (!dir__open_private(self->state_dir, &fd))
		(void)renameat(fd, FILE_NAME, fd, ASIDE_NAME);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the rooms are joined: a command of control starts record, a window of record is encoded on a
 * worker and put into ship's spool, and control hears of sampling and of the end. A command has ended
 * when its last window is in the spool. No logic of their own stands here.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/control.h"
#include "pp/metrics.h"
#include "pp/profile.h"
#include "pp/record.h"
#include "pp/ship.h"

#define BODY_MAX_BYTES (128u << 20)

/* A window on its way to the spool. */
struct job {
	struct daemon *daemon;
	struct profile *profile; /* owned */
	struct buf body;
	bool has_page; /* with a flame graph page inside, as the ad hoc view wants it */
	int err;
};

static void fail(struct daemon *self, const char *what, int err)
{
	char why[sizeof(self->why)];

	snprintf(why, sizeof(why), "%s (%s)", what, errname(err));
	log_error("daemon: a profile is lost: %s", why);
	if (!self->why[0])
		memcpy(self->why, why, sizeof(why));
}

static void end_run_if_done(struct daemon *self)
{
	char command_id[COMMAND_ID_BYTES];
	char why[sizeof(self->why)];

	if (!self->run_is_over || self->jobs_cnt)
		return;
	if (self->why[0])
		metric__add(METRIC_RUNS_FAILED, 1);
	memcpy(command_id, self->command_id, sizeof(command_id));
	memcpy(why, self->why, sizeof(why));
	self->command_id[0] = '\0';
	self->run_is_over = false;
	/* A run takes tens of megabytes, the time between runs is long. */
	(void)malloc_trim(0);
	if (self->control)
		control__run_ended(self->control, command_id, why[0] ? why : NULL);
	daemon__stop_if_idle(self);
}

static void encode_on_worker(void *arg)
{
	struct job *self = arg;
	struct buf page _auto_buf_;

	buf__init(&page, BODY_MAX_BYTES);
	buf__init(&self->body, BODY_MAX_BYTES);
	self->err = self->has_page ? encode__html(self->profile, &page) : 0;
	if (!self->err)
		self->err = encode__studio_body(self->profile, &self->daemon->host, page.data, "",
						&self->body);
}

static void on_encoded(void *arg, int err);

static int submit(struct job *self)
{
	return work__submit(self->daemon->loop, encode_on_worker, on_encoded, self);
}

static void finish_job(struct job *self)
{
	struct daemon *daemon = self->daemon;

	profile__free(self->profile);
	buf__clear(&self->body);
	free(self);
	daemon->jobs_cnt--;
	end_run_if_done(daemon);
}

static void on_encoded(void *arg, int err)
{
	struct job *self = arg;

	if (!err)
		err = self->err;
	if (!err)
		err = ship__put(self->daemon->ship, self->body.data, self->body.len);
	if (err == -E2BIG && self->has_page) {
		log_warn("daemon: the profile with its page is too large to send, sending without");
		buf__clear(&self->body);
		self->has_page = false;
		err = submit(self);
		if (!err)
			return;
	}
	if (err)
		fail(self->daemon, "the profile cannot be put into the spool", err);
	finish_job(self);
}

static void on_window(void *arg, int err, const char *why, struct profile *profile, bool is_last)
{
	struct daemon *self = arg;
	struct job *job = err ? NULL : calloc(1, sizeof(*job));

	if (is_last)
		self->run_is_over = true;
	if (!job) {
		fail(self, err && why ? why : "no memory", err ? err : -ENOMEM);
		profile__free(profile);
		end_run_if_done(self);
		return;
	}
	log_info("daemon: command '%s' gave a profile: samples=%llu lost=%llu missed=%llu "
		 "duration_ms=%llu",
		 self->command_id, (unsigned long long)profile->account.accepted,
		 (unsigned long long)profile->account.lost,
		 (unsigned long long)profile->account.missed,
		 (unsigned long long)(profile->meta.duration_ns / 1000000));
	job->daemon = self;
	job->profile = profile;
	job->has_page = !profile->meta.continuous;
	self->jobs_cnt++;
	err = submit(job);
	if (err) {
		fail(self, "the profile cannot be encoded", err);
		finish_job(job);
	}
}

static void on_sampling(void *arg)
{
	struct daemon *self = arg;

	if (self->control)
		control__run_sampling(self->control, self->command_id);
}

static int start_run(void *arg, const char *command_id, const struct session_spec *spec,
		     const char **ret_why)
{
	struct daemon *self = arg;
	const struct record_ops ops = { .sampling = on_sampling, .window = on_window, .arg = self };
	int err;

	if (self->is_stopping || self->command_id[0]) {
		*ret_why = self->is_stopping ? "the daemon stops" : "a run goes on";
		return self->is_stopping ? -ECANCELED : -EBUSY;
	}
	*ret_why = NULL;
	self->why[0] = '\0';
	self->run_is_over = false;
	snprintf(self->command_id, sizeof(self->command_id), "%s", command_id);
	err = record__start(self->record, spec, &ops, ret_why);
	if (err) {
		self->command_id[0] = '\0';
		metric__add(METRIC_RUNS_FAILED, 1);
		return err;
	}
	metric__add(METRIC_RUNS_STARTED, 1);
	return 0;
}

static void stop_run(void *arg, const char *command_id)
{
	struct daemon *self = arg;

	if (!strcmp(self->command_id, command_id))
		record__stop(self->record);
}

struct control_ops daemon__control_ops(struct daemon *self)
{
	return (struct control_ops){ .start = start_run, .stop = stop_run, .arg = self };
}

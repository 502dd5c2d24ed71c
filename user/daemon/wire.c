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
#include <unistd.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/container.h"
#include "pp/control.h"
#include "pp/metrics.h"
#include "pp/profile.h"
#include "pp/record.h"
#include "pp/ship.h"

/* Of a profile's lines at once; larger ones go in shares. */
#define SHARE_BYTES (48u << 20)

/* A window on its way to the spool. */
struct job {
	struct daemon_run *run;
	bool is_held; /* in the spool until control's journal knows of it */
	bool is_restarted;
	struct profile *profile; /* owned */
	struct buf parcel;
	size_t page_max_bytes; /* 0: none */
	struct encode_share share; /* the one under way; cnt 0: not known yet */
	bool is_page_too_large;
	int err;
};

static void fail(struct daemon_run *self, const char *what, int err)
{
	char why[sizeof(self->why)];

	snprintf(why, sizeof(why), "%s (%s)", what, errname(err));
	log_error("daemon: a profile of command '%s' is lost: %s", self->command_id, why);
	if (!self->why[0])
		memcpy(self->why, why, sizeof(why));
}

/* The studio knows nothing of a local run. */
static const char *command_of(const struct daemon_run *self)
{
	return self->is_local ? NULL : self->command_id;
}

static void unlink_run(struct daemon_run *self)
{
	struct daemon_run **at = &self->daemon->runs;

	while (*at != self)
		at = &(*at)->next;
	*at = self->next;
}

static void end_run_if_done(struct daemon_run *self)
{
	struct control_end end = { .samples = self->samples, .lost = self->lost };
	struct daemon *daemon = self->daemon;

	if (self->record_run || self->jobs_cnt)
		return;
	if (self->why[0])
		metric__add(METRIC_RUNS_FAILED, 1);
	if (self->is_local)
		daemon__local_ended(self);
	unlink_run(self);
	/* A run takes tens of megabytes, the time between runs is long. */
	if (!daemon->runs)
		(void)malloc_trim(0);
	if (self->why[0])
		end.why = self->why;
	if (daemon->control && !self->is_local)
		control__run_ended(daemon->control, self->command_id, &end);
	else if (daemon->control)
		control__poke(daemon->control); /* a command may wait for its place */
	if (self->output_fd >= 0)
		close(self->output_fd);
	free(self);
	daemon__stop_if_idle(daemon);
}

static int write_piece(void *arg, const void *data, size_t len)
{
	const struct daemon_run *self = arg;

	return file__write_all(self->output_fd, data, len);
}

/* Of a local run that names a file: it is there, or it is said that it is not. */
static int write_output(const struct job *self)
{
	const struct encode_sink sink = { write_piece, self->run };
	int err = self->run->format->encode(self->profile, &sink);

	if (!err && fsync(self->run->output_fd) < 0)
		err = -errno;
	/* Half a profile is none. */
	if (err && ftruncate(self->run->output_fd, 0) < 0)
		log_warn("daemon: a part of a profile stays in its file: %s", errname(-errno));
	return err;
}

static void encode_on_worker(void *arg)
{
	struct job *self = arg;
	struct encode_upload upload = { .command_id = command_of(self->run),
					.is_restarted = self->is_restarted };
	struct buf page _auto_buf_;

	buf__init(&page, SHIP_PARCEL_MAX_BYTES);
	work__be_patient();
	if (self->run->output_fd >= 0) {
		self->err = write_output(self);
		return;
	}
	buf__init(&self->parcel, SHIP_PARCEL_MAX_BYTES);
	if (!self->share.cnt)
		self->err = encode__share_cnt(self->profile, SHARE_BYTES, &self->share.cnt);
	if (!self->err && !self->share.index && self->page_max_bytes)
		self->err = encode__html_within(self->profile, self->page_max_bytes, &page);
	self->is_page_too_large = self->err == -E2BIG;
	if (self->is_page_too_large)
		self->err = 0;
	upload.page = page.data;
	upload.share = self->share;
	if (!self->err)
		self->err = encode__parcel(self->profile, &self->run->daemon->host, &upload,
					   &self->parcel);
}

static void finish_job(struct job *self)
{
	struct daemon_run *run = self->run;

	profile__free(self->profile);
	buf__clear(&self->parcel);
	free(self);
	run->jobs_cnt--;
	end_run_if_done(run);
}

static void on_encoded(void *arg, int err);

/* A profile that waits in the spool until the journal says so. */
struct kept {
	struct daemon *daemon;
	char command_id[COMMAND_ID_BYTES];
};

static void on_kept(void *arg)
{
	struct kept *self = arg;

	ship__release(self->daemon->ship, self->command_id);
	free(self);
}

/* Once we stop, it stays in the spool: the next start looks there before it begins a command anew. */
static void tell_kept(struct daemon_run *run)
{
	struct kept *kept;

	if (!run->daemon->control)
		return;
	kept = malloc(sizeof(*kept));
	if (!kept) {
		log_error("daemon: no memory, the profile of command '%s' waits for a restart",
			  run->command_id);
		return;
	}
	kept->daemon = run->daemon;
	memcpy(kept->command_id, run->command_id, sizeof(kept->command_id));
	control__run_kept(run->daemon->control, run->command_id, on_kept, kept);
}

static void on_spooled(void *arg, int err)
{
	struct job *self = arg;

	if (!err && ++self->share.index < self->share.cnt) {
		buf__clear(&self->parcel);
		err = work__submit(self->run->daemon->loop, encode_on_worker, on_encoded, self);
		if (!err)
			return;
	}
	if (err)
		fail(self->run, "the profile cannot be put into the spool", err);
	else if (self->is_held)
		tell_kept(self->run);
	finish_job(self);
}

static void on_encoded(void *arg, int err)
{
	struct job *self = arg;
	const struct ship_item item = { .command_id = command_of(self->run),
					.is_held = self->is_held,
					.share = self->share,
					.parcel = &self->parcel };

	if (!err)
		err = self->err;
	if (self->run->output_fd >= 0) {
		if (err)
			fail(self->run, "the profile cannot be written to its file", err);
		finish_job(self);
		return;
	}
	if (self->is_page_too_large && !self->share.index)
		log_warn("daemon: a flame graph page is too large to send, sending without");
	if (!err)
		err = ship__put(self->run->daemon->ship, &item, on_spooled, self);
	if (err)
		on_spooled(self, err);
}

static void on_window(void *arg, int err, const char *why, struct profile *profile, bool is_last)
{
	struct daemon_run *self = arg;
	struct job *job = err ? NULL : calloc(1, sizeof(*job));

	if (is_last)
		self->record_run = NULL;
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
	job->run = self;
	job->profile = profile;
	job->is_held = !profile->meta.continuous && !self->is_local;
	job->is_restarted = self->is_restarted;
	if (profile->meta.continuous) /* only the first window is what an interruption cut off */
		self->is_restarted = false;
	self->samples += profile->account.accepted;
	self->lost += profile->account.lost;
	self->samples_now = self->lost_now = 0;
	/* Only the ad hoc view shows one. Half leaves room for stacks in the same upload. */
	if (!profile->meta.continuous)
		job->page_max_bytes = ship__body_max_bytes(self->daemon->ship) / 2;
	self->jobs_cnt++;
	err = work__submit(self->daemon->loop, encode_on_worker, on_encoded, job);
	if (err) {
		fail(self, "the profile cannot be encoded", err);
		finish_job(job);
	}
}

static void on_sampling(void *arg)
{
	struct daemon_run *self = arg;

	self->is_sampling = true;
	if (self->daemon->control && !self->is_local)
		control__run_sampling(self->daemon->control, self->command_id);
}

static void on_progress(void *arg, uint64_t elapsed_ns, uint64_t accepted, uint64_t lost)
{
	struct daemon_run *self = arg;

	self->samples_now = accepted;
	self->lost_now = lost;
}

struct daemon_run *daemon__find_run(struct daemon *self, const char *command_id)
{
	for (struct daemon_run *run = self->runs; run; run = run->next)
		if (!strcmp(run->command_id, command_id))
			return run;
	return NULL;
}

int daemon__start_run(struct daemon *self, const struct daemon_wish *wish, const char **ret_why)
{
	struct record_ops ops = { .sampling = on_sampling,
				  .window = on_window,
				  .progress = on_progress };
	struct daemon_run **at = &self->runs;
	struct daemon_run *run;
	int err;

	*ret_why = NULL;
	if (self->is_stopping) {
		*ret_why = "the daemon stops";
		return -ECANCELED;
	}
	run = calloc(1, sizeof(*run));
	if (!run)
		return -ENOMEM;
	run->daemon = self;
	run->is_restarted = wish->is_again;
	run->is_local = wish->is_local;
	run->output_fd = -1;
	run->format = wish->format;
	run->spec = *wish->spec;
	run->begin_ns = clock_mono_ns();
	snprintf(run->command_id, sizeof(run->command_id), "%s", wish->command_id);
	ops.arg = run;
	err = record__start(self->record, wish->spec, &ops, &run->record_run, ret_why);
	if (err) {
		free(run);
		metric__add(METRIC_RUNS_FAILED, 1);
		return err;
	}
	run->output_fd = wish->output_fd;
	while (*at)
		at = &(*at)->next;
	*at = run;
	metric__add(METRIC_RUNS_STARTED, 1);
	return 0;
}

uint32_t daemon__runs_going_on(const struct daemon *self, const struct daemon_run *but)
{
	uint32_t cnt = 0;

	for (const struct daemon_run *run = self->runs; run; run = run->next)
		cnt += run->record_run && run != but;
	return cnt;
}

/* Control counts its own runs; beside local ones there may be no room for now. */
static int start_run(void *arg, const char *command_id, const struct session_spec *spec,
		     bool is_again, const char **ret_why)
{
	const struct daemon_wish wish = {
		.command_id = command_id, .spec = spec, .is_again = is_again, .output_fd = -1
	};
	struct daemon *self = arg;

	if (self->policy.runs_max && daemon__runs_going_on(self, NULL) >= self->policy.runs_max) {
		*ret_why = NULL;
		return -EBUSY;
	}
	return daemon__start_run(self, &wish, ret_why);
}

static void stop_run(void *arg, const char *command_id)
{
	struct daemon_run *run = daemon__find_run(arg, command_id);

	if (run && run->record_run)
		record_run__stop(run->record_run);
}

static int change_run(void *arg, const char *command_id, const struct session_spec *spec,
		      const char **ret_why)
{
	struct daemon_run *run = daemon__find_run(arg, command_id);
	int err = run && run->record_run ? record_run__change(run->record_run, spec) : -ECANCELED;

	if (!err)
		run->spec = *spec;
	*ret_why = err == -ESRCH ? "none of the processes exists" : NULL;
	return err;
}

static bool is_kept(void *arg, const char *command_id)
{
	struct daemon *self = arg;

	return ship__has(self->ship, command_id);
}

void daemon__stop_runs(struct daemon *self)
{
	for (struct daemon_run *run = self->runs, *next; run; run = next) {
		next = run->next;
		if (run->record_run)
			record_run__stop(run->record_run);
	}
}

static int add_containers(void *arg, struct json_object *list)
{
	const struct daemon *self = arg;

	return container_inventory__add_to(self->inventory, list);
}

struct control_ops daemon__control_ops(struct daemon *self)
{
	return (struct control_ops){ .start = start_run,
				     .stop = stop_run,
				     .change = change_run,
				     .is_kept = is_kept,
				     .add_containers = add_containers,
				     .arg = self };
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Empties the spool towards the server: one body at a time, oldest first. A file leaves the spool only
 * when the server has said that it has it; one that the server will never take is set aside for a person.
 * While nothing waits, there is no timer and no request.
 *
 * Preparing a body (see body.c) takes tens of milliseconds for a large one, so a worker does it.
 */
#include "pp/ship.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/metrics.h"
#include "pp/net.h"
#include "put.h"

#define UPLOAD_PATH	  "/api/v2/profiles"
#define UPLOAD_TIMEOUT_MS 120000
#define ANSWER_MAX_BYTES  65536
#define RETRY_FIRST_MS	  5000
#define RETRY_MAX_MS	  300000
#define WORDS_BYTES	  200
/* Who says "too large" to less than this does not mean the size. */
#define BODY_LEAST_BYTES (16u << 10)
/* So long a limit that a server told is kept; it may have been another server's. */
#define LEARNED_NS (3600ull * 1000000000)

struct ship {
	struct loop *loop;
	struct net *net;
	struct loop_timer *timer; /* runs only while something waits for another try */
	struct spool spool;
	struct put_list puts;
	struct ship_job *job; /* being prepared */
	struct net_call *call; /* being sent */
	char current[SPOOL_STEM_BYTES]; /* the file of job or call, else "" */
	struct encode_piece piece; /* of it, being sent */
	size_t wire_bytes;
	char gpid[ENCODE_GPID_BYTES]; /* what the server calls this process; "": not known */
	char *url;
	struct ship_headers headers;
	size_t body_max_bytes; /* as configured */
	size_t learned_max_bytes; /* as a server made us find out; 0: none did */
	uint64_t learned_ns;
	uint32_t failures;
	bool closing;
	struct log_rate failures_log;
};

/* Belongs to the worker while it runs; ship is NULL when the sender has gone meanwhile. */
struct ship_job {
	struct ship *ship;
	char name[SPOOL_NAME_BYTES];
	int dir_fd;
	struct ship_body body;
	struct buf packed, wire;
	int err;
};

static void ship__kick(struct ship *self);

static void job__free(struct ship_job *self)
{
	buf__clear(&self->packed);
	buf__clear(&self->wire);
	if (self->dir_fd >= 0)
		close(self->dir_fd);
	free(self);
}

static void ship__wait(struct ship *self, uint64_t pause_ms)
{
	self->current[0] = '\0';
	if (loop_timer__start(self->timer, pause_ms, 0))
		log_error("ship: no timer, uploads wait for the next profile");
}

static void ship__damaged(struct ship *self, int err)
{
	struct spool_file *file = spool__find(&self->spool, self->current);

	metric__add(METRIC_SPOOL_DAMAGED, 1);
	log_warn("ship: damaged file in the spool '%s': %s, setting it aside", self->current,
		 errname(err));
	if (file && err == -ENOENT)
		spool__remove(&self->spool, file);
	else if (file)
		spool__set_aside(&self->spool, file, SPOOL_DAMAGED);
	self->current[0] = '\0';
}

static void ship__sent_all(struct ship *self, struct spool_file *file)
{
	metric__add(METRIC_UPLOADS_SENT, 1);
	if (file->name.pieces > 1)
		metric__add(METRIC_UPLOADS_CUT, 1);
	spool__remove(&self->spool, file);
}

static void ship__accepted(struct ship *self, const struct http_reply *reply)
{
	struct spool_file *file = spool__find(&self->spool, self->current);

	if (self->failures)
		log_info("ship: uploads work again, failures=%u", self->failures);
	self->failures = 0;
	log_debug("ship: sent '%s', piece %u of %u", self->current, self->piece.index + 1,
		  self->piece.cnt);
	ship_learn_gpid(reply, self->gpid);
	if (file) {
		file->tries = 0;
		if (self->piece.index + 1 == self->piece.cnt) {
			file->name.pieces = self->piece.cnt;
			ship__sent_all(self, file);
		} else {
			spool__mark_sent(&self->spool, file, self->piece.cnt,
					 self->piece.index + 1);
		}
	}
	self->current[0] = '\0';
	ship__kick(self);
}

static void ship__refused(struct ship *self, const struct http_reply *reply, const char *words)
{
	struct spool_file *file = spool__find(&self->spool, self->current);

	metric__add(METRIC_UPLOADS_REFUSED, 1);
	log_error("ship: the server refused a profile '%s': status=%d '%s'", self->current,
		  reply->status, words);
	if (file)
		spool__set_aside(&self->spool, file, SPOOL_REFUSED);
	self->current[0] = '\0';
	ship__kick(self);
}

static void ship__retry(struct ship *self, const struct http_reply *reply, const char *words,
			bool later)
{
	struct spool_file *file = spool__find(&self->spool, self->current);
	uint64_t pause_ms;

	self->failures++;
	metric__add(METRIC_UPLOADS_RETRIED, 1);
	if (file && !reply->err)
		file->tries++;
	pause_ms = later ? net_jitter_ms(RETRY_MAX_MS, 20) :
			   net_backoff_ms(self->failures, RETRY_FIRST_MS, RETRY_MAX_MS);
	pause_ms = http_reply__pause_ms(reply, pause_ms);
	log_every(&self->failures_log, 60000, later ? LOG_LVL_ERROR : LOG_LVL_WARN,
		  "ship: upload failed, next try in %llu s: status=%d %s '%s'",
		  (unsigned long long)(pause_ms / 1000), reply->status,
		  reply->err ? errname(reply->err) : "", words);
	ship__wait(self, pause_ms);
}

/* Too large for something on the way: the next tries are smaller, down to where it cannot be the size. */
static void ship__too_large(struct ship *self, const struct http_reply *reply, const char *words)
{
	if (self->wire_bytes <= BODY_LEAST_BYTES) {
		self->learned_max_bytes = 0;
		ship__refused(self, reply, words);
		return;
	}
	self->learned_max_bytes = max_of(self->wire_bytes / 2, (size_t)BODY_LEAST_BYTES);
	self->learned_ns = clock_mono_ns();
	log_warn("ship: the server takes no body of %zu bytes, sending smaller pieces: status=%d "
		 "'%s'",
		 self->wire_bytes, reply->status, words);
	self->current[0] = '\0';
	ship__kick(self);
}

static void ship__on_reply(void *arg, const struct http_reply *reply)
{
	struct ship *self = arg;
	char words[WORDS_BYTES];
	enum verdict verdict;

	self->call = NULL;
	if (self->closing)
		return;
	http_reply__words(reply, words, sizeof(words));
	verdict = ship_verdict(reply, words);
	if (verdict == VERDICT_REFUSED && reply->status == 400 && self->gpid[0]) {
		/* The server may have forgotten this process: registered anew, once. */
		self->gpid[0] = '\0';
		self->current[0] = '\0';
		ship__kick(self);
		return;
	}
	switch (verdict) {
	case VERDICT_ACCEPTED: ship__accepted(self, reply); break;
	case VERDICT_REFUSED: ship__refused(self, reply, words); break;
	case VERDICT_AGAIN: ship__retry(self, reply, words, false); break;
	case VERDICT_LATER: ship__retry(self, reply, words, true); break;
	case VERDICT_SMALLER: ship__too_large(self, reply, words); break;
	}
}

static int ship__send(struct ship *self, const struct ship_job *job)
{
	struct http_request request = {
		.method = "POST",
		.url = self->url,
		.headers = (const char *const *)self->headers.lines,
		.body = job->wire.data,
		.body_len = job->wire.len,
		.timeout_ms = UPLOAD_TIMEOUT_MS,
		.reply_max_bytes = ANSWER_MAX_BYTES,
	};

	self->piece = job->body.piece;
	self->wire_bytes = job->wire.len;
	return net__send(self->net, &request, ship__on_reply, self, &self->call);
}

static void job__run(void *arg)
{
	struct ship_job *job = arg;

	work__be_patient();
	if (!job->packed.len)
		job->err = file__read_at(job->dir_fd, job->name, &job->packed);
	if (!job->err)
		job->err = ship_body__prepare(&job->body, job->packed.data, job->packed.len,
					      &job->wire);
}

static bool is_damage(int err)
{
	return err == -EBADMSG || err == -E2BIG || err == -ENOENT;
}

/* Trouble of our own (no memory, no descriptor): the file stays, and so does the order. */
static void ship__stumbled(struct ship *self, int err)
{
	self->failures++;
	log_every(&self->failures_log, 60000, LOG_LVL_WARN, "ship: cannot send '%s': %s",
		  self->current, errname(err));
	ship__wait(self, net_backoff_ms(self->failures, RETRY_FIRST_MS, RETRY_MAX_MS));
}

/* No cut makes it small enough. */
static void ship__cannot_fit(struct ship *self)
{
	struct spool_file *file = spool__find(&self->spool, self->current);

	metric__add(METRIC_UPLOADS_REFUSED, 1);
	log_error("ship: no way to send a profile in bodies of at most %zu bytes '%s'",
		  self->body_max_bytes, self->current);
	if (file)
		spool__set_aside(&self->spool, file, SPOOL_REFUSED);
	self->current[0] = '\0';
}

static void ship__take_job(struct ship *self, struct ship_job *job, int err)
{
	struct spool_file *file = spool__find(&self->spool, self->current);

	if (file && job->body.page_dropped) {
		file->without_page = true;
		metric__add(METRIC_UPLOAD_PAGES_DROPPED, 1);
		log_warn("ship: the flame graph page of '%s' is too large to send", self->current);
	}
	if (!err && job->body.piece.index == job->body.piece.cnt) {
		if (file) /* the pieces that were left held nothing */
			ship__sent_all(self, file);
		self->current[0] = '\0';
	} else if (!err) {
		err = ship__send(self, job);
	}
	if (is_damage(err))
		ship__damaged(self, err);
	else if (err == -EFBIG)
		ship__cannot_fit(self);
	else if (err)
		ship__stumbled(self, err);
	ship__kick(self);
}

static void job__done(void *arg, int err)
{
	struct ship_job *job = arg;
	struct ship *self = job->ship;

	if (self) {
		self->job = NULL;
		ship__take_job(self, job, err ? err : job->err);
	}
	job__free(job);
}

static int ship__fill_job(struct ship *self, struct ship_job *job, const struct spool_file *file)
{
	job->dir_fd = -1;
	job->ship = self;
	job->body.piece = (struct encode_piece){ .index = file->name.sent,
						 .cnt = file->name.pieces,
						 .without_page = file->without_page };
	job->body.wire_max_bytes = ship__body_max_bytes(self);
	memcpy(job->body.gpid, self->gpid, sizeof(job->body.gpid));
	buf__init(&job->packed, SPOOL_PACKED_MAX_BYTES);
	buf__init(&job->wire, job->body.wire_max_bytes);
	if (file->memory)
		return buf__append(&job->packed, file->memory, file->bytes);
	/* The directory may be closed before the worker has done. */
	spool_name__print(&file->on_disk, job->name);
	job->dir_fd = fcntl(self->spool.dir_fd, F_DUPFD_CLOEXEC, 3);
	return job->dir_fd < 0 ? -errno : 0;
}

static int ship__prepare(struct ship *self, const struct spool_file *file)
{
	struct ship_job *job = calloc(1, sizeof(*job));
	int err;

	if (!job)
		return -ENOMEM;
	err = ship__fill_job(self, job, file);
	if (!err)
		err = work__submit(self->loop, job__run, job__done, job);
	if (err)
		job__free(job);
	else
		self->job = job;
	return err;
}

/* Begins the next upload unless one is under way or waits for its time. */
static void ship__kick(struct ship *self)
{
	struct spool_file *file;
	int err;

	if (self->job || self->call || loop_timer__is_active(self->timer))
		return;
	/* Packing has one worker at most: the other one may be needed for a run that goes on. */
	if (self->puts.first)
		return;
	spool__expire(&self->spool, NULL);
	file = spool__next(&self->spool);
	if (!file)
		return;
	memcpy(self->current, file->name.stem, sizeof(self->current));
	err = ship__prepare(self, file);
	if (err)
		ship__stumbled(self, err);
}

static void ship__on_timer(void *arg)
{
	ship__kick(arg);
}

static int ship__set_texts(struct ship *self, const struct ship_options *options)
{
	char url[2048];
	int err = url__join(options->server_host, UPLOAD_PATH, url, sizeof(url));

	if (err)
		return err;
	self->url = strdup(url);
	if (!self->url)
		return -ENOMEM;
	err = ship_headers__add(&self->headers, "GPROFILER-API-KEY: ", options->token);
	if (!err)
		err = ship_headers__add(&self->headers,
					"GPROFILER-SERVICE-NAME: ", options->service_name);
	if (!err)
		err = ship_headers__add_rest(&self->headers, options->headers);
	return err;
}

static void ship__on_put(void *arg)
{
	ship__kick(arg);
}

int ship__new(struct loop *loop, struct net *net, const struct ship_options *options,
	      struct ship **ret_ship)
{
	struct ship *self = calloc(1, sizeof(*self));
	uint64_t max_bytes = options->spool_max_bytes ? options->spool_max_bytes :
							SHIP_SPOOL_MAX_BYTES;
	uint64_t max_age_s = options->spool_max_age_s ? options->spool_max_age_s :
							SHIP_SPOOL_MAX_AGE_S;
	int err;

	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->net = net;
	self->spool.dir_fd = -1;
	self->body_max_bytes = options->body_max_bytes ?
				       max_of(options->body_max_bytes, BODY_LEAST_BYTES) :
				       SHIP_BODY_MAX_BYTES;
	self->puts = (struct put_list){
		.spool = &self->spool, .pinned = self->current, .ended = ship__on_put, .arg = self
	};
	err = ship__set_texts(self, options);
	if (!err)
		err = loop_timer__new(loop, ship__on_timer, self, &self->timer);
	if (!err)
		err = spool__open(&self->spool, options->state_dir, max_bytes, max_age_s);
	if (err) {
		ship__free(self);
		return err;
	}
	if (spool__waiting(&self->spool))
		log_info("ship: profiles left from before cnt=%u", spool__waiting(&self->spool));
	ship__kick(self);
	*ret_ship = self;
	return 0;
}

void ship__free(struct ship *self)
{
	if (!self)
		return;
	self->closing = true;
	put_list__cancel(&self->puts);
	if (self->job)
		self->job->ship = NULL;
	if (self->call)
		net_call__cancel(self->call);
	loop_timer__free(self->timer);
	spool__close(&self->spool);
	free(self->url);
	ship_headers__clear(&self->headers);
	free(self);
}

int ship__put(struct ship *self, const struct ship_item *item, ship_put_fn fn, void *arg)
{
	bool has_command = item->command_id && item->command_id[0];

	if (item->parcel->err || !item->parcel->len || (item->is_held && !has_command))
		return -EINVAL;
	spool__expire(&self->spool, self->current);
	return put_list__add(&self->puts, self->loop, item, fn, arg);
}

void ship__release(struct ship *self, const char *command_id)
{
	char command[SPOOL_COMMAND_BYTES];

	if (command_id)
		spool_name__encode_command(command_id, command);
	put_list__release(&self->puts, command_id ? command : NULL);
	for (size_t i = 0; i < self->spool.cnt; i++) {
		struct spool_file *file = &self->spool.files[i];

		if (!command_id || !strcmp(file->name.command, command))
			file->is_held = false;
	}
	ship__kick(self);
}

bool ship__has(const struct ship *self, const char *command_id)
{
	char command[SPOOL_COMMAND_BYTES];

	spool_name__encode_command(command_id, command);
	for (size_t i = 0; i < self->spool.cnt; i++) {
		const struct spool_file *file = &self->spool.files[i];

		/* Parts are put one after the other: with the last one all are there. */
		if (!file->is_writing && file->name.state != SPOOL_DAMAGED &&
		    file->name.part == file->name.parts && !strcmp(file->name.command, command))
			return true;
	}
	return false;
}

uint32_t ship__waiting(const struct ship *self)
{
	return spool__waiting(&self->spool) + put_list__cnt(&self->puts);
}

size_t ship__body_max_bytes(const struct ship *self)
{
	if (self->learned_max_bytes && clock_mono_ns() - self->learned_ns <= LEARNED_NS)
		return min_of(self->learned_max_bytes, self->body_max_bytes);
	return self->body_max_bytes;
}

uint64_t ship__spool_bytes(const struct ship *self)
{
	return self->spool.bytes;
}

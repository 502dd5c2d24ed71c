/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Empties the spool towards the server: one profile at a time, oldest first. A file leaves the spool only
 * when the server has said that it has it; one that the server will never take is set aside for a person.
 * While nothing waits, there is no timer and no request.
 *
 * Preparing a body (see body.c) takes tens of milliseconds for a large one, so a worker does it.
 */
#include "pp/ship.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/compress.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/metrics.h"
#include "pp/net.h"

#define UPLOAD_PATH	  "/api/v2/profiles"
#define UPLOAD_TIMEOUT_MS 120000
#define ANSWER_MAX_BYTES  65536
#define RETRY_FIRST_MS	  5000
#define RETRY_MAX_MS	  300000
#define GPID_BYTES	  65
#define WORDS_BYTES	  200

struct ship {
	struct loop *loop;
	struct net *net;
	struct loop_timer *timer; /* runs only while something waits for another try */
	struct spool spool;
	struct ship_job *job; /* being prepared */
	struct net_call *call; /* being sent */
	char current[SPOOL_NAME_BYTES]; /* the file of job or call, else "" */
	char gpid[GPID_BYTES]; /* what the server calls this process; "": not known */
	char *url, *key_header, *service_header;
	uint32_t failures;
	bool closing;
	struct log_rate failures_log;
};

/* Belongs to the worker while it runs; ship is NULL when the sender has gone meanwhile. */
struct ship_job {
	struct ship *ship;
	char gpid[GPID_BYTES];
	struct buf packed, wire;
	int err;
};

enum verdict {
	VERDICT_ACCEPTED,
	VERDICT_AGAIN, /* trouble that passes */
	VERDICT_LATER, /* the operator must change something: a wrong token or address */
	VERDICT_REFUSED, /* this body will never be taken */
};

static void ship__kick(struct ship *self);

static void job__free(struct ship_job *self)
{
	buf__clear(&self->packed);
	buf__clear(&self->wire);
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

/* The Studio answers 400, not 401, to a key that it does not know. */
static bool says_wrong_key(const char *words)
{
	return strstr(words, "GPROFILER-SERVICE-NAME") || strstr(words, "API key");
}

static bool is_object_or_empty(const struct http_reply *reply)
{
	_auto_json_ struct json_object *json = NULL;

	if (!reply->body_len)
		return true;
	return !json__parse(reply->body, reply->body_len, &json) && json__is_object(json);
}

static enum verdict judge(const struct http_reply *reply, const char *words)
{
	if (reply->err == -E2BIG)
		return VERDICT_LATER;
	if (reply->err || reply->status >= 500 || reply->status == 408 || reply->status == 429)
		return VERDICT_AGAIN;
	if (reply->status >= 200 && reply->status < 300) /* a login page is no receipt */
		return is_object_or_empty(reply) ? VERDICT_ACCEPTED : VERDICT_LATER;
	switch (reply->status) {
	case 401:
	case 403:
	case 404:
	case 405:
	case 407: return VERDICT_LATER;
	case 400: return says_wrong_key(words) ? VERDICT_LATER : VERDICT_REFUSED;
	default: return reply->status < 400 ? VERDICT_LATER : VERDICT_REFUSED;
	}
}

/* An opaque word; goes into the next body, so it must need no quoting. */
static void ship__learn_gpid(struct ship *self, const struct http_reply *reply)
{
	_auto_json_ struct json_object *json = NULL;
	const char *gpid;
	int64_t number;
	size_t len;

	if (json__parse(reply->body, reply->body_len, &json) || !json__is_object(json))
		return;
	if (!json__get_str(json, "gpid", &gpid)) {
		len = strspn(gpid, "0123456789abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-");
		if (!gpid[len] && len < sizeof(self->gpid))
			snprintf(self->gpid, sizeof(self->gpid), "%s", gpid);
	} else if (!json__get_int(json, "gpid", 0, INT64_MAX, &number)) {
		snprintf(self->gpid, sizeof(self->gpid), "%lld", (long long)number);
	}
}

static void ship__accepted(struct ship *self, const struct http_reply *reply)
{
	struct spool_file *file = spool__find(&self->spool, self->current);

	metric__add(METRIC_UPLOADS_SENT, 1);
	if (self->failures)
		log_info("ship: uploads work again, failures=%u", self->failures);
	self->failures = 0;
	log_debug("ship: sent '%s'", self->current);
	ship__learn_gpid(self, reply);
	if (file)
		spool__remove(&self->spool, file);
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
	log_every(&self->failures_log, 60000, later ? LOG_LVL_ERROR : LOG_LVL_WARN,
		  "ship: upload failed, next try in %llu s: status=%d %s '%s'",
		  (unsigned long long)(pause_ms / 1000), reply->status,
		  reply->err ? errname(reply->err) : "", words);
	ship__wait(self, pause_ms);
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
	verdict = judge(reply, words);
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
	}
}

static int ship__send(struct ship *self, const struct buf *wire)
{
	const char *const headers[] = { self->key_header, self->service_header,
					"Content-Encoding: gzip", "Content-Type: application/json",
					NULL };
	struct http_request request = {
		.method = "POST",
		.url = self->url,
		.headers = headers,
		.body = wire->data,
		.body_len = wire->len,
		.timeout_ms = UPLOAD_TIMEOUT_MS,
		.reply_max_bytes = ANSWER_MAX_BYTES,
	};

	return net__send(self->net, &request, ship__on_reply, self, &self->call);
}

static void job__run(void *arg)
{
	struct ship_job *job = arg;

	job->err = ship_body__prepare(job->packed.data, job->packed.len, job->gpid, &job->wire);
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

static void job__done(void *arg, int err)
{
	struct ship_job *job = arg;
	struct ship *self = job->ship;

	if (!err)
		err = job->err;
	if (self) {
		self->job = NULL;
		if (!err)
			err = ship__send(self, &job->wire);
		if (is_damage(err)) {
			ship__damaged(self, err);
			ship__kick(self);
		} else if (err) {
			ship__stumbled(self, err);
		}
	}
	job__free(job);
}

static int ship__prepare(struct ship *self)
{
	struct ship_job *job = calloc(1, sizeof(*job));
	int err;

	if (!job)
		return -ENOMEM;
	job->ship = self;
	memcpy(job->gpid, self->gpid, sizeof(job->gpid));
	buf__init(&job->packed, SHIP_BODY_MAX_BYTES);
	/* The gpid makes a body that was just within the limit a few bytes larger. */
	buf__init(&job->wire, SHIP_BODY_MAX_BYTES + 4096);
	err = spool__read(&self->spool, self->current, &job->packed);
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

	while (!self->job && !self->call && !loop_timer__is_active(self->timer) &&
	       (file = spool__next(&self->spool))) {
		snprintf(self->current, sizeof(self->current), "%s", file->name);
		err = ship__prepare(self);
		if (is_damage(err)) {
			ship__damaged(self, err);
		} else if (err) {
			ship__stumbled(self, err);
			return;
		}
	}
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
	if (asprintf(&self->key_header, "GPROFILER-API-KEY: %s", options->token) < 0) {
		self->key_header = NULL;
		return -ENOMEM;
	}
	if (asprintf(&self->service_header, "GPROFILER-SERVICE-NAME: %s", options->service_name) <
	    0) {
		self->service_header = NULL;
		return -ENOMEM;
	}
	return 0;
}

int ship__new(struct loop *loop, struct net *net, const struct ship_options *options,
	      struct ship **ret_ship)
{
	struct ship *self = calloc(1, sizeof(*self));
	uint64_t max_bytes = options->spool_max_bytes ? options->spool_max_bytes :
							SHIP_SPOOL_MAX_BYTES;
	int err;

	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->net = net;
	self->spool.dir_fd = -1;
	err = ship__set_texts(self, options);
	if (!err)
		err = loop_timer__new(loop, ship__on_timer, self, &self->timer);
	if (!err)
		err = spool__open(&self->spool, options->state_dir, max_bytes);
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
	if (self->job)
		self->job->ship = NULL;
	if (self->call)
		net_call__cancel(self->call);
	loop_timer__free(self->timer);
	spool__close(&self->spool);
	free(self->url);
	free(self->key_header);
	free(self->service_header);
	free(self);
}

int ship__put(struct ship *self, const void *body, size_t len)
{
	const char *text = body;
	_auto_buf_ struct buf packed;
	int err;

	if (len < 2 || text[0] != '{' || text[len - 1] != '}')
		return -EINVAL;
	if (len > SPOOL_BODY_MAX_BYTES)
		return -E2BIG;
	buf__init(&packed, SHIP_BODY_MAX_BYTES);
	err = gzip__pack(body, len, 6, &packed);
	if (!err)
		err = spool__put(&self->spool, packed.data, packed.len,
				 self->current[0] ? self->current : NULL);
	if (err)
		return err;
	ship__kick(self);
	return 0;
}

uint32_t ship__waiting(const struct ship *self)
{
	return spool__waiting(&self->spool);
}

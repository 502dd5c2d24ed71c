/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Log lines in batches. Lines come from any thread and wait in a bounded list; the loop makes a batch of
 * them when it is time, and keeps sending the same batch until it is taken or refused for good. When the
 * list is full its oldest quarter goes, and the next batch says how many lines were lost.
 */
#include "pp/ship_logs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/compress.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/metrics.h"
#include "pp/net.h"

#define LOGS_PATH	 "/api/v1/logs"
#define TICK_MS		 10000 /* batches are at least so far apart */
#define BATCH_MS	 30000
#define FAILED_MS	 300000 /* after an answer that an operator must mend */
#define TIMEOUT_MS	 10000
#define LINES_MAX	 2048
#define LINES_BYTES_MAX	 (256u << 10)
#define BATCH_BYTES_MAX	 (4u << 20)
#define ANSWER_MAX_BYTES 65536
#define ID_BYTES	 37

struct log_line {
	enum log_level level;
	uint64_t real_ns;
	uint64_t number;
	char *text; /* owned */
	size_t len;
};

struct ship_logs {
	struct loop *loop;
	struct net *net;
	struct loop_timer *timer;
	struct net_call *call;
	char *url, *token, *service_name, *hostname, *agent_version;
	struct ship_headers headers;
	char run_id[ID_BYTES];
	struct buf batch; /* packed; empty: none is under way */
	uint32_t batch_lines;
	uint64_t next_ns;
	bool closing, is_failing;
	struct log_rate failures_log;

	pthread_mutex_t lock; /* of what follows */
	struct log_line *lines; /* room for LINES_MAX */
	uint32_t line_cnt;
	size_t line_bytes;
	uint64_t next_number, lost;
};

static void free_lines(struct log_line *lines, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		free(lines[i].text);
}

/* The oldest quarter, to make room. */
static void drop_some(struct ship_logs *self)
{
	uint32_t cnt = (self->line_cnt + 3) / 4;

	for (uint32_t i = 0; i < cnt; i++)
		self->line_bytes -= self->lines[i].len;
	free_lines(self->lines, cnt);
	self->line_cnt -= cnt;
	memmove(self->lines, self->lines + cnt, self->line_cnt * sizeof(*self->lines));
	self->lost += cnt;
	metric__add(METRIC_LOGS_DROPPED, cnt);
}

/* Not the whole of UTF-8: what is no ASCII may be no UTF-8 either. */
static void clean(char *text, size_t len, const char *token)
{
	size_t token_len = strlen(token);
	char *found;

	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			text[i] = '?';
	while (token_len && (found = strstr(text, token)))
		memset(found, '*', token_len);
}

static void take_line(void *arg, enum log_level level, const char *line, size_t len)
{
	struct ship_logs *self = arg;
	char *text = strndup(line, len);

	pthread_mutex_lock(&self->lock);
	if (self->line_cnt == LINES_MAX || self->line_bytes + len > LINES_BYTES_MAX)
		drop_some(self);
	if (text) {
		clean(text, strlen(text), self->token);
		self->lines[self->line_cnt++] = (struct log_line){ .level = level,
								   .real_ns = clock_real_ns(),
								   .number = self->next_number++,
								   .text = text,
								   .len = len };
		self->line_bytes += len;
	} else {
		self->lost++;
		metric__add(METRIC_LOGS_DROPPED, 1);
	}
	pthread_mutex_unlock(&self->lock);
}

/* As the log service numbers them. */
static int severity_of(enum log_level level)
{
	switch (level) {
	case LOG_LVL_ERROR: return 5;
	case LOG_LVL_WARN: return 4;
	case LOG_LVL_INFO: return 3;
	case LOG_LVL_DEBUG: return 2;
	}
	return 3;
}

static int add_text(struct json_object *record, const struct log_line *line)
{
	struct json_object *text = json__new_object();
	int room = (int)min_of(strcspn(line->text, ":"), (size_t)20);
	char name[64], time[CLOCK_TEXT_BYTES];
	int err = text ? json__add(record, "text", text) : -ENOMEM;

	snprintf(name, sizeof(name), "pulseprof.%.*s", room, line->text);
	if (!err)
		err = json__add_str(text, "logger_name", name);
	if (!err)
		err = json__add_u64(text, "serial_no", line->number);
	if (!err)
		err = json__add_str(text, "message", line->text);
	if (!err)
		err = json__add_bool(text, "truncated", false);
	if (!err)
		err = json__add_str(text, "timestamp", clock_utc_text(line->real_ns, time));
	if (!err)
		err = json__add_str(text, "exception", "");
	return err ? err : json__add(text, "extra", json__new_object());
}

static int add_lines(const struct log_line *lines, uint32_t cnt, struct json_object *json)
{
	struct json_object *logs = json__new_array();
	int err = logs ? json__add(json, "logs", logs) : -ENOMEM;

	for (uint32_t i = 0; i < cnt && !err; i++) {
		const struct log_line *line = &lines[i];
		struct json_object *record = json__new_object();

		err = record ? json__add(logs, NULL, record) : -ENOMEM;
		if (!err)
			err = json__add_int(record, "severity", severity_of(line->level));
		if (!err)
			err = json__add_u64(record, "timestamp", line->real_ns / 1000000);
		if (!err)
			err = add_text(record, line);
	}
	return err;
}

static int add_metadata(struct ship_logs *self, struct json_object *json)
{
	struct json_object *metadata = json__new_object();
	int err = metadata ? json__add(json, "metadata", metadata) : -ENOMEM;

	if (!err)
		err = json__add_str(metadata, "run_id", self->run_id);
	if (!err)
		err = json__add_str(metadata, "gprofiler_version", self->agent_version);
	if (!err)
		err = json__add_str(metadata, "service_name", self->service_name);
	return err ? err : json__add_str(metadata, "hostname", self->hostname);
}

static int make_id(char text[ID_BYTES], bool dashes)
{
	unsigned char bytes[16];
	size_t len = 0;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (uint32_t i = 0; i < sizeof(bytes); i++) {
		bool dash = dashes && (i == 4 || i == 6 || i == 8 || i == 10);

		len += (size_t)snprintf(text + len, ID_BYTES - len, "%s%02x", dash ? "-" : "",
					bytes[i]);
	}
	return 0;
}

static int pack_batch(struct ship_logs *self, const struct log_line *lines, uint32_t cnt,
		      uint64_t lost)
{
	_auto_json_ struct json_object *json = json__new_object();
	_auto_buf_ struct buf text;
	char batch_id[ID_BYTES];
	int err = json ? make_id(batch_id, false) : -ENOMEM;

	buf__init(&text, BATCH_BYTES_MAX);
	if (!err)
		err = json__add_str(json, "batch_id", batch_id);
	if (!err)
		err = add_metadata(self, json);
	if (!err)
		err = json__add_u64(json, "lost_logs_count", lost);
	if (!err)
		err = add_lines(lines, cnt, json);
	if (!err)
		err = json__print(json, false, &text);
	return err ? err : gzip__pack(text.data, text.len, 6, &self->batch);
}

/* These lines will not arrive; the next batch says so. */
static void count_lost(struct ship_logs *self, uint64_t cnt)
{
	metric__add(METRIC_LOGS_DROPPED, cnt);
	pthread_mutex_lock(&self->lock);
	self->lost += cnt;
	pthread_mutex_unlock(&self->lock);
}

/* All lines that wait become the batch. They are packed without the lock, since that takes long. */
static void make_batch(struct ship_logs *self)
{
	struct log_line *lines, *empty = calloc(LINES_MAX, sizeof(*empty));
	uint64_t lost;
	uint32_t cnt;

	if (!empty)
		return; /* at the next tick, then */
	pthread_mutex_lock(&self->lock);
	lines = self->lines;
	cnt = self->line_cnt;
	lost = self->lost;
	self->lines = empty;
	self->line_cnt = 0;
	self->line_bytes = 0;
	self->lost = 0;
	pthread_mutex_unlock(&self->lock);
	self->batch_lines = cnt;
	if (pack_batch(self, lines, cnt, lost)) {
		buf__clear(&self->batch);
		count_lost(self, cnt);
		pthread_mutex_lock(&self->lock);
		self->lost += lost;
		pthread_mutex_unlock(&self->lock);
	}
	free_lines(lines, cnt);
	free(lines);
}

static void forget_batch(struct ship_logs *self)
{
	buf__clear(&self->batch);
	self->batch_lines = 0;
}

static void on_reply(void *arg, const struct http_reply *reply)
{
	struct ship_logs *self = arg;
	uint64_t pause_ms = BATCH_MS;
	char words[200];

	self->call = NULL;
	if (self->closing)
		return;
	http_reply__words(reply, words, sizeof(words));
	switch (ship_verdict(reply, words)) {
	case VERDICT_ACCEPTED:
		metric__add(METRIC_LOGS_UPLOADED, self->batch_lines);
		forget_batch(self);
		break;
	case VERDICT_AGAIN: break;
	case VERDICT_LATER: pause_ms = FAILED_MS; break;
	case VERDICT_SMALLER:
	case VERDICT_REFUSED:
		count_lost(self, self->batch_lines);
		forget_batch(self);
		pause_ms = FAILED_MS;
	}
	self->is_failing = self->batch.len || pause_ms == FAILED_MS;
	if (self->is_failing)
		log_every(&self->failures_log, 3600000, LOG_LVL_WARN,
			  "ship: log upload failed: status=%d %s '%s'", reply->status,
			  reply->err ? errname(reply->err) : "", words);
	self->next_ns = clock_mono_ns() + net_jitter_ms(pause_ms, 10) * 1000000;
}

static void on_tick(void *arg)
{
	struct ship_logs *self = arg;
	struct http_request request = {
		.method = "POST",
		.url = self->url,
		.headers = (const char *const *)self->headers.lines,
		.timeout_ms = TIMEOUT_MS,
		.reply_max_bytes = ANSWER_MAX_BYTES,
	};
	uint32_t cnt;
	bool is_time;

	pthread_mutex_lock(&self->lock);
	cnt = self->line_cnt;
	is_time = clock_mono_ns() >= self->next_ns ||
		  (!self->is_failing &&
		   (self->line_bytes > LINES_BYTES_MAX / 5 * 4 || cnt > LINES_MAX / 5 * 4));
	pthread_mutex_unlock(&self->lock);
	if (self->call || !is_time)
		return;
	if (!self->batch.len && cnt)
		make_batch(self);
	if (!self->batch.len)
		return;
	request.body = self->batch.data;
	request.body_len = self->batch.len;
	(void)net__send(self->net, &request, on_reply, self, &self->call);
}

static int copy_text(char **ret, const char *text)
{
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int set_texts(struct ship_logs *self, const struct ship_logs_options *options)
{
	char url[2048];
	int err = url__join(options->api_server, LOGS_PATH, url, sizeof(url));

	if (!err)
		err = copy_text(&self->url, url);
	if (!err)
		err = copy_text(&self->token, options->token);
	if (!err)
		err = copy_text(&self->service_name, options->service_name);
	if (!err)
		err = copy_text(&self->hostname, options->hostname);
	if (!err)
		err = copy_text(&self->agent_version, options->agent_version);
	if (!err)
		err = ship_headers__add(&self->headers, "X-Token: ", options->token);
	if (!err)
		err = ship_headers__add(&self->headers, "X-Application-Name: ", "gprofiler");
	if (!err)
		err = ship_headers__add_rest(&self->headers, options->headers);
	return err ? err : make_id(self->run_id, true);
}

int ship_logs__new(struct loop *loop, struct net *net, const struct ship_logs_options *options,
		   struct ship_logs **ret_logs)
{
	struct ship_logs *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->net = net;
	buf__init(&self->batch, BATCH_BYTES_MAX);
	pthread_mutex_init(&self->lock, NULL);
	self->lines = calloc(LINES_MAX, sizeof(*self->lines));
	err = self->lines ? set_texts(self, options) : -ENOMEM;
	if (!err)
		err = loop_timer__new(loop, on_tick, self, &self->timer);
	if (!err)
		err = loop_timer__start(self->timer, TICK_MS, TICK_MS);
	if (err) {
		ship_logs__free(self);
		return err;
	}
	log_set_sink(take_line, self);
	*ret_logs = self;
	return 0;
}

void ship_logs__free(struct ship_logs *self)
{
	if (!self)
		return;
	log_set_sink(NULL, NULL);
	self->closing = true;
	if (self->call)
		net_call__cancel(self->call);
	loop_timer__free(self->timer);
	free_lines(self->lines, self->line_cnt);
	free(self->lines);
	buf__clear(&self->batch);
	pthread_mutex_destroy(&self->lock);
	ship_headers__clear(&self->headers);
	free(self->url);
	free(self->token);
	free(self->service_name);
	free(self->hostname);
	free(self->agent_version);
	free(self);
}

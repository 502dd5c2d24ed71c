/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * POST /api/v1/logs: batches of log records that agents send, appended to logs/agents.log beside the
 * database, one JSON line per record, for the operator's own tools. The file is bounded: when it is full
 * it becomes agents.log.1, in place of the one before. A batch is written whole or refused whole. Takes
 * both forms of the wire: an object with the agent's metadata, and the older bare list of records.
 */
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/compress.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/json.h"
#include "pp/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FILE_NAME	"logs/agents.log"
#define FILE_NAME_OLD	"logs/agents.log.1"
#define FILE_MAX_BYTES	(16u << 20)
#define BATCH_MAX_BYTES (8u << 20) /* unpacked; agents hold back 4 MiB at most */
#define BATCH_RECORDS	50000
#define RECORD_BYTES	(64u << 10)
#define MESSAGE_BYTES	(16u << 10) /* of a record over RECORD_BYTES */
#define METADATA_BYTES	1024 /* of each of its fields */

struct log_batch {
	struct check check;
	struct json_object *metadata; /* what goes with each record */
	struct buf lines;
	uint64_t now_ms;
};

static void log_batch__clear(struct log_batch *self)
{
	json__put(self->metadata);
	buf__clear(&self->lines);
}

/* The start of a text, cut between two characters. Given: free(). */
static char *text_start(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len > max)
		for (len = max; len && ((unsigned char)text[len] & 0xc0) == 0x80;)
			len--;
	return strndup(text, len);
}

static void log_batch__add_metadata(struct log_batch *self, const char *name, const char *text)
{
	_auto_free_ char *start = text ? text_start(text, METADATA_BYTES) : NULL;

	if (start)
		(void)json__add_str(self->metadata, name, start);
}

static struct json_object *log_batch__new_line(const struct log_batch *self)
{
	struct json_object *line = json__new_object();

	(void)json__add_u64(line, "received_ms", self->now_ms);
	(void)json__add(line, "metadata", json__get(self->metadata));
	return line;
}

static int add_member(void *line, const char *name, struct json_object *value)
{
	if (!strcmp(name, "received_ms") || !strcmp(name, "metadata"))
		return 0; /* ours */
	return json__add(line, strcmp(name, "timestamp") ? name : "timestamp_agent",
			 json__get(value));
}

/* Of a record that is too long: what it says, cut, and when. */
static struct json_object *log_batch__new_short_line(const struct log_batch *self,
						     const struct json_object *record)
{
	struct json_object *line = log_batch__new_line(self), *text, *cut = json__new_object();
	const char *message = "";
	_auto_free_ char *start = NULL;
	double timestamp = 0;

	(void)json__get_double(record, "timestamp", &timestamp);
	if (!json__get_object(record, "text", &text))
		(void)json__get_str(text, "message", &message);
	start = text_start(message, MESSAGE_BYTES);
	(void)json__add_int(line, "timestamp_agent", (int64_t)timestamp);
	(void)json__add_str(cut, "message", start);
	(void)json__add_bool(cut, "truncated", true);
	(void)json__add(line, "text", cut);
	return line;
}

static int log_batch__print(struct log_batch *self, struct json_object *line)
{
	int err = line ? json__print(line, false, &self->lines) : -ENOMEM;

	return err ? err : buf__putc(&self->lines, '\n');
}

static int log_batch__add_record(struct log_batch *self, const struct json_object *record)
{
	struct json_object *line _auto_json_ = log_batch__new_line(self);
	struct json_object *short_line _auto_json_ = NULL;
	const size_t before = self->lines.len;
	double timestamp;
	int err;

	if (!json__is_object(record) || json__get_double(record, "timestamp", &timestamp)) {
		check__fail(&self->check, "logs", "value_error.missing",
			    "every record must have a timestamp");
		return -EINVAL;
	}
	err = json__each(record, add_member, line);
	err = err ? err : log_batch__print(self, line);
	if (err || self->lines.len - before <= RECORD_BYTES)
		return err;
	self->lines.len = before;
	short_line = log_batch__new_short_line(self, record);
	return log_batch__print(self, short_line);
}

/* 0; -EINVAL with a detail in the check; -E2BIG, -ENOMEM. */
static int log_batch__read(struct log_batch *self, const struct httpd_request *request,
			   struct json_object *json)
{
	static const char *const names[] = { "run_id", "gprofiler_version", "service_name",
					     "hostname" };
	struct json_object *logs = json, *metadata = NULL;
	const char *text;
	int64_t lost = 0;
	size_t i;
	int err = 0;

	if (json__is_array(json)) {
		log_batch__add_metadata(self, "service_name",
					httpd_call__header(request->call,
							   "GPROFILER-SERVICE-NAME"));
		log_batch__add_metadata(self, "hostname",
					httpd_call__query(request->call, "hostname"));
	} else if (json__get_array(json, "logs", &logs)) {
		check__fail(&self->check, "logs", "type_error.list", "value is not a valid list");
		return -EINVAL;
	}
	if (json__len(logs) > BATCH_RECORDS)
		return -E2BIG;
	(void)json__get_object(json, "metadata", &metadata);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!json__get_str(metadata, names[i], &text))
			log_batch__add_metadata(self, names[i], text);
	for (i = 0; !err && i < json__len(logs); i++)
		err = log_batch__add_record(self, json__at(logs, i));
	if (!err && !json__get_int(json, "lost_logs_count", 1, INT64_MAX, &lost)) {
		struct json_object *line _auto_json_ = log_batch__new_line(self);

		(void)json__add_int(line, "lost_logs_count", lost);
		err = log_batch__print(self, line);
	}
	return err;
}

static int open_log(int state_fd, int *ret_fd, off_t *ret_bytes)
{
	struct stat st;
	const int fd = openat(state_fd, FILE_NAME,
			      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_bytes = st.st_size;
	return S_ISREG(st.st_mode) ? 0 : -EBADMSG;
}

static int append_log(int state_fd, const struct buf *lines)
{
	_auto_close_ int fd = -1;
	off_t bytes = 0;
	int err;

	if (mkdirat(state_fd, "logs", 0700) < 0 && errno != EEXIST)
		return -errno;
	err = open_log(state_fd, &fd, &bytes);
	if (!err && bytes && (size_t)bytes + lines->len > FILE_MAX_BYTES) {
		close(take_fd(fd));
		if (renameat(state_fd, FILE_NAME, state_fd, FILE_NAME_OLD) < 0)
			return -errno;
		err = open_log(state_fd, &fd, &bytes);
	}
	if (err)
		return err;
	err = file__write_all(fd, lines->data, lines->len);
	if (err && ftruncate(fd, bytes) < 0)
		log_warn("studio: half a batch stays in '" FILE_NAME "': %s", errname(-errno));
	return err;
}

/* NULL: answered. */
static struct json_object *read_body(const struct httpd_request *request)
{
	const char *coding = httpd_call__header(request->call, "Content-Encoding");
	struct buf plain _auto_buf_ = { 0 };
	struct json_object *json = NULL;
	struct check check = { 0 };
	int err;

	buf__init(&plain, BATCH_MAX_BYTES);
	if (coding && !strcasecmp(coding, "gzip"))
		err = gzip__unpack(request->body, request->body_len, &plain);
	else
		err = buf__append(&plain, request->body, request->body_len);
	if (err == -EBADMSG)
		answer_message(request, 400, "the body is not gzip");
	else if (err == -E2BIG)
		answer_message(request, 413, "the batch is too large");
	else if (err)
		answer_failure(request, "read the logs", err);
	if (err)
		return NULL;
	err = json__parse(plain.data ? plain.data : "", plain.len, &json);
	if (!err && (json__is_object(json) || json__is_array(json)))
		return json;
	json__put(json);
	if (err == -ENOMEM) {
		answer_failure(request, "read the logs", err);
		return NULL;
	}
	check__fail(&check, "__root__", "value_error.jsondecode", "a JSON object is expected");
	answer_detail(request, check.detail);
	return NULL;
}

void api_logs(struct api *self, const struct httpd_request *request)
{
	struct json_object *json _auto_json_ = read_body(request);
	struct log_batch batch = { .now_ms = now_ms() };
	struct json_object *answer;
	int err;

	if (!json)
		return;
	batch.metadata = json__new_object();
	buf__init(&batch.lines, FILE_MAX_BYTES);
	err = log_batch__read(&batch, request, json);
	if (!err && batch.lines.len)
		err = append_log(self->state_fd, &batch.lines);
	if (batch.check.detail) {
		answer_detail(request, batch.check.detail);
	} else if (err == -E2BIG) {
		answer_message(request, 413, "the batch is too large");
	} else if (err) {
		answer_failure(request, "store the logs", err);
	} else {
		answer = json__new_object();
		(void)json__add_str(answer, "status", "ok");
		answer_json(request, 201, answer);
	}
	log_batch__clear(&batch);
}

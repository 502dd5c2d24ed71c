/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Uploads of profiles, in the Studio's wire format: unpacked, read and written to the shelf by a worker, then
 * listed and answered. A client that leaves meanwhile loses its answer, not its profile.
 */
#include "internal.h"
#include "slow.h"

#include "pp/base/cleanup.h"
#include "pp/base/compress.h"
#include "pp/base/json.h"
#include "pp/base/log.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct upload_job {
	struct slow_job job; /* first */
	struct api *api;
	char service[256];
	struct buf body;
	bool is_packed;
	/* what became of it */
	struct upload upload;
	int64_t id;
	uint64_t bytes;
	struct json_object *detail;
	const char *why;
	int unpack_err, parse_err, write_err;
};

/* As the real web app: letters, digits, '_', '.', '-', and no '_' in front. */
static void clean_service(const char *name, char *text, size_t text_bytes)
{
	size_t len = 0;

	for (; *name && len + 1 < text_bytes; name++)
		if (isalnum((unsigned char)*name) || *name == '.' || *name == '-' ||
		    (*name == '_' && len))
			text[len++] = *name;
	text[len] = '\0';
}

static void upload_job__free(struct slow_job *job)
{
	struct upload_job *self = (struct upload_job *)job;

	buf__clear(&self->body);
	upload__clear(&self->upload);
	json__put(self->detail);
	free(self);
}

/* On a worker. */
static void upload_job__run(struct slow_job *job)
{
	struct upload_job *self = (struct upload_job *)job;
	struct buf plain _auto_buf_ = { 0 };

	buf__init(&plain, UPLOAD_PLAIN_MAX_BYTES);
	if (self->is_packed) {
		self->unpack_err = gzip__unpack(self->body.data ? self->body.data : "",
						self->body.len, &plain);
		buf__clear(&self->body);
	} else {
		plain = self->body;
		buf__init(&self->body, 0);
	}
	if (self->unpack_err)
		return;
	self->parse_err = upload__parse(&self->upload, plain.data ? plain.data : "", plain.len,
					&self->detail, &self->why);
	if (!self->parse_err) {
		self->id = shelf__next_id(self->api->shelf);
		self->write_err =
			shelf__write(self->api->shelf, self->id, &self->upload, &self->bytes);
	}
	upload__shrink(&self->upload);
}

static int upload_job__store(struct upload_job *self, int64_t *ret_gpid)
{
	struct stored_profile row = upload__row(&self->upload, self->id, self->bytes);
	int err;

	row.service = self->service;
	row.received_ms = (int64_t)now_ms();
	err = store__gpid(self->api->store, self->upload.gpid, row.hostname, row.service, now_ms(),
			  ret_gpid);
	if (err) {
		shelf__unlink(self->api->shelf, self->id);
		return err;
	}
	return shelf__add(self->api->shelf, &row);
}

static void answer_upload(struct upload_job *self, const struct httpd_request *request)
{
	const struct upload *upload = &self->upload;
	struct json_object *json;
	int64_t gpid = 0;
	char text[24];
	int err;

	err = self->write_err ? self->write_err : upload_job__store(self, &gpid);
	if (err == -ENOENT) { /* unknown number: the agent forgets it and registers anew */
		answer_message(request, 400, "Failed to parse v2 metadata");
		return;
	}
	if (err) {
		answer_failure(request, "store the profile", err);
		return;
	}
	if (upload->lines_skipped)
		log_warn("studio: profile '%" PRId64 "' had %" PRIu64 " bad lines, ignoring",
			 self->id, upload->lines_skipped);
	log_info("studio: stored profile '%" PRId64 "' samples=%" PRIu64 " stacks=%" PRIu64,
		 self->id, upload->samples, upload->stacks);
	snprintf(text, sizeof(text), "%" PRId64, gpid);
	json = json__new_object();
	(void)json__add_str(json, "message", "ok");
	(void)json__add_str(json, "gpid", text);
	answer_json(request, 200, json);
}

static void upload_job__finish(struct slow_job *job, const struct httpd_request *request)
{
	struct upload_job *self = (struct upload_job *)job;

	if (self->unpack_err == -E2BIG) {
		answer_message(request, 413, "the body is too large when unpacked: 64 MiB at most");
	} else if (self->unpack_err == -EBADMSG) {
		answer_message(request, 400, "the body is not gzip");
	} else if (self->unpack_err) {
		answer_failure(request, "read the upload", self->unpack_err);
	} else if (!self->parse_err) {
		answer_upload(self, request);
	} else if (self->detail) {
		answer_detail(request, take_ptr(self->detail));
	} else if (self->parse_err == -EBADMSG) {
		log_warn("studio: upload of '%s' refused, header line: %s", self->service,
			 self->why);
		answer_message(request, 400, "Failed to parse v2 metadata");
	} else {
		answer_failure(request, "read the upload", self->parse_err);
	}
}

static struct upload_job *upload_job__new(struct api *api, const struct httpd_request *request,
					  const char *service)
{
	const char *coding = httpd_call__header(request->call, "Content-Encoding");
	struct upload_job *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->job.run = upload_job__run;
	self->job.finish = upload_job__finish;
	self->job.free = upload_job__free;
	self->job.bytes = request->body_len;
	self->api = api;
	self->is_packed = coding && !strcasecmp(coding, "gzip");
	self->why = "";
	snprintf(self->service, sizeof(self->service), "%s", service);
	return self;
}

void api_upload(struct api *self, const struct httpd_request *request)
{
	const char *name = httpd_call__header(request->call, "GPROFILER-SERVICE-NAME");
	struct upload_job *job;
	char service[256];
	int err;

	clean_service(name ? name : "", service, sizeof(service));
	if (!*service) {
		struct check check = { 0 };

		check__fail(&check, "gprofiler-service-name", "value_error.missing",
			    "field required");
		answer_detail(request, check.detail);
		return;
	}
	job = upload_job__new(self, request, service);
	if (job)
		httpd_call__take_body(request->call, &job->body);
	err = job ? slow__add(self->slow, SLOW_UPLOAD, &job->job, request->call) : -ENOMEM;
	if (!err)
		return;
	if (job)
		upload_job__free(&job->job);
	if (err == -EBUSY)
		answer_busy(self, request, "uploads_put_off");
	else
		answer_failure(request, "read the upload", err);
}

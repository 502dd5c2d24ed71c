/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers that take a while to make: a profile unpacked or drawn, a list of all hosts. A worker makes them,
 * lists from a store of its own, and the loop only sends them.
 */
#include "internal.h"
#include "slow.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HTML_PAGE_MAX_BYTES (128u << 20)
#define LIST_MAX_BYTES	    (64u << 20)

/* A read of either kind, and its answer. */
struct read_job {
	struct slow_job job; /* first */
	struct api *api;
	struct buf text;
	int err;
	/* a list */
	read_fn fn;
	void *arg;
	/* or a profile */
	struct stored_profile profile;
	char *hostname;
	bool wants_html;
};

static void read_job__free(struct slow_job *job)
{
	struct read_job *self = (struct read_job *)job;

	buf__clear(&self->text);
	free(self->hostname);
	free(self->arg);
	free(self);
}

static void answer_text(const struct httpd_request *request, const char *mime, const char *policy,
			struct buf *text)
{
	const char *const headers[] = { "X-Content-Type-Options: nosniff",
					"Cache-Control: no-store",
					"Cross-Origin-Resource-Policy: same-origin", policy, NULL };

	if (!request->call)
		return;
	(void)httpd_call__answer(request->call, &(struct httpd_answer){
							.status = 200,
							.content_type = mime,
							.headers = headers,
							.body = text->data,
							.body_len = text->len,
							.is_given = true,
						});
	*text = (struct buf){ 0 };
}

static void read_job__run_list(struct slow_job *job)
{
	struct read_job *self = (struct read_job *)job;
	struct json_object *json = NULL;

	self->err = self->fn(self->arg, self->api->view, &json);
	if (!self->err)
		self->err = json__print(json, false, &self->text);
	json__put(json);
}

static void read_job__finish_list(struct slow_job *job, const struct httpd_request *request)
{
	struct read_job *self = (struct read_job *)job;

	if (self->err)
		answer_failure(request, "read the lists", self->err);
	else
		answer_text(request, "application/json",
			    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
			    &self->text);
}

static void read_job__run_profile(struct slow_job *job)
{
	struct read_job *self = (struct read_job *)job;

	self->err = self->wants_html ?
			    shelf__html(self->api->shelf, &self->profile, &self->text) :
			    shelf__lines(self->api->shelf, self->profile.id, &self->text);
}

static void read_job__finish_profile(struct slow_job *job, const struct httpd_request *request)
{
	struct read_job *self = (struct read_job *)job;
	struct stored_profile profile;

	if (self->err == -EBADMSG &&
	    store__profile(self->api->store, self->profile.id, &profile) == -ENOENT)
		answer_message(request, 404, "no such profile"); /* it gave way meanwhile */
	else if (self->err)
		answer_failure(request, "read the profile", self->err);
	else if (self->wants_html)
		answer_text(request, "text/html; charset=utf-8",
			    "Content-Security-Policy: sandbox allow-scripts; default-src 'none';"
			    " script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
			    " frame-ancestors 'none'",
			    &self->text);
	else
		answer_text(request, "text/plain; charset=utf-8",
			    "Content-Security-Policy: sandbox; default-src 'none'", &self->text);
}

/* job is taken, NULL: there was no memory for it. */
static void api__add_read(struct api *self, const struct httpd_request *request,
			  struct read_job *job)
{
	int err;

	if (job) {
		job->api = self;
		job->job.free = read_job__free;
		job->job.is_for_client = true;
	}
	err = job ? slow__add(self->slow, SLOW_READ, &job->job, request->call) : -ENOMEM;
	if (!err)
		return;
	if (job)
		read_job__free(&job->job);
	if (err == -EBUSY)
		answer_busy(self, request, "reads_put_off");
	else
		answer_failure(request, "read the data", err);
}

void api__read(struct api *self, const struct httpd_request *request, read_fn fn, void *arg)
{
	struct read_job *job = calloc(1, sizeof(*job));

	if (job) {
		job->job.run = read_job__run_list;
		job->job.finish = read_job__finish_list;
		job->fn = fn;
		job->arg = arg;
		buf__init(&job->text, LIST_MAX_BYTES);
	} else {
		free(arg);
	}
	api__add_read(self, request, job);
}

void api__show(struct api *self, const struct httpd_request *request,
	       const struct stored_profile *profile, bool wants_html)
{
	struct read_job *job = calloc(1, sizeof(*job));

	if (job) {
		job->job.run = read_job__run_profile;
		job->job.finish = read_job__finish_profile;
		job->profile = *profile;
		job->profile.hostname = job->hostname = strdup(profile->hostname);
		job->profile.service = NULL;
		job->wants_html = wants_html;
		buf__init(&job->text, HTML_PAGE_MAX_BYTES);
	}
	if (job && !job->hostname) {
		read_job__free(&job->job);
		job = NULL;
	}
	api__add_read(self, request, job);
}

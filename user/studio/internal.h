/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_INTERNAL_H
#define PP_STUDIO_INTERNAL_H
/*
 * Inside pulseprof-studio. main wires; api decides who may come in and finds the route; api_agent,
 * api_logs, api_status, api_profiles and order answer; check words what is wrong with a body; ingest reads
 * uploads; shelf keeps the profiles' files; store (store.h) is the only one that knows SQL; secret makes
 * what nobody may guess.
 * Loop thread only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/base/buf.h"
#include "pp/httpd.h"

#include "store.h"

struct json_object;
struct profile;

/* secret.c */
#define TOKEN_TEXT_BYTES 44 /* 32 random bytes as base64url, and NUL */
struct token {
	char text[128];
};
/* Reads dir_fd/token or makes it (mode 0600). -EBADMSG if the file holds no usable token. */
int token__load(int dir_fd, struct token *ret_token, bool *ret_is_new);
/* In constant time; given may be NULL. */
bool token__matches(const struct token *self, const char *given);
int uuid__make(char text[UUID_TEXT_BYTES]);
/* Any case, with or without dashes as Python's uuid takes it; written in the canonical form. */
bool uuid__parse(const char *text, char ret_text[UUID_TEXT_BYTES]);

/* ingest.c */
#define UPLOAD_WIRE_MAX_BYTES  (4u << 20)
#define UPLOAD_PLAIN_MAX_BYTES (64u << 20)
#define LINE_MAX_BYTES	       (64u << 10)

struct upload { /* strings are borrowed from json and header */
	struct json_object *json;
	struct json_object *header;
	char gpid[24]; /* "" on the first upload */
	const char *hostname;
	int64_t start_ms, end_ms; /* end_ms 0: not said */
	struct buf lines; /* "index;container;comm;frames count", whatever the agent's form was */
	struct buf html; /* empty: none */
	uint64_t samples, stacks, lines_skipped;
	double complete_pct; /* < 0: no user stacks */
	uint32_t rate_hz; /* 0: not said */
	bool continuous;
};
/*
 * body: plain JSON. 0; -EINVAL with a 422 detail in ret_detail (given); -EBADMSG: the profile's header
 * line is not as it must be, *ret_why says what; -ENOMEM. Clear self in each case.
 */
int upload__parse(struct upload *self, const char *body, size_t len,
		  struct json_object **ret_detail, const char **ret_why);
void upload__clear(struct upload *self);

/* collapsed.c: one line of the grammar that agents send. */
struct collapsed_form {
	bool has_index, has_container;
};
struct collapsed_line { /* borrowed from the text; not NUL-terminated */
	const char *container, *comm, *frames; /* frames: root first, joined by ';', maybe empty */
	size_t container_len, comm_len, frames_len;
	uint64_t weight;
};
/* -ENODATA: an empty line; -EBADMSG. */
int collapsed_line__parse(const char *text, size_t len, struct collapsed_form form,
			  struct collapsed_line *ret_line);
/* Ends the outermost frame in a place where stacks begin (_start, clone, ...)? Kernel-only: see ret_has_user. */
bool collapsed_line__is_complete(const struct collapsed_line *self, bool *ret_has_user);
/* Our own stored lines back to a profile of named frames; what does not fit is -E2BIG. */
int collapsed__to_profile(const char *text, size_t len, struct profile *profile);

/* shelf.c: profiles/ID.col.gz and ID.html.gz beside the database; a profile is whole or absent. */
#define SHELF_PROFILES_MAX 1000
#define SHELF_BYTES_MAX	   (2ull << 30)
struct shelf {
	int dir_fd;
	struct store *store; /* borrowed */
	uint64_t profiles_max, bytes_max;
};
/* Removes files that no row knows (left by a crash). */
int shelf__open(struct shelf *self, int state_fd, struct store *store);
void shelf__close(struct shelf *self);
int shelf__put(struct shelf *self, const struct upload *upload, const char *service,
	       uint64_t now_ms, int64_t *ret_id);
/* -ENOENT, -EBADMSG (file damaged or gone). */
int shelf__lines(struct shelf *self, int64_t id, struct buf *out);
/* The uploaded page, else one made from the lines. */
int shelf__html(struct shelf *self, const struct stored_profile *profile, struct buf *out);

/* check.c: what is wrong with a body, in the form {"detail": [{"loc", "msg", "type"}]}. */
struct check {
	struct json_object *detail; /* array, NULL while all is well */
	const struct json_object *body;
};
void check__fail(struct check *self, const char *name, const char *type, const char *msg);
/* "" and -1 stand for "not given" where is_required is false; null counts as not given. */
const char *check__str(struct check *self, const char *name, bool is_required);
int64_t check__int(struct check *self, const char *name, int64_t min, int64_t max, const char *msg,
		   int64_t fallback);
bool check__bool(struct check *self, const char *name, bool fallback);
/* One of the words of a NULL-terminated list. */
const char *check__word(struct check *self, const char *name, const char *const *words,
			const char *msg, const char *fallback);

/* api.c */
struct api {
	struct store *store;
	struct shelf *shelf;
	int state_fd; /* borrowed */
	struct token token;
	const char *server_name; /* further name that we are reached by; or NULL */
	const char *address;
	bool is_tls;
};
uint64_t now_ms(void); /* Unix time */
void api__head(void *arg, const struct httpd_request *request);
void api__handle(void *arg, const struct httpd_request *request);
void answer_json(const struct httpd_request *request, int status,
		 struct json_object *json); /* taken */
void answer_message(const struct httpd_request *request, int status, const char *message);
/* 422 with the detail, which is taken. */
void answer_detail(const struct httpd_request *request, struct json_object *detail);
/* Our own failure: logged once here, 503 with a reason that says whether to try again. */
void answer_failure(const struct httpd_request *request, const char *what, int err);
/* The body as a JSON object, or answered 400/422 and NULL. Given: json__put. */
struct json_object *request_json(const struct httpd_request *request);

/* api_agent.c, api_logs.c, order.c, api_status.c, api_profiles.c */
void api_heartbeat(struct api *self, const struct httpd_request *request);
void api_completion(struct api *self, const struct httpd_request *request);
void api_upload(struct api *self, const struct httpd_request *request);
void api_logs(struct api *self, const struct httpd_request *request);
void api_profile_request(struct api *self, const struct httpd_request *request);
void api_host_status(struct api *self, const struct httpd_request *request);
void api_hosts(struct api *self, const struct httpd_request *request);
void api_profiles(struct api *self, const struct httpd_request *request);
void api_profile(struct api *self, const struct httpd_request *request, const char *rest);

#endif

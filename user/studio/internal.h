/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_INTERNAL_H
#define PP_STUDIO_INTERNAL_H
/*
 * Inside pulseprof-studio. main wires; api decides who may come in and finds the route; api_agent,
 * api_logs, api_status, api_profiles and api_orders answer; check words what is wrong with a body; ingest reads
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
#include "upload.h"

struct json_object;
struct loop;
struct slow;
struct waiting;

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

/* check.c: what is wrong with a body, in the form {"detail": [{"loc", "msg", "type"}]}. */
struct check {
	struct json_object *detail; /* array, NULL while all is well */
	const struct json_object *body;
};
void check__fail(struct check *self, const char *name, const char *type, const char *msg);
/* loc: [place, name], to which more may be added; taken. Further faults than 50 are not told. */
struct json_object *check_loc(const char *place, const char *name);
void check__fail_at(struct check *self, struct json_object *loc, const char *type, const char *msg);
/* Whole numbers as the real web app takes them: also in text, fractions are cut off. */
bool text_whole(const char *text, int64_t *ret);
bool json_whole(const struct json_object *value, int64_t *ret);
/* "" and -1 stand for "not given" where is_required is false; null counts as not given. */
const char *check__str(struct check *self, const char *name, bool is_required);
int64_t check__int(struct check *self, const char *name, int64_t min, int64_t max, const char *msg,
		   int64_t fallback);
bool check__bool(struct check *self, const char *name, bool fallback);
/* One of the words of a NULL-terminated list. */
const char *check__word(struct check *self, const char *name, const char *const *words,
			const char *msg, const char *fallback);

/* heartbeat.c: "" in ret_text and NULL: not given, or not well. */
const char *check__uuid(struct check *check, const char *name, bool is_required,
			char ret_text[UUID_TEXT_BYTES]);

/* api.c */
struct api {
	struct store *store;
	struct shelf *shelf;
	struct waiting *waiting;
	struct slow *slow;
	struct store *view; /* the same database again, for what workers read */
	int state_fd; /* borrowed */
	struct token token;
	const char *server_name; /* further name that we are reached by; or NULL */
	const char *address;
	bool is_tls;
	uint32_t request_hosts_max, profiling_percent_max; /* limits of orders */
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
/* 503 with Retry-After, counted under that name. */
void answer_busy(struct api *self, const struct httpd_request *request, const char *counter);
/* The body as a JSON object, or answered 400/422 and NULL. Given: json__put. */
struct json_object *request_json(const struct httpd_request *request);

/* api_wait.c: heartbeats that are answered when there is a command. */
int api__start_waiting(struct api *self, struct loop *loop, uint32_t waiters_max);
/* Held, and answered later? */
bool api__wait(struct api *self, const struct httpd_request *request, const struct heartbeat *beat,
	       uint32_t wait_s);
/* To be called after the commit by whoever made a command for that host. */
void api__commands_made(struct api *self, const char *hostname, const char *service);

/* api_read.c: answers that take a while to make, see slow.h. */
/* *ret_json is made on a worker from a store of its own; arg is free()d there, also on failure. */
typedef int (*read_fn)(void *arg, struct store *store, struct json_object **ret_json);
void api__read(struct api *self, const struct httpd_request *request, read_fn fn, void *arg);
/* The profile's lines, or its page. */
void api__show(struct api *self, const struct httpd_request *request,
	       const struct stored_profile *profile, bool wants_html);

/* api_agent.c */
void answer_heartbeat(const struct httpd_request *request, const struct command *command);

/* api_agent.c, api_upload.c, api_logs.c, api_orders.c, api_status.c, api_profiles.c */
void api_heartbeat(struct api *self, const struct httpd_request *request);
void api_completion(struct api *self, const struct httpd_request *request);
void api_upload(struct api *self, const struct httpd_request *request);
void api_logs(struct api *self, const struct httpd_request *request);
void api_profile_request(struct api *self, const struct httpd_request *request);
void api_bulk_request(struct api *self, const struct httpd_request *request);
void api_subscriptions(struct api *self, const struct httpd_request *request);
void api_workload_status(struct api *self, const struct httpd_request *request);
void api_host_status(struct api *self, const struct httpd_request *request);
void api_commands(struct api *self, const struct httpd_request *request);
void api_orders(struct api *self, const struct httpd_request *request);
void api_hosts(struct api *self, const struct httpd_request *request);
void api_profiles(struct api *self, const struct httpd_request *request);
void api_profile(struct api *self, const struct httpd_request *request, const char *rest);

#endif

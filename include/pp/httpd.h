/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_HTTPD_H
#define PP_HTTPD_H
/*
 * A small HTTP server (libmicrohttpd on the event loop, no threads of its own): routes by the program,
 * limits here. Request bodies are bounded; gzip bodies are handed over as they came. Only GET, HEAD and
 * POST reach the program, the rest is 405; a body over the limit is 413, both as {"message": ...}.
 * SIGPIPE must be ignored by the program. Loop thread only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct loop;
struct httpd;
struct httpd_call;
struct httpd_request;

struct httpd_options {
	const char *address; /* "127.0.0.1", "::1"; numeric */
	uint16_t port; /* 0: any free one */
	const char *tls_cert_pem; /* both or none: contents, not paths */
	const char *tls_key_pem;
	size_t body_max_bytes;
	/*
	 * When all are taken, one that has sent nothing for a second is closed for the next, else the one that
	 * idles longest. A client has 30 s for the head of a request, 2 min for its body and, once known
	 * (httpd_call__know), 2 min between two; held calls may take as long as they do.
	 */
	uint32_t connections_max;
	uint32_t strangers_per_address_max; /* with no request in time yet; 0: no such limit */
	/*
	 * Called when the headers are in, before any body is read (body is "" then); may be NULL. If it
	 * answers, the body is thrown away and the main handler is not called: strangers cost no memory.
	 */
	void (*head)(void *arg, const struct httpd_request *request);
};

struct httpd_request {
	const char *method;
	const char *path; /* decoded, starts with '/' */
	const char *body; /* NUL-terminated */
	size_t body_len;
	struct httpd_call *call;
};
/* Header or query value of the request, borrowed during the handler; NULL if absent. */
const char *httpd_call__header(struct httpd_call *self, const char *name);
const char *httpd_call__query(struct httpd_call *self, const char *name);
/* All of the query, in its order; value is never NULL. fn's non-zero return ends it and is returned. */
int httpd_call__each_query(struct httpd_call *self,
			   int (*fn)(void *arg, const char *name, const char *value), void *arg);

struct httpd_answer {
	int status;
	const char *content_type;
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const void *body; /* copied */
	size_t body_len;
	bool is_given; /* the body is free()d by us instead, also on failure */
};
/*
 * The handler must call httpd_call__answer exactly once before it returns, or httpd_call__hold. All pointers
 * of the request are borrowed during the call.
 */
typedef void (*httpd_fn)(void *arg, const struct httpd_request *request);
/* 0, -EALREADY; -ENOMEM: the client gets a bare 500. A held call is dead after it. */
int httpd_call__answer(struct httpd_call *self, const struct httpd_answer *answer);
/*
 * The handler (not head) may return without an answer: the call stays valid until it is answered, or until
 * gone(arg) has been called: its client went away, or the server is freed. 0, -EALREADY, -EINVAL.
 */
int httpd_call__hold(struct httpd_call *self, void (*gone)(void *arg), void *arg);
/* During the handler: the body is given to the caller, the request's body and body_len stay as they are. */
void httpd_call__take_body(struct httpd_call *self, struct buf *ret_body);
/* The client has shown who it is: from now on its connection may idle. */
void httpd_call__know(struct httpd_call *self);

/* options and its strings are borrowed during the call. 0, -EINVAL (address, certificate or key),
 * -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -ENOMEM ... */
int httpd__new(struct loop *loop, const struct httpd_options *options, httpd_fn fn, void *arg,
	       struct httpd **ret_httpd);
void httpd__free(struct httpd *self); /* open connections are closed, not from inside a handler */
uint16_t httpd__port(const struct httpd *self);

struct httpd_counts {
	uint32_t open, held; /* now */
	uint64_t refused, made_room,
		timed_out; /* connections closed at the door, for others, for their time */
};
void httpd__counts(const struct httpd *self, struct httpd_counts *ret_counts);

#endif

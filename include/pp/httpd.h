/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_HTTPD_H
#define PP_HTTPD_H
/*
 * A small HTTP server (libmicrohttpd on the event loop, no threads of its own): routes by the program,
 * limits here. Request bodies are bounded; gzip bodies are handed over as they came.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct httpd;
struct httpd_call;

struct httpd_options {
	const char *address; /* "127.0.0.1", "::1"; numeric */
	uint16_t port;	     /* 0: any free one */
	const char *tls_cert_pem; /* both or none: contents, not paths */
	const char *tls_key_pem;
	size_t body_max_bytes;
	uint32_t connections_max;
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

struct httpd_answer {
	int status;
	const char *content_type;
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const void *body; /* copied */
	size_t body_len;
};
/* The handler must call httpd_call__answer exactly once before it returns. */
typedef void (*httpd_fn)(void *arg, const struct httpd_request *request);
int httpd_call__answer(struct httpd_call *self, const struct httpd_answer *answer);

int httpd__new(struct loop *loop, const struct httpd_options *options, httpd_fn fn, void *arg,
	       struct httpd **ret_httpd);
void httpd__free(struct httpd *self);
uint16_t httpd__port(const struct httpd *self);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_NET_H
#define PP_NET_H
/*
 * HTTP client on the loop (libcurl multi). Every request has a deadline and a maximum size in both
 * directions; redirects are not followed; secrets in headers are never logged. Loop thread only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct net;
struct net_call;

/* Copied by net__new. NULL and "" are the same. */
struct net_options {
	bool no_verify; /* TLS certificates not checked */
	const char *ca_bundle; /* NULL: the system's */
	const char *client_cert, *client_key; /* PEM files; both or none */
	const char *proxy; /* NULL: as the environment says; "none" */
};

struct http_request {
	const char *method; /* "GET", "POST", "PUT" without a body */
	const char *url; /* http:// or https:// only */
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	const void *body; /* copied */
	size_t body_len;
	uint32_t timeout_ms;
	size_t reply_max_bytes;
	const char *unix_socket; /* a path to connect to instead of the URL's host; NULL: none */
	bool to_fd; /* the body goes to reply_fd (borrowed until fn) as it comes, of whatever status, not to body */
	int reply_fd;
	bool is_http2; /* without asking for it first, as gRPC servers want it on a socket */
};

#define HTTP_RETRY_AFTER_MAX_S 900
struct http_reply {
	int err; /* 0: an HTTP answer came. -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH, -E2BIG, -EPROTO, -ECANCELED */
	int status; /* 200 ... when err is 0 */
	uint32_t retry_after_s; /* of a refusal, at most HTTP_RETRY_AFTER_MAX_S; 0: not said */
	const char *body; /* NUL-terminated, borrowed during the callback; "" if none */
	size_t body_len;
	char why[160]; /* for people, when err; holds no secret */
	char local_address[46]; /* numeric, where the connection left from; "" if there was none */
};
typedef void (*http_done_fn)(void *arg, const struct http_reply *reply);

/* -EINVAL: a certificate without a key or the other way round. */
int net__new(struct loop *loop, const struct net_options *options, struct net **ret_net);
/*
 * Reads those of its TLS files that are new or changed (seen by their time, size and inode). Each request does
 * so first, and goes on with what was read last if that fails; later requests then use new connections.
 * -errno with *ret_path the file (borrowed).
 */
int net__load_files(struct net *self, const char **ret_path);
/* Open calls end with -ECANCELED first. Not from inside an http_done_fn. */
void net__free(struct net *self);
/*
 * All pointers in the request are borrowed during the call. fn is called exactly once, never from inside
 * this call. ret_call may be NULL; else valid until fn runs. 0, -EINVAL (bad URL, a header with a control
 * character, no timeout, no reply_max_bytes), -ENOMEM.
 */
int net__send(struct net *self, const struct http_request *request, http_done_fn fn, void *arg,
	      struct net_call **ret_call);
void net_call__cancel(struct net_call *self); /* fn runs with -ECANCELED, from inside this call */

/*
 * What the server or the network said, for a log line: the message, detail or error of a JSON object, a
 * bare JSON string, else the body's beginning. Printable ASCII, cut to text_bytes. Returns text.
 */
char *http_reply__words(const struct http_reply *reply, char *text, size_t text_bytes);

/* ms, by chance up to percent less or more, so that a fleet started together does not stay together. */
uint64_t net_jitter_ms(uint64_t ms, uint32_t percent);
/* The pause after this many failures in a row: first_ms doubled each time up to max_ms, +-20 %. */
uint64_t net_backoff_ms(uint32_t failures, uint64_t first_ms, uint64_t max_ms);

/* pause_ms, or the longer one that the server asked for, and up to 20 % more: a fleet does not come back as one. */
uint64_t http_reply__pause_ms(const struct http_reply *reply, uint64_t pause_ms);

/* "http://h:1/x/" + "/api/y" -> "http://h:1/x/api/y". 0, -EINVAL unless http(s) with a host; -E2BIG. */
int url__join(const char *base, const char *path, char *text, size_t text_bytes);
bool url__is_loopback(const char *url);
bool url__has_userinfo(const char *url); /* "http://user:password@..." */
/* Unencrypted over a network. */
bool url__is_clear_text(const char *url);
/*
 * The local address that a connection to url's host would leave from, as text; "127.0.0.1" if unknown. Asks
 * no name server: for a name other than localhost it is the address of the default route. 0, -E2BIG.
 */
int url__local_address(const char *url, char *text, size_t text_bytes);

#endif

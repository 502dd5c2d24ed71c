/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests over libcurl's multi interface, driven by the loop: one timer, one poll handle per socket.
 * Always true: a request has a deadline and a maximum size in both directions, redirects are not followed,
 * and no easy handle is added, removed or freed while libcurl is on the stack; finished ones are reaped
 * after it has returned. libcurl's names for things end here.
 *
 * libcurl is started with the first request: a daemon that sends nothing pays nothing for it.
 */
#include "pp/net.h"

#include <curl/curl.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"

#define REPLY_HEADERS_MAX_BYTES 65536
#define CONNECT_TIMEOUT_MS	10000L
/* Kept open between heartbeats: one connection for control, one for uploads. */
#define IDLE_CONNECTIONS	2L
#define FILE_ERRORS_INTERVAL_MS (10u * 60 * 1000)

struct net {
	struct loop *loop;
	struct loop_timer *timer;
	CURLM *multi; /* NULL until the first request */
	struct net_call *calls;
	struct net_file ca_bundle, client_cert, client_key;
	char *proxy; /* NULL: as the environment says */
	bool no_verify;
	struct log_rate file_errors;
	bool inside_curl;
	uint32_t done_depth; /* a callback may cancel another call: they nest */
	uint64_t body_chunks; /* of HTTP/2 answers, ever */
};

struct net_call {
	struct net *net;
	struct net_call *next, **link;
	CURL *easy;
	bool is_http2;
	struct curl_slist *headers;
	struct buf body;
	bool to_fd; /* instead of body */
	int reply_fd; /* borrowed */
	int file_err;
	uint64_t file_bytes, file_max_bytes;
	size_t reply_headers_bytes;
	bool too_big;
	http_done_fn fn;
	void *arg;
	char errbuf[CURL_ERROR_SIZE];
};

struct net_socket {
	struct net *net;
	struct loop_io *io;
	curl_socket_t fd;
};

static void net__reap(struct net *self);

static void net__drive(struct net *self, curl_socket_t fd, int mask)
{
	int running;

	self->inside_curl = true;
	(void)curl_multi_socket_action(self->multi, fd, mask, &running);
	self->inside_curl = false;
	net__reap(self);
}

static void net__on_timer(void *arg)
{
	net__drive(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void net__on_socket(void *arg, int events, int err)
{
	struct net_socket *sock = arg; /* may be freed by on_socket_change() below */
	struct net *self = sock->net;
	curl_socket_t fd = sock->fd;
	uint64_t chunks;
	int mask = 0;

	if (events & LOOP_READ)
		mask |= CURL_CSELECT_IN;
	if (events & LOOP_WRITE)
		mask |= CURL_CSELECT_OUT;
	if (err)
		mask |= CURL_CSELECT_ERR;
	chunks = self->body_chunks;
	net__drive(self, fd, mask);
	/*
	 * curl 7.88 (Debian 12) may keep HTTP/2 data that it has read already and then wait for more on the socket: a
	 * large answer never ended. Ends when no curl below 8.2, which rewrote that, is supported.
	 */
	while (self->body_chunks != chunks) {
		chunks = self->body_chunks;
		net__drive(self, fd, CURL_CSELECT_IN);
	}
}

static int on_timer_change(CURLM *multi, long timeout_ms, void *arg)
{
	struct net *self = arg;

	if (timeout_ms < 0)
		loop_timer__stop(self->timer);
	else if (loop_timer__start(self->timer, (uint64_t)timeout_ms, 0))
		return -1;
	return 0;
}

static int socket__new(struct net *self, curl_socket_t fd, int events)
{
	struct net_socket *sock = calloc(1, sizeof(*sock));
	int err;

	if (!sock)
		return -ENOMEM;
	sock->net = self;
	sock->fd = fd;
	err = loop_io__new(self->loop, fd, events, net__on_socket, sock, &sock->io);
	if (err) {
		free(sock);
		return err;
	}
	curl_multi_assign(self->multi, fd, sock);
	return 0;
}

/* CURL_POLL_REMOVE comes before the descriptor is closed: the poll handle must be gone by then. */
static int on_socket_change(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock_arg)
{
	struct net_socket *sock = sock_arg;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (sock)
			loop_io__free(sock->io);
		free(sock);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= LOOP_READ;
	if (what & CURL_POLL_OUT)
		events |= LOOP_WRITE;
	if (sock)
		return loop_io__set(sock->io, events) ? -1 : 0;
	return socket__new(arg, fd, events) ? -1 : 0;
}

static size_t on_body(char *data, size_t size, size_t cnt, void *arg)
{
	struct net_call *call = arg;
	int err;

	call->net->body_chunks += call->is_http2;
	if (call->to_fd) {
		call->file_bytes += size * cnt;
		call->too_big = call->file_bytes > call->file_max_bytes;
		if (!call->too_big && !call->file_err)
			call->file_err = file__write_all(call->reply_fd, data, size * cnt);
		return call->too_big || call->file_err ? 0 : size * cnt;
	}
	err = buf__append(&call->body, data, size * cnt);
	call->too_big = call->too_big || err == -E2BIG;
	return err ? 0 : size * cnt;
}

/* Not kept: only counted, since a server may send headers without end. */
static size_t on_header(char *data, size_t size, size_t cnt, void *arg)
{
	struct net_call *call = arg;

	call->reply_headers_bytes += size * cnt;
	if (call->reply_headers_bytes > REPLY_HEADERS_MAX_BYTES) {
		call->too_big = true;
		return 0;
	}
	return size * cnt;
}

static int net__start_curl(struct net *self)
{
	CURLM *multi;

	if (self->multi)
		return 0;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	multi = curl_multi_init();
	if (!multi) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_change);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, self);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_change);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, self);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
	self->multi = multi;
	return 0;
}

int net__new(struct loop *loop, const struct net_options *options, struct net **ret_net)
{
	struct net *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->no_verify = options->no_verify;
	err = net_file__init(&self->ca_bundle, options->ca_bundle);
	if (!err)
		err = net_file__init(&self->client_cert, options->client_cert);
	if (!err)
		err = net_file__init(&self->client_key, options->client_key);
	if (!err && !self->client_cert.path != !self->client_key.path)
		err = -EINVAL;
	if (!err && options->proxy && *options->proxy) {
		self->proxy = strdup(strcmp(options->proxy, "none") ? options->proxy : "");
		err = self->proxy ? 0 : -ENOMEM;
	}
	if (!err)
		err = loop_timer__new(loop, net__on_timer, self, &self->timer);
	if (err)
		goto undo;
	*ret_net = self;
	return 0;
undo:
	net__free(self);
	return err;
}

void net__free(struct net *self)
{
	if (!self)
		return;
	pp_assert(!self->inside_curl && !self->done_depth);
	while (self->calls)
		net_call__cancel(self->calls);
	if (self->multi) {
		curl_multi_cleanup(self->multi);
		curl_global_cleanup();
	}
	loop_timer__free(self->timer);
	net_file__clear(&self->ca_bundle);
	net_file__clear(&self->client_cert);
	net_file__clear(&self->client_key);
	free(self->proxy);
	free(self);
}

int net__load_files(struct net *self, const char **ret_path)
{
	struct net_file *const files[] = { &self->ca_bundle, &self->client_cert,
					   &self->client_key };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int err = net_file__load(files[i]);

		if (err) {
			*ret_path = files[i]->path;
			return err;
		}
	}
	return 0;
}

static void net_call__free(struct net_call *self)
{
	if (!self)
		return;
	curl_easy_cleanup(self->easy);
	curl_slist_free_all(self->headers);
	buf__clear(&self->body);
	free(self);
}

static bool has_control_char(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

static int net_call__add_header(struct net_call *self, const char *header)
{
	struct curl_slist *list;

	/* A line break in a name or token from a file would add a header of its own. */
	if (has_control_char(header))
		return -EINVAL;
	list = curl_slist_append(self->headers, header);
	if (!list)
		return -ENOMEM;
	self->headers = list;
	return 0;
}

static int net_call__set_headers(struct net_call *self, const struct http_request *request)
{
	const char *const *header;
	int err;

	/* Without this, bodies over 1 MiB would wait a second for a "100 Continue". */
	err = net_call__add_header(self, "Expect:");
	for (header = request->headers; !err && header && *header; header++)
		err = net_call__add_header(self, *header);
	if (!err)
		curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, self->headers);
	return err;
}

static int net_call__set_body(struct net_call *self, const struct http_request *request)
{
	CURLcode code = CURLE_OK;

	if (!strcmp(request->method, "POST")) {
		curl_easy_setopt(self->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(self->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)request->body_len);
		code = curl_easy_setopt(self->easy, CURLOPT_COPYPOSTFIELDS,
					request->body_len ? request->body : "");
	} else if (!strcmp(request->method, "PUT") && !request->body_len) {
		code = curl_easy_setopt(self->easy, CURLOPT_CUSTOMREQUEST, "PUT");
	} else if (strcmp(request->method, "GET")) {
		return -EINVAL;
	}
	return code ? -ENOMEM : 0;
}

static void net_call__set_limits(struct net_call *self, const struct http_request *request)
{
	CURL *easy = self->easy;

	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			 min_of((long)request->timeout_ms, CONNECT_TIMEOUT_MS));
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->reply_max_bytes);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 request->is_http2 ? (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE :
					     (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else /* gone once libcurl 7.85 is the oldest supported */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A resolver thread that hangs in a name server's silence is left behind, not joined: joining it
	 * would stop the loop for as long. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

/* libcurl compares the bytes, too, before it uses a connection again. */
static int set_blob(CURL *easy, CURLoption option, const struct net_file *file)
{
	struct curl_blob blob = { file->data.data, file->data.len, CURL_BLOB_COPY };

	return file->data.len && curl_easy_setopt(easy, option, &blob) ? -ENOMEM : 0;
}

static int net_call__set_tls(struct net_call *self)
{
	struct net *net = self->net;
	const char *path;
	int err = net__load_files(net, &path);

	if (err)
		log_every(&net->file_errors, FILE_ERRORS_INTERVAL_MS, LOG_LVL_WARN,
			  "net: cannot read '%s', going on with what it held before: %s", path,
			  errname(err));
	if (net->no_verify) {
		curl_easy_setopt(self->easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(self->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	err = set_blob(self->easy, CURLOPT_CAINFO_BLOB, &net->ca_bundle);
	if (!err)
		err = set_blob(self->easy, CURLOPT_SSLCERT_BLOB, &net->client_cert);
	if (!err)
		err = set_blob(self->easy, CURLOPT_SSLKEY_BLOB, &net->client_key);
	return err;
}

static int net_call__set_target(struct net_call *self, const struct http_request *request)
{
	struct net *net = self->net;
	CURL *easy = self->easy;

	if (curl_easy_setopt(easy, CURLOPT_URL, request->url))
		return -ENOMEM;
	if (url__is_loopback(request->url))
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	else if (net->proxy && curl_easy_setopt(easy, CURLOPT_PROXY, net->proxy))
		return -ENOMEM;
	if (request->unix_socket) { /* asked rarely: nothing is kept open */
		curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
		if (curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket))
			return -ENOMEM;
	}
	if (net_call__set_tls(self))
		return -ENOMEM;
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "pulseprof/" PP_VERSION);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->errbuf);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, self);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, self);
	return 0;
}

static void net_call__enlist(struct net_call *self)
{
	struct net *net = self->net;

	self->next = net->calls;
	self->link = &net->calls;
	if (self->next)
		self->next->link = &self->next;
	net->calls = self;
}

int net__send(struct net *self, const struct http_request *request, http_done_fn fn, void *arg,
	      struct net_call **ret_call)
{
	struct net_call *call;
	struct url url;
	int err;

	pp_assert(!self->inside_curl);
	if (!request->timeout_ms || !request->reply_max_bytes || url__parse(request->url, &url))
		return -EINVAL;
	err = net__start_curl(self);
	if (err)
		return err;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->net = self;
	call->is_http2 = request->is_http2;
	call->fn = fn;
	call->arg = arg;
	buf__init(&call->body, request->reply_max_bytes);
	call->to_fd = request->to_fd;
	call->reply_fd = request->reply_fd;
	call->file_max_bytes = request->reply_max_bytes;
	call->easy = curl_easy_init();
	if (!call->easy)
		err = -ENOMEM;
	if (!err)
		err = net_call__set_target(call, request);
	if (!err)
		err = net_call__set_headers(call, request);
	if (!err)
		err = net_call__set_body(call, request);
	if (!err) {
		net_call__set_limits(call, request);
		err = curl_multi_add_handle(self->multi, call->easy) ? -ENOMEM : 0;
	}
	if (err) {
		net_call__free(call);
		return err;
	}
	net_call__enlist(call);
	if (ret_call)
		*ret_call = call;
	return 0;
}

static int errno_of(const struct net_call *call, CURLcode code)
{
	long os_errno = 0;

	if (call->too_big)
		return -E2BIG;
	if (call->file_err)
		return call->file_err;
	switch (code) {
	case CURLE_OK: return 0;
	case CURLE_FILESIZE_EXCEEDED: return -E2BIG;
	case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY: return -ENOMEM;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY: return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
		return os_errno > 0 ? -(int)os_errno : -ECONNREFUSED;
	default: return -EPROTO;
	}
}

/* Takes the call. */
static void net_call__finish(struct net_call *self, int err, const char *why)
{
	struct net *net = self->net;
	struct http_reply reply = { .err = err, .body = "" };
	char *local = NULL;
	curl_off_t retry_after_s = 0; /* of seconds or a date */
	long status = 0;

	curl_multi_remove_handle(net->multi, self->easy);
	*self->link = self->next;
	if (self->next)
		self->next->link = self->link;
	if (!curl_easy_getinfo(self->easy, CURLINFO_LOCAL_IP, &local) && local)
		snprintf(reply.local_address, sizeof(reply.local_address), "%s", local);
	if (err) {
		snprintf(reply.why, sizeof(reply.why), "%s", why);
	} else {
		curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
		reply.status = (int)status;
		if (status >= 400 &&
		    !curl_easy_getinfo(self->easy, CURLINFO_RETRY_AFTER, &retry_after_s) &&
		    retry_after_s > 0)
			reply.retry_after_s =
				(uint32_t)min_of(retry_after_s, (curl_off_t)HTTP_RETRY_AFTER_MAX_S);
		if (self->body.len)
			reply.body = self->body.data;
		reply.body_len = self->body.len;
	}
	net->done_depth++;
	self->fn(self->arg, &reply);
	net->done_depth--;
	net_call__free(self);
}

/* Only when libcurl is not on the stack. A callback may send and cancel: the list is asked anew each time. */
static void net__reap(struct net *self)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(self->multi, &left))) {
		CURLcode code = msg->data.result;
		struct net_call *call = NULL;
		const char *why;
		int err;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		err = errno_of(call, code);
		why = call->errbuf[0] ? call->errbuf : curl_easy_strerror(code);
		net_call__finish(call, err, err == -E2BIG ? "the answer is too large" : why);
	}
}

void net_call__cancel(struct net_call *self)
{
	pp_assert(!self->net->inside_curl);
	net_call__finish(self, -ECANCELED, "canceled");
}

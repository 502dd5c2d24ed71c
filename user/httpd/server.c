/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libmicrohttpd on our loop: its epoll descriptor is watched, its timeouts become one timer, and it has
 * no threads. Collects each request whole, within its limits, then hands it to the program; knows no
 * route. A client that sends too much is read on for a while and thrown away, so that it gets to read
 * the answer instead of a reset. Always true: a call is answered exactly once.
 */
#include "pp/httpd.h"

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"

#include <microhttpd.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECTION_TIMEOUT_S 30
#define RUN_MS_MAX	     1000
#define ACCEPTS_AT_ONCE	     64
#define HEADER_MAX_BYTES     (32u << 10) /* request line, headers and the library's own needs */
#define DISCARD_TIMES	     16 /* read on for this many body_max_bytes */

struct httpd {
	struct MHD_Daemon *mhd;
	struct loop_io *io;
	struct loop_timer *timer;
	httpd_fn fn;
	httpd_fn head;
	void *arg;
	size_t body_max_bytes;
	struct loop_io *listen_io;
	int listen_fd;
	uint32_t connections_max;
	uint16_t port;
};

struct httpd_call {
	struct httpd *httpd;
	struct MHD_Connection *connection;
	const char *method;
	const char *path;
	struct buf body;
	size_t seen_bytes;
	struct MHD_Response *response; /* made, not yet queued */
	int status;
};

const char *httpd_call__header(struct httpd_call *self, const char *name)
{
	return MHD_lookup_connection_value(self->connection, MHD_HEADER_KIND, name);
}

const char *httpd_call__query(struct httpd_call *self, const char *name)
{
	return MHD_lookup_connection_value(self->connection, MHD_GET_ARGUMENT_KIND, name);
}

static bool response__add_line(struct MHD_Response *response, const char *line)
{
	const char *colon = strchr(line, ':');
	char name[64];

	if (!colon || (size_t)(colon - line) >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - line), line);
	return MHD_add_response_header(response, name, colon + 1 + strspn(colon + 1, " ")) ==
	       MHD_YES;
}

int httpd_call__answer(struct httpd_call *self, const struct httpd_answer *answer)
{
	struct MHD_Response *response;
	bool ok = true;
	size_t i;

	if (self->response)
		return -EALREADY;
	response = MHD_create_response_from_buffer(
		answer->body_len, (void *)(uintptr_t)answer->body, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return -ENOMEM;
	if (answer->content_type)
		ok = MHD_add_response_header(response, "Content-Type", answer->content_type) ==
		     MHD_YES;
	for (i = 0; ok && answer->headers && answer->headers[i]; i++)
		ok = response__add_line(response, answer->headers[i]);
	if (!ok) {
		MHD_destroy_response(response);
		return -ENOMEM;
	}
	self->response = response;
	self->status = answer->status;
	return 0;
}

static void call__refuse(struct httpd_call *self, int status, const char *header, const char *json)
{
	const char *headers[] = { header, NULL };

	(void)httpd_call__answer(self, &(struct httpd_answer){
					       .status = status,
					       .content_type = "application/json",
					       .headers = headers,
					       .body = json,
					       .body_len = strlen(json),
				       });
}

static enum MHD_Result call__send(struct httpd_call *self)
{
	enum MHD_Result result;

	if (!self->response)
		call__refuse(self, 500, NULL, "{\"message\": \"out of memory\"}");
	if (!self->response)
		return MHD_NO;
	result = MHD_queue_response(self->connection, (unsigned int)self->status, self->response);
	MHD_destroy_response(take_ptr(self->response));
	return result;
}

static void call__handle(struct httpd_call *self, httpd_fn fn)
{
	const struct httpd_request request = {
		.method = self->method,
		.path = self->path,
		.body = self->body.data ? self->body.data : "",
		.body_len = self->body.len,
		.call = self,
	};

	fn(self->httpd->arg, &request);
}

static bool method_is_known(const char *method)
{
	return !strcmp(method, "GET") || !strcmp(method, "HEAD") || !strcmp(method, "POST");
}

/* Headers are in. Answering here leaves the response waiting until the body has been thrown away. */
static void call__head(struct httpd_call *self)
{
	if (!method_is_known(self->method))
		call__refuse(self, 405, "Allow: GET, HEAD, POST",
			     "{\"message\": \"only GET, HEAD and POST are known here\"}");
	else if (self->httpd->head)
		call__handle(self, self->httpd->head);
}

static enum MHD_Result call__data(struct httpd_call *self, const char *data, size_t len)
{
	const size_t max = self->httpd->body_max_bytes;

	self->seen_bytes += len;
	if (self->seen_bytes > max * DISCARD_TIMES)
		return MHD_NO;
	if (self->response)
		return MHD_YES;
	if (self->seen_bytes <= max && !buf__append(&self->body, data, len))
		return MHD_YES;
	buf__clear(&self->body);
	if (self->seen_bytes > max)
		call__refuse(self, 413, "Connection: close",
			     "{\"message\": \"the body is too large\"}");
	else
		call__refuse(self, 503, NULL, "{\"message\": \"out of memory\"}");
	return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_bytes, void **con_cls)
{
	struct httpd *self = cls;
	struct httpd_call *call = *con_cls;

	if (!call) {
		call = calloc(1, sizeof(*call));
		if (!call)
			return MHD_NO;
		*call = (struct httpd_call){
			.httpd = self,
			.connection = connection,
			.method = method,
			.path = url,
		};
		buf__init(&call->body, self->body_max_bytes + 1);
		*con_cls = call;
		call__head(call);
		return MHD_YES;
	}
	call->method = method;
	call->path = url;
	if (*data_bytes) {
		enum MHD_Result result = call__data(call, data, *data_bytes);

		*data_bytes = 0;
		return result;
	}
	if (!call->response)
		call__handle(call, self->fn);
	return call__send(call);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
			 enum MHD_RequestTerminationCode code)
{
	struct httpd_call *call = *con_cls;

	if (!call)
		return;
	if (call->response)
		MHD_destroy_response(call->response);
	buf__clear(&call->body);
	free(call);
	*con_cls = NULL;
}

static void on_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_log(void *cls, const char *fmt, va_list ap)
{
	char text[256];
	size_t len;

	vsnprintf(text, sizeof(text), fmt, ap);
	len = strcspn(text, "\n");
	log_debug("httpd: %.*s", (int)len, text);
}

static uint32_t connection_cnt(struct httpd *self)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(self->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

/* While a connection is open the library is asked at least once a second: its own word is not enough. */
static void httpd__run(struct httpd *self)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	(void)MHD_run(self->mhd);
	if (!connection_cnt(self)) {
		loop_timer__stop(self->timer);
		return;
	}
	if (MHD_get_timeout(self->mhd, &wait_ms) != MHD_YES || wait_ms > RUN_MS_MAX)
		wait_ms = RUN_MS_MAX;
	(void)loop_timer__start(self->timer, wait_ms, 0);
}

static void on_io(void *arg, int events, int err)
{
	httpd__run(arg);
}

static void on_timer(void *arg)
{
	httpd__run(arg);
}

/*
 * We accept, not the library: at its connection limit libmicrohttpd 0.9.75 takes the listening socket out of
 * its epoll and may never put it back. Past our limit a connection is closed at once, so that a client
 * learns of it.
 */
static void on_listen(void *arg, int events, int err)
{
	struct httpd *self = arg;

	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sockaddr_storage addr;
		socklen_t len = sizeof(addr);
		int fd = accept4(self->listen_fd, (struct sockaddr *)&addr, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			break;
		if (connection_cnt(self) >= self->connections_max)
			close(fd);
		else
			(void)MHD_add_connection(self->mhd, fd, (struct sockaddr *)&addr, len);
	}
	httpd__run(self);
}

static int socket_address(const struct httpd_options *options, struct sockaddr_storage *ret_addr,
			  socklen_t *ret_len)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(options->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(options->port) };

	if (inet_pton(AF_INET, options->address, &in4.sin_addr) == 1) {
		memcpy(ret_addr, &in4, sizeof(in4));
		*ret_len = sizeof(in4);
		return 0;
	}
	if (inet_pton(AF_INET6, options->address, &in6.sin6_addr) == 1) {
		memcpy(ret_addr, &in6, sizeof(in6));
		*ret_len = sizeof(in6);
		return 0;
	}
	return -EINVAL;
}

/* Our own socket: the library would only say that it could not bind, not why. */
static int httpd__listen(struct httpd *self, const struct httpd_options *options, int *ret_fd)
{
	struct sockaddr_storage addr = { 0 };
	_auto_close_ int fd = -1;
	const int one = 1;
	socklen_t len;
	int err;

	err = socket_address(options, &addr, &len);
	if (err)
		return err;
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len))
		return -errno;
	/* The port stands at the same place in both families. */
	self->port = ntohs(((struct sockaddr_in *)&addr)->sin_port);
	*ret_fd = take_fd(fd);
	return 0;
}

static int httpd__start(struct httpd *self, const struct httpd_options *options)
{
	struct MHD_OptionItem items[] = {
		/* one more than ever: see on_listen */
		{ MHD_OPTION_CONNECTION_LIMIT, options->connections_max + 1, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADER_MAX_BYTES, NULL },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, self },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->tls_cert_pem },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->tls_key_pem },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET;

	if (options->tls_cert_pem)
		flags |= MHD_USE_TLS;
	else
		items[4].option = MHD_OPTION_END;
	self->mhd = MHD_start_daemon(flags, 0, NULL, NULL, on_request, self,
				     MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_ARRAY,
				     items, MHD_OPTION_END);
	return self->mhd ? 0 : -EINVAL;
}

int httpd__new(struct loop *loop, const struct httpd_options *options, httpd_fn fn, void *arg,
	       struct httpd **ret_httpd)
{
	const union MHD_DaemonInfo *info;
	struct httpd *self;
	int err;

	if (!options->tls_cert_pem != !options->tls_key_pem)
		return -EINVAL;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->listen_fd = -1;
	self->connections_max = options->connections_max;
	self->fn = fn;
	self->head = options->head;
	self->arg = arg;
	self->body_max_bytes = options->body_max_bytes;
	err = httpd__listen(self, options, &self->listen_fd);
	if (!err)
		err = httpd__start(self, options);
	if (!err)
		err = loop_io__new(loop, self->listen_fd, LOOP_READ, on_listen, self,
				   &self->listen_io);
	if (!err) {
		info = MHD_get_daemon_info(self->mhd, MHD_DAEMON_INFO_EPOLL_FD);
		err = info ? loop_timer__new(loop, on_timer, self, &self->timer) : -EINVAL;
		if (!err)
			err = loop_io__new(loop, info->epoll_fd, LOOP_READ, on_io, self, &self->io);
	}
	if (err) {
		httpd__free(self);
		return err;
	}
	*ret_httpd = self;
	return 0;
}

void httpd__free(struct httpd *self)
{
	if (!self)
		return;
	loop_io__free(self->listen_io);
	loop_io__free(self->io);
	loop_timer__free(self->timer);
	if (self->mhd)
		MHD_stop_daemon(self->mhd);
	if (self->listen_fd >= 0)
		close(self->listen_fd);
	free(self);
}

uint16_t httpd__port(const struct httpd *self)
{
	return self->port;
}

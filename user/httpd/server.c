/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libmicrohttpd on our loop: its epoll descriptor is watched, its timeouts become one timer, and it has
 * no threads. Accepts connections and lets go of them (conns.c); what is asked on them is call.c's.
 */
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RUN_MS_MAX	 1000
#define ACCEPTS_AT_ONCE	 64
#define BACKLOG		 4096 /* the kernel's own limit is this, too */
#define HELD_AT_ONCE	 64
#define HEADER_MAX_BYTES (16u << 10) /* request line, headers and the library's own needs */

static void on_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_log(void *cls, const char *fmt, va_list ap)
{
	char text[256];
	size_t len;

	vsnprintf(text, sizeof(text), fmt, ap);
	len = strcspn(text, "\n");
	log_debug("httpd: %.*s", (int)len, text);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *addr =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct httpd *self = cls;

	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*context = conns__add(&self->conns, fd->connect_fd, addr->client_addr);
	else if (*context)
		conns__remove(&self->conns, take_ptr(*context));
}

/* While a connection is open the library is asked at least once a second: its own word is not enough. */
static void httpd__run(struct httpd *self)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	conns__expire(&self->conns);
	self->is_run_due = false;
	(void)MHD_run(self->mhd);
	if (!self->conns.cnt && !self->conns.lists[CONN_SHUT].first && !self->is_deaf) {
		loop_timer__stop(self->timer);
		return;
	}
	if (MHD_get_timeout(self->mhd, &wait_ms) != MHD_YES || wait_ms > RUN_MS_MAX)
		wait_ms = RUN_MS_MAX;
	(void)loop_timer__start(self->timer, self->is_run_due ? 0 : wait_ms, 0);
}

void httpd__run_soon(struct httpd *self)
{
	if (!self->is_run_due && self->timer)
		(void)loop_timer__start(self->timer, 0, 0);
	self->is_run_due = true;
}

static void on_io(void *arg, int events, int err)
{
	httpd__run(arg);
}

static void on_timer(void *arg)
{
	struct httpd *self = arg;

	if (self->is_deaf)
		self->is_deaf = loop_io__set(self->listen_io, LOOP_READ);
	httpd__run(self);
}

/* Without a descriptor for the next one, the listening socket would wake us again and again. */
static void httpd__be_deaf(struct httpd *self)
{
	self->conns.counts.refused++;
	if (conns__make_room(&self->conns))
		return;
	self->is_deaf = true;
	(void)loop_io__set(self->listen_io, 0);
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

		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
			httpd__be_deaf(self);
		if (fd < 0)
			break;
		if (!conns__admit(&self->conns, (struct sockaddr *)&addr))
			close(fd);
		else
			(void)MHD_add_connection(self->mhd, fd, (struct sockaddr *)&addr, len);
	}
	httpd__run(self);
}

/* Clients of held calls that went away. */
static void on_held(void *arg, int events, int err)
{
	struct epoll_event gone[HELD_AT_ONCE];
	struct httpd *self = arg;
	const int cnt = epoll_wait(self->held_fd, gone, HELD_AT_ONCE, 0);

	for (int i = 0; i < cnt; i++)
		call__leave(gone[i].data.ptr);
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
	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, BACKLOG) ||
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
		/* more than ever, those on their way out among them: see on_listen */
		{ MHD_OPTION_CONNECTION_LIMIT, options->connections_max + 2 * ACCEPTS_AT_ONCE,
		  NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADER_MAX_BYTES, NULL },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, self },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, self },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->tls_cert_pem },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->tls_key_pem },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET |
			     MHD_ALLOW_SUSPEND_RESUME;

	if (options->tls_cert_pem)
		flags |= MHD_USE_TLS;
	else
		items[5].option = MHD_OPTION_END;
	self->mhd = MHD_start_daemon(flags, 0, NULL, NULL, on_request, self,
				     MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_ARRAY,
				     items, MHD_OPTION_END);
	return self->mhd ? 0 : -EINVAL;
}

static int httpd__watch(struct httpd *self, struct loop *loop)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(self->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	int err;

	self->held_fd = epoll_create1(EPOLL_CLOEXEC);
	if (self->held_fd < 0)
		return -errno;
	err = info ? loop_timer__new(loop, on_timer, self, &self->timer) : -EINVAL;
	err = err ? err : loop_io__new(loop, info->epoll_fd, LOOP_READ, on_io, self, &self->io);
	err = err ? err :
		    loop_io__new(loop, self->held_fd, LOOP_READ, on_held, self, &self->held_io);
	return err ? err :
		     loop_io__new(loop, self->listen_fd, LOOP_READ, on_listen, self,
				  &self->listen_io);
}

int httpd__new(struct loop *loop, const struct httpd_options *options, httpd_fn fn, void *arg,
	       struct httpd **ret_httpd)
{
	struct httpd *self;
	int err;

	if (!options->tls_cert_pem != !options->tls_key_pem)
		return -EINVAL;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->listen_fd = -1;
	self->held_fd = -1;
	self->conns.max = options->connections_max;
	self->conns.strangers_per_address_max = options->strangers_per_address_max ?
							options->strangers_per_address_max :
							UINT32_MAX;
	self->fn = fn;
	self->head = options->head;
	self->arg = arg;
	self->body_max_bytes = options->body_max_bytes;
	err = httpd__listen(self, options, &self->listen_fd);
	err = err ? err : httpd__start(self, options);
	err = err ? err : httpd__watch(self, loop);
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
	loop_io__free(self->held_io);
	loop_io__free(self->io);
	loop_timer__free(take_ptr(self->timer));
	while (self->held)
		call__leave(self->held);
	if (self->mhd)
		MHD_stop_daemon(self->mhd);
	if (self->held_fd >= 0)
		close(self->held_fd);
	if (self->listen_fd >= 0)
		close(self->listen_fd);
	free(self);
}

uint16_t httpd__port(const struct httpd *self)
{
	return self->port;
}

void httpd__counts(const struct httpd *self, struct httpd_counts *ret_counts)
{
	*ret_counts = self->conns.counts;
	ret_counts->open = self->conns.cnt;
}

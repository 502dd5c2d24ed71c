/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's end. Each client has room for one line in and for its replies out; while a reply is unread
 * nothing more of it is read. Time is only watched while somebody is connected.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"

#define WATCH_MS 1000

struct client {
	struct rpc_server *server;
	struct client *next;
	struct loop_io *io;
	int fd;
	int passed_fd; /* came along and waits for its question; -1: none */
	char *in; /* RPC_LINE_MAX_BYTES */
	size_t in_len;
	struct buf out;
	size_t sent;
	bool is_ending; /* closed when its replies are sent */
	uint64_t deadline_ns;
};

struct rpc_server {
	struct loop *loop;
	struct rpc_answerer answerer;
	struct sockaddr_un address;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	struct client *clients;
	uint32_t clients_cnt;
	bool is_paused; /* no descriptor for another client */
	char version[];
};

static void client__close(struct client *self)
{
	struct client **at = &self->server->clients;

	while (*at != self)
		at = &(*at)->next;
	*at = self->next;
	self->server->clients_cnt--;
	loop_io__free(self->io);
	close(self->fd);
	if (self->passed_fd >= 0)
		close(self->passed_fd);
	buf__clear(&self->out);
	free(self->in);
	free(self);
}

static void client__wait(struct client *self)
{
	self->deadline_ns = clock_mono_ns() + RPC_IDLE_MS * 1000000ull;
}

/* -EAGAIN: not all could be sent. */
static int client__send(struct client *self)
{
	while (self->sent < self->out.len) {
		ssize_t n = send(self->fd, self->out.data + self->sent, self->out.len - self->sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		self->sent += (size_t)n;
	}
	if (self->out.len)
		client__wait(self);
	buf__reset(&self->out);
	self->sent = 0;
	return 0;
}

static int client__answer(struct client *self, const char *end)
{
	size_t len = (size_t)(end - self->in);
	int err = rpc__answer(&self->server->answerer, self->in, len, &self->passed_fd, &self->out);

	self->in_len -= len + 1;
	memmove(self->in, end + 1, self->in_len);
	return err ? err : client__send(self);
}

/* A descriptor stays with the bytes that it came with, and is for the next question. */
static void client__take_fd(struct client *self, struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head;
	     head = CMSG_NXTHDR(message, head)) {
		int fds[8];
		size_t cnt;

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		cnt = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		cnt = cnt < 8 ? cnt : 8;
		memcpy(fds, CMSG_DATA(head), cnt * sizeof(int));
		for (size_t i = 0; i < cnt; i++) {
			if (self->passed_fd < 0)
				self->passed_fd = fds[i];
			else
				close(fds[i]);
		}
	}
}

/* 0: the peer sends no more. */
static ssize_t client__receive(struct client *self)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec bytes = { self->in + self->in_len, RPC_LINE_MAX_BYTES - self->in_len };
	struct msghdr message = { .msg_iov = &bytes,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t n;

	do {
		n = recvmsg(self->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	client__take_fd(self, &message);
	return n;
}

/* Answers what is there, until a reply is not read or no whole line is left. */
static int client__work(struct client *self)
{
	const char *end;
	int err = client__send(self);

	while (!err && (end = memchr(self->in, '\n', self->in_len)))
		err = client__answer(self, end);
	if (!err && self->in_len == RPC_LINE_MAX_BYTES) {
		self->is_ending = true;
		self->in_len = 0;
		err = rpc__refuse(self->server->answerer.version, -E2BIG, "a line is too long",
				  &self->out);
		if (!err)
			err = client__send(self);
	}
	if (err && err != -EAGAIN)
		return err;
	if (!err && self->is_ending)
		return -EPIPE;
	return loop_io__set(self->io, err ? LOOP_WRITE : LOOP_READ);
}

/* err: its other end is closed; what it sent before is answered all the same, as if it were there. */
static void on_client(void *arg, int events, int err)
{
	struct client *self = arg;

	if (!self->is_ending && (events & LOOP_READ || err)) {
		ssize_t n = client__receive(self);

		if (n < 0 && n != -EAGAIN) {
			client__close(self);
			return;
		}
		if (n <= 0 && (!n || err))
			self->is_ending = true;
		if (n > 0)
			self->in_len += (size_t)n;
	}
	if (client__work(self))
		client__close(self);
}

static void on_watch(void *arg)
{
	struct rpc_server *self = arg;
	uint64_t now_ns = clock_mono_ns();

	for (struct client *client = self->clients, *next; client; client = next) {
		next = client->next;
		if (now_ns >= client->deadline_ns)
			client__close(client);
	}
	if (self->is_paused && !loop_io__set(self->io, LOOP_READ))
		self->is_paused = false;
	if (!self->clients && !self->is_paused)
		loop_timer__stop(self->timer);
}

static void refuse(struct rpc_server *self, int fd, int err, const char *why)
{
	_auto_buf_ struct buf text = { .max_bytes = 4096 };

	/* Of a fresh socket's room it takes little. Who has gone needs no answer. */
	if (!rpc__refuse(self->answerer.version, err, why, &text))
		(void)!send(fd, text.data, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool may_ask(int fd, pid_t *ret_pid, uid_t *ret_uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*ret_pid = 0;
	*ret_uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof(peer))
		return false;
	*ret_pid = peer.pid;
	*ret_uid = peer.uid;
	return !peer.uid || peer.uid == geteuid();
}

/* The descriptor is taken if 0 is returned. */
static int add_client(struct rpc_server *self, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	int err = -ENOMEM;

	if (!client)
		return err;
	client->server = self;
	client->fd = fd;
	client->passed_fd = -1;
	buf__init(&client->out, RPC_REPLY_MAX_BYTES);
	client->in = malloc(RPC_LINE_MAX_BYTES);
	if (client->in)
		err = loop_io__new(self->loop, fd, LOOP_READ, on_client, client, &client->io);
	if (!err && !loop_timer__is_active(self->timer))
		err = loop_timer__start(self->timer, WATCH_MS, WATCH_MS);
	if (err) {
		loop_io__free(client->io);
		free(client->in);
		free(client);
		return err;
	}
	client__wait(client);
	client->next = self->clients;
	self->clients = client;
	self->clients_cnt++;
	return 0;
}

static void on_connection(void *arg, int events, int err)
{
	struct rpc_server *self = arg;
	int fd _auto_close_ = accept4(self->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	pid_t pid;
	uid_t uid;

	if (fd < 0) {
		/* Without descriptors it would be ready again at once, and again. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED &&
		    !loop_timer__start(self->timer, WATCH_MS, WATCH_MS))
			self->is_paused = !loop_io__set(self->io, 0);
		return;
	}
	if (!may_ask(fd, &pid, &uid)) {
		log_warn("rpc: refuses pid=%d uid=%u: not root", (int)pid, (unsigned int)uid);
		refuse(self, fd, -EPERM, "only root is heard here");
	} else if (self->clients_cnt >= RPC_CLIENTS_MAX) {
		refuse(self, fd, -EBUSY, "too many are connected");
	} else if (!add_client(self, fd)) {
		(void)take_fd(fd);
	}
}

static int listen_at(struct rpc_server *self)
{
	const struct sockaddr *address = (const struct sockaddr *)&self->address;

	self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (self->fd < 0)
		return -errno;
	/* What a crash left; anything else in its place makes bind fail. */
	if (unlink(self->address.sun_path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(self->fd, address, sizeof(self->address)) < 0)
		return -errno;
	/* The directory is ours alone: nobody else came in between. */
	if (chmod(self->address.sun_path, 0600) < 0 || listen(self->fd, RPC_CLIENTS_MAX) < 0)
		return -errno;
	return 0;
}

int rpc_server__new(struct loop *loop, const char *run_dir, const char *version, rpc_fn fn,
		    void *arg, struct rpc_server **ret_server)
{
	size_t version_bytes = strlen(version) + 1;
	struct rpc_server *self = calloc(1, sizeof(*self) + version_bytes);
	int err;

	if (!self)
		return -ENOMEM;
	memcpy(self->version, version, version_bytes);
	self->loop = loop;
	self->fd = -1;
	self->answerer = (struct rpc_answerer){ .version = self->version, .fn = fn, .arg = arg };
	err = rpc__address(run_dir, &self->address);
	if (err) {
		free(self);
		return err;
	}
	err = listen_at(self);
	if (!err)
		err = loop_timer__new(loop, on_watch, self, &self->timer);
	if (!err)
		err = loop_io__new(loop, self->fd, LOOP_READ, on_connection, self, &self->io);
	if (err) {
		rpc_server__free(self);
		return err;
	}
	*ret_server = self;
	return 0;
}

void rpc_server__free(struct rpc_server *self)
{
	if (!self)
		return;
	while (self->clients)
		client__close(self->clients);
	loop_timer__free(self->timer);
	loop_io__free(self->io);
	if (self->fd >= 0) {
		close(self->fd);
		(void)unlink(self->address.sun_path); /* a stale one does no harm */
	}
	free(self);
}

uint32_t rpc_server__clients(const struct rpc_server *self)
{
	return self->clients_cnt;
}

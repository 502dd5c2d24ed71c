/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The asking end: blocks until the reply is whole, with a deadline. The server is trusted, but may be of
 * another version, or hang.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/json.h"

static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd ready = { .fd = fd, .events = events };

	for (;;) {
		uint64_t now_ns = clock_mono_ns();
		int n;

		if (now_ns >= deadline_ns)
			return -ETIMEDOUT;
		n = poll(&ready, 1, (int)((deadline_ns - now_ns) / 1000000) + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* The descriptor goes with the first byte. */
static ssize_t send_some(int to, const char *data, size_t len, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec bytes = { (void *)(uintptr_t)data, len };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	struct cmsghdr *head;

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(int));
	}
	return sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Who refuses says why before it closes: a broken pipe is no end. */
static int send_question(int to, const struct buf *text, int fd, uint64_t deadline_ns)
{
	size_t sent = 0;

	while (sent < text->len) {
		ssize_t n = send_some(to, text->data + sent, text->len - sent, sent ? -1 : fd);
		int err;

		if (n > 0)
			sent += (size_t)n;
		else if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
		err = n > 0 ? 0 : wait_for(to, POLLOUT, deadline_ns);
		if (err)
			return err;
	}
	return 0;
}

static int receive_line(int from, uint64_t deadline_ns, struct buf *line)
{
	char bytes[4096];

	for (;;) {
		int err = wait_for(from, POLLIN, deadline_ns);
		ssize_t n;

		if (err)
			return err;
		n = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EBADMSG;
		err = buf__append(line, bytes, (size_t)n);
		if (err)
			return err;
		if (bytes[n - 1] == '\n') {
			line->data[--line->len] = '\0';
			return 0;
		}
	}
}

static int print_question(const struct rpc_question *question, struct buf *text)
{
	_auto_json_ struct json_object *json = json__new_object();
	int err = json__add_int(json, "protocol", RPC_PROTOCOL);

	if (!err)
		err = json__add_str(json, "version", question->version);
	if (!err)
		err = json__add_str(json, "method", question->method);
	if (!err && question->params)
		err = json__add(json, "params", json__get(question->params));
	if (!err)
		err = json__print(json, false, text);
	return err ? err : buf__putc(text, '\n');
}

static int read_reply(const struct rpc_question *question, const struct buf *line,
		      struct json_object **ret_reply, struct buf *why)
{
	_auto_json_ struct json_object *reply = NULL;
	const char *version;
	int64_t protocol;
	bool ok;
	int err = json__parse(line->data, line->len, &reply);

	if (err)
		return err;
	if (json__get_int(reply, "protocol", 0, INT32_MAX, &protocol) ||
	    json__get_str(reply, "version", &version))
		return -EBADMSG;
	if (protocol != RPC_PROTOCOL) {
		buf__printf(why,
			    "the daemon is version %.32s and speaks protocol %lld, this is "
			    "version %s and protocol %d",
			    version, (long long)protocol, question->version, RPC_PROTOCOL);
		return -EPROTO;
	}
	if (json__get_bool(reply, "ok", &ok))
		return -EBADMSG;
	*ret_reply = take_ptr(reply);
	return 0;
}

int rpc__ask(const struct rpc_question *question, struct json_object **ret_reply, struct buf *why)
{
	uint64_t deadline_ns = clock_mono_ns() + RPC_ANSWER_MS * 1000000ull;
	_auto_buf_ struct buf text = { .max_bytes = RPC_LINE_MAX_BYTES };
	_auto_buf_ struct buf line = { .max_bytes = RPC_REPLY_MAX_BYTES + 1 };
	int fd _auto_close_ = -1;
	struct sockaddr_un address;
	int err = print_question(question, &text);

	if (!err)
		err = rpc__address(question->run_dir, &address);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	err = send_question(fd, &text, question->fd, deadline_ns);
	if (!err)
		err = receive_line(fd, deadline_ns, &line);
	return err ? err : read_reply(question, &line, ret_reply, why);
}

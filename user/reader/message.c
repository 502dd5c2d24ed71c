/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes over the reader's socket: whole or not at all, with a deadline, and descriptors beside a request's first
 * byte. Requests are the daemon's and trusted by the child; results may come from a child that a file has taken
 * over, so each length and index is checked before it is used. Only poll, sendmsg and recvmsg: the sandbox allows
 * no more.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"

#define NS_PER_MS 1000000ull

static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = events };
		uint64_t now_ns = deadline_ns ? clock_mono_ns() : 0;
		int timeout_ms = -1;
		int n;

		if (deadline_ns && now_ns >= deadline_ns)
			return -ETIMEDOUT;
		if (deadline_ns)
			timeout_ms = (int)((deadline_ns - now_ns) / NS_PER_MS) + 1;
		n = poll(&poll_fd, 1, timeout_ms);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_some(int fd, struct msghdr *message, uint64_t deadline_ns, size_t *ret_len)
{
	for (;;) {
		ssize_t n = sendmsg(fd, message, MSG_NOSIGNAL | MSG_DONTWAIT);
		int err;

		if (n >= 0) {
			*ret_len = (size_t)n;
			return 0;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return errno == ECONNRESET ? -EPIPE : -errno;
		err = wait_for(fd, POLLOUT, deadline_ns);
		if (err)
			return err;
	}
}

int message__send(int fd, const void *data, size_t len, uint64_t deadline_ns)
{
	size_t done = 0, n;

	while (done < len) {
		struct iovec part = { (char *)data + done, len - done };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
		int err = send_some(fd, &message, deadline_ns, &n);

		if (err)
			return err;
		done += n;
	}
	return 0;
}

int message__receive(int fd, void *data, size_t len, uint64_t deadline_ns)
{
	size_t done = 0;

	while (done < len) {
		struct iovec part = { (char *)data + done, len - done };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
		ssize_t n;
		int err = wait_for(fd, POLLIN, deadline_ns);

		if (err)
			return err;
		n = recvmsg(fd, &message, MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return errno == ECONNRESET ? -EPIPE : -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int request__encode(const struct symbol_request *request, struct buf *out, int fds[2],
		    uint32_t *ret_fd_cnt)
{
	struct reader_request_head head = {
		.off_cnt = request->off_cnt,
		.path_bytes = request->path ? (uint32_t)strlen(request->path) + 1 : 0,
		.dir_bytes = request->debug_dir ? (uint32_t)strlen(request->debug_dir) + 1 : 0,
		.has_fd = request->fd >= 0,
		.has_root_fd = request->host && request->root_fd >= 0,
		.has_jit = request->jit != NULL,
		.wants_places = request->wants_places,
	};
	uint32_t fd_cnt = 0;

	if (request->off_cnt > READER_OFFS_MAX)
		return -E2BIG;
	if (head.path_bytes > READER_PATH_BYTES)
		head.path_bytes = 0; /* no path that could be opened */
	if (head.dir_bytes > READER_PATH_BYTES)
		head.dir_bytes = 0;
	if (request->jit) {
		head.is_java = request->jit->is_java;
		head.ns_pid = request->jit->ns_pid;
		head.uid = request->jit->uid;
		head.start_real_ns = request->jit->start_real_ns;
	}
	if (head.has_fd)
		fds[fd_cnt++] = request->fd;
	if (head.has_root_fd)
		fds[fd_cnt++] = request->root_fd;
	buf__append(out, &head, sizeof(head));
	buf__append(out, request->offs, request->off_cnt * sizeof(*request->offs));
	buf__append(out, request->path, head.path_bytes);
	buf__append(out, request->debug_dir, head.dir_bytes);
	*ret_fd_cnt = fd_cnt;
	return out->err;
}

static int send_with_fds(int socket, const struct buf *bytes, const int fds[2], uint32_t fd_cnt,
			 uint64_t deadline_ns)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec part = { bytes->data, bytes->len };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *head;
	size_t n;
	int err;

	if (fd_cnt) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fd_cnt * sizeof(int));
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(fd_cnt * sizeof(int));
		memcpy(CMSG_DATA(head), fds, fd_cnt * sizeof(int));
	}
	err = send_some(socket, &message, deadline_ns, &n);
	return err ? err : message__send(socket, bytes->data + n, bytes->len - n, deadline_ns);
}

int request__send(int socket, const struct symbol_request *request, uint64_t deadline_ns)
{
	_auto_buf_ struct buf bytes;
	uint32_t fd_cnt;
	int fds[2], err;

	buf__init(&bytes, sizeof(struct reader_request_head) + 2 * READER_PATH_BYTES +
				  READER_OFFS_MAX * sizeof(*request->offs));
	err = request__encode(request, &bytes, fds, &fd_cnt);
	return err ? err : send_with_fds(socket, &bytes, fds, fd_cnt, deadline_ns);
}

int result__send(int socket, const struct symbol_result *result)
{
	const struct reader_result_head head = {
		.err = result->err,
		.name_cnt = result->name_cnt,
		.text_bytes = result->text_bytes,
		.build_id = result->build_id,
		.has_symtab = result->has_symtab,
		.has_places = result->places_of != NULL,
		.place_cnt = result->places_of ? result->place_cnt : 0,
		.places_err = result->places_err,
	};
	int err;

	err = message__send(socket, &head, sizeof(head), 0);
	if (!err)
		err = message__send(socket, result->names,
				    result->name_cnt * sizeof(*result->names), 0);
	if (!err)
		err = message__send(socket, result->bottoms, result->name_cnt, 0);
	if (!err)
		err = message__send(socket, result->no_returns, result->name_cnt, 0);
	if (!err)
		err = message__send(socket, result->text, result->text_bytes, 0);
	if (!err && head.has_places)
		err = message__send(socket, result->places_of,
				    result->name_cnt * sizeof(*result->places_of), 0);
	return err ? err :
		     message__send(socket, result->places, head.place_cnt * sizeof(*result->places),
				   0);
}

static bool places_are_valid(const struct symbol_result *result)
{
	for (uint32_t i = 0; result->places_of && i < result->name_cnt; i++)
		if (result->places_of[i] > result->place_cnt)
			return false;
	for (uint32_t i = 0; i < result->place_cnt; i++)
		if (result->places[i].name >= result->text_bytes ||
		    result->places[i].file >= result->text_bytes)
			return false;
	/* whoever goes through them ends here at the latest */
	return !result->place_cnt || result->places[result->place_cnt - 1].is_last;
}

bool result__is_valid(const struct symbol_result *result)
{
	if (result->build_id.len > ELF_BUILD_ID_BYTES || result->err > 0 ||
	    result->text_bytes == 0 || result->text[0] != '\0' ||
	    result->text[result->text_bytes - 1] != '\0')
		return false;
	for (uint32_t i = 0; i < result->name_cnt; i++)
		if (result->names[i] >= result->text_bytes ||
		    result->bottoms[i] > SYMBOL_BOTTOM_THREAD || result->no_returns[i] > 1)
			return false;
	return places_are_valid(result);
}

static int receive_places(int socket, uint64_t deadline_ns, struct symbol_result *result)
{
	size_t cnt = result->name_cnt, place_cnt = result->place_cnt;
	int err;

	result->places_of = calloc(max_of(cnt, (size_t)1), sizeof(*result->places_of));
	result->places = calloc(max_of(place_cnt, (size_t)1), sizeof(*result->places));
	if (!result->places_of || !result->places)
		return -ENOMEM;
	err = message__receive(socket, result->places_of, cnt * sizeof(*result->places_of),
			       deadline_ns);
	return err ? err :
		     message__receive(socket, result->places, place_cnt * sizeof(*result->places),
				      deadline_ns);
}

static int receive_parts(int socket, uint64_t deadline_ns, bool has_places,
			 struct symbol_result *result)
{
	size_t cnt = result->name_cnt;
	int err;

	result->names = calloc(max_of(cnt, (size_t)1), sizeof(*result->names));
	result->bottoms = calloc(max_of(cnt, (size_t)1), 1);
	result->no_returns = calloc(max_of(cnt, (size_t)1), 1);
	result->text = malloc(result->text_bytes);
	if (!result->names || !result->bottoms || !result->no_returns || !result->text)
		return -ENOMEM;
	err = message__receive(socket, result->names, cnt * sizeof(*result->names), deadline_ns);
	if (!err)
		err = message__receive(socket, result->bottoms, cnt, deadline_ns);
	if (!err)
		err = message__receive(socket, result->no_returns, cnt, deadline_ns);
	if (!err)
		err = message__receive(socket, result->text, result->text_bytes, deadline_ns);
	if (!err && has_places)
		err = receive_places(socket, deadline_ns, result);
	return err ? err : result__is_valid(result) ? 0 : -EBADMSG;
}

int result__receive(int socket, uint32_t off_cnt, uint64_t deadline_ns,
		    struct symbol_result *ret_result)
{
	struct symbol_result result = { 0 };
	struct reader_result_head head;
	int err = message__receive(socket, &head, sizeof(head), deadline_ns);

	if (err)
		return err;
	if (head.name_cnt != off_cnt || head.text_bytes == 0 ||
	    head.text_bytes > READER_TEXT_BYTES_MAX || head.place_cnt > READER_PLACES_MAX ||
	    (head.place_cnt && !head.has_places) || head.places_err > 0)
		return -EBADMSG;
	result.err = head.err;
	result.build_id = head.build_id;
	result.has_symtab = head.has_symtab != 0;
	result.name_cnt = head.name_cnt;
	result.text_bytes = head.text_bytes;
	result.place_cnt = head.place_cnt;
	result.places_err = head.places_err;
	err = receive_parts(socket, deadline_ns, head.has_places, &result);
	if (err) {
		symbol_result__clear(&result);
		return err;
	}
	*ret_result = result;
	return 0;
}

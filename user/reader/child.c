/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The reader itself: one request after the other until the socket closes. What a file can do to it ends here; it
 * holds nothing but the descriptors of the request at hand.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

static void take_fds(struct msghdr *message, struct reader_task *task)
{
	const struct cmsghdr *head = CMSG_FIRSTHDR(message);
	size_t cnt;

	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
		return;
	cnt = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(task->fds, CMSG_DATA(head), min_of(cnt, ARRAY_SIZE(task->fds)) * sizeof(int));
}

/* At least one byte of the head, and all descriptors. */
static int receive_head(int socket, struct reader_task *task, struct reader_request_head *head)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { head, sizeof(*head) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	ssize_t n;

	do {
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -EPIPE;
	take_fds(&message, task);
	return message__receive(socket, (char *)head + n, sizeof(*head) - (size_t)n, 0);
}

int task__receive(int socket, struct reader_task *ret_task)
{
	struct reader_task *task = ret_task;
	struct reader_request_head head;
	int err, fd = 0;

	memset(task, 0, sizeof(*task));
	task->fds[0] = task->fds[1] = -1;
	err = receive_head(socket, task, &head);
	if (err)
		return err;
	if (head.off_cnt > READER_OFFS_MAX || head.path_bytes > sizeof(task->path) ||
	    head.dir_bytes > sizeof(task->debug_dir))
		return -EBADMSG;
	task->offs = calloc(max_of(head.off_cnt, 1u), sizeof(*task->offs));
	if (!task->offs)
		return -ENOMEM;
	err = message__receive(socket, task->offs, head.off_cnt * sizeof(*task->offs), 0);
	if (!err)
		err = message__receive(socket, task->path, head.path_bytes, 0);
	if (!err)
		err = message__receive(socket, task->debug_dir, head.dir_bytes, 0);
	task->path[sizeof(task->path) - 1] = '\0';
	task->debug_dir[sizeof(task->debug_dir) - 1] = '\0';
	task->request.fd = head.has_fd ? task->fds[fd++] : -1;
	task->request.root_fd = head.has_root_fd ? task->fds[fd] : -1;
	task->request.offs = task->offs;
	task->request.off_cnt = head.off_cnt;
	task->request.wants_places = head.wants_places;
	task->request.path = head.path_bytes ? task->path : NULL;
	task->request.debug_dir = head.dir_bytes ? task->debug_dir : NULL;
	if (head.has_jit) {
		task->jit = (struct symbol_jit){ .ns_pid = head.ns_pid,
						 .uid = head.uid,
						 .start_real_ns = head.start_real_ns,
						 .is_java = head.is_java };
		task->request.jit = &task->jit;
	}
	return err;
}

void task__clear(struct reader_task *self)
{
	for (size_t i = 0; i < ARRAY_SIZE(self->fds); i++)
		if (self->fds[i] >= 0)
			close(self->fds[i]);
	free(self->offs);
	self->offs = NULL;
	self->fds[0] = self->fds[1] = -1;
}

/* -ENOMEM is the child's own limit, so a result, too. */
static int serve_one(const struct sysroot *root)
{
	struct reader_task task;
	struct symbol_result result = { 0 };
	int err = task__receive(READER_FD, &task);

	if (!err) {
		task.request.host = root;
		err = symbol_job__run(&task.request, &result);
	}
	task__clear(&task);
	if (!err)
		err = result__send(READER_FD, &result);
	symbol_result__clear(&result);
	return err;
}

bool reader__is_wanted(int argc, char **argv)
{
	return argc == 2 && strcmp(argv[1], READER_MODE) == 0;
}

int reader__serve(void)
{
	struct sysroot root;
	int err = sysroot__open_root(&root, "/");

	(void)prctl(PR_SET_NAME, "pulseprof-read"); /* else "exe" */
	if (!err)
		err = sandbox__enter();
	while (!err)
		err = serve_one(&root);
	_exit(err == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parent's end: starts the reader, asks it, and ends it when it is too slow or has died. A file that did that
 * is remembered by device and inode and never asked again, or one container could keep every profile waiting.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/sysroot.h"
#include "pp/metrics.h"

#define DEADLINE_NS 10000000000ull /* the symbols of a 2 GB browser take 1 s */
#define BAD_MAX	    256

struct bad_file {
	dev_t dev;
	ino_t inode;
};

struct reader {
	int socket; /* -1: not running */
	pid_t pid;
	char *debug_dir; /* NULL: none */
	struct bad_file bad[BAD_MAX]; /* a ring */
	uint32_t bad_cnt; /* ever */
};

int reader__new(struct reader **ret_reader)
{
	struct reader *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->socket = -1;
	*ret_reader = self;
	return 0;
}

void reader__rest(struct reader *self)
{
	if (self->socket < 0)
		return;
	close(self->socket);
	self->socket = -1;
	(void)kill(self->pid, SIGKILL); /* it has nothing to lose */
	while (waitpid(self->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void reader__free(struct reader *self)
{
	if (!self)
		return;
	reader__rest(self);
	free(self->debug_dir);
	free(self);
}

int reader__use_debug_dir(struct reader *self, const char *dir)
{
	free(self->debug_dir);
	self->debug_dir = dir ? strdup(dir) : NULL;
	return dir && !self->debug_dir ? -ENOMEM : 0;
}

/* Nothing of ours but its end of the socket goes over: all else is close-on-exec. */
static int spawn(struct reader *self, int socket)
{
	char *const argv[] = { (char *)"pulseprof-reader", (char *)READER_MODE, NULL };
	char *const envp[] = { NULL };
	posix_spawn_file_actions_t actions;
	int err;

	if (posix_spawn_file_actions_init(&actions))
		return -ENOMEM;
	err = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, socket, READER_FD);
	if (!err)
		err = posix_spawn(&self->pid, sysroot__own_program(), &actions, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static int start(struct reader *self)
{
	int pair[2], err;

	if (self->socket >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	/* dup2 onto itself would leave it close-on-exec */
	err = pair[1] == READER_FD ? -EBUSY : spawn(self, pair[1]);
	close(pair[1]);
	if (err) {
		close(pair[0]);
		return err;
	}
	self->socket = pair[0];
	return 0;
}

/* Also for a perf map: then by the root below which it stands. */
static bool find_file(const struct symbol_request *request, struct bad_file *ret_file)
{
	int fd = request->fd >= 0 ? request->fd : request->root_fd;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return false;
	*ret_file = (struct bad_file){ st.st_dev, st.st_ino };
	return true;
}

static bool is_bad(const struct reader *self, const struct bad_file *file)
{
	for (uint32_t i = 0; i < min_of(self->bad_cnt, (uint32_t)BAD_MAX); i++)
		if (self->bad[i].dev == file->dev && self->bad[i].inode == file->inode)
			return true;
	return false;
}

/* A result without names. */
static int no_names(uint32_t off_cnt, int err, struct symbol_result *ret_result)
{
	size_t cnt = max_of(off_cnt, 1u);
	struct symbol_result result = {
		.err = err,
		.names = calloc(cnt, sizeof(*result.names)),
		.name_cnt = off_cnt,
		.bottoms = calloc(cnt, sizeof(*result.bottoms)),
		.no_returns = calloc(cnt, sizeof(*result.no_returns)),
		.text = calloc(1, 1),
		.text_bytes = 1,
	};

	if (!result.names || !result.bottoms || !result.no_returns || !result.text) {
		symbol_result__clear(&result);
		return -ENOMEM;
	}
	*ret_result = result;
	return 0;
}

static int ask(struct reader *self, const struct symbol_request *request,
	       struct symbol_result *ret_result)
{
	uint64_t deadline_ns = clock_mono_ns() + DEADLINE_NS;
	struct symbol_request more = *request;
	int err = start(self);

	more.debug_dir = self->debug_dir;
	if (!err)
		err = request__send(self->socket, &more, deadline_ns);
	return err ? err : result__receive(self->socket, request->off_cnt, deadline_ns, ret_result);
}

int reader__run(void *arg, const struct symbol_request *request, struct symbol_result *ret_result)
{
	struct reader *self = arg;
	struct bad_file file;
	bool is_known = find_file(request, &file);
	int err;

	if (is_known && is_bad(self, &file))
		return no_names(request->off_cnt, -ECANCELED, ret_result);
	err = ask(self, request, ret_result);
	if (!err || err == -ENOMEM)
		return err;
	reader__rest(self);
	if (request->wants_places) { /* it may have been the debug information: names are worth a second try */
		struct symbol_request less = *request;

		metric__add(METRIC_READERS_KILLED, 1);
		less.wants_places = false;
		return reader__run(self, &less, ret_result);
	}
	if (err == -ETIMEDOUT || err == -EPIPE || err == -EBADMSG) {
		metric__add(METRIC_READERS_KILLED, 1);
		if (is_known)
			self->bad[self->bad_cnt++ % BAD_MAX] = file;
	}
	return no_names(request->off_cnt, err, ret_result);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef RPC_RIG_H
#define RPC_RIG_H
/*
 * A server on a real socket in one thread: the loop runs as long as the test waits. Time passes when the test says
 * so; another user is played. One test program includes it once. Link with --wrap of the functions below.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pp/base/buf.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/rpc.h"

static struct loop *loop;
static struct loop_timer *timer;
static struct rpc_server *server;
static char dir[] = "/tmp/pulseprof-rpc.XXXXXX";
static int calls_cnt;
static const char *fd_text;
static uint64_t skipped_ns;
static bool is_stranger;

uint64_t __wrap_clock_mono_ns(void);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

uint64_t __wrap_clock_mono_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec + skipped_ns;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int rc = __real_getsockopt(fd, level, name, value, len);

	if (!rc && name == SO_PEERCRED && is_stranger)
		((struct ucred *)value)->uid = 65534;
	return rc;
}

static int add_text(struct rpc_call *call, size_t len)
{
	char *text = calloc(1, len + 1);
	int err;

	memset(text, 'x', len);
	err = json__add_str(call->reply, "text", text);
	free(text);
	return err;
}

static int on_call(void *arg, struct rpc_call *call)
{
	const char *text = "";

	calls_cnt++;
	if (!strcmp(call->method, "echo")) {
		(void)json__get_str(call->params, "text", &text);
		return json__add_str(call->reply, "text", text);
	}
	if (!strcmp(call->method, "fill"))
		return add_text(call, 100000);
	if (!strcmp(call->method, "overfill"))
		return add_text(call, RPC_REPLY_MAX_BYTES);
	if (!strcmp(call->method, "write") && call->fd >= 0) {
		assert_int_equal(write(call->fd, fd_text, strlen(fd_text)), strlen(fd_text));
		close(call->fd);
		call->fd = -1;
		return 0;
	}
	if (strcmp(call->method, "refuse"))
		return -ENOSYS;
	buf__puts(call->why, "not today");
	return -EPERM;
}

static void stop_loop(void *arg)
{
	loop__stop(loop);
}

/* Lets the server do what it can do now. */
static inline void turn(void)
{
	assert_int_equal(loop_timer__start(timer, 5, 0), 0);
	loop__run(loop);
}

static inline int set_up(void **state)
{
	log_set_level(LOG_LVL_ERROR);
	calls_cnt = 0;
	skipped_ns = 0;
	is_stranger = false;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	if (!mkdtemp(dir) || loop__new(&loop) || loop_timer__new(loop, stop_loop, NULL, &timer))
		return -1;
	return rpc_server__new(loop, dir, "1.2.3", on_call, NULL, &server);
}

static inline int tear_down(void **state)
{
	rpc_server__free(server);
	loop__free(loop);
	return rmdir(dir); /* nothing stays */
}

static inline struct sockaddr_un address(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, RPC_SOCKET_NAME);
	return address;
}

static inline int dial(void)
{
	struct sockaddr_un at = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static inline void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

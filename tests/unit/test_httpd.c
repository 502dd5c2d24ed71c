/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP server with clients of a few bytes on loopback sockets, all in this process: calls held and
 * answered later, clients that leave, which connections are closed and which never. The clock is ours.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=clock_mono_ns */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/loop.h"
#include "pp/httpd.h"

#define HELD_MANY 400

uint64_t __real_clock_mono_ns(void);
uint64_t __wrap_clock_mono_ns(void);

static uint64_t ahead_ns;
static struct loop *loop;
static struct loop_timer *timer;
static struct httpd *httpd;
static struct httpd_call *held[HELD_MANY];
static size_t held_cnt, gone_cnt, handled_cnt;
static struct buf taken;
static bool is_answered_at_once;

uint64_t __wrap_clock_mono_ns(void)
{
	return __real_clock_mono_ns() + ahead_ns;
}

static void on_gone(void *arg)
{
	struct httpd_call **call = arg;

	assert_non_null(*call);
	*call = NULL;
	gone_cnt++;
}

static void answer(struct httpd_call *call, const char *text)
{
	assert_int_equal(httpd_call__answer(call,
					    &(struct httpd_answer){
						    .status = 200,
						    .content_type = "text/plain",
						    .body = text,
						    .body_len = strlen(text),
					    }),
			 0);
}

static void head(void *arg, const struct httpd_request *request)
{
	assert_int_equal(httpd_call__hold(request->call, on_gone, NULL), -EINVAL);
	if (!strcmp(request->path, "/no"))
		answer(request->call, "no");
	else if (strcmp(request->path, "/unknown"))
		httpd_call__know(request->call);
}

static void handle(void *arg, const struct httpd_request *request)
{
	handled_cnt++;
	if (!strcmp(request->path, "/take"))
		httpd_call__take_body(request->call, &taken);
	if (strcmp(request->path, "/hold")) {
		answer(request->call, "now");
		assert_int_equal(httpd_call__hold(request->call, on_gone, NULL), -EALREADY);
		return;
	}
	held[held_cnt] = request->call;
	assert_int_equal(httpd_call__hold(request->call, on_gone, &held[held_cnt]), 0);
	assert_int_equal(httpd_call__hold(request->call, on_gone, NULL), -EALREADY);
	if (is_answered_at_once)
		answer(request->call, "at once");
	held_cnt++;
}

static void start(uint32_t connections_max, uint32_t strangers_max)
{
	const struct httpd_options options = {
		.address = "127.0.0.1",
		.body_max_bytes = 4096,
		.connections_max = connections_max,
		.strangers_per_address_max = strangers_max,
		.head = head,
	};

	assert_int_equal(httpd__new(loop, &options, handle, NULL, &httpd), 0);
}

static int set_up(void **state)
{
	ahead_ns = held_cnt = gone_cnt = handled_cnt = 0;
	is_answered_at_once = false;
	(void)signal(SIGPIPE, SIG_IGN);
	return loop__new(&loop);
}

static int tear_down(void **state)
{
	httpd__free(take_ptr(httpd));
	loop__free(take_ptr(loop));
	buf__clear(&taken);
	return 0;
}

struct until {
	bool (*is_true)(long arg);
	long arg;
	int rounds;
};

static void on_tick(void *arg)
{
	struct until *self = arg;

	if (self->is_true(self->arg) || !--self->rounds)
		loop__stop(loop);
}

/* Runs the loop until so; fails after some seconds. */
static void until(bool (*is_true)(long arg), long arg)
{
	struct until self = { is_true, arg, 5000 };

	assert_int_equal(loop_timer__new(loop, on_tick, &self, &timer), 0);
	assert_int_equal(loop_timer__start(timer, 0, 1), 0);
	(void)loop__run(loop);
	loop_timer__free(timer);
	assert_true(is_true(arg));
}

static int client(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(httpd__port(httpd)) };
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void ask(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

/* Something came, or the end. */
static bool is_readable(long fd)
{
	char c;

	return recv((int)fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno == ECONNRESET;
}

static void answered(int fd, const char *text)
{
	char got[1024];
	ssize_t len;

	until(is_readable, fd);
	len = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(len > 0);
	got[len] = '\0';
	assert_non_null(strstr(got, text));
}

static void closed(int fd)
{
	char c;

	until(is_readable, fd);
	assert_true(recv(fd, &c, 1, MSG_DONTWAIT) <= 0);
	close(fd);
}

static void open_still(int fd)
{
	ask(fd, GET("/x"));
	answered(fd, "now");
	close(fd);
}

static bool are_held(long cnt)
{
	return held_cnt == (size_t)cnt;
}

static bool are_gone(long cnt)
{
	return gone_cnt == (size_t)cnt;
}

static struct httpd_counts counts(void)
{
	struct httpd_counts got;

	httpd__counts(httpd, &got);
	return got;
}

static bool are_open(long cnt)
{
	return counts().open == (uint32_t)cnt;
}

static void a_held_call_is_answered_later_and_its_connection_goes_on(void **state)
{
	int fd;

	start(10, 0);
	fd = client();
	for (int i = 0; i < 3; i++) {
		ask(fd, GET("/hold"));
		until(are_held, i + 1);
		assert_false(is_readable(fd));
		assert_int_equal(counts().held, 1);
		answer(held[i], "later");
		answered(fd, "later");
		assert_int_equal(counts().held, 0);
	}
	ask(fd, GET("/x"));
	answered(fd, "now");
	assert_int_equal(gone_cnt, 0);
	close(fd);
}

static void a_held_call_may_be_answered_at_once(void **state)
{
	int fd;

	is_answered_at_once = true;
	start(10, 0);
	fd = client();
	ask(fd, GET("/hold"));
	answered(fd, "at once");
	ask(fd, GET("/hold"));
	answered(fd, "at once");
	assert_int_equal(gone_cnt, 0);
	close(fd);
}

static void a_client_that_leaves_is_noticed_while_its_call_is_held(void **state)
{
	int fd, other;

	start(10, 0);
	fd = client();
	ask(fd, GET("/hold"));
	until(are_held, 1);
	other = client();
	ask(other, GET("/hold"));
	until(are_held, 2);
	close(fd);
	until(are_gone, 1);
	assert_null(held[0]);
	until(are_open, 1);
	answer(held[1], "still there");
	answered(other, "still there");
	close(other);
	assert_int_equal(gone_cnt, 1);
}

static void a_client_that_left_at_once_is_noticed_too(void **state)
{
	struct linger reset = { .l_onoff = 1 };
	int fd;

	start(10, 0);
	fd = client();
	ask(fd, GET("/hold"));
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	fd = client();
	ask(fd, GET("/hold"));
	assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
	open_still(client());
	until(are_open, 0);
	assert_int_equal(gone_cnt, held_cnt);
	close(fd);
}

static void freeing_the_server_ends_held_calls(void **state)
{
	int fd[3];

	start(10, 0);
	for (int i = 0; i < 3; i++) {
		fd[i] = client();
		ask(fd[i], GET("/hold"));
	}
	until(are_held, 3);
	answer(held[1], "in time");
	httpd__free(take_ptr(httpd));
	assert_int_equal(gone_cnt, 2);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
}

static void many_calls_are_held_and_outlast_every_time_limit(void **state)
{
	struct rlimit limit = { 4096, 4096 };
	int fds[HELD_MANY];

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	start(HELD_MANY, 0);
	for (int i = 0; i < HELD_MANY; i++) {
		fds[i] = client();
		ask(fds[i], GET("/hold"));
	}
	until(are_held, HELD_MANY);
	assert_int_equal(counts().held, HELD_MANY);
	ahead_ns += 3600000000000ull;
	for (int i = HELD_MANY - 1; i >= 0; i--)
		answer(held[i], "here");
	for (int i = 0; i < HELD_MANY; i++) {
		answered(fds[i], "here");
		close(fds[i]);
	}
	assert_int_equal(gone_cnt, 0);
	assert_int_equal(counts().timed_out, 0);
	until(are_open, 0);
}

static void a_request_that_does_not_end_has_its_time(void **state)
{
	int dumb, slow, no, idle, body;

	start(10, 0);
	idle = client();
	ask(idle, GET("/x"));
	answered(idle, "now");
	dumb = client();
	slow = client();
	ask(slow, "GET /x HTTP/1.1\r\nHo");
	no = client();
	ask(no, "POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nbo");
	body = client();
	ask(body, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nbo");
	until(are_open, 5);
	ahead_ns += 20000000000ull;
	ask(slow, "s");
	ask(no, "d");
	until(are_open, 5);
	ahead_ns += 11000000000ull;
	close(client()); /* wakes the server, which else looks once a second */
	closed(dumb);
	closed(slow);
	closed(no);
	assert_int_equal(counts().timed_out, 3);
	ask(body, "d");
	until(are_open, 2);
	ahead_ns += 110000000000ull;
	close(client());
	closed(body);
	assert_int_equal(handled_cnt, 1);
	open_still(idle);
}

static void one_that_answers_nobody_in_particular_may_not_idle(void **state)
{
	int fd;

	start(10, 0);
	fd = client();
	ask(fd, GET("/unknown"));
	answered(fd, "now");
	ahead_ns += 31000000000ull;
	close(client());
	closed(fd);
}

static void a_full_house_has_room_for_the_next_one(void **state)
{
	int first, second, silent, held_one, next;

	start(4, 0);
	first = client();
	ask(first, GET("/x"));
	answered(first, "now");
	second = client();
	ask(second, GET("/x"));
	answered(second, "now");
	held_one = client();
	ask(held_one, GET("/hold"));
	until(are_held, 1);
	silent = client();
	until(are_open, 4);
	ahead_ns += 2000000000ull;
	next = client(); /* the silent one goes */
	ask(next, GET("/x"));
	answered(next, "now");
	closed(silent);
	silent = client(); /* nobody is silent: the one that idles longest goes */
	until(are_open, 4);
	closed(first);
	assert_int_equal(counts().made_room, 2);
	answer(held_one < 0 ? NULL : held[0], "later");
	answered(held_one, "later");
	open_still(second);
	open_still(next);
	close(silent);
	close(held_one);
}

static void a_house_full_of_waiting_ones_is_closed(void **state)
{
	int one, two, next;

	start(2, 0);
	one = client();
	ask(one, GET("/hold"));
	until(are_held, 1);
	two = client();
	ask(two, GET("/hold"));
	until(are_held, 2);
	next = client();
	closed(next);
	assert_int_equal(counts().refused, 1);
	answer(held[0], "here");
	answered(one, "here");
	close(one);
	close(two);
	until(are_gone, 1);
}

static void strangers_of_one_address_are_few(void **state)
{
	int known, strangers[3];

	start(10, 2);
	known = client();
	ask(known, GET("/x"));
	answered(known, "now");
	for (int i = 0; i < 3; i++)
		strangers[i] = client();
	closed(strangers[2]);
	open_still(strangers[0]);
	open_still(known);
	close(strangers[1]);
}

static void running_out_of_descriptors_is_survived(void **state)
{
	struct rlimit limit, low;
	int fd, other, last;

	start(10, 0);
	fd = client();
	ask(fd, GET("/hold"));
	until(are_held, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	other = client();
	last = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(last >= 0);
	close(last);
	low = (struct rlimit){ (rlim_t)last, limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	ask(other, GET("/x"));
	answer(held[0], "here");
	answered(fd, "here");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	answered(other, "now");
	close(fd);
	close(other);
}

static void a_body_can_be_taken(void **state)
{
	int fd;

	start(10, 0);
	fd = client();
	ask(fd, "POST /take HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
	answered(fd, "now");
	assert_int_equal(taken.len, 4);
	assert_memory_equal(taken.data, "body", 5);
	close(fd);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_held_call_is_answered_later_and_its_connection_goes_on),
		T(a_held_call_may_be_answered_at_once),
		T(a_client_that_leaves_is_noticed_while_its_call_is_held),
		T(a_client_that_left_at_once_is_noticed_too),
		T(freeing_the_server_ends_held_calls),
		T(many_calls_are_held_and_outlast_every_time_limit),
		T(a_request_that_does_not_end_has_its_time),
		T(one_that_answers_nobody_in_particular_may_not_idle),
		T(a_full_house_has_room_for_the_next_one),
		T(a_house_full_of_waiting_ones_is_closed),
		T(strangers_of_one_address_are_few),
		T(running_out_of_descriptors_is_survived),
		T(a_body_can_be_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

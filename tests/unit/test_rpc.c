/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* UNIT_LDFLAGS: -Wl,--wrap=clock_mono_ns -Wl,--wrap=getsockopt */
/*
 * rpc: what peers of all kinds may do to the server, over a real socket.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "rpc_rig.h"

static char heard[300000];

/* What came until now; "": nothing; NULL: it is closed. */
static const char *hear(int fd)
{
	size_t len = 0;
	ssize_t n;

	turn();
	while ((n = recv(fd, heard + len, sizeof(heard) - 1 - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	heard[len] = '\0';
	return len ? heard : !n || errno == ECONNRESET ? NULL : "";
}

#define ECHO(text)   "{\"protocol\":1,\"method\":\"echo\",\"params\":{\"text\":\"" text "\"}}\n"
#define ECHOED(text) "{\"version\":\"1.2.3\",\"protocol\":1,\"ok\":true,\"text\":\"" text "\"}\n"
#define REFUSED(why, symbol)                                                  \
	"{\"version\":\"1.2.3\",\"protocol\":1,\"ok\":false,\"error\":\"" why \
	"\",\"errno\":\"" symbol "\"}\n"

static void a_question_gets_its_reply(void **state)
{
	int fd = dial();

	say(fd, ECHO("hello"));
	assert_string_equal(hear(fd), ECHOED("hello"));
	say(fd, "{\"protocol\":1,\"method\":\"refuse\"}\n");
	assert_string_equal(hear(fd), REFUSED("not today", "-EPERM"));
	say(fd, "{\"protocol\":1,\"method\":\"nonsense\"}\n");
	assert_string_equal(hear(fd), REFUSED("no method 'nonsense'", "-ENOSYS"));
	close(fd);
}

static void every_line_gets_one_reply_whatever_it_is(void **state)
{
	static const char *const lines[] = {
		"\n",
		"garbage\n",
		"[]\n",
		"17\n",
		"{}\n",
		"{\"protocol\":\"1\"}\n",
		"{\"protocol\":1}\n",
		"{\"protocol\":1,\"method\":3}\n",
		"{\"protocol\":1,\"method\":\"echo\",\"params\":[]}\n",
		"{\"protocol\":1,\"method\":\"echo\"} {}\n",
		"\xff\xfe\n",
	};
	int fd = dial();

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		say(fd, lines[i]);
		assert_non_null(strstr(hear(fd), "\"ok\":false"));
		assert_non_null(strstr(heard, "\"errno\":\"-EBADMSG\""));
		assert_ptr_equal(strchr(heard, '\n'), heard + strlen(heard) - 1);
	}
	assert_int_equal(calls_cnt, 0);
	say(fd, ECHO("still there"));
	assert_string_equal(hear(fd), ECHOED("still there"));
	close(fd);
}

static void another_protocol_is_told_with_both_numbers(void **state)
{
	int fd = dial();

	say(fd, "{\"protocol\":7,\"version\":\"9.9\",\"method\":\"echo\"}\n");
	assert_string_equal(hear(fd), REFUSED("protocol 7 is asked for (by version 9.9), version "
					      "1.2.3 speaks protocol 1",
					      "-EPROTO"));
	assert_int_equal(calls_cnt, 0);
	close(fd);
}

static void a_line_may_come_byte_by_byte_and_many_at_once(void **state)
{
	const char *text = ECHO("slow");
	int fd = dial();

	for (size_t i = 0; text[i]; i++) {
		assert_string_equal(hear(fd), "");
		assert_int_equal(send(fd, text + i, 1, 0), 1);
	}
	assert_string_equal(hear(fd), ECHOED("slow"));
	say(fd, ECHO("1") ECHO("2") "x\n" ECHO("3") "{\"protocol\"");
	assert_string_equal(hear(fd), ECHOED("1") ECHOED("2")
					      REFUSED("a question is one JSON object in a line",
						      "-EBADMSG") ECHOED("3"));
	say(fd, ":1,\"method\":\"echo\"}\n");
	assert_string_equal(hear(fd), ECHOED(""));
	close(fd);
}

static void a_line_without_end_is_refused_and_closed(void **state)
{
	char *text = malloc(RPC_LINE_MAX_BYTES + 1);
	int fd = dial();

	/* As long as may be. */
	memset(text, ' ', RPC_LINE_MAX_BYTES);
	memcpy(text, ECHO("x"), strlen(ECHO("x")) - 1);
	text[RPC_LINE_MAX_BYTES - 1] = '\n';
	text[RPC_LINE_MAX_BYTES] = '\0';
	say(fd, text);
	turn();
	assert_string_equal(hear(fd), ECHOED("x"));
	/* One more. */
	text[RPC_LINE_MAX_BYTES - 1] = ' ';
	say(fd, text);
	turn();
	assert_string_equal(hear(fd), REFUSED("a line is too long", "-E2BIG"));
	assert_null(hear(fd));
	assert_int_equal(rpc_server__clients(server), 0);
	close(fd);
	free(text);
}

static void who_ends_its_side_still_gets_replies(void **state)
{
	int fd = dial();

	say(fd, ECHO("last") "{\"half");
	shutdown(fd, SHUT_WR);
	assert_string_equal(hear(fd), ECHOED("last"));
	assert_null(hear(fd));
	assert_int_equal(rpc_server__clients(server), 0);
	close(fd);

	fd = dial();
	say(fd, ECHO("gone"));
	close(fd);
	turn();
	turn();
	assert_int_equal(calls_cnt, 2);
	assert_int_equal(rpc_server__clients(server), 0);
}

/* 2,000 questions whose replies are 200 MB: what waits is bounded, others are served, nothing is lost. */
static void who_does_not_read_stops_only_itself(void **state)
{
	const char *question = "{\"protocol\":1,\"method\":\"fill\"}\n";
	int fd = dial(), other = dial();
	size_t total = 0, wanted;
	uint32_t asked = 0;

	turn();
	while (asked < 2000 &&
	       send(fd, question, strlen(question), MSG_DONTWAIT) == (ssize_t)strlen(question)) {
		asked++;
		if (!(asked % 100))
			turn();
	}
	turn();
	assert_true(calls_cnt < 20);
	say(other, ECHO("me"));
	assert_string_equal(hear(other), ECHOED("me"));
	close(other);
	wanted = (size_t)(asked < 200 ? asked : 200) * 100000;
	for (int i = 0; i < 10000 && total < wanted; i++)
		total += strlen(hear(fd));
	assert_true(total >= wanted);
	close(fd);
}

static void a_reply_that_is_too_large_is_said(void **state)
{
	int fd = dial();

	say(fd, "{\"protocol\":1,\"method\":\"overfill\"}\n");
	assert_string_equal(hear(fd), REFUSED("it was done, but the reply is too large", "-E2BIG"));
	say(fd, ECHO("on"));
	assert_string_equal(hear(fd), ECHOED("on"));
	close(fd);
}

static void a_hundred_connections_are_too_many(void **state)
{
	int fds[100], served = 0, refused = 0;

	for (int i = 0; i < 100; i++) {
		fds[i] = dial();
		turn();
		turn();
	}
	assert_int_equal(rpc_server__clients(server), RPC_CLIENTS_MAX);
	for (int i = 0; i < 100; i++) {
		const char *text;

		(void)!send(fds[i], ECHO("x"), strlen(ECHO("x")), MSG_NOSIGNAL);
		text = hear(fds[i]);
		assert_non_null(text);
		served += !strcmp(text, ECHOED("x"));
		refused += !strcmp(text, REFUSED("too many are connected", "-EBUSY"));
	}
	assert_int_equal(served, RPC_CLIENTS_MAX);
	assert_int_equal(refused, 100 - RPC_CLIENTS_MAX);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	turn();
	assert_int_equal(rpc_server__clients(server), 0);
}

static void who_is_silent_is_closed(void **state)
{
	int fd = dial(), busy = dial();

	turn();
	say(fd, "{\"protocol\"");
	turn();
	skipped_ns += (RPC_IDLE_MS - 1000) * 1000000ull;
	say(busy, ECHO("x"));
	assert_string_equal(hear(busy), ECHOED("x"));
	say(fd, ":"); /* a byte now and then does not count */
	turn();
	assert_int_equal(rpc_server__clients(server), 2);
	skipped_ns += 2000 * 1000000ull;
	assert_int_equal(loop_timer__start(timer, 1100, 0), 0);
	loop__run(loop);
	assert_int_equal(rpc_server__clients(server), 1);
	assert_null(hear(fd));
	close(fd);
	close(busy);
}

static void a_stranger_is_refused(void **state)
{
	int fd;

	is_stranger = true;
	fd = dial();
	(void)!send(fd, ECHO("x"), strlen(ECHO("x")), MSG_NOSIGNAL);
	assert_string_equal(hear(fd), REFUSED("only root is heard here", "-EPERM"));
	assert_int_equal(rpc_server__clients(server), 0);
	assert_int_equal(calls_cnt, 0);
	close(fd);
}

static uint32_t open_fds(void)
{
	uint32_t cnt = 0;

	for (int fd = 0; fd < 256; fd++)
		cnt += fcntl(fd, F_GETFD) >= 0;
	return cnt;
}

static void say_with_fds(int to, const char *text, const int *fds, size_t cnt)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct iovec bytes = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr message = { .msg_iov = &bytes,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = CMSG_SPACE(cnt * sizeof(int)) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(cnt * sizeof(int));
	memcpy(CMSG_DATA(head), fds, cnt * sizeof(int));
	assert_int_equal(sendmsg(to, &message, MSG_NOSIGNAL), strlen(text));
}

static void a_descriptor_is_taken_or_closed(void **state)
{
	int fd = dial(), pipes[2], many[8];
	uint32_t before;
	char got[8] = "";

	turn();
	assert_int_equal(pipe(pipes), 0);
	for (int i = 0; i < 8; i++)
		many[i] = pipes[1];
	before = open_fds();
	fd_text = "bytes";
	say_with_fds(fd, "{\"protocol\":1,\"method\":\"write\"}\n", &pipes[1], 1);
	assert_non_null(strstr(hear(fd), "\"ok\":true"));
	assert_int_equal(read(pipes[0], got, sizeof(got)), 5);
	assert_string_equal(got, "bytes");
	assert_int_equal(open_fds(), before);
	/* Not wanted, too many of them, with half a line, more with its rest. */
	say_with_fds(fd, ECHO("x"), &pipes[1], 1);
	assert_string_equal(hear(fd), ECHOED("x"));
	assert_int_equal(open_fds(), before);
	say_with_fds(fd, "{\"protocol\"", many, 8);
	assert_string_equal(hear(fd), "");
	say_with_fds(fd, ":1,\"method\"", many, 8);
	assert_string_equal(hear(fd), "");
	assert_true(open_fds() <= before + 1);
	say(fd, ":\"echo\"}\n");
	assert_string_equal(hear(fd), ECHOED(""));
	assert_int_equal(open_fds(), before);
	/* Half a line, and away. */
	say_with_fds(fd, "{\"protocol\"", &pipes[1], 1);
	turn();
	close(fd);
	turn();
	turn();
	assert_int_equal(open_fds(), before - 2);
	close(pipes[0]);
	close(pipes[1]);
}

static void the_socket_is_private_and_a_stale_one_replaced(void **state)
{
	struct sockaddr_un at = address();
	struct stat stat_buf;
	int fd;

	assert_int_equal(stat(at.sun_path, &stat_buf), 0);
	assert_true(S_ISSOCK(stat_buf.st_mode));
	assert_int_equal(stat_buf.st_mode & 0777, 0600);
	rpc_server__free(server);
	assert_int_equal(stat(at.sun_path, &stat_buf), -1);
	/* What a crash leaves. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	assert_int_equal(stat(at.sun_path, &stat_buf), 0);
	assert_int_equal(rpc_server__new(loop, dir, "1.2.3", on_call, NULL, &server), 0);
	fd = dial();
	say(fd, ECHO("new"));
	assert_string_equal(hear(fd), ECHOED("new"));
	close(fd);
}

static void a_directory_too_long_or_absent_is_an_error(void **state)
{
	struct rpc_server *none = NULL;
	char path[200];

	memset(path, 'a', sizeof(path));
	path[199] = '\0';
	assert_int_equal(rpc_server__new(loop, path, "1", on_call, NULL, &none), -ENAMETOOLONG);
	assert_int_equal(rpc_server__new(loop, "/tmp/absent/absent", "1", on_call, NULL, &none),
			 -ENOENT);
	assert_null(none);
	rpc_server__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_question_gets_its_reply),
		TEST(every_line_gets_one_reply_whatever_it_is),
		TEST(another_protocol_is_told_with_both_numbers),
		TEST(a_line_may_come_byte_by_byte_and_many_at_once),
		TEST(a_line_without_end_is_refused_and_closed),
		TEST(who_ends_its_side_still_gets_replies),
		TEST(who_does_not_read_stops_only_itself),
		TEST(a_reply_that_is_too_large_is_said),
		TEST(a_hundred_connections_are_too_many),
		TEST(who_is_silent_is_closed),
		TEST(a_stranger_is_refused),
		TEST(a_descriptor_is_taken_or_closed),
		TEST(the_socket_is_private_and_a_stale_one_replaced),
		TEST(a_directory_too_long_or_absent_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

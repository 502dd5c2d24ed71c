/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* UNIT_LDFLAGS: -Wl,--wrap=clock_mono_ns -Wl,--wrap=getsockopt */
/*
 * rpc: the asking end, in a thread of its own, before the server and before others that are none.
 */
#include <pthread.h>

#include "rpc_rig.h"

struct asking {
	struct rpc_question question;
	struct json_object *reply;
	struct buf why;
	int err;
	int done_fd;
};

static void *ask(void *arg)
{
	struct asking *self = arg;

	self->err = rpc__ask(&self->question, &self->reply, &self->why);
	assert_int_equal(write(self->done_fd, "x", 1), 1);
	return NULL;
}

static void on_done(void *arg, int events, int err)
{
	loop__stop(loop);
}

static struct asking asked(const char *method, struct json_object *params, int fd)
{
	struct asking self = { .question = { dir, "1.0", method, params, fd } };
	struct loop_io *io;
	pthread_t thread;
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	self.done_fd = pipes[1];
	buf__init(&self.why, 4096);
	assert_int_equal(loop_io__new(loop, pipes[0], LOOP_READ, on_done, NULL, &io), 0);
	assert_int_equal(pthread_create(&thread, NULL, ask, &self), 0);
	loop__run(loop);
	pthread_join(thread, NULL);
	loop_io__free(io);
	close(pipes[0]);
	close(pipes[1]);
	return self;
}

static void a_client_gets_yes_no_and_large_replies(void **state)
{
	_auto_json_ struct json_object *params = json__new_object();
	struct asking self;
	const char *text;
	bool ok;

	assert_int_equal(json__add_str(params, "text", "there"), 0);
	self = asked("echo", params, -1);
	assert_int_equal(self.err, 0);
	assert_int_equal(json__get_str(self.reply, "text", &text), 0);
	assert_string_equal(text, "there");
	json__put(self.reply);
	self = asked("refuse", NULL, -1);
	assert_int_equal(self.err, 0);
	assert_int_equal(json__get_bool(self.reply, "ok", &ok), 0);
	assert_false(ok);
	json__put(self.reply);
	self = asked("fill", NULL, -1);
	assert_int_equal(self.err, 0);
	json__put(self.reply);
	self = asked("overfill", NULL, -1);
	assert_int_equal(self.err, 0);
	json__put(self.reply);
	is_stranger = true;
	self = asked("echo", params, -1);
	assert_int_equal(self.err, 0);
	assert_int_equal(json__get_bool(self.reply, "ok", &ok), 0);
	assert_false(ok);
	json__put(self.reply);
}

static void a_client_passes_a_descriptor(void **state)
{
	struct asking self;
	char got[8] = "";
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	fd_text = "passed";
	self = asked("write", NULL, pipes[1]);
	assert_int_equal(self.err, 0);
	json__put(self.reply);
	assert_int_equal(read(pipes[0], got, sizeof(got)), 6);
	assert_string_equal(got, "passed");
	close(pipes[0]);
	close(pipes[1]);
}

/* A daemon of another kind: one connection gets this text. */
static struct asking asked_of(const char *text)
{
	struct asking self = { .question = { dir, "1.0", "echo", NULL, -1 } };
	struct sockaddr_un at = address();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), peer, pipes[2];
	pthread_t thread;
	char got[4096];

	unlink(at.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(pipe(pipes), 0);
	self.done_fd = pipes[1];
	buf__init(&self.why, 4096);
	assert_int_equal(pthread_create(&thread, NULL, ask, &self), 0);
	peer = accept(fd, NULL, NULL);
	assert_true(recv(peer, got, sizeof(got), 0) > 0);
	say(peer, text);
	close(peer);
	pthread_join(thread, NULL);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
	return self;
}

static void a_client_tells_what_is_no_daemon_or_another(void **state)
{
	static const char *const nonsense[] = {
		"", "\n", "{}\n", "x", "[]\n", "{\"version\":\"1\",\"protocol\":1}\n"
	};
	struct rpc_question question = { dir, "1.0", "echo", NULL, -1 };
	struct json_object *reply = NULL;
	struct buf why = { .max_bytes = 4096 };
	struct asking self = asked_of("{\"version\":\"3.4\",\"protocol\":9,\"ok\":true}\n");

	assert_int_equal(self.err, -EPROTO);
	assert_string_equal(self.why.data,
			    "the daemon is version 3.4 and speaks protocol 9, this is version 1.0 "
			    "and protocol 1");
	buf__clear(&self.why);
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		assert_int_equal(asked_of(nonsense[i]).err, -EBADMSG);
	assert_int_equal(rpc__ask(&question, &reply, &why), -ECONNREFUSED); /* a stale one */
	question.run_dir = "/tmp/absent/absent";
	assert_int_equal(rpc__ask(&question, &reply, &why), -ENOENT);
	assert_null(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_gets_yes_no_and_large_replies),
		TEST(a_client_passes_a_descriptor),
		TEST(a_client_tells_what_is_no_daemon_or_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

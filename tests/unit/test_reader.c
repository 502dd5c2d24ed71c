/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The reader process: it gives the same names as the job does here, is replaced when it dies, can do nothing else;
 * and what it answers is not believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/reader/internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/sysroot.h"
#include "pp/metrics.h"

#define PLAIN "tests/data/elf/plain"
static const uint64_t offs[] = { 0xd0, 0xe0, 0x100000 };

static struct symbol_request request_of(int fd)
{
	return (struct symbol_request){ .fd = fd, .offs = offs, .off_cnt = ARRAY_SIZE(offs) };
}

static void assert_named(struct symbol_result *result)
{
	assert_int_equal(result->err, 0);
	assert_int_equal(result->build_id.len, 8);
	assert_string_equal(result->text + result->names[0], "_start");
	assert_string_equal(result->text + result->names[1], "main");
	assert_int_equal(result->names[2], 0);
	assert_int_equal(result->bottoms[0], SYMBOL_BOTTOM_ENTRY);
	symbol_result__clear(result);
}

static void it_gives_the_names_of_the_file_and_of_debug_files_below_the_root(void **state)
{
	_auto_close_ int fd = open(PLAIN, O_RDONLY | O_CLOEXEC);
	_auto_close_ int split = open("tests/data/elf/split/linked.so", O_RDONLY | O_CLOEXEC);
	_auto_close_ int root = open("tests/data/elf/split/root", O_PATH | O_CLOEXEC);
	static const uint64_t hidden[] = { 0x1c0, 0x1c6 };
	struct symbol_request request = request_of(fd);
	struct sysroot host = { -1 }; /* the reader has its own */
	struct symbol_result result;
	struct reader *reader;

	assert_int_equal(reader__new(&reader), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(reader__run(reader, &request, &result), 0);
		assert_named(&result);
		if (i == 1)
			reader__rest(reader);
	}
	request = (struct symbol_request){ .fd = split,
					   .offs = hidden,
					   .off_cnt = 2,
					   .host = &host,
					   .root_fd = root,
					   .path = "/lib/linked.so" };
	assert_int_equal(reader__run(reader, &request, &result), 0);
	assert_string_equal(result.text + result.names[0], "hidden");
	assert_string_equal(result.text + result.names[1], "cpp::class<int>::method");
	symbol_result__clear(&result);
	reader__free(reader);
}

/* What a result says of places is believed when each index and the end are right, else nothing of it is. */
static void places_are_checked_on_their_way(void **state)
{
	static const struct {
		uint32_t first, name, file, is_last;
		int err;
	} rows[] = {
		{ 1, 1, 3, 1, 0 },	  { 0, 1, 3, 1, 0 },	    { 3, 1, 3, 1, -EBADMSG },
		{ 1, 5, 3, 1, -EBADMSG }, { 1, 1, 5, 1, -EBADMSG }, { 1, 1, 3, 0, -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct symbol_place places[2] = {
			{ 1, 3, 7, 0 }, { rows[i].name, rows[i].file, 8, rows[i].is_last }
		};
		uint32_t name = 1, first = rows[i].first;
		uint8_t none = 0;
		struct symbol_result got = { 0 }, result = { .names = &name,
							     .name_cnt = 1,
							     .bottoms = &none,
							     .no_returns = &none,
							     .places_of = &first,
							     .places = places,
							     .place_cnt = 2,
							     .text = (char *)"\0a\0b",
							     .text_bytes = 5 };
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(result__send(pair[0], &result), 0);
		assert_int_equal(result__receive(pair[1], 1, 0, &got), rows[i].err);
		if (!rows[i].err) {
			assert_int_equal(got.places_of[0], first);
			assert_int_equal(got.places[1].line, 8);
		}
		symbol_result__clear(&got);
		close(pair[0]);
		close(pair[1]);
	}
}

static pid_t child_of_ours(void)
{
	char path[64], text[32] = "";
	_auto_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", gettid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	return (pid_t)atoi(text);
}

static void a_file_that_ends_it_is_not_asked_again_and_others_are(void **state)
{
	_auto_close_ int fd = open(PLAIN, O_RDONLY | O_CLOEXEC);
	_auto_close_ int other = open("tests/data/elf/stripped", O_RDONLY | O_CLOEXEC);
	struct symbol_request request = request_of(fd);
	uint64_t killed = metric__get(METRIC_READERS_KILLED);
	struct symbol_result result;
	struct reader *reader;

	assert_int_equal(reader__new(&reader), 0);
	assert_int_equal(reader__run(reader, &request, &result), 0);
	assert_named(&result);
	assert_int_equal(kill(child_of_ours(), SIGKILL), 0);
	assert_int_equal(reader__run(reader, &request, &result), 0);
	assert_int_equal(result.err, -EPIPE);
	assert_int_equal(result.name_cnt, ARRAY_SIZE(offs));
	symbol_result__clear(&result);
	assert_int_equal(metric__get(METRIC_READERS_KILLED), killed + 1);
	assert_int_equal(reader__run(reader, &request, &result), 0);
	assert_int_equal(result.err, -ECANCELED);
	symbol_result__clear(&result);
	request.fd = other;
	assert_int_equal(reader__run(reader, &request, &result), 0);
	assert_int_equal(result.err, 0);
	assert_int_equal(result.bottoms[0], SYMBOL_BOTTOM_ENTRY);
	symbol_result__clear(&result);
	request.wants_places = true;
	assert_int_equal(kill(child_of_ours(), SIGKILL), 0);
	assert_int_equal(reader__run(reader, &request, &result), 0);
	assert_int_equal(result.err, 0); /* asked again, for names only */
	assert_int_equal(metric__get(METRIC_READERS_KILLED), killed + 2);
	symbol_result__clear(&result);
	reader__free(reader);
}

/* In a child of its own: the name of the first thing that could be done, or NULL. */
static const char *first_thing_possible(int readable)
{
	char byte;

	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		return "a socket";
	if (open("/tmp/test_reader_forbidden", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0)
		return "a new file";
	if (open("/dev/null", O_RDWR | O_CLOEXEC) >= 0)
		return "a file opened for writing";
	if (write(readable, "x", 1) >= 0)
		return "a write";
	if (fork() >= 0)
		return "a new process";
	if (execl("/bin/true", "true", NULL) >= 0)
		return "another program";
	if (kill(getppid(), 0) == 0)
		return "a signal";
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	    MAP_FAILED)
		return "new code";
	if (prctl(PR_SET_NAME, "x") == 0)
		return "a change of itself";
	if (pread(readable, &byte, 1, 0) != 1)
		return "not even to read";
	return NULL;
}

static void it_can_do_nothing_but_read(void **state)
{
	_auto_close_ int fd = open(PLAIN, O_RDWR | O_CLOEXEC);
	int pipe_fds[2], status;
	char what[64] = "";
	pid_t pid;

	if (fd < 0)
		fd = open(PLAIN, O_RDONLY | O_CLOEXEC);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pipe_fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const char *thing = sandbox__enter() ? "no sandbox" : first_thing_possible(fd);

		_exit(thing ? message__send(pipe_fds[1], thing, strlen(thing), 0) || 1 : 0);
	}
	close(pipe_fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)recv(pipe_fds[0], what, sizeof(what) - 1, 0);
	close(pipe_fds[0]);
	assert_string_equal(what, "");
	assert_int_equal(status, 0);
}

/* What a child that was taken over might say: 0, or why it is refused. */
static int answer(struct reader_result_head head, const void *tail, size_t tail_bytes,
		  struct symbol_result *ret_result)
{
	int pair[2], err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(message__send(pair[1], &head, sizeof(head), 0), 0);
	assert_int_equal(message__send(pair[1], tail, tail_bytes, 0), 0);
	close(pair[1]);
	err = result__receive(pair[0], 1, 0, ret_result);
	close(pair[0]);
	return err;
}

static void what_it_answers_is_checked(void **state)
{
	struct {
		uint32_t name;
		uint8_t bottom, no_return;
		char text[2];
	} tail = { 1, 2, 1, { 0, 0 } };
	struct reader_result_head head = { .name_cnt = 1, .text_bytes = 2 };
	struct symbol_result result;

	assert_int_equal(answer(head, &tail, 8, &result), 0);
	symbol_result__clear(&result);
	assert_int_equal(answer(head, &tail, 7, &result), -EPIPE);
	head.err = 1;
	assert_int_equal(answer(head, &tail, 8, &result), -EBADMSG);
	head.err = 0;
	head.build_id.len = 65;
	assert_int_equal(answer(head, &tail, 8, &result), -EBADMSG);
	head.build_id.len = 64;
	tail.name = 2;
	assert_int_equal(answer(head, &tail, 8, &result), -EBADMSG);
	tail.name = 0;
	tail.bottom = 3;
	assert_int_equal(answer(head, &tail, 8, &result), -EBADMSG);
	tail.bottom = 0;
	tail.text[1] = 'x';
	assert_int_equal(answer(head, &tail, 8, &result), -EBADMSG);
	head.text_bytes = READER_TEXT_BYTES_MAX + 1;
	assert_int_equal(answer(head, &tail, 8, &result), -EBADMSG);
	head.text_bytes = 0;
	assert_int_equal(answer(head, &tail, 8, &result), -EBADMSG);
	head.text_bytes = 2;
	head.name_cnt = 2;
	assert_int_equal(answer(head, &tail, 8, &result), -EBADMSG);
}

static void silence_ends_at_the_deadline(void **state)
{
	struct symbol_result result;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(result__receive(pair[0], 1, clock_mono_ns() + 1000000, &result),
			 -ETIMEDOUT);
	close(pair[0]);
	close(pair[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_gives_the_names_of_the_file_and_of_debug_files_below_the_root),
		cmocka_unit_test(places_are_checked_on_their_way),
		cmocka_unit_test(a_file_that_ends_it_is_not_asked_again_and_others_are),
		cmocka_unit_test(it_can_do_nothing_but_read),
		cmocka_unit_test(what_it_answers_is_checked),
		cmocka_unit_test(silence_ends_at_the_deadline),
	};

	if (reader__is_wanted(argc, argv))
		return reader__serve();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * base: what a person reads. Log lines (stderr is a datagram socket here, so one receive is one
 * write), names of errors, assertions, texts of times.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=clock_mono_ns */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/log.h"

static uint64_t now_ns;

uint64_t __wrap_clock_mono_ns(void);
uint64_t __wrap_clock_mono_ns(void)
{
	return now_ns;
}

static int receiver, saved_stderr;
static char line[8192];

static int catch_stderr(void **state)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		return -1;
	saved_stderr = dup(STDERR_FILENO);
	dup2(pair[1], STDERR_FILENO);
	close(pair[1]);
	receiver = pair[0];
	return 0;
}

static int release_stderr(void **state)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(receiver);
	log_set_level(LOG_LVL_INFO);
	return 0;
}

/* What one write(2) brought; "" if there was none. */
static const char *written(void)
{
	ssize_t n = recv(receiver, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

static void a_line_is_written_whole_with_one_write(void **state)
{
	errno = ENOENT;
	log_warn("ship: spool file '%s' is damaged, ignoring: %s", "x", errname(-EBADMSG));
	assert_int_equal(errno, ENOENT);
	assert_string_equal(written(), "ship: spool file 'x' is damaged, ignoring: -EBADMSG\n");
	assert_string_equal(written(), "");
}

static void names_from_outside_cannot_break_the_line(void **state)
{
	log_error("proc: thread '%s'", "a\nb\x1b[31m\x7f\t\xc2\x9b"
				       "31m caf\xc3\xa9");
	assert_string_equal(written(), "proc: thread 'a?b?[31m????31m caf\xc3\xa9'\n");
}

static void a_long_line_is_cut_and_says_so(void **state)
{
	static char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	log_info("%s", text);
	assert_int_equal(strlen(written()), 2048);
	assert_string_equal(line + 2040, "xxxx...\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
	enum log_level level;

	log_debug("not by default");
	assert_true(log_level__parse("debug", &level));
	log_set_level(level);
	log_debug("now");
	assert_string_equal(written(), "now\n");
	log_set_level(LOG_LVL_ERROR);
	log_warn("no");
	assert_string_equal(written(), "");
	assert_false(log_level__parse("loud", &level));
	assert_false(log_level__parse("", &level));
}

static void repeated_lines_are_swallowed_and_counted(void **state)
{
	struct log_rate rate = { 0 };

	now_ns = 1000000000;
	for (int i = 0; i < 5; i++)
		log_every(&rate, 1000, LOG_LVL_WARN, "again %d", i);
	assert_string_equal(written(), "again 0\n");
	assert_string_equal(written(), "");
	now_ns += 1000000000;
	log_every(&rate, 1000, LOG_LVL_WARN, "again %d", 5);
	assert_string_equal(written(), "again 5 (and 4 such lines before)\n");
	now_ns += 1000000000;
	log_every(&rate, 1000, LOG_LVL_WARN, "again %d", 6);
	assert_string_equal(written(), "again 6\n");
}

static void errors_have_their_symbols(void **state)
{
	assert_string_equal(errname(-ENOENT), "-ENOENT");
	assert_string_equal(errname(ENOENT), "-ENOENT");
	assert_string_equal(errname(-EAGAIN), "-EAGAIN");
	assert_string_equal(errname(-EHWPOISON), "-EHWPOISON");
	assert_string_equal(errname(-524), "-ENOTSUPP");
	assert_string_equal(errname(-9999), "-E9999");
	assert_string_equal(errname(INT32_MIN), "-E2147483648");
	assert_string_equal(errname(0), "0");
}

static void a_broken_invariant_tells_where_and_aborts(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pp_assert(1 + 1 == 3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(written(), "assert: '1 + 1 == 3' is not true at "));
	assert_non_null(strstr(line, "test_base_log.c:"));
}

static void times_are_utc_with_and_without_zone(void **state)
{
	char text[CLOCK_TEXT_BYTES];

	assert_string_equal(clock_utc_text(1795357586ull * 1000000000 + 999999999, text),
			    "2026-11-22T14:26:26");
	assert_string_equal(clock_utc_text_zone(1795357586ull * 1000000000, text),
			    "2026-11-22T14:26:26+00:00");
	assert_string_equal(clock_utc_text(0, text), "1970-01-01T00:00:00");
	assert_string_equal(clock_utc_text_zone(UINT64_MAX, text), "2554-07-21T23:34:33+00:00");
}

static void clocks_go_forward(void **state)
{
	uint64_t boot_ns = clock_boot_ns(), cpu_ns = clock_cpu_ns(), real_ns = clock_real_ns();

	assert_true(real_ns > 1600000000ull * 1000000000);
	assert_true(clock_boot_ns() >= boot_ns && boot_ns > 0);
	assert_true(clock_cpu_ns() >= cpu_ns && cpu_ns > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_is_written_whole_with_one_write,
						catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(names_from_outside_cannot_break_the_line,
						catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(a_long_line_is_cut_and_says_so, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(lines_below_the_level_are_not_written, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(repeated_lines_are_swallowed_and_counted,
						catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(a_broken_invariant_tells_where_and_aborts,
						catch_stderr, release_stderr),
		cmocka_unit_test(errors_have_their_symbols),
		cmocka_unit_test(times_are_utc_with_and_without_zone),
		cmocka_unit_test(clocks_go_forward),
	};

	return cmocka_run_group_tests_name("base_log", tests, NULL, NULL);
}

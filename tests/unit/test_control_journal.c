/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The controller across its own end: what the journal says is on disk before the act, and what a next process
 * makes of it, also after a crash between any two steps. A real directory; the disk's worker is played.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=net__send,--wrap=net_call__cancel,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=fsync */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_host.h"
#include "fake_operator.h"
#include "pp/base/file.h"
#include "pp/metrics.h"

/* Thousands of them would only wait for the disk. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return 0;
}

static char state_dir[64];
static char journal_path[80];

static int set_up_dir(void **state)
{
	memset(&host, 0, sizeof(host));
	snprintf(state_dir, sizeof(state_dir), "/tmp/pulseprof-journal.XXXXXX");
	if (!mkdtemp(state_dir))
		return -1;
	snprintf(journal_path, sizeof(journal_path), "%s/journal", state_dir);
	host.state_dir = state_dir;
	return host_begin();
}

static void work_all(void)
{
	while (wire_work_off())
		;
}

static int tear_down_dir(void **state)
{
	char aside[96];

	tear_down(state);
	work_all();
	snprintf(aside, sizeof(aside), "%s.damaged", journal_path);
	(void)unlink(aside);
	return unlink(journal_path) || rmdir(state_dir);
}

static void read_journal(struct buf *out)
{
	__cleanup(cleanup_close) int fd = open(state_dir, O_RDONLY | O_DIRECTORY);

	assert_int_equal(file__read_at(fd, "journal", out), 0);
}

static void write_journal(const char *text, size_t len)
{
	__cleanup(cleanup_close) int fd = open(state_dir, O_RDONLY | O_DIRECTORY);

	assert_int_equal(file__write_atomic(fd, "journal", text, len, 0600), 0);
}

static bool journal_has(const char *text)
{
	_auto_buf_ struct buf journal;

	buf__init(&journal, 1 << 22);
	read_journal(&journal);
	return strstr(journal.data, text) != NULL;
}

static bool is_crashing; /* what is called then does not happen */

/* The next process. crashes: nothing is written that was not, and what was under way is lost. */
static void start_anew(bool crashes)
{
	_auto_buf_ struct buf journal;

	buf__init(&journal, 1 << 22);
	read_journal(&journal);
	is_crashing = crashes;
	control__free(host.control);
	is_crashing = false;
	wire_reset();
	while (wire_works_cnt && crashes) {
		wire_works_cnt--;
		wire_works[wire_works_cnt].done(wire_works[wire_works_cnt].arg, -ECANCELED);
	}
	work_all();
	if (crashes)
		write_journal(journal.data, journal.len);
	memset(host.runs, 0, sizeof(host.runs));
	assert_int_equal(host_begin(), 0);
	control__start(host.control);
}

static void run_begins_only_when_the_journal_says_so(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	assert_int_equal(host.starts, 0);
	work_all();
	assert_true(journal_has("\"id\":\"" ID(01) "\",\"type\":\"start\",\"state\":\"running\""));
	assert_int_equal(host.starts, 1);
	assert_false(host_run(ID(01))->is_again);
}

static int released;

static void on_kept(void *arg)
{
	released++;
}

static void profile_leaves_only_when_the_journal_knows_that_it_is_kept(void **state)
{
	released = 0;
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	work_all();
	control__run_sampling(host.control, ID(01));
	control__run_kept(host.control, ID(01), on_kept, NULL);
	host_ends(ID(01), NULL);
	wire_work_off(); /* the write of before, that it samples */
	assert_int_equal(released, 0);
	work_all();
	assert_int_equal(released, 1);
	assert_true(journal_has("\"state\":\"done\""));
	start_anew(true);
	command(ID(01), "start", ADHOC); /* the Studio hands it out for ever */
	work_all();
	assert_int_equal(host.starts, 1);
}

static void interrupted_run_begins_once_more_and_never_a_third_time(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	work_all();
	control__run_sampling(host.control, ID(01));
	work_all();
	reported(ID(01), NULL);
	work_all();
	start_anew(true);
	command(ID(01), "start", ADHOC);
	work_all();
	assert_int_equal(host.starts, 2);
	assert_true(host_run(ID(01))->is_again);
	assert_non_null(strstr(beat()->body, "\"state\":\"running\",\"restarted\":true"));
	start_anew(true);
	assert_non_null(strstr(beat()->body, "interrupted twice"));
	command(ID(01), "start", ADHOC);
	work_all();
	assert_int_equal(host.starts, 2);
	nothing_reported(); /* the one report is spent */
}

static void run_interrupted_twice_before_its_first_sample_is_failed(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	work_all();
	start_anew(true);
	work_all();
	start_anew(true);
	work_all();
	reported(ID(01), "interrupted twice");
	assert_int_equal(host.starts, 2);
}

static void run_whose_profile_is_in_the_spool_does_not_begin_again(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	work_all();
	host.kept_id = ID(01); /* and we die before control hears of it */
	start_anew(true);
	work_all();
	reported(ID(01), NULL);
	assert_int_equal(host.starts, 1);
}

static void command_that_waited_still_waits(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	command(ID(02), "start", ADHOC);
	work_all();
	host.kept_id = ID(01);
	start_anew(true);
	work_all();
	assert_non_null(host_run(ID(02)));
	assert_false(host_run(ID(02))->is_again); /* it never began */
}

static void continuous_resumes_whatever_the_server_hands_out(void **state)
{
	control__start(host.control);
	command(ID(01), "start", "{\"continuous\":true,\"frequency\":49,\"pids\":[7,9]}");
	work_all();
	control__run_sampling(host.control, ID(01));
	command(ID(02), "start", ADHOC);
	work_all();
	for (int i = 0; i < 30; i++) { /* as often as it comes to sample */
		start_anew(i & 1);
		command(ID(02), "start", ADHOC);
		work_all();
		assert_true(host_run(ID(01))->is_again);
		assert_int_equal(host_run(ID(01))->spec.rate_hz, 49);
		assert_int_equal(host_run(ID(01))->spec.pids[1], 9);
		control__run_sampling(host.control, ID(01));
		work_all();
	}
}

static void continuous_that_takes_us_down_each_time_is_given_up(void **state)
{
	int i;

	control__start(host.control);
	command(ID(01), "start", CONTINUOUS);
	work_all();
	for (i = 0; i < 40 && host_run(ID(01)); i++) {
		start_anew(true);
		work_all();
	}
	assert_int_equal(i, 20);
	reported(ID(01), "too often");
}

static void stop_is_not_forgotten(void **state)
{
	control__start(host.control);
	command(ID(01), "start", CONTINUOUS);
	work_all();
	control__run_sampling(host.control, ID(01));
	command(ID(02), "stop", "{\"stop_level\":\"host\"}");
	work_all();
	start_anew(true); /* before the run has ended */
	work_all();
	assert_null(host_run(ID(01)));
	command(ID(02), "stop", "{\"stop_level\":\"host\"}");
	assert_int_equal(host.starts, 1);
}

static void unsent_reports_go_out_later(void **state)
{
	uint64_t lost = metric__get(METRIC_COMPLETIONS_LOST);

	control__start(host.control);
	command(ID(01), "start", "{\"profiling_mode\":\"allocation\"}");
	command(ID(02), "stop", "{}");
	wire_break(wire_open(DONE), -ECONNREFUSED);
	work_all();
	start_anew(true);
	reported(ID(01), "allocation");
	reported(ID(02), NULL);
	nothing_reported();
	work_all();
	start_anew(false);
	nothing_reported();
	assert_int_equal(metric__get(METRIC_COMPLETIONS_LOST), lost);
}

static void damaged_line_costs_one_command(void **state)
{
	uint64_t damaged = metric__get(METRIC_JOURNAL_DAMAGED);
	char path[96];
	_auto_buf_ struct buf journal;

	control__start(host.control);
	command(ID(01), "stop", "{}");
	command(ID(02), "stop", "{}");
	command(ID(03), "start", ADHOC);
	work_all();
	buf__init(&journal, 1 << 20);
	read_journal(&journal);
	*strstr(journal.data, ID(02)) = '1';
	journal.len -= 9; /* and the tail is torn */
	write_journal(journal.data, journal.len);
	memset(host.runs, 0, sizeof(host.runs));
	control__free(host.control);
	write_journal(journal.data, journal.len);
	assert_int_equal(host_begin(), 0);
	assert_int_equal(metric__get(METRIC_JOURNAL_DAMAGED) - damaged, 2);
	snprintf(path, sizeof(path), "%s.damaged", journal_path);
	assert_int_equal(access(path, F_OK), 0);
	control__start(host.control);
	assert_non_null(strstr(beat()->body, ID(01)));
	assert_null(strstr(beat()->body, ID(02)));
}

static void journal_that_is_none_is_set_aside(void **state)
{
	static const char *const texts[] = { "", "\n\n\n", "garbage", "0123456789abcdef {}\n",
					     "{\"pulseprof_journal\":1}\n" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		control__free(host.control);
		write_journal(texts[i], strlen(texts[i]));
		assert_int_equal(host_begin(), 0);
	}
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	work_all();
	assert_non_null(host_run(ID(01)));
}

static void disk_that_takes_nothing_is_no_obstacle(void **state)
{
	uint64_t unwritten = metric__get(METRIC_JOURNAL_UNWRITTEN);
	char elsewhere[80];

	control__start(host.control);
	snprintf(elsewhere, sizeof(elsewhere), "%s.gone", state_dir);
	assert_int_equal(rename(state_dir, elsewhere), 0);
	assert_int_equal(close(open(state_dir, O_CREAT | O_WRONLY, 0600)), 0);
	command(ID(01), "start", ADHOC);
	work_all();
	assert_non_null(host_run(ID(01)));
	assert_true(metric__get(METRIC_JOURNAL_UNWRITTEN) > unwritten);
	assert_int_equal(wire_timer->after_ms, 60000); /* no busy loop */
	assert_int_equal(wire_works_cnt, 0);
	assert_int_equal(unlink(state_dir), 0);
	assert_int_equal(rename(elsewhere, state_dir), 0);
	wire_expire();
	work_all();
	assert_true(journal_has("\"state\":\"running\""));
}

static void what_a_cut_write_left_is_removed(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s.tmp-0123456789abcdef", journal_path);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	start_anew(false);
	assert_int_equal(access(path, F_OK), -1);
}

static void journal_is_bounded(void **state)
{
	struct stat st;
	char id[64];
	int i;

	control__start(host.control);
	command(ID(99), "start", CONTINUOUS);
	for (i = 0; i < 1100; i++) {
		snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012d", i + 1000);
		command(id, "stop", "{\"pids\":[5]}");
		if (i == 0) {
			work_all();
			if (host_run(ID(99)))
				host_ends(ID(99), NULL);
		}
		while (wire_open(DONE))
			wire_answer(wire_open(DONE), 200, "{\"success\":true}");
		work_all();
		wire_reset();
	}
	assert_int_equal(stat(journal_path, &st), 0);
	assert_in_range(st.st_size, 50000, 150000);
	start_anew(false);
	assert_false(journal_has(ID(99)));
	assert_non_null(strstr(beat()->body, id));
}

/* A crash between any two steps: nothing runs a third time, nor again once its profile may have left. */
#define IDS_CNT 6
static struct {
	int starts[IDS_CNT];
	bool is_spooled[IDS_CNT], is_gone[IDS_CNT];
} fates;

static void id_of(int i, char *id)
{
	snprintf(id, 64, "00000000-0000-4000-8000-%012d", i + 1);
}

static void count_start(const char *command_id)
{
	int i = atoi(command_id + 24) - 1;

	fates.starts[i]++;
	assert_false(fates.is_gone[i]);
	assert_in_range(fates.starts[i], 1, 2);
}

static void on_gone(void *arg)
{
	if (!is_crashing)
		fates.is_gone[(intptr_t)arg] = true;
}

static void random_step(uint32_t dice)
{
	char id[64];
	int i = (int)(dice >> 8) % IDS_CNT;

	id_of(i, id);
	switch (dice % 7) {
	case 0: command(id, "start", ADHOC); break;
	case 1:
		if (host_run(id))
			control__run_sampling(host.control, id);
		break;
	case 2:
		if (!host_run(id) || fates.is_spooled[i])
			break;
		fates.is_spooled[i] = true;
		control__run_kept(host.control, id, on_gone, (void *)(intptr_t)i);
		break;
	case 3:
		if (host_run(id) && fates.is_spooled[i])
			host_ends(id, NULL);
		break;
	case 4: wire_work_off(); break;
	case 5:
		while (wire_open(DONE))
			wire_answer(wire_open(DONE), 200, "{\"success\":true}");
		break;
	default:
		host.kept_id = NULL;
		for (i = 0; i < IDS_CNT; i++) {
			id_of(i, id);
			/* What may have left is not in the spool any more. */
			if (host_run(id) && fates.is_spooled[i] && !fates.is_gone[i]) {
				static char kept[64];

				memcpy(kept, id, sizeof(kept));
				host.kept_id = kept;
			}
		}
		start_anew(true);
		break;
	}
}

static void no_crash_repeats_or_forgets(void **state)
{
	uint32_t seed = 7, round, i;

	for (round = 0; round < 60; round++) {
		tear_down_dir(NULL);
		assert_int_equal(set_up_dir(NULL), 0);
		memset(&fates, 0, sizeof(fates));
		host.on_start = count_start;
		control__start(host.control);
		for (i = 0; i < 120; i++) {
			seed = seed * 1664525 + 1013904223;
			random_step(seed >> 8);
		}
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up_dir, tear_down_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(run_begins_only_when_the_journal_says_so),
		TEST(profile_leaves_only_when_the_journal_knows_that_it_is_kept),
		TEST(interrupted_run_begins_once_more_and_never_a_third_time),
		TEST(run_interrupted_twice_before_its_first_sample_is_failed),
		TEST(run_whose_profile_is_in_the_spool_does_not_begin_again),
		TEST(command_that_waited_still_waits),
		TEST(continuous_resumes_whatever_the_server_hands_out),
		TEST(continuous_that_takes_us_down_each_time_is_given_up),
		TEST(stop_is_not_forgotten),
		TEST(unsent_reports_go_out_later),
		TEST(damaged_line_costs_one_command),
		TEST(journal_that_is_none_is_set_aside),
		TEST(disk_that_takes_nothing_is_no_obstacle),
		TEST(what_a_cut_write_left_is_removed),
		TEST(journal_is_bounded),
		TEST(no_crash_repeats_or_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

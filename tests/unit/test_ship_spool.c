/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The spool in a real directory, and what can happen to it: full, read-only, damaged, meddled with, too
 * small, a server that is down for long. Nothing is lost without being counted; nothing is tried in a hurry.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=net__send,--wrap=net_call__cancel,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=file__write_atomic,--wrap=dir__open_private,--wrap=renameat,--wrap=unlinkat */
#include "ship_parcels.h"

static bool is_read_only;

int __real_dir__open_private(const char *path, int *ret_fd);
int __wrap_dir__open_private(const char *path, int *ret_fd);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);

int __wrap_dir__open_private(const char *path, int *ret_fd)
{
	return is_read_only ? -EROFS : __real_dir__open_private(path, ret_fd);
}

static int refuse(void)
{
	errno = EROFS;
	return -1;
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return is_read_only ? refuse() : __real_renameat(from_fd, from, to_fd, to);
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
	return is_read_only ? refuse() : __real_unlinkat(fd, name, flags);
}

static int writable(void **state)
{
	is_read_only = false;
	return tear_down(state);
}

/* Number n as it lies in the spool. */
static void pack_parcel(int n, struct buf *out)
{
	_auto_buf_ struct buf parcel;

	make_parcel(n, &parcel);
	buf__init(out, 4096);
	assert_int_equal(gzip__pack(parcel.data, parcel.len, 6, out), 0);
}

static void spool_keeps_its_bound_and_counts_what_went(void **state)
{
	uint64_t evicted = metric__get(METRIC_UPLOADS_EVICTED);
	_auto_buf_ struct buf one;

	pack_parcel(1, &one);
	assert_int_equal(ship_open(one.len * 3), 0);
	put(1);
	put(2);
	put(3);
	wire_answer(upload(), 422, "{}"); /* 1 is set aside */
	put(4); /* 1 goes */
	assert_int_equal(files(".refused", NULL), 0);
	uploads(2);
	put(5); /* 3 goes, since 2 is on its way */
	assert_int_equal(metric__get(METRIC_UPLOADS_EVICTED) - evicted, 2);
	assert_int_equal(files("", NULL), 3);
	assert_int_equal(ship__spool_bytes(ship), one.len * 3);
	wire_answer(upload(), 200, "{}");
	uploads(4);
	wire_answer(upload(), 200, "{}");
	uploads(5);
}

static void held_profiles_are_the_last_to_go(void **state)
{
	_auto_buf_ struct buf one;

	pack_parcel(1, &one);
	assert_int_equal(ship_open(one.len * 3 + 2), 0);
	assert_int_equal(put_of(1, "c", true), 0);
	assert_int_equal(put_of(2, "d", true), 0);
	put(3);
	assert_non_null(upload());
	put(4); /* 3 is on its way, so 1 goes */
	assert_false(ship__has(ship, "c"));
	wire_break(upload(), -ECONNREFUSED);
	put(5); /* 3 goes */
	assert_true(ship__has(ship, "d"));
}

static void what_waits_too_long_goes_and_is_counted(void **state)
{
	uint64_t expired = metric__get(METRIC_UPLOADS_EXPIRED);
	struct ship_options options = rig_options();

	options.spool_max_age_s = 7200;
	assert_int_equal(ship__new(NULL, NULL, &options, &ship), 0);
	put(1);
	wire_break(upload(), -ECONNREFUSED);
	wire_now_ns += 3600ull * 1000000000;
	put(2);
	wire_expire();
	uploads(1);
	wire_break(upload(), -ECONNREFUSED);
	wire_now_ns += 3601ull * 1000000000;
	wire_expire();
	assert_int_equal(metric__get(METRIC_UPLOADS_EXPIRED) - expired, 1);
	uploads(2);
	assert_int_equal(files("", NULL), 1);
}

/* From 1970 by its name, or from the far future: it gets its hour. */
static void clock_that_was_wrong_loses_nothing_at_start(void **state)
{
	struct ship_options options = rig_options();
	_auto_buf_ struct buf one, two;

	options.spool_max_age_s = 7200;
	pack_parcel(1, &one);
	pack_parcel(2, &two);
	write_file(OLD_NAME, one.data, one.len);
	write_file("09000000000000000000-000000.parcel.gz", two.data, two.len);
	assert_int_equal(ship__new(NULL, NULL, &options, &ship), 0);
	uploads(1);
	wire_break(upload(), -ECONNREFUSED);
	wire_now_ns += 3000ull * 1000000000;
	wire_expire();
	uploads(1);
	wire_break(upload(), -ECONNREFUSED);
	wire_now_ns += 700ull * 1000000000;
	wire_expire();
	uploads(2);
}

/* One profile a minute for ten minutes, of the size of a busy host's; the server comes back after that. */
static void backend_down_for_ten_minutes_costs_nothing(void **state)
{
	uint64_t evicted = metric__get(METRIC_UPLOADS_EVICTED);
	uint64_t expired = metric__get(METRIC_UPLOADS_EXPIRED);
	uint64_t begin_ns = wire_now_ns, next_put_ns = wire_now_ns;
	int made = 0, tries = 0, sent = 0;

	assert_int_equal(ship_open(0), 0);
	while (wire_now_ns - begin_ns < 600ull * 1000000000) {
		struct net_call *call;

		for (; next_put_ns <= wire_now_ns && made < 10; next_put_ns += 60ull * 1000000000)
			put(made++);
		call = upload();
		if (call) {
			tries++;
			wire_break(call, -ECONNREFUSED);
		}
		wire_expire();
	}
	for (; made < 10; made++) /* of the last pause */
		put(made);
	assert_int_equal(made, 10);
	assert_in_range(tries, 3, 20); /* not in a hurry */
	assert_true(ship__spool_bytes(ship) <= SHIP_SPOOL_MAX_BYTES);
	restart();
	for (; sent < made; sent++) {
		uploads(sent);
		wire_answer(upload(), 200, "{}");
	}
	assert_null(upload());
	assert_int_equal(files("", NULL), 0);
	assert_int_equal(metric__get(METRIC_UPLOADS_EVICTED), evicted);
	assert_int_equal(metric__get(METRIC_UPLOADS_EXPIRED), expired);
}

static void profile_that_the_disk_will_not_take_is_sent_from_memory(void **state)
{
	uint64_t evicted = metric__get(METRIC_UPLOADS_EVICTED);

	assert_int_equal(ship_open(0), 0);
	write_err = -ENOSPC;
	put(1);
	put(2);
	assert_int_equal(files("", NULL), 0);
	uploads(1);
	wire_answer(upload(), 503, "");
	wire_expire();
	uploads(1);
	wire_answer(upload(), 200, "{}");
	uploads(2);
	ship__free(ship);
	ship = NULL;
	assert_int_equal(metric__get(METRIC_UPLOADS_EVICTED) - evicted, 1);
}

static void what_is_in_memory_is_saved_at_the_end_if_there_is_room(void **state)
{
	uint64_t evicted = metric__get(METRIC_UPLOADS_EVICTED);

	assert_int_equal(ship_open(0), 0);
	write_err = -ENOSPC;
	assert_int_equal(put_of(1, "c", true), 0);
	write_err = 0;
	restart();
	assert_true(ship__has(ship, "c"));
	ship__release(ship, NULL);
	uploads(1);
	assert_int_equal(metric__get(METRIC_UPLOADS_EVICTED), evicted);
}

static void room_on_the_disk_is_used_as_soon_as_there_is_some(void **state)
{
	assert_int_equal(ship_open(0), 0);
	write_err = -ENOSPC;
	put(1);
	write_err = 0;
	put(2);
	assert_int_equal(files(".parcel.gz", NULL), 1);
	uploads(1);
	wire_answer(upload(), 200, "{}");
	uploads(2);
}

/* A parcel that gzip cannot make smaller. */
static void make_noise(size_t len, struct buf *out)
{
	uint32_t x = 1;

	buf__init(out, len + 4096);
	buf__puts(out, "{\"body\":{\"n\":1},\"header\":{}}\nnull\n0;;a;");
	while (out->len < len) {
		x = x * 1664525 + 1013904223;
		buf__putc(out, (char)(x >> 24 | 0x80));
	}
	assert_int_equal(buf__puts(out, " 1"), 0);
}

static void memory_for_a_full_disk_is_bounded_and_the_error_told(void **state)
{
	struct ship_options options = rig_options();
	struct buf parcel;

	options.body_max_bytes = 16 << 20;
	assert_int_equal(ship__new(NULL, NULL, &options, &ship), 0);
	write_err = -ENOSPC;
	make_noise(3 << 20, &parcel);
	assert_int_equal(put_parcel(&parcel, NULL, false), 0);
	make_noise(3 << 20, &parcel);
	assert_int_equal(put_parcel(&parcel, NULL, false), -ENOSPC);
	assert_int_equal(ship__waiting(ship), 1);
	assert_int_equal(files("", NULL), 0);
	assert_true(ship__spool_bytes(ship) < 4 << 20);
	wire_answer(upload(), 200, "{}");
	make_noise(3 << 20, &parcel);
	assert_int_equal(put_parcel(&parcel, NULL, false), 0);
}

static void parcel_larger_than_the_spool_is_not_taken(void **state)
{
	struct buf parcel;

	assert_int_equal(ship_open(1 << 20), 0);
	make_noise(2 << 20, &parcel);
	assert_int_equal(put_parcel(&parcel, NULL, false), -E2BIG);
	assert_int_equal(files("", NULL), 0);
	assert_int_equal(ship__spool_bytes(ship), 0);
}

static void read_only_state_directory_still_sends(void **state)
{
	is_read_only = true;
	write_err = -EROFS;
	assert_int_equal(ship_open(0), 0);
	assert_int_equal(put_of(1, "c1", true), 0);
	assert_true(ship__has(ship, "c1"));
	ship__release(ship, "c1");
	uploads(1);
	wire_answer(upload(), 422, "{}");
	put(2);
	wire_answer(upload(), 200, "{}");
	assert_null(upload());
	assert_int_equal(ship__waiting(ship), 0);
}

/* Neither a name nor a file can be changed: what is done stays done for this process. */
static void directory_that_becomes_read_only_makes_no_loop(void **state)
{
	int i;

	assert_int_equal(ship_open(0), 0);
	for (i = 1; i <= 3; i++)
		put(i);
	is_read_only = true;
	wire_answer(upload(), 422, "{}");
	uploads(2);
	wire_answer(upload(), 200, "{}");
	uploads(3);
	wire_answer(upload(), 413, "");
	assert_null(upload());
	assert_int_equal(wire_cnt, 3);
}

static void what_was_left_from_before_is_sent_first(void **state)
{
	_auto_buf_ struct buf packed;

	pack_parcel(1, &packed);
	write_file(OLD_NAME, packed.data, packed.len);
	write_file(OLD_NAME ".refused", packed.data, packed.len);
	write_file("00000000000000000002-000000.parcel.gz.tmp-1234", "half", 4);
	write_file("README", "not ours", 8);
	chmod(spool_dir, 0700);
	assert_int_equal(ship_open(0), 0);
	assert_int_equal(ship__waiting(ship), 1);
	put(2);
	uploads(1);
	wire_answer(upload(), 200, "{}");
	uploads(2);
	assert_int_equal(files(".tmp-1234", NULL), 0);
	assert_int_equal(files("README", NULL), 1);
	assert_int_equal(files(".refused", NULL), 1);
}

static void damaged_files_are_counted_set_aside_and_passed_over(void **state)
{
	uint64_t damaged = metric__get(METRIC_SPOOL_DAMAGED);
	_auto_buf_ struct buf packed, text;
	char name[256];

	pack_parcel(1, &packed);
	buf__init(&text, 4096);
	assert_int_equal(gzip__pack("no parcel", 9, 6, &text), 0);
	write_file("00000000000000000001-000000.parcel.gz", "", 0);
	write_file("00000000000000000002-000000-x8.3-id.parcel.gz", "garbage", 7);
	write_file("00000000000000000003-000000.parcel.gz", packed.data, packed.len - 3);
	write_file("00000000000000000004-000000.parcel.gz", text.data, text.len);
	snprintf(name, sizeof(name), "%s/%s", spool_dir, "00000000000000000005-000000.parcel.gz");
	assert_int_equal(symlink("/dev/zero", name), 0);
	write_file("00000000000000000006-000000.parcel.gz", packed.data, packed.len);
	assert_int_equal(ship_open(0), 0);
	ship__release(ship, NULL);
	uploads(1);
	assert_int_equal(files(".damaged", NULL), 4);
	assert_false(ship__has(ship, "id"));
	assert_int_equal(metric__get(METRIC_SPOOL_DAMAGED) - damaged, 5);
}

static void file_taken_away_while_it_waits_is_forgotten(void **state)
{
	assert_int_equal(ship_open(0), 0);
	put(1);
	put(2);
	(void)upload();
	files("", remove_file);
	wire_answer(upload(), 200, "{}");
	assert_null(upload());
	assert_int_equal(ship__waiting(ship), 0);
}

static void names_of_others_are_left_alone(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"00000000000000000001-000000.parcel",
		"0000000000000000000x-000000.parcel.gz",
		"00000000000000000001_000000.parcel.gz",
		"00000000000000000001-00000x.parcel.gz",
		"00000000000000000001-000000.parcel.gz.old",
		"00000000000000000001-000000.parcel.gzz",
		"00000000000000000001-000000-.parcel.gz",
		"00000000000000000001-000000-a.b.parcel.gz",
		"00000000000000000001-000000-x8.8.parcel.gz",
		"00000000000000000001-000000-p5.4.parcel.gz",
		"00000000000000000001-000000-x8.3-p1.4.parcel.gz",
		"00000000000000000001-000000-x7.1.parcel.gz",
		"00000000000000000001-000000-x4096.1.parcel.gz",
	};
	struct spool_name name;
	char text[SPOOL_NAME_BYTES];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (spool_name__parse(bad[i], &name))
			fail_msg("%s", bad[i]);
	assert_true(spool_name__parse(OLD_NAME, &name));
	assert_int_equal(name.state, SPOOL_WAITING);
	assert_int_equal(name.pieces, 1);
	assert_true(
		spool_name__parse("00000000000000000001-000000-x8.3-x8.parcel.gz.damaged", &name));
	assert_int_equal(name.state, SPOOL_DAMAGED);
	assert_int_equal(name.pieces, 8);
	assert_int_equal(name.sent, 3);
	assert_string_equal(name.command, "x8");
	spool_name__print(&name, text);
	assert_string_equal(text, "00000000000000000001-000000-x8.3-x8.parcel.gz.damaged");
	assert_true(spool_name__parse("00000000000000000001-000000-p2.4-x8.3-p.parcel.gz", &name));
	assert_int_equal(name.part, 2);
	assert_int_equal(name.parts, 4);
	assert_int_equal(name.pieces, 8);
	assert_string_equal(name.command, "p");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, writable)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(spool_keeps_its_bound_and_counts_what_went),
		TEST(held_profiles_are_the_last_to_go),
		TEST(what_waits_too_long_goes_and_is_counted),
		TEST(clock_that_was_wrong_loses_nothing_at_start),
		TEST(backend_down_for_ten_minutes_costs_nothing),
		TEST(profile_that_the_disk_will_not_take_is_sent_from_memory),
		TEST(what_is_in_memory_is_saved_at_the_end_if_there_is_room),
		TEST(room_on_the_disk_is_used_as_soon_as_there_is_some),
		TEST(memory_for_a_full_disk_is_bounded_and_the_error_told),
		TEST(parcel_larger_than_the_spool_is_not_taken),
		TEST(read_only_state_directory_still_sends),
		TEST(directory_that_becomes_read_only_makes_no_loop),
		TEST(what_was_left_from_before_is_sent_first),
		TEST(damaged_files_are_counted_set_aside_and_passed_over),
		TEST(file_taken_away_while_it_waits_is_forgotten),
		TEST(names_of_others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The studio without HTTP: secrets, lines, uploads, the life of commands on a clock of our own, and the
 * shelf in a real directory below TMPDIR whose writes can be made to fail. The studio is a program, not
 * part of the library, so its files are compiled into this test.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=file__write_atomic */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ftw.h>

#include "../../user/studio/check.c"
#include "../../user/studio/collapsed.c"
#include "../../user/studio/ingest.c"
#include "../../user/studio/secret.c"
#include "../../user/studio/shelf.c"
#include "../../user/studio/store.c"
#include "../../user/studio/store_commands.c"
#include "../../user/studio/store_hosts.c"
#include "../../user/studio/store_inventory.c"
#include "../../user/studio/store_orders.c"
#include "../../user/studio/store_profiles.c"
#include "../../user/studio/store_runs.c"
#include "../../user/studio/store_subscriptions.c"
#include "made_profile.h"

#define START_MS 1795392213000ull
#define HEADER                                                                                     \
	"# {\\\"containers\\\":[],\\\"application_metadata_enabled\\\":true,%s\\\"metadata\\\":{"  \
	"\\\"hostname\\\":\\\"h\\\",\\\"current_time\\\":\\\"2026-11-22T10:05:00\\\","             \
	"\\\"spawn_time\\\":\\\"2026-11-22T10:00:00\\\",\\\"spawn_uptime_ms\\\":1,"                \
	"\\\"private_ip\\\":\\\"10.0.0.5\\\",\\\"cloud_provider\\\":\\\"unknown\\\","              \
	"\\\"processors\\\":8,\\\"memory_capacity_mb\\\":32000,\\\"system_name\\\":\\\"Linux\\\"," \
	"\\\"os_name\\\":\\\"Debian\\\",\\\"os_release\\\":\\\"12\\\","                            \
	"\\\"kernel_release\\\":\\\"6.1\\\",\\\"kernel_version\\\":\\\"#1\\\","                    \
	"\\\"hardware_type\\\":\\\"x86_64\\\",\\\"pid\\\":1,"                                      \
	"\\\"mac_address\\\":\\\"02:42:AC:11:00:02\\\",\\\"agent_version\\\":\\\"1.57.1\\\","      \
	"\\\"libc_type\\\":\\\"glibc\\\",\\\"libc_version\\\":\\\"2.36\\\","                       \
	"\\\"python_version\\\":\\\"none\\\",\\\"run_mode\\\":\\\"k8s\\\","                        \
	"\\\"deployment_type\\\":\\\"x\\\",\\\"run_arguments\\\":{\\\"frequency\\\":99}}}\\n%s"

static char state_dir[64];
static int state_fd = -1, write_err, writes_before_err;
static struct store *store;
static struct shelf shelf;

int __real_file__write_atomic(int dir_fd, const char *name, const void *data, size_t len,
			      mode_t mode);
int __wrap_file__write_atomic(int dir_fd, const char *name, const void *data, size_t len,
			      mode_t mode);

int __wrap_file__write_atomic(int dir_fd, const char *name, const void *data, size_t len,
			      mode_t mode)
{
	if (write_err && writes_before_err-- == 0)
		return write_err;
	return __real_file__write_atomic(dir_fd, name, data, len, mode);
}

static int set_up(void **state)
{
	snprintf(state_dir, sizeof(state_dir), "/tmp/pulseprof-studio.XXXXXX");
	assert_non_null(mkdtemp(state_dir));
	state_fd = open(state_dir, O_RDONLY | O_DIRECTORY);
	write_err = 0;
	assert_int_equal(store__open(":memory:", &store), 0);
	assert_int_equal(shelf__open(&shelf, state_fd, store), 0);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	shelf__close(&shelf);
	store__close(store);
	store = NULL;
	close(state_fd);
	return nftw(state_dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static int file_cnt(void)
{
	DIR *dir = fdopendir(openat(shelf.dir_fd, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *entry;
	int cnt = 0;

	while ((entry = readdir(dir)))
		cnt += entry->d_name[0] != '.';
	closedir(dir);
	return cnt;
}

/* ---- secrets ---- */

static void a_token_is_made_once_private_and_compared_whole(void **state)
{
	struct token token, again;
	struct stat st;
	bool is_new = false;
	char other[64];

	assert_int_equal(token__load(state_fd, &token, &is_new), 0);
	assert_true(is_new);
	assert_int_equal(strlen(token.text), TOKEN_TEXT_BYTES - 1);
	assert_true(token.text[0] != '-');
	assert_int_equal(fstatat(state_fd, "token", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(token__load(state_fd, &again, &is_new), 0);
	assert_false(is_new);
	assert_string_equal(token.text, again.text);
	assert_true(token__matches(&token, token.text));
	assert_false(token__matches(&token, NULL));
	assert_false(token__matches(&token, ""));
	snprintf(other, sizeof(other), "%sx", token.text);
	assert_false(token__matches(&token, other));
	other[strlen(token.text) - 1] = '\0';
	assert_false(token__matches(&token, other));
}

static void a_token_file_without_a_token_is_damaged(void **state)
{
	struct token token;
	bool is_new;

	assert_int_equal(file__write_atomic(state_fd, "token", "\n", 1, 0600), 0);
	assert_int_equal(token__load(state_fd, &token, &is_new), -EBADMSG);
	assert_int_equal(file__write_atomic(state_fd, "token", "short", 5, 0600), 0);
	assert_int_equal(token__load(state_fd, &token, &is_new), -EBADMSG);
}

static void ids_are_uuids_in_one_form(void **state)
{
	char id[UUID_TEXT_BYTES], same[UUID_TEXT_BYTES];

	assert_int_equal(uuid__make(id), 0);
	assert_true(uuid__parse(id, same));
	assert_string_equal(id, same);
	assert_true(id[14] == '4' && strchr("89ab", id[19]));
	assert_true(uuid__parse("9A0E74CB36624164AD1B437C484D53E8", same));
	assert_string_equal(same, "9a0e74cb-3662-4164-ad1b-437c484d53e8");
	assert_false(uuid__parse("cmd-1", same));
	assert_false(uuid__parse("9a0e74cb-3662-4164-ad1b-437c484d53e8a", same));
}

/* ---- lines and uploads ---- */

static void bad_lines_are_told_from_good_ones(void **state)
{
	static const struct collapsed_form form = { .has_index = true, .has_container = true };
	static const struct {
		const char *text;
		int err;
	} lines[] = {
		{ "0;;a;b 1", 0 },
		{ "12;box;a;b;c 4294967295", 0 },
		{ " 0;;a b;c d 7 \r", 0 },
		{ "0;;alone 2", 0 },
		{ "", -ENODATA },
		{ "  ", -ENODATA },
		{ "0;;a;b", -EBADMSG },
		{ "0;;a;b 0", -EBADMSG },
		{ "0;;a;b -1", -EBADMSG },
		{ "0;;a;b 1x", -EBADMSG },
		{ "x;;a;b 1", -EBADMSG },
		{ "0 1", -EBADMSG },
		{ "# {} 1", -EBADMSG },
		{ "0;;;b 1", -EBADMSG },
		{ "0;;a;b 4294967296", -EBADMSG },
		{ "7", -EBADMSG },
		{ ";; 1", -EBADMSG },
	};
	struct collapsed_line line;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(collapsed_line__parse(lines[i].text, strlen(lines[i].text), form,
						       &line),
				 lines[i].err);
}

static void lines_become_a_profile_whose_arithmetic_holds(void **state)
{
	static const char text[] =
		"0;web;app;_start;main;read_[k];copy_[k] 7\n0;;app;main 2\n0;;k;idle_[k] 1";
	struct profile_totals totals;
	struct profile *profile;

	assert_int_equal(profile__new(&profile), 0);
	assert_int_equal(collapsed__to_profile(text, strlen(text), profile), 0);
	assert_int_equal(profile__check(profile), 0);
	assert_int_equal(profile->account.accepted, 10);
	assert_int_equal(profile->process_cnt,
			 3); /* the same name in another container is another */
	assert_int_equal(profile->stacks[0].depth, 4);
	assert_int_equal(profile->stacks[0].kernel_depth, 2);
	profile__totals(profile, &totals);
	assert_int_equal(totals.user_stacks, 9);
	assert_int_equal(totals.user_stacks_complete, 7);
	profile__free(profile);
}

static int parse(struct upload *upload, const char *extra, const char *lines)
{
	struct json_object *detail = NULL;
	const char *why = "";
	char body[8192];
	int len, err;

	len = snprintf(body, sizeof(body),
		       "{\"start_time\":\"2026-11-22T10:05:00\",\"gpid\":\"\",\"profile\":\"" HEADER
		       "\"}",
		       extra, lines);
	assert_in_range(len, 1, sizeof(body) - 1);
	err = upload__parse(upload, body, (size_t)len, &detail, &why);
	assert_null(detail);
	return err;
}

static void an_upload_is_read_and_its_bad_lines_counted(void **state)
{
	struct upload upload;

	assert_int_equal(parse(&upload, "", "0;;app;_start;main 3\\nbad\\n\\n0;c;app;x 1\\n"), 0);
	assert_string_equal(upload.hostname, "h");
	assert_string_equal(upload.lines.data, "0;;app;_start;main 3\n0;c;app;x 1");
	assert_int_equal(upload.samples, 4);
	assert_int_equal(upload.stacks, 2);
	assert_int_equal(upload.lines_skipped, 1);
	assert_int_equal(upload.rate_hz, 99);
	assert_true(upload.complete_pct == 75.0);
	assert_int_equal(upload.start_ms, 1795341900000);
	assert_int_equal(upload.html.len, 0);
	upload__clear(&upload);
}

static void a_page_comes_plain_or_in_base64(void **state)
{
	struct upload upload;

	assert_int_equal(parse(&upload, "\\\"flamegraph_html\\\":\\\"<p>x\\\",", ""), 0);
	assert_string_equal(upload.html.data, "<p>x");
	upload__clear(&upload);
	assert_int_equal(parse(&upload, "\\\"flamegraph_html\\\":\\\"PHA+eA==\\\",", ""), 0);
	assert_string_equal(upload.html.data, "<p>x");
	upload__clear(&upload);
	assert_int_equal(parse(&upload, "\\\"flamegraph_html\\\":\\\"?\\\",", ""), 0);
	assert_int_equal(upload.html.len, 0);
	upload__clear(&upload);
}

static void a_bad_body_says_what_is_wrong(void **state)
{
	static const char *const bodies[] = {
		"",   "[]",
		"{",  "{\"start_time\":\"2026-11-22T10:05:00\"}",
		"{}", "{\"start_time\":1,\"profile\":[],\"gpid\":{}}"
	};
	struct upload upload;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct json_object *detail = NULL;
		const char *why;

		assert_int_equal(upload__parse(&upload, bodies[i], strlen(bodies[i]), &detail,
					       &why),
				 -EINVAL);
		assert_true(json__len(detail) >= 1);
		json__put(detail);
		upload__clear(&upload);
	}
}

static void our_own_uploads_are_accepted_whole(void **state)
{
	struct encode_host host = {
		.hostname = "node-7",
		.private_ip = "10.0.0.5",
		.mac_address = "02:42:ac:11:00:02",
		.system_name = "Linux",
		.os_name = "Debian",
		.os_release = "12",
		.kernel_release = "6.1",
		.kernel_version = "#1",
		.hardware_type = "x86_64",
		.libc_type = "glibc",
		.libc_version = "2.36",
		.agent_version = "0.1.0",
		.service_name = "svc",
		.processors = 2,
		.memory_capacity_mb = 1,
		.pid = 1,
		.spawn_real_ns = START_MS * 1000000,
		.spawn_uptime_ms = 1,
	};
	struct profile *profile = made_small();
	struct json_object *detail = NULL;
	struct upload upload;
	const struct encode_upload sent = { .page = "<p>page" };
	const struct encode_piece whole = { .cnt = 1 };
	struct encode_body_facts facts;
	struct buf parcel, body;
	const char *why = "";

	buf__init(&parcel, 1 << 20);
	buf__init(&body, 1 << 20);
	assert_int_equal(encode__parcel(profile, &host, &sent, &parcel), 0);
	assert_int_equal(encode__parcel_body(parcel.data, parcel.len, &whole, "", &body, &facts),
			 0);
	buf__clear(&parcel);
	assert_int_equal(upload__parse(&upload, body.data, body.len, &detail, &why), 0);
	assert_int_equal(upload.samples, profile->account.accepted);
	assert_int_equal(upload.lines_skipped, 0);
	assert_string_equal(upload.html.data, "<p>page");
	upload__clear(&upload);
	buf__clear(&body);
	profile__free(profile);
}

/* ---- store ---- */

static void a_newer_schema_is_refused_and_ours_is_made_once(void **state)
{
	struct store *second = NULL;
	char path[96];

	snprintf(path, sizeof(path), "%s/studio.db", state_dir);
	assert_int_equal(store__open(path, &second), 0);
	store__close(second);
	assert_int_equal(store__open(path, &second), 0);
	assert_int_equal(store__exec(second, "PRAGMA user_version = 99"), 0);
	store__close(second);
	assert_int_equal(store__open(path, &second), -EPROTO);
	assert_int_equal(__real_file__write_atomic(state_fd, "studio.db",
						   "no database at all, but long enough", 35, 0600),
			 0);
	assert_int_equal(store__open(path, &second), -EBADMSG);
}

/* ---- shelf ---- */

static int put(const char *lines, const char *extra, int64_t *ret_id)
{
	struct stored_profile row;
	struct upload upload;
	uint64_t bytes = 0;
	int err;

	assert_int_equal(parse(&upload, extra, lines), 0);
	*ret_id = shelf__next_id(&shelf);
	err = shelf__write(&shelf, *ret_id, &upload, &bytes);
	upload__shrink(&upload);
	row = upload__row(&upload, *ret_id, bytes);
	row.service = "s";
	err = err ? err : shelf__add(&shelf, &row);
	upload__clear(&upload);
	return err;
}

static void a_profile_is_whole_or_absent(void **state)
{
	static const char page[] = "\\\"flamegraph_html\\\":\\\"<p>x\\\",";
	struct stored_profile profile;
	struct buf text;
	int64_t id;
	int at;

	for (at = 0; at < 2; at++) { /* the lines, then the page */
		write_err = -ENOSPC;
		writes_before_err = at;
		assert_int_equal(put("0;;a;b 1", page, &id), -ENOSPC);
		assert_int_equal(store__profile(store, at + 1, &profile), -ENOENT);
		assert_int_equal(file_cnt(), 0);
	}
	write_err = 0;
	assert_int_equal(put("0;;a;b 1", page, &id), 0);
	assert_int_equal(file_cnt(), 2);
	assert_int_equal(store__profile(store, id, &profile), 0);
	buf__init(&text, 1 << 20);
	assert_int_equal(shelf__html(&shelf, &profile, &text), 0);
	assert_string_equal(text.data, "<p>x");
	buf__reset(&text);
	assert_int_equal(shelf__lines(&shelf, id, &text), 0);
	assert_string_equal(text.data, "0;;a;b 1");
	buf__clear(&text);
}

static void a_page_is_made_from_the_lines_where_none_came(void **state)
{
	struct stored_profile profile;
	struct buf text;
	int64_t id;

	assert_int_equal(put("0;;a;needle_function 1", "", &id), 0);
	assert_int_equal(store__profile(store, id, &profile), 0);
	buf__init(&text, 16 << 20);
	assert_int_equal(shelf__html(&shelf, &profile, &text), 0);
	assert_non_null(strstr(text.data, "needle_function"));
	buf__clear(&text);
}

static void the_oldest_profiles_give_way_and_are_counted(void **state)
{
	struct stored_profile profile;
	uint64_t evicted;
	int64_t id;
	int i;

	shelf.profiles_max = 3;
	for (i = 0; i < 5; i++)
		assert_int_equal(put("0;;a;b 1", "", &id), 0);
	assert_int_equal(file_cnt(), 3);
	assert_int_equal(store__profile(store, 2, &profile), -ENOENT);
	assert_int_equal(store__profile(store, 3, &profile), 0);
	assert_int_equal(store__counter(store, "profiles_evicted", &evicted), 0);
	assert_int_equal(evicted, 2);
	shelf.bytes_max = 1; /* the newest always stays */
	assert_int_equal(put("0;;a;b 1", "", &id), 0);
	assert_int_equal(file_cnt(), 1);
}

static void files_without_a_row_are_removed_at_the_start(void **state)
{
	int64_t id;

	assert_int_equal(put("0;;a;b 1", "", &id), 0);
	assert_int_equal(file__write_atomic(shelf.dir_fd, "77.col.gz", "x", 1, 0600), 0);
	assert_int_equal(file__write_atomic(shelf.dir_fd, "1.col.gz.tmp-1", "x", 1, 0600), 0);
	assert_int_equal(file_cnt(), 3);
	shelf__close(&shelf);
	assert_int_equal(shelf__open(&shelf, state_fd, store), 0);
	assert_int_equal(file_cnt(), 1);
}

static void gpids_are_given_and_known(void **state)
{
	int64_t gpid, again;
	char text[24];

	assert_int_equal(store__gpid(store, "", "h", "s", START_MS, &gpid), 0);
	assert_int_equal(store__gpid(store, "", "h", "s", START_MS, &again), 0);
	assert_int_equal(gpid, again);
	assert_int_equal(store__gpid(store, "", "h2", "s", START_MS, &again), 0);
	assert_int_not_equal(gpid, again);
	snprintf(text, sizeof(text), "%" PRId64, again);
	assert_int_equal(store__gpid(store, text, "h2", "s", START_MS, &gpid), 0);
	assert_int_equal(gpid, again);
	assert_int_equal(store__gpid(store, "99", "h2", "s", START_MS, &again), -ENOENT);
	assert_int_equal(store__gpid(store, "1x", "h2", "s", START_MS, &again), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
		T(a_token_is_made_once_private_and_compared_whole),
		T(a_token_file_without_a_token_is_damaged),
		T(ids_are_uuids_in_one_form),
		T(bad_lines_are_told_from_good_ones),
		T(lines_become_a_profile_whose_arithmetic_holds),
		T(an_upload_is_read_and_its_bad_lines_counted),
		T(a_page_comes_plain_or_in_base64),
		T(a_bad_body_says_what_is_wrong),
		T(our_own_uploads_are_accepted_whole),
		T(a_newer_schema_is_refused_and_ours_is_made_once),
		T(a_profile_is_whole_or_absent),
		T(a_page_is_made_from_the_lines_where_none_came),
		T(the_oldest_profiles_give_way_and_are_counted),
		T(files_without_a_row_are_removed_at_the_start),
		T(gpids_are_given_and_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

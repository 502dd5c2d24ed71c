/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Converted pages on disk: what comes out is what was put in for exactly this file, or nothing, whatever
 * happened to the bytes: flipped, cut, torn by a crash, written by two processes, replaced, evicted.
 */
#include <linux/types.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "../../user/unwind/cache.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/file.h"
#include "pp/metrics.h"

#define ROOMY (1u << 20)

struct place {
	char root[64]; /* the test's */
	char dir[80];
	int fd;
};

static struct unwind_identity identity_of(uint32_t number)
{
	struct unwind_identity identity = {
		.dev = 1,
		.inode = number,
		.size_bytes = 1000,
		.mtime_ns = 5,
		.ctime_ns = 6,
		.build_id = { .len = 20, .bytes = { 1, 2, 3 } },
	};

	return identity;
}

/* A page that its number alone decides. */
static struct unwind_page *page_of(uint64_t number, uint32_t row_cnt)
{
	struct unwind_page *page = unwind_page__new(row_cnt, 1 + row_cnt / 3);

	assert_non_null(page);
	for (uint32_t i = 0; i < page->rule_cnt; i++)
		page->rules[i] = number * 1000 + i;
	for (uint32_t i = 0; i < row_cnt; i++)
		page->rows[i] = PP_ROW(i * 3, (i + number) % page->rule_cnt);
	page->callers_by_fp = number % 2;
	return page;
}

static void assert_page(const struct unwind_page *page, uint64_t number, uint32_t row_cnt)
{
	_auto_free_ struct unwind_page *wanted = page_of(number, row_cnt);

	assert_non_null(page);
	assert_int_equal(page->row_cnt, wanted->row_cnt);
	assert_int_equal(page->rule_cnt, wanted->rule_cnt);
	assert_int_equal(page->callers_by_fp, wanted->callers_by_fp);
	assert_memory_equal(page->rows, wanted->rows, row_cnt * sizeof(*page->rows));
	assert_memory_equal(page->rules, wanted->rules, page->rule_cnt * sizeof(*page->rules));
}

static int put(struct unwind_cache *cache, uint32_t file, uint64_t number, uint32_t row_cnt)
{
	_auto_free_ struct unwind_page *page = page_of(number, row_cnt);
	struct unwind_identity identity = identity_of(file);

	return unwind_cache__put(cache, &identity, number, page);
}

/* 0: it is there, and right. */
static int get(struct unwind_cache *cache, uint32_t file, uint64_t number, uint32_t row_cnt)
{
	_auto_free_ struct unwind_page *page = NULL;
	struct unwind_identity identity = identity_of(file);
	int err = unwind_cache__get(cache, &identity, number, &page);

	if (!err)
		assert_page(page, number, row_cnt);
	return err;
}

static struct unwind_cache *open_cache(const struct place *place, uint64_t bytes_max)
{
	struct unwind_cache *cache = NULL;

	assert_int_equal(unwind_cache__open(place->dir, bytes_max, &cache), 0);
	return cache;
}

static void name_of(uint32_t file, char name[CACHE_NAME_BYTES])
{
	struct unwind_identity identity = identity_of(file);
	struct cache_header header;

	cache_header__make(&header, &identity);
	cache_header__name(&header, name);
}

static int setup(void **state)
{
	static struct place place;

	memcpy(place.root, "/tmp/test_unwind_cache.XXXXXX", 30);
	assert_non_null(mkdtemp(place.root));
	snprintf(place.dir, sizeof(place.dir), "%s/cache", place.root);
	assert_int_equal(dir__open_private(place.dir, &place.fd), 0);
	*state = &place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	DIR *dir = opendir(place->dir);
	struct dirent *entry;

	while ((entry = readdir(dir)))
		(void)unlinkat(place->fd, entry->d_name, 0);
	closedir(dir);
	close(place->fd);
	rmdir(place->dir);
	rmdir(place->root);
	return 0;
}

static void what_was_put_is_found_again_by_the_next_process(void **state)
{
	struct unwind_cache *cache = open_cache(*state, ROOMY);
	struct unwind_identity identity = identity_of(1);
	struct unwind_page *page = (void *)&identity;

	assert_int_equal(get(cache, 1, 7, 10), -ENOENT);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(put(cache, i % 12, i, 1 + i * 7), 0);
	assert_int_equal(unwind_cache__put(cache, &identity, 99, NULL), 0);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 50; i++)
			assert_int_equal(get(cache, i % 12, i, 1 + i * 7), 0);
		assert_int_equal(get(cache, 1, 0, 1), -ENOENT);
		assert_int_equal(unwind_cache__get(cache, &identity, 99, &page), 0);
		assert_null(page);
		unwind_cache__close(cache);
		cache = open_cache(*state, ROOMY);
	}
	unwind_cache__close(cache);
}

static void no_cache_is_an_empty_one(void **state)
{
	struct unwind_identity identity = identity_of(1);
	struct unwind_page *page;

	assert_int_equal(unwind_cache__get(NULL, &identity, 1, &page), -ENOENT);
	assert_int_equal(unwind_cache__put(NULL, &identity, 1, NULL), 0);
	unwind_cache__close(NULL);
}

static void the_directory_is_private(void **state)
{
	const struct place *place = *state;
	struct unwind_cache *cache = open_cache(place, ROOMY);
	struct stat st;
	char name[CACHE_NAME_BYTES];

	assert_int_equal(put(cache, 1, 1, 5), 0);
	name_of(1, name);
	assert_int_equal(fstat(place->fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(fstatat(place->fd, name, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	unwind_cache__close(cache);
	assert_int_equal(fchmod(place->fd, 0777), 0);
	assert_int_equal(unwind_cache__open(place->dir, ROOMY, &cache), -EPERM);
}

/* Each part of the identity counts, also where the name of the file does not tell. */
static void a_file_that_changed_is_another_file(void **state)
{
	const struct place *place = *state;
	struct unwind_cache *cache = open_cache(place, ROOMY);
	struct unwind_identity identity = identity_of(1);
	struct unwind_page *page;
	char name[CACHE_NAME_BYTES], other[CACHE_NAME_BYTES];

	assert_int_equal(put(cache, 1, 1, 5), 0);
	for (size_t i = 0; i < sizeof(identity) - 3; i++) { /* the last bytes are padding */
		if (i == offsetof(struct unwind_identity, build_id) + 1 + identity.build_id.len)
			break;
		((uint8_t *)&identity)[i] ^= 1;
		assert_int_equal(unwind_cache__get(cache, &identity, 1, &page), -ENOENT);
		((uint8_t *)&identity)[i] ^= 1;
	}
	/* the same name for another file */
	name_of(1, name);
	name_of(2, other);
	assert_int_equal(renameat(place->fd, name, place->fd, other), 0);
	unwind_cache__close(cache);
	cache = open_cache(place, ROOMY);
	assert_int_equal(get(cache, 2, 1, 5), -ENOENT);
	assert_int_equal(put(cache, 2, 1, 9), 0);
	assert_int_equal(get(cache, 2, 1, 9), 0);
	unwind_cache__close(cache);
}

static void load(const struct place *place, const char *name, struct buf *out)
{
	buf__init(out, ROOMY);
	assert_int_equal(file__read_at(place->fd, name, out), 0);
}

static void store(const struct place *place, const char *name, const void *data, size_t len)
{
	_auto_close_ int fd = -1;

	(void)unlinkat(place->fd, name, 0); /* truncating would wait for the disk */
	fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file__write_all(fd, data, len), 0);
}

/* Two pages and one without rows; each comes out right or not at all. Then a put mends the file. */
static uint32_t try_damaged(const struct place *place, const char *name, const void *data,
			    size_t len)
{
	struct unwind_identity identity = identity_of(1);
	struct unwind_page *page = (void *)&identity;
	struct unwind_cache *cache;
	uint32_t found = 0;

	store(place, name, data, len);
	cache = open_cache(place, ROOMY);
	found += get(cache, 1, 10, 8) == 0;
	found += get(cache, 1, 11, 5) == 0;
	if (!unwind_cache__get(cache, &identity, 12, &page)) {
		assert_null(page);
		found++;
	}
	assert_int_equal(put(cache, 1, 10, 8), 0);
	assert_int_equal(put(cache, 1, 13, 4), 0);
	assert_int_equal(get(cache, 1, 10, 8), 0);
	unwind_cache__close(cache);
	cache = open_cache(place, ROOMY);
	assert_int_equal(get(cache, 1, 10, 8), 0);
	assert_int_equal(get(cache, 1, 13, 4), 0);
	unwind_cache__close(cache);
	return found;
}

static void make_three(const struct place *place, char name[CACHE_NAME_BYTES], struct buf *ret_file)
{
	struct unwind_identity identity = identity_of(1);
	struct unwind_cache *cache = open_cache(place, ROOMY);

	assert_int_equal(put(cache, 1, 10, 8), 0);
	assert_int_equal(put(cache, 1, 11, 5), 0);
	assert_int_equal(unwind_cache__put(cache, &identity, 12, NULL), 0);
	unwind_cache__close(cache);
	name_of(1, name);
	load(place, name, ret_file);
}

static void any_byte_flipped_gives_nothing_wrong(void **state)
{
	uint64_t damaged = metric__get(METRIC_UNWIND_CACHE_DAMAGED);
	_auto_buf_ struct buf file;
	char name[CACHE_NAME_BYTES];

	make_three(*state, name, &file);
	assert_int_equal(try_damaged(*state, name, file.data, file.len), 3);
	assert_int_equal(metric__get(METRIC_UNWIND_CACHE_DAMAGED), damaged);
	for (size_t i = 0; i < file.len; i++)
		for (uint32_t bit = 0; bit < 8; bit += 5) {
			file.data[i] ^= (char)(1 << bit);
			assert_true(try_damaged(*state, name, file.data, file.len) < 3);
			assert_true(metric__get(METRIC_UNWIND_CACHE_DAMAGED) > damaged);
			damaged = metric__get(METRIC_UNWIND_CACHE_DAMAGED);
			file.data[i] ^= (char)(1 << bit);
		}
}

static void a_file_cut_anywhere_keeps_what_is_whole(void **state)
{
	_auto_buf_ struct buf file;
	char name[CACHE_NAME_BYTES];
	uint32_t last = 0;

	make_three(*state, name, &file);
	for (size_t len = 0; len < file.len; len++) {
		uint32_t found = try_damaged(*state, name, file.data, len);

		assert_true(found >= last && found < 3);
		last = found;
	}
	assert_int_equal(last, 2);
}

static void rubbish_behind_the_records_is_cut_off(void **state)
{
	_auto_buf_ struct buf file;
	char name[CACHE_NAME_BYTES];

	make_three(*state, name, &file);
	for (uint32_t i = 0; i < 100; i++)
		buf__putc(&file, (char)(i * 7));
	assert_int_equal(try_damaged(*state, name, file.data, file.len), 3);
}

static void two_processes_share_a_file(void **state)
{
	struct unwind_cache *a = open_cache(*state, ROOMY), *b = open_cache(*state, ROOMY);

	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(put(i % 2 ? a : b, 1, i, 1 + i), 0);
		assert_int_equal(get(i % 2 ? b : a, 1, i, 1 + i), 0);
		assert_int_equal(put(i % 2 ? b : a, 1, i, 1 + i), 0); /* it is there already */
	}
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(get(a, 1, i, 1 + i), 0);
	unwind_cache__close(a);
	unwind_cache__close(b);
}

static void a_writer_that_holds_the_file_is_not_waited_for(void **state)
{
	const struct place *place = *state;
	uint64_t unwritten = metric__get(METRIC_UNWIND_CACHE_UNWRITTEN);
	struct unwind_cache *cache = open_cache(place, ROOMY);
	char name[CACHE_NAME_BYTES];
	_auto_close_ int fd = -1;

	assert_int_equal(put(cache, 1, 1, 5), 0);
	name_of(1, name);
	fd = openat(place->fd, name, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(put(cache, 1, 2, 5), -EWOULDBLOCK);
	assert_int_equal(metric__get(METRIC_UNWIND_CACHE_UNWRITTEN), unwritten + 1);
	assert_int_equal(get(cache, 1, 1, 5), 0);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	assert_int_equal(put(cache, 1, 2, 5), 0);
	unwind_cache__close(cache);
}

static void a_file_removed_by_another_is_made_anew(void **state)
{
	const struct place *place = *state;
	struct unwind_cache *cache = open_cache(place, ROOMY);
	char name[CACHE_NAME_BYTES];

	assert_int_equal(put(cache, 1, 1, 5), 0);
	name_of(1, name);
	assert_int_equal(unlinkat(place->fd, name, 0), 0);
	assert_int_equal(get(cache, 1, 1, 5), 0); /* still open */
	assert_int_equal(put(cache, 1, 2, 5), 0);
	assert_int_equal(get(cache, 1, 2, 5), 0);
	unwind_cache__close(cache);
	cache = open_cache(place, ROOMY);
	assert_int_equal(get(cache, 1, 2, 5), 0);
	assert_int_equal(get(cache, 1, 1, 5), -ENOENT);
	unwind_cache__close(cache);
}

static uint64_t dir_bytes(const struct place *place, uint32_t *ret_cnt)
{
	DIR *dir = opendir(place->dir);
	struct dirent *entry;
	uint64_t bytes = 0;
	struct stat st;

	*ret_cnt = 0;
	while ((entry = readdir(dir)))
		if (strlen(entry->d_name) == CACHE_NAME_BYTES - 1 &&
		    !fstatat(place->fd, entry->d_name, &st, 0)) {
			bytes += (uint64_t)st.st_size;
			++*ret_cnt;
		}
	closedir(dir);
	return bytes;
}

static void used(const struct place *place, uint32_t file, time_t when)
{
	const struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };
	char name[CACHE_NAME_BYTES];

	name_of(file, name);
	assert_int_equal(utimensat(place->fd, name, times, 0), 0);
}

static void the_file_unused_for_longest_goes_first(void **state)
{
	const struct place *place = *state;
	uint64_t evicted = metric__get(METRIC_UNWIND_CACHE_EVICTED);
	struct unwind_cache *cache = open_cache(place, 10000);
	uint32_t cnt;

	store(place, "README", "not ours", 8);
	for (uint32_t i = 0; i < 4; i++) { /* 2 KB each */
		assert_int_equal(put(cache, i, 1, 300), 0);
		used(place, i, 1000 + i);
	}
	used(place, 0, 5000);
	unwind_cache__close(cache);
	cache = open_cache(place, 10000);
	assert_int_equal(put(cache, 5, 1, 300), 0);
	assert_true(dir_bytes(place, &cnt) <= 10000);
	assert_int_equal(metric__get(METRIC_UNWIND_CACHE_EVICTED), evicted + 1);
	assert_int_equal(get(cache, 0, 1, 300), 0);
	assert_int_equal(get(cache, 1, 1, 300), -ENOENT);
	assert_int_equal(get(cache, 2, 1, 300), 0);
	assert_int_equal(faccessat(place->fd, "README", R_OK, 0), 0);
	unwind_cache__close(cache);
}

static void the_directory_stays_within_its_bytes(void **state)
{
	const struct place *place = *state;
	struct unwind_cache *a = open_cache(place, 30000), *b = open_cache(place, 30000);
	uint32_t cnt;

	for (uint32_t i = 0; i < 300; i++) {
		int err = put(i % 3 ? a : b, i % 40, i, 1 + i);

		assert_true(err == 0 || err == -ENOSPC);
		/* the other one's additions are seen every so often */
		assert_true(dir_bytes(place, &cnt) <= 30000 + 64 * 2200);
	}
	assert_int_equal(put(a, 1000, 1, 9000), -ENOSPC); /* more than all there is */
	assert_true(dir_bytes(place, &cnt) <= 30000);
	unwind_cache__close(a);
	unwind_cache__close(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_put_is_found_again_by_the_next_process),
		TEST(no_cache_is_an_empty_one),
		TEST(the_directory_is_private),
		TEST(a_file_that_changed_is_another_file),
		TEST(any_byte_flipped_gives_nothing_wrong),
		TEST(a_file_cut_anywhere_keeps_what_is_whole),
		TEST(rubbish_behind_the_records_is_cut_off),
		TEST(two_processes_share_a_file),
		TEST(a_writer_that_holds_the_file_is_not_waited_for),
		TEST(a_file_removed_by_another_is_made_anew),
		TEST(the_file_unused_for_longest_goes_first),
		TEST(the_directory_stays_within_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of earlier windows: what is asked again and what is not, changed files, the budget. Who would read files is
 * made up: it names each even offset "f" and its hundreds. What the disk keeps, and every way to damage it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"
#include "pp/base/hash.h"
#include "pp/metrics.h"
#include "pp/symbol_cache.h"

struct source {
	uint32_t asked; /* places, ever */
	int err;
};

static int run(void *arg, const struct symbol_request *request, struct symbol_result *ret_result)
{
	struct source *self = arg;
	struct symbol_result result = {
		.err = self->err,
		.build_id = { .len = 1, .bytes = { 7 } },
		.has_symtab = true,
		.name_cnt = request->off_cnt,
		.names = calloc(request->off_cnt + 1, sizeof(*result.names)),
		.bottoms = calloc(request->off_cnt + 1, 1),
		.no_returns = calloc(request->off_cnt + 1, 1),
		.text = calloc(request->off_cnt + 1, 16),
		.text_bytes = 16 * (request->off_cnt + 1),
	};

	for (uint32_t i = 0; i < request->off_cnt; i++) {
		result.no_returns[i] = request->offs[i] % 3 == 0;
		if (self->err || request->offs[i] % 2)
			continue;
		result.names[i] = 16 * (i + 1);
		result.bottoms[i] = request->offs[i] % 100 ? SYMBOL_BOTTOM_NONE :
							     SYMBOL_BOTTOM_ENTRY;
		snprintf(result.text + result.names[i], 16, "f%u",
			 (unsigned int)(request->offs[i] / 100));
	}
	self->asked += request->off_cnt;
	*ret_result = result;
	return 0;
}

static int made_file(char path[32])
{
	snprintf(path, 32, "%s", "/tmp/test_symbol_cache_XXXXXX");
	return mkstemp(path);
}

/* Asks for these offsets, and checks the answer against the source's. */
static void ask(struct symbol_cache *cache, int fd, const uint64_t *offs, uint32_t cnt)
{
	const struct symbol_request request = { .fd = fd, .offs = offs, .off_cnt = cnt };
	struct symbol_result got, want;
	struct source source = { 0 };

	assert_int_equal(symbol_cache__run(cache, &request, &got), 0);
	assert_int_equal(run(&source, &request, &want), 0);
	assert_int_equal(got.err, 0);
	assert_int_equal(got.name_cnt, cnt);
	assert_true(got.has_symtab);
	assert_int_equal(got.build_id.bytes[0], 7);
	for (uint32_t i = 0; i < cnt; i++) {
		assert_string_equal(got.text + got.names[i], want.text + want.names[i]);
		assert_int_equal(got.bottoms[i], want.bottoms[i]);
		assert_int_equal(got.no_returns[i], want.no_returns[i]);
	}
	symbol_result__clear(&got);
	symbol_result__clear(&want);
}
#define ASK(cache, fd, ...) \
	ask(cache, fd, (const uint64_t[]){ __VA_ARGS__ }, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8)

static void only_what_is_new_is_asked(void **state)
{
	struct source source = { 0 };
	struct symbol_cache *cache;
	char path[32];
	_auto_close_ int fd = made_file(path);

	assert_int_equal(symbol_cache__new(run, &source, 1 << 20, &cache), 0);
	ASK(cache, fd, 100, 102, 300);
	assert_int_equal(source.asked, 3);
	ASK(cache, fd, 100, 102, 300);
	assert_int_equal(source.asked, 3);
	ASK(cache, fd, 2, 100, 204, 300, 306);
	assert_int_equal(source.asked, 6);
	ASK(cache, fd, 2, 204, 306);
	assert_int_equal(source.asked, 6);
	ASK(cache, fd, 5, 100, 303); /* without a name: a debug file may come */
	ASK(cache, fd, 5, 100, 303);
	assert_int_equal(source.asked, 10);
	symbol_cache__free(cache);
	unlink(path);
}

static void a_changed_file_is_another(void **state)
{
	struct source source = { 0 };
	struct symbol_cache *cache;
	char path[32], other_path[32];
	_auto_close_ int fd = made_file(path);
	_auto_close_ int other = made_file(other_path);
	const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	assert_int_equal(symbol_cache__new(run, &source, 1 << 20, &cache), 0);
	ASK(cache, fd, 100);
	ASK(cache, other, 100);
	assert_int_equal(source.asked, 2);
	assert_int_equal(futimens(fd, times), 0);
	ASK(cache, fd, 100);
	assert_int_equal(source.asked, 3);
	ASK(cache, other, 100);
	assert_int_equal(source.asked, 3);
	symbol_cache__free(cache);
	unlink(path);
	unlink(other_path);
}

static void a_failure_is_told_and_not_kept(void **state)
{
	static const uint64_t offs[] = { 100, 200 };
	struct source source = { 0 };
	struct symbol_cache *cache;
	struct symbol_result result;
	char path[32];
	_auto_close_ int fd = made_file(path);
	const struct symbol_request request = { .fd = fd, .offs = offs, .off_cnt = 2 };

	assert_int_equal(symbol_cache__new(run, &source, 1 << 20, &cache), 0);
	ASK(cache, fd, 100);
	source.err = -EPIPE;
	assert_int_equal(symbol_cache__run(cache, &request, &result), 0);
	assert_int_equal(result.err, -EPIPE);
	assert_string_equal(result.text + result.names[0], "f1");
	assert_int_equal(result.names[1], 0);
	symbol_result__clear(&result);
	source.err = 0;
	ASK(cache, fd, 100, 200);
	assert_int_equal(source.asked, 3);
	symbol_cache__free(cache);
	unlink(path);
}

static void the_budget_holds(void **state)
{
	struct source source = { 0 };
	struct symbol_cache *cache;
	char paths[3][32];
	int fds[3];
	uint64_t offs[1000], evicted = metric__get(METRIC_SYMBOL_CACHE_EVICTED);

	for (uint64_t i = 0; i < 1000; i++)
		offs[i] = 100 * i;
	for (uint32_t i = 0; i < 3; i++)
		fds[i] = made_file(paths[i]);
	assert_int_equal(symbol_cache__new(run, &source, 100000, &cache), 0);
	ask(cache, fds[0], offs, 1000);
	ask(cache, fds[1], offs, 1000);
	ask(cache, fds[2], offs, 1000);
	assert_true(metric__get(METRIC_SYMBOL_CACHE_EVICTED) > evicted);
	ask(cache, fds[2], offs, 1000); /* the newest stayed */
	assert_int_equal(source.asked, 3000);
	ask(cache, fds[0], offs, 1000); /* the oldest went */
	assert_int_equal(source.asked, 4000);
	symbol_cache__free(cache);
	for (uint32_t i = 0; i < 3; i++) {
		close(fds[i]);
		unlink(paths[i]);
	}
}

static void places_and_made_code_go_on_as_they_are(void **state)
{
	static const uint64_t offs[] = { 100 };
	static const struct symbol_jit jit = { .ns_pid = 1 };
	struct source source = { 0 };
	struct symbol_cache *cache;
	struct symbol_result result;
	char path[32];
	_auto_close_ int fd = made_file(path);
	const struct symbol_request requests[] = {
		{ .fd = fd, .offs = offs, .off_cnt = 1, .wants_places = true },
		{ .fd = fd, .offs = offs, .off_cnt = 1, .jit = &jit },
		{ .fd = -1, .offs = offs, .off_cnt = 1 },
	};

	assert_int_equal(symbol_cache__new(run, &source, 1 << 20, &cache), 0);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(symbol_cache__run(cache, &requests[i % 3], &result), 0);
		symbol_result__clear(&result);
	}
	assert_int_equal(source.asked, 6);
	symbol_cache__free(cache);
	unlink(path);
}

/* A directory with what two files' names left there. */
static void leave_names(char dir[40], const int fds[2])
{
	struct source source = { 0 };
	struct symbol_cache *cache;

	assert_int_equal(symbol_cache__new(run, &source, 1 << 20, &cache), 0);
	assert_int_equal(symbol_cache__use_dir(cache, dir), 0);
	ASK(cache, fds[0], 100, 102, 303);
	ASK(cache, fds[1], 2, 6, 200, 700);
	symbol_cache__free(cache);
}

/* How many places are asked for after a start. */
static uint32_t asked_after_start(const char *dir, const int fds[2])
{
	struct source source = { 0 };
	struct symbol_cache *cache;

	assert_int_equal(symbol_cache__new(run, &source, 1 << 20, &cache), 0);
	assert_int_equal(symbol_cache__use_dir(cache, dir), 0);
	ASK(cache, fds[0], 100, 102);
	ASK(cache, fds[1], 2, 6, 200, 700);
	symbol_cache__free(cache);
	return source.asked;
}

static void write_names(const char *path, const char *data, size_t len)
{
	_auto_close_ int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, data, len), (ssize_t)len);
}

static void names_outlive_the_process(void **state)
{
	char dir[40] = "/tmp/test_symbol_cache_XXXXXX", path[60], paths[2][32];
	char data[4096], damaged[4096];
	const int fds[2] = { made_file(paths[0]), made_file(paths[1]) };
	_auto_close_ int fd = -1;
	uint64_t check, before;
	size_t len;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/symbols", dir);
	leave_names(dir, fds);
	assert_int_equal(asked_after_start(dir, fds), 0);
	fd = open(path, O_RDONLY);
	len = (size_t)read(fd, data, sizeof(data));
	assert_in_range(len, 200, 1000);

	before = metric__get(METRIC_SYMBOL_CACHE_DAMAGED);
	for (size_t i = 0; i < len; i++) { /* cut anywhere, and any byte wrong */
		memcpy(damaged, data, len);
		write_names(path, data, i);
		assert_int_equal(asked_after_start(dir, fds), 6);
		damaged[i] ^= 0x41;
		write_names(path, damaged, len);
		assert_int_equal(asked_after_start(dir, fds), 6);
	}
	assert_int_equal(metric__get(METRIC_SYMBOL_CACHE_DAMAGED) - before, 2 * len);

	for (size_t i = 24; i < len; i++) { /* with a right check: no crash, whatever it says */
		struct source source = { 0 };
		struct symbol_cache *cache;

		memcpy(damaged, data, len);
		damaged[i] = (char)(damaged[i] ^ 0xff);
		check = hash_bytes(damaged + 24, len - 24, 24);
		memcpy(damaged + 16, &check, sizeof(check));
		write_names(path, damaged, len);
		assert_int_equal(symbol_cache__new(run, &source, 1 << 20, &cache), 0);
		assert_int_equal(symbol_cache__use_dir(cache, dir), 0);
		symbol_cache__free(cache);
	}
	for (uint32_t i = 0; i < 2; i++) {
		close(fds[i]);
		unlink(paths[i]);
	}
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_new_is_asked),
		cmocka_unit_test(a_changed_file_is_another),
		cmocka_unit_test(a_failure_is_told_and_not_kept),
		cmocka_unit_test(the_budget_holds),
		cmocka_unit_test(places_and_made_code_go_on_as_they_are),
		cmocka_unit_test(names_outlive_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * base: what grows. Byte strings, arrays, the hash index against a naive model, the pool of strings;
 * each with its maximum and with memory that runs out.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=realloc */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pp/base/buf.h"
#include "pp/base/hash.h"
#include "pp/base/intern.h"
#include "pp/base/vec.h"

static bool no_memory;

void *__real_realloc(void *ptr, size_t bytes);
void *__wrap_realloc(void *ptr, size_t bytes);
void *__wrap_realloc(void *ptr, size_t bytes)
{
	return no_memory ? NULL : __real_realloc(ptr, bytes);
}

static void a_buffer_is_always_terminated(void **state)
{
	_auto_buf_ struct buf buf;

	buf__init(&buf, 100);
	assert_null(buf.data);
	assert_int_equal(buf__append(&buf, NULL, 0), 0);
	assert_string_equal(buf.data, "");
	assert_int_equal(buf__puts(&buf, "abc"), 0);
	assert_int_equal(buf__putc(&buf, 'd'), 0);
	assert_int_equal(buf__printf(&buf, "%03d-%s", 7, "x"), 0);
	assert_string_equal(buf.data, "abcd007-x");
	assert_int_equal(buf.len, 9);
	buf__reset(&buf);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf.data, "");
}

static void a_buffer_may_hold_exactly_its_maximum(void **state)
{
	_auto_buf_ struct buf buf;

	buf__init(&buf, 4);
	assert_int_equal(buf__printf(&buf, "%s", "1234"), 0);
	assert_string_equal(buf.data, "1234");
	assert_int_equal(buf__append(&buf, "", 0), 0);
	assert_int_equal(buf__putc(&buf, '5'), -E2BIG);
	assert_string_equal(buf.data, "1234");
}

static void the_first_failure_of_a_buffer_sticks(void **state)
{
	_auto_buf_ struct buf buf;

	buf__init(&buf, 5);
	assert_int_equal(buf__puts(&buf, "abc"), 0);
	assert_int_equal(buf__printf(&buf, "%s", "defg"), -E2BIG);
	assert_string_equal(buf.data, "abc");
	assert_int_equal(buf__putc(&buf, 'd'), -E2BIG);
	assert_int_equal(buf.err, -E2BIG);
	assert_null(buf__take(&buf, NULL));
	assert_int_equal(buf.err, 0);
	assert_int_equal(buf__puts(&buf, "again"), 0);
	no_memory = true;
	buf.max_bytes = 10000;
	assert_int_equal(buf__printf(&buf, "%0200d", 1), -ENOMEM);
	no_memory = false;
	assert_int_equal(buf__puts(&buf, "x"), -ENOMEM);
	assert_string_equal(buf.data, "again");
}

static void a_taken_buffer_leaves_nothing_behind(void **state)
{
	struct buf buf;
	size_t len = 0;
	char *text;

	buf__init(&buf, 1000);
	for (int i = 0; i < 100; i++)
		buf__puts(&buf, "0123456789");
	text = buf__take(&buf, &len);
	assert_int_equal(len, 1000);
	assert_int_equal(strlen(text), 1000);
	assert_null(buf.data);
	assert_null(buf__take(&buf, &len));
	free(text);
}

static void an_array_grows_zeroed_up_to_its_maximum(void **state)
{
	uint64_t *numbers = NULL;
	size_t cap = 0;

	for (size_t want = 1; want <= 100; want++) {
		assert_int_equal(vec_room(numbers, want, cap, 100), 0);
		assert_true(cap >= want && cap <= 100);
		assert_int_equal(numbers[want - 1], 0);
		numbers[want - 1] = want;
	}
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(numbers[i], i + 1);
	assert_int_equal(vec_room(numbers, 101, cap, 100), -E2BIG);
	assert_int_equal(cap, 100);
	free(numbers);
}

static void an_array_without_memory_stays_as_it_was(void **state)
{
	uint64_t *numbers = NULL;
	uint64_t *before;
	size_t cap = 0;

	assert_int_equal(vec_room(numbers, 1, cap, SIZE_MAX), 0);
	before = numbers;
	assert_int_equal(vec_room(numbers, SIZE_MAX / 2, cap, SIZE_MAX), -ENOMEM);
	no_memory = true;
	assert_int_equal(vec_room(numbers, 1000, cap, SIZE_MAX), -ENOMEM);
	no_memory = false;
	assert_ptr_equal(numbers, before);
	assert_int_equal(cap, 8);
	free(numbers);
}

#define KEYS 512

static bool number_equal(const void *arg, uint32_t id, const void *key)
{
	const uint32_t *keys = arg;

	return keys[id] == *(const uint32_t *)key;
}

/* Random adds and deletes of KEYS keys whose hashes have hash_bits bits: 0 makes all of them collide. */
static void compare_with_model(unsigned int hash_bits)
{
	uint32_t keys[KEYS];
	bool present[KEYS] = { false };
	struct hash_index index;
	uint32_t cnt = 0, id;
	uint64_t random = 1;

	for (uint32_t i = 0; i < KEYS; i++)
		keys[i] = i * 7919;
	hash_index__init(&index, number_equal, keys);
	for (int step = 0; step < 20000; step++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		uint32_t i = (uint32_t)(random >> 33) % KEYS;
		uint64_t hash = hash_u64(keys[i], 0) & ((1ull << hash_bits) - 1);

		if (present[i]) {
			assert_int_equal(hash_index__find(&index, hash, &keys[i], &id), 0);
			assert_int_equal(id, i);
			assert_int_equal(hash_index__del(&index, hash, &keys[i]), 0);
			cnt--;
		} else {
			assert_int_equal(hash_index__find(&index, hash, &keys[i], &id), -ENOENT);
			assert_int_equal(hash_index__del(&index, hash, &keys[i]), -ENOENT);
			assert_int_equal(hash_index__add(&index, hash, i), 0);
			cnt++;
		}
		present[i] = !present[i];
		assert_int_equal(index.cnt, cnt);
	}
	for (uint32_t i = 0; i < KEYS; i++) {
		uint64_t hash = hash_u64(keys[i], 0) & ((1ull << hash_bits) - 1);

		assert_int_equal(hash_index__find(&index, hash, &keys[i], &id),
				 present[i] ? 0 : -ENOENT);
	}
	hash_index__clear(&index);
	assert_int_equal(hash_index__find(&index, 1, &keys[0], &id), -ENOENT);
}

static void the_index_agrees_with_a_naive_model(void **state)
{
	compare_with_model(63);
	compare_with_model(5);
	compare_with_model(0);
}

static void hashes_depend_on_each_byte_the_length_and_the_seed(void **state)
{
	unsigned char data[40] = { 0 };

	for (size_t len = 0; len < sizeof(data); len++) {
		uint64_t hash = hash_bytes(data, len, 0);

		assert_int_equal(hash, hash_bytes(data, len, 0));
		assert_int_not_equal(hash, hash_bytes(data, len + 1, 0));
		assert_int_not_equal(hash, hash_bytes(data, len, 1));
		for (size_t i = 0; i < len; i++) {
			data[i] = 1;
			assert_int_not_equal(hash, hash_bytes(data, len, 0));
			data[i] = 0;
		}
	}
	assert_int_not_equal(hash_u64(1, 0), hash_u64(2, 0));
	assert_int_not_equal(hash_u64(1, 0), hash_u64(1, 1));
}

static void hashes_of_neighbours_spread_over_the_low_bits(void **state)
{
	unsigned int filled[256] = { 0 };

	for (uint64_t i = 0; i < 256 * 64; i++)
		filled[(hash_u64(i << 12, 0) ^ (hash_u64(i << 12, 0) >> 32)) & 255]++;
	/* 64 expected in each; a fair coin gives 24..104 with all but certainty. */
	for (int i = 0; i < 256; i++)
		assert_in_range(filled[i], 24, 104);
}

static void a_string_is_kept_once_and_never_moves(void **state)
{
	struct intern *pool;
	uint32_t first, id;
	const char *str;
	char text[32];

	assert_int_equal(intern__new(&pool, 1 << 20), 0);
	assert_int_equal(intern__cnt(pool), 1);
	assert_string_equal(intern__str(pool, 0), "");
	assert_int_equal(intern__add(pool, "mainXX", 4, &first), 0);
	assert_int_equal(first, 1);
	str = intern__str(pool, first);
	for (int i = 0; i < 5000; i++) {
		int len = snprintf(text, sizeof(text), "function_%d", i);

		assert_int_equal(intern__add(pool, text, (size_t)len, &id), 0);
		assert_int_equal(id, i + 2);
	}
	assert_ptr_equal(intern__str(pool, first), str);
	assert_string_equal(str, "main");
	assert_int_equal(intern__add(pool, "main", 4, &id), 0);
	assert_int_equal(id, first);
	assert_int_equal(intern__add(pool, "", 0, &id), 0);
	assert_int_equal(id, 0);
	assert_string_equal(intern__str(pool, 5001), "function_4999");
	assert_int_equal(intern__len(pool, 5001), 13);
	intern__free(pool);
	intern__free(NULL);
}

static void the_pool_takes_any_byte_but_nul_and_any_length(void **state)
{
	static char text[40000];
	struct intern *pool;
	uint32_t id;

	assert_int_equal(intern__new(&pool, 1 << 20), 0);
	assert_int_equal(intern__add(pool, "\xff\n;\x01", 4, &id), 0);
	assert_string_equal(intern__str(pool, id), "\xff\n;\x01");
	assert_int_equal(intern__add(pool, "a\0b", 3, &id), -EINVAL);
	memset(text, 'x', sizeof(text));
	assert_int_equal(intern__add(pool, text, sizeof(text), &id), 0);
	assert_int_equal(intern__len(pool, id), sizeof(text));
	assert_int_equal(strlen(intern__str(pool, id)), sizeof(text));
	assert_int_equal(intern__add(pool, "after", 5, &id), 0);
	assert_string_equal(intern__str(pool, id), "after");
	intern__free(pool);
}

static void a_full_pool_says_so_and_keeps_what_it_has(void **state)
{
	struct intern *pool;
	uint32_t id = 77, known;
	int err;

	assert_int_equal(intern__new(&pool, 1000), 0);
	assert_int_equal(intern__add(pool, "known", 5, &known), 0);
	for (char c = 'a'; !(err = intern__add(pool, (char[100]){ c }, 1, &id)); c++)
		assert_true(intern__bytes(pool) <= 1000);
	assert_int_equal(err, -E2BIG);
	assert_true(intern__cnt(pool) > 10);
	assert_int_equal(intern__add(pool, "known", 5, &id), 0);
	assert_int_equal(id, known);
	intern__free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_is_always_terminated),
		cmocka_unit_test(a_buffer_may_hold_exactly_its_maximum),
		cmocka_unit_test(the_first_failure_of_a_buffer_sticks),
		cmocka_unit_test(a_taken_buffer_leaves_nothing_behind),
		cmocka_unit_test(an_array_grows_zeroed_up_to_its_maximum),
		cmocka_unit_test(an_array_without_memory_stays_as_it_was),
		cmocka_unit_test(the_index_agrees_with_a_naive_model),
		cmocka_unit_test(hashes_depend_on_each_byte_the_length_and_the_seed),
		cmocka_unit_test(hashes_of_neighbours_spread_over_the_low_bits),
		cmocka_unit_test(a_string_is_kept_once_and_never_moves),
		cmocka_unit_test(the_pool_takes_any_byte_but_nul_and_any_length),
		cmocka_unit_test(a_full_pool_says_so_and_keeps_what_it_has),
	};

	return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}

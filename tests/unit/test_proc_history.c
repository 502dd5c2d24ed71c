/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The versions of one process's mappings: which code lay at an address when a sample was taken. Lists are
 * made here by hand; reading them is tested in test_proc.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../user/proc/internal.h"
#include "pp/base/cleanup.h"

#define ADDR	 0x10800ull
#define ROOM_ALL 1000

/* One executable page at 0x10000 of module (0: anonymous), and that many others behind it. */
static void read_list(struct maps_history *history, uint32_t module, uint64_t off, uint32_t others,
		      size_t room, int expected)
{
	struct mapping *list = calloc(1 + others, sizeof(*list));
	int err;

	assert_non_null(list);
	list[0] = (struct mapping){ .start_addr = 0x10000,
				    .end_addr = 0x11000,
				    .off = off,
				    .inode = module,
				    .kind = module ? MAPPING_FILE : MAPPING_ANON,
				    .module = module };
	for (uint32_t i = 1; i <= others; i++)
		list[i] = (struct mapping){ .start_addr = 0x100000ull * i,
					    .end_addr = 0x100000ull * i + 0x1000,
					    .kind = MAPPING_ANON };
	err = maps_history__add(history, list, 1 + others, 7, room);
	assert_int_equal(err, expected);
	if (err)
		free(list);
}

static void next_epoch(struct maps_history *history, uint32_t module, uint32_t epoch)
{
	struct maps_version *newest;

	read_list(history, module, 0, 0, ROOM_ALL, 0);
	newest = maps_history__newest(history);
	if (!newest->epoch_first)
		newest->epoch_first = epoch;
	newest->epoch_last = epoch;
}

/* The module at ADDR, or -errno. */
static int at(const struct maps_history *history, uint32_t epoch, bool is_doubted)
{
	const struct mapping *mapping;
	int err = maps_history__find_at(history, epoch, is_doubted, ADDR, &mapping);

	return err ? err : (int)mapping->module;
}

static void equal_lists_are_one_version(void **state)
{
	struct maps_history history = { 0 };

	assert_int_equal(at(&history, 1, false), -ESRCH);
	read_list(&history, 1, 0, 3, ROOM_ALL, 0);
	read_list(&history, 1, 0, 3, ROOM_ALL, 0);
	assert_int_equal(history.cnt, 1);
	read_list(&history, 1, 0, 2, ROOM_ALL, 0);
	read_list(&history, 1, 0x1000, 2, ROOM_ALL, 0);
	read_list(&history, 2, 0x1000, 2, ROOM_ALL, 0);
	read_list(&history, 1, 0, 3, ROOM_ALL, 0);
	assert_int_equal(history.cnt, 5);
	assert_int_equal(history.mapping_cnt, 4 + 3 + 3 + 3 + 4);
	maps_history__clear(&history);
	assert_int_equal(history.mapping_cnt, 0);
}

static void an_address_is_looked_up_in_its_epoch(void **state)
{
	struct maps_history history = { 0 };

	next_epoch(&history, 1, 5);
	next_epoch(&history, 1, 6); /* the same list under a new one */
	next_epoch(&history, 2, 9);
	next_epoch(&history, 1, 10);
	assert_int_equal(at(&history, 5, false), 1);
	assert_int_equal(at(&history, 6, false), 1);
	assert_int_equal(at(&history, 9, false), 2);
	assert_int_equal(at(&history, 10, false), 1);
	maps_history__clear(&history);
}

static void a_doubted_address_must_be_the_same_code_in_what_was_read_next(void **state)
{
	static const struct {
		uint32_t module;
		uint64_t off;
		uint32_t others;
		int expected;
	} rows[] = {
		{ 2, 0, 0, -ESTALE },
		{ 1, 0x1000, 0, -ESTALE }, /* another place of the same file */
		{ 0, 0, 0, -ESTALE },
		{ 1, 0, 4, 1 }, /* something else was mapped */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct maps_history history = { 0 };

		next_epoch(&history, 1, 5);
		assert_int_equal(at(&history, 5, true), 1);
		/* read to verify, nobody gave it an epoch */
		read_list(&history, rows[i].module, rows[i].off, rows[i].others, ROOM_ALL, 0);
		assert_int_equal(at(&history, 5, true), rows[i].expected);
		assert_int_equal(at(&history, 5, false), 1);
		maps_history__clear(&history);
	}
}

static void code_that_came_and_went_does_not_hide(void **state)
{
	struct maps_history history = { 0 };

	next_epoch(&history, 1, 5);
	assert_int_equal(maps_history__beyond(&history, 5), MAPS_NOTHING);
	next_epoch(&history, 2, 6);
	assert_int_equal(maps_history__beyond(&history, 5), MAPS_NEXT);
	next_epoch(&history, 1, 7);
	assert_int_equal(maps_history__beyond(&history, 5), MAPS_SURELY);
	assert_int_equal(at(&history, 5, true), -ESTALE); /* was it 2 already? */
	assert_int_equal(at(&history, 7, false), 1);
	maps_history__clear(&history);
}

/* Versions of epochs 5 to 7, in which others are mapped. */
static void three_epochs(struct maps_history *history)
{
	for (uint32_t others = 0; others <= 2; others++) {
		read_list(history, 1, 0, others, ROOM_ALL, 0);
		maps_history__newest(history)->epoch_first = 5 + others;
		maps_history__newest(history)->epoch_last = 5 + others;
	}
}

static void code_that_goes_long_after_a_sample_was_there(void **state)
{
	struct maps_history history = { 0 };
	struct mapping *other = calloc(1, sizeof(*other));

	assert_non_null(other);
	three_epochs(&history);
	*other = (struct mapping){ .start_addr = 0x100000, .end_addr = 0x101000 };
	assert_int_equal(maps_history__add(&history, other, 1, 7, ROOM_ALL), 0);
	assert_int_equal(at(&history, 5, true), 1);
	assert_int_equal(at(&history, 6, true), -ESTALE);
	maps_history__clear(&history);
}

static void an_address_that_had_other_code_is_never_trusted_when_in_doubt(void **state)
{
	struct maps_history history = { 0 };

	three_epochs(&history);
	next_epoch(&history, 2, 8);
	assert_int_equal(at(&history, 5, true), -ESTALE);
	assert_int_equal(at(&history, 5, false), 1);
	maps_history__clear(&history);
}

static void what_was_not_mapped_is_no_code_unless_it_is_now(void **state)
{
	struct maps_history history = { 0 };
	const struct mapping *mapping;

	next_epoch(&history, 1, 5);
	assert_int_equal(maps_history__find_at(&history, 5, true, 0x200000, &mapping), -ENOENT);
	read_list(&history, 1, 0, 4, ROOM_ALL, 0);
	assert_int_equal(maps_history__find_at(&history, 5, false, 0x200000, &mapping), -ENOENT);
	assert_int_equal(maps_history__find_at(&history, 5, true, 0x200000, &mapping), -ESTALE);
	maps_history__clear(&history);
}

static void an_epoch_that_is_not_kept_stands_for_what_all_agree_upon(void **state)
{
	struct maps_history history = { 0 };

	next_epoch(&history, 1, 5);
	next_epoch(&history, 1, 7);
	assert_int_equal(at(&history, 3, false), 1);
	assert_int_equal(at(&history, 99, false), 1);
	next_epoch(&history, 2, 8);
	assert_int_equal(at(&history, 3, false), -ESTALE);
	maps_history__clear(&history);
}

static void a_sample_without_an_epoch_is_of_the_first_list_that_has_one(void **state)
{
	struct maps_history history = { 0 };

	read_list(&history, 1, 0, 0, ROOM_ALL, 0);
	read_list(&history, 2, 0, 0, ROOM_ALL, 0);
	assert_int_equal(at(&history, 0, false), 2); /* nobody counts epochs: the newest */
	maps_history__clear(&history);
	next_epoch(&history, 1, 5);
	next_epoch(&history, 2, 6);
	assert_int_equal(at(&history, 0, false), 1);
	maps_history__clear(&history);
}

static void old_versions_give_way(void **state)
{
	struct maps_history history = { 0 };

	for (uint32_t i = 1; i <= 300; i++)
		next_epoch(&history, i, i);
	assert_int_equal(history.cnt, 256);
	assert_int_equal(at(&history, 45, false), 45);
	assert_int_equal(at(&history, 44, false), -ESTALE);
	read_list(&history, 1, 0, 9, 20, 0); /* room for 20 mappings, this has 10 */
	assert_int_equal(history.mapping_cnt, 20);
	assert_int_equal(at(&history, 300, false), 300);
	read_list(&history, 1, 0, 20, 20, -E2BIG);
	assert_int_equal(history.mapping_cnt, 20);
	read_list(&history, 1, 0, 19, 20, 0);
	assert_int_equal(history.cnt, 1);
	maps_history__clear(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_lists_are_one_version),
		cmocka_unit_test(an_address_is_looked_up_in_its_epoch),
		cmocka_unit_test(a_doubted_address_must_be_the_same_code_in_what_was_read_next),
		cmocka_unit_test(code_that_came_and_went_does_not_hide),
		cmocka_unit_test(code_that_goes_long_after_a_sample_was_there),
		cmocka_unit_test(an_address_that_had_other_code_is_never_trusted_when_in_doubt),
		cmocka_unit_test(what_was_not_mapped_is_no_code_unless_it_is_now),
		cmocka_unit_test(an_epoch_that_is_not_kept_stands_for_what_all_agree_upon),
		cmocka_unit_test(a_sample_without_an_epoch_is_of_the_first_list_that_has_one),
		cmocka_unit_test(old_versions_give_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Parcels cut to pieces: where the cuts are, what each piece says of itself, damaged parcels; and pages cut to
 * their room.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "made_parcel.h"
#include "pp/base/compress.h"

/* A file's header, given; the counts of its lines are added up. */
static struct json_object *header_of(const char *file, int64_t *ret_samples)
{
	const char *line = strchr(file, '\n');
	struct json_object *header = NULL;

	assert_memory_equal(file, "# ", 2);
	assert_int_equal(json__parse(file + 2, (size_t)(line - file - 2), &header), 0);
	for (*ret_samples = 0; line && line[1]; line = strchr(line + 1, '\n'))
		*ret_samples +=
			strtoll((char *)memrchr(line + 1, ' ', strcspn(line + 1, "\n")), NULL, 10);
	return header;
}

/* Nine threads' names, each with many stacks: no name is in two of four pieces. */
static void cuts_fall_between_processes(void **state)
{
	struct profile *profile = NULL;
	_auto_buf_ struct buf parcel;
	char seen[10] = "", comm[2] = "a";
	uint64_t samples = 0;

	assert_int_equal(profile__new(&profile), 0);
	made_meta(profile);
	for (comm[0] = 'a'; comm[0] < 'j'; comm[0]++) {
		for (uint64_t i = 0; i < 30; i++) {
			uint32_t frame = made_frame(profile, FRAME_NATIVE, "/bin/x", i, NULL);

			made_sample(profile, (uint32_t)comm[0], comm, &frame, 1, 0,
				    STACK_END_COMPLETE, 1);
		}
	}
	make_parcel(profile, NULL, &parcel);
	for (uint32_t i = 0; i < 4; i++) {
		_auto_free_ char *file = file_of(&parcel, i, 4, &samples);
		char here[10] = "";

		for (const char *line = strstr(file, "\n0;;"); line;
		     line = strstr(line + 1, "\n0;;"))
			if (!strchr(here, line[4]))
				strncat(here, line + 4, 1);
		assert_true(strlen(here) >= 1 && strlen(here) <= 4);
		assert_int_equal(strcspn(here, seen), strlen(here));
		strncat(seen, here, sizeof(seen) - strlen(seen) - 1);
	}
	assert_string_equal(seen, "abcdefghi");
	profile__free(profile);
}

/* A process larger than a cut looks ahead is cut itself. */
static void large_process_is_cut_too(void **state)
{
	uint64_t samples = 0, before;
	struct profile *profile = NULL;
	_auto_buf_ struct buf parcel;
	char name[64];

	assert_int_equal(profile__new(&profile), 0);
	made_meta(profile);
	for (uint32_t i = 0; i < 8000; i++) {
		uint32_t frame;

		snprintf(name, sizeof(name), "function_with_a_long_name_%u", i);
		frame = made_frame(profile, FRAME_NATIVE, NULL, i, name);
		made_sample(profile, 1, i < 7900 ? "large" : "small", &frame, 1, 0,
			    STACK_END_COMPLETE, 1);
	}
	make_parcel(profile, NULL, &parcel);
	for (uint32_t i = 0; i < 4; i++) {
		_auto_free_ char *file = NULL;

		before = samples;
		file = file_of(&parcel, i, 4, &samples);
		assert_in_range(samples - before, 1900, 2100);
	}
	assert_int_equal(samples, 8000);
	profile__free(profile);
}

static void each_piece_says_what_it_is(void **state)
{
	struct profile *profile = made_small();
	_auto_buf_ struct buf parcel;
	uint64_t sum = 0;

	profile->meta.interrupted = 1;
	make_parcel(profile, "<p>page", &parcel);
	for (uint32_t i = 0; i < 4; i++) {
		_auto_free_ char *file = file_of(&parcel, i, 4, &sum);
		_auto_json_ struct json_object *header = NULL;
		struct json_object *own, *run, *part, *metadata;
		const char *text;
		int64_t number, samples = 0;
		bool flag;

		header = header_of(file, &samples);
		assert_int_equal(json__get_object(header, "pulseprof", &own), 0);
		assert_int_equal(json__get_object(own, "part", &part), 0);
		assert_int_equal(json__get_int(part, "number", 1, 4, &number), 0);
		assert_int_equal(number, i + 1);
		assert_int_equal(json__get_int(part, "of", 4, 4, &number), 0);
		assert_int_equal(json__get_int(own, "samples", samples, samples, &number), 0);
		assert_int_equal(json__get_str(own, "command_id", &text), 0);
		assert_string_equal(text, "id?1");
		assert_int_equal(json__get_bool(own, "restarted", &flag), 0);
		assert_false(flag);
		assert_int_equal(json__get_object(own, "run", &run), 0);
		assert_int_equal(json__get_int(run, "accepted", 0, INT64_MAX, &number), 0);
		assert_int_equal(number, profile->account.accepted);
		assert_int_equal(json__get_int(run, "duration_ms", 10000, 10000, &number), 0);
		assert_int_equal(json__get_bool(run, "stopped_early", &flag), 0);
		assert_true(flag);
		assert_int_equal(json__get_object(header, "metadata", &metadata), 0);
		assert_int_equal(json__get_str(metadata, "current_time", &text), 0);
		assert_string_equal(text, "2026-11-22T14:26:36");
		assert_int_equal(json__get_str(header, "flamegraph_html", &text), i ? -ENOENT : 0);
	}
	assert_int_equal(sum, profile->account.accepted);
	profile__free(profile);
}

static void run_begun_anew_is_marked(void **state)
{
	const struct encode_upload upload = { .is_restarted = true };
	struct profile *profile = made_small();
	_auto_free_ char *file = NULL;
	_auto_buf_ struct buf parcel;
	uint64_t samples = 0;

	buf__init(&parcel, OUT_BYTES_MAX);
	assert_int_equal(encode__parcel(profile, &host, &upload, &parcel), 0);
	file = file_of(&parcel, 0, 1, &samples);
	assert_non_null(strstr(file, "\"pulseprof\":{\"restarted\":true,\"run\":{"));
	profile__free(profile);
}

static void text_that_is_no_parcel_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"{}\n\n",
		"{}\nnull\n",
		"{\"body\":{},\"header\":{}}\nnull\n",
		"{\"body\":1,\"header\":{}}\nnull\n",
		"{\"body\":{\"a\":1}}\nnull\n",
		"{\"body\":{\"a\":1},\"header\":{}}\nnul\n",
		"{\"body\":{\"a\":1},\"header\":{}}\n\"\n",
		"{\"body\":{\"a\":1},\"header\":{}}\nnull\n0;;a;b",
		"{\"body\":{\"a\":1},\"header\":{}}\nnull\n0;;a;b x",
		"{\"body\":{\"a\":1},\"header\":{\"pulseprof\":2}}\nnull\n0;;a;b 1",
		"{\"body\":{\"a\":1},\"header\":{}}\nnull\n0;;a;b 1\n\n0;;a;c 1",
	};
	const struct encode_piece whole = { .cnt = 1 }, fourth = { .index = 3, .cnt = 4 };
	struct encode_body_facts facts;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_auto_buf_ struct buf body;

		buf__init(&body, OUT_BYTES_MAX);
		if (encode__parcel_body(bad[i], strlen(bad[i]), &whole, "", &body, &facts) !=
		    -EBADMSG)
			fail_msg("%s", bad[i]);
		buf__reset(&body);
		(void)encode__parcel_body(bad[i], strlen(bad[i]), &fourth, "", &body, &facts);
	}
}

/* ---- the page ---- */

/* A wide tree: 40,000 boxes with names of their own. */
static struct profile *made_wide(void)
{
	struct profile *profile = NULL;
	char name[64];

	assert_int_equal(profile__new(&profile), 0);
	made_meta(profile);
	made_module(profile, "");
	made_module(profile, "/usr/bin/wide");
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t frames[2];

		snprintf(name, sizeof(name), "function_%08x", i * 2654435761u);
		assert_int_equal(profile__frame(profile, FRAME_NATIVE, 1, i, 0, &frames[0]), 0);
		assert_int_equal(profile__string(profile, name, &profile->frames[frames[0]].name),
				 0);
		snprintf(name, sizeof(name), "caller_%08x", i * 2246822519u);
		assert_int_equal(
			profile__frame(profile, FRAME_NATIVE, 1, 100000 + i, 0, &frames[1]), 0);
		assert_int_equal(profile__string(profile, name, &profile->frames[frames[1]].name),
				 0);
		made_sample(profile, 1, "wide", frames, 2, 0, STACK_END_COMPLETE, 1 + i % 1000);
	}
	made_account(profile, 0, 0, 0);
	return profile;
}

static void page_is_cut_to_its_room_and_says_so(void **state)
{
	struct profile *profile = made_wide();
	_auto_buf_ struct buf whole, cut, with, without, packed_with, packed_without;

	buf__init(&whole, OUT_BYTES_MAX);
	buf__init(&cut, OUT_BYTES_MAX);
	buf__init(&packed_with, OUT_BYTES_MAX);
	buf__init(&packed_without, OUT_BYTES_MAX);
	assert_int_equal(encode__html(profile, &whole), 0);
	assert_non_null(strstr(whole.data, "\"hidden\":{\"nodes\":0,"));
	assert_int_equal(encode__html_within(profile, 150000, &cut), 0);
	assert_true(cut.len < whole.len / 2);
	assert_null(strstr(cut.data, "\"hidden\":{\"nodes\":0,"));
	assert_non_null(strstr(cut.data, "\"hidden\":{\"nodes\":"));
	make_parcel(profile, cut.data, &with);
	make_parcel(profile, NULL, &without);
	assert_int_equal(gzip__pack(with.data, with.len, 6, &packed_with), 0);
	assert_int_equal(gzip__pack(without.data, without.len, 6, &packed_without), 0);
	assert_in_range(packed_with.len - packed_without.len, 60000, 150000);
	buf__reset(&cut);
	assert_int_equal(encode__html_within(profile, 1000, &cut), -E2BIG);
	assert_int_equal(cut.len, 0);
	profile__free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_fall_between_processes),
		cmocka_unit_test(large_process_is_cut_too),
		cmocka_unit_test(each_piece_says_what_it_is),
		cmocka_unit_test(run_begun_anew_is_marked),
		cmocka_unit_test(text_that_is_no_parcel_is_refused),
		cmocka_unit_test(page_is_cut_to_its_room_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

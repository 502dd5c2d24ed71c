/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pprof format against a reader of our own: it says what the collapsed lines of the same profile say, its
 * numbers and ids hold together, names become text, and it is made in little memory. What other programs make
 * of it is tested end to end.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>

#include "made_profile.h"
#include "pp/base/cleanup.h"
#include "pp/encode.h"
#include "read_pprof.h"

#define OUT_BYTES_MAX (256u << 20)

/* profile.proto's field numbers of Profile. */
enum { SAMPLE_TYPE = 1, SAMPLE, MAPPING, LOCATION, FUNCTION, STRING, TIME = 9, DURATION };
enum { PERIOD_TYPE = 11, PERIOD, COMMENT, DEFAULT_TYPE };

/* What our own code holds, and the most it held since it was reset. zlib's are not counted. */
static size_t held_bytes, held_most_bytes;

void *__real_malloc(size_t size);
void *__real_calloc(size_t cnt, size_t size);
void *__real_realloc(void *data, size_t size);
void __real_free(void *data);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t cnt, size_t size);
void *__wrap_realloc(void *data, size_t size);
void __wrap_free(void *data);

static void *hold(void *data)
{
	held_bytes += malloc_usable_size(data);
	held_most_bytes = max_of(held_most_bytes, held_bytes);
	return data;
}

void *__wrap_malloc(size_t size)
{
	return hold(__real_malloc(size));
}

void *__wrap_calloc(size_t cnt, size_t size)
{
	return hold(__real_calloc(cnt, size));
}

void *__wrap_realloc(void *data, size_t size)
{
	held_bytes -= malloc_usable_size(data);
	return hold(__real_realloc(data, size));
}

void __wrap_free(void *data)
{
	held_bytes -= malloc_usable_size(data);
	__real_free(data);
}

static int append(void *arg, const void *data, size_t len)
{
	assert_true(len <= GZIP_PIECE_BYTES);
	return buf__append(arg, data, len);
}

static void encode(const struct profile *profile, struct read_pprof *ret_read)
{
	_auto_buf_ struct buf packed;
	const struct encode_sink sink = { append, &packed };

	buf__init(&packed, OUT_BYTES_MAX);
	assert_int_equal(encode__pprof(profile, &sink), 0);
	read_pprof(ret_read, &packed);
}

static const char *text(const struct read_pprof *read, uint64_t i)
{
	static char texts[8][16384];
	static uint32_t next;
	char *out = texts[next++ % ARRAY_SIZE(texts)];

	assert_true(i < read->cnt[STRING]);
	assert_true(read->of[STRING][i].bytes.len < sizeof(texts[0]));
	memcpy(out, read->of[STRING][i].bytes.at, read->of[STRING][i].bytes.len);
	out[read->of[STRING][i].bytes.len] = '\0';
	return out;
}

/* Of a label of a sample: "" if it has none of that key. */
static const char *label(const struct read_pprof *read, struct bytes sample, const char *key,
			 uint64_t *ret_num)
{
	struct bytes found;

	for (size_t i = 0; (found = bytes_in(sample, 3, i)).at; i++) {
		if (strcmp(text(read, number_in(found, 1)), key))
			continue;
		if (ret_num)
			*ret_num = number_in(found, 3);
		return text(read, number_in(found, 2));
	}
	return "";
}

static uint64_t value(struct bytes sample, uint32_t i)
{
	struct bytes values = bytes_in(sample, 2, 0);
	uint64_t value[2] = { take_varint(&values), take_varint(&values) };

	assert_int_equal(values.len, 0);
	return value[i];
}

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* As it stands in a collapsed line; each place of a made profile is that of a call. */
static void append_frame(const struct read_pprof *read, uint64_t id, struct buf *key)
{
	struct bytes location = by_id(read, LOCATION, id), at = bytes_in(location, 4, 0);
	uint64_t mapping_id = number_in(location, 2);
	const char *module = "";

	if (mapping_id)
		module = text(read, number_in(by_id(read, MAPPING, mapping_id), 5));
	if (at.at)
		buf__printf(key, ";%s%s",
			    text(read, number_in(by_id(read, FUNCTION, number_in(at, 1)), 2)),
			    strcmp(module, "[kernel.kallsyms]") ? "" : "_[k]");
	else
		buf__printf(key, ";%s+0x%" PRIx64, file_name(module),
			    (uint64_t)(number_in(location, 3) % (1ull << 46) + 1));
}

static void append_key(const struct read_pprof *read, struct bytes sample, struct buf *key)
{
	struct bytes ids = bytes_in(sample, 1, 0);
	uint64_t stack[PROFILE_DEPTH_MAX];
	uint32_t depth = 0;

	while (ids.len) {
		assert_true(depth < ARRAY_SIZE(stack));
		stack[depth++] = take_varint(&ids);
	}
	buf__printf(key, "0;%s;%s", label(read, sample, "container", NULL),
		    label(read, sample, "thread", NULL));
	while (depth)
		append_frame(read, stack[--depth], key);
}

struct line {
	char text[1024];
	uint64_t key_len, cnt;
};

/* Equal stacks make one line. */
static void add_line(struct line *lines, uint32_t *cnt, const struct buf *key, uint64_t weight)
{
	struct line *line = lines;

	assert_true(key->len < sizeof(line->text) - 22);
	while (line < lines + *cnt &&
	       (line->key_len != key->len || memcmp(line->text, key->data, key->len)))
		line++;
	assert_true(line < lines + 16);
	*cnt += line == lines + *cnt;
	line->key_len = key->len;
	line->cnt += weight;
	snprintf(line->text, sizeof(line->text), "%s %" PRIu64, key->data, line->cnt);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void it_says_what_the_collapsed_lines_say(void **state)
{
	struct profile *profile = made_small();
	struct line lines[16] = { 0 };
	struct read_pprof read;
	_auto_buf_ struct buf collapsed, key, all;
	uint64_t sum = 0;
	uint32_t line_cnt = 0;

	buf__init(&collapsed, OUT_BYTES_MAX);
	buf__init(&key, OUT_BYTES_MAX);
	buf__init(&all, OUT_BYTES_MAX);
	assert_int_equal(encode__collapsed(profile, &collapsed), 0);
	encode(profile, &read);
	assert_int_equal(read.cnt[SAMPLE], profile->sample_cnt);
	for (size_t i = 0; i < read.cnt[SAMPLE]; i++) {
		struct bytes sample = read.of[SAMPLE][i].bytes;

		buf__reset(&key);
		append_key(&read, sample, &key);
		add_line(lines, &line_cnt, &key, value(sample, 0));
		assert_int_equal(value(sample, 1), value(sample, 0) * (1000000000 / 99));
		sum += value(sample, 0);
	}
	qsort(lines, line_cnt, sizeof(lines[0]), compare_lines);
	for (uint32_t i = 0; i < line_cnt; i++)
		buf__printf(&all, "%s%s", i ? "\n" : "", lines[i].text);
	assert_string_equal(all.data, collapsed.data);
	assert_int_equal(sum, profile->account.accepted);
	read_pprof__clear(&read);
	profile__free(profile);
}

static void every_id_is_there_once(void **state)
{
	struct profile *profile = made_small();
	struct read_pprof read;

	encode(profile, &read);
	assert_int_equal(read.of[STRING][0].bytes.len, 0);
	for (size_t i = 0; i < read.cnt[SAMPLE]; i++) {
		struct bytes ids = bytes_in(read.of[SAMPLE][i].bytes, 1, 0);

		assert_true(ids.len > 0);
		while (ids.len)
			(void)by_id(&read, LOCATION, take_varint(&ids)); /* asserts */
	}
	for (uint32_t what = MAPPING; what <= FUNCTION; what++) {
		for (size_t i = 0; i < read.cnt[what]; i++) {
			uint64_t id = number_in(read.of[what][i].bytes, 1);

			assert_true(id > 0);
			(void)by_id(&read, what, id);
		}
	}
	read_pprof__clear(&read);
	profile__free(profile);
}

static struct bytes sample_of(const struct read_pprof *read, uint64_t pid)
{
	for (size_t i = 0; i < read->cnt[SAMPLE]; i++) {
		uint64_t num = 0;

		(void)label(read, read->of[SAMPLE][i].bytes, "pid", &num);
		if (num == pid)
			return read->of[SAMPLE][i].bytes;
	}
	fail_msg("no sample of %" PRIu64, pid);
	return (struct bytes){ 0 };
}

static void a_sample_tells_whose_it_is_and_where_its_stack_broke(void **state)
{
	struct profile *profile = made_small();
	struct read_pprof read;
	uint64_t cgroup_id = 0;
	struct bytes last;

	made_sample(profile, 12, "worker", NULL, 0, 0, STACK_END_NONE, 1);
	profile->samples[3].cgroup_id = 1ull << 40 | 7;
	encode(profile, &read);
	assert_string_equal(label(&read, sample_of(&read, 12), "process", NULL), "nginx");
	assert_string_equal(label(&read, sample_of(&read, 12), "thread", NULL), "nginx");
	assert_string_equal(label(&read, sample_of(&read, 12), "container", NULL), "web");
	assert_string_equal(label(&read, sample_of(&read, 12), "stack_end", NULL),
			    "no_frame_pointer");
	(void)label(&read, sample_of(&read, 12), "cgroup_id", &cgroup_id);
	assert_int_equal(cgroup_id, 1ull << 40 | 7);
	assert_string_equal(label(&read, sample_of(&read, 11), "stack_end", NULL), "");
	assert_string_equal(label(&read, sample_of(&read, 2), "stack_end", NULL), "");
	last = read.of[SAMPLE][read.cnt[SAMPLE] - 1].bytes;
	assert_string_equal(label(&read, last, "thread", NULL), "worker");
	assert_string_equal(label(&read, last, "process", NULL), "nginx");
	assert_string_equal(label(&read, sample_of(&read, 11), "container", NULL), "");
	read_pprof__clear(&read);
	profile__free(profile);
}

static bool has_comment(const struct read_pprof *read, const char *wanted)
{
	for (size_t i = 0; i < read->cnt[COMMENT]; i++) {
		if (!strcmp(text(read, read->of[COMMENT][i].value), wanted))
			return true;
	}
	return false;
}

static void the_run_and_its_account_are_told(void **state)
{
	static const char *const types[] = { "samples", "count", "cpu", "nanoseconds" };
	struct profile *profile = made_small();
	struct read_pprof read;

	encode(profile, &read);
	assert_int_equal(read.of[TIME][0].value, profile->meta.start_real_ns);
	assert_int_equal(read.of[DURATION][0].value, profile->meta.duration_ns);
	assert_int_equal(read.of[PERIOD][0].value, 1000000000 / 99);
	assert_int_equal(read.cnt[SAMPLE_TYPE], 2);
	for (uint32_t i = 0; i < 4; i++)
		assert_string_equal(text(&read,
					 number_in(read.of[SAMPLE_TYPE][i / 2].bytes, 1 + i % 2)),
				    types[i]);
	assert_string_equal(text(&read, number_in(read.of[PERIOD_TYPE][0].bytes, 1)), "cpu");
	assert_string_equal(text(&read, read.of[DEFAULT_TYPE][0].value), "cpu");
	assert_true(has_comment(&read, "samples: expected 142 missed 2 missed_idle 0 taken 140 "
				       "accepted 37 filtered 100 lost 3"));
	assert_true(has_comment(&read, "filtered_by: idle 100"));
	assert_true(has_comment(&read, "lost_by: maps_full 3"));
	assert_true(has_comment(&read, "frames: distinct 10 unnamed 1"));
	assert_true(has_comment(&read, "user_stack_ends: no_user_stack 6 complete 22 "
				       "no_frame_pointer 2 truncated 1 stack_not_stored 6"));
	read_pprof__clear(&read);
	profile__free(profile);
}

static struct bytes mapping_of(const struct read_pprof *read, const char *path)
{
	for (size_t i = 0; i < read->cnt[MAPPING]; i++) {
		if (!strcmp(text(read, number_in(read->of[MAPPING][i].bytes, 5)), path))
			return read->of[MAPPING][i].bytes;
	}
	fail_msg("no mapping of %s", path);
	return (struct bytes){ 0 };
}

/* Start, limit, file offset, and whether all its frames have functions. */
static void expect_mapping(const struct read_pprof *read, const char *path, const uint64_t *wanted)
{
	struct bytes mapping = mapping_of(read, path);
	static const uint32_t fields[] = { 2, 3, 4, 7 };

	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(number_in(mapping, fields[i]), wanted[i]);
}

static void addresses_are_offsets_in_files_and_none_of_the_kernel_is_told(void **state)
{
	const uint64_t base = 1ull << 46;
	struct profile *profile = made_small();
	struct read_pprof read;
	uint32_t app = made_module(profile, "/usr/bin/myapp"), lib, far;

	lib = made_module(profile, "/usr/lib/libfoo.so.1");
	assert_int_equal(profile__string(profile, "c0ffee", &profile->modules[lib].build_id), 0);
	far = made_frame(profile, FRAME_NATIVE, "/usr/bin/myapp", 0x5001, "far");
	made_sample(profile, 20, "far", &far, 1, 0, STACK_END_COMPLETE, 1);
	profile->modules[app].code_off = 0;
	profile->modules[lib].code_off =
		0x123000; /* not where its frame is: no mapping begins there */
	encode(profile, &read);
	expect_mapping(&read, "/usr/bin/myapp", (uint64_t[]){ base, base + 0x6000, 0, 1 });
	expect_mapping(&read, "/usr/lib/libfoo.so.1", (uint64_t[]){ base, base + 0x1000, 0, 0 });
	expect_mapping(&read, "[kernel.kallsyms]", (uint64_t[]){ 0, 0, 0, 1 });
	expect_mapping(&read, "[vdso]", (uint64_t[]){ base, base + 0x1000, 0, 1 });
	assert_string_equal(text(&read, number_in(mapping_of(&read, "/usr/lib/libfoo.so.1"), 6)),
			    "c0ffee");
	assert_string_equal(text(&read, number_in(read.of[MAPPING][0].bytes, 5)), "/usr/bin/myapp");
	assert_int_equal(number_in(by_id(&read, LOCATION, far + 1), 3), base + 0x5000);
	for (uint32_t i = 0; i < profile->frame_cnt; i++) {
		const struct profile_frame *frame = &profile->frames[i];
		uint64_t addr = number_in(by_id(&read, LOCATION, i + 1), 3);

		assert_int_equal(addr, frame->kind == FRAME_KERNEL || frame->kind == FRAME_ANON ?
					       0 :
					       base + frame->off - 1);
	}
	read_pprof__clear(&read);
	profile__free(profile);
}

/* The mapping begins where the code is mapped from, as tools expect that take its first byte for the segment's. */
static void a_mapping_begins_where_the_code_does(void **state)
{
	const uint64_t base = 1ull << 46;
	struct profile *profile = NULL;
	struct read_pprof read;
	uint32_t frame;

	assert_int_equal(profile__new(&profile), 0);
	frame = made_frame(profile, FRAME_NATIVE, "/a", 0x9010, "f");
	made_sample(profile, 1, "a", &frame, 1, 0, STACK_END_COMPLETE, 1);
	profile->modules[1].code_off = 0x3000;
	encode(profile, &read);
	expect_mapping(&read, "/a", (uint64_t[]){ base + 0x3000, base + 0xa000, 0x3000, 1 });
	read_pprof__clear(&read);
	profile->modules[1].code_off = UINT64_MAX;
	encode(profile, &read);
	expect_mapping(&read, "/a", (uint64_t[]){ base + 0x9000, base + 0xa000, 0x9000, 1 });
	read_pprof__clear(&read);
	profile__free(profile);
}

static void the_program_is_the_first_mapping_and_made_code_has_none(void **state)
{
	struct profile *profile = NULL;
	struct read_pprof read;
	uint32_t frames[4];

	assert_int_equal(profile__new(&profile), 0);
	frames[0] = made_frame(profile, FRAME_NATIVE, "/lib/libc.so.6", 0x10, "f");
	frames[1] = made_frame(profile, FRAME_NATIVE, "/lib/libc.so.6", 0x20, NULL);
	frames[2] = made_frame(profile, FRAME_ANON, "", 0x30, "made");
	frames[3] = made_frame(profile, FRAME_NATIVE, "/bin/sh", 0x10, "main");
	profile->frames[frames[2]].module = 1;
	made_sample(profile, 1, "a", frames, 4, 0, STACK_END_COMPLETE, 1);
	encode(profile, &read);
	assert_int_equal(read.cnt[MAPPING], 2);
	assert_string_equal(text(&read, number_in(read.of[MAPPING][0].bytes, 5)), "/bin/sh");
	assert_int_equal(number_in(mapping_of(&read, "/lib/libc.so.6"), 7), 0);
	assert_int_equal(number_in(by_id(&read, LOCATION, frames[2] + 1), 2), 0);
	assert_int_equal(number_in(by_id(&read, LOCATION, frames[2] + 1), 3), 0);
	assert_non_null(bytes_in(by_id(&read, LOCATION, frames[2] + 1), 4, 0).at);
	assert_null(bytes_in(by_id(&read, LOCATION, frames[1] + 1), 4, 0).at);
	read_pprof__clear(&read);
	profile__free(profile);
}

static void functions_are_told_once_and_lines_with_their_places(void **state)
{
	struct profile *profile = NULL;
	struct read_pprof read;
	uint32_t frames[6], same_file;

	assert_int_equal(profile__new(&profile), 0);
	assert_int_equal(profile__string(profile, "a.c", &same_file), 0);
	for (uint32_t i = 0; i < 6; i++) { /* g, f of a.c, f of no file, and these again */
		frames[i] =
			made_frame(profile, FRAME_NATIVE, "/a", 0x10 * (i + 1), i % 3 ? "f" : "g");
		profile->frames[frames[i]].file = i % 3 == 1 ? same_file : 0;
		profile->frames[frames[i]].line = i % 3 == 1 ? 100 + i : 0;
	}
	made_sample(profile, 1, "a", frames, 6, 0, STACK_END_COMPLETE, 1);
	encode(profile, &read);
	assert_int_equal(read.cnt[FUNCTION], 3 + 2); /* two stand-ins */
	for (uint32_t i = 0; i < 6; i++) {
		struct bytes line = bytes_in(by_id(&read, LOCATION, frames[i] + 1), 4, 0);
		struct bytes function = by_id(&read, FUNCTION, number_in(line, 1));

		assert_int_equal(number_in(line, 2), i % 3 == 1 ? 100 + i : 0);
		assert_string_equal(text(&read, number_in(function, 2)), i % 3 ? "f" : "g");
		assert_string_equal(text(&read, number_in(function, 4)), i % 3 == 1 ? "a.c" : "");
	}
	for (uint32_t i = 7; i <= 9; i++)
		assert_int_equal(number_in(mapping_of(&read, "/a"), i), i == 7);
	read_pprof__clear(&read);
	profile__free(profile);
}

static void strings_from_outside_become_text_of_a_length(void **state)
{
	struct profile *profile = made_small();
	struct read_pprof read;
	_auto_buf_ struct buf safe;
	char *longest = malloc(60001);
	uint32_t frame;

	memset(longest, 0xfe, 60000);
	longest[60000] = '\0';
	frame = made_frame(profile, FRAME_NATIVE, longest, 1, longest);
	made_sample(profile, 99, "\x1b[2J\xff", &frame, 1, 0, STACK_END_COMPLETE, 1);
	encode(profile, &read);
	buf__init(&safe, OUT_BYTES_MAX);
	for (size_t i = 1; i < read.cnt[STRING]; i++) {
		const struct bytes *string = &read.of[STRING][i].bytes;

		buf__reset(&safe);
		encode__safe_text((const char *)string->at, string->len, &safe);
		assert_int_equal(safe.len, string->len);
		assert_memory_equal(safe.data, string->at, safe.len);
		assert_true(string->len <= 3 * 4096);
	}
	free(longest);
	read_pprof__clear(&read);
	profile__free(profile);
}

static void a_weight_past_what_the_format_has_is_the_most_it_has(void **state)
{
	struct profile *profile = NULL;
	struct read_pprof read;
	uint32_t frame;

	assert_int_equal(profile__new(&profile), 0);
	made_meta(profile);
	frame = made_frame(profile, FRAME_NATIVE, "/a", 1, "f");
	made_sample(profile, 1, "a", &frame, 1, 0, STACK_END_COMPLETE, 1ull << 40);
	encode(profile, &read);
	assert_int_equal(value(read.of[SAMPLE][0].bytes, 0), 1ull << 40);
	assert_int_equal(value(read.of[SAMPLE][0].bytes, 1), INT64_MAX);
	read_pprof__clear(&read);
	profile__free(profile);
}

static void an_empty_profile_is_one(void **state)
{
	struct profile *profile = NULL;
	struct read_pprof read;

	assert_int_equal(profile__new(&profile), 0);
	encode(profile, &read);
	assert_int_equal(read.cnt[SAMPLE] + read.cnt[MAPPING], 0);
	assert_int_equal(read.cnt[SAMPLE_TYPE], 2);
	read_pprof__clear(&read);
	profile__free(profile);
}

struct count {
	uint32_t pieces, pieces_max;
	size_t bytes;
};

static int count_piece(void *arg, const void *data, size_t len)
{
	struct count *count = arg;

	assert_true(len <= GZIP_PIECE_BYTES);
	assert_true(count->pieces < count->pieces_max);
	count->bytes += len;
	return ++count->pieces == count->pieces_max ? -ENOSPC : 0;
}

/* 40,000 frames in 200,000 samples: about 7 MB. */
static struct profile *made_large(void)
{
	struct profile *profile = NULL;
	uint32_t frames[64], seed = 1;

	assert_int_equal(profile__new(&profile), 0);
	made_meta(profile);
	for (uint32_t i = 0; i < 40000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "function_%u", i % 30000);
		(void)made_frame(profile, FRAME_NATIVE, i % 2 ? "/a" : "/b", i, name);
	}
	for (uint32_t i = 0; i < 200000; i++) {
		for (uint32_t j = 0; j < 4; j++) {
			seed = seed * 1664525 + 1013904223;
			frames[j] = (seed >> 8) % 40000;
		}
		made_sample(profile, i % 1000, "a", frames, 4, 0, STACK_END_COMPLETE, 1);
	}
	return profile;
}

static void a_large_profile_takes_little_memory(void **state)
{
	struct profile *profile = made_large();
	struct count count = { .pieces_max = UINT32_MAX };
	const struct encode_sink sink = { count_piece, &count };
	size_t before = held_bytes;

	held_most_bytes = held_bytes;
	assert_int_equal(encode__pprof(profile, &sink), 0);
	assert_true(count.bytes > (1u << 20));
	assert_true(held_most_bytes - before < (64u << 10) + 8 * profile->frame_cnt);
	assert_int_equal(held_bytes, before);
	profile__free(profile);
}

static void it_ends_with_the_first_piece_that_cannot_be_written(void **state)
{
	struct profile *profile = made_large();

	for (uint32_t pieces_max = 1; pieces_max < 100; pieces_max += 33) {
		struct count count = { .pieces_max = pieces_max };
		const struct encode_sink sink = { count_piece, &count };

		assert_int_equal(encode__pprof(profile, &sink), -ENOSPC);
		assert_int_equal(count.pieces, pieces_max);
	}
	profile__free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_what_the_collapsed_lines_say),
		cmocka_unit_test(every_id_is_there_once),
		cmocka_unit_test(a_sample_tells_whose_it_is_and_where_its_stack_broke),
		cmocka_unit_test(the_run_and_its_account_are_told),
		cmocka_unit_test(addresses_are_offsets_in_files_and_none_of_the_kernel_is_told),
		cmocka_unit_test(a_mapping_begins_where_the_code_does),
		cmocka_unit_test(the_program_is_the_first_mapping_and_made_code_has_none),
		cmocka_unit_test(functions_are_told_once_and_lines_with_their_places),
		cmocka_unit_test(strings_from_outside_become_text_of_a_length),
		cmocka_unit_test(a_weight_past_what_the_format_has_is_the_most_it_has),
		cmocka_unit_test(an_empty_profile_is_one),
		cmocka_unit_test(a_large_profile_takes_little_memory),
		cmocka_unit_test(it_ends_with_the_first_piece_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

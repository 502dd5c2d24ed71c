/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Profiles with hostile names, written and read back as the Studio's indexer reads: the same stacks with the
 * same weights, whole and in pieces. How the indexer reads is written here from what it was recorded to do and
 * from nothing of ours, and first held against those records.
 */
#include "pp/encode.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "made_parcel.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/file.h"
#include "pp/base/json.h"

/* ---- the indexer ---- */

/* Each stack is "container \x1f frame;frame" with its weight. */
struct indexed_stack {
	char *key; /* owned */
	int64_t cnt;
};

struct indexed {
	struct indexed_stack *stacks; /* sorted by key and distinct after indexed__merge */
	size_t cnt, cap;
	uint32_t crashes; /* lines that end the process */
	uint32_t ignored; /* lines without a usable count, or of an idle CPU */
	uint32_t changed; /* fields that were trimmed or left out */
};

static void indexed__clear(struct indexed *self)
{
	for (size_t i = 0; i < self->cnt; i++)
		free(self->stacks[i].key);
	free(self->stacks);
	memset(self, 0, sizeof(*self));
}

static void indexed__add(struct indexed *self, const char *key, int64_t cnt)
{
	if (self->cnt == self->cap) {
		self->cap = self->cap ? self->cap * 2 : 64;
		self->stacks = realloc(self->stacks, self->cap * sizeof(*self->stacks));
	}
	self->stacks[self->cnt++] = (struct indexed_stack){ .key = strdup(key), .cnt = cnt };
}

/* Go's unicode.IsSpace at the beginning of text: its length, or 0. */
static size_t space_at(const char *text, size_t len)
{
	static const char *const wide[] = {
		"\xc2\x85",	"\xc2\xa0",	"\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
		"\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
		"\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
	};

	if (len && (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')))
		return 1;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (len >= strlen(wide[i]) && !memcmp(text, wide[i], strlen(wide[i])))
			return strlen(wide[i]);
	return 0;
}

static void trim(const char **text, size_t *len)
{
	size_t n;

	while (*len && (n = space_at(*text, *len))) {
		*text += n;
		*len -= n;
	}
	for (n = 1; *len && n <= 3;) {
		if (*len >= n && space_at(*text + *len - n, n) == n) {
			*len -= n;
			n = 1;
		} else {
			n++;
		}
	}
}

static void indexed__line(struct indexed *self, const char *line, size_t len)
{
	const char *end, *field, *blank;
	struct buf key;
	char *rest;
	int64_t cnt;
	int fields = 0, frames = 0;

	trim(&line, &len);
	blank = len ? memrchr(line, ' ', len) : NULL;
	end = blank ? blank : line + len;
	if (!blank || !memchr(line, ';', (size_t)(end - line))) {
		self->crashes++; /* index out of range */
		return;
	}
	errno = 0;
	cnt = strtoll(blank + 1, &rest, 10);
	if (rest == blank + 1 || rest != line + len || errno || !cnt) {
		self->ignored++;
		return;
	}
	buf__init(&key, 1 << 20);
	for (field = line; field <= end; fields++) {
		const char *stop = memchr(field, ';', (size_t)(end - field));
		const char *text = field;
		size_t text_len = (size_t)((stop ? stop : end) - field);

		if (fields == 1)
			buf__append(&key, text, text_len);
		if (fields >= 2) {
			trim(&text, &text_len);
			self->changed += text_len != (size_t)((stop ? stop : end) - field) ||
					 !text_len;
			if (text_len) {
				buf__putc(&key, frames++ ? ';' : '\x1f');
				buf__append(&key, text, text_len);
			}
		}
		field = (stop ? stop : end) + 1;
	}
	if (!frames || strstr(key.data, "\x1fswapper"))
		self->ignored++;
	else
		indexed__add(self, key.data, cnt);
	buf__clear(&key);
}

/* A newline at the very end is no line. Go's scanner also takes "\r\n" for one. */
static void indexed__lines(struct indexed *self, const char *text)
{
	while (*text) {
		const char *stop = strchrnul(text, '\n');

		indexed__line(self, text, (size_t)(stop - text));
		text = *stop ? stop + 1 : stop;
	}
}

static int indexed_cmp(const void *a, const void *b)
{
	return strcmp(((const struct indexed_stack *)a)->key,
		      ((const struct indexed_stack *)b)->key);
}

static void indexed__merge(struct indexed *self)
{
	size_t kept = 0;

	if (!self->cnt)
		return;
	qsort(self->stacks, self->cnt, sizeof(*self->stacks), indexed_cmp);
	for (size_t i = 1; i < self->cnt; i++) {
		if (strcmp(self->stacks[kept].key, self->stacks[i].key)) {
			self->stacks[++kept] = self->stacks[i];
		} else {
			self->stacks[kept].cnt += self->stacks[i].cnt;
			free(self->stacks[i].key);
		}
	}
	self->cnt = kept + 1;
}

static bool has_record(const struct indexed *records, const char *container, const char *name,
		       int64_t n)
{
	char end[256];

	for (size_t i = 0; i < records->cnt; i++) {
		const char *key = records->stacks[i].key;
		size_t len = strlen(key);

		snprintf(end, sizeof(end), "%c%s", strchr(key, ';') ? ';' : '\x1f', name);
		if (!strncmp(key, container, strlen(container)) &&
		    key[strlen(container)] == '\x1f' && len >= strlen(end) &&
		    !strcmp(key + len - strlen(end), end) && records->stacks[i].cnt == n)
			return true;
	}
	return false;
}

/* A record for each prefix of each stack, as the indexer keeps them. */
static void make_records(const struct indexed *stacks, struct indexed *ret_records)
{
	for (size_t i = 0; i < stacks->cnt; i++) {
		_auto_free_ char *key = strdup(stacks->stacks[i].key);
		char *stop = strchr(key, '\x1f');

		while ((stop = strchr(stop + 1, ';'))) {
			*stop = '\0';
			indexed__add(ret_records, key, stacks->stacks[i].cnt);
			*stop = ';';
		}
		indexed__add(ret_records, key, stacks->stacks[i].cnt);
	}
	indexed__merge(ret_records);
}

static void the_model_reads_what_the_indexer_read(void **state)
{
	_auto_close_ int dir = open("tests/data/exchanges", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_auto_json_ struct json_object *json = NULL;
	struct json_object *cases;
	_auto_buf_ struct buf text;

	buf__init(&text, 1 << 20);
	assert_int_equal(file__read_at(dir, "indexer_records.json", &text), 0);
	assert_int_equal(json__parse(text.data, text.len, &json), 0);
	assert_int_equal(json__get_array(json, "cases", &cases), 0);
	assert_true(json__len(cases) > 10);
	for (size_t i = 0; i < json__len(cases); i++) {
		__cleanup(indexed__clear) struct indexed stacks = { 0 }, records = { 0 };
		struct json_object *one = json__at(cases, i), *lines, *expected;
		const char *name, *container;
		bool crashed;
		int64_t n;

		assert_int_equal(json__get_bool(one, "crashed", &crashed), 0);
		assert_int_equal(json__get_array(one, "lines", &lines), 0);
		assert_int_equal(json__get_array(one, "records", &expected), 0);
		buf__reset(&text);
		for (size_t j = 0; j < json__len(lines); j++) {
			buf__puts(&text, j ? "\n" : "");
			buf__puts(&text, json__str(json__at(lines, j)));
		}
		indexed__lines(&stacks, text.data);
		if (crashed != !!stacks.crashes)
			fail_msg("%s", text.data);
		if (crashed)
			continue;
		indexed__merge(&stacks);
		make_records(&stacks, &records);
		assert_int_equal(records.cnt, json__len(expected));
		for (size_t j = 0; j < json__len(expected); j++) {
			struct json_object *record = json__at(expected, j);

			assert_int_equal(json__get_str(record, "container", &container), 0);
			assert_int_equal(json__get_str(record, "name", &name), 0);
			assert_int_equal(json__get_int(record, "n", INT64_MIN, INT64_MAX, &n), 0);
			if (!has_record(&records, container, name, n))
				fail_msg("%s: '%s' '%s' %" PRId64, text.data, container, name, n);
		}
	}
}

/* ---- profiles by chance ---- */

static uint64_t chance = 1;

static uint32_t any(uint32_t below)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (uint32_t)(chance % below);
}

/* Never empty as a name of a function is; hostile otherwise. */
static const char *any_name(char *text, size_t bytes)
{
	static const char *const parts[] = {
		";",
		"\n",
		"\r",
		" ",
		"#",
		"\t",
		"a",
		"main",
		"\xff",
		"\xc2",
		"\xc2\xa0",
		"\xe2\x80\xa8",
		"\xe2\x80\xae",
		"\xf0\x9f\x98\x80",
		"\xed\xa0\x80",
		"\\",
		"\"",
		"%",
		"[k]",
		"_[k]",
		"0",
		"17",
		" 12",
		"swapper/0",
		"std::map<int, A>::at",
		"</script>",
		"\x01",
		"\x7f",
		"\x1b[2J",
		"\xe3\x80\x80",
		"\xc2\x85",
		"{",
		"}",
		"# {}",
		";;",
	};
	uint32_t cnt = 1 + any(6);

	text[0] = '\0';
	for (uint32_t i = 0; i < cnt; i++)
		strncat(text, parts[any(ARRAY_SIZE(parts))], bytes - strlen(text) - 1);
	return text;
}

static struct profile *any_profile(uint32_t samples)
{
	struct profile *profile = NULL;
	char name[256];
	uint32_t frames[40], frame_cnt = 1 + any(60);

	assert_int_equal(profile__new(&profile), 0);
	for (uint32_t i = 0; i < frame_cnt; i++) {
		enum profile_frame_kind kind = any(4) ? FRAME_NATIVE : FRAME_KERNEL;

		made_frame(profile, kind,
			   kind == FRAME_NATIVE ? any_name(name, sizeof(name)) : NULL, i * 16,
			   any(5) ? any_name(name, sizeof(name)) : NULL);
	}
	for (uint32_t i = 0; i < samples; i++) {
		uint32_t depth = any(20), kernel_depth = 0;

		for (uint32_t j = 0; j < depth; j++)
			frames[j] = any(profile->frame_cnt);
		while (kernel_depth < depth &&
		       profile->frames[frames[kernel_depth]].kind == FRAME_KERNEL)
			kernel_depth++;
		any_name(name, 16);
		made_sample(profile, any(8), name, frames, depth, kernel_depth,
			    any(2) ? STACK_END_COMPLETE : STACK_END_NOT_STORED,
			    any(50) ? 1 + any(1000) : UINT32_MAX + 5ull);
	}
	for (uint32_t i = 0; i < profile->process_cnt; i++)
		if (any(2))
			assert_int_equal(profile__string(profile, any_name(name, sizeof(name)),
							 &profile->processes[i].container),
					 0);
	made_account(profile, 100, 3, 2);
	made_meta(profile);
	assert_int_equal(profile__check(profile), 0);
	return profile;
}

/* What the indexer should see, straight from the profile. */
static void expect_stacks(const struct profile *profile, struct indexed *ret_stacks)
{
	char text[2048];

	for (uint32_t i = 0; i < profile->sample_cnt; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		const struct profile_stack *stack = &profile->stacks[sample->stack];
		uint32_t container = profile->processes[sample->process].container;
		const char *comm = intern__str(profile->strings, sample->thread_name);
		bool looks_idle;
		_auto_buf_ struct buf key, safe_comm;

		buf__init(&key, 1 << 20);
		buf__init(&safe_comm, 256);
		encode__safe_text(comm, strlen(comm), &safe_comm);
		looks_idle = !strncmp(safe_comm.data, "swapper", 7);
		if (looks_idle && !profile->processes[sample->process].pid)
			continue;
		if (container)
			encode__safe_text(intern__str(profile->strings, container),
					  intern__len(profile->strings, container), &key);
		buf__puts(&key, looks_idle ? "\x1f_" : "\x1f");
		buf__puts(&key, safe_comm.data);
		if (!stack->depth)
			buf__puts(&key, sample->end == STACK_END_NOT_STORED ?
						";[stack not stored]" :
						";[no stack]");
		for (uint32_t j = stack->depth; j-- > 0;) {
			uint32_t frame = profile->stack_frames[stack->first + j];

			profile_frame__text(profile, frame, text, sizeof(text));
			buf__putc(&key, ';');
			encode__safe_text(text, strlen(text), &key);
			if (profile->frames[frame].kind == FRAME_KERNEL)
				buf__puts(&key, "_[k]");
		}
		indexed__add(ret_stacks, key.data, (int64_t)sample->weight);
	}
	indexed__merge(ret_stacks);
}

/* Reads a file's lines into stacks; its header is given. */
static struct json_object *index_file(const char *file, struct indexed *stacks)
{
	const char *lines = strchr(file, '\n');
	struct json_object *header = NULL;

	assert_non_null(lines);
	assert_memory_equal(file, "# ", 2);
	assert_int_equal(json__parse(file + 2, (size_t)(lines - file - 2), &header), 0);
	assert_int_not_equal(lines[1], '\n');
	assert_true(!lines[1] || file[strlen(file) - 1] != '\n');
	assert_null(strstr(lines, "\n#"));
	indexed__lines(stacks, lines + 1);
	return header;
}

static void same_stacks(const struct indexed *a, const struct indexed *b)
{
	assert_int_equal(a->cnt, b->cnt);
	for (size_t i = 0; i < a->cnt; i++) {
		assert_string_equal(a->stacks[i].key, b->stacks[i].key);
		assert_int_equal(a->stacks[i].cnt, b->stacks[i].cnt);
	}
}

static void every_profile_parses_back_to_itself(void **state)
{
	for (uint32_t i = 0; i < 400; i++) {
		__cleanup(indexed__clear) struct indexed expected = { 0 }, got = { 0 };
		_auto_json_ struct json_object *header = NULL;
		struct profile *profile = any_profile(any(60));
		_auto_free_ char *file = NULL;
		_auto_buf_ struct buf parcel;
		uint64_t samples = 0;

		make_parcel(profile, any(2) ? "<p>\"page\"\n# {}\n\n</p>" : NULL, &parcel);
		file = file_of(&parcel, 0, 1, &samples);
		header = index_file(file, &got);
		assert_int_equal(samples, profile->account.accepted);
		assert_int_equal(got.crashes, 0);
		assert_int_equal(got.changed, 0);
		indexed__merge(&got);
		expect_stacks(profile, &expected);
		same_stacks(&got, &expected);
		profile__free(profile);
	}
}

/* ---- pieces ---- */

static void pieces_of_every_profile_add_up(void **state)
{
	for (uint32_t i = 0; i < 120; i++) {
		__cleanup(indexed__clear) struct indexed expected = { 0 }, got = { 0 };
		struct profile *profile = any_profile(any(100));
		uint32_t cnt = 2u << any(6);
		_auto_buf_ struct buf parcel;
		uint64_t samples = 0;

		make_parcel(profile, NULL, &parcel);
		for (uint32_t j = 0; j < cnt; j++) {
			_auto_free_ char *file = file_of(&parcel, j, cnt, &samples);

			json__put(index_file(file, &got));
		}
		assert_int_equal(samples, profile->account.accepted);
		assert_int_equal(got.crashes, 0);
		indexed__merge(&got);
		expect_stacks(profile, &expected);
		same_stacks(&got, &expected);
		profile__free(profile);
	}
}

static const char *lines_of(const char *file)
{
	return strchr(file, '\n') + 1;
}

static void shares_of_every_profile_add_up(void **state)
{
	for (uint32_t i = 0; i < 60; i++) {
		__cleanup(indexed__clear) struct indexed expected = { 0 }, got = { 0 };
		struct profile *profile = any_profile(any(100));
		struct encode_upload upload = { .share.cnt = 1 + any(7) };
		uint64_t samples = 0;

		for (; upload.share.index < upload.share.cnt; upload.share.index++) {
			_auto_free_ char *file = NULL;
			_auto_buf_ struct buf parcel;

			buf__init(&parcel, OUT_BYTES_MAX);
			assert_int_equal(encode__parcel(profile, &host, &upload, &parcel), 0);
			file = file_of(&parcel, 0, 1, &samples);
			json__put(index_file(file, &got));
			assert_true(upload.share.cnt == 1 ||
				    strstr(file, "\"share\":{\"number\":"));
		}
		assert_int_equal(samples, profile->account.accepted);
		assert_int_equal(got.crashes, 0);
		indexed__merge(&got);
		expect_stacks(profile, &expected);
		same_stacks(&got, &expected);
		profile__free(profile);
	}
}

static void shares_are_about_as_large_as_asked(void **state)
{
	struct profile *profile = any_profile(2000);
	struct encode_upload upload = { 0 };
	uint32_t cnt;

	assert_int_equal(encode__share_cnt(profile, 1 << 30, &cnt), 0);
	assert_int_equal(cnt, 1);
	assert_int_equal(encode__share_cnt(profile, 50000, &upload.share.cnt), 0);
	assert_in_range(upload.share.cnt, 3, 100);
	for (; upload.share.index < upload.share.cnt; upload.share.index++) {
		_auto_buf_ struct buf parcel;

		buf__init(&parcel, OUT_BYTES_MAX);
		assert_int_equal(encode__parcel(profile, &host, &upload, &parcel), 0);
		assert_true(parcel.len < 100000);
	}
	profile__free(profile);
}

static void halves_of_a_piece_are_the_piece(void **state)
{
	struct profile *profile = any_profile(500);
	_auto_buf_ struct buf parcel;
	uint64_t samples = 0;

	make_parcel(profile, NULL, &parcel);
	for (uint32_t cnt = 1; cnt <= 64; cnt *= 2) {
		for (uint32_t i = 0; i < cnt; i++) {
			_auto_free_ char *whole = file_of(&parcel, i, cnt, &samples);
			_auto_free_ char *first = file_of(&parcel, 2 * i, 2 * cnt, &samples);
			_auto_free_ char *second = file_of(&parcel, 2 * i + 1, 2 * cnt, &samples);
			const char *a = lines_of(first), *b = lines_of(second);
			_auto_buf_ struct buf both;

			buf__init(&both, OUT_BYTES_MAX);
			buf__printf(&both, "%s%s%s", a, *a && *b ? "\n" : "", b);
			assert_string_equal(both.data, lines_of(whole));
		}
	}
	profile__free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_model_reads_what_the_indexer_read),
		cmocka_unit_test(every_profile_parses_back_to_itself),
		cmocka_unit_test(pieces_of_every_profile_add_up),
		cmocka_unit_test(shares_of_every_profile_add_up),
		cmocka_unit_test(shares_are_about_as_large_as_asked),
		cmocka_unit_test(halves_of_a_piece_are_the_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

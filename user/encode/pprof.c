/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pprof's profile.proto, packed message by message: beside the packer and one order of the frames nothing is
 * held but the message at hand. Not a general writer of protocol buffers.
 *
 * An address is the offset in the module's file (of a caller: of the last byte of its call), as if each file
 * lay whole at one and the same place; a mapping reaches from where code is mapped to the last page that was
 * sampled. From these tools get the file's own addresses, however it was linked and wherever it was loaded.
 * Not at 0: a mapping that starts at its own offset is taken for a kernel's. Where kernel and generated code
 * lay is not told, since it means nothing in another run: those frames go by name alone.
 *
 * The string table is the pool of the profile in its own order, then our words, then the comments. So the index
 * of each string is known before the table is written, and a string that is no text becomes one on its way.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/compress.h"
#include "pp/base/intern.h"
#include "pp/encode.h"
#include "pp/profile.h"

#define STRING_MAX_BYTES  4096 /* a longest path; a name is cut here */
#define SCRATCH_MAX_BYTES (64u << 10)
#define PAGE_BYTES	  4096u
#define FILES_VADDR	  (1ull << 46) /* in the user's half and the start of no segment */
#define GZIP_LEVEL	  6

#define WORDS(X)                            \
	X(SAMPLES, "samples")               \
	X(COUNT, "count")                   \
	X(CPU, "cpu")                       \
	X(NANOSECONDS, "nanoseconds")       \
	X(KERNEL, "[kernel.kallsyms]")      \
	X(ANON, "[anon]")                   \
	X(UNKNOWN, "[unknown]")             \
	X(NO_STACK, "[no stack]")           \
	X(NOT_STORED, "[stack not stored]") \
	X(PID, "pid")                       \
	X(PROCESS, "process")               \
	X(THREAD, "thread")                 \
	X(CONTAINER, "container")           \
	X(CGROUP_ID, "cgroup_id")           \
	X(STACK_END, "stack_end")
enum word {
#define X(id, text) WORD_##id,
	WORDS(X)
#undef X
		WORD_CNT
};

/* profile.proto's numbers of what is used here. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
	VALUE_TYPE_TYPE = 1,
	VALUE_TYPE_UNIT = 2,
	SAMPLE_LOCATION_ID = 1,
	SAMPLE_VALUE = 2,
	SAMPLE_LABEL = 3,
	LABEL_KEY = 1,
	LABEL_STR = 2,
	LABEL_NUM = 3,
	MAPPING_ID = 1,
	MAPPING_MEMORY_START = 2,
	MAPPING_MEMORY_LIMIT = 3,
	MAPPING_FILE_OFFSET = 4,
	MAPPING_FILENAME = 5,
	MAPPING_BUILD_ID = 6,
	MAPPING_HAS_FUNCTIONS = 7,
	MAPPING_HAS_FILENAMES = 8,
	MAPPING_HAS_LINE_NUMBERS = 9,
	MAPPING_HAS_INLINE_FRAMES = 10,
	LOCATION_ID = 1,
	LOCATION_MAPPING_ID = 2,
	LOCATION_ADDRESS = 3,
	LOCATION_LINE = 4,
	LINE_FUNCTION_ID = 1,
	LINE_LINE = 2,
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
	FUNCTION_FILENAME = 4,
};

/* What is known of a module's frames. The kernel's without a module are those of module 0. */
struct mapping {
	uint64_t first_off, end_off; /* of the places sampled; 0: none was */
	uint32_t frame_cnt, name_cnt, file_cnt, line_cnt;
};
#define NO_MAPPING UINT32_MAX

struct pprof {
	const struct profile *profile; /* borrowed */
	struct gzip_stream *gzip;
	struct buf head, message, part;
	struct buf comments; /* a line each */
	uint32_t comment_cnt;
	struct mapping *mappings; /* by module */
	uint32_t *order; /* of frames: those of a function side by side */
	uint32_t *functions; /* by frame: the id of its function; 0: none */
};

static void pprof__clear(struct pprof *self)
{
	gzip_stream__free(self->gzip);
	buf__clear(&self->head);
	buf__clear(&self->message);
	buf__clear(&self->part);
	buf__clear(&self->comments);
	free(self->mappings);
	free(self->order);
	free(self->functions);
}

static void put_varint(struct buf *out, uint64_t value)
{
	unsigned char bytes[10];
	size_t len = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[len++] = (unsigned char)(value | 0x80);
	bytes[len++] = (unsigned char)value;
	buf__append(out, bytes, len);
}

/* 0 is what a field has that is not there. */
static void put_number(struct buf *out, uint32_t field, uint64_t value)
{
	if (!value)
		return;
	put_varint(out, field << 3);
	put_varint(out, value);
}

static void put_bytes(struct buf *out, uint32_t field, const struct buf *bytes)
{
	put_varint(out, field << 3 | 2);
	put_varint(out, bytes->len);
	buf__append(out, bytes->data, bytes->len);
	out->err = out->err ?: bytes->err;
}

/* The message at hand goes out as a field of the profile, and the next one may begin. */
static int emit(struct pprof *self, uint32_t field)
{
	int err = self->message.err;

	buf__reset(&self->head);
	put_varint(&self->head, field << 3 | 2);
	put_varint(&self->head, self->message.len);
	if (!err)
		err = self->head.err;
	if (!err)
		err = gzip_stream__add(self->gzip, self->head.data, self->head.len);
	if (!err)
		err = gzip_stream__add(self->gzip, self->message.data, self->message.len);
	buf__reset(&self->message);
	return err;
}

static uint32_t word(const struct pprof *self, enum word word)
{
	return intern__cnt(self->profile->strings) + word;
}

static uint32_t end_word(const struct pprof *self, uint32_t end)
{
	return word(self, WORD_CNT) + end;
}

static uint64_t times(uint64_t weight, uint64_t factor)
{
	uint64_t product;

	return __builtin_mul_overflow(weight, factor, &product) || product > INT64_MAX ? INT64_MAX :
											 product;
}

/* What a sample stands for: ns, or so many of the event that was asked for. */
static uint64_t period_of(const struct profile *profile)
{
	if (profile->meta.period)
		return profile->meta.period;
	return profile->meta.rate_hz ? 1000000000u / profile->meta.rate_hz : 0;
}

static uint32_t mapping_of(const struct profile_frame *frame)
{
	if (frame->kind == FRAME_ANON)
		return NO_MAPPING;
	return frame->module || frame->kind == FRAME_KERNEL ? frame->module : NO_MAPPING;
}

static uint64_t mapping_id(uint32_t mapping)
{
	return mapping == NO_MAPPING ? 0 : mapping + 1ull;
}

static bool has_place(const struct profile_frame *frame)
{
	return (frame->kind == FRAME_NATIVE || frame->kind == FRAME_VDSO) && frame->module;
}

static uint64_t place_of(const struct profile_frame *frame)
{
	return frame->off - (frame->is_return && frame->off);
}

/* 0: none, but whoever has the file may find one by the place. */
static uint32_t name_of(const struct pprof *self, const struct profile_frame *frame)
{
	if (frame->name || has_place(frame))
		return frame->name;
	return word(self, frame->kind == FRAME_ANON ? WORD_ANON : WORD_UNKNOWN);
}

static int compare_frames(const void *a, const void *b, void *arg)
{
	const struct pprof *self = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct profile_frame *x = &self->profile->frames[i], *y = &self->profile->frames[j];
	uint32_t x_name = name_of(self, x), y_name = name_of(self, y);

	if (x_name != y_name)
		return x_name < y_name ? -1 : 1;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return i < j ? -1 : i > j;
}

static int look_at_frames(struct pprof *self)
{
	const struct profile *profile = self->profile;

	self->order = calloc((size_t)profile->frame_cnt + 1, sizeof(*self->order));
	self->mappings = calloc((size_t)profile->module_cnt + 1, sizeof(*self->mappings));
	self->functions = calloc((size_t)profile->frame_cnt + 1, sizeof(*self->functions));
	if (!self->order || !self->mappings || !self->functions)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->frame_cnt; i++) {
		const struct profile_frame *frame = &profile->frames[i];
		struct mapping *mapping;

		self->order[i] = i;
		if (mapping_of(frame) == NO_MAPPING)
			continue;
		mapping = &self->mappings[mapping_of(frame)];
		if (has_place(frame)) {
			uint64_t off = place_of(frame);

			if (!mapping->end_off || off < mapping->first_off)
				mapping->first_off = off;
			mapping->end_off = max_of(mapping->end_off, off + 1);
		}
		mapping->frame_cnt++;
		mapping->name_cnt += name_of(self, frame) != 0;
		mapping->file_cnt += frame->file != 0;
		mapping->line_cnt += frame->line != 0;
	}
	qsort_r(self->order, profile->frame_cnt, sizeof(*self->order), compare_frames, self);
	return 0;
}

static void put_value_type(struct pprof *self, struct buf *out, enum word type, enum word unit)
{
	put_number(out, VALUE_TYPE_TYPE, word(self, type));
	put_number(out, VALUE_TYPE_UNIT, word(self, unit));
}

/* What the second value of samples is: CPU time, or the event that was asked for. */
static void put_own_type(struct pprof *self, struct buf *out)
{
	const struct profile_meta *meta = &self->profile->meta;

	if (!meta->period) {
		put_value_type(self, out, WORD_CPU, WORD_NANOSECONDS);
		return;
	}
	put_number(out, VALUE_TYPE_TYPE, meta->event);
	put_number(out, VALUE_TYPE_UNIT, word(self, WORD_COUNT));
}

static int write_sample_types(struct pprof *self)
{
	int err;

	put_value_type(self, &self->message, WORD_SAMPLES, WORD_COUNT);
	err = emit(self, PROFILE_SAMPLE_TYPE);
	put_own_type(self, &self->message);
	return err ?: emit(self, PROFILE_SAMPLE_TYPE);
}

static void put_label(struct pprof *self, enum word key, uint32_t kind, uint64_t value)
{
	if (!value)
		return;
	buf__reset(&self->part);
	put_number(&self->part, LABEL_KEY, word(self, key));
	put_number(&self->part, kind, value);
	put_bytes(&self->message, SAMPLE_LABEL, &self->part);
}

/* A sample without a frame gets one that says so: behind those of the profile. */
static void put_locations(struct pprof *self, const struct profile_sample *sample)
{
	const struct profile *profile = self->profile;
	const struct profile_stack *stack = &profile->stacks[sample->stack];

	buf__reset(&self->part);
	for (uint32_t i = 0; i < stack->depth; i++) {
		uint32_t frame = profile->stack_frames[stack->first + i];

		if (profile->frames[frame].kind != FRAME_INLINED) /* lines of its place */
			put_varint(&self->part, frame + 1ull);
	}
	if (!stack->depth)
		put_varint(&self->part,
			   profile->frame_cnt + 1ull + (sample->end == STACK_END_NOT_STORED));
	put_bytes(&self->message, SAMPLE_LOCATION_ID, &self->part);
}

static int write_sample(struct pprof *self, const struct profile_sample *sample)
{
	const struct profile_process *process = &self->profile->processes[sample->process];

	put_locations(self, sample);
	buf__reset(&self->part);
	put_varint(&self->part, times(sample->weight, 1));
	put_varint(&self->part, times(sample->weight, period_of(self->profile)));
	put_bytes(&self->message, SAMPLE_VALUE, &self->part);
	put_label(self, WORD_PID, LABEL_NUM, process->pid);
	put_label(self, WORD_PROCESS, LABEL_STR, process->name);
	put_label(self, WORD_THREAD, LABEL_STR, sample->thread_name);
	put_label(self, WORD_CONTAINER, LABEL_STR, process->container);
	put_label(self, WORD_CGROUP_ID, LABEL_NUM, sample->cgroup_id);
	if (sample->end != STACK_END_NONE && sample->end != STACK_END_COMPLETE)
		put_label(self, WORD_STACK_END, LABEL_STR, end_word(self, sample->end));
	return emit(self, PROFILE_SAMPLE);
}

static int write_mapping(struct pprof *self, uint32_t i)
{
	const struct mapping *mapping = &self->mappings[i];
	const struct profile_module *module = &self->profile->modules[i];
	uint64_t start_off = min_of(mapping->first_off, module->code_off) / PAGE_BYTES * PAGE_BYTES;
	uint64_t limit_off = (mapping->end_off + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	struct buf *out = &self->message;

	put_number(out, MAPPING_ID, mapping_id(i));
	if (mapping->end_off) {
		put_number(out, MAPPING_MEMORY_START, FILES_VADDR + start_off);
		put_number(out, MAPPING_MEMORY_LIMIT, FILES_VADDR + limit_off);
		put_number(out, MAPPING_FILE_OFFSET, start_off);
	}
	put_number(out, MAPPING_FILENAME, i ? module->path : word(self, WORD_KERNEL));
	put_number(out, MAPPING_BUILD_ID, module->build_id);
	put_number(out, MAPPING_HAS_FUNCTIONS, mapping->name_cnt == mapping->frame_cnt);
	put_number(out, MAPPING_HAS_FILENAMES, mapping->file_cnt == mapping->frame_cnt);
	put_number(out, MAPPING_HAS_LINE_NUMBERS, mapping->line_cnt == mapping->frame_cnt);
	put_number(out, MAPPING_HAS_INLINE_FRAMES,
		   i && self->profile->meta.wants_lines && mapping->line_cnt == mapping->frame_cnt);
	return emit(self, PROFILE_MAPPING);
}

/* As tools do that want the program itself for the first mapping: what does not look like a library. */
static bool is_program(const struct pprof *self, uint32_t i)
{
	const char *path = intern__str(self->profile->strings, self->profile->modules[i].path);

	return path[0] != '[' && !strstr(path, ".so");
}

/* Programs, then the others; the kernel last. */
static int write_mappings(struct pprof *self)
{
	uint32_t module_cnt = self->profile->module_cnt;
	int err = 0;

	for (uint32_t i = 1; i < module_cnt && !err; i++) {
		if (self->mappings[i].frame_cnt && is_program(self, i))
			err = write_mapping(self, i);
	}
	for (uint32_t i = 1; i < module_cnt && !err; i++) {
		if (self->mappings[i].frame_cnt && !is_program(self, i))
			err = write_mapping(self, i);
	}
	if (!err && self->mappings[0].frame_cnt)
		err = write_mapping(self, 0);
	return err;
}

static int write_function(struct pprof *self, uint64_t id, uint32_t name, uint32_t file)
{
	put_number(&self->message, FUNCTION_ID, id);
	put_number(&self->message, FUNCTION_NAME, name);
	put_number(&self->message, FUNCTION_SYSTEM_NAME, name);
	put_number(&self->message, FUNCTION_FILENAME, file);
	return emit(self, PROFILE_FUNCTION);
}

static void put_line(struct pprof *self, uint64_t function_id, uint32_t line)
{
	buf__reset(&self->part);
	put_number(&self->part, LINE_FUNCTION_ID, function_id);
	put_number(&self->part, LINE_LINE, line);
	put_bytes(&self->message, LOCATION_LINE, &self->part);
}

/* The innermost function first. */
static void put_lines(struct pprof *self, uint32_t frame)
{
	uint32_t chain[PROFILE_DEPTH_MAX], cnt = 0;

	for (; cnt < PROFILE_DEPTH_MAX; frame = self->profile->frames[frame].inner - 1) {
		chain[cnt++] = frame;
		if (!self->profile->frames[frame].inner)
			break;
	}
	while (cnt--)
		if (self->functions[chain[cnt]])
			put_line(self, self->functions[chain[cnt]],
				 self->profile->frames[chain[cnt]].line);
}

static int write_location(struct pprof *self, uint32_t i)
{
	const struct profile_frame *frame = &self->profile->frames[i];

	put_number(&self->message, LOCATION_ID, i + 1ull);
	put_number(&self->message, LOCATION_MAPPING_ID, mapping_id(mapping_of(frame)));
	if (has_place(frame))
		put_number(&self->message, LOCATION_ADDRESS, FILES_VADDR + place_of(frame));
	put_lines(self, i);
	return emit(self, PROFILE_LOCATION);
}

/* The two for samples without frames. */
static int write_stand_ins(struct pprof *self, uint64_t function_id)
{
	int err = 0;

	for (uint32_t i = 0; i < 2 && !err; i++) {
		err = write_function(self, function_id + i,
				     word(self, i ? WORD_NOT_STORED : WORD_NO_STACK), 0);
		if (err)
			return err;
		put_number(&self->message, LOCATION_ID, self->profile->frame_cnt + 1ull + i);
		put_line(self, function_id + i, 0);
		err = emit(self, PROFILE_LOCATION);
	}
	return err;
}

/* Functions, then places: one may stand for several functions. */
static int write_functions_and_locations(struct pprof *self)
{
	uint32_t function_id = 0;
	uint32_t last_name = 0, last_file = 0;
	int err = 0;

	for (uint32_t i = 0; i < self->profile->frame_cnt && !err; i++) {
		const struct profile_frame *frame = &self->profile->frames[self->order[i]];
		uint32_t name = name_of(self, frame);

		if (name && (name != last_name || frame->file != last_file))
			err = write_function(self, ++function_id, name, frame->file);
		last_name = name;
		last_file = frame->file;
		self->functions[self->order[i]] = name ? function_id : 0;
	}
	for (uint32_t i = 0; i < self->profile->frame_cnt && !err; i++)
		if (self->profile->frames[self->order[i]].kind != FRAME_INLINED)
			err = write_location(self, self->order[i]);
	return err ?: write_stand_ins(self, function_id + 1);
}

static int write_string(struct pprof *self, const char *text, size_t len)
{
	if (len)
		encode__safe_text(text, min_of(len, (size_t)STRING_MAX_BYTES), &self->message);
	return emit(self, PROFILE_STRING_TABLE);
}

static int write_strings(struct pprof *self)
{
	static const char *const words[] = {
#define X(id, text) text,
		WORDS(X)
#undef X
	};
	const struct intern *strings = self->profile->strings;
	char *line = self->comments.data;
	int err = 0;

	for (uint32_t i = 0; i < intern__cnt(strings) && !err; i++)
		err = write_string(self, intern__str(strings, i), intern__len(strings, i));
	for (uint32_t i = 0; i < WORD_CNT && !err; i++)
		err = write_string(self, words[i], strlen(words[i]));
	for (uint32_t i = 0; i < STACK_END_CNT && !err; i++) {
		const char *name = profile_stack_end__name(i);

		err = write_string(self, name, strlen(name));
	}
	for (uint32_t i = 0; i < self->comment_cnt && !err; i++) {
		char *end = strchr(line, '\n');

		err = write_string(self, line, (size_t)(end - line));
		line = end + 1;
	}
	return err;
}

static int make_comments(struct pprof *self)
{
	int err = pprof_comments__append(self->profile, &self->comments);

	for (size_t i = 0; i < self->comments.len; i++)
		self->comment_cnt += self->comments.data[i] == '\n';
	return err;
}

/* The profile's own fields that are not messages: they stand as they are. */
static int write_facts(struct pprof *self)
{
	const struct profile_meta *meta = &self->profile->meta;
	struct buf *out = &self->message;

	put_number(out, PROFILE_TIME_NANOS, meta->start_real_ns);
	put_number(out, PROFILE_DURATION_NANOS, meta->duration_ns);
	buf__reset(&self->part);
	put_own_type(self, &self->part);
	put_bytes(out, PROFILE_PERIOD_TYPE, &self->part);
	put_number(out, PROFILE_PERIOD, period_of(self->profile));
	for (uint32_t i = 0; i < self->comment_cnt; i++)
		put_number(out, PROFILE_COMMENT, end_word(self, STACK_END_CNT) + i);
	put_number(out, PROFILE_DEFAULT_SAMPLE_TYPE,
		   meta->period ? meta->event : word(self, WORD_CPU));
	return out->err ?: gzip_stream__add(self->gzip, out->data, out->len);
}

int encode__pprof(const struct profile *profile, const struct encode_sink *sink)
{
	__cleanup(pprof__clear) struct pprof self = { .profile = profile };
	int err;

	buf__init(&self.head, SCRATCH_MAX_BYTES);
	buf__init(&self.message, SCRATCH_MAX_BYTES);
	buf__init(&self.part, SCRATCH_MAX_BYTES);
	buf__init(&self.comments, SCRATCH_MAX_BYTES);
	err = gzip_stream__new(GZIP_LEVEL, sink->write, sink->arg, &self.gzip);
	if (!err)
		err = look_at_frames(&self);
	if (!err)
		err = make_comments(&self);
	if (!err)
		err = write_sample_types(&self);
	for (uint32_t i = 0; i < profile->sample_cnt && !err; i++)
		err = write_sample(&self, &profile->samples[i]);
	if (!err)
		err = write_mappings(&self);
	if (!err)
		err = write_functions_and_locations(&self);
	if (!err)
		err = write_strings(&self);
	if (!err)
		err = write_facts(&self);
	return err ?: gzip_stream__end(self.gzip);
}

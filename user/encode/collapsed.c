/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Collapsed stacks in the Studio's grammar: index;container;comm;frame;...;frame count. The indexer at
 * the other end dies of a blank line or a line without a count, so every line is made whole here: a
 * sample without frames gets one that says so, and a count beyond 32 bits is split over lines.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/intern.h"
#include "pp/base/vec.h"
#include "pp/encode.h"
#include "pp/profile.h"

/* Room behind each key for " 4294967295". */
#define COUNT_ROOM "           "
/* Of index, container, thread name and count; more or less. */
#define LINE_LEAST_BYTES 64

/* A line, at first without its count: text[off .. off+len). */
struct line {
	size_t off;
	size_t len;
	uint64_t cnt;
};

struct collapsed {
	const struct profile *profile; /* borrowed */
	uint32_t *order; /* of samples: those of a process side by side */
	struct buf frame_text;
	size_t *frame_off; /* frame_cnt + 1 offsets in frame_text */
	struct buf text;
	struct line *lines;
	size_t line_cnt;
	size_t line_cap;
};

static void collapsed__clear(struct collapsed *self)
{
	buf__clear(&self->frame_text);
	buf__clear(&self->text);
	free(self->order);
	free(self->frame_off);
	free(self->lines);
}

static int make_frame_texts(struct collapsed *self)
{
	const struct profile *profile = self->profile;
	char text[ENCODE_TEXT_BYTES];

	self->frame_off = calloc((size_t)profile->frame_cnt + 1, sizeof(*self->frame_off));
	if (!self->frame_off)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->frame_cnt; i++) {
		profile_frame__text(profile, i, text, sizeof(text));
		encode__safe_text(text, strlen(text), &self->frame_text);
		if (profile->frames[i].kind == FRAME_KERNEL)
			buf__puts(&self->frame_text, "_[k]");
		self->frame_off[i + 1] = self->frame_text.len;
	}
	return self->frame_text.err;
}

static void append_frames(struct collapsed *self, const struct profile_sample *sample)
{
	const struct profile_stack *stack = &self->profile->stacks[sample->stack];
	const uint32_t *frames = self->profile->stack_frames + stack->first;

	if (!stack->depth)
		buf__puts(&self->text, sample->end == STACK_END_NOT_STORED ? ";[stack not stored]" :
									     ";[no stack]");
	for (uint32_t i = stack->depth; i-- > 0;) {
		size_t off = self->frame_off[frames[i]];

		buf__putc(&self->text, ';');
		buf__append(&self->text, self->frame_text.data + off,
			    self->frame_off[frames[i] + 1] - off);
	}
}

/* The Studio takes a stack for an idle CPU's and drops it by this name alone; only the idle tasks may have it. */
static void append_thread_name(struct collapsed *self, const struct profile_sample *sample)
{
	const struct intern *strings = self->profile->strings;
	struct buf *text = &self->text;
	size_t start = text->len;

	encode__safe_text(intern__str(strings, sample->thread_name),
			  intern__len(strings, sample->thread_name), text);
	if (text->err || strncmp(text->data + start, "swapper", 7) ||
	    !self->profile->processes[sample->process].pid || buf__putc(text, '_'))
		return;
	memmove(text->data + start + 1, text->data + start, text->len - start - 1);
	text->data[start] = '_';
}

static int append_line(struct collapsed *self, const struct profile_sample *sample)
{
	const struct intern *strings = self->profile->strings;
	uint32_t container = self->profile->processes[sample->process].container;
	struct line *line = &self->lines[self->line_cnt];

	line->off = self->text.len;
	line->cnt = sample->weight;
	/* Index 0 of application_metadata is always null: nothing more is known of the process. */
	buf__puts(&self->text, "0;");
	if (container)
		encode__safe_text(intern__str(strings, container), intern__len(strings, container),
				  &self->text);
	buf__putc(&self->text, ';');
	append_thread_name(self, sample);
	append_frames(self, sample);
	line->len = self->text.len - line->off;
	self->line_cnt++;
	return buf__puts(&self->text, COUNT_ROOM);
}

static int compare_keys(const void *a, const void *b, void *text)
{
	const struct line *x = a, *y = b;
	int order = memcmp((char *)text + x->off, (char *)text + y->off, min_of(x->len, y->len));

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void sort_lines(struct collapsed *self)
{
	qsort_r(self->lines, self->line_cnt, sizeof(*self->lines), compare_keys, self->text.data);
}

/* Different offsets in one function give equal lines; lines are sorted. */
static void merge_equal_lines(struct collapsed *self)
{
	size_t kept = 0;

	for (size_t i = 1; i < self->line_cnt; i++) {
		struct line *last = &self->lines[kept], *line = &self->lines[i];

		if (compare_keys(last, line, self->text.data))
			self->lines[++kept] = *line;
		else
			last->cnt += line->cnt;
	}
	if (self->line_cnt)
		self->line_cnt = kept + 1;
}

/* A second line of the same stack, for what does not fit into the Studio's 32 bits. */
static int split_line(struct collapsed *self, size_t i)
{
	struct line *line;
	_auto_free_ char *key = NULL;
	int err;

	err = vec_room(self->lines, self->line_cnt + 1, self->line_cap,
		       ENCODE_SCRATCH_BYTES / sizeof(*line));
	if (err)
		return err;
	line = &self->lines[self->line_cnt];
	*line = self->lines[i];
	key = strndup(self->text.data + line->off, line->len);
	if (!key)
		return -ENOMEM;
	line->off = self->text.len;
	line->cnt = UINT32_MAX;
	self->lines[i].cnt -= UINT32_MAX;
	self->line_cnt++;
	buf__append(&self->text, key, line->len);
	return buf__puts(&self->text, COUNT_ROOM);
}

/* Counts go into the text, so that the order of whole lines is the order of bytes. */
static int write_counts(struct collapsed *self)
{
	size_t merged_cnt = self->line_cnt;
	char count[sizeof(COUNT_ROOM)];
	int err = 0;

	for (size_t i = 0; i < merged_cnt && !err; i++) {
		while (self->lines[i].cnt > UINT32_MAX && !err)
			err = split_line(self, i);
	}
	for (size_t i = 0; i < self->line_cnt && !err; i++) {
		struct line *line = &self->lines[i];
		int len = snprintf(count, sizeof(count), " %" PRIu32, (uint32_t)line->cnt);

		memcpy(self->text.data + line->off + line->len, count, len);
		line->len += len;
	}
	return err;
}

static int compare_samples(const void *a, const void *b, void *samples)
{
	const struct profile_sample *x = (struct profile_sample *)samples + *(const uint32_t *)a;
	const struct profile_sample *y = (struct profile_sample *)samples + *(const uint32_t *)b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return (x > y) - (x < y);
}

static int order_samples(struct collapsed *self)
{
	const struct profile *profile = self->profile;

	self->order = calloc((size_t)profile->sample_cnt + 1, sizeof(*self->order));
	if (!self->order)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->sample_cnt; i++)
		self->order[i] = i;
	qsort_r(self->order, profile->sample_cnt, sizeof(*self->order), compare_samples,
		profile->samples);
	return 0;
}

int collapsed_share__append(const struct profile *profile, struct encode_share share,
			    struct buf *out)
{
	__cleanup(collapsed__clear) struct collapsed self = { .profile = profile };
	uint64_t cnt = profile->sample_cnt;
	uint32_t begin = (uint32_t)(cnt * share.index / share.cnt);
	uint32_t end = (uint32_t)(cnt * (share.index + 1) / share.cnt);
	int err;

	buf__init(&self.frame_text, ENCODE_SCRATCH_BYTES);
	buf__init(&self.text, ENCODE_SCRATCH_BYTES);
	err = make_frame_texts(&self);
	if (!err)
		err = order_samples(&self);
	if (!err)
		err = vec_room(self.lines, end - begin + 1, self.line_cap,
			       ENCODE_SCRATCH_BYTES / sizeof(*self.lines));
	for (uint32_t i = begin; i < end && !err; i++)
		err = append_line(&self, &profile->samples[self.order[i]]);
	if (err)
		return err;
	sort_lines(&self);
	merge_equal_lines(&self);
	err = write_counts(&self);
	if (err)
		return err;
	sort_lines(&self);
	for (size_t i = 0; i < self.line_cnt; i++) {
		if (i)
			buf__putc(out, '\n');
		buf__append(out, self.text.data + self.lines[i].off, self.lines[i].len);
	}
	return out->err;
}

int encode__collapsed(const struct profile *profile, struct buf *out)
{
	return collapsed_share__append(profile, (struct encode_share){ .cnt = 1 }, out);
}

int encode__share_cnt(const struct profile *profile, size_t share_bytes, uint32_t *ret_cnt)
{
	__cleanup(collapsed__clear) struct collapsed self = { .profile = profile };
	uint64_t bytes = 0;
	int err;

	buf__init(&self.frame_text, ENCODE_SCRATCH_BYTES);
	err = make_frame_texts(&self);
	if (err)
		return err;
	for (uint32_t i = 0; i < profile->sample_cnt; i++) {
		const struct profile_stack *stack = &profile->stacks[profile->samples[i].stack];
		const uint32_t *frames = profile->stack_frames + stack->first;

		bytes += LINE_LEAST_BYTES;
		for (uint32_t j = 0; j < stack->depth; j++)
			bytes += self.frame_off[frames[j] + 1] - self.frame_off[frames[j]] + 1;
	}
	*ret_cnt = (uint32_t)min_of(bytes / share_bytes + 1, (uint64_t)UINT16_MAX);
	return 0;
}

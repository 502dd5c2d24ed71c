/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The collapsed grammar read back: "index;container;comm;frame;...;frame count", root first. Takes a
 * line apart, says whether its user stack reaches a known bottom, and builds a profile of named frames
 * from stored lines, for the flame graph of an upload that brought none. Frames have no addresses here.
 */
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/profile.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WEIGHT_MAX UINT32_MAX

/* Cuts the field before the next ';' off text; the last field takes all. */
static const char *next_field(const char **text, size_t *len, size_t *ret_len)
{
	const char *field = *text;
	const char *end = memchr(field, ';', *len);

	*ret_len = end ? (size_t)(end - field) : *len;
	*text += *ret_len + !!end;
	*len -= *ret_len + !!end;
	return field;
}

static bool parse_weight(const char *text, size_t len, uint64_t *ret_weight)
{
	uint64_t weight = 0;
	size_t i;

	if (!len || len > 10)
		return false;
	for (i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		weight = weight * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_weight = weight;
	return weight >= 1 && weight <= WEIGHT_MAX;
}

static bool is_index(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return len >= 1 && len <= 10;
}

static void trim(const char **text, size_t *len)
{
	while (*len && isspace((unsigned char)(*text)[0])) {
		(*text)++;
		(*len)--;
	}
	while (*len && isspace((unsigned char)(*text)[*len - 1]))
		(*len)--;
}

int collapsed_line__parse(const char *text, size_t len, struct collapsed_form form,
			  struct collapsed_line *ret_line)
{
	struct collapsed_line line = { .container = "" };
	const char *blank, *index;
	size_t index_len;

	trim(&text, &len);
	if (!len)
		return -ENODATA;
	blank = memrchr(text, ' ', len);
	if (len > LINE_MAX_BYTES || text[0] == '#' || !blank ||
	    !parse_weight(blank + 1, len - (size_t)(blank + 1 - text), &line.weight))
		return -EBADMSG;
	len = (size_t)(blank - text);
	if (form.has_index) {
		index = next_field(&text, &len, &index_len);
		if (!is_index(index, index_len) || !len)
			return -EBADMSG;
	}
	if (form.has_container)
		line.container = next_field(&text, &len, &line.container_len);
	line.comm = next_field(&text, &len, &line.comm_len);
	if (!line.comm_len)
		return -EBADMSG;
	line.frames = text;
	line.frames_len = len;
	*ret_line = line;
	return 0;
}

static bool is_kernel(const char *frame, size_t len)
{
	return len > 4 && !memcmp(frame + len - 4, "_[k]", 4);
}

bool collapsed_line__is_complete(const struct collapsed_line *self, bool *ret_has_user)
{
	static const char *const bottoms[] = { "_start",  "clone",    "clone3",
					       "__clone", "__clone3", "start_thread" };
	const char *text = self->frames, *root;
	size_t len = self->frames_len, root_len, i;

	do { /* an application id is no frame */
		root = next_field(&text, &len, &root_len);
	} while (len && root_len > 6 && !memcmp(root, "appid:", 6));
	*ret_has_user = root_len && !is_kernel(root, root_len) &&
			!(root_len == 10 && !memcmp(root, "[no stack]", 10)); /* our own mark */
	for (i = 0; *ret_has_user && i < ARRAY_SIZE(bottoms); i++)
		if (root_len == strlen(bottoms[i]) && !memcmp(root, bottoms[i], root_len))
			return true;
	return false;
}

static int intern_text(struct profile *profile, const char *text, size_t len, uint32_t *ret_id)
{
	return intern__add(profile->strings, text, len, ret_id);
}

/* The name is the frame's identity: its string id stands where an address would. */
static int add_frame(struct profile *profile, const char *text, size_t len, bool is_kernel_frame,
		     uint32_t *ret_frame)
{
	uint32_t name;
	int err;

	if (is_kernel_frame)
		len -= 4; /* encoders put the mark back */
	err = intern_text(profile, text, len, &name);
	err = err ? err :
		    profile__frame(profile, is_kernel_frame ? FRAME_KERNEL : FRAME_NATIVE, 0, name,
				   false, ret_frame);
	if (!err)
		profile->frames[*ret_frame].name = name;
	return err;
}

/* Frames of a line, turned leaf first; past PROFILE_DEPTH_MAX the leaves are cut. */
static int add_stack(struct profile *profile, const struct collapsed_line *line,
		     uint32_t *ret_stack)
{
	uint32_t frames[PROFILE_DEPTH_MAX], turned[PROFILE_DEPTH_MAX];
	const char *text = line->frames, *frame;
	size_t len = line->frames_len, frame_len;
	uint32_t depth = 0, kernel_depth = 0, i;
	int err;

	while (len && depth < PROFILE_DEPTH_MAX) {
		bool in_kernel;

		frame = next_field(&text, &len, &frame_len);
		if (!frame_len)
			continue;
		in_kernel = is_kernel(frame, frame_len);
		err = add_frame(profile, frame, frame_len, in_kernel, &frames[depth]);
		if (err)
			return err;
		kernel_depth = in_kernel ? kernel_depth + 1 : 0;
		depth++;
	}
	for (i = 0; i < depth; i++)
		turned[i] = frames[depth - 1 - i];
	return profile__stack(profile, turned, depth, kernel_depth, ret_stack);
}

/* A process stands for a name in a container: lines do not say more, above all no pid. */
static int add_process(struct profile *profile, const struct collapsed_line *line, const char *comm,
		       uint32_t *ret_process)
{
	uint32_t key, container;
	int err;

	err = intern_text(profile, line->container, line->container_len, &container);
	err = err ? err :
		    intern_text(profile, line->container,
				(size_t)(line->comm + line->comm_len - line->container), &key);
	err = err ? err : profile__process(profile, 0, 0, key, comm, ret_process);
	if (!err)
		profile->processes[*ret_process].container = container;
	return err;
}

static int add_line(struct profile *profile, const struct collapsed_line *line)
{
	uint32_t process, stack;
	bool has_user, complete;
	char comm[256];
	int err;

	snprintf(comm, sizeof(comm), "%.*s", (int)min_of(line->comm_len, sizeof(comm) - 1),
		 line->comm);
	complete = collapsed_line__is_complete(line, &has_user);
	err = add_process(profile, line, comm, &process);
	err = err ? err : add_stack(profile, line, &stack);
	if (err)
		return err;
	return profile__add(profile, process, comm, 0, stack,
			    complete ? STACK_END_COMPLETE :
			    has_user ? STACK_END_NO_FRAME_POINTER :
				       STACK_END_NONE,
			    line->weight);
}

int collapsed__to_profile(const char *text, size_t len, struct profile *profile)
{
	const struct collapsed_form form = { .has_index = true, .has_container = true };
	const char *end = text + len;
	struct collapsed_line line;
	uint64_t total = 0;
	int err;

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		const size_t line_len = (size_t)((eol ? eol : end) - text);

		err = collapsed_line__parse(text, line_len, form, &line);
		err = err ? err : add_line(profile, &line);
		if (err)
			return err;
		total += line.weight;
		text += line_len + 1;
	}
	profile->account.expected = total;
	profile->account.taken = total;
	profile->account.accepted = total;
	return 0;
}

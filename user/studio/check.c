/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is wrong with a body, word by word, in the form that the Studio's clients know:
 * {"detail": [{"loc": ["body", NAME], "msg", "type"}]}. Takes numbers as the real web app does (whole
 * numbers in text, fractions cut off). Every text from outside is bounded here.
 */
#include "internal.h"

#include "pp/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_BYTES 1024
#define NUMBER_MAX     1000000000000000
#define FAULTS_MAX     50 /* of one body */

struct json_object *check_loc(const char *place, const char *name)
{
	struct json_object *loc = json__new_array();

	(void)json__add_str(loc, NULL, place);
	(void)json__add_str(loc, NULL, name);
	return loc;
}

void check__fail_at(struct check *self, struct json_object *loc, const char *type, const char *msg)
{
	struct json_object *item;

	if (!self->detail)
		self->detail = json__new_array();
	if (json__len(self->detail) >= FAULTS_MAX) {
		json__put(loc);
		return;
	}
	item = json__new_object();
	(void)json__add(item, "loc", loc);
	(void)json__add_str(item, "msg", msg);
	(void)json__add_str(item, "type", type);
	(void)json__add(self->detail, NULL, item);
}

void check__fail(struct check *self, const char *name, const char *type, const char *msg)
{
	check__fail_at(self, check_loc("body", name), type, msg);
}

const char *check__str(struct check *self, const char *name, bool is_required)
{
	const char *text = NULL;
	const int err = json__get_str(self->body, name, &text);

	if (err == -ENOENT && is_required)
		check__fail(self, name, "value_error.missing", "field required");
	else if (err && err != -ENOENT)
		check__fail(self, name, "type_error.str", "str type expected, without NUL");
	else if (!err && strlen(text) > TEXT_MAX_BYTES)
		check__fail(self, name, "value_error.any_str.max_length", "at most 1024 bytes");
	else if (!err && is_required && !*text)
		check__fail(self, name, "value_error.any_str.min_length", "must not be empty");
	return err ? "" : text;
}

bool text_whole(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return *text && !*end && !errno;
}

bool json_whole(const struct json_object *value, int64_t *ret)
{
	if (json__is_str(value))
		return text_whole(json__str(value), ret);
	if (!json__is_number(value))
		return false;
	*ret = json__int(value); /* no fraction, and the nearest one if it is too large */
	return *ret > -NUMBER_MAX && *ret < NUMBER_MAX;
}

int64_t check__int(struct check *self, const char *name, int64_t min, int64_t max, const char *msg,
		   int64_t fallback)
{
	struct json_object *value;
	int64_t number;

	const int err = json__get_any(self->body, name, &value);

	if (err == -ENOENT)
		return fallback;
	if (err || !json_whole(value, &number))
		check__fail(self, name, "type_error.integer", "value is not a valid integer");
	else if (number < min || number > max)
		check__fail(self, name, "value_error", msg);
	else
		return number;
	return fallback;
}

bool check__bool(struct check *self, const char *name, bool fallback)
{
	bool value = fallback;
	const int err = json__get_bool(self->body, name, &value);

	if (err && err != -ENOENT)
		check__fail(self, name, "type_error.bool",
			    "value could not be parsed to a boolean");
	return err ? fallback : value;
}

const char *check__word(struct check *self, const char *name, const char *const *words,
			const char *msg, const char *fallback)
{
	const char *text = check__str(self, name, !fallback);

	if (!*text)
		return fallback ? fallback : "";
	for (; *words; words++)
		if (!strcmp(text, *words))
			return text;
	check__fail(self, name, "value_error", msg);
	return fallback ? fallback : "";
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JSON by json-c, the only file that includes it. What json-c would let through is refused here:
 * text behind the value, NaN and Infinity, NUL in strings. What we print is always valid UTF-8,
 * whatever names were put in. Not a schema: rooms know their own fields.
 */
#include "pp/base/json.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <json-c/json_visit.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pp/base/buf.h"

#define MAX_DEPTH 32

/*
 * Length of the UTF-8 sequence at s (RFC 3629: no overlong forms, no surrogates), 0 if it is none.
 */
static size_t utf8_len(const unsigned char *s, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (len > left)
		return 0;
	switch (s[0]) {
	case 0xe0: low = 0xa0; break;
	case 0xed: high = 0x9f; break;
	case 0xf0: low = 0x90; break;
	case 0xf4: high = 0x8f; break;
	default: break;
	}
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

/* How many bytes of it are UTF-8 from the start. */
static size_t utf8_prefix(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t good = 0, n;

	while (good < len && (n = utf8_len(s + good, len - good)))
		good += n;
	return good;
}

/* json-c keeps a double's text, to print it again, and reads "1." and "-.5", which are not JSON. */
static bool is_json_double(struct json_object *value)
{
	const char *text = json_object_to_json_string(value);
	const char *dot = text ? strchr(text, '.') : NULL;

	if (!text || !isfinite(json_object_get_double(value)))
		return false;
	return !dot ||
	       (dot > text && isdigit((unsigned char)dot[-1]) && isdigit((unsigned char)dot[1]));
}

static int check_value(struct json_object *value, int flags, struct json_object *parent,
		       const char *name, size_t *index, void *arg)
{
	if (json_object_is_type(value, json_type_double) && !is_json_double(value))
		return JSON_C_VISIT_RETURN_ERROR;
	return JSON_C_VISIT_RETURN_CONTINUE;
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!memchr(" \t\r\n", text[i], 4))
			return false;
	}
	return true;
}

static int parse(struct json_tokener *tokener, const char *text, size_t len,
		 struct json_object **ret_json)
{
	struct json_object *json = json_tokener_parse_ex(tokener, text, (int)len);
	size_t end = json_tokener_get_parse_end(tokener);

	/* A number at the very end: only more text, here a NUL, tells json-c that it is over. */
	if (json_tokener_get_error(tokener) == json_tokener_continue) {
		json = json_tokener_parse_ex(tokener, "", 1);
		end = len;
	}
	if (json_tokener_get_error(tokener) != json_tokener_success)
		return -EBADMSG;
	if (!is_blank(text + end, len - end) || json_c_visit(json, 0, check_value, NULL) < 0) {
		json_object_put(json);
		return -EBADMSG;
	}
	*ret_json = json;
	return 0;
}

int json__parse(const char *text, size_t len, struct json_object **ret_json)
{
	struct json_tokener *tokener;
	int err;

	/* json-c's own validation lets surrogates pass. */
	if (len == 0 || len >= INT_MAX || utf8_prefix(text, len) != len)
		return -EBADMSG;
	tokener = json_tokener_new_ex(MAX_DEPTH);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	err = parse(tokener, text, len, ret_json);
	json_tokener_free(tokener);
	return err;
}

void json__put(struct json_object *self)
{
	json_object_put(self);
}

struct json_object *json__get(struct json_object *self)
{
	return json_object_get(self);
}

struct json_object *json__new_object(void)
{
	return json_object_new_object();
}

struct json_object *json__new_array(void)
{
	return json_object_new_array();
}

static int attach(struct json_object *self, const char *name, struct json_object *value)
{
	int failed;

	if (json_object_is_type(self, json_type_array))
		failed = json_object_array_add(self, value);
	else if (json_object_is_type(self, json_type_object) && name)
		failed = json_object_object_add(self, name, value);
	else
		failed = -1;
	if (!failed)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

int json__add(struct json_object *self, const char *name, struct json_object *value)
{
	return value ? attach(self, name, value) : -ENOMEM;
}

int json__add_null(struct json_object *self, const char *name)
{
	return attach(self, name, NULL);
}

static struct json_object *new_str(const char *value)
{
	size_t len = strlen(value);
	const unsigned char *s = (const unsigned char *)value;
	_auto_buf_ struct buf mended = { .max_bytes = SIZE_MAX / 2 };
	size_t n;

	if (utf8_prefix(value, len) == len)
		return len > INT_MAX ? NULL : json_object_new_string_len(value, (int)len);
	for (size_t i = 0; i < len; i += n ? n : 1) {
		n = utf8_len(s + i, len - i);
		if (n)
			buf__append(&mended, s + i, n);
		else
			buf__puts(&mended, "\xef\xbf\xbd"); /* U+FFFD */
	}
	if (mended.err || mended.len > INT_MAX)
		return NULL;
	return json_object_new_string_len(mended.data, (int)mended.len);
}

int json__add_str(struct json_object *self, const char *name, const char *value)
{
	return value ? json__add(self, name, new_str(value)) : json__add_null(self, name);
}

int json__add_int(struct json_object *self, const char *name, int64_t value)
{
	return json__add(self, name, json_object_new_int64(value));
}

int json__add_u64(struct json_object *self, const char *name, uint64_t value)
{
	return json__add(self, name, json_object_new_uint64(value));
}

int json__add_double(struct json_object *self, const char *name, double value)
{
	char text[32];

	if (!isfinite(value))
		return json__add_null(self, name);
	snprintf(text, sizeof(text), "%.6g", value);
	return json__add(self, name, json_object_new_double_s(value, text));
}

int json__add_bool(struct json_object *self, const char *name, bool value)
{
	return json__add(self, name, json_object_new_boolean(value));
}

bool json__is_object(const struct json_object *self)
{
	return json_object_is_type(self, json_type_object);
}

bool json__is_array(const struct json_object *self)
{
	return json_object_is_type(self, json_type_array);
}

bool json__is_str(const struct json_object *self)
{
	return json_object_is_type(self, json_type_string);
}

bool json__is_null(const struct json_object *self)
{
	return json_object_is_type(self, json_type_null);
}

bool json__is_int(const struct json_object *self)
{
	return json_object_is_type(self, json_type_int);
}

bool json__is_number(const struct json_object *self)
{
	return json__is_int(self) || json_object_is_type(self, json_type_double);
}

bool json__is_bool(const struct json_object *self)
{
	return json_object_is_type(self, json_type_boolean);
}

int json__get_any(const struct json_object *self, const char *name, struct json_object **ret)
{
	struct json_object *value;

	if (!self)
		return -ENOENT;
	if (!json__is_object(self))
		return -EBADMSG;
	if (!json_object_object_get_ex(self, name, &value) || !value)
		return -ENOENT;
	*ret = value;
	return 0;
}

static int get_typed(const struct json_object *self, const char *name, enum json_type type,
		     struct json_object **ret)
{
	struct json_object *value;
	int err = json__get_any(self, name, &value);

	if (err)
		return err;
	if (!json_object_is_type(value, type))
		return -EBADMSG;
	*ret = value;
	return 0;
}

/* NULL if it holds a NUL. */
static const char *clean_str(const struct json_object *value)
{
	struct json_object *v = (struct json_object *)
		value; /* json-c has no const getter; a string is not changed */
	const char *str = json_object_get_string(v);

	return str && strlen(str) == (size_t)json_object_get_string_len(v) ? str : NULL;
}

int json__get_str(const struct json_object *self, const char *name, const char **ret_str)
{
	struct json_object *value;
	const char *str;
	int err = get_typed(self, name, json_type_string, &value);

	if (err)
		return err;
	str = clean_str(value);
	if (!str)
		return -EBADMSG;
	*ret_str = str;
	return 0;
}

int json__get_int(const struct json_object *self, const char *name, int64_t min, int64_t max,
		  int64_t *ret)
{
	struct json_object *value;
	int64_t number;
	int err = get_typed(self, name, json_type_int, &value);

	if (err)
		return err;
	number = json_object_get_int64(value);
	/* What lies above INT64_MAX comes as INT64_MAX. */
	if (number < min || number > max ||
	    (number > 0 && json_object_get_uint64(value) > INT64_MAX))
		return -EBADMSG;
	*ret = number;
	return 0;
}

int json__get_double(const struct json_object *self, const char *name, double *ret)
{
	struct json_object *value;
	int err = json__get_any(self, name, &value);

	if (err)
		return err;
	if (!json_object_is_type(value, json_type_double) && !json__is_int(value))
		return -EBADMSG;
	*ret = json_object_get_double(value);
	return 0;
}

int json__get_bool(const struct json_object *self, const char *name, bool *ret)
{
	struct json_object *value;
	int err = get_typed(self, name, json_type_boolean, &value);

	if (err)
		return err;
	*ret = json_object_get_boolean(value);
	return 0;
}

int json__get_object(const struct json_object *self, const char *name, struct json_object **ret)
{
	return get_typed(self, name, json_type_object, ret);
}

int json__get_array(const struct json_object *self, const char *name, struct json_object **ret)
{
	return get_typed(self, name, json_type_array, ret);
}

size_t json__len(const struct json_object *self)
{
	if (json__is_array(self))
		return json_object_array_length(self);
	return json__is_object(self) ? (size_t)json_object_object_length(self) : 0;
}

struct json_object *json__at(const struct json_object *self, size_t i)
{
	return i < json__len(self) && json__is_array(self) ? json_object_array_get_idx(self, i) :
							     NULL;
}

const char *json__str(const struct json_object *self)
{
	const char *str = json__is_str(self) ? clean_str(self) : NULL;

	return str ? str : "";
}

int64_t json__int(const struct json_object *self)
{
	if (json__is_int(self) || json_object_is_type(self, json_type_double))
		return json_object_get_int64(self);
	return 0;
}

int json__each(const struct json_object *self,
	       int (*fn)(void *arg, const char *name, struct json_object *value), void *arg)
{
	struct json_object_iter iter;
	int ret;

	if (!json__is_object(self))
		return 0;
	json_object_object_foreachC(self, iter)
	{
		ret = fn(arg, iter.key, iter.val);
		if (ret)
			return ret;
	}
	return 0;
}

int json__print(struct json_object *self, bool pretty, struct buf *out)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		    (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED :
			      JSON_C_TO_STRING_PLAIN);
	const char *text;
	size_t len;

	text = json_object_to_json_string_length(self, flags, &len);
	return text ? buf__append(out, text, len) : -ENOMEM;
}

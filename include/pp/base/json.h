/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_JSON_H
#define PP_BASE_JSON_H
/*
 * JSON with bounds and typed getters. json-c stands behind it; its objects are passed through as
 * struct json_object pointers, but only base/json.c includes its header.
 * Getters take a member name; "found with the wrong type" (-EBADMSG) differs from "not there"
 * (-ENOENT; JSON null counts as not there). Strings with NUL inside are -EBADMSG.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;
struct buf;

/*
 * Parses exactly one value, UTF-8, depth <= 32, no trailing text. Given: json__put. -EBADMSG,
 * -ENOMEM.
 */
int json__parse(const char *text, size_t len, struct json_object **ret_json);
void json__put(struct json_object *self); /* drops a reference; NULL is a no-op */
struct json_object *json__get(struct json_object *self); /* adds one */

struct json_object *json__new_object(void); /* NULL: no memory; all adders accept a NULL self */
struct json_object *json__new_array(void);
/* Adders return 0 or -ENOMEM. Object adders take a name; with an array, name is NULL. */
int json__add_str(struct json_object *self, const char *name,
		  const char *value); /* NULL value: null */
int json__add_int(struct json_object *self, const char *name, int64_t value);
int json__add_u64(struct json_object *self, const char *name, uint64_t value);
int json__add_double(struct json_object *self, const char *name,
		     double value); /* shortest of %.6g kind */
int json__add_bool(struct json_object *self, const char *name, bool value);
int json__add_null(struct json_object *self, const char *name);
int json__add(struct json_object *self, const char *name, struct json_object *value); /* taken */

bool json__is_object(const struct json_object *self);
bool json__is_array(const struct json_object *self);
bool json__is_str(const struct json_object *self);
bool json__is_null(const struct json_object *self);
bool json__is_int(const struct json_object *self);
bool json__is_number(const struct json_object *self);
bool json__is_bool(const struct json_object *self);
/* Values borrowed from self. */
int json__get_str(const struct json_object *self, const char *name, const char **ret_str);
int json__get_int(const struct json_object *self, const char *name, int64_t min, int64_t max,
		  int64_t *ret);
int json__get_double(const struct json_object *self, const char *name, double *ret);
int json__get_bool(const struct json_object *self, const char *name, bool *ret);
int json__get_object(const struct json_object *self, const char *name, struct json_object **ret);
int json__get_array(const struct json_object *self, const char *name, struct json_object **ret);
int json__get_any(const struct json_object *self, const char *name, struct json_object **ret);
size_t json__len(const struct json_object *self); /* of an array or object; else 0 */
struct json_object *json__at(const struct json_object *self,
			     size_t i); /* borrowed; may be NULL (null) */
const char *json__str(const struct json_object *self); /* "" unless a string */
int64_t json__int(const struct json_object *self); /* 0 unless a number */
/* Calls fn for each member of an object, in order; stops at the first non-zero and returns it. */
int json__each(const struct json_object *self,
	       int (*fn)(void *arg, const char *name, struct json_object *value), void *arg);

/* Appends the text. pretty: two blanks of indent. "/" is not escaped. */
int json__print(struct json_object *self, bool pretty, struct buf *out);

#define _auto_json_ __attribute__((cleanup(json__cleanup)))
static inline void json__cleanup(struct json_object **p)
{
	json__put(*p);
}

#endif

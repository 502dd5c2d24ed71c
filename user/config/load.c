/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where settings come from: file, environment, flags, in this order, the later wins. The first
 * thing that is wrong ends it with a sentence that names its place: a daemon that guesses what was
 * meant profiles the wrong thing.
 */
#include "pp/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/file.h"

#define DEFAULT_FILE	     "/etc/pulseprof/pulseprofd.conf"
#define FILE_MAX_BYTES	     65536
#define LINE_MAX_BYTES	     4200
#define TOKEN_FILE_MAX_BYTES 4096
#define BLANKS		     " \t\r"

static const char *find_env(const char *const *environ_list, const char *name)
{
	size_t len = strlen(name);

	for (; environ_list && *environ_list; environ_list++) {
		const char *entry = *environ_list;

		if (!strncmp(entry, name, len) && entry[len] == '=' && entry[len + 1])
			return entry + len + 1;
	}
	return NULL;
}

struct span {
	const char *s;
	size_t len;
};

static bool is_blank(char c)
{
	return c && strchr(BLANKS, c);
}

static struct span trim(struct span t)
{
	while (t.len && is_blank(t.s[0]))
		t.s++, t.len--;
	while (t.len && is_blank(t.s[t.len - 1]))
		t.len--;
	return t;
}

/* A value in quotes ends at the same quote; else at a '#' behind a blank, or with the line. */
static int cut_value(struct span *value)
{
	struct span t = *value;
	const char *end;

	if (t.len && (t.s[0] == '"' || t.s[0] == '\'')) {
		struct span rest;

		end = memchr(t.s + 1, t.s[0], t.len - 1);
		if (!end)
			return -EINVAL;
		rest = trim((struct span){ end + 1, t.len - (size_t)(end + 1 - t.s) });
		if (rest.len && rest.s[0] != '#')
			return -EINVAL;
		*value = (struct span){ t.s + 1, (size_t)(end - t.s) - 1 };
		return 0;
	}
	for (size_t i = 0; i < t.len; i++) {
		if (t.s[i] == '#' && (i == 0 || is_blank(t.s[i - 1]))) {
			t.len = i;
			break;
		}
	}
	*value = trim(t);
	return 0;
}

static int read_line(struct config *self, struct span line, const char *where, struct buf *why)
{
	struct span name, value;
	enum config_id id;
	const char *equals;

	if (line.len > LINE_MAX_BYTES || memchr(line.s, '\0', line.len)) {
		buf__printf(why, "%s: the line is too long or not text", where);
		return -EINVAL;
	}
	line = trim(line);
	if (!line.len || line.s[0] == '#')
		return 0;
	equals = memchr(line.s, '=', line.len);
	if (!equals) {
		buf__printf(why, "%s: expected 'name = value'", where);
		return -EINVAL;
	}
	name = trim((struct span){ line.s, (size_t)(equals - line.s) });
	value = trim((struct span){ equals + 1, line.len - (size_t)(equals + 1 - line.s) });
	if (setting__find(name.s, name.len, '_', &id)) {
		buf__printf(why, "%s: unknown setting '%.*s'", where, (int)name.len, name.s);
		return -EINVAL;
	}
	if (settings[id].kind == KIND_SECRET) {
		buf__printf(why, "%s: '%s' does not belong in this file, name a token_file", where,
			    settings[id].name);
		return -EINVAL;
	}
	if (self->origins[id] == CONFIG_FILE) {
		buf__printf(why, "%s: '%s' was set before", where, settings[id].name);
		return -EINVAL;
	}
	if (cut_value(&value)) {
		buf__printf(why, "%s: '%s' has a quote that does not end", where,
			    settings[id].name);
		return -EINVAL;
	}
	return config__set(self, id, value.s, value.len, CONFIG_FILE, where, why);
}

static int explain(int err, const char *what, const char *path, struct buf *why)
{
	switch (err) {
	case -EPERM:
		buf__printf(why, "%s '%s': others than root or us may write it", what, path);
		break;
	case -EBADMSG: buf__printf(why, "%s '%s': not a regular file", what, path); break;
	default: buf__printf(why, "%s '%s': %s", what, path, errname(err)); break;
	}
	return err;
}

static int load_file(struct config *self, const char *const *environ_list, struct buf *why)
{
	const char *named = find_env(environ_list, "PULSEPROF_CONFIG");
	const char *path = named ? named : DEFAULT_FILE;
	_auto_buf_ struct buf text = { .max_bytes = FILE_MAX_BYTES };
	_auto_buf_ struct buf where = { .max_bytes = FILE_MAX_BYTES };
	int err = file__read_trusted(AT_FDCWD, path, &text);
	size_t pos = 0;

	if (err == -ENOENT && !named)
		return 0;
	if (err)
		return explain(err, "config file", path, why);
	for (unsigned int number = 1; pos < text.len; number++) {
		const char *line = text.data + pos;
		const char *end = memchr(line, '\n', text.len - pos);
		size_t len = end ? (size_t)(end - line) : text.len - pos;

		buf__reset(&where);
		if (buf__printf(&where, "%s:%u", path, number))
			return where.err;
		err = read_line(self, (struct span){ line, len }, where.data, why);
		if (err)
			return err;
		pos += len + 1;
	}
	return 0;
}

static int load_environment(struct config *self, const char *const *environ_list, struct buf *why)
{
	for (size_t id = 0; id < CONFIG_CNT; id++) {
		const char *value = find_env(environ_list, settings[id].env);
		int err;

		if (!value)
			continue;
		err = config__set(self, (enum config_id)id, value, strlen(value),
				  CONFIG_ENVIRONMENT, settings[id].env, why);
		if (err)
			return err;
	}
	return 0;
}

/* Reads argv[*i] and its value, and leaves *i at the last word used. */
static int read_flag(struct config *self, int argc, char *const *argv, int *i, struct buf *why)
{
	const char *word = argv[*i];
	size_t len = strcspn(word, "=");
	char where[64];
	enum config_id id;
	const char *value;

	if (strncmp(word, "--", 2) || setting__find(word + 2, len - 2, '-', &id)) {
		buf__printf(why, "unknown argument '%.*s'", (int)min_of(len, (size_t)256), word);
		return -EINVAL;
	}
	snprintf(where, sizeof(where), "%.*s", (int)len, word);
	if (settings[id].kind == KIND_SECRET) {
		buf__printf(why, "%s: everyone can read a command line, use %s or --token-file",
			    where, settings[id].env);
		return -EINVAL;
	}
	if (word[len] == '=') {
		value = word + len + 1;
	} else if (settings[id].kind == KIND_BOOL) {
		value = "yes";
	} else if (*i + 1 < argc) {
		value = argv[++*i];
	} else {
		buf__printf(why, "%s: needs a value", where);
		return -EINVAL;
	}
	return config__set(self, id, value, strlen(value), CONFIG_FLAG, where, why);
}

static int load_flags(struct config *self, int argc, char *const *argv, struct buf *why)
{
	int err = 0;

	for (int i = 1; i < argc && !err; i++)
		err = read_flag(self, argc, argv, &i, why);
	return err;
}

static int load_token(struct config *self, struct buf *why)
{
	_auto_buf_ struct buf text = { .max_bytes = TOKEN_FILE_MAX_BYTES };
	const char *path = self->values[CONFIG_TOKEN_FILE];
	struct span token;
	int err;

	if (self->values[CONFIG_TOKEN][0] || !path[0])
		return 0;
	err = file__read_trusted(AT_FDCWD, path, &text);
	if (err)
		return explain(err, "token file", path, why);
	token = trim((struct span){ text.data, strcspn(text.data, "\n") });
	if (!token.len) {
		buf__printf(why, "token file '%s': the first line is empty", path);
		return -EINVAL;
	}
	return config__set(self, CONFIG_TOKEN, token.s, token.len, self->origins[CONFIG_TOKEN_FILE],
			   path, why);
}

static void free_config(struct config **self)
{
	config__free(*self);
}

int config__load(int argc, char *const *argv, const char *const *environ_list, struct buf *why,
		 struct config **ret_config)
{
	__cleanup(free_config) struct config *self = NULL;
	int err = config__new(&self);

	if (!err)
		err = load_file(self, environ_list, why);
	if (!err)
		err = load_environment(self, environ_list, why);
	if (!err)
		err = load_flags(self, argc, argv, why);
	if (!err)
		err = load_token(self, why);
	if (!err)
		*ret_config = take_ptr(self);
	return err;
}

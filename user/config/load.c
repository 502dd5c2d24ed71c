/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where settings come from: file, environment, flags, in this order, the later wins. The first
 * thing that is wrong ends it with a sentence that names its place: a daemon that guesses what was
 * meant profiles the wrong thing.
 */
#include "pp/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/file.h"

#define DEFAULT_FILE   "/etc/pulseprof/pulseprofd.conf"
#define FILE_MAX_BYTES 65536
#define LINE_MAX_BYTES 4200
#define BLANKS	       " \t\r"

const char *find_env(const char *const *environ_list, const char *name)
{
	size_t len = strlen(name);

	for (; environ_list && *environ_list; environ_list++) {
		const char *entry = *environ_list;

		if (!strncmp(entry, name, len) && entry[len] == '=' && entry[len + 1])
			return entry + len + 1;
	}
	return NULL;
}

static bool is_blank(char c)
{
	return c && strchr(BLANKS, c);
}

struct span trim(struct span t)
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

int explain_file(int err, const char *what, const char *path, struct buf *why)
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

static const char *name_file(int argc, char *const *argv, const char *const *environ_list)
{
	const char *path = find_env(environ_list, "PULSEPROF_CONFIG");

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--config=", 9))
			path = argv[i] + 9;
		else if (!strcmp(argv[i], "--config") && i + 1 < argc)
			path = argv[++i];
	}
	return path;
}

static int load_file(struct config *self, const char *named, struct buf *why)
{
	const char *path = named ? named : DEFAULT_FILE;
	_auto_buf_ struct buf text = { .max_bytes = FILE_MAX_BYTES };
	_auto_buf_ struct buf where = { .max_bytes = FILE_MAX_BYTES };
	int err = file__read_trusted(AT_FDCWD, path, &text);
	size_t pos = 0;

	if (err == -ENOENT && !named)
		return 0;
	if (err)
		return explain_file(err, "config file", path, why);
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

/* "state_dir" is PULSEPROF_STATE_DIR. */
static const char *find_own_env(const char *const *environ_list, const struct setting *setting,
				char *name, size_t name_bytes)
{
	size_t len = (size_t)snprintf(name, name_bytes, "PULSEPROF_%s", setting->name);

	for (size_t i = 0; i < len && i < name_bytes; i++)
		name[i] = (char)toupper((unsigned char)name[i]);
	return find_env(environ_list, name);
}

static int load_environment(struct config *self, const char *const *environ_list, struct buf *why)
{
	int err = config__load_agent_environment(self, environ_list, why);

	for (size_t id = 0; id < CONFIG_CNT && !err; id++) {
		char own[64];
		const char *name = own;
		const char *value = find_own_env(environ_list, &settings[id], own, sizeof(own));

		if (!value) {
			name = settings[id].env;
			value = find_env(environ_list, name);
		}
		if (value && self->origins[id] != CONFIG_FLAG) /* the token's was first */
			err = config__set(self, (enum config_id)id, value, strlen(value),
					  CONFIG_ENVIRONMENT, name, why);
	}
	return err;
}

/* The words of argv, and how far they are read. */
struct words {
	char *const *argv;
	int argc;
	int i; /* the last one used */
};

static const char *next_word(struct words *words)
{
	return words->i + 1 < words->argc ? words->argv[++words->i] : NULL;
}

static int refuse_flag(const char *where, const char *what, struct buf *why)
{
	buf__printf(why, "%s: %s", where, what);
	return -EINVAL;
}

static int set_agent_flag(struct config *self, const struct agent_option *option, const char *value,
			  const char *where, struct words *words, struct buf *why)
{
	if (!value && option->operand == OPERAND_ONE)
		value = next_word(words);
	else if (!value && option->operand == OPERAND_MAYBE && words->i + 1 < words->argc &&
		 words->argv[words->i + 1][0] != '-')
		value = next_word(words);
	if (!value && option->operand == OPERAND_ONE)
		return refuse_flag(where, "needs a value", why);
	return config__set_agent(self, option, value, CONFIG_FLAG, where, why);
}

/* value: what stands in the same word; NULL: nothing. where: the flag as it was said. */
static int set_flag(struct config *self, struct span name, const char *value, const char *where,
		    struct words *words, struct buf *why)
{
	const struct agent_option *option = agent_option__find(name.s, name.len);
	enum config_id id;

	if (option)
		return set_agent_flag(self, option, value, where, words, why);
	if (name.len == 6 && !strncmp(name.s, "config", 6)) /* load_file() has read it */
		return value || next_word(words) ? 0 : refuse_flag(where, "needs a value", why);
	if (setting__find(name.s, name.len, '-', &id)) {
		buf__printf(why, "unknown argument '%.256s'", where);
		return -EINVAL;
	}
	if (!value && settings[id].kind == KIND_BOOL)
		value = "yes";
	else if (!value)
		value = next_word(words);
	if (!value)
		return refuse_flag(where, "needs a value", why);
	if (settings[id].kind == KIND_SECRET) /* taken before, its place is overwritten */
		return self->values[id][0] ? 0 : refuse_flag(where, "is not a token", why);
	return config__set(self, id, value, strlen(value), CONFIG_FLAG, where, why);
}

/* "-cu", "-f99", "-cf 99": what does not take a value may be followed by the next letter. */
static int read_letters(struct config *self, const char *word, struct words *words, struct buf *why)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const char where[] = { '-', *letter, '\0' };
		const char *name = agent_letter__name(*letter);
		const char *value = NULL;
		bool takes_value = strchr("fdo", *letter);
		int err;

		if (!name) {
			buf__printf(why, "unknown argument '%.256s'", word);
			return -EINVAL;
		}
		if (takes_value && letter[1])
			value = letter + 1;
		err = set_flag(self, (struct span){ name, strlen(name) }, value, where, words, why);
		if (err || value)
			return err;
	}
	return 0;
}

static int read_flag(struct config *self, struct words *words, struct buf *why)
{
	const char *word = words->argv[words->i];
	size_t len = strcspn(word, "=");
	char where[64];

	if (word[0] == '-' && word[1] && word[1] != '-')
		return read_letters(self, word, words, why);
	if (strncmp(word, "--", 2) || len < 3 || len >= sizeof(where)) {
		buf__printf(why, "unknown argument '%.*s'", (int)min_of(len, (size_t)256), word);
		return -EINVAL;
	}
	snprintf(where, sizeof(where), "%.*s", (int)len, word);
	return set_flag(self, (struct span){ word + 2, len - 2 }, word[len] ? word + len + 1 : NULL,
			where, words, why);
}

static int load_flags(struct config *self, int argc, char *const *argv, struct buf *why)
{
	struct words words = { argv, argc, 1 };
	int err = 0;

	for (; words.i < argc && !err; words.i++)
		err = read_flag(self, &words, why);
	return err;
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

	if (!err) {
		config__take_token_flag(self, argc, argv, why);
		buf__reset(why);
		err = load_file(self, name_file(argc, argv, environ_list), why);
	}
	if (!err)
		err = load_environment(self, environ_list, why);
	if (!err)
		err = load_flags(self, argc, argv, why);
	if (!err)
		err = config__load_token(self, environ_list, why);
	if (!err)
		*ret_config = take_ptr(self);
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The settings as a table, and their values: checked and made canonical when they are set, whatever
 * source they come from, so that getters cannot fail.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/log.h"

const struct setting settings[CONFIG_CNT] = {
#define X(id, name, env, kind, max, def, help) \
	[CONFIG_##id] = { name, env, KIND_##kind, max, def, help },
	PP_SETTINGS(X)
#undef X
};

const char *config_origin__name(enum config_origin origin)
{
	switch (origin) {
	case CONFIG_DEFAULT: return "default";
	case CONFIG_FILE: return "file";
	case CONFIG_ENVIRONMENT: return "environment";
	case CONFIG_FLAG: return "flag";
	}
	return "?";
}

int setting__find(const char *name, size_t len, char separator, enum config_id *ret_id)
{
	for (size_t id = 0; id < CONFIG_CNT; id++) {
		const char *known = settings[id].name;
		size_t i = 0;

		while (i < len && known[i] && name[i] == (known[i] == '_' ? separator : known[i]))
			i++;
		if (i == len && !known[i]) {
			*ret_id = (enum config_id)id;
			return 0;
		}
	}
	return -ENOENT;
}

void config__free(struct config *self)
{
	if (!self)
		return;
	if (self->values[CONFIG_TOKEN])
		explicit_bzero(self->values[CONFIG_TOKEN], strlen(self->values[CONFIG_TOKEN]));
	for (size_t id = 0; id < CONFIG_CNT; id++)
		free(self->values[id]);
	buf__clear(&self->ignored);
	free(self);
}

int config__new(struct config **ret_config)
{
	struct config *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	buf__init(&self->ignored, 8192);
	for (size_t id = 0; id < CONFIG_CNT; id++) {
		self->values[id] = strdup(settings[id].def);
		if (!self->values[id]) {
			config__free(self);
			return -ENOMEM;
		}
	}
	*ret_config = self;
	return 0;
}

static bool is_word(const char *value, const char *const *words, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		if (!strcasecmp(value, words[i]))
			return true;
	}
	return false;
}

/* The check_ functions return whether the value is good; a good one may be rewritten. */
static bool check_bool(char **value, struct buf *why)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };
	bool is_yes = is_word(*value, yes, ARRAY_SIZE(yes));
	char *canonical;

	if (!is_yes && !is_word(*value, no, ARRAY_SIZE(no))) {
		buf__puts(why, "must be yes or no");
		return false;
	}
	canonical = strdup(is_yes ? "yes" : "no");
	if (!canonical)
		return false;
	free(*value);
	*value = canonical;
	return true;
}

static bool check_uint(char *value, unsigned int max, struct buf *why)
{
	size_t zeros = strspn(value, "0");
	size_t digits = strspn(value, "0123456789");

	/* Nine digits fit into any type; no setting has a larger maximum. */
	if (zeros == digits || value[digits] || digits - zeros > 9 ||
	    strtoul(value, NULL, 10) > max) {
		buf__printf(why, "must be a whole number from 1 to %u", max);
		return false;
	}
	memmove(value, value + zeros, digits - zeros + 1);
	return true;
}

static bool check_str(const char *value, unsigned int max, struct buf *why)
{
	size_t len = strlen(value);

	if (len > max) {
		buf__printf(why, "must not be longer than %u bytes", max);
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) {
			buf__puts(why, "must not hold control characters");
			return false;
		}
	}
	return true;
}

static bool check_level(const char *value, struct buf *why)
{
	enum log_level level;

	if (log_level__parse(value, &level))
		return true;
	buf__puts(why, "must be error, warn, info or debug");
	return false;
}

static bool check(const struct setting *setting, char **value, struct buf *why)
{
	switch (setting->kind) {
	case KIND_BOOL: return check_bool(value, why);
	case KIND_UINT: return check_uint(*value, setting->max, why);
	case KIND_LEVEL: return check_level(*value, why);
	case KIND_STR:
	case KIND_SECRET: break;
	}
	return check_str(*value, setting->max, why);
}

int config__set(struct config *self, enum config_id id, const char *value, size_t len,
		enum config_origin origin, const char *where, struct buf *why)
{
	_auto_free_ char *copy = strndup(value, len);

	if (!copy)
		return -ENOMEM;
	buf__printf(why, "%s: '%s' ", where, settings[id].name);
	if (!check(&settings[id], &copy, why))
		return -EINVAL;
	buf__reset(why);
	free(self->values[id]);
	self->values[id] = take_ptr(copy);
	self->origins[id] = origin;
	return 0;
}

const char *config__str(const struct config *self, enum config_id id)
{
	return self->values[id];
}

bool config__bool(const struct config *self, enum config_id id)
{
	pp_assert(settings[id].kind == KIND_BOOL);
	return !strcmp(self->values[id], "yes");
}

uint64_t config__uint(const struct config *self, enum config_id id)
{
	pp_assert(settings[id].kind == KIND_UINT);
	return strtoull(self->values[id], NULL, 10);
}

enum config_origin config__origin(const struct config *self, enum config_id id)
{
	return self->origins[id];
}

const char *config__ignored(const struct config *self)
{
	return self->ignored.data ? self->ignored.data : "";
}

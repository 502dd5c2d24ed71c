/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Settings as text: the effective view, which the file's reader takes back, and the list of flags.
 */
#include "pp/config.h"

#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"

/* Would the file's reader see it whole without quotes? Control characters are in no value. */
static bool is_bare(const char *value)
{
	size_t len = strlen(value);

	return len && !strchr("\"' #", value[0]) && value[len - 1] != ' ' && !strstr(value, " #");
}

/* A value with both quotes that needs some can only come from the environment or a flag. */
static void print_value(const char *value, struct buf *out)
{
	char quote = strchr(value, '"') ? '\'' : '"';

	if (is_bare(value))
		buf__puts(out, value);
	else
		buf__printf(out, "%c%s%c", quote, value, quote);
}

int config__print(const struct config *self, struct buf *out)
{
	for (size_t id = 0; id < CONFIG_CNT; id++) {
		const char *value = self->values[id];

		/* A comment: the file's reader takes no secrets. */
		if (settings[id].kind == KIND_SECRET) {
			buf__printf(out, "# %s = %s", settings[id].name, value[0] ? "***" : "");
		} else {
			buf__printf(out, "%s = ", settings[id].name);
			print_value(value, out);
		}
		buf__printf(out, "  # %s\n", config_origin__name(self->origins[id]));
	}
	return out->err;
}

static const char *operand(enum setting_kind kind)
{
	switch (kind) {
	case KIND_UINT: return " N";
	case KIND_STR: return " TEXT";
	case KIND_LEVEL: return " LEVEL";
	case KIND_BOOL:
	case KIND_SECRET: break;
	}
	return "";
}

int config__usage(struct buf *out)
{
	for (size_t id = 0; id < CONFIG_CNT; id++) {
		const struct setting *setting = &settings[id];
		size_t start = out->len;

		if (setting->kind == KIND_SECRET)
			continue;
		buf__puts(out, "  --");
		for (const char *c = setting->name; *c; c++)
			buf__putc(out, *c == '_' ? '-' : *c);
		buf__puts(out, operand(setting->kind));
		buf__printf(out, "%*s%s", (int)(32 - (out->len - start)), "", setting->help);
		if (setting->def[0] && setting->kind != KIND_BOOL)
			buf__printf(out, " (%s)", setting->def);
		buf__putc(out, '\n');
	}
	return out->err;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names come from programs that may be hostile: thread names hold any byte but NUL, symbols hold what a
 * file says. Here they become harmless text: for a line of the collapsed grammar (';' and newline would
 * make other stacks), for the page (bidi controls would make other words), and inside JSON.
 */
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/encode.h"

enum char_class { CHAR_PLAIN, CHAR_BLANK, CHAR_CONTROL, CHAR_INVALID };

struct character {
	uint32_t code;
	uint32_t len;
	enum char_class class;
};

struct code_range {
	uint32_t first;
	uint32_t last;
};

/* Not visible, or they change how their neighbours are shown (Unicode 15, General_Category Cc, Cf, Zl,
 * Zp, and the noncharacters that end the first plane). */
static const struct code_range controls[] = {
	{ 0x00, 0x1f },	    { 0x7f, 0x9f },	{ 0xad, 0xad },	    { 0x61c, 0x61c },
	{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
	{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe007f },
};

/* The Studio trims these from the ends of a frame as it does the ASCII blank. */
static const struct code_range blanks[] = {
	{ 0x20, 0x20 },	    { 0xa0, 0xa0 },	{ 0x1680, 0x1680 }, { 0x2000, 0x200a },
	{ 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 },
};

static bool is_in(const struct code_range *ranges, size_t cnt, uint32_t code)
{
	for (size_t i = 0; i < cnt; i++) {
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	}
	return false;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. Returns 0 if it is not UTF-8. */
static uint32_t decode(const unsigned char *s, size_t len, uint32_t *ret_code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code, want;

	if (s[0] < 0x80) {
		*ret_code = s[0];
		return 1;
	}
	want = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || want > len)
		return 0;
	code = s[0] & (0x7fu >> want);
	for (uint32_t i = 1; i < want; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[want] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return want;
}

static struct character next_character(const char *text, size_t len)
{
	struct character c = { .class = CHAR_PLAIN };

	c.len = decode((const unsigned char *)text, len, &c.code);
	if (!c.len)
		return (struct character){ .code = (unsigned char)text[0],
					   .len = 1,
					   .class = CHAR_INVALID };
	if (c.code >= 0x21 && c.code < 0x7f)
		return c;
	if (is_in(blanks, sizeof(blanks) / sizeof(blanks[0]), c.code))
		c.class = CHAR_BLANK;
	else if (is_in(controls, sizeof(controls) / sizeof(controls[0]), c.code))
		c.class = CHAR_CONTROL;
	return c;
}

static void append_safe(struct buf *out, const struct character *c, const char *text)
{
	if (c->class == CHAR_INVALID || (c->class == CHAR_CONTROL && c->code >= 0x80))
		buf__puts(out, "\xef\xbf\xbd");
	else if (c->class == CHAR_CONTROL)
		buf__putc(out, '?');
	else if (c->class == CHAR_BLANK)
		buf__putc(out, ' ');
	else if (c->code == ';')
		buf__putc(out, '|');
	else
		buf__append(out, text, c->len);
}

int encode__safe_text(const char *text, size_t len, struct buf *out)
{
	size_t start = out->len, end = out->len;

	for (size_t i = 0; i < len;) {
		struct character c = next_character(text + i, len - i);

		if (c.class != CHAR_BLANK || out->len > start) {
			if (c.code == '#' && out->len == start)
				buf__putc(out, '_');
			append_safe(out, &c, text + i);
		}
		if (c.class != CHAR_BLANK)
			end = out->len;
		i += c.len;
	}
	if (out->err)
		return out->err;
	if (end == start)
		return buf__putc(out, '-');
	out->len = end;
	out->data[end] = '\0';
	return 0;
}

int visible_text__append(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		struct character c = next_character(text + i, len - i);

		if (c.class == CHAR_INVALID || (c.class == CHAR_CONTROL && c.code < 0x80))
			buf__printf(out, "\\x%02x", c.code);
		else if (c.class == CHAR_CONTROL)
			buf__printf(out, "\\u{%x}", c.code);
		else if (c.class == CHAR_BLANK)
			buf__putc(out, ' ');
		else
			buf__append(out, text + i, c.len);
		i += c.len;
	}
	return out->err;
}

int json_escape__append(struct buf *out, const char *text, size_t len)
{
	size_t plain = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = text[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf__append(out, text + plain, i - plain);
		plain = i + 1;
		if (c == '\n')
			buf__puts(out, "\\n");
		else if (c < 0x20)
			buf__printf(out, "\\u%04x", c);
		else
			buf__printf(out, "\\%c", c);
	}
	return buf__append(out, text + plain, len - plain);
}

int json_quote__append(struct buf *out, const char *text, size_t len)
{
	buf__putc(out, '"');
	json_escape__append(out, text, len);
	return buf__putc(out, '"');
}

int json_in_html__append(struct buf *out, const char *json, size_t len)
{
	size_t plain = 0;

	for (size_t i = 0; i < len; i++) {
		bool is_separator = len - i >= 3 && !memcmp(json + i, "\xe2\x80", 2) &&
				    ((unsigned char)json[i + 2] & 0xfe) == 0xa8;

		if (json[i] != '<' && json[i] != '>' && json[i] != '&' && !is_separator)
			continue;
		buf__append(out, json + plain, i - plain);
		if (is_separator) {
			buf__printf(out, "\\u20%02x", (unsigned char)json[i + 2] - 0x80);
			i += 2;
		} else {
			buf__printf(out, "\\u%04x", json[i]);
		}
		plain = i + 1;
	}
	return buf__append(out, json + plain, len - plain);
}

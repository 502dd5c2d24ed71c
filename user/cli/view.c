/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Results: a command fills rows of typed fields, and here they are printed, plain or as JSON. Both show
 * the same rows; no command prints twice. Plain output is columns, and notes below their row. Text from
 * outside never reaches a terminal as it is.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#define COLUMNS_MAX 16
#define LINE_BYTES  78
#define NOTE_INDENT 4

/* Length of the UTF-8 sequence at s if it stands for something to be seen, else 0. */
static size_t printable_bytes(const char *from)
{
	const unsigned char *s = (const unsigned char *)from;
	uint32_t code;
	size_t len;

	if (*s < 0x80)
		return *s >= 0x20 && *s != 0x7f;
	len = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : *s >= 0xc2 ? 2 : 0;
	code = len == 4 ? *s & 7 : len == 3 ? *s & 15 : *s & 31;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < 0xa0 || (len == 3 && code < 0x800) || (len == 4 && code < 0x10000) ||
	    code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	/* Line separators and controls of the writing direction. */
	if (code == 0x61c || (code >= 0x200e && code <= 0x200f) ||
	    (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
		return 0;
	return len;
}

char *view__safe(const char *from, char *text, size_t text_bytes)
{
	size_t len = 0;

	while (*from) {
		size_t n = printable_bytes(from);

		if (len + max_of(n, (size_t)4) >= text_bytes)
			break;
		if (n) {
			memcpy(text + len, from, n);
			len += n;
			from += n;
		} else {
			len += (size_t)snprintf(text + len, 5, "\\x%02x", (unsigned char)*from++);
		}
	}
	text[len] = '\0';
	return text;
}

void view__print_json(struct cli *cli, struct json_object *json)
{
	struct buf text _auto_buf_;

	buf__init(&text, 64u << 20);
	if (json__print(json, cli->pretty, &text))
		fprintf(stderr, "pulseprof: not enough memory to print the result\n");
	else
		fprintf(stdout, "%s\n", text.data);
}

/* A field as people read it. */
static char *field_text(struct json_object *row, const char *field, char *text, size_t text_bytes)
{
	struct json_object *value = NULL;
	struct buf printed _auto_buf_;
	bool yes;

	buf__init(&printed, 4096);
	text[0] = '\0';
	if (json__get_any(row, field, &value))
		return text;
	if (json__is_str(value))
		return view__safe(json__str(value), text, text_bytes);
	if (!json__get_bool(row, field, &yes))
		return view__safe(yes ? "yes" : "no", text, text_bytes);
	if (!json__print(value, false, &printed))
		return view__safe(printed.data, text, text_bytes);
	return text;
}

/* Broken at blanks, further lines indented like the first. */
static void print_note(struct cli *cli, const char *note)
{
	while (*note) {
		size_t len = strlen(note);

		if (len > LINE_BYTES - NOTE_INDENT) {
			len = LINE_BYTES - NOTE_INDENT;
			while (len && note[len] != ' ')
				len--;
			if (!len)
				len = strcspn(note, " ");
		}
		fprintf(stdout, "%*s%.*s\n", NOTE_INDENT, "", (int)len, note);
		note += len;
		note += strspn(note, " ");
	}
}

static void print_row(struct cli *cli, struct json_object *row, const struct view_column *columns,
		      uint32_t column_cnt, const int *widths)
{
	struct buf line _auto_buf_;
	char text[512];

	buf__init(&line, 65536);
	for (uint32_t i = 0; i < column_cnt; i++) {
		if (!columns[i].is_note)
			buf__printf(&line, "%-*s  ", widths[i],
				    field_text(row, columns[i].field, text, sizeof(text)));
	}
	while (line.len && line.data[line.len - 1] == ' ')
		line.data[--line.len] = '\0';
	fprintf(stdout, "%s\n", line.data ? line.data : "");
	for (uint32_t i = 0; i < column_cnt; i++) {
		if (columns[i].is_note)
			print_note(cli, field_text(row, columns[i].field, text, sizeof(text)));
	}
}

int view__print_rows(struct cli *cli, struct json_object *rows, const struct view_column *columns,
		     uint32_t column_cnt)
{
	_auto_json_ struct json_object *head = NULL;
	int widths[COLUMNS_MAX] = { 0 };
	char text[512];

	if (cli->json) {
		view__print_json(cli, rows);
		return CLI_DONE;
	}
	head = json__new_object();
	for (uint32_t i = 0; i < column_cnt && i < COLUMNS_MAX; i++) {
		widths[i] = (int)strlen(columns[i].field);
		if (!columns[i].is_note)
			(void)json__add_str(head, columns[i].field, columns[i].field);
		for (size_t r = 0; r < json__len(rows); r++) {
			int len = (int)strlen(field_text(json__at(rows, r), columns[i].field, text,
							 sizeof(text)));

			widths[i] = max_of(widths[i], len);
		}
	}
	print_row(cli, head, columns, column_cnt, widths);
	for (size_t r = 0; r < json__len(rows); r++)
		print_row(cli, json__at(rows, r), columns, column_cnt, widths);
	return CLI_DONE;
}

/* A member's name and text, as a line. */
static int print_field(void *arg, const char *name, struct json_object *value)
{
	struct json_object *object = arg;
	char text[512];

	fprintf(stdout, "%-18s  %s\n", name, field_text(object, name, text, sizeof(text)));
	return 0;
}

int view__print_fields(struct cli *cli, struct json_object *object)
{
	if (cli->json)
		view__print_json(cli, object);
	else
		(void)json__each(object, print_field, object); /* print_field never fails */
	return CLI_DONE;
}

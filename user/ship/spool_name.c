/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names in the spool. All that must survive a restart but is not the profile itself stands in its file's
 * name, since a rename is whole or absent and costs no room on a full disk.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/hash.h"

#define TIME_DIGITS  20
#define SEQ_DIGITS   6
#define EXTENSION    ".parcel.gz"
#define COMMAND_KEPT 100 /* of a longer id; a hash of all of it follows */

static const char *const state_suffix[] = {
	[SPOOL_WAITING] = "",
	[SPOOL_REFUSED] = ".refused",
	[SPOOL_DAMAGED] = ".damaged",
};

static bool all_digits(const char *text, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return true;
}

static bool is_plain(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* What follows the stem, or NULL. */
static const char *after_stem(const char *text)
{
	if (strlen(text) < SPOOL_STEM_BYTES - 1 || !all_digits(text, TIME_DIGITS) ||
	    text[TIME_DIGITS] != '-' || !all_digits(text + TIME_DIGITS + 1, SEQ_DIGITS))
		return NULL;
	return text + SPOOL_STEM_BYTES - 1;
}

/* "-x8.3": a command's id has no dot in a name. Returns what follows; the same place if there is none. */
static const char *parse_pieces(const char *text, struct spool_name *name)
{
	unsigned int pieces, sent;
	int len = 0;

	if (sscanf(text, "-x%4u.%4u%n", &pieces, &sent, &len) < 2 || !len)
		return text;
	if (pieces < 2 || pieces > ENCODE_PIECES_MAX || (pieces & (pieces - 1)) || sent >= pieces)
		return text;
	name->pieces = pieces;
	name->sent = sent;
	return text + len;
}

/* "-p1.4": the same. */
static const char *parse_part(const char *text, struct spool_name *name)
{
	unsigned int part, parts;
	int len = 0;

	if (sscanf(text, "-p%5u.%5u%n", &part, &parts, &len) < 2 || !len)
		return text;
	if (parts < 2 || parts > UINT16_MAX || part < 1 || part > parts)
		return text;
	name->part = part;
	name->parts = parts;
	return text + len;
}

bool spool_name__parse(const char *text, struct spool_name *ret_name)
{
	struct spool_name name = { .part = 1, .parts = 1, .pieces = 1 };
	const char *rest = after_stem(text), *end = rest ? strstr(rest, EXTENSION) : NULL;

	if (!end)
		return false;
	memcpy(name.stem, text, SPOOL_STEM_BYTES - 1);
	rest = parse_pieces(parse_part(rest, &name), &name);
	if (rest < end) {
		size_t len = (size_t)(end - rest - 1);

		if (*rest != '-' || !len || len >= sizeof(name.command))
			return false;
		for (size_t i = 0; i < len; i++)
			if (!is_plain(rest[1 + i]) && rest[1 + i] != '%')
				return false;
		memcpy(name.command, rest + 1, len);
	}
	for (size_t i = 0; i < ARRAY_SIZE(state_suffix); i++) {
		if (strcmp(end + strlen(EXTENSION), state_suffix[i]))
			continue;
		name.state = (enum spool_state)i;
		*ret_name = name;
		return true;
	}
	return false;
}

bool spool_name__is_temporary(const char *text)
{
	const char *rest = after_stem(text);

	rest = rest ? strstr(rest, EXTENSION) : NULL;
	return rest && !strncmp(rest + strlen(EXTENSION), ".tmp", 4);
}

void spool_name__print(const struct spool_name *self, char text[SPOOL_NAME_BYTES])
{
	char part[32] = "", pieces[32] = "";

	if (self->parts > 1)
		snprintf(part, sizeof(part), "-p%" PRIu32 ".%" PRIu32, self->part, self->parts);
	if (self->pieces > 1)
		snprintf(pieces, sizeof(pieces), "-x%" PRIu32 ".%" PRIu32, self->pieces,
			 self->sent);
	snprintf(text, SPOOL_NAME_BYTES, "%s%s%s%s%s" EXTENSION "%s", self->stem, part, pieces,
		 self->command[0] ? "-" : "", self->command, state_suffix[self->state]);
}

void spool_name__encode_command(const char *command_id, char text[SPOOL_COMMAND_BYTES])
{
	size_t len = 0;

	text[0] = '\0';
	for (const char *c = command_id; *c && len < COMMAND_KEPT; c++)
		len += (size_t)snprintf(text + len, SPOOL_COMMAND_BYTES - len,
					is_plain(*c) ? "%c" : "%%%02x", (unsigned char)*c);
	if (len >= COMMAND_KEPT)
		snprintf(text + len, SPOOL_COMMAND_BYTES - len, "%%%016" PRIx64,
			 hash_bytes(command_id, strlen(command_id), 0));
}

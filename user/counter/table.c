/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of encodings as it stands in assets/events.csv, which names the sources of each row. Read where it is, a row
 * at a time: it is asked a few dozen times a run. Our own file: damage is a bug.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/err.h"

extern const char pp_asset_events_csv[];
extern const char pp_asset_events_csv_end[];

#define COLUMNS_MAX 24
#define FIELD_BYTES 256

enum {
	COLUMN_UARCH,
	COLUMN_KEY = 2,
	COLUMN_EVENT_NAME,
	COLUMN_PMU,
	COLUMN_CONFIG = 6,
	COLUMN_SCOPE = 15,
	COLUMN_STATUS,
	COLUMN_CNT = 20,
};

struct row {
	char fields[COLUMNS_MAX][FIELD_BYTES]; /* longer ones are cut */
	uint32_t cnt;
};

/* RFC 4180 without line ends in fields. Returns the start of the next row. */
static const char *read_row(const char *at, const char *end, struct row *row)
{
	size_t len = 0;
	bool quoted = false;

	row->cnt = 0;
	for (; at < end && *at != '\n'; at++) {
		if (*at == '"') {
			quoted = !quoted;
		} else if (*at == ',' && !quoted) {
			row->fields[row->cnt][len] = '\0';
			pp_assert(row->cnt + 1 < COLUMNS_MAX);
			row->cnt++;
			len = 0;
		} else if (len + 1 < FIELD_BYTES && *at != '\r') {
			row->fields[row->cnt][len++] = *at;
		}
	}
	row->fields[row->cnt++][len] = '\0';
	pp_assert(row->cnt == COLUMN_CNT);
	return at < end ? at + 1 : end;
}

static void take(const struct row *row, struct encoding *encoding)
{
	memset(encoding, 0, sizeof(*encoding));
	memcpy(encoding->key, row->fields[COLUMN_KEY], sizeof(encoding->key) - 1);
	memcpy(encoding->event_name, row->fields[COLUMN_EVENT_NAME],
	       sizeof(encoding->event_name) - 1);
	memcpy(encoding->status, row->fields[COLUMN_STATUS], sizeof(encoding->status) - 1);
	encoding->config = strtoull(row->fields[COLUMN_CONFIG], NULL, 16);
	encoding->is_available = row->fields[COLUMN_CONFIG][0] &&
				 strcmp(encoding->status, "not_available") != 0;
	encoding->is_core = !strcmp(row->fields[COLUMN_SCOPE], "core");
}

int encoding__find(const char *uarch, const char *key, struct encoding *ret_encoding)
{
	struct row row;
	const char *at = read_row(pp_asset_events_csv, pp_asset_events_csv_end, &row);

	while (at < pp_asset_events_csv_end) {
		at = read_row(at, pp_asset_events_csv_end, &row);
		if (strcmp(row.fields[COLUMN_UARCH], uarch) || strcmp(row.fields[COLUMN_KEY], key))
			continue;
		take(&row, ret_encoding);
		return 0;
	}
	return -ENOENT;
}

/* Is it in a row before this one? */
static bool was_seen(const char *key, const char *before)
{
	struct row row;
	const char *at = read_row(pp_asset_events_csv, before, &row);

	while (at < before) {
		at = read_row(at, before, &row);
		if (!strcmp(row.fields[COLUMN_KEY], key))
			return true;
	}
	return false;
}

int encodings__each_key(int (*fn)(void *arg, const char *key), void *arg)
{
	struct row row;
	const char *at = read_row(pp_asset_events_csv, pp_asset_events_csv_end, &row);
	int ret = 0;

	while (!ret && at < pp_asset_events_csv_end) {
		const char *begin = at;

		at = read_row(at, pp_asset_events_csv_end, &row);
		if (!was_seen(row.fields[COLUMN_KEY], begin))
			ret = fn(arg, row.fields[COLUMN_KEY]);
	}
	return ret;
}

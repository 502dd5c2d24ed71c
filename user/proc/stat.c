/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A few fields of /proc/PID/stat. The second field is the comm in parentheses and may hold any byte,
 * also ")" and newline, so the fields behind it are counted from the last ")". Field numbers as in
 * proc(5).
 */
#include "pp/proc.h"

#include <errno.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

#define STAT_BYTES_MAX 4096

enum stat_field {
	FIELD_STATE = 3,
	FIELD_PPID = 4,
	FIELD_UTIME = 14,
	FIELD_STIME = 15,
	FIELD_START = 22
};

/* Moves behind the blank after the next field; false at the end of the line. */
static bool skip_field(const char **pos)
{
	const char *blank = strchr(*pos, ' ');

	if (!blank)
		return false;
	*pos = blank + 1;
	return true;
}

static int parse_fields(const char *pos, struct proc_stat *stat)
{
	uint64_t value;
	char *end;

	for (int field = FIELD_STATE; field <= FIELD_START; field++) {
		value = strtoull(pos, &end, 10);
		switch (field) {
		case FIELD_STATE: stat->state = *pos; break;
		case FIELD_PPID: stat->ppid = (uint32_t)value; break;
		case FIELD_UTIME: stat->cpu_ticks = value; break;
		case FIELD_STIME: stat->cpu_ticks += value; break;
		case FIELD_START: stat->start_ticks = value; break;
		default: break;
		}
		if (field != FIELD_STATE && end == pos)
			return -EBADMSG;
		if (field < FIELD_START && !skip_field(&pos))
			return -EBADMSG;
	}
	return 0;
}

static int parse_stat(const char *text, size_t len, struct proc_stat *ret_stat)
{
	struct proc_stat stat = { 0 };
	const char *open = memchr(text, '(', len), *close = memrchr(text, ')', len);
	size_t comm_bytes;
	int err;

	if (!open || !close || close < open || text + len - close < 4 || close[1] != ' ')
		return -EBADMSG;
	comm_bytes = min_of((size_t)(close - open - 1), sizeof(stat.comm) - 1);
	memcpy(stat.comm, open + 1, comm_bytes);
	err = parse_fields(close + 2, &stat);
	if (err)
		return err;
	*ret_stat = stat;
	return 0;
}

int proc__stat(const struct sysroot *root, uint32_t pid, struct proc_stat *ret_stat)
{
	_auto_buf_ struct buf text;
	int err;

	buf__init(&text, STAT_BYTES_MAX);
	err = sysroot__read(root, &text, "proc/%u/stat", pid);
	if (err)
		return err;
	return text.len > 0 ? parse_stat(text.data, text.len, ret_stat) : -EBADMSG;
}

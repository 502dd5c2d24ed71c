/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Local sessions that are over, for session.list: those that ended, and those that a crash of the daemon
 * interrupted, known from a file that names the ones that go on. They do not begin again: the operator sees
 * it and decides. What commands of the studio do after a crash is control's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/config.h"

#define FILE_NAME      "sessions"
#define FILE_MAX_BYTES (1u << 20)

/* row is taken. */
static void add_past(struct daemon *self, struct json_object *row)
{
	if (self->pasts_cnt == DAEMON_PASTS_MAX) {
		json__put(self->pasts[0]);
		self->pasts_cnt--;
		memmove(self->pasts, self->pasts + 1, self->pasts_cnt * sizeof(*self->pasts));
	}
	self->pasts[self->pasts_cnt++] = row;
}

static int write_going_on(struct daemon *self, const struct daemon_run *but)
{
	_auto_json_ struct json_object *rows = json__new_array();
	_auto_buf_ struct buf text = { .max_bytes = FILE_MAX_BYTES };
	int dir_fd _auto_close_ = -1;
	int err = rows ? 0 : -ENOMEM;

	for (struct daemon_run *run = self->runs; run && !err; run = run->next)
		if (run->is_local && run != but)
			err = json__add(rows, NULL, daemon_run__row(run));
	err = err ? err : json__print(rows, false, &text);
	err = err ? err : dir__open_private(config__str(self->config, CONFIG_STATE_DIR), &dir_fd);
	return err ? err : file__write_atomic(dir_fd, FILE_NAME, text.data, text.len, 0600);
}

void daemon__note_locals(struct daemon *self, const struct daemon_run *but)
{
	int err = write_going_on(self, but);

	if (err)
		log_warn("daemon: after a crash, local sessions of now will not be listed: %s",
			 errname(err));
}

void daemon__local_ended(struct daemon_run *run)
{
	struct json_object *row = daemon_run__row(run);

	log_info("daemon: local session '%s' ended", run->command_id);
	daemon__note_locals(run->daemon, run);
	if (row) /* else told in the log */
		add_past(run->daemon, row);
}

static void restore(struct daemon *self, const struct json_object *rows)
{
	for (size_t i = 0; i < json__len(rows) && i < DAEMON_PASTS_MAX; i++) {
		struct json_object *row = json__at(rows, i);
		unsigned int number = 0;
		const char *id;

		if (!json__is_object(row) || json__get_str(row, "id", &id) ||
		    json__add_str(row, "state", "interrupted") ||
		    json__add_str(row, "reason", "the daemon did not live to its end"))
			continue;
		if (sscanf(id, "local-%u", &number) == 1)
			self->locals_cnt = max_of(self->locals_cnt, (uint32_t)number);
		log_warn("daemon: local session '%s' was interrupted", id);
		add_past(self, json__get(row));
	}
}

void daemon__restore_pasts(struct daemon *self)
{
	_auto_json_ struct json_object *rows = NULL;
	_auto_buf_ struct buf text = { .max_bytes = FILE_MAX_BYTES };
	int dir_fd _auto_close_ = -1;
	int err = dir__open_private(config__str(self->config, CONFIG_STATE_DIR), &dir_fd);

	err = err ? err : file__read_trusted(dir_fd, FILE_NAME, &text);
	if (err == -ENOENT)
		return;
	err = err ? err : json__parse(text.data, text.len, &rows);
	if (err)
		log_warn("daemon: '%s' of the state directory is not usable: %s", FILE_NAME,
			 errname(err));
	restore(self, rows);
	if (err || json__len(rows))
		daemon__note_locals(self, NULL);
}

void daemon__forget_pasts(struct daemon *self)
{
	while (self->pasts_cnt)
		json__put(self->pasts[--self->pasts_cnt]);
}

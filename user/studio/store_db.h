/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_STORE_DB_H
#define PP_STUDIO_STORE_DB_H
/*
 * What the store's own files share: statements on its SQLite file. Nobody else includes this.
 *
 *	struct stmt stmt _auto_stmt_ = { 0 };
 *	err = stmt__new(self, &stmt, "SELECT a FROM t WHERE b=?1", "i", b);
 *	while (!err && (err = stmt__step(&stmt)) == 1)
 *		use(stmt__text(&stmt, 0));
 */
#include "store.h"

#include <sqlite3.h>

struct stmt {
	sqlite3_stmt *raw;
	struct stmt_kept *kept; /* NULL: finalized at the end of its scope */
};
/* A prepared statement is kept for the next one who asks with the same text. */
struct stmt_kept {
	char *sql;
	sqlite3_stmt *raw;
	bool is_used;
};
#define STMTS_KEPT_MAX 96

struct store {
	sqlite3 *db;
	struct stmt borrowed; /* keeps the strings of store__profile alive */
	struct stmt_kept kept[STMTS_KEPT_MAX];
	size_t kept_cnt;
};

/* As the index commands_open says it, for SQLite to see that it may be used. */
#define COMMAND_OPEN	"status IN ('pending','sent','received','sampling')"
#define RESULT_GRACE_MS 600000 /* an upload this late still counts as the command's */

int sql_errno(int rc);
int store__exec(struct store *self, const char *sql);
/* Commits, or takes all back if err is not 0 or the commit fails. Returns what went wrong first. */
int store__end(struct store *self, int err);
/* Adds a request's commands; inside begin and commit. */
int store__add_commands(struct store *self, const struct new_request *request, uint64_t now_ms);
int store__tell_run(struct store *self, const struct heartbeat *beat, const struct json_object *run,
		    int64_t now_ms);
/* What a command that has reached its agent puts an end to. */
int store__end_older(struct store *self, const char *id, int64_t now_ms);
int store__see_host(struct store *self, const struct heartbeat *beat, int64_t now_ms);
int store__set_inventory(struct store *self, int64_t host, const struct inventory *inventory);
/* store_subscriptions.c; inside begin and commit. */
int store__subscribe(struct store *self, const struct new_request *request, int64_t now_ms);
int store__enrol(struct store *self, const struct heartbeat *beat, int64_t host, int64_t enrolled,
		 int64_t now_ms);

/* types: 't' const char * (NULL: null), 'i' int64_t, 'f' double; one letter per parameter. */
int stmt__new(struct store *self, struct stmt *ret_stmt, const char *sql, const char *types, ...);
void stmt__done(struct stmt *self);
#define _auto_stmt_ __cleanup(stmt__done)
/* 1: a row is there, 0: no more, -errno. */
int stmt__step(struct stmt *self);
void stmt__reset(struct stmt *self);
/* Columns of the row from 0; a text is borrowed until the next step, NULL if null. */
const char *stmt__text(struct stmt *self, int column);
int64_t stmt__int(struct stmt *self, int column);
double stmt__double(struct stmt *self, int column);
bool stmt__is_null(struct stmt *self, int column);

/* A statement without rows (or whose first row does not matter). */
#define store__run(self, sql, types, ...)                                            \
	({                                                                           \
		struct stmt _stmt _auto_stmt_ = { 0 };                               \
		int _err = stmt__new((self), &_stmt, (sql), (types), ##__VA_ARGS__); \
		_err = _err ? _err : stmt__step(&_stmt);                             \
		_err < 0 ? _err : 0;                                                 \
	})

#endif

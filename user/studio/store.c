/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The studio's one SQLite file: opening, the steps of its schema, transactions, statements; lasting counters
 * and the agents' numbers. Not hosts, commands or profiles (store_*.c). The schema only moves forward: each
 * step is run once, in a transaction with its number.
 */
#include "store_db.h"

#include "pp/base/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_MS 200

/* Steps of the schema; only ever appended to. */
extern const char pp_asset_schema_1_sql[], pp_asset_schema_2_sql[];
static const char *const schema_steps[] = { pp_asset_schema_1_sql, pp_asset_schema_2_sql };

int sql_errno(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return -EBUSY;
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_READONLY: return -EROFS;
	case SQLITE_NOMEM: return -ENOMEM;
	case SQLITE_TOOBIG: return -E2BIG;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return -EBADMSG;
	default: return -EIO;
	}
}

int store__exec(struct store *self, const char *sql)
{
	return sql_errno(sqlite3_exec(self->db, sql, NULL, NULL, NULL));
}

/* The kept statement of this text, made if there is room; NULL: none is free. */
static struct stmt_kept *store__kept(struct store *self, const char *sql)
{
	struct stmt_kept *kept;
	size_t i;

	for (i = 0; i < self->kept_cnt; i++)
		if (!strcmp(self->kept[i].sql, sql))
			return self->kept[i].is_used ? NULL : &self->kept[i];
	if (self->kept_cnt == STMTS_KEPT_MAX)
		return NULL;
	kept = &self->kept[self->kept_cnt];
	kept->sql = strdup(sql);
	self->kept_cnt += !!kept->sql;
	return kept->sql ? kept : NULL;
}

static int stmt__prepare(struct store *self, struct stmt *stmt, const char *sql)
{
	struct stmt_kept *kept = store__kept(self, sql);
	int rc;

	if (kept && kept->raw) {
		*stmt = (struct stmt){ kept->raw, kept };
	} else {
		rc = sqlite3_prepare_v3(self->db, sql, -1, kept ? SQLITE_PREPARE_PERSISTENT : 0,
					&stmt->raw, NULL);
		if (rc)
			return rc;
		stmt->kept = kept;
	}
	if (kept) {
		kept->raw = stmt->raw;
		kept->is_used = true;
	}
	return 0;
}

int stmt__new(struct store *self, struct stmt *ret_stmt, const char *sql, const char *types, ...)
{
	struct stmt stmt = { 0 };
	va_list ap;
	int rc, i;

	rc = stmt__prepare(self, &stmt, sql);
	va_start(ap, types);
	for (i = 1; !rc && *types; i++, types++) {
		if (*types == 't')
			rc = sqlite3_bind_text(stmt.raw, i, va_arg(ap, const char *), -1,
					       SQLITE_TRANSIENT);
		else if (*types == 'i')
			rc = sqlite3_bind_int64(stmt.raw, i, va_arg(ap, int64_t));
		else
			rc = sqlite3_bind_double(stmt.raw, i, va_arg(ap, double));
	}
	va_end(ap);
	if (rc) {
		stmt__done(&stmt);
		return sql_errno(rc);
	}
	*ret_stmt = stmt;
	return 0;
}

void stmt__done(struct stmt *self)
{
	if (self->kept) {
		sqlite3_reset(self->raw);
		sqlite3_clear_bindings(self->raw);
		self->kept->is_used = false;
	} else {
		sqlite3_finalize(self->raw);
	}
	*self = (struct stmt){ 0 };
}

int stmt__step(struct stmt *self)
{
	const int rc = sqlite3_step(self->raw);
	return rc == SQLITE_ROW ? 1 : sql_errno(rc);
}

void stmt__reset(struct stmt *self)
{
	sqlite3_reset(self->raw);
}

const char *stmt__text(struct stmt *self, int column)
{
	return (const char *)sqlite3_column_text(self->raw, column);
}

int64_t stmt__int(struct stmt *self, int column)
{
	return sqlite3_column_int64(self->raw, column);
}

double stmt__double(struct stmt *self, int column)
{
	return sqlite3_column_double(self->raw, column);
}

bool stmt__is_null(struct stmt *self, int column)
{
	return sqlite3_column_type(self->raw, column) == SQLITE_NULL;
}

static int store__migrate(struct store *self)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int64_t version;
	int err;

	err = stmt__new(self, &stmt, "PRAGMA user_version", "");
	if (!err && stmt__step(&stmt) != 1)
		err = -EBADMSG;
	if (err)
		return err;
	version = stmt__int(&stmt, 0);
	if (version < 0 || version > (int64_t)ARRAY_SIZE(schema_steps))
		return -EPROTO;
	stmt__reset(&stmt);
	for (; version < (int64_t)ARRAY_SIZE(schema_steps); version++) {
		char pragma[48];

		sqlite3_snprintf(sizeof(pragma), pragma, "PRAGMA user_version = %lld", version + 1);
		err = store__begin(self);
		err = err ? err : store__exec(self, schema_steps[version]);
		err = err ? err : store__exec(self, pragma);
		err = err ? err : store__commit(self);
		if (err) {
			store__rollback(self);
			return err;
		}
	}
	return 0;
}

int store__open(const char *path, struct store **ret_store)
{
	struct store *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	err = sql_errno(sqlite3_open_v2(
		path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		NULL));
	if (!err) {
		sqlite3_busy_timeout(self->db, BUSY_MS);
		err = store__exec(self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
					"PRAGMA journal_size_limit = 4194304");
	}
	err = err ? err : store__migrate(self);
	if (err) {
		store__close(self);
		return err;
	}
	*ret_store = self;
	return 0;
}

void store__close(struct store *self)
{
	size_t i;

	if (!self)
		return;
	stmt__done(&self->borrowed);
	for (i = 0; i < self->kept_cnt; i++) {
		sqlite3_finalize(self->kept[i].raw);
		free(self->kept[i].sql);
	}
	sqlite3_close(self->db);
	free(self);
}

int store__begin(struct store *self)
{
	return store__exec(self, "BEGIN IMMEDIATE");
}

int store__commit(struct store *self)
{
	return store__exec(self, "COMMIT");
}

void store__rollback(struct store *self)
{
	if (!sqlite3_get_autocommit(self->db))
		(void)store__exec(self, "ROLLBACK");
}

int store__end(struct store *self, int err)
{
	err = err ? err : store__commit(self);
	if (err)
		store__rollback(self);
	return err;
}

int store__gpid(struct store *self, const char *text, const char *hostname, const char *service,
		uint64_t now_ms, int64_t *ret_gpid)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	char *end;
	long long gpid;
	int err;

	if (*text) {
		errno = 0;
		gpid = strtoll(text, &end, 10);
		if (*end || errno || gpid <= 0)
			return -ENOENT;
		err = stmt__new(self, &stmt, "SELECT gpid FROM agents WHERE gpid=?1", "i",
				(int64_t)gpid);
	} else {
		err = stmt__new(
			self, &stmt,
			"INSERT INTO agents(hostname,service,last_seen_ms) VALUES(?1,?2,?3)"
			" ON CONFLICT(hostname,service) DO UPDATE SET last_seen_ms=?3 RETURNING gpid",
			"tti", hostname, service, (int64_t)now_ms);
	}
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	*ret_gpid = stmt__int(&stmt, 0);
	return stmt__step(&stmt); /* an INSERT .. RETURNING is done at its end */
}

int store__count(struct store *self, const char *name, uint64_t n)
{
	return store__run(
		self, "INSERT INTO counters VALUES(?1,?2) ON CONFLICT(name) DO UPDATE SET n=n+?2",
		"ti", name, (int64_t)n);
}

int store__counter(struct store *self, const char *name, uint64_t *ret_n)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(self, &stmt, "SELECT n FROM counters WHERE name=?1", "t", name);
	err = err ? err : stmt__step(&stmt);
	if (err >= 0)
		*ret_n = err ? (uint64_t)stmt__int(&stmt, 0) : 0;
	return err < 0 ? err : 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hosts, commands and the list of profiles in one SQLite file: the schema and all SQL of the product.
 * Not the profiles themselves (shelf.c). The schema only moves forward: each step is run once, in a
 * transaction with its number. A command goes pending -> sent -> completed or failed; it is delivered
 * until the agent says that it has it; pending ones may become expired or replaced.
 */
#include "store.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <sqlite3.h>

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BUSY_MS		200
#define HOSTS_MAX	10000
#define COMMANDS_KEPT	10000
#define RUN_GRACE_MS	30000 /* a run may show as running this long after its planned end */
#define RESULT_GRACE_MS 600000 /* an upload this late still counts as the command's */

/* Steps of the schema; only ever appended to. */
extern const char pp_asset_schema_1_sql[], pp_asset_hosts_sql[];
static const char *const schema_steps[] = { pp_asset_schema_1_sql };

struct store {
	sqlite3 *db;
	sqlite3_stmt *borrowed; /* keeps the strings of store__profile alive */
};

static int sql_errno(int rc)
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

static int store__exec(struct store *self, const char *sql)
{
	return sql_errno(sqlite3_exec(self->db, sql, NULL, NULL, NULL));
}

static void stmt__cleanup(sqlite3_stmt **p)
{
	sqlite3_finalize(*p);
}
#define _auto_stmt_ __cleanup(stmt__cleanup)

/* types: 't' const char * (NULL: null), 'i' int64_t, 'f' double; one letter per parameter. */
static int stmt__new(struct store *self, sqlite3_stmt **ret_stmt, const char *sql,
		     const char *types, ...)
{
	sqlite3_stmt *stmt = NULL;
	va_list ap;
	int rc, i;

	rc = sqlite3_prepare_v2(self->db, sql, -1, &stmt, NULL);
	va_start(ap, types);
	for (i = 1; !rc && *types; i++, types++) {
		if (*types == 't')
			rc = sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1,
					       SQLITE_TRANSIENT);
		else if (*types == 'i')
			rc = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
		else
			rc = sqlite3_bind_double(stmt, i, va_arg(ap, double));
	}
	va_end(ap);
	if (rc) {
		sqlite3_finalize(stmt);
		return sql_errno(rc);
	}
	*ret_stmt = stmt;
	return 0;
}

/* 1: a row is there, 0: no more, -errno. */
static int stmt__step(sqlite3_stmt *stmt)
{
	const int rc = sqlite3_step(stmt);
	return rc == SQLITE_ROW ? 1 : sql_errno(rc);
}

#define store__run(self, sql, types, ...)                                            \
	({                                                                           \
		sqlite3_stmt *_stmt _auto_stmt_ = NULL;                              \
		int _err = stmt__new((self), &_stmt, (sql), (types), ##__VA_ARGS__); \
		_err = _err ? _err : stmt__step(_stmt);                              \
		_err < 0 ? _err : 0;                                                 \
	})

static const char *stmt__text(sqlite3_stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

static int store__migrate(struct store *self)
{
	sqlite3_stmt *stmt _auto_stmt_ = NULL;
	int64_t version;
	int err;

	err = stmt__new(self, &stmt, "PRAGMA user_version", "");
	if (!err && stmt__step(stmt) != 1)
		err = -EBADMSG;
	if (err)
		return err;
	version = sqlite3_column_int64(stmt, 0);
	if (version < 0 || version > (int64_t)ARRAY_SIZE(schema_steps))
		return -EPROTO;
	sqlite3_reset(stmt);
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
	if (!self)
		return;
	sqlite3_finalize(self->borrowed);
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

static int store__end(struct store *self, int err)
{
	err = err ? err : store__commit(self);
	if (err)
		store__rollback(self);
	return err;
}

void command__clear(struct command *self)
{
	free(self->type);
	free(self->config);
	*self = (struct command){ 0 };
}

static int store__see_host(struct store *self, const struct heartbeat *beat, int64_t now_ms)
{
	int err;

	err = store__run(
		self,
		"UPDATE hosts SET address=?3, status=?4, agent_version=coalesce(?5,agent_version),"
		" run_mode=coalesce(?6,run_mode), last_seen_ms=?7 WHERE hostname=?1 AND service=?2",
		"tttttti", beat->hostname, beat->service, beat->address, beat->status,
		beat->agent_version, beat->run_mode, now_ms);
	if (err || sqlite3_changes(self->db))
		return err;
	err = store__run(self,
			 "INSERT INTO hosts(hostname,service,address,status,agent_version,run_mode,"
			 "first_seen_ms,last_seen_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?7)",
			 "tttttti", beat->hostname, beat->service, beat->address, beat->status,
			 beat->agent_version, beat->run_mode, now_ms);
	return err ? err :
		     store__run(
			     self,
			     "DELETE FROM hosts WHERE id IN (SELECT id FROM hosts ORDER BY last_seen_ms"
			     " LIMIT max(0, (SELECT count(*) FROM hosts) - ?1))",
			     "i", (int64_t)HOSTS_MAX);
}

static bool heartbeat__has(const struct heartbeat *self, const char *id)
{
	const size_t cnt = json__len(self->received_ids);
	size_t i;

	if (self->last_command_id && !strcasecmp(self->last_command_id, id))
		return true;
	for (i = 0; i < cnt; i++)
		if (!strcasecmp(json__str(json__at(self->received_ids, i)), id))
			return true;
	return false;
}

static int store__mark_received(struct store *self, const struct heartbeat *beat, int64_t now_ms)
{
	sqlite3_stmt *stmt _auto_stmt_ = NULL;
	char ids[COMMANDS_OPEN_MAX][UUID_TEXT_BYTES];
	size_t cnt = 0, i;
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT id FROM commands WHERE hostname=?1 AND service=?2 AND sent_ms NOT NULL AND"
		" received_ms IS NULL AND status IN ('sent','completed','failed','replaced')"
		" ORDER BY seq DESC LIMIT ?3",
		"tti", beat->hostname, beat->service, (int64_t)COMMANDS_OPEN_MAX);
	if (err)
		return err;
	while ((err = stmt__step(stmt)) == 1 && cnt < COMMANDS_OPEN_MAX)
		if (heartbeat__has(beat, stmt__text(stmt, 0)))
			memcpy(ids[cnt++], stmt__text(stmt, 0), UUID_TEXT_BYTES);
	for (i = 0; err >= 0 && i < cnt; i++)
		err = store__run(self, "UPDATE commands SET received_ms=?2 WHERE id=?1", "ti",
				 ids[i], now_ms);
	return err < 0 ? err : 0;
}

static int store__next_command(struct store *self, const struct heartbeat *beat, int64_t now_ms,
			       struct command *ret_command)
{
	sqlite3_stmt *stmt _auto_stmt_ = NULL;
	int err;

	err = store__run(
		self,
		"UPDATE commands SET status='expired' WHERE hostname=?1 AND service=?2 AND"
		" status IN ('pending','sent') AND received_ms IS NULL AND type='start' AND"
		" continuous=0 AND made_ms < ?3",
		"tti", beat->hostname, beat->service, now_ms - COMMAND_EXPIRES_MS);
	err = err ? err :
		    stmt__new(
			    self, &stmt,
			    "SELECT id, type, config FROM commands WHERE hostname=?1 AND service=?2 AND"
			    " status IN ('pending','sent') AND received_ms IS NULL ORDER BY seq LIMIT 1",
			    "tt", beat->hostname, beat->service);
	err = err ? err : stmt__step(stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	memcpy(ret_command->id, stmt__text(stmt, 0), UUID_TEXT_BYTES);
	ret_command->type = strdup(stmt__text(stmt, 1));
	ret_command->config = strdup(stmt__text(stmt, 2));
	if (!ret_command->type || !ret_command->config)
		return -ENOMEM;
	return store__run(
		self, "UPDATE commands SET status='sent', sent_ms=coalesce(sent_ms,?2) WHERE id=?1",
		"ti", ret_command->id, now_ms);
}

int store__heartbeat(struct store *self, const struct heartbeat *beat, uint64_t now_ms,
		     struct command *ret_command)
{
	struct command command = { 0 };
	int err, found = -ENOENT;

	err = store__begin(self);
	err = err ? err : store__see_host(self, beat, (int64_t)now_ms);
	err = err ? err : store__mark_received(self, beat, (int64_t)now_ms);
	if (!err) {
		found = store__next_command(self, beat, (int64_t)now_ms, &command);
		err = found == -ENOENT ? 0 : found;
	}
	err = store__end(self, err);
	if (err || found) {
		command__clear(&command);
		return err ? err : found;
	}
	*ret_command = command;
	return 0;
}

static int store__add_command(struct store *self, const struct new_request *request,
			      const struct new_command *command, int64_t now_ms)
{
	sqlite3_stmt *stmt _auto_stmt_ = NULL;
	int err = 0;

	/* What has not reached the agent yet gives way: to a stop of the host every start, to a
	 * continuous start another one. */
	if (request->stops_host || (request->is_start && request->continuous))
		err = store__run(
			self,
			"UPDATE commands SET status='replaced' WHERE hostname=?1 AND service=?2 AND"
			" status IN ('pending','sent') AND received_ms IS NULL AND type='start' AND"
			" (continuous OR ?3)",
			"tti", command->hostname, request->service, (int64_t)request->stops_host);
	err = err ? err :
		    stmt__new(self, &stmt,
			      "SELECT count(*) FROM commands WHERE hostname=?1 AND service=?2 AND"
			      " status IN ('pending','sent') AND received_ms IS NULL",
			      "tt", command->hostname, request->service);
	err = err ? err : stmt__step(stmt);
	if (err < 0)
		return err;
	if (sqlite3_column_int64(stmt, 0) >= COMMANDS_OPEN_MAX)
		return -EDQUOT;
	return store__run(
		self,
		"INSERT INTO commands(id,request_id,hostname,service,type,continuous,stops_host,"
		"duration_s,config,status,made_ms) VALUES(?,?,?,?,?,?,?,?,?,'pending',?)",
		"tttttiiiti", command->id, request->id, command->hostname, request->service,
		command->type, (int64_t)request->continuous, (int64_t)request->stops_host,
		(int64_t)request->duration_s, command->config, now_ms);
}

int store__add_request(struct store *self, const struct new_request *request, uint64_t now_ms)
{
	size_t i;
	int err;

	err = store__begin(self);
	for (i = 0; !err && i < request->command_cnt; i++)
		err = store__add_command(self, request, &request->commands[i], (int64_t)now_ms);
	err = err ? err :
		    store__run(self,
			       "DELETE FROM commands WHERE status NOT IN ('pending','sent') AND"
			       " seq <= (SELECT max(seq) FROM commands) - ?1",
			       "i", (int64_t)COMMANDS_KEPT);
	return store__end(self, err);
}

int store__complete(struct store *self, const struct completion *completion, uint64_t now_ms,
		    char ret_status[16])
{
	sqlite3_stmt *stmt _auto_stmt_ = NULL;
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT status, ended_ms FROM commands WHERE id=?1 AND hostname=?2 AND sent_ms NOT NULL",
		"tt", completion->id, completion->hostname);
	err = err ? err : stmt__step(stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	if (sqlite3_column_type(stmt, 1) != SQLITE_NULL) {
		sqlite3_snprintf(16, ret_status, "%s", stmt__text(stmt, 0));
		return -EALREADY;
	}
	sqlite3_reset(stmt);
	return store__run(
		self,
		"UPDATE commands SET status=?2, ended_ms=?3, error=?4, results_path=?5,"
		" execution_time_s=nullif(?6,-1), received_ms=coalesce(received_ms,?3) WHERE id=?1",
		"ttitti", completion->id, completion->status, (int64_t)now_ms, completion->error,
		completion->results_path, max_of(completion->execution_time_s, (int64_t)-1));
}

int store__add_profile(struct store *self, const struct stored_profile *profile, int64_t *ret_id)
{
	int64_t id;
	int err;

	err = store__run(
		self,
		"INSERT INTO profiles(hostname,service,start_ms,end_ms,received_ms,samples,stacks,"
		"lines_skipped,bytes,complete_pct,rate_hz,continuous,has_html)"
		" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
		"ttiiiiiiifiii", profile->hostname, profile->service, profile->start_ms,
		profile->end_ms, profile->received_ms, (int64_t)profile->samples,
		(int64_t)profile->stacks, (int64_t)profile->lines_skipped, (int64_t)profile->bytes,
		profile->complete_pct, (int64_t)profile->rate_hz, (int64_t)profile->continuous,
		(int64_t)profile->has_html);
	if (err)
		return err;
	id = sqlite3_last_insert_rowid(self->db);
	/* An upload does not name its command: it is the oldest delivered ad hoc one without a result. */
	if (!profile->continuous)
		err = store__run(
			self,
			"UPDATE commands SET profile_id=?1, received_ms=coalesce(received_ms,?4) WHERE seq=(SELECT seq FROM commands WHERE"
			" hostname=?2 AND service=?3 AND type='start' AND NOT continuous AND"
			" status IN ('sent','completed','replaced') AND profile_id IS NULL AND"
			" sent_ms + duration_s * 1000 + ?5 > ?4 ORDER BY seq LIMIT 1)",
			"ittii", id, profile->hostname, profile->service, profile->received_ms,
			(int64_t)RESULT_GRACE_MS);
	if (!err)
		*ret_id = id;
	return err;
}

int store__set_profile_bytes(struct store *self, int64_t id, uint64_t bytes)
{
	return store__run(self, "UPDATE profiles SET bytes=?2 WHERE id=?1", "ii", id,
			  (int64_t)bytes);
}

#define PROFILE_COLUMNS                                                                       \
	"id,hostname,service,start_ms,end_ms,received_ms,samples,stacks,lines_skipped,bytes," \
	"complete_pct,rate_hz,continuous,has_html"

static void stored_profile__read(sqlite3_stmt *stmt, struct stored_profile *ret)
{
	*ret = (struct stored_profile){
		.id = sqlite3_column_int64(stmt, 0),
		.hostname = stmt__text(stmt, 1),
		.service = stmt__text(stmt, 2),
		.start_ms = sqlite3_column_int64(stmt, 3),
		.end_ms = sqlite3_column_int64(stmt, 4),
		.received_ms = sqlite3_column_int64(stmt, 5),
		.samples = (uint64_t)sqlite3_column_int64(stmt, 6),
		.stacks = (uint64_t)sqlite3_column_int64(stmt, 7),
		.lines_skipped = (uint64_t)sqlite3_column_int64(stmt, 8),
		.bytes = (uint64_t)sqlite3_column_int64(stmt, 9),
		.complete_pct = sqlite3_column_double(stmt, 10),
		.rate_hz = (uint32_t)sqlite3_column_int64(stmt, 11),
		.continuous = sqlite3_column_int(stmt, 12),
		.has_html = sqlite3_column_int(stmt, 13),
	};
}

int store__profile(struct store *self, int64_t id, struct stored_profile *ret_profile)
{
	int err;

	sqlite3_finalize(take_ptr(self->borrowed));
	err = stmt__new(self, &self->borrowed,
			"SELECT " PROFILE_COLUMNS " FROM profiles WHERE id=?1", "i", id);
	err = err ? err : stmt__step(self->borrowed);
	if (err == 1)
		stored_profile__read(self->borrowed, ret_profile);
	return err == 1 ? 0 : err ? err : -ENOENT;
}

int store__each_profile(struct store *self, uint32_t max,
			int (*fn)(void *arg, const struct stored_profile *profile), void *arg)
{
	sqlite3_stmt *stmt _auto_stmt_ = NULL;
	int err;

	err = stmt__new(self, &stmt,
			"SELECT " PROFILE_COLUMNS " FROM profiles ORDER BY id DESC LIMIT ?1", "i",
			(int64_t)max);
	while (!err && (err = stmt__step(stmt)) == 1) {
		struct stored_profile profile;

		stored_profile__read(stmt, &profile);
		err = fn(arg, &profile);
	}
	return err;
}

int store__profile_totals(struct store *self, uint64_t *ret_cnt, uint64_t *ret_bytes,
			  int64_t *ret_oldest)
{
	sqlite3_stmt *stmt _auto_stmt_ = NULL;
	int err;

	err = stmt__new(self, &stmt,
			"SELECT count(*), coalesce(sum(bytes),0), min(id) FROM profiles", "");
	err = err ? err : stmt__step(stmt);
	if (err != 1)
		return err ? err : -EIO;
	*ret_cnt = (uint64_t)sqlite3_column_int64(stmt, 0);
	*ret_bytes = (uint64_t)sqlite3_column_int64(stmt, 1);
	*ret_oldest = sqlite3_column_int64(stmt, 2);
	return 0;
}

int store__remove_profile(struct store *self, int64_t id)
{
	sqlite3_finalize(take_ptr(self->borrowed));
	return store__run(self, "DELETE FROM profiles WHERE id=?1", "i", id);
}

int store__gpid(struct store *self, const char *text, const char *hostname, const char *service,
		uint64_t now_ms, int64_t *ret_gpid)
{
	sqlite3_stmt *stmt _auto_stmt_ = NULL;
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
	err = err ? err : stmt__step(stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	*ret_gpid = sqlite3_column_int64(stmt, 0);
	return stmt__step(stmt); /* an INSERT .. RETURNING is done at its end */
}

int store__count(struct store *self, const char *name, uint64_t n)
{
	return store__run(
		self, "INSERT INTO counters VALUES(?1,?2) ON CONFLICT(name) DO UPDATE SET n=n+?2",
		"ti", name, (int64_t)n);
}

int store__counter(struct store *self, const char *name, uint64_t *ret_n)
{
	sqlite3_stmt *stmt _auto_stmt_ = NULL;
	int err;

	err = stmt__new(self, &stmt, "SELECT n FROM counters WHERE name=?1", "t", name);
	err = err ? err : stmt__step(stmt);
	if (err >= 0)
		*ret_n = err ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
	return err < 0 ? err : 0;
}

int store__each_host(struct store *self, uint64_t now_ms,
		     int (*fn)(void *arg, const struct stored_host *host), void *arg)
{
	sqlite3_stmt *stmt _auto_stmt_ = NULL;
	int err;

	err = stmt__new(self, &stmt, pp_asset_hosts_sql, "iii", (int64_t)now_ms,
			(int64_t)RUN_GRACE_MS, (int64_t)COMMAND_EXPIRES_MS);
	while (!err && (err = stmt__step(stmt)) == 1) {
		const struct stored_host host = {
			.id = sqlite3_column_int64(stmt, 0),
			.hostname = stmt__text(stmt, 1),
			.service = stmt__text(stmt, 2),
			.address = stmt__text(stmt, 3),
			.status = stmt__text(stmt, 4),
			.agent_version = stmt__text(stmt, 5),
			.run_mode = stmt__text(stmt, 6),
			.last_seen_ms = sqlite3_column_int64(stmt, 7),
			.is_waiting = sqlite3_column_int(stmt, 8),
			.is_profiling = sqlite3_column_int(stmt, 9),
			.is_continuous = sqlite3_column_int(stmt, 10),
			.command_id = stmt__text(stmt, 11),
			.command_type = stmt__text(stmt, 12),
			.command_status = stmt__text(stmt, 13),
			.command_error = stmt__text(stmt, 14),
			.command_config = stmt__text(stmt, 15),
			.command_continuous = sqlite3_column_int(stmt, 16),
			.command_made_ms = sqlite3_column_int64(stmt, 17),
			.command_begun_ms = sqlite3_column_int64(stmt, 18),
			.command_duration_s = sqlite3_column_int64(stmt, 19),
			.command_profile = sqlite3_column_int64(stmt, 20),
		};

		err = fn(arg, &host);
	}
	return err;
}

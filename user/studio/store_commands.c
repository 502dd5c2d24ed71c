/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The queue in the store: commands, from the operator's request to the agent's report. A command goes
 * pending -> sent -> completed or failed; it is delivered until the agent says that it has it; pending
 * ones may become expired or replaced. Not who may order what (order.c), nor hosts (store_hosts.c).
 */
#include "store_db.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COMMANDS_KEPT 10000

void command__clear(struct command *self)
{
	free(self->type);
	free(self->config);
	*self = (struct command){ 0 };
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
	struct stmt stmt _auto_stmt_ = { 0 };
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
	while ((err = stmt__step(&stmt)) == 1 && cnt < COMMANDS_OPEN_MAX)
		if (heartbeat__has(beat, stmt__text(&stmt, 0)))
			memcpy(ids[cnt++], stmt__text(&stmt, 0), UUID_TEXT_BYTES);
	for (i = 0; err >= 0 && i < cnt; i++)
		err = store__run(self, "UPDATE commands SET received_ms=?2 WHERE id=?1", "ti",
				 ids[i], now_ms);
	return err < 0 ? err : 0;
}

static int store__next_command(struct store *self, const struct heartbeat *beat, int64_t now_ms,
			       struct command *ret_command)
{
	struct stmt stmt _auto_stmt_ = { 0 };
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
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	memcpy(ret_command->id, stmt__text(&stmt, 0), UUID_TEXT_BYTES);
	ret_command->type = strdup(stmt__text(&stmt, 1));
	ret_command->config = strdup(stmt__text(&stmt, 2));
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

int store__deliver(struct store *self, const char *hostname, const char *service, uint64_t now_ms,
		   struct command *ret_command)
{
	const struct heartbeat beat = { .hostname = hostname, .service = service };
	struct command command = { 0 };
	int err, found = -ENOENT;

	err = store__begin(self);
	if (!err) {
		found = store__next_command(self, &beat, (int64_t)now_ms, &command);
		err = store__end(self, found == -ENOENT ? 0 : found);
	}
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
	struct stmt stmt _auto_stmt_ = { 0 };
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
	err = err ? err : stmt__step(&stmt);
	if (err < 0)
		return err;
	if (stmt__int(&stmt, 0) >= COMMANDS_OPEN_MAX)
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
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT status, ended_ms FROM commands WHERE id=?1 AND hostname=?2 AND sent_ms NOT NULL",
		"tt", completion->id, completion->hostname);
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	if (!stmt__is_null(&stmt, 1)) {
		sqlite3_snprintf(16, ret_status, "%s", stmt__text(&stmt, 0));
		return -EALREADY;
	}
	stmt__reset(&stmt);
	return store__run(
		self,
		"UPDATE commands SET status=?2, ended_ms=?3, error=?4, results_path=?5,"
		" execution_time_s=nullif(?6,-1), received_ms=coalesce(received_ms,?3) WHERE id=?1",
		"ttitti", completion->id, completion->status, (int64_t)now_ms, completion->error,
		completion->results_path, max_of(completion->execution_time_s, (int64_t)-1));
}

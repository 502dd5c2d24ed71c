/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The queue in the store, as agents see it: what their heartbeats say and what they get. A command goes
 * pending -> sent -> received -> sampling -> done, failed, expired, superseded or stopped; it is delivered until
 * the agent says that it has it. The continuous start in force is what the host shall do: an agent that
 * does not know it gets it again. How commands come into being: store_orders.c; their ends: store_runs.c.
 */
#include "store_db.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RUNS_MAX 64 /* of one heartbeat */

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

int store__end_older(struct store *self, const char *id, int64_t now_ms)
{
	return store__run(
		self,
		"UPDATE commands SET status='stopped', ended_ms=?2 WHERE seq IN (SELECT o.seq FROM"
		" commands o, commands n WHERE n.id=?1 AND (n.stops_host OR (n.type='start' AND"
		" n.continuous)) AND o.hostname=n.hostname AND o.service=n.service AND"
		" o.seq < n.seq AND o.type='start' AND (o.continuous OR n.stops_host) AND o." COMMAND_OPEN
		" AND"
		" o.status IN ('sent','received','sampling'))",
		"ti", id, now_ms);
}

static int store__take_received(struct store *self, const char *id, int64_t now_ms)
{
	int err;

	err = store__run(
		self,
		"UPDATE commands SET received_ms=?2, status=CASE WHEN status IN ('pending','sent')"
		" THEN 'received' ELSE status END WHERE id=?1",
		"ti", id, now_ms);
	return err ? err : store__end_older(self, id, now_ms);
}

/* One without lists has room for one id: what it got before that has reached it as well. */
static int store__mark_received(struct store *self, const struct heartbeat *beat, int64_t now_ms)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	char ids[COMMANDS_OPEN_MAX][UUID_TEXT_BYTES];
	bool is_later_known = false;
	size_t cnt = 0, i;
	int err;

	if (!beat->last_command_id && !json__len(beat->received_ids))
		return 0;
	err = stmt__new(
		self, &stmt,
		"SELECT id FROM commands WHERE hostname=?1 AND service=?2 AND sent_ms NOT NULL AND"
		" received_ms IS NULL AND status IN ('sent','superseded')"
		" ORDER BY seq DESC LIMIT ?3",
		"tti", beat->hostname, beat->service, (int64_t)COMMANDS_OPEN_MAX);
	if (err)
		return err;
	while ((err = stmt__step(&stmt)) == 1 && cnt < COMMANDS_OPEN_MAX) {
		const bool is_known = heartbeat__has(beat, stmt__text(&stmt, 0));

		if (is_known || (is_later_known && !beat->received_ids))
			memcpy(ids[cnt++], stmt__text(&stmt, 0), UUID_TEXT_BYTES);
		is_later_known |= is_known;
	}
	stmt__reset(&stmt);
	for (i = cnt; err >= 0 && i-- > 0;)
		err = store__take_received(self, ids[i], now_ms);
	return err < 0 ? err : 0;
}

static int store__expire(struct store *self, const struct heartbeat *beat, int64_t now_ms)
{
	return store__run(
		self,
		"UPDATE commands SET status='expired', ended_ms=?3, error=CASE WHEN received_ms IS NULL"
		" THEN 'the agent did not fetch it in time' ELSE 'no result came in time' END"
		" WHERE hostname=?1 AND service=?2 AND " COMMAND_OPEN " AND type='start' AND"
		" continuous=0 AND CASE WHEN received_ms IS NULL THEN made_ms + ?4 < ?3"
		" ELSE received_ms + duration_s * 1000 + ?5 < ?3 END",
		"ttiii", beat->hostname, beat->service, now_ms, (int64_t)COMMAND_EXPIRES_MS,
		(int64_t)RESULT_GRACE_MS);
}

static int command__read(struct stmt *stmt, struct command *ret_command)
{
	memcpy(ret_command->id, stmt__text(stmt, 0), UUID_TEXT_BYTES);
	ret_command->type = strdup(stmt__text(stmt, 1));
	ret_command->config = strdup(stmt__text(stmt, 2));
	ret_command->duration_s = stmt__int(stmt, 3);
	ret_command->rate_hz = stmt__int(stmt, 4);
	return ret_command->type && ret_command->config ? 0 : -ENOMEM;
}

/* The continuous start in force, if this agent does not know it: it was restarted and has forgotten. */
static int store__forgotten(struct store *self, const struct heartbeat *beat,
			    struct command *ret_command)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	if (!beat->received_ids && beat->last_command_id)
		return -ENOENT;
	err = stmt__new(
		self, &stmt,
		"SELECT id, type, config, duration_s, rate_hz FROM commands WHERE hostname=?1 AND"
		" service=?2 AND " COMMAND_OPEN " AND type='start' AND continuous AND"
		" status IN ('received','sampling') ORDER BY seq DESC LIMIT 1",
		"tt", beat->hostname, beat->service);
	err = err ? err : stmt__step(&stmt);
	if (err <= 0 || heartbeat__has(beat, stmt__text(&stmt, 0)))
		return err < 0 ? err : -ENOENT;
	return command__read(&stmt, ret_command);
}

static int store__next_command(struct store *self, const struct heartbeat *beat, int64_t now_ms,
			       struct command *ret_command)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT id, type, config, duration_s, rate_hz FROM commands WHERE hostname=?1 AND"
		" service=?2 AND " COMMAND_OPEN " AND status IN ('pending','sent') ORDER BY"
		" CASE WHEN type='stop' THEN 0 WHEN NOT continuous THEN 1 ELSE 2 END, seq"
		" LIMIT 1",
		"tt", beat->hostname, beat->service);
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	err = command__read(&stmt, ret_command);
	stmt__reset(&stmt);
	return err ? err :
		     store__run(self,
				"UPDATE commands SET status='sent', sent_ms=coalesce(sent_ms,?2)"
				" WHERE id=?1 AND status='pending'",
				"ti", ret_command->id, now_ms);
}

static int store__tell_runs(struct store *self, const struct heartbeat *beat, int64_t now_ms)
{
	const size_t cnt = json__len(beat->runs);
	size_t i;
	int err;

	if (!beat->runs)
		return 0;
	err = store__run(
		self,
		"UPDATE hosts SET tells_runs=1 WHERE hostname=?1 AND service=?2 AND NOT tells_runs",
		"tt", beat->hostname, beat->service);
	for (i = 0; !err && i < cnt && i < RUNS_MAX; i++)
		err = store__tell_run(self, beat, json__at(beat->runs, i), now_ms);
	return err;
}

/* Commits what err lets; then found says whether there is a command, which is given. */
static int store__give(struct store *self, int err, int found, struct command *command,
		       struct command *ret_command)
{
	err = store__end(self, err ? err : found == -ENOENT ? 0 : found);
	if (err || found) {
		command__clear(command);
		return err ? err : found;
	}
	*ret_command = *command;
	return 0;
}

int store__heartbeat(struct store *self, const struct heartbeat *beat, uint64_t now_ms,
		     struct command *ret_command)
{
	struct command command = { 0 };
	int err, found = -ENOENT;

	err = store__begin(self);
	err = err ? err : store__see_host(self, beat, (int64_t)now_ms);
	err = err ? err : store__mark_received(self, beat, (int64_t)now_ms);
	err = err ? err : store__tell_runs(self, beat, (int64_t)now_ms);
	err = err ? err : store__expire(self, beat, (int64_t)now_ms);
	if (!err)
		found = store__next_command(self, beat, (int64_t)now_ms, &command);
	if (!err && found == -ENOENT)
		found = store__forgotten(self, beat, &command);
	return store__give(self, err, found, &command, ret_command);
}

int store__deliver(struct store *self, const char *hostname, const char *service, uint64_t now_ms,
		   struct command *ret_command)
{
	const struct heartbeat beat = { .hostname = hostname, .service = service };
	struct command command = { 0 };
	int err, found = -ENOENT;

	err = store__begin(self);
	if (!err)
		found = store__next_command(self, &beat, (int64_t)now_ms, &command);
	return store__give(self, err, found, &command, ret_command);
}

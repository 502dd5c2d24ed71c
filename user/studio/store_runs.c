/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What became of commands: the agent's one completion, what its heartbeats tell of runs, and the list of it all
 * for operators. Profiles that answer commands: store_profiles.c.
 */
#include "store_db.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <errno.h>
#include <string.h>

/* The Studio's words for our states, as its clients know them. */
const char *command_status(const char *state)
{
	if (!state)
		return "stopped";
	if (!strcmp(state, "received"))
		return "sent";
	if (!strcmp(state, "sampling") || !strcmp(state, "done"))
		return "completed";
	if (!strcmp(state, "expired") || !strcmp(state, "superseded"))
		return "stopped";
	return state;
}

/* Accepted once, also of one that was superseded on its way: "completed" of a start means that it samples. */
int store__complete(struct store *self, const struct completion *completion, uint64_t now_ms,
		    char ret_status[16])
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(self, &stmt,
			"SELECT status, reported_ms FROM commands WHERE id=?1 AND hostname=?2 AND"
			" sent_ms NOT NULL",
			"tt", completion->id, completion->hostname);
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	if (!stmt__is_null(&stmt, 1)) {
		sqlite3_snprintf(16, ret_status, "%s", command_status(stmt__text(&stmt, 0)));
		return -EALREADY;
	}
	stmt__reset(&stmt);
	err = store__begin(self);
	if (err)
		return err;
	err = store__run(
		self,
		"UPDATE commands SET reported_ms=?3, error=coalesce(?4,error), results_path=?5,"
		" execution_time_s=nullif(?6,-1), received_ms=coalesce(received_ms,?3),"
		" begun_ms=CASE WHEN ?2='completed' AND type='start' THEN coalesce(begun_ms,?3) END,"
		" ended_ms=CASE WHEN ?2='completed' AND type='start' THEN ended_ms ELSE ?3 END,"
		" status=CASE WHEN NOT (" COMMAND_OPEN
		") THEN status WHEN ?2='failed' THEN 'failed'"
		" WHEN type='start' THEN 'sampling' ELSE 'done' END WHERE id=?1",
		"ttitti", completion->id, completion->status, (int64_t)now_ms, completion->error,
		completion->results_path, max_of(completion->execution_time_s, (int64_t)-1));
	if (!err && strcmp(completion->status, "failed") != 0)
		err = store__end_older(self, completion->id, (int64_t)now_ms);
	return store__end(self, err);
}

static int64_t run_number(const struct json_object *run, const char *name)
{
	int64_t n;

	return json__get_int(run, name, 0, INT64_MAX, &n) ? -1 : n;
}

/* Written only where it is news: a run is told of in every heartbeat. */
int store__tell_run(struct store *self, const struct heartbeat *beat, const struct json_object *run,
		    int64_t now_ms)
{
	const char *id, *state, *reason = NULL;

	if (json__get_str(run, "command_id", &id) || json__get_str(run, "state", &state))
		return 0;
	(void)json__get_str(run, "reason", &reason);
	if (!strcmp(state, "running"))
		return store__run(
			self,
			"UPDATE commands SET status='sampling', begun_ms=coalesce(begun_ms,?4),"
			" received_ms=coalesce(received_ms,?4) WHERE id=lower(?1) AND hostname=?2 AND"
			" service=?3 AND type='start' AND status IN ('pending','sent','received')",
			"ttti", id, beat->hostname, beat->service, now_ms);
	if (strcmp(state, "done") != 0 && strcmp(state, "failed") != 0)
		return 0;
	return store__run(
		self,
		"UPDATE commands SET samples=nullif(?6,-1), lost=nullif(?7,-1),"
		" error=coalesce(?5,error), ended_ms=coalesce(ended_ms,?8),"
		" received_ms=coalesce(received_ms,?8), status=CASE WHEN ?4='failed' THEN 'failed'"
		" WHEN status IN ('stopped','superseded') OR continuous THEN 'stopped' ELSE 'done' END"
		" WHERE id=lower(?1) AND hostname=?2 AND service=?3 AND type='start' AND samples IS NULL"
		" AND status != 'failed'",
		"tttttiii", id, beat->hostname, beat->service, state, reason,
		run_number(run, "samples"), run_number(run, "lost"), now_ms);
}

/* Until the run is told of, its profile knows the samples. */
#define LISTED                                                                                    \
	"SELECT id, request_ids, hostname, service, type, continuous, status, error, config,"     \
	" rate_hz, duration_s, made_ms, sent_ms, received_ms, begun_ms, ended_ms,"                \
	" coalesce(samples, CASE WHEN NOT continuous THEN coalesce((SELECT sum(p.samples) FROM"   \
	" profiles p WHERE p.command_id=c.id), (SELECT p.samples FROM profiles p WHERE"           \
	" p.id=c.profile_id)) END, -1), coalesce(lost,-1), coalesce((SELECT p.id FROM profiles p" \
	" WHERE p.id=c.profile_id), 0) FROM commands c WHERE (?1 IS NULL OR hostname=?1) AND"     \
	" (?2 IS NULL OR service=?2) AND (?3 IS NULL OR instr(request_ids, ?3))"                  \
	" ORDER BY "
#define URGENT_FIRST                                                                    \
	"CASE status WHEN 'failed' THEN 0 WHEN 'expired' THEN 0 WHEN 'sampling' THEN 1" \
	" WHEN 'received' THEN 2 WHEN 'sent' THEN 3 WHEN 'pending' THEN 4 ELSE 5 END, "
#define NEWEST_FIRST "seq DESC LIMIT ?4"

int store__each_command(struct store *self, const struct command_filter *filter, uint32_t max,
			int (*fn)(void *arg, const struct stored_command *command), void *arg)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(self, &stmt,
			filter->request_id ? LISTED URGENT_FIRST NEWEST_FIRST : LISTED NEWEST_FIRST,
			"ttti", filter->hostname, filter->service, filter->request_id,
			(int64_t)max);
	while (!err && (err = stmt__step(&stmt)) == 1) {
		const struct stored_command command = {
			.id = stmt__text(&stmt, 0),
			.request_ids = stmt__text(&stmt, 1),
			.hostname = stmt__text(&stmt, 2),
			.service = stmt__text(&stmt, 3),
			.type = stmt__text(&stmt, 4),
			.is_continuous = stmt__int(&stmt, 5),
			.state = stmt__text(&stmt, 6),
			.reason = stmt__text(&stmt, 7),
			.config = stmt__text(&stmt, 8),
			.rate_hz = stmt__int(&stmt, 9),
			.duration_s = stmt__int(&stmt, 10),
			.made_ms = stmt__int(&stmt, 11),
			.sent_ms = stmt__int(&stmt, 12),
			.received_ms = stmt__int(&stmt, 13),
			.begun_ms = stmt__int(&stmt, 14),
			.ended_ms = stmt__int(&stmt, 15),
			.samples = stmt__int(&stmt, 16),
			.lost = stmt__int(&stmt, 17),
			.profile = stmt__int(&stmt, 18),
		};

		err = fn(arg, &command);
	}
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How commands come into the queue of the store: an operator's request becomes one command per host. Equal
 * starts that no agent has yet are one; what has not reached its agent gives way to what replaces it; PIDs
 * that shall stop are taken out of starts. What agents get: store_commands.c.
 */
#include "store_db.h"

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS_KEPT	 20000
#define CONFIG_MAX_BYTES (256u << 10)

static int store__supersede(struct store *self, const struct new_request *request,
			    const struct new_command *command, int64_t now_ms)
{
	return store__run(
		self,
		"UPDATE commands SET status='superseded', ended_ms=?4 WHERE hostname=?1 AND service=?2"
		" AND " COMMAND_OPEN " AND status IN ('pending','sent') AND type='start' AND"
		" (continuous OR ?3)",
		"ttii", command->hostname, request->service, (int64_t)request->stops_host, now_ms);
}

/* 0: one that waits was the same, and its id is in command now; -ENOENT. */
static int store__merge(struct store *self, const struct new_request *request,
			const struct new_command *command)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT id FROM commands WHERE hostname=?1 AND service=?2 AND " COMMAND_OPEN
		" AND status='pending' AND type='start' AND continuous=?3 AND config=?4 LIMIT 1",
		"ttit", command->hostname, request->service, (int64_t)request->continuous,
		command->config);
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	memcpy(command->id, stmt__text(&stmt, 0), UUID_TEXT_BYTES);
	stmt__reset(&stmt);
	return store__run(
		self,
		"UPDATE commands SET duration_s=max(duration_s,?2), rate_hz=max(rate_hz,?3),"
		" request_ids=request_ids || ' ' || ?4 WHERE id=?1",
		"tiit", command->id, (int64_t)request->duration_s, (int64_t)request->rate_hz,
		request->id);
}

/* A host's queue is bounded. */
static int store__insert(struct store *self, const struct new_request *request,
			 const struct new_command *command, int64_t now_ms)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT count(*) FROM commands WHERE hostname=?1 AND service=?2 AND " COMMAND_OPEN
		" AND status IN ('pending','sent')",
		"tt", command->hostname, request->service);
	err = err ? err : stmt__step(&stmt);
	if (err < 0)
		return err;
	if (stmt__int(&stmt, 0) >= COMMANDS_OPEN_MAX)
		return -EDQUOT;
	return store__run(
		self,
		"INSERT INTO commands(id,request_id,request_ids,hostname,service,type,continuous,"
		"stops_host,duration_s,rate_hz,config,status,made_ms)"
		" VALUES(?1,?2,?2,?3,?4,?5,?6,?7,?8,?9,?10,'pending',?11)",
		"tttttiiiiti", command->id, request->id, command->hostname, request->service,
		command->type, (int64_t)request->continuous, (int64_t)request->stops_host,
		(int64_t)request->duration_s, (int64_t)request->rate_hz, command->config, now_ms);
}

/* ---- PIDs that shall stop ---- */

static bool pids__have(const struct json_object *pids, int64_t pid)
{
	size_t i;

	for (i = 0; i < json__len(pids); i++)
		if (json__int(json__at(pids, i)) == pid)
			return true;
	return false;
}

struct copy {
	struct json_object *to;
	const struct json_object *stopped; /* PIDs */
	const struct json_object *stopped_groups; /* NULL: none */
	size_t left, before;
	bool are_all; /* the start is by groups, and they are all stopped */
};

static bool are_all_in(const struct json_object *groups, const struct json_object *stopped)
{
	for (size_t i = 0; i < json__len(groups); i++) {
		size_t k = 0;

		while (k < json__len(stopped) &&
		       strcmp(json__str(json__at(groups, i)), json__str(json__at(stopped, k))) != 0)
			k++;
		if (k == json__len(stopped))
			return false;
	}
	return json__len(groups) > 0;
}

static int copy_member(void *arg, const char *name, struct json_object *value)
{
	struct copy *self = arg;
	struct json_object *pids;
	size_t i;

	if (!strcmp(name, "groups")) { /* of what is left of them only the PIDs can tell */
		self->are_all = are_all_in(value, self->stopped_groups);
		return 0;
	}
	if (strcmp(name, "pids") != 0)
		return json__add(self->to, name, json__get(value));
	pids = json__new_array();
	self->before = json__len(value);
	for (i = 0; i < self->before; i++) {
		const int64_t pid = json__int(json__at(value, i));

		if (!pids__have(self->stopped, pid))
			(void)json__add_int(pids, NULL, pid);
	}
	self->left = json__len(pids);
	return json__add(self->to, "pids", pids);
}

/*
 * The config of a start without the PIDs of a stop's. *ret_left of *ret_before remain; 0 of 0: it is for all
 * processes.
 */
static int shrink_config(const char *text, const struct json_object *stop, struct buf *out,
			 size_t *ret_left, size_t *ret_before)
{
	struct json_object *config _auto_json_ = NULL;
	struct json_object *rest _auto_json_ = json__new_object();
	struct copy copy = { .to = rest };
	struct json_object *list;
	int err;

	if (!json__get_array(stop, "pids", &list))
		copy.stopped = list;
	if (!json__get_array(stop, "groups", &list))
		copy.stopped_groups = list;
	buf__init(out, CONFIG_MAX_BYTES);
	err = json__parse(text, strlen(text), &config);
	err = err ? err : json__each(config, copy_member, &copy);
	err = err ? err : json__print(rest, false, out);
	*ret_left = copy.are_all ? 0 : copy.left;
	*ret_before = copy.before;
	return err;
}

/*
 * Starts with PIDs that are not known to have reached their agent. 0: command has the id of one that nobody
 * was given yet; -ENOENT: there is none, or one is on its way with the PIDs in it, and a stop has to follow.
 */
static int store__shrink_waiting(struct store *self, const struct new_request *request,
				 const struct new_command *command, const struct json_object *stop,
				 int64_t now_ms)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	size_t left = 0, before = 0;
	char id[UUID_TEXT_BYTES], waiting[UUID_TEXT_BYTES] = "";
	bool is_on_its_way = false;
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT id, config, status='sent' FROM commands WHERE hostname=?1 AND service=?2 AND " COMMAND_OPEN
		" AND status IN ('pending','sent') AND type='start' ORDER BY seq",
		"tt", command->hostname, request->service);
	while (!err && (err = stmt__step(&stmt)) == 1) {
		struct buf config _auto_buf_ = { 0 };

		memcpy(id, stmt__text(&stmt, 0), sizeof(id));
		err = shrink_config(stmt__text(&stmt, 1), stop, &config, &left, &before);
		if (err || left == before)
			continue;
		if (stmt__int(&stmt, 2))
			is_on_its_way = true;
		else if (left)
			memcpy(waiting, id, sizeof(id));
		err = store__run(
			self,
			"UPDATE commands SET config=?2, status=CASE WHEN ?3 THEN status ELSE"
			" 'superseded' END, ended_ms=CASE WHEN ?3 THEN NULL ELSE ?4 END"
			" WHERE id=?1",
			"ttii", id, config.data, (int64_t)left, now_ms);
	}
	if (err < 0 || is_on_its_way || !*waiting)
		return err < 0 ? err : -ENOENT;
	memcpy(command->id, waiting, sizeof(waiting));
	return 0;
}

/*
 * An agent that tells of its runs takes PIDs out of them itself. The others stop everything at any stop, so
 * they get a start with the rest, or a stop of the host when nothing remains, as the real Studio does it.
 */
static int store__add_rest(struct store *self, const struct new_request *request,
			   const struct new_command *command, const struct json_object *stop,
			   int64_t now_ms)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	struct new_request rest = *request;
	struct new_command start = *command;
	struct buf config _auto_buf_ = { 0 };
	size_t left = 0, before = 0;
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT c.config, c.continuous, c.duration_s, c.rate_hz FROM commands c WHERE"
		" hostname=?1 AND service=?2 AND " COMMAND_OPEN " AND type='start' AND status IN"
		" ('sent','received','sampling') AND NOT EXISTS (SELECT 1 FROM hosts h WHERE"
		" h.hostname=?1 AND h.service=?2 AND h.tells_runs) ORDER BY seq DESC LIMIT 1",
		"tt", command->hostname, request->service);
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err ? err : store__insert(self, request, command, now_ms);
	err = shrink_config(stmt__text(&stmt, 0), stop, &config, &left, &before);
	if (err || !before)
		return err ? err : store__insert(self, request, command, now_ms);
	rest.is_start = left > 0;
	rest.stops_host = !left;
	rest.continuous = left && stmt__int(&stmt, 1);
	rest.duration_s = (uint32_t)stmt__int(&stmt, 2);
	rest.rate_hz = (uint32_t)stmt__int(&stmt, 3);
	start.type = left ? "start" : "stop";
	start.config = left ? config.data : "{\"stop_level\":\"host\"}";
	stmt__reset(&stmt);
	return store__insert(self, &rest, &start, now_ms);
}

static int store__stop_pids(struct store *self, const struct new_request *request,
			    const struct new_command *command, int64_t now_ms)
{
	struct json_object *config _auto_json_ = NULL;
	struct json_object *pids;
	int err;

	err = json__parse(command->config, strlen(command->config), &config);
	err = err ? err : json__get_array(config, "pids", &pids);
	if (err)
		return err;
	err = store__shrink_waiting(self, request, command, config, now_ms);
	return err != -ENOENT ? err : store__add_rest(self, request, command, config, now_ms);
}

static int store__add_command(struct store *self, const struct new_request *request,
			      const struct new_command *command, int64_t now_ms)
{
	int err;

	if (!request->is_start && !request->stops_host)
		return store__stop_pids(self, request, command, now_ms);
	if (request->is_start) {
		err = store__merge(self, request, command);
		if (err != -ENOENT)
			return err;
	}
	if (request->stops_host || request->continuous) {
		err = store__supersede(self, request, command, now_ms);
		if (err)
			return err;
	}
	return store__insert(self, request, command, now_ms);
}

int store__add_commands(struct store *self, const struct new_request *request, uint64_t now_ms)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < request->command_cnt; i++)
		err = store__add_command(self, request, &request->commands[i], (int64_t)now_ms);
	return err;
}

int store__add_request(struct store *self, const struct new_request *request, uint64_t now_ms)
{
	int err;

	err = store__begin(self);
	if (!err && request->is_service)
		err = store__subscribe(self, request, (int64_t)now_ms);
	err = err ? err : store__add_commands(self, request, now_ms);
	err = err ? err :
		    store__run(
			    self,
			    "DELETE FROM commands WHERE seq <= (SELECT max(seq) FROM commands) - ?1"
			    " AND NOT (" COMMAND_OPEN ")",
			    "i", (int64_t)COMMANDS_KEPT);
	return store__end(self, err);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hosts in the store: which have sent a heartbeat, and what they are doing. Not their commands
 * (store_commands.c).
 */
#include "inventory.h"
#include "store_db.h"

#include "pp/base/cleanup.h"

#include <errno.h>

#define HOSTS_MAX    50000
#define HOSTS_SPARE  256 /* so many more may be there for a while */
#define RUN_GRACE_MS 30000 /* a run may show as running this long after its planned end */

extern const char pp_asset_hosts_sql[];

struct seen_host {
	int64_t id, inventory, enrolled;
};

/* The hosts that have been silent longest give way; looked at once in a while. */
static int store__bound_hosts(struct store *self)
{
#define SILENT_HOSTS                                        \
	"(SELECT id FROM hosts ORDER BY last_seen_ms LIMIT" \
	" max(0, (SELECT count(*) FROM hosts) - ?1))"
	int err;

	err = store__run(self,
			 "DELETE FROM processes WHERE container IN"
			 " (SELECT id FROM containers WHERE host IN " SILENT_HOSTS ")",
			 "i", (int64_t)HOSTS_MAX);
	err = err ? err :
		    store__run(self, "DELETE FROM containers WHERE host IN " SILENT_HOSTS, "i",
			       (int64_t)HOSTS_MAX);
	return err ? err :
		     store__run(self, "DELETE FROM hosts WHERE id IN " SILENT_HOSTS, "i",
				(int64_t)HOSTS_MAX);
}

static int store__new_host(struct store *self, const struct heartbeat *beat, int64_t now_ms,
			   struct seen_host *ret_host)
{
	int err;

	err = store__run(self,
			 "INSERT INTO hosts(hostname,service,address,status,agent_version,run_mode,"
			 "namespace,pod_name,events,first_seen_ms,last_seen_ms)"
			 " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?10)",
			 "ttttttttti", beat->hostname, beat->service, beat->address, beat->status,
			 beat->agent_version, beat->run_mode, beat->namespace, beat->pod_name,
			 beat->events, now_ms);
	if (err)
		return err;
	*ret_host = (struct seen_host){ sqlite3_last_insert_rowid(self->db), 0, 0 };
	return ret_host->id % HOSTS_SPARE ? 0 : store__bound_hosts(self);
}

static int store__update_host(struct store *self, const struct heartbeat *beat, int64_t now_ms,
			      struct seen_host *ret_host)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(
		self, &stmt,
		"UPDATE hosts SET address=?3, status=?4, agent_version=coalesce(?5,agent_version),"
		" run_mode=coalesce(?6,run_mode), namespace=?7, pod_name=?8, events=?9,"
		" last_seen_ms=?10 WHERE hostname=?1 AND service=?2"
		" RETURNING id, inventory, enrolled",
		"ttttttttti", beat->hostname, beat->service, beat->address, beat->status,
		beat->agent_version, beat->run_mode, beat->namespace, beat->pod_name, beat->events,
		now_ms);
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	*ret_host =
		(struct seen_host){ stmt__int(&stmt, 0), stmt__int(&stmt, 1), stmt__int(&stmt, 2) };
	return stmt__step(&stmt); /* done only at its end */
}

int store__see_host(struct store *self, const struct heartbeat *beat, int64_t now_ms)
{
	struct seen_host host = { 0 };
	int err;

	err = store__update_host(self, beat, now_ms, &host);
	if (err == -ENOENT)
		err = store__new_host(self, beat, now_ms, &host);
	if (!err && beat->inventory && (int64_t)beat->inventory->hash != host.inventory)
		err = store__set_inventory(self, host.id, beat->inventory);
	return err ? err : store__enrol(self, beat, host.id, host.enrolled, now_ms);
}

int store__each_host(struct store *self, uint64_t now_ms,
		     int (*fn)(void *arg, const struct stored_host *host), void *arg)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(self, &stmt, pp_asset_hosts_sql, "iii", (int64_t)now_ms,
			(int64_t)RUN_GRACE_MS, (int64_t)COMMAND_EXPIRES_MS);
	while (!err && (err = stmt__step(&stmt)) == 1) {
		const struct stored_host host = {
			.id = stmt__int(&stmt, 0),
			.hostname = stmt__text(&stmt, 1),
			.service = stmt__text(&stmt, 2),
			.address = stmt__text(&stmt, 3),
			.status = stmt__text(&stmt, 4),
			.agent_version = stmt__text(&stmt, 5),
			.run_mode = stmt__text(&stmt, 6),
			.last_seen_ms = stmt__int(&stmt, 7),
			.is_waiting = stmt__int(&stmt, 8),
			.is_profiling = stmt__int(&stmt, 9),
			.is_continuous = stmt__int(&stmt, 10),
			.command_id = stmt__text(&stmt, 11),
			.command_type = stmt__text(&stmt, 12),
			.command_status = stmt__text(&stmt, 13),
			.command_error = stmt__text(&stmt, 14),
			.command_config = stmt__text(&stmt, 15),
			.command_continuous = stmt__int(&stmt, 16),
			.command_made_ms = stmt__int(&stmt, 17),
			.command_begun_ms = stmt__int(&stmt, 18),
			.command_duration_s = stmt__int(&stmt, 19),
			.command_profile = stmt__int(&stmt, 20),
		};

		err = fn(arg, &host);
	}
	return err;
}

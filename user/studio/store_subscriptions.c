/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Subscriptions: a continuous start of a whole service is also for the hosts that come later. Each host is
 * offered each of them once, so that a host that was stopped by itself stays so.
 */
#include "internal.h"
#include "store_db.h"
#include "store_fleet.h"

#include "pp/base/cleanup.h"

#include <errno.h>

int store__subscribe(struct store *self, const struct new_request *request, int64_t now_ms)
{
	int err;

	if (!request->stops_host && !(request->is_start && request->continuous))
		return 0;
	err = store__run(
		self, "UPDATE subscriptions SET ended_ms=?2 WHERE service=?1 AND ended_ms IS NULL",
		"ti", request->service, now_ms);
	if (err || !request->is_start || !request->command_cnt)
		return err;
	return store__run(
		self,
		"INSERT INTO subscriptions(service,request_id,config,rate_hz,duration_s,seq,made_ms)"
		" VALUES(?1,?2,?3,?4,?5,(SELECT coalesce(max(seq),0) FROM commands),?6)",
		"tttiii", request->service, request->id, request->commands[0].config,
		(int64_t)request->rate_hz, (int64_t)request->duration_s, now_ms);
}

/* Something else was ordered for that host after the subscription was made. */
static int store__has_own(struct store *self, const struct heartbeat *beat, int64_t seq)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	const int err =
		stmt__new(self, &stmt,
			  "SELECT 1 FROM commands WHERE hostname=?1 AND service=?2 AND seq>?3"
			  " AND (stops_host OR (type='start' AND continuous)) LIMIT 1",
			  "tti", beat->hostname, beat->service, seq);

	return err ? err : stmt__step(&stmt);
}

int store__enrol(struct store *self, const struct heartbeat *beat, int64_t host, int64_t enrolled,
		 int64_t now_ms)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	char id[UUID_TEXT_BYTES];
	int err;

	err = stmt__new(self, &stmt,
			"SELECT id, request_id, config, rate_hz, duration_s, seq FROM subscriptions"
			" WHERE service=?1 AND ended_ms IS NULL AND id>?2 ORDER BY id DESC LIMIT 1",
			"ti", beat->service, enrolled);
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err;
	err = store__run(self, "UPDATE hosts SET enrolled=?2 WHERE id=?1", "ii", host,
			 stmt__int(&stmt, 0));
	err = err ? err : store__has_own(self, beat, stmt__int(&stmt, 5));
	if (err)
		return err < 0 ? err : 0;
	err = uuid__make(id);
	if (err)
		return err;
	err = store__add_commands(self,
				  &(struct new_request){
					  .id = stmt__text(&stmt, 1),
					  .service = beat->service,
					  .is_start = true,
					  .continuous = true,
					  .rate_hz = (uint32_t)stmt__int(&stmt, 3),
					  .duration_s = (uint32_t)stmt__int(&stmt, 4),
					  .commands =
						  &(struct new_command){
							  .id = id,
							  .hostname = beat->hostname,
							  .type = "start",
							  .config = stmt__text(&stmt, 2),
						  },
					  .command_cnt = 1,
				  },
				  (uint64_t)now_ms);
	return err == -EDQUOT ? 0 : err; /* it has enough to do */
}

int store__each_subscription(struct store *self,
			     int (*fn)(void *arg, const struct stored_subscription *one), void *arg)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT s.service, s.request_id, s.rate_hz, s.made_ms, (SELECT count(*) FROM"
		" hosts h WHERE h.service=s.service AND h.enrolled=s.id) FROM subscriptions s"
		" WHERE ended_ms IS NULL ORDER BY s.service",
		"");
	while (!err && (err = stmt__step(&stmt)) == 1)
		err = fn(arg, &(struct stored_subscription){
				      .service = stmt__text(&stmt, 0),
				      .request_id = stmt__text(&stmt, 1),
				      .rate_hz = stmt__int(&stmt, 2),
				      .made_ms = stmt__int(&stmt, 3),
				      .host_cnt = stmt__int(&stmt, 4),
			      });
	return err;
}

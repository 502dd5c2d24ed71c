/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The list of profiles in the store, and which command each of them answers. Not the profiles themselves
 * (shelf.c).
 */
#include "store_db.h"

#include "pp/base/cleanup.h"

#include <errno.h>

int store__next_profile(struct store *self, int64_t *ret_id)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(self, &stmt, "SELECT max(seq) + 1 FROM sqlite_sequence WHERE name=?1", "t",
			"profiles");
	err = err ? err : stmt__step(&stmt);
	if (err == 1)
		*ret_id = stmt__is_null(&stmt, 0) ? 1 : stmt__int(&stmt, 0);
	return err == 1 ? 0 : err ? err : -EIO;
}

#define ANSWER                                                                           \
	"UPDATE commands SET profile_id=?1, received_ms=coalesce(received_ms,?4),"       \
	" ended_ms=CASE WHEN continuous THEN ended_ms ELSE coalesce(ended_ms,?4) END,"   \
	" status=CASE WHEN continuous OR NOT (" COMMAND_OPEN ") THEN status ELSE 'done'" \
	" END WHERE seq="

/* Several parts may come of one command: the first stands for it. */
static int store__answer(struct store *self, const struct stored_profile *profile)
{
	return store__run(self,
			  ANSWER
			  "(SELECT seq FROM commands WHERE id=lower(?5) AND hostname=?2 AND"
			  " service=?3 AND type='start' AND (continuous OR profile_id IS NULL))",
			  "ittit", profile->id, profile->hostname, profile->service,
			  profile->received_ms, profile->command_id);
}

/* Other agents' uploads do not name their command: it is the oldest delivered ad hoc one without a result. */
static int store__answer_guessed(struct store *self, const struct stored_profile *profile)
{
	return store__run(self,
			  ANSWER "(SELECT seq FROM commands WHERE hostname=?2 AND service=?3 AND"
				 " type='start' AND NOT continuous AND sent_ms NOT NULL AND"
				 " status NOT IN ('failed','expired') AND profile_id IS NULL AND"
				 " sent_ms + duration_s * 1000 + ?5 > ?4 ORDER BY seq LIMIT 1)",
			  "ittii", profile->id, profile->hostname, profile->service,
			  profile->received_ms, (int64_t)RESULT_GRACE_MS);
}

int store__add_profile(struct store *self, const struct stored_profile *profile)
{
	int err;

	err = store__run(
		self,
		"INSERT INTO profiles(id,hostname,service,start_ms,end_ms,received_ms,samples,stacks,"
		"lines_skipped,bytes,complete_pct,rate_hz,continuous,has_html,command_id)"
		" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		"ittiiiiiiifiiit", profile->id, profile->hostname, profile->service,
		profile->start_ms, profile->end_ms, profile->received_ms, (int64_t)profile->samples,
		(int64_t)profile->stacks, (int64_t)profile->lines_skipped, (int64_t)profile->bytes,
		profile->complete_pct, (int64_t)profile->rate_hz, (int64_t)profile->continuous,
		(int64_t)profile->has_html, profile->command_id);
	if (err)
		return err;
	return profile->command_id ? store__answer(self, profile) :
	       profile->continuous ? 0 :
				     store__answer_guessed(self, profile);
}

#define PROFILE_COLUMNS                                                                       \
	"id,hostname,service,start_ms,end_ms,received_ms,samples,stacks,lines_skipped,bytes," \
	"complete_pct,rate_hz,continuous,has_html,command_id"

static void stored_profile__read(struct stmt *stmt, struct stored_profile *ret)
{
	*ret = (struct stored_profile){
		.id = stmt__int(stmt, 0),
		.hostname = stmt__text(stmt, 1),
		.service = stmt__text(stmt, 2),
		.start_ms = stmt__int(stmt, 3),
		.end_ms = stmt__int(stmt, 4),
		.received_ms = stmt__int(stmt, 5),
		.samples = (uint64_t)stmt__int(stmt, 6),
		.stacks = (uint64_t)stmt__int(stmt, 7),
		.lines_skipped = (uint64_t)stmt__int(stmt, 8),
		.bytes = (uint64_t)stmt__int(stmt, 9),
		.complete_pct = stmt__double(stmt, 10),
		.rate_hz = (uint32_t)stmt__int(stmt, 11),
		.continuous = stmt__int(stmt, 12),
		.has_html = stmt__int(stmt, 13),
		.command_id = stmt__text(stmt, 14),
	};
}

int store__profile(struct store *self, int64_t id, struct stored_profile *ret_profile)
{
	int err;

	stmt__done(&self->borrowed);
	err = stmt__new(self, &self->borrowed,
			"SELECT " PROFILE_COLUMNS " FROM profiles WHERE id=?1", "i", id);
	err = err ? err : stmt__step(&self->borrowed);
	if (err == 1)
		stored_profile__read(&self->borrowed, ret_profile);
	return err == 1 ? 0 : err ? err : -ENOENT;
}

#define PROFILES_MATCHING \
	" FROM profiles WHERE instr(lower(hostname),lower(?1)) OR instr(lower(service),lower(?1))"

int store__each_profile(struct store *self, const struct profile_query *query,
			int (*fn)(void *arg, const struct stored_profile *profile), void *arg)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(self, &stmt,
			"SELECT " PROFILE_COLUMNS PROFILES_MATCHING
			" ORDER BY id DESC LIMIT ?2 OFFSET ?3",
			"tii", query->filter, query->limit, query->offset);
	while (!err && (err = stmt__step(&stmt)) == 1) {
		struct stored_profile profile;

		stored_profile__read(&stmt, &profile);
		err = fn(arg, &profile);
	}
	return err;
}

int store__count_profiles(struct store *self, const char *filter, uint64_t *ret_cnt)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(self, &stmt, "SELECT count(*)" PROFILES_MATCHING, "t", filter);
	err = err ? err : stmt__step(&stmt);
	if (err != 1)
		return err ? err : -EIO;
	*ret_cnt = (uint64_t)stmt__int(&stmt, 0);
	return 0;
}

int store__profile_totals(struct store *self, uint64_t *ret_cnt, uint64_t *ret_bytes,
			  int64_t *ret_oldest)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(self, &stmt,
			"SELECT count(*), coalesce(sum(bytes),0), min(id) FROM profiles", "");
	err = err ? err : stmt__step(&stmt);
	if (err != 1)
		return err ? err : -EIO;
	*ret_cnt = (uint64_t)stmt__int(&stmt, 0);
	*ret_bytes = (uint64_t)stmt__int(&stmt, 1);
	*ret_oldest = stmt__int(&stmt, 2);
	return 0;
}

int store__remove_profile(struct store *self, int64_t id)
{
	stmt__done(&self->borrowed);
	return store__run(self, "DELETE FROM profiles WHERE id=?1", "i", id);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_STORE_H
#define PP_STUDIO_STORE_H
/*
 * What the studio remembers: hosts, commands, the list of profiles. Calls fail with -EBUSY (locked),
 * -ENOSPC, -EROFS, -EIO, -EBADMSG (damaged) or -ENOMEM; nothing is half-written then, and the next call
 * may work. Times are Unix milliseconds and come in as arguments. Loop thread only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inventory;
struct json_object;
struct store;

#define UUID_TEXT_BYTES	   37
#define HOST_OFFLINE_MS	   120000
#define COMMAND_EXPIRES_MS 600000
#define COMMANDS_OPEN_MAX  64 /* of one host */

/* -EPROTO: made by a newer version. */
int store__open(const char *path, struct store **ret_store);
void store__close(struct store *self);

struct heartbeat { /* strings borrowed; NULL where absent */
	const char *hostname, *service, *address, *status, *agent_version, *run_mode;
	const char *namespace, *pod_name; /* of the agent itself */
	const char *events; /* " cycles instructions " */
	const char *last_command_id;
	const struct json_object *received_ids; /* array; NULL: an agent without lists */
	const struct json_object *runs; /* array; NULL: an agent that does not tell of its runs */
	const struct inventory *inventory; /* NULL: not told of */
};
struct command { /* given: command__clear */
	char id[UUID_TEXT_BYTES];
	char *type;
	char *config; /* JSON text, without duration and frequency */
	int64_t duration_s, rate_hz;
};
void command__clear(struct command *self);
/* Remembers the host; -ENOENT: no command for it (the heartbeat is recorded all the same). */
int store__heartbeat(struct store *self, const struct heartbeat *beat, uint64_t now_ms,
		     struct command *ret_command);

/* What the next heartbeat of that host would get; -ENOENT. */
int store__deliver(struct store *self, const char *hostname, const char *service, uint64_t now_ms,
		   struct command *ret_command);

struct new_command {
	char *id; /* borrowed, UUID_TEXT_BYTES; another one's afterwards if it was merged into that */
	const char *hostname, *type, *config; /* borrowed */
};
struct new_request {
	const char *id, *service;
	bool is_start, continuous, stops_host;
	bool is_service; /* of the whole service: starts a subscription if continuous, a stop ends it */
	uint32_t duration_s, rate_hz;
	const struct new_command *commands;
	size_t command_cnt;
};
/* All of them or none; equal starts that wait become one. -EDQUOT: a host has COMMANDS_OPEN_MAX open commands. */
int store__add_request(struct store *self, const struct new_request *request, uint64_t now_ms);

struct completion {
	const char *id, *hostname, *status, *error, *results_path;
	int64_t execution_time_s; /* < 0: not given */
};
/* -ENOENT: not delivered to that host; -EALREADY: has a final status already, see ret_status. */
int store__complete(struct store *self, const struct completion *completion, uint64_t now_ms,
		    char ret_status[16]);

struct stored_command {
	const char *id, *request_ids, *hostname, *service, *type, *state, *reason, *config;
	int64_t rate_hz, duration_s;
	int64_t made_ms, sent_ms, received_ms, begun_ms, ended_ms; /* 0: not yet */
	int64_t samples, lost; /* -1: not told */
	int64_t profile; /* 0: none */
	bool is_continuous;
};
struct command_filter { /* NULL: any */
	const char *hostname, *service, *request_id;
};
/* Newest first; of one request those first that need a look. */
int store__each_command(struct store *self, const struct command_filter *filter, uint32_t max,
			int (*fn)(void *arg, const struct stored_command *command), void *arg);
/* The Studio's word for a state of ours. */
const char *command_status(const char *state);

struct stored_profile {
	int64_t id;
	const char *hostname, *service;
	const char *command_id; /* NULL: not said */
	int64_t start_ms, end_ms, received_ms; /* end_ms 0: not said */
	uint64_t samples, stacks, lines_skipped, bytes;
	double complete_pct; /* < 0: not said */
	uint32_t rate_hz; /* 0: not said */
	bool continuous, has_html;
};
int store__begin(struct store *self);
int store__commit(struct store *self);
void store__rollback(struct store *self); /* no-op outside a transaction */
/* The number after the highest that any profile ever had. */
int store__next_profile(struct store *self, int64_t *ret_id);
/* The row with its id, and which ad hoc command it answers; inside begin and commit. */
int store__add_profile(struct store *self, const struct stored_profile *profile);
/* Strings are borrowed until the next call on the store. -ENOENT. */
int store__profile(struct store *self, int64_t id, struct stored_profile *ret_profile);
int store__profile_totals(struct store *self, uint64_t *ret_cnt, uint64_t *ret_bytes,
			  int64_t *ret_oldest);
int store__remove_profile(struct store *self, int64_t id);
/* The agent process's number: text "" makes one; -ENOENT: never given. */
int store__gpid(struct store *self, const char *text, const char *hostname, const char *service,
		uint64_t now_ms, int64_t *ret_gpid);
/* Lasting counters; names are append-only: "profiles_evicted", "lines_skipped", "inventory_left_out". */
int store__count(struct store *self, const char *name, uint64_t n);
int store__counter(struct store *self, const char *name, uint64_t *ret_n);

struct stored_host {
	int64_t id;
	const char *hostname, *service, *address, *status, *agent_version, *run_mode;
	int64_t last_seen_ms;
	bool is_waiting, is_profiling, is_continuous;
	/* the newest command; id NULL: none */
	const char *command_id, *command_type, *command_status, *command_error, *command_config;
	bool command_continuous;
	int64_t command_made_ms, command_begun_ms, command_duration_s, command_profile;
};
/* Newest first. fn's non-zero return ends it and is returned. */
int store__each_host(struct store *self, uint64_t now_ms,
		     int (*fn)(void *arg, const struct stored_host *host), void *arg);
struct profile_query {
	const char *filter; /* part of the host's or the service's name, in any case; "" for all */
	int64_t limit, offset;
};
int store__each_profile(struct store *self, const struct profile_query *query,
			int (*fn)(void *arg, const struct stored_profile *profile), void *arg);
int store__count_profiles(struct store *self, const char *filter, uint64_t *ret_cnt);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_STORE_FLEET_H
#define PP_STUDIO_STORE_FLEET_H
/*
 * The fleet as operators see it: what runs where, what is done about it, whom an order means. All read only;
 * also from a worker's own store. Strings of what fn gets are borrowed until it returns, NULL where absent;
 * fn's non-zero return ends the walk and is returned. Errors as in store.h.
 */
#include <stdbool.h>
#include <stdint.h>

struct filter;
struct store;

/* A host with the newest of its commands. */
struct stored_status {
	int64_t host;
	const char *hostname, *service, *address;
	int64_t last_seen_ms;
	const char *type, *word; /* the Studio's words for it: never NULL */
	const char *state, *reason, *config; /* ours; NULL: no command */
	int64_t samples, lost; /* -1: not told */
};
/* ret_total: hosts of the services that the filter names, whatever else it says. */
int store__each_status(struct store *self, const struct filter *filter, int64_t since_ms,
		       int (*fn)(void *arg, const struct stored_status *status), void *arg,
		       int64_t *ret_total);

enum workload_scope {
	SCOPE_SERVICE,
	SCOPE_NAMESPACE,
	SCOPE_HOST,
	SCOPE_WORKLOAD,
	SCOPE_POD,
	SCOPE_CONTAINER,
	SCOPE_PROCESS,
	SCOPES,
};
extern const char *const scope_names[SCOPES + 1]; /* NULL-terminated */

/* A thing of a scope: the keys say which, the rest is one of its processes and sums. */
struct stored_workload {
	const char *service;
	const char *keys
		[6]; /* hostname, namespace, workload, pod, container, PID; NULL: not of this scope */
	const char *namespace, *hostname, *address, *pod_name, *container_name, *workload_name;
	const char *workload_kind, *process_name, *agent_version, *run_mode;
	int64_t pid; /* -1: none */
	const char *pids; /* "1,2"; NULL: none */
	int64_t host_cnt, namespace_cnt, pod_cnt, container_cnt, process_cnt, last_seen_ms;
	/* a start that is not over; type NULL: none */
	const char *type, *config, *state;
	bool is_continuous;
	int64_t rate_hz;
};
/* ret_total: rows without limit and offset. */
int store__each_workload(struct store *self, const struct filter *filter, int64_t since_ms,
			 int (*fn)(void *arg, const struct stored_workload *row), void *arg,
			 int64_t *ret_total);
int store__count_workloads(struct store *self, const struct filter *filter, int64_t since_ms,
			   int64_t ret_counts[SCOPES]);

/* Whom an order means; by hostname. */
struct target_query {
	enum workload_scope scope;
	const char *service;
	int64_t since_ms;
	const char *entities; /* JSON array of objects with names in snake_case */
};
/* pid -1: the whole host. */
int store__each_target(struct store *self, const struct target_query *query,
		       int (*fn)(void *arg, const char *hostname, int64_t pid), void *arg);
/* " cycles instructions ", given, NULL: not told. -ENOENT: not seen since. */
int store__events(struct store *self, const char *hostname, const char *service, int64_t since_ms,
		  char **ret_events);
/* Hosts seen since, and how many have a start that is not over. */
int store__capacity(struct store *self, int64_t since_ms, int64_t *ret_hosts, int64_t *ret_busy);
/* 1: has a start that is not over. */
int store__is_busy(struct store *self, const char *hostname, const char *service);

enum { COMMAND_STATES = 9 };
extern const char *const command_states[COMMAND_STATES];

/* The commands of one request; what is not a count is of its newest. */
struct stored_order {
	const char *request_id, *command_id, *hostname, *service, *type, *state, *reason;
	bool is_continuous;
	int64_t rate_hz, duration_s, made_ms;
	int64_t begun_ms; /* the mean of those that sample; 0: none */
	int64_t profile; /* 0: none */
	int64_t samples, lost; /* -1: not told */
	int64_t cnt, pid_cnt, state_cnts[COMMAND_STATES];
};
/* Newest first. */
int store__each_order(struct store *self, uint32_t max,
		      int (*fn)(void *arg, const struct stored_order *order), void *arg);

struct stored_subscription {
	const char *service, *request_id;
	int64_t rate_hz, made_ms, host_cnt;
};
int store__each_subscription(struct store *self,
			     int (*fn)(void *arg, const struct stored_subscription *one),
			     void *arg);

#endif

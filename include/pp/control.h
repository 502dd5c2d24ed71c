/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_CONTROL_H
#define PP_CONTROL_H
/*
 * Heartbeats to the backend and the commands that come back. A command id runs at most once. Knows no
 * profiler: starts and stops through callbacks. A bad answer never stops it. Loop thread only.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pp/spec.h"

struct loop;
struct net;
struct control;

/* Copied by control__new. */
struct control_options {
	const char *api_server; /* base URL */
	const char *service_name;
	const char *hostname;
	const char *token; /* "": no Authorization header */
	const char *agent_version;
	const char *run_mode;
	uint32_t heartbeat_interval_s;
	struct session_spec defaults; /* for what a command leaves out */
};

/* What the daemon does for control. */
struct control_ops {
	/*
	 * Begin a run. Returns 0 or -errno with *ret_why a sentence (borrowed until the next call). After a
	 * 0 the daemon calls control__run_sampling once the first sample is there or the links are on, and
	 * control__run_ended exactly once, neither from inside this call. An id may be begun again after its
	 * end: a continuous run that made room for an ad hoc one.
	 */
	int (*start)(void *arg, const char *command_id, const struct session_spec *spec,
		     const char **ret_why);
	/* End the run of this id early; what was collected is uploaded. control__run_ended follows, later. */
	void (*stop)(void *arg, const char *command_id);
	void *arg;
};

/* 0, -EINVAL (api_server is no http(s) address), -ENOMEM. */
int control__new(struct loop *loop, struct net *net, const struct control_options *options,
		 const struct control_ops *ops, struct control **ret_control);
void control__free(struct control *self);
/* Sends the first heartbeat now, then every interval +-10 %, backing off to 5 minutes on failures. */
void control__start(struct control *self);
void control__run_sampling(struct control *self, const char *command_id);
/* why: NULL when the run ended well; else it is reported as failed if nothing was reported yet. */
void control__run_ended(struct control *self, const char *command_id, const char *why);

#endif

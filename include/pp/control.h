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
struct json_object;
struct spec_policy;
struct control;

/* Copied by control__new, but for policy and supported_events, which are borrowed. */
struct control_options {
	const char *api_server; /* base URL */
	const char *service_name;
	const char *hostname;
	const char *token; /* "": no Authorization header of its own */
	const char *agent_version;
	const char *run_mode;
	const char *state_dir; /* for the journal; NULL: none, nothing outlives the process */
	const char *const *headers; /* "Name: value" for each request, NULL-terminated; may be NULL */
	const char *const
		*supported_events; /* perf's names, NULL-terminated; NULL or empty: not told */
	const struct spec_policy *policy; /* NULL: everything is allowed */
	uint32_t heartbeat_interval_s;
	uint32_t wait_s; /* a server may hold its answer so long until there is a command; 0: no */
	struct session_spec defaults; /* for what a command leaves out */
};

/* What the daemon does for control. No function of control may be called from inside these. */
struct control_ops {
	/*
	 * Begin a run. Returns 0 or -errno with *ret_why a sentence (borrowed until the next call); -EBUSY: not
	 * now, ask again. After a 0 the daemon calls control__run_sampling once the first sample is there or
	 * the links are on, control__run_kept when a profile of an ad hoc run is in the spool, and
	 * control__run_ended exactly once. is_again: the run was begun before and interrupted.
	 */
	int (*start)(void *arg, const char *command_id, const struct session_spec *spec,
		     bool is_again, const char **ret_why);
	/* End the run of this id early; what was collected is uploaded. control__run_ended follows, later. */
	void (*stop)(void *arg, const char *command_id);
	/* Only the pids differ. The run goes on without a gap. -errno with *ret_why: it is as it was. */
	int (*change)(void *arg, const char *command_id, const struct session_spec *spec,
		      const char **ret_why);
	/* Does the spool hold a profile of this command? Asked from inside control__new. NULL: no. */
	bool (*is_kept)(void *arg, const char *command_id);
	/* Appends the host's containers, as the protocol has them, to a beat. -ENOMEM. NULL: none are told. */
	int (*add_containers)(void *arg, struct json_object *list);
	void *arg;
};

/*
 * Reads the journal of a run before, and writes it: what the spool holds may be sent afterwards. 0, -EINVAL
 * (api_server is no http(s) address), -ENOMEM. A journal that cannot be read or written is no failure: counted
 * and said, commands are then obeyed in memory.
 */
int control__new(struct loop *loop, struct net *net, const struct control_options *options,
		 const struct control_ops *ops, struct control **ret_control);
/* What was not finished stays in the journal. */
void control__free(struct control *self);
/* Sends the first heartbeat now, then every interval +-10 %, backing off to 5 minutes on failures. */
void control__start(struct control *self);
void control__run_sampling(struct control *self, const char *command_id);
/*
 * A profile of this command is safely in the spool. fn runs once that is in the journal, too (from inside if there
 * is none); before that the profile must not leave: after a crash the command would run again. Once for each
 * call, at the latest from inside control__free.
 */
void control__run_kept(struct control *self, const char *command_id, void (*fn)(void *arg),
		       void *arg);
struct control_end {
	const char
		*why; /* NULL: it ended well; else reported as failed if nothing was reported yet */
	uint64_t samples, lost;
};
void control__run_ended(struct control *self, const char *command_id,
			const struct control_end *end);
/* There may be room again, or quiet hours are over: what waits begins now, not with the next beat. */
void control__poke(struct control *self);
/*
 * Appends to an array, for each known command, the oldest first: {"command_id", "type", "state": received,
 * running, stopping, kept or done, "runs", "reported": completed, failed or null, "unsent", "reason"}. -ENOMEM.
 */
int control__list(const struct control *self, struct json_object *list);

#endif

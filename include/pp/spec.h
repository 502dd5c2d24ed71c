/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SPEC_H
#define PP_SPEC_H
/*
 * A session_spec says what to profile: plain data, comparable, printable. The same wish from the
 * command line, a file or the server gives equal structs and prints back to itself. It knows
 * nothing of how a profile is made.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;
struct buf;

#define SPEC_RATE_MIN_HZ	1
#define SPEC_RATE_MAX_HZ	10000
#define SPEC_RATE_DEFAULT_HZ	99
#define SPEC_DURATION_DEFAULT_S 60 /* of a command that names none */
#define SPEC_DURATION_MAX_S	86400
#define SPEC_PIDS_MAX		1024
#define SPEC_COMMS_MAX		64
#define SPEC_COMM_BYTES		16 /* with the NUL, as the kernel's TASK_COMM_LEN */
#define SPEC_CGROUPS_MAX	64
#define SPEC_CGROUP_BYTES	512 /* with the NUL; those of nested clusters have over 300 */
#define SPEC_EVENT_BYTES	64 /* with the NUL */
#define SPEC_GROUPS_MAX		32
#define SPEC_GROUP_BYTES	512 /* with the NUL: a kind, and up to three names of Kubernetes */

struct session_spec {
	uint32_t rate_hz;
	uint32_t duration_s; /* 0: until stopped (command line) */
	bool continuous; /* windows of duration_s back to back until stopped */
	bool idle; /* sample idle tasks too */
	bool children; /* pids: what they fork is included */
	bool counters; /* what hardware and kernel count, too */
	bool inlined; /* source lines and inlined functions */
	char event[SPEC_EVENT_BYTES]; /* sampled in place of the clock: as counter.h names them; "": the clock */
	uint32_t pid_cnt; /* 0: all processes */
	uint32_t comm_cnt; /* 0: all thread names */
	uint32_t cgroup_cnt; /* these and the groups are alternatives; 0 of both: all cgroups */
	uint32_t group_cnt; /* of what else is given all must hold */
	uint32_t pids[SPEC_PIDS_MAX]; /* ascending, distinct */
	char comms[SPEC_COMMS_MAX][SPEC_COMM_BYTES]; /* ascending, distinct, zero-padded */
	char cgroups[SPEC_CGROUPS_MAX][SPEC_CGROUP_BYTES]; /* the same; each with its descendants */
	/* The same: containers by their runtime's words, see session_spec__add_group. */
	char groups[SPEC_GROUPS_MAX][SPEC_GROUP_BYTES];
};

void session_spec__init(struct session_spec *self); /* the defaults */
bool session_spec__equal(const struct session_spec *a, const struct session_spec *b);
/* Setters check ranges. On failure (-EINVAL, -E2BIG) *ret_why is a static sentence; may be NULL. */
int session_spec__set_rate(struct session_spec *self, const char *text, const char **ret_why);
int session_spec__set_duration(struct session_spec *self, const char *text, const char **ret_why);
/* A word of printable characters; whether there is such an event is seen when it is to be sampled. */
int session_spec__set_event(struct session_spec *self, const char *text, const char **ret_why);
int session_spec__add_pid(struct session_spec *self, const char *text, const char **ret_why);
int session_spec__add_pid_num(struct session_spec *self, int64_t pid, const char **ret_why);
/* A name longer than 15 bytes is cut as the kernel cuts it. */
int session_spec__add_comm(struct session_spec *self, const char *text, const char **ret_why);
/* A directory of a mounted hierarchy, or a path as in /proc/PID/cgroup; what else it may be: proc_cgroup.h. */
int session_spec__add_cgroup(struct session_spec *self, const char *text, const char **ret_why);
/*
 * "container:[[NAMESPACE/]POD/]NAME" (or the beginning of an id), "pod:[NAMESPACE/]NAME",
 * "workload:[NAMESPACE/]NAME", "namespace:NAME".
 */
int session_spec__add_group(struct session_spec *self, const char *text, const char **ret_why);

/*
 * From the Studio's combined_config of a start command (unknown keys ignored; null duration or
 * frequency mean the default; allocation or unknown modes are refused). -EINVAL, -EOPNOTSUPP with
 * *ret_why.
 */
int session_spec__from_config(const struct json_object *combined_config,
			      const struct session_spec *defaults, struct session_spec *ret_spec,
			      const char **ret_why);

/* Canonical words, as the command line takes them: "--rate 99 --duration 10 --pid 1". */
int session_spec__print_words(const struct session_spec *self, struct buf *out);
/* Canonical JSON object. */
int session_spec__to_json(const struct session_spec *self, struct json_object **ret_json);
int session_spec__from_json(const struct json_object *json, struct session_spec *ret_spec,
			    const char **ret_why);

#endif

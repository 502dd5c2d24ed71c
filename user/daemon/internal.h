/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef DAEMON_INTERNAL_H
#define DAEMON_INTERNAL_H
/*
 * The daemon as a whole: every room it owns, in the order they were started, and the runs that go on.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pp/base/sysroot.h"
#include "pp/encode.h"
#include "pp/perf.h"
#include "pp/spec_policy.h"

#define DAEMON_SIGNALS_MAX 3
#define COMMAND_ID_BYTES   64

/* As the command line's, where both have them. */
enum daemon_exit { DAEMON_DONE = 0, DAEMON_FAILED = 1, DAEMON_USAGE = 2, DAEMON_IMPOSSIBLE = 4 };

#define DAEMON_HEADERS_MAX 8

/* For one base address. */
struct daemon_headers {
	char *lines[DAEMON_HEADERS_MAX + 1]; /* "Name: value", ends with NULL */
	uint32_t cnt;
};

/* The way to the service manager. */
struct daemon_notify {
	int fd; /* -1: there is none */
	uint64_t watchdog_ms; /* 0: it does not watch */
	struct loop_timer *timer;
};

#define DAEMON_PASTS_MAX 8
struct daemon {
	const struct config *config; /* borrowed */
	struct spec_policy policy;
	struct daemon_headers api_headers, server_headers;
	struct daemon_notify notify;
	struct loop_timer *quiet_timer; /* NULL: no quiet hours */
	struct sysroot root;
	int lock_fd;
	struct encode_host host;
	struct loop *loop;
	struct loop_signal *signals[DAEMON_SIGNALS_MAX];
	struct collect *collect;
	struct record *record;
	struct net *net;
	struct daemon_cloud *cloud; /* NULL: not asked */
	struct container_names *container_names;
	struct debuginfod *debuginfod; /* NULL: nothing is fetched */
	struct container_inventory *inventory;
	struct ship *ship;
	struct ship_logs *logs; /* NULL unless asked for */
	struct control *control; /* NULL again once we stop */
	struct rpc_server *rpc; /* NULL: there is no socket, which was told */

	const char *supported_events[PERF_SUPPORTED_MAX];

	struct daemon_run *runs; /* until the last window of each is in the spool */
	bool is_stopping;
	/* Local runs that ended, the oldest first, as session.list shows them. */
	struct json_object *pasts[DAEMON_PASTS_MAX];
	uint32_t pasts_cnt;
	uint32_t locals_cnt; /* begun since the start */
};

/* A command being carried out, or a wish of the operator at this host (local.c). */
struct daemon_run {
	struct daemon_run *next;
	struct daemon *daemon;
	struct record_run *record_run; /* NULL: its last window came */
	char command_id[COMMAND_ID_BYTES];
	uint32_t jobs_cnt; /* windows being encoded */
	bool is_restarted; /* begun anew after an interruption; of a continuous run, in its first window */
	uint64_t samples, lost; /* of its windows so far */
	uint64_t samples_now, lost_now; /* of the window that goes on, a second old */
	uint64_t begin_ns; /* monotonic */
	struct session_spec spec;
	bool is_sampling;
	bool is_local; /* control knows nothing of it */
	int output_fd; /* owned; -1: to the spool */
	const struct encode_format *format; /* for output_fd */
	char why[256]; /* the first failure */
};

/* settings.c: an exit code, having logged why. */
int daemon__check_settings(const struct config *config);
int daemon__read_policy(const struct config *config, struct spec_policy *policy);

/* headers.c: paths may be "". -errno with *why. */
struct buf;
int daemon__read_secret(const char *what, const char *path, struct buf *text, struct buf *why);
int daemon_headers__load(struct daemon_headers *self, const char *basic_auth_path,
			 const char *headers_path, struct buf *why);
void daemon_headers__clear(struct daemon_headers *self);

/* quiet.c: an exit code */
int daemon__watch_quiet_hours(struct daemon *self);

/* cloud.c: an exit code; whatever is answered comes later. */
struct daemon_cloud;
int daemon__ask_cloud(struct daemon *self);
void daemon_cloud__free(struct daemon_cloud *self); /* after the last profile was encoded */

/* notify.c */
void daemon_notify__open(struct daemon_notify *self);
void daemon_notify__say(struct daemon_notify *self, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int daemon_notify__ready(struct daemon *self); /* and from now on "still there"; an exit code */
void daemon_notify__close(struct daemon_notify *self);

/* lifecycle.c: start, wait, stop. Returns an exit code, having logged why. */
int daemon__run(struct daemon *self, const struct config *config);
/* The loop ends as soon as nothing goes on any more. */
void daemon__stop_if_idle(struct daemon *self);

/* wire.c: what control asks of record, what record gives to encode and ship. */
struct control_ops;
struct control_ops daemon__control_ops(struct daemon *self);
struct daemon_wish {
	const char *command_id;
	const struct session_spec *spec;
	bool is_again;
	bool is_local;
	int output_fd; /* taken when 0 is returned; -1: none */
	const struct encode_format *format;
};
int daemon__start_run(struct daemon *self, const struct daemon_wish *wish, const char **ret_why);
struct daemon_run *daemon__find_run(struct daemon *self, const char *command_id); /* NULL: none */
uint32_t daemon__runs_going_on(const struct daemon *self, const struct daemon_run *but);
/* Ends every run early; their windows are kept. */
void daemon__stop_runs(struct daemon *self);

/* local.c: what the operator at this host asks for. */
int daemon__serve(struct daemon *self); /* an exit code */
struct json_object *
daemon_run__row(const struct daemon_run *run); /* given: json__put; NULL: no memory */

/* past.c: local sessions that are over. */
void daemon__restore_pasts(struct daemon *self); /* those that a crash interrupted */
/* Keeps on disk which go on, one of them left out. */
void daemon__note_locals(struct daemon *self, const struct daemon_run *but);
void daemon__local_ended(struct daemon_run *run);
void daemon__forget_pasts(struct daemon *self);

#endif

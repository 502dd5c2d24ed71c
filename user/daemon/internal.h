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

#define DAEMON_SIGNALS_MAX 3
#define COMMAND_ID_BYTES   64

/* As the command line's, where both have them. */
enum daemon_exit { DAEMON_DONE = 0, DAEMON_FAILED = 1, DAEMON_USAGE = 2, DAEMON_IMPOSSIBLE = 4 };

struct daemon {
	const struct config *config; /* borrowed */
	struct sysroot root;
	int lock_fd;
	struct encode_host host;
	struct loop *loop;
	struct loop_signal *signals[DAEMON_SIGNALS_MAX];
	struct collect *collect;
	struct record *record;
	struct net *net;
	struct ship *ship;
	struct ship_logs *logs; /* NULL unless asked for */
	struct control *control; /* NULL again once we stop */

	struct daemon_run *runs; /* until the last window of each is in the spool */
	bool is_stopping;
};

/* A command being carried out. */
struct daemon_run {
	struct daemon_run *next;
	struct daemon *daemon;
	struct record_run *record_run; /* NULL: its last window came */
	char command_id[COMMAND_ID_BYTES];
	uint32_t jobs_cnt; /* windows being encoded */
	char why[256]; /* the first failure */
};

/* lifecycle.c: start, wait, stop. Returns an exit code, having logged why. */
int daemon__run(struct daemon *self, const struct config *config);
/* The loop ends as soon as nothing goes on any more. */
void daemon__stop_if_idle(struct daemon *self);

/* wire.c: what control asks of record, what record gives to encode and ship. */
struct control_ops;
struct control_ops daemon__control_ops(struct daemon *self);
/* Ends every run early; their windows are kept. */
void daemon__stop_runs(struct daemon *self);

#endif

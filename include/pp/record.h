/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_RECORD_H
#define PP_RECORD_H
/*
 * One run, from a session_spec to a finished, named profile: switch sources on, drain, note processes,
 * stop at the deadline, symbolize, account. The same for daemon and command line. The only place where
 * samples become a profile. Loop thread only; one run at a time per recorder.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pp/spec.h"

struct loop;
struct collect;
struct sysroot;
struct profile;
struct record;

struct record_ops {
	/* Links are on and the first sample was seen (or 1 s went by without one). Once per run. */
	void (*sampling)(void *arg);
	/*
	 * A finished window: err 0 and a profile (given: profile__free), or -errno and NULL with why.
	 * is_last: the run is over, and another may be started from inside this callback.
	 */
	void (*window)(void *arg, int err, const char *why, struct profile *profile, bool is_last);
	/* Every second while sampling, for a progress line. May be NULL. */
	void (*progress)(void *arg, uint64_t elapsed_ns, uint64_t taken, uint64_t accepted);
	void *arg;
};

struct record_options {
	const char *cache_dir; /* for unwind tables; borrowed during the call; NULL: none on disk */
};

int record__new(struct loop *loop, const struct sysroot *root, struct collect *collect,
		const struct record_options *options, struct record **ret_record);
void record__free(struct record *self);
/* -EBUSY while one goes on; -ESRCH when none of the spec's pids exist; -errno of collect with *ret_why. */
int record__start(struct record *self, const struct session_spec *spec,
		  const struct record_ops *ops, const char **ret_why);
/* Ends the run early; the window callback follows. No-op when nothing runs. */
void record__stop(struct record *self);
bool record__is_running(const struct record *self);

#endif

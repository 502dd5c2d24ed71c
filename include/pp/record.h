/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_RECORD_H
#define PP_RECORD_H
/*
 * One run, from a session_spec to a finished, named profile: switch sources on, drain, note processes,
 * stop at the deadline, symbolize, account. The same for daemon and command line. The only place where
 * samples become a profile. Loop thread only. Some runs may go on at once, served by one sampler: none
 * sees anything of another's start, change or end.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/spec.h"

struct loop;
struct collect;
struct container_names;
struct debuginfod;
struct sysroot;
struct profile;
struct record;
struct record_run;

#define RECORD_RUNS_MAX 4

struct record_ops {
	/* Links are on and the first sample was seen (or 1 s went by without one). Once per run. */
	void (*sampling)(void *arg);
	/*
	 * A finished window: err 0 and a profile (given: profile__free), or -errno and NULL with why.
	 * is_last: the run is over and freed when this returns; another may be started from inside.
	 */
	void (*window)(void *arg, int err, const char *why, struct profile *profile, bool is_last);
	/* Every second while sampling, for a progress line. May be NULL. */
	void (*progress)(void *arg, uint64_t elapsed_ns, uint64_t accepted, uint64_t lost);
	void *arg;
};

struct record_options {
	const char *cache_dir; /* for unwind tables; borrowed during the call; NULL: none on disk */
	bool has_reader; /* main knows reader.h: files are read by a process of their own, else by this one */
	size_t symbol_cache_bytes; /* for names of earlier windows; 0: none are kept; needs has_reader */
	const char *
		symbol_cache_dir; /* they outlive the process there; borrowed during the call; NULL: no */
	const char *
		debug_dir; /* of fetched debug files; borrowed during the call; NULL: none; the same */
	struct debuginfod *debuginfod; /* borrowed; told what has no names; NULL: nobody is */
	struct container_names *container_names; /* borrowed; NULL: containers go by their ids */
};

int record__new(struct loop *loop, const struct sysroot *root, struct collect *collect,
		const struct record_options *options, struct record **ret_record);
void record__free(struct record *self); /* when no run goes on */
/*
 * -EBUSY while RECORD_RUNS_MAX go on; -EOPNOTSUPP, -EPERM: its event is not here; -ESRCH when none of the spec's pids exist; -errno of collect with
 * *ret_why. The run is borrowed: it is the recorder's, until behind window(is_last).
 */
int record__start(struct record *self, const struct session_spec *spec,
		  const struct record_ops *ops, struct record_run **ret_run, const char **ret_why);
/* Ends the run early; window(is_last) follows. No-op when it has ended and is being named. */
void record_run__stop(struct record_run *self);
/*
 * Other pids, comms or children, without a gap for those that stay: the window goes on. -EINVAL if anything
 * else differs, -ESRCH when none of the pids exist, -ECANCELED when the run has ended: it is as it was.
 */
int record_run__change(struct record_run *self, const struct session_spec *spec);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef CLI_RUN_H
#define CLI_RUN_H
/*
 * What makes up `profile record`, one struct each: where the profile goes, the command that is run, the
 * processes that are asked for, the run, and what it came to.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pp/spec.h"

struct cli;
struct encode_format;
struct profile;
struct sysroot;

/*
 * output.c: where the profile goes. Checked before the run, written after it. Once it is to go to stdout,
 * our own descriptor 1 is stderr, for us and for a command.
 */
struct output {
	char path[4096]; /* "-": stdout */
	const char *extension;
	char kept[4096]; /* where the bytes are that could not be written to path; "": nowhere */
	int encode_err; /* why there were no bytes to write; 0: there were */
	int fd; /* open already: stdout, a pipe, a device, the target of a link; else -1 */
	bool is_stdout;
	bool is_own_name; /* made by us */
	bool has_owner; /* files are given to the user behind sudo */
	uid_t uid;
	gid_t gid;
};
/* path: NULL for the default name. event: NULL, or put into the name, before its extension. Returns 0 or -errno: then a profile could not be written there. */
int output__open(struct output *self, const char *path, const char *event, const char *extension);
/* When it cannot be written there, the profile is kept elsewhere if that can be: see kept. */
int output__write(struct output *self, const struct encode_format *format,
		  const struct profile *profile);
void output__close(struct output *self);
/* Who stands behind sudo: false if nobody does. */
bool invoker__find(uid_t *ret_uid, gid_t *ret_gid);

/* command.c: a command that starts running only when it is let go. */
struct command {
	pid_t pid; /* 0: none */
	int go_fd; /* closed: the command may run */
	int failed_fd; /* says an errno if it could not, ends when it runs */
	bool has_ended;
	int status; /* as wait() says it */
	uint64_t cpu_ns; /* what it and the children it waited for used */
};
/* argv is borrowed. Call before there are threads. */
int command__start(struct command *self, const struct cli *cli, char *const *argv);
/* Lets it run. Returns 0, or -errno of running it: then it has ended. */
int command__go(struct command *self);
/* Collects its status; it must have ended. */
void command__reap(struct command *self);
/* A command that never was let go ends unheard; one that runs is left running. */
void command__close(struct command *self);

/* target.c: the processes that --pid names. */
struct targets {
	uint32_t cnt;
	uint32_t *pids;
	int *fds; /* pidfds: readable when the process has ended; -1: not known */
	uint64_t *start_ticks;
	uint64_t *cpu_ticks; /* when the run began */
};
/* Are they there? Returns 0 or an exit code, having told which one is not. */
int targets__open(struct targets *self, struct cli *cli, const struct session_spec *spec);
void targets__close(struct targets *self);
/* Every one of them; false when it cannot be known. */
bool targets__have_ended(const struct targets *self);
/* CPU time used since targets__open by those that still live, and how many these are. */
void targets__used(const struct targets *self, const struct sysroot *root, uint64_t *ret_cpu_ns,
		   uint32_t *ret_alive);

#define RUNS_MAX 4 /* at once: record.h */

/* recording.c: the run itself. */
enum recording_end { ENDED_DURATION, ENDED_SIGNAL, ENDED_COMMAND, ENDED_TARGETS };
struct request {
	struct session_spec spec;
	const struct encode_format *format;
	const char *path; /* NULL: the default */
	bool strict;
	char *const *argv; /* the command; NULL: none */
	char events[RUNS_MAX][SPEC_EVENT_BYTES]; /* each gives a profile of its own */
	uint32_t event_cnt; /* 0: the clock */
};
/* command: NULL if none. Returns 0 with a profile (given) of each event, or an exit code, having told why. */
int recording__run(struct cli *cli, const struct request *request, struct command *command,
		   const struct targets *targets, struct profile *ret_profiles[RUNS_MAX],
		   enum recording_end *ret_end);

/* report.c: what a run came to. */
struct report {
	const struct request *request;
	const struct profile *profile;
	const struct command *command; /* NULL if none */
	const struct targets *targets;
	const struct output *output;
	enum recording_end end;
};
/* Returns 0 or -ENOMEM. */
int report__print(struct cli *cli, const struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One run on the event loop, and all that may end it: its duration, the end of the command or of every
 * process asked for, a signal. The first SIGINT, SIGTERM or SIGHUP ends the profile well, a second one
 * ends the program at once. What the profile becomes is the caller's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/loop.h"
#include "pp/collect.h"
#include "pp/container.h"
#include "pp/net.h"
#include "pp/profile.h"
#include "pp/record.h"
#include "run.h"

#define SIGNALS_MAX 3

struct recording {
	struct cli *cli;
	const struct request *request;
	struct command *command; /* NULL: none */
	const struct targets *targets;
	struct loop *loop;
	struct net *net;
	struct container_names *container_names;
	struct collect *collect;
	struct record *record;
	struct one_run {
		struct recording *recording;
		struct record_run *run; /* NULL: it does not go on */
		struct profile *profile;
	} runs[RUNS_MAX]; /* one, or one for each event */
	uint32_t run_cnt;
	struct loop_signal *signals[SIGNALS_MAX];
	int command_fd; /* pidfd, or -1 */
	struct loop_io *command_io;
	uint32_t signal_cnt;
	enum recording_end end;
	bool shows_progress;
	int err;
	char why[256];
};

static void end_run(struct recording *self, enum recording_end end)
{
	if (self->end != ENDED_DURATION)
		return;
	self->end = end;
	for (uint32_t i = 0; i < self->run_cnt; i++)
		if (self->runs[i].run)
			record_run__stop(self->runs[i].run);
}

static void on_signal(void *arg, int signo)
{
	struct recording *self = arg;

	if (self->signal_cnt++)
		_exit(CLI_FAILED);
	/* A terminal sends SIGINT to the command too, the others came to us alone. */
	if (self->command && !self->command->has_ended && signo != SIGINT)
		kill(self->command->pid, signo);
	end_run(self, ENDED_SIGNAL);
}

static void on_command_end(void *arg, int events, int err)
{
	struct recording *self = arg;

	(void)loop_io__set(self->command_io, 0); /* stopping does not fail */
	command__reap(self->command);
	end_run(self, ENDED_COMMAND);
}

static void on_progress(void *arg, uint64_t elapsed_ns, uint64_t accepted, uint64_t lost)
{
	const struct one_run *run = arg;
	struct recording *self = run->recording;

	if (run != self->runs) /* the first one's is everybody's */
		return;
	if (!self->request->spec.children && targets__have_ended(self->targets))
		end_run(self, ENDED_TARGETS);
	if (!self->shows_progress)
		return;
	fprintf(stderr, "\r%llu s, %llu samples%s ", (unsigned long long)(elapsed_ns / 1000000000),
		(unsigned long long)accepted,
		self->request->spec.duration_s || self->command ? "" : ", Ctrl-C ends");
	fflush(stderr);
}

static void on_window(void *arg, int err, const char *why, struct profile *profile, bool is_last)
{
	struct one_run *run = arg;
	struct recording *self = run->recording;

	if (self->shows_progress)
		fprintf(stderr, "\r\033[K");
	if (err && !self->err) {
		self->err = err;
		snprintf(self->why, sizeof(self->why), "%s", why ? why : "");
	}
	run->profile = profile;
	if (!is_last)
		return;
	run->run = NULL;
	for (uint32_t i = 0; i < self->run_cnt; i++)
		if (self->runs[i].run)
			return;
	loop__stop(self->loop);
}

static int watch_signals(struct recording *self)
{
	static const int signos[SIGNALS_MAX] = { SIGINT, SIGTERM, SIGHUP };

	for (uint32_t i = 0; i < SIGNALS_MAX; i++) {
		struct sigaction before;
		int err;

		/* nohup and the background of a shell without job control mean it. */
		if (!sigaction(signos[i], NULL, &before) && before.sa_handler == SIG_IGN)
			continue;
		err = loop_signal__new(self->loop, signos[i], on_signal, self, &self->signals[i]);
		if (err)
			return err;
	}
	return 0;
}

static int watch_command(struct recording *self)
{
	if (!self->command)
		return 0;
	self->command_fd = (int)syscall(SYS_pidfd_open, self->command->pid, 0);
	if (self->command_fd < 0)
		return -errno;
	return loop_io__new(self->loop, self->command_fd, LOOP_READ, on_command_end, self,
			    &self->command_io);
}

/*
 * Converted unwind tables are kept with the daemon's, and debug files that it fetched are used, if that is there and we
 * may write. NULL: nowhere.
 */
static char *state_place(const char *name)
{
	const char *env = getenv("PULSEPROF_STATE_DIR");
	const char *state_dir = env && *env ? env : "/var/lib/pulseprof";
	char *dir;

	if (faccessat(AT_FDCWD, state_dir, W_OK, AT_EACCESS) ||
	    asprintf(&dir, "%s/%s", state_dir, name) < 0)
		return NULL;
	return dir;
}

static int prepare(struct recording *self)
{
	_auto_free_ char *tables = state_place("unwind"), *debug = state_place("debug");
	struct record_options options = { .cache_dir = tables,
					  .debug_dir = debug,
					  .has_reader = true };
	const struct net_options net_options = { 0 };
	const char *why = "";
	int err;

	err = loop__new(&self->loop);
	if (!err)
		err = watch_command(self);
	if (err)
		return cli__fail(self->cli, CLI_FAILED, err, NULL, "no event loop (%s)",
				 errname(err));
	err = collect__new(self->loop, &self->cli->root, NULL, &self->collect, &why);
	if (err)
		return cli__fail(self->cli, cli__code_of(err), err,
				 "'pulseprof feature probe' tells what is missing", "%s (%s)",
				 *why ? why : "the programs cannot be loaded", errname(err));
	err = net__new(self->loop, &net_options, &self->net);
	if (!err)
		err = container_names__new(self->loop, self->net, &self->cli->root,
					   &self->container_names);
	options.container_names = self->container_names;
	if (!err)
		err = record__new(self->loop, &self->cli->root, self->collect, &options,
				  &self->record);
	if (!err)
		err = watch_signals(self);
	if (err)
		return cli__fail(self->cli, CLI_FAILED, err, NULL, "no recorder (%s)",
				 errname(err));
	return 0;
}

static int start_run(struct recording *self, uint32_t i, const char **ret_why)
{
	const struct record_ops ops = { .window = on_window,
					.progress = on_progress,
					.arg = &self->runs[i] };
	struct session_spec spec = self->request->spec;

	if (self->request->event_cnt)
		memcpy(spec.event, self->request->events[i], sizeof(spec.event));
	self->runs[i].recording = self;
	return record__start(self->record, &spec, &ops, &self->runs[i].run, ret_why);
}

static bool have_all(const struct recording *self)
{
	for (uint32_t i = 0; i < self->run_cnt; i++)
		if (!self->runs[i].profile)
			return false;
	return true;
}

/* Those that have begun when a later one cannot. */
static void stop_runs(struct recording *self)
{
	bool goes_on = false;

	for (uint32_t i = 0; i < self->run_cnt; i++)
		if (self->runs[i].run) {
			record_run__stop(self->runs[i].run);
			goes_on = true;
		}
	if (goes_on)
		(void)loop__run(self->loop);
}

/* The command is let go as soon as sampling is on: what it does from its first instruction is seen. */
static int go(struct recording *self)
{
	const char *why = "";
	int err = 0;

	for (uint32_t i = 0; i < self->run_cnt && !err; i++)
		err = start_run(self, i, &why);
	if (err) {
		stop_runs(self);
		return cli__fail(self->cli, cli__code_of(err), err,
				 cli__code_of(err) != CLI_IMPOSSIBLE ?
					 NULL :
				 self->request->event_cnt ?
					 "'pulseprof counter list' tells what this machine has" :
					 "'pulseprof feature probe' tells what is missing",
				 "%s (%s)", *why ? why : "sampling cannot be switched on",
				 errname(err));
	}
	err = self->command ? command__go(self->command) : 0;
	if (err)
		end_run(self, ENDED_COMMAND);
	(void)loop__run(self->loop);
	if (err) {
		const char *name = self->request->argv[0];

		return cli__fail(self->cli, CLI_FAILED, err, NULL, "'%s' cannot be run: %s", name,
				 strerror(-err));
	}
	if (self->err || !have_all(self))
		return cli__fail(self->cli, CLI_FAILED, self->err, NULL, "%s (%s)",
				 *self->why ? self->why : "the run gave no profile",
				 errname(self->err));
	return 0;
}

static void clear(struct recording *self)
{
	/* From here on a signal ends the program. */
	for (uint32_t i = 0; i < SIGNALS_MAX; i++)
		loop_signal__free(self->signals[i]);
	loop_io__free(self->command_io);
	record__free(self->record);
	container_names__free(self->container_names);
	net__free(self->net);
	collect__free(self->collect);
	if (self->loop)
		loop__free(self->loop);
	if (self->command_fd >= 0)
		close(self->command_fd);
	for (uint32_t i = 0; i < self->run_cnt; i++)
		profile__free(self->runs[i].profile);
}

int recording__run(struct cli *cli, const struct request *request, struct command *command,
		   const struct targets *targets, struct profile *ret_profiles[RUNS_MAX],
		   enum recording_end *ret_end)
{
	struct recording self = {
		.cli = cli,
		.request = request,
		.command = command,
		.targets = targets,
		.command_fd = -1,
		.shows_progress = isatty(STDERR_FILENO),
		.run_cnt = max_of(request->event_cnt, 1u),
	};
	int code = prepare(&self);

	if (!code)
		code = go(&self);
	if (!code) {
		for (uint32_t i = 0; i < self.run_cnt; i++)
			ret_profiles[i] = take_ptr(self.runs[i].profile);
		*ret_end = self.end;
	}
	clear(&self);
	return code;
}

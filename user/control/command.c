/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What to do about the commands that arrive: a state machine without I/O, so that recorded exchanges drive
 * it in tests. Always true: a command id is begun at most once by the server's wish and its fate is
 * reported exactly once; at most one run goes on.
 *
 * One run at a time, in the order stop, ad hoc, continuous:
 *   ad hoc while ad hoc runs           waits its turn (ADHOC_QUEUE_MAX)
 *   ad hoc while continuous runs       the continuous run ends (its window is kept), waits, and resumes
 *   continuous while continuous runs   the old one ends for good, the new one follows
 *   continuous while ad hoc runs       waits; only the newest does
 *   stop                               ends all of it; with process ids only what is left without a target
 * A run is ended by asking; what comes next begins when its end was told (commands__ended).
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/metrics.h"

struct command {
	char id[UUID_BYTES];
	bool reported;
	bool stopping; /* its end was asked for */
	bool again; /* when it has ended, it goes back to its queue */
	uint64_t started_ns;
	struct session_spec spec;
};

struct seen_id {
	char id[UUID_BYTES];
	bool reported;
};

struct commands {
	char *hostname;
	struct session_spec defaults;
	struct commands_ops ops;
	struct command *running;
	bool starting; /* inside ops.run.start */
	struct command *continuous; /* waits */
	struct command *adhoc[ADHOC_QUEUE_MAX]; /* wait, the oldest first */
	size_t adhoc_cnt;
	struct seen_id seen[SEEN_IDS_MAX]; /* a ring, newest at (seen_total - 1) */
	uint64_t seen_total;
};

int commands__new(const char *hostname, const struct session_spec *defaults,
		  const struct commands_ops *ops, struct commands **ret_commands)
{
	struct commands *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->hostname = strdup(hostname);
	if (!self->hostname) {
		free(self);
		return -ENOMEM;
	}
	self->defaults = *defaults;
	self->ops = *ops;
	*ret_commands = self;
	return 0;
}

void commands__free(struct commands *self)
{
	size_t i;

	if (!self)
		return;
	for (i = 0; i < self->adhoc_cnt; i++)
		free(self->adhoc[i]);
	free(self->continuous);
	free(self->running);
	free(self->hostname);
	free(self);
}

static struct seen_id *commands__seen(struct commands *self, const char *id)
{
	size_t i, cnt = min_of(self->seen_total, (uint64_t)SEEN_IDS_MAX);

	for (i = 0; i < cnt; i++)
		if (!strcmp(self->seen[i].id, id))
			return &self->seen[i];
	return NULL;
}

static void commands__remember(struct commands *self, const char *id)
{
	struct seen_id *seen = &self->seen[self->seen_total++ % SEEN_IDS_MAX];

	memcpy(seen->id, id, UUID_BYTES);
	seen->reported = false;
}

const char *commands__id(const struct commands *self, size_t i, bool reported_only)
{
	size_t k, cnt = min_of(self->seen_total, (uint64_t)SEEN_IDS_MAX);

	for (k = 0; k < cnt; k++) {
		const struct seen_id *seen = &self->seen[(self->seen_total - 1 - k) % SEEN_IDS_MAX];

		if ((seen->reported || !reported_only) && !i--)
			return seen->id;
	}
	return NULL;
}

const char *commands__last_id(const struct commands *self)
{
	return commands__id(self, 0, false);
}

/* why: NULL for completed. */
static void commands__report(struct commands *self, const char *id, const char *why)
{
	struct seen_id *seen = commands__seen(self, id);

	if (seen)
		seen->reported = true;
	metric__add(why ? METRIC_COMMANDS_FAILED : METRIC_COMMANDS_COMPLETED, 1);
	if (why)
		log_warn("control: command '%s' failed: %s", id, why);
	self->ops.report(self->ops.report_arg, id, !why, why);
}

static void command__settle(struct commands *self, struct command *command, const char *why)
{
	if (command->reported)
		return;
	command->reported = true;
	commands__report(self, command->id, why);
}

/* Takes a command that will not run (again). */
static void commands__drop(struct commands *self, struct command *command, const char *why)
{
	if (!command)
		return;
	command__settle(self, command, why);
	free(command);
}

static void commands__drop_adhoc(struct commands *self, size_t i, const char *why)
{
	struct command *command = self->adhoc[i];

	self->adhoc_cnt--;
	memmove(&self->adhoc[i], &self->adhoc[i + 1],
		(self->adhoc_cnt - i) * sizeof(self->adhoc[0]));
	commands__drop(self, command, why);
}

static struct command *commands__take_next(struct commands *self)
{
	struct command *next = NULL;

	if (!self->adhoc_cnt)
		return take_ptr(self->continuous);
	next = self->adhoc[0];
	self->adhoc_cnt--;
	memmove(&self->adhoc[0], &self->adhoc[1], self->adhoc_cnt * sizeof(self->adhoc[0]));
	return next;
}

/* Begins what is next unless something runs. */
static void commands__step(struct commands *self)
{
	while (!self->running && (self->running = commands__take_next(self))) {
		struct command *command = self->running;
		const char *why = NULL;
		int err;

		command->stopping = false;
		command->again = false;
		command->started_ns = clock_mono_ns();
		self->starting = true;
		err = self->ops.run.start(self->ops.run.arg, command->id, &command->spec, &why);
		self->starting = false;
		if (!err) {
			log_info("control: command '%s' starts: rate_hz=%u duration_s=%u %s",
				 command->id, command->spec.rate_hz, command->spec.duration_s,
				 command->spec.continuous ? "continuous" : "ad hoc");
			continue;
		}
		self->running = NULL;
		if (command->reported)
			log_error("control: command '%s' does not resume: %s", command->id,
				  why ? why : errname(err));
		commands__drop(self, command, why ? why : errname(err));
	}
}

/* Asks the run to end; again: it comes back when there is room. */
static void commands__end_run(struct commands *self, bool again)
{
	struct command *running = self->running;

	running->again = again;
	if (running->stopping)
		return;
	running->stopping = true;
	self->ops.run.stop(self->ops.run.arg, running->id);
}

void commands__sampling(struct commands *self, const char *command_id)
{
	if (self->running && !strcmp(self->running->id, command_id))
		command__settle(self, self->running, NULL);
}

/* Back to its queue: a continuous one unless a newer took its place, an ad hoc one for the time left. */
static void commands__requeue(struct commands *self, struct command *command)
{
	uint64_t ran_s = (clock_mono_ns() - command->started_ns) / 1000000000;

	if (command->spec.continuous) {
		if (self->continuous)
			commands__drop(self, command, "superseded by a newer command");
		else
			self->continuous = command;
		return;
	}
	if (command->spec.duration_s)
		command->spec.duration_s = ran_s < command->spec.duration_s ?
						   command->spec.duration_s - (uint32_t)ran_s :
						   1;
	if (self->adhoc_cnt == ADHOC_QUEUE_MAX)
		commands__drop_adhoc(self, self->adhoc_cnt - 1, "queue full");
	memmove(&self->adhoc[1], &self->adhoc[0], self->adhoc_cnt * sizeof(self->adhoc[0]));
	self->adhoc[0] = command;
	self->adhoc_cnt++;
}

bool commands__ended(struct commands *self, const char *command_id, const char *why)
{
	struct command *command = self->running;

	pp_assert(!self->starting);
	if (!command || strcmp(command->id, command_id))
		return false;
	self->running = NULL;
	if (command->again) { /* why: too short to give anything is no reason not to come back */
		commands__requeue(self, command);
	} else {
		if (why && command->reported)
			log_warn("control: the run of command '%s' ended badly: %s", command->id,
				 why);
		if (!why && command->stopping)
			why = "stopped before the first sample";
		/* Said only if nothing was said before: a run that gave a profile has been sampling. */
		if (!why)
			command__settle(self, command, NULL);
		commands__drop(self, command, why);
	}
	commands__step(self);
	return true;
}

static bool names_us(const struct json_object *names, const char *hostname)
{
	size_t i;

	for (i = 0; i < json__len(names); i++) {
		const struct json_object *name = json__at(names, i);

		if (name && json__is_str(name) && !strcmp(json__str(name), hostname))
			return true;
	}
	return false;
}

/* Reads a start. On failure *ret_why says what to report. */
static int commands__read_start(struct commands *self, const struct answer *answer,
				struct command *command, const char **ret_why)
{
	_auto_json_ struct json_object *empty = json__new_object();
	const struct json_object *config = answer->config ? answer->config : empty;
	struct json_object *names;
	int err;

	if (!config)
		return -ENOMEM;
	err = json__get_array(config, "target_hostnames", &names);
	if (err == -EBADMSG) {
		*ret_why = "target_hostnames is no list";
		return err;
	}
	if (!err && json__len(names) && !names_us(names, self->hostname)) {
		*ret_why = "this host is not in target_hostnames";
		return -EINVAL;
	}
	return session_spec__from_config(config, &self->defaults, &command->spec, ret_why);
}

static void commands__enqueue(struct commands *self, struct command *command)
{
	if (command->spec.continuous) {
		commands__drop(self, self->continuous, "superseded by a newer command");
		self->continuous = command;
		/* Nothing to wait for but the end of the one it replaces. */
		if (self->running && self->running->spec.continuous)
			commands__end_run(self, false);
	} else if (self->adhoc_cnt == ADHOC_QUEUE_MAX) {
		commands__drop(self, command, "too many commands wait already");
	} else {
		self->adhoc[self->adhoc_cnt++] = command;
		/* One that is ending already keeps its fate. */
		if (self->running && self->running->spec.continuous && !self->running->stopping)
			commands__end_run(self, true);
	}
	commands__step(self);
}

static void commands__start(struct commands *self, const struct answer *answer)
{
	struct command *command = calloc(1, sizeof(*command));
	const char *why = NULL;
	int err = -ENOMEM;

	if (command) {
		memcpy(command->id, answer->command_id, UUID_BYTES);
		err = commands__read_start(self, answer, command, &why);
	}
	if (!err) {
		commands__enqueue(self, command);
		return;
	}
	free(command);
	commands__report(self, answer->command_id, why ? why : errname(err));
}

/* Takes the stopped pids out of a target. False: nothing is left of it, or it was the whole host. */
static bool spec_without(struct session_spec *spec, const struct session_spec *stopped)
{
	uint32_t i, k, kept = 0;

	for (i = 0; i < spec->pid_cnt; i++) {
		for (k = 0; k < stopped->pid_cnt && stopped->pids[k] != spec->pids[i]; k++)
			;
		if (k == stopped->pid_cnt)
			spec->pids[kept++] = spec->pids[i];
	}
	memset(&spec->pids[kept], 0, (spec->pid_cnt - kept) * sizeof(spec->pids[0]));
	spec->pid_cnt = kept;
	return kept != 0;
}

/*
 * stopped without pids: everything. A run over the whole host ends too when single processes are stopped:
 * the server has already forgotten it (it keeps one command per host).
 */
static void commands__stop_matching(struct commands *self, const struct session_spec *stopped)
{
	struct command *running = self->running;
	uint32_t pid_cnt = running ? running->spec.pid_cnt : 0;
	size_t i = 0;

	while (i < self->adhoc_cnt) {
		if (stopped->pid_cnt && spec_without(&self->adhoc[i]->spec, stopped))
			i++;
		else
			commands__drop_adhoc(self, i, "stopped before it started");
	}
	if (self->continuous &&
	    !(stopped->pid_cnt && spec_without(&self->continuous->spec, stopped)))
		commands__drop(self, take_ptr(self->continuous), "stopped before it started");
	if (!running)
		return;
	if (!stopped->pid_cnt || !spec_without(&running->spec, stopped))
		commands__end_run(self, false);
	else if (running->spec.pid_cnt != pid_cnt && (!running->stopping || running->again))
		commands__end_run(self, true); /* comes back with what is left */
}

static int read_stopped_pids(const struct json_object *config, struct session_spec *ret_spec,
			     const char **ret_why)
{
	struct json_object *pids;
	const char *level = "";
	size_t i;
	int err;

	session_spec__init(ret_spec);
	if (!config)
		return 0;
	err = json__get_str(config, "stop_level", &level);
	if (err == -EBADMSG) {
		*ret_why = "stop_level is no text";
		return err;
	}
	err = json__get_array(config, "pids", &pids);
	if (err == -ENOENT || !strcmp(level, "host"))
		return 0;
	for (i = 0; !err && i < json__len(pids); i++) {
		const struct json_object *pid = json__at(pids, i);

		if (!pid || !json__is_int(pid))
			err = -EBADMSG;
		else
			err = session_spec__add_pid_num(ret_spec, json__int(pid), ret_why);
	}
	if (err && !*ret_why)
		*ret_why = "pids is no list of process ids";
	return err;
}

static void commands__stop(struct commands *self, const struct answer *answer)
{
	struct session_spec stopped;
	const char *why = NULL;

	if (read_stopped_pids(answer->config, &stopped, &why)) {
		commands__report(self, answer->command_id, why);
		return;
	}
	log_info("control: command '%s' stops %s", answer->command_id,
		 stopped.pid_cnt ? "processes" : "everything");
	commands__stop_matching(self, &stopped);
	commands__report(self, answer->command_id, NULL);
}

void commands__handle(struct commands *self, const struct answer *answer)
{
	char why[WHY_BYTES];
	char *c;

	if (!answer->command_id[0] || commands__seen(self, answer->command_id))
		return;
	metric__add(METRIC_COMMANDS_RECEIVED, 1);
	commands__remember(self, answer->command_id);
	if (!strcmp(answer->command_type, "start")) {
		commands__start(self, answer);
	} else if (!strcmp(answer->command_type, "stop")) {
		commands__stop(self, answer);
	} else {
		snprintf(why, sizeof(why), "Unknown command type '%.40s'", answer->command_type);
		for (c = why; *c; c++) /* goes back to the server and into our log */
			if (*c < 0x20 || *c > 0x7e)
				*c = '?';
		commands__report(self, answer->command_id, why);
	}
}

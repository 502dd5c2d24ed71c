/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What to do about the commands that arrive: a state machine without I/O, so that recorded exchanges drive it in
 * tests. Always true: a command begins only after the ledger that says so is on disk; its fate is reported
 * exactly once; one ad hoc and one continuous run go on at most, and neither disturbs the other.
 *
 *   ad hoc while ad hoc runs           waits its turn (ADHOC_QUEUE_MAX)
 *   continuous while continuous runs   the old one ends for good, the new one follows; only the newest waits
 *   stop                               ends all of it; with process ids only what is left without a target
 *   a start that is the rest of a run  (a process was stopped): the run goes on with fewer processes
 * A run is ended by asking; what comes next begins when its end was told (commands__ended).
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/metrics.h"
#include "pp/spec_policy.h"

enum slot { SLOT_ADHOC, SLOT_CONTINUOUS, SLOT_CNT };

/* Points into the ledger, which forgets none of these. */
struct commands {
	char *hostname;
	struct session_spec defaults;
	const struct spec_policy *policy;
	struct commands_ops ops;
	struct command
		*running[SLOT_CNT]; /* since before the journal says so; till the end was told */
	struct command *continuous; /* waits */
	struct command *adhoc[ADHOC_QUEUE_MAX + 1]; /* wait, the oldest first; one may come back */
	size_t adhoc_cnt;
	bool is_busy; /* the sampler has no room: until the next poke */
	uint32_t left_alone; /* runs of containers that a stop of processes met */
	struct ledger ledger;
};

static void commands__step(struct commands *self);

int commands__new(const char *hostname, const struct session_spec *defaults,
		  const struct spec_policy *policy, const struct commands_ops *ops,
		  struct commands **ret_commands)
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
	self->policy = policy;
	self->ops = *ops;
	*ret_commands = self;
	return 0;
}

void commands__free(struct commands *self)
{
	if (!self)
		return;
	ledger__clear(&self->ledger);
	free(self->hostname);
	free(self);
}

struct ledger *commands__ledger(struct commands *self)
{
	return &self->ledger;
}

static uint64_t commands__save(struct commands *self)
{
	return self->ops.save ? self->ops.save(self->ops.save_arg) : 0;
}

/* why: NULL for completed. */
static void commands__settle(struct commands *self, struct command *command, const char *why)
{
	if (command->fate != FATE_OPEN)
		return;
	command->fate = why ? FATE_FAILED : FATE_COMPLETED;
	command->is_unsent = true;
	metric__add(why ? METRIC_COMMANDS_FAILED : METRIC_COMMANDS_COMPLETED, 1);
	if (why) {
		command__set_why(command, why);
		log_warn("control: command '%s' failed: %s", command->id,
			 command->why ? command->why : "");
	}
	self->ops.report(self->ops.report_arg, command->id, !why, command->why);
}

/* A command that will not run (again). */
static void commands__drop(struct commands *self, struct command *command, const char *why)
{
	if (!command)
		return;
	commands__settle(self, command, why);
	command->is_untold = command->type == COMMAND_START;
	command__done(command);
}

static void commands__drop_adhoc(struct commands *self, size_t i, const char *why)
{
	struct command *command = self->adhoc[i];

	self->adhoc_cnt--;
	memmove(&self->adhoc[i], &self->adhoc[i + 1],
		(self->adhoc_cnt - i) * sizeof(self->adhoc[0]));
	commands__drop(self, command, why);
}

static struct command *commands__take_next(struct commands *self, enum slot slot)
{
	struct command *next;

	if (slot == SLOT_CONTINUOUS)
		return take_ptr(self->continuous);
	if (!self->adhoc_cnt)
		return NULL;
	next = self->adhoc[0];
	self->adhoc_cnt--;
	memmove(&self->adhoc[0], &self->adhoc[1], self->adhoc_cnt * sizeof(self->adhoc[0]));
	return next;
}

static uint32_t minute_of_day(void)
{
	time_t now = (time_t)(clock_real_ns() / 1000000000);
	struct tm tm = { 0 };

	localtime_r(&now, &tm);
	return (uint32_t)(tm.tm_hour * 60 + tm.tm_min);
}

/* The policy as of now; runs that go on count, but for the one in our place. */
static int commands__may_begin(const struct commands *self, const struct session_spec *spec,
			       const char **ret_why)
{
	enum slot slot = spec->continuous ? SLOT_CONTINUOUS : SLOT_ADHOC;
	uint32_t runs = self->running[!slot] != NULL;

	return self->policy ?
		       spec_policy__check(self->policy, spec, minute_of_day(), runs, ret_why) :
		       0;
}

static bool commands__is_quiet(const struct commands *self)
{
	return self->policy && spec_policy__is_quiet(self->policy, minute_of_day());
}

static void command__end_badly(struct command *command, const char *why)
{
	log_warn("control: the run of command '%s' ended badly: %s", command->id, why);
	command__set_why(command, why);
	command->is_bad = true;
}

/* Behind those that wait; of continuous ones only the newest waits. */
static void commands__wait(struct commands *self, struct command *command)
{
	if (command->spec->continuous) {
		commands__drop(self, self->continuous, "superseded by a newer command");
		self->continuous = command;
	} else if (self->adhoc_cnt >= ADHOC_QUEUE_MAX) {
		commands__drop(self, command, "too many commands wait already");
	} else {
		self->adhoc[self->adhoc_cnt++] = command;
	}
}

static enum slot command__slot(const struct command *self)
{
	return self->spec->continuous ? SLOT_CONTINUOUS : SLOT_ADHOC;
}

/* The sampler has no room: as if it had never been tried. */
static void commands__put_back(struct commands *self, struct command *command)
{
	command->state = COMMAND_RECEIVED;
	command->runs--;
	self->is_busy = true;
	if (command->spec->continuous) {
		if (self->continuous)
			commands__drop(self, command, "superseded by a newer command");
		else
			self->continuous = command;
		return;
	}
	memmove(&self->adhoc[1], &self->adhoc[0], self->adhoc_cnt * sizeof(self->adhoc[0]));
	self->adhoc[0] = command;
	self->adhoc_cnt++;
}

/* The journal says that it runs: now it may. */
static void commands__begin(struct commands *self, struct command *command)
{
	const char *why = NULL;
	int err;

	command->wait_generation = 0;
	err = self->ops.run.start(self->ops.run.arg, command->id, command->spec, command->is_again,
				  &why);
	if (!err) {
		command->is_begun = true;
		if (command->is_again)
			metric__add(METRIC_RUNS_RESTARTED, 1);
		log_info("control: command '%s' starts: rate_hz=%u duration_s=%u pids=%u %s%s",
			 command->id, command->spec->rate_hz, command->spec->duration_s,
			 command->spec->pid_cnt,
			 command->spec->continuous ? "continuous" : "ad hoc",
			 command->is_again ? ", restarted after an interruption" : "");
		return;
	}
	self->running[command__slot(command)] = NULL;
	if (err == -EBUSY) {
		commands__put_back(self, command);
	} else {
		if (command->fate != FATE_OPEN)
			command__end_badly(command, why ? why : errname(err));
		commands__drop(self, command, why ? why : errname(err));
	}
	(void)commands__save(self);
}

static void commands__fill(struct commands *self, enum slot slot)
{
	while (!self->running[slot] && !self->is_busy) {
		struct command *command = commands__take_next(self, slot);
		const char *why = NULL;

		if (!command)
			return;
		if (commands__may_begin(self, command->spec, &why)) {
			/* One that has sampled already only pauses, also across a restart. */
			if (slot == SLOT_CONTINUOUS && command->fate == FATE_COMPLETED &&
			    commands__is_quiet(self)) {
				self->continuous = command;
				return;
			}
			commands__drop(self, command, why);
			(void)commands__save(self);
			continue;
		}
		self->running[slot] = command;
		command->state = COMMAND_RUNNING;
		command->runs++;
		command->is_begun = false;
		command->wait_generation = commands__save(self);
		if (!command->wait_generation)
			commands__begin(self, command);
	}
}

/* Begins what is next where there is a place. */
static void commands__step(struct commands *self)
{
	commands__fill(self, SLOT_ADHOC);
	commands__fill(self, SLOT_CONTINUOUS);
}

void commands__poke(struct commands *self)
{
	self->is_busy = false;
	commands__step(self);
}

void commands__written(struct commands *self, uint64_t generation)
{
	enum slot slot;

	for (slot = 0; slot < SLOT_CNT; slot++) {
		struct command *command = self->running[slot];

		if (command && command->wait_generation && command->wait_generation <= generation)
			commands__begin(self, command);
	}
	commands__step(self);
}

/* Asks the run to end. One that waits for the journal has not begun. */
static void commands__end_run(struct commands *self, struct command *running, const char *why)
{
	if (!running->is_begun) {
		self->running[command__slot(running)] = NULL;
		commands__drop(self, running, "stopped before it started");
		return;
	}
	if (running->state != COMMAND_RUNNING) /* it ends already */
		return;
	running->state = COMMAND_STOPPING;
	command__set_why(running, why);
	log_info("control: command '%s' ends: %s", running->id, why);
	self->ops.run.stop(self->ops.run.arg, running->id);
}

static struct command *commands__running(struct commands *self, const char *command_id)
{
	enum slot slot;

	for (slot = 0; slot < SLOT_CNT; slot++)
		if (self->running[slot] && self->running[slot]->is_begun &&
		    !strcmp(self->running[slot]->id, command_id))
			return self->running[slot];
	return NULL;
}

void commands__sampling(struct commands *self, const char *command_id)
{
	struct command *command = commands__running(self, command_id);

	if (!command)
		return;
	commands__settle(self, command, NULL);
	if (command->spec->continuous)
		command->runs = 0;
	(void)commands__save(self);
}

void commands__kept(struct commands *self, const char *command_id)
{
	struct command *command = commands__running(self, command_id);

	if (command && !command->spec->continuous)
		command->state = COMMAND_KEPT;
}

/* Quiet hours ended its run, nobody else: it goes on after them, unless a newer one waits. */
static bool commands__pause(struct commands *self, struct command *command)
{
	if (!command->spec->continuous || command->state != COMMAND_RUNNING ||
	    command->fate != FATE_COMPLETED || self->continuous || !commands__is_quiet(self))
		return false;
	log_info("control: command '%s' pauses for the quiet hours", command->id);
	command->state = COMMAND_RECEIVED;
	command->is_begun = false;
	self->continuous = command;
	return true;
}

bool commands__ended(struct commands *self, const char *command_id, const struct control_end *end)
{
	struct command *command = commands__running(self, command_id);
	const char *why = end->why;

	if (!command)
		return false;
	self->running[command__slot(command)] = NULL;
	command->samples = end->samples;
	command->lost = end->lost;
	if (why && command->fate != FATE_OPEN)
		command__end_badly(command, why);
	if (!why && command->state == COMMAND_STOPPING)
		why = "stopped before the first sample";
	/* Said only if nothing was said before: a run that gave a profile has been sampling. */
	if (why || !commands__pause(self, command))
		commands__drop(self, command, why);
	(void)commands__save(self);
	self->is_busy = false;
	commands__step(self);
	return true;
}

void commands__sent(struct commands *self, const char *command_id)
{
	struct command *command = ledger__find(&self->ledger, command_id);

	if (!command || !command->is_unsent)
		return;
	command->is_unsent = false;
	(void)commands__save(self);
}

void commands__restore(struct commands *self)
{
	size_t i;

	for (i = 0; i < self->ledger.cnt; i++) {
		struct command *command = self->ledger.commands[i];
		const char *why;

		if (command->is_unsent)
			self->ops.report(self->ops.report_arg, command->id,
					 command->fate == FATE_COMPLETED, command->why);
		if (command->state == COMMAND_DONE)
			continue;
		if (!command__begins_again(command, &self->ops.run, &why)) {
			log_info("control: command '%s' does not begin again: %s", command->id,
				 why ? why : "its profile is in the spool");
			if (why && command->fate != FATE_OPEN)
				command__end_badly(command, why);
			commands__drop(self, command, why);
			continue;
		}
		command->state = COMMAND_RECEIVED;
		commands__wait(self, command);
	}
}

/* Reads a start. On failure *ret_why says what to report. */
static int commands__read_start(struct commands *self, const struct answer *answer,
				struct session_spec *ret_spec, const char **ret_why)
{
	_auto_json_ struct json_object *empty = json__new_object();
	const struct json_object *config = answer->config ? answer->config : empty;
	int err;

	if (!config)
		return -ENOMEM;
	err = start__is_for_us(config, self->hostname, ret_why);
	if (err)
		return err;
	err = session_spec__from_config(config, &self->defaults, ret_spec, ret_why);
	return err ? err : commands__may_begin(self, ret_spec, ret_why);
}

static void commands__enqueue(struct commands *self, struct command *command)
{
	bool continuous = command->spec->continuous;

	commands__wait(self, command);
	/* Nothing to wait for but the end of the one it replaces. */
	if (continuous && self->running[SLOT_CONTINUOUS])
		commands__end_run(self, self->running[SLOT_CONTINUOUS],
				  "superseded by a newer command");
}

/* Only the pids become fewer. False: the run cannot, it is as it was. */
static bool commands__change(struct commands *self, struct command *running,
			     const struct session_spec *spec)
{
	const char *why = NULL;
	int err = -EOPNOTSUPP;

	if (running->is_begun && self->ops.run.change)
		err = self->ops.run.change(self->ops.run.arg, running->id, spec, &why);
	else if (!running->is_begun)
		err = 0;
	if (err) {
		log_info("control: command '%s' cannot go on with fewer processes: %s", running->id,
			 why ? why : errname(err));
		return false;
	}
	log_info("control: command '%s' goes on with fewer processes: pids=%u groups=%u",
		 running->id, spec->pid_cnt, spec->group_cnt);
	*running->spec = *spec;
	return true;
}

/* What a process stop left of a run arrives as a new command. */
static bool commands__is_rest(struct commands *self, const struct answer *answer,
			      struct command *command)
{
	struct command *running = self->running[command__slot(command)];
	struct session_spec spec;

	if (!running || running->state != COMMAND_RUNNING ||
	    !stop__is_rest_of(answer->config, command->spec, running->spec))
		return false;
	spec = *running->spec;
	memcpy(spec.pids, command->spec->pids, sizeof(spec.pids));
	spec.pid_cnt = command->spec->pid_cnt;
	if (!commands__change(self, running, &spec))
		return false;
	commands__settle(self, command, NULL);
	command__done(command);
	return true;
}

static void commands__start(struct commands *self, const struct answer *answer,
			    struct command *command)
{
	const char *why = NULL;
	int err = -ENOMEM;

	command->spec = malloc(sizeof(*command->spec));
	if (command->spec)
		err = commands__read_start(self, answer, command->spec, &why);
	if (err) {
		commands__drop(self, command, why ? why : errname(err));
		return;
	}
	if (!commands__is_rest(self, answer, command))
		commands__enqueue(self, command);
}

/* A target without the stopped processes. False: nothing is left of it. */
static bool commands__shrink(struct commands *self, struct command *command, bool runs,
			     const struct session_spec *stopped)
{
	struct session_spec spec = *command->spec;

	if (spec.group_cnt && stopped->pid_cnt && !stopped->group_cnt) {
		self->left_alone++;
		return true;
	}
	if ((!stopped->pid_cnt && !stopped->group_cnt) || !stop__shrink(&spec, stopped))
		return false;
	if (spec.pid_cnt == command->spec->pid_cnt && spec.group_cnt == command->spec->group_cnt)
		return true;
	if (runs)
		return commands__change(self, command, &spec);
	*command->spec = spec;
	return true;
}

/*
 * stopped without pids: everything. A run over the whole host ends, too, when single processes are stopped: it
 * cannot leave them out, and the server has already forgotten it (it keeps one command per host).
 */
static void commands__stop_matching(struct commands *self, const struct session_spec *stopped)
{
	enum slot slot;
	size_t i = 0;

	while (i < self->adhoc_cnt) {
		if (commands__shrink(self, self->adhoc[i], false, stopped))
			i++;
		else
			commands__drop_adhoc(self, i, "stopped before it started");
	}
	if (self->continuous && !commands__shrink(self, self->continuous, false, stopped))
		commands__drop(self, take_ptr(self->continuous), "stopped before it started");
	for (slot = 0; slot < SLOT_CNT; slot++) {
		struct command *running = self->running[slot];

		if (!running || running->state != COMMAND_RUNNING ||
		    commands__shrink(self, running, true, stopped))
			continue;
		commands__end_run(self, running, stop__why(stopped, running->spec));
	}
}

static void commands__stop(struct commands *self, const struct answer *answer,
			   struct command *command)
{
	struct session_spec stopped;
	const char *why = NULL;

	if (stop__read(answer->config, &stopped, &why)) {
		commands__drop(self, command, why);
		return;
	}
	log_info("control: command '%s' stops %s", command->id,
		 stopped.pid_cnt || stopped.group_cnt ? "processes" : "everything");
	self->left_alone = 0;
	commands__stop_matching(self, &stopped);
	if (self->left_alone)
		why = "a run of containers is stopped by their names only";
	commands__drop(self, command, why);
}

bool commands__handle(struct commands *self, const struct answer *answer)
{
	struct command *command;
	char why[WHY_BYTES];

	if (!answer->command_id[0] || ledger__find(&self->ledger, answer->command_id))
		return false;
	command = ledger__add(&self->ledger, answer->command_id);
	if (!command) {
		log_error("control: no memory for a command, it comes again");
		return false;
	}
	metric__add(METRIC_COMMANDS_RECEIVED, 1);
	if (!strcmp(answer->command_type, "start")) {
		command->type = COMMAND_START;
		commands__start(self, answer, command);
	} else if (!strcmp(answer->command_type, "stop")) {
		command->type = COMMAND_STOP;
		commands__stop(self, answer, command);
	} else {
		command->type = COMMAND_UNKNOWN;
		snprintf(why, sizeof(why), "Unknown command type '%.40s'", answer->command_type);
		commands__drop(self, command, why);
	}
	(void)commands__save(self);
	commands__step(self);
	return true;
}

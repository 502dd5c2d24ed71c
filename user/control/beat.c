/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a beat says: who we are, which commands we have, and how the runs do. All members are of the right type
 * and none is null but last_command_id: for a wrong one the Studio silently forgets the host. No network here.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/json.h"

#define IDS_SENT_MAX  200
#define RUNS_SENT_MAX 20

/* The newest ids, oldest first, as a list that grew would have them. */
static int add_ids(struct json_object *json, const char *name, const struct ledger *ledger,
		   bool reported_only)
{
	struct json_object *list = json__new_array();
	size_t cnt = 0;
	int err = 0;

	while (cnt < IDS_SENT_MAX && ledger__id(ledger, cnt, reported_only))
		cnt++;
	while (!err && cnt--)
		err = json__add_str(list, NULL, ledger__id(ledger, cnt, reported_only));
	if (err) {
		json__put(list);
		return err;
	}
	return json__add(json, name, list);
}

/* Set in a pod by its manifest; never sent as null, which a strict server may refuse. */
static void add_env(struct json_object *json, const char *name, const char *variable)
{
	const char *value = getenv(variable);

	if (value && *value)
		json__add_str(json, name, value);
}

static int add_events(struct json_object *json, const char *const *events)
{
	struct json_object *list;

	if (!events || !*events)
		return 0;
	list = json__new_array();
	for (; *events; events++)
		json__add_str(list, NULL, *events);
	return json__add(json, "perf_supported_events", list);
}

static const char *run_state(const struct command *command)
{
	if (command->state == COMMAND_DONE)
		return command->fate == FATE_FAILED || command->is_bad ? "failed" : "done";
	return command->state == COMMAND_RECEIVED ? "waiting" : "running";
}

static int add_run(struct json_object *list, const struct command *command)
{
	struct json_object *run = json__new_object();

	json__add_str(run, "command_id", command->id);
	json__add_str(run, "state", run_state(command));
	if (command->state == COMMAND_DONE) {
		json__add_u64(run, "samples", command->samples);
		json__add_u64(run, "lost", command->lost);
	}
	if (command->is_again)
		json__add_bool(run, "restarted", true);
	if (command->why)
		json__add_str(run, "reason", command->why);
	return json__add(list, NULL, run);
}

/* Those that wait or run, and those that ended since a beat was heard: the oldest of these first. */
static int add_runs(struct json_object *json, struct ledger *ledger)
{
	struct json_object *list = json__new_array();
	size_t i, cnt = 0;
	int err = 0;

	for (i = 0; i < ledger->cnt && !err; i++) {
		struct command *command = ledger->commands[i];

		command->is_telling = false;
		if (command->type != COMMAND_START || cnt == RUNS_SENT_MAX ||
		    (command->state == COMMAND_DONE && !command->is_untold))
			continue;
		err = add_run(list, command);
		command->is_telling = command->state == COMMAND_DONE;
		cnt++;
	}
	if (err || !cnt) {
		json__put(list);
		return err;
	}
	return json__add(json, "pulseprof_runs", list);
}

void beat__heard(struct commands *commands, bool ok)
{
	struct ledger *ledger = commands__ledger(commands);
	size_t i;

	for (i = 0; i < ledger->cnt; i++) {
		if (ledger->commands[i]->is_telling && ok)
			ledger->commands[i]->is_untold = false;
		ledger->commands[i]->is_telling = false;
	}
}

static int add_containers(const struct beat *self, struct json_object *json)
{
	struct json_object *list = json__new_array();
	int err = self->add_containers ? self->add_containers(self->arg, list) : 0;

	if (!err)
		return json__add(json, "containers", list);
	json__put(list);
	return err;
}

/*
 * Status is always "active": the Studio resolves services to hosts that say so, and an idle host must get
 * commands, too. The time has its zone: without one, a server elsewhere takes the host for dead.
 */
int beat__print(const struct beat *self, struct commands *commands, struct buf *out)
{
	_auto_json_ struct json_object *json = json__new_object();
	struct ledger *ledger = commands__ledger(commands);
	char now[CLOCK_TEXT_BYTES];
	int err;

	json__add_str(json, "ip_address", self->address);
	json__add_str(json, "hostname", self->hostname);
	json__add_str(json, "service_name", self->service_name);
	json__add_str(json, "last_command_id", ledger__id(ledger, 0, false));
	err = add_ids(json, "received_command_ids", ledger, false);
	if (!err)
		err = add_ids(json, "executed_command_ids", ledger, true);
	if (err)
		return err;
	json__add_str(json, "status", "active");
	json__add_str(json, "timestamp", clock_utc_text_zone(clock_real_ns(), now));
	json__add_str(json, "agent_version", self->agent_version);
	json__add_str(json, "run_mode", self->run_mode);
	add_env(json, "namespace", "POD_NAMESPACE");
	add_env(json, "pod_name", "POD_NAME");
	err = add_containers(self, json);
	if (!err)
		err = add_events(json, self->supported_events);
	if (!err)
		err = add_runs(json, ledger);
	if (!err && self->wait_s)
		err = json__add_int(json, "wait_s", self->wait_s);
	return err ? err : json__print(json, false, out);
}

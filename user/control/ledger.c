/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of each command id, and its lines in the journal: a checksum and a JSON object each, so that a
 * damaged line costs one command and not all. Decides only what of it begins again after a restart, and writes no file.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/hash.h"
#include "pp/base/json.h"

#define ADHOC_RUNS_MAX	    2 /* once, and once more after an interruption */
#define CONTINUOUS_RUNS_MAX 20 /* in a row without a sample: it takes us down with it */

#define HEAD		    "{\"pulseprof_journal\":1}"
#define SUM_CHARS	    16

static const char *const state_names[] = { "received", "running", "stopping", "kept", "done" };
static const char *const type_names[] = { "start", "stop", "unknown" };
static const char *const fate_names[] = { "open", "completed", "failed" };

const char *command_state__name(enum command_state state)
{
	return state_names[state];
}

static void command__free(struct command *self)
{
	if (!self)
		return;
	free(self->why);
	free(self->spec);
	free(self);
}

void command__set_why(struct command *self, const char *why)
{
	size_t i;

	free(self->why);
	self->why = why && *why ? strndup(why, WHY_BYTES - 1) : NULL;
	for (i = 0; self->why && self->why[i]; i++) /* goes to the server and into our log */
		if (self->why[i] < 0x20 || self->why[i] > 0x7e)
			self->why[i] = '?';
}

void command__done(struct command *self)
{
	self->state = COMMAND_DONE;
	free(self->spec);
	self->spec = NULL;
}

struct command *ledger__find(const struct ledger *self, const char *id)
{
	size_t i = self->cnt;

	while (i--)
		if (!strcmp(self->commands[i]->id, id))
			return self->commands[i];
	return NULL;
}

/* A command of a type that we do not know is remembered, but we do not claim to have it. */
const char *ledger__id(const struct ledger *self, size_t i, bool reported_only)
{
	size_t k = self->cnt;

	while (k--) {
		const struct command *command = self->commands[k];

		if (command->type != COMMAND_UNKNOWN &&
		    (command->fate != FATE_OPEN || !reported_only) && !i--)
			return command->id;
	}
	return NULL;
}

/* Those that wait or run are few and never forgotten. */
static void ledger__forget_one(struct ledger *self)
{
	size_t i = 0;

	while (i < self->cnt &&
	       (self->commands[i]->state != COMMAND_DONE || self->commands[i]->is_unsent))
		i++;
	if (i == self->cnt)
		for (i = 0; i + 1 < self->cnt && self->commands[i]->state != COMMAND_DONE;)
			i++;
	command__free(self->commands[i]);
	self->cnt--;
	memmove(&self->commands[i], &self->commands[i + 1],
		(self->cnt - i) * sizeof(self->commands[0]));
}

struct command *ledger__add(struct ledger *self, const char *id)
{
	struct command *command = calloc(1, sizeof(*command));

	if (!command)
		return NULL;
	if (self->cnt == SEEN_IDS_MAX)
		ledger__forget_one(self);
	memcpy(command->id, id, UUID_BYTES);
	self->commands[self->cnt++] = command;
	return command;
}

void ledger__clear(struct ledger *self)
{
	while (self->cnt)
		command__free(self->commands[--self->cnt]);
}

static void print_line(const char *text, size_t len, struct buf *out)
{
	buf__printf(out, "%0*" PRIx64 " ", SUM_CHARS, hash_bytes(text, len, 0));
	buf__append(out, text, len);
	buf__putc(out, '\n');
}

static int command__print(const struct command *self, struct buf *out)
{
	_auto_json_ struct json_object *json = json__new_object();
	struct json_object *spec;
	int err = 0;

	err |= json__add_str(json, "id", self->id);
	err |= json__add_str(json, "type", type_names[self->type]);
	err |= json__add_str(json, "state", state_names[self->state]);
	err |= json__add_str(json, "fate", fate_names[self->fate]);
	if (self->is_unsent)
		err |= json__add_bool(json, "unsent", true);
	if (self->is_untold)
		err |= json__add_bool(json, "untold", true);
	if (self->is_again)
		err |= json__add_bool(json, "again", true);
	if (self->is_bad)
		err |= json__add_bool(json, "bad", true);
	if (self->runs)
		err |= json__add_int(json, "runs", self->runs);
	if (self->samples)
		err |= json__add_u64(json, "samples", self->samples);
	if (self->lost)
		err |= json__add_u64(json, "lost", self->lost);
	if (self->why && (self->is_unsent || self->is_untold || self->state != COMMAND_DONE))
		err |= json__add_str(json, "why", self->why);
	if (self->spec)
		err |= session_spec__to_json(self->spec, &spec) || json__add(json, "spec", spec);
	return err ? -ENOMEM : json__print(json, false, out);
}

int ledger__print(const struct ledger *self, struct buf *out)
{
	_auto_buf_ struct buf line;
	size_t i;
	int err = 0;

	buf__init(&line, 65536);
	print_line(HEAD, strlen(HEAD), out);
	for (i = 0; !err && i < self->cnt; i++) {
		buf__reset(&line);
		err = command__print(self->commands[i], &line);
		if (!err)
			print_line(line.data, line.len, out);
	}
	return err ? err : out->err;
}

static int read_name(const struct json_object *json, const char *name, const char *const *names,
		     size_t cnt, size_t *ret_i)
{
	const char *text;
	size_t i;

	if (json__get_str(json, name, &text))
		return -EBADMSG;
	for (i = 0; i < cnt; i++) {
		if (!strcmp(text, names[i])) {
			*ret_i = i;
			return 0;
		}
	}
	return -EBADMSG;
}

static uint64_t read_count(const struct json_object *json, const char *name)
{
	int64_t count = 0;

	(void)json__get_int(json, name, 0, INT64_MAX, &count);
	return (uint64_t)count;
}

static int command__read_spec(struct command *self, const struct json_object *json)
{
	struct json_object *spec;
	int err = json__get_object(json, "spec", &spec);

	if (err)
		return err == -ENOENT && (self->type != COMMAND_START ||
					  self->state == COMMAND_DONE) ?
			       0 :
			       -EBADMSG;
	self->spec = malloc(sizeof(*self->spec));
	if (!self->spec)
		return -ENOMEM;
	return session_spec__from_json(spec, self->spec, NULL) ? -EBADMSG : 0;
}

static int ledger__take(struct ledger *self, const struct json_object *json)
{
	struct command *command;
	char id[UUID_BYTES];
	const char *text;
	size_t type, state, fate;
	int err;

	if (json__get_str(json, "id", &text) || !uuid__copy(text, id) || ledger__find(self, id) ||
	    read_name(json, "type", type_names, ARRAY_SIZE(type_names), &type) ||
	    read_name(json, "state", state_names, ARRAY_SIZE(state_names), &state) ||
	    read_name(json, "fate", fate_names, ARRAY_SIZE(fate_names), &fate))
		return -EBADMSG;
	command = ledger__add(self, id);
	if (!command)
		return -ENOMEM;
	command->type = (enum command_type)type;
	command->state = (enum command_state)state;
	command->fate = (enum command_fate)fate;
	(void)json__get_bool(json, "unsent", &command->is_unsent);
	(void)json__get_bool(json, "untold", &command->is_untold);
	(void)json__get_bool(json, "again", &command->is_again);
	(void)json__get_bool(json, "bad", &command->is_bad);
	command->runs = (uint32_t)read_count(json, "runs");
	command->samples = read_count(json, "samples");
	command->lost = read_count(json, "lost");
	if (!json__get_str(json, "why", &text))
		command__set_why(command, text);
	err = command__read_spec(command, json);
	if (err)
		command__free(self->commands[--self->cnt]);
	return err;
}

/* A line without its newline. */
static int ledger__read_line(struct ledger *self, const char *line, size_t len)
{
	_auto_json_ struct json_object *json = NULL;
	char sum[SUM_CHARS + 1];
	int64_t version;
	int err;

	if (len <= SUM_CHARS + 1)
		return -EBADMSG;
	snprintf(sum, sizeof(sum), "%0*" PRIx64, SUM_CHARS,
		 hash_bytes(line + SUM_CHARS + 1, len - SUM_CHARS - 1, 0));
	if (memcmp(sum, line, SUM_CHARS) || line[SUM_CHARS] != ' ')
		return -EBADMSG;
	err = json__parse(line + SUM_CHARS + 1, len - SUM_CHARS - 1, &json);
	if (err)
		return err;
	err = json__get_int(json, "pulseprof_journal", 0, INT64_MAX, &version);
	if (err != -ENOENT)
		return !err && version == 1 ? 0 : -EPROTO;
	return ledger__take(self, json);
}

int ledger__parse(struct ledger *self, const char *text, size_t len, uint32_t *ret_damaged)
{
	uint32_t damaged = 0;

	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line_len = end ? (size_t)(end - text) : len;
		int err = end ? ledger__read_line(self, text, line_len) : -EBADMSG;

		if (err == -ENOMEM || err == -EPROTO)
			return err;
		damaged += err != 0;
		text += line_len + (end != NULL);
		len -= line_len + (end != NULL);
	}
	*ret_damaged = damaged;
	return 0;
}

/*
 * What a process before us left. An ad hoc run whose profile is in the spool is done; one that was interrupted
 * begins once more; a continuous one resumes, unless it never came to a sample many times in a row.
 */
bool command__begins_again(struct command *self, const struct control_ops *run,
			   const char **ret_why)
{
	bool continuous = self->type == COMMAND_START && self->spec->continuous;

	*ret_why = NULL;
	if (self->type != COMMAND_START || self->state == COMMAND_KEPT)
		return false;
	if (self->state != COMMAND_RECEIVED && !continuous && run->is_kept &&
	    run->is_kept(run->arg, self->id))
		return false;
	if (self->state == COMMAND_RECEIVED)
		return true;
	if (self->state == COMMAND_STOPPING)
		*ret_why = "stopped, and interrupted before its profile was kept";
	else if (continuous && self->runs >= CONTINUOUS_RUNS_MAX)
		*ret_why = "interrupted too often before its first sample";
	else if (!continuous && self->runs >= ADHOC_RUNS_MAX)
		*ret_why = "interrupted twice, it does not begin a third time";
	else
		self->is_again = true;
	return !*ret_why;
}

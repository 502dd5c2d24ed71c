/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_CONTROL_INTERNAL_H
#define PP_CONTROL_INTERNAL_H
/*
 * The three parts of this room: an answer taken apart (answer.c), what to do about commands (command.c: a
 * state machine without I/O or timers), and the reports on their way to the server (completion.c).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/control.h"

struct json_object;

#define UUID_BYTES	37
#define WHY_BYTES	256
#define SEEN_IDS_MAX	1000
#define ADHOC_QUEUE_MAX 10

/* Copies a UUID in lowercase. False: it is none. */
bool uuid__copy(const char *text, char uuid[UUID_BYTES]);

struct answer {
	struct json_object *json; /* owns what the others point to; NULL: nothing parsed */
	const char *message; /* "" if none */
	char command_id[UUID_BYTES]; /* "": no command */
	const char *command_type;
	struct json_object *config; /* NULL if absent or no object */
};

/* An answer to a heartbeat. -EBADMSG with *ret_why if it makes no sense, -ENOMEM. */
int answer__parse(const char *text, size_t len, struct answer *ret_answer, const char **ret_why);
void answer__clear(struct answer *self);

/* What the machine asks for. report comes exactly once for each id that it accepted. */
struct commands_ops {
	struct control_ops run;
	void (*report)(void *arg, const char *command_id, bool completed, const char *why);
	void *report_arg;
};

struct commands;

int commands__new(const char *hostname, const struct session_spec *defaults,
		  const struct commands_ops *ops, struct commands **ret_commands);
void commands__free(struct commands *self); /* reports nothing */
/* An id that was seen before is ignored: the server repeats its last command in every answer. */
void commands__handle(struct commands *self, const struct answer *answer);
void commands__sampling(struct commands *self, const char *command_id);
/* True if it was the running one. */
bool commands__ended(struct commands *self, const char *command_id, const char *why);
const char *commands__last_id(const struct commands *self); /* NULL: none yet */
/* The i-th newest id; NULL past the last. reported_only: those whose fate was reported. */
const char *commands__id(const struct commands *self, size_t i, bool reported_only);

/* Reports to the server, in order, one at a time, each until it is answered or given up. */
struct completions;

int completions__new(struct loop *loop, struct net *net, const struct control_options *options,
		     struct completions **ret_completions);
void completions__free(struct completions *self);
void completions__add(struct completions *self, const char *command_id, bool completed,
		      const char *why);

#endif

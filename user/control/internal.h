/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_CONTROL_INTERNAL_H
#define PP_CONTROL_INTERNAL_H
/*
 * The parts of this room: an answer taken apart (answer.c), what is known of each command (ledger.c) and kept on
 * disk (journal.c), what to do about commands (command.c, order.c: a state machine without I/O or timers), the
 * reports on their way to the server (completion.c), the body of a beat (beat.c) and its rhythm (heartbeat.c).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger.h"
#include "pp/control.h"

struct json_object;
struct buf;

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

/* The file under the ledger. */
struct journal_ops {
	int (*print)(void *arg, struct buf *out);
	/* This generation and all before it are on disk, or (err) cannot be written. Not from inside a call. */
	void (*written)(void *arg, uint64_t generation, int err);
	void *arg;
};
#define JOURNAL_MAX_BYTES (2u << 20)
struct journal;
/* The file state_dir/journal: replaced as a whole, synced, on a worker. A write that fails is repeated. */
int journal__new(struct loop *loop, const char *state_dir, const struct journal_ops *ops,
		 struct journal **ret_journal);
void journal__free(struct journal *self); /* writes what is not written */
int journal__read(struct journal *self, struct buf *out); /* at the start; -ENOENT: none */
void journal__set_aside(struct journal *self); /* renames a damaged one */
/* What print gives from now on is to be written: the generation that will have it. */
uint64_t journal__save(struct journal *self);
void journal__save_now(struct journal *self); /* waits for the disk */

/* What the machine asks for. report comes exactly once for each id that it accepted. */
struct commands_ops {
	struct control_ops run;
	void (*report)(void *arg, const char *command_id, bool completed, const char *why);
	void *report_arg;
	/* Something changed. The generation after which it is on disk; 0: no need to wait. */
	uint64_t (*save)(void *arg);
	void *save_arg;
};

struct commands;

int commands__new(const char *hostname, const struct session_spec *defaults,
		  const struct spec_policy *policy, const struct commands_ops *ops,
		  struct commands **ret_commands);
void commands__free(struct commands *self); /* reports nothing */
struct ledger *commands__ledger(struct commands *self);
/* Once, before anything else: what a process before us left in the ledger is judged. */
void commands__restore(struct commands *self);
/* Begins what may begin: after commands__restore, and again what was refused with -EBUSY. */
void commands__poke(struct commands *self);
/* An id that was seen before is ignored: the server repeats its last command in every answer. True: it is new. */
bool commands__handle(struct commands *self, const struct answer *answer);
void commands__written(struct commands *self, uint64_t generation);
void commands__sampling(struct commands *self, const char *command_id);
void commands__kept(struct commands *self, const char *command_id);
/* True if it ran. */
bool commands__ended(struct commands *self, const char *command_id, const struct control_end *end);
void commands__sent(struct commands *self,
		    const char *command_id); /* its report needs no more care */
/* order.c. 0, or -errno with *ret_why: target_hostnames are others. */
int start__is_for_us(const struct json_object *config, const char *hostname, const char **ret_why);
/* The pids and groups that a stop names: none means everything. */
int stop__read(const struct json_object *config, struct session_spec *ret_stopped,
	       const char **ret_why);
/* Takes what is stopped out of a target. False: nothing is left of it, or it was the whole host. */
bool stop__shrink(struct session_spec *spec, const struct session_spec *stopped);
/* Why a run ends by this stop. Static. */
const char *stop__why(const struct session_spec *stopped, const struct session_spec *running);
/* A start that is what a process stop left of this run, whose rate and windows it has. */
bool stop__is_rest_of(const struct json_object *config, const struct session_spec *rest,
		      const struct session_spec *running);

/* Reports to the server, in order, one at a time, each until it is answered or given up. */
struct completions;
struct completions_ops {
	void (*sent)(void *arg, const char *command_id); /* or given up */
	void *arg;
};

int completions__new(struct loop *loop, struct net *net, const struct control_options *options,
		     const struct completions_ops *ops, struct completions **ret_completions);
void completions__free(struct completions *self, bool are_kept); /* kept: they come again */
void completions__add(struct completions *self, const char *command_id, bool completed,
		      const char *why);

/* The body of a beat. */
struct beat {
	const char *address, *hostname, *service_name, *agent_version, *run_mode;
	const char *const *supported_events;
	uint32_t wait_s;
	int (*add_containers)(void *arg, struct json_object *list); /* as in control_ops */
	void *arg;
};
int beat__print(const struct beat *self, struct commands *commands, struct buf *out);
/* What the beat told of ended runs was heard, or was not. */
void beat__heard(struct commands *commands, bool ok);

/* Headers of each request: content type, token, the operator's. NULL-terminated, owned. */
char **headers__new(const char *token, const char *const *extra);
void headers__free(char **headers);

#endif

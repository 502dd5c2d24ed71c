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

#include "pp/control.h"

struct json_object;
struct buf;

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

enum command_type { COMMAND_START, COMMAND_STOP, COMMAND_UNKNOWN };
enum command_state {
	COMMAND_RECEIVED, /* waits */
	COMMAND_RUNNING, /* from before ops.start on */
	COMMAND_STOPPING, /* its end was asked for */
	COMMAND_KEPT, /* its profile is in the spool */
	COMMAND_DONE,
};
enum command_fate { FATE_OPEN, FATE_COMPLETED, FATE_FAILED };

/* What is known of a command id. The first part is in the journal. */
struct command {
	char id[UUID_BYTES];
	enum command_type type;
	enum command_state state;
	enum command_fate fate; /* what was or will be reported, once */
	bool is_unsent; /* the server has not heard of it */
	bool is_untold; /* no heartbeat has told of the run's end */
	bool is_bad; /* it ended with a failure after its fate was told */
	uint32_t runs; /* times begun; of a continuous run, since it last sampled */
	bool is_again; /* begun anew after an interruption */
	uint64_t samples, lost;
	char *why; /* of the failure, or how the run ended; NULL: nothing to say */
	struct session_spec *spec; /* of a start that is not done; else NULL */

	bool is_begun; /* ops.start was called */
	bool is_telling; /* its end is in the beat under way */
	uint64_t wait_generation; /* of the journal, before it may begin; 0: none */
};

/* The newest SEEN_IDS_MAX commands, the oldest first. */
struct ledger {
	struct command *commands[SEEN_IDS_MAX];
	size_t cnt;
};

struct command *ledger__find(const struct ledger *self, const char *id);
/* Borrowed; in place of the oldest that is done. NULL: no memory. */
struct command *ledger__add(struct ledger *self, const char *id);
void ledger__clear(struct ledger *self);
void command__set_why(struct command *self, const char *why); /* copied, made printable, cut */
void command__done(struct command *self); /* and its spec freed */
const char *command_state__name(enum command_state state);
/* A line each, with a checksum. -ENOMEM, -E2BIG. */
int ledger__print(const struct ledger *self, struct buf *out);
/* Takes the lines that are whole; *ret_damaged counts the others. -ENOMEM; -EPROTO: of another version. */
int ledger__parse(struct ledger *self, const char *text, size_t len, uint32_t *ret_damaged);

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
bool commands__is_running(const struct commands *self);
/* The i-th newest id; NULL past the last. reported_only: those whose fate was reported. */
const char *commands__id(const struct commands *self, size_t i, bool reported_only);

/* order.c. 0, or -errno with *ret_why: target_hostnames are others. */
int start__is_for_us(const struct json_object *config, const char *hostname, const char **ret_why);
/* Adds the pids that a stop names: none means everything. */
int stop__read(const struct json_object *config, struct session_spec *ret_stopped,
	       const char **ret_why);
/* Takes the stopped pids out of a target. False: nothing is left of it, or it was the whole host. */
bool stop__shrink(struct session_spec *spec, const struct session_spec *stopped);
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
};
int beat__print(const struct beat *self, struct commands *commands, struct buf *out);
/* What the beat told of ended runs was heard, or was not. */
void beat__heard(struct commands *commands, bool ok);

/* Headers of each request: content type, token, the operator's. NULL-terminated, owned. */
char **headers__new(const char *token, const char *const *extra);
void headers__free(char **headers);

#endif

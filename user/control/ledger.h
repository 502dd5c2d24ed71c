/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_CONTROL_LEDGER_H
#define PP_CONTROL_LEDGER_H
/*
 * What is known of each command id, as data: the machine (command.c) changes it, the journal keeps it, beats tell it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/spec.h"

struct buf;

#define UUID_BYTES   37
#define WHY_BYTES    256
#define SEEN_IDS_MAX 1000

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
/* The i-th newest id; NULL past the last. reported_only: those whose fate was reported. */
const char *ledger__id(const struct ledger *self, size_t i, bool reported_only);
void ledger__clear(struct ledger *self);
void command__set_why(struct command *self, const char *why); /* copied, made printable, cut */
void command__done(struct command *self); /* and its spec freed */
/* Of one that a process before us left, not done yet. False: *ret_why it does not, NULL: its profile is safe. */
struct control_ops;
bool command__begins_again(struct command *self, const struct control_ops *run,
			   const char **ret_why);
const char *command_state__name(enum command_state state);
/* A line each, with a checksum. -ENOMEM, -E2BIG. */
int ledger__print(const struct ledger *self, struct buf *out);
/* Takes the lines that are whole; *ret_damaged counts the others. -ENOMEM; -EPROTO: of another version. */
int ledger__parse(struct ledger *self, const char *text, size_t len, uint32_t *ret_damaged);

#endif

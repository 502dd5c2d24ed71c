/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SHIP_H
#define PP_SHIP_H
/*
 * Finished profiles on their way out: written to a spool directory first (whole or absent, bounded in
 * bytes, count and age), sent oldest first, in pieces where one body would be too large, removed when the
 * server has accepted or refused them for good. Retries with back-off; what is evicted is counted. Loop
 * thread only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/encode.h"

struct loop;
struct net;
struct buf;
struct ship;

#define SHIP_SPOOL_MAX_BYTES (256u << 20)
#define SHIP_SPOOL_MAX_AGE_S (7u * 86400)
#define SHIP_BODY_MAX_BYTES \
	(900u << 10) /* on the wire: a load balancer's usual 1 MiB, and some room */
#define SHIP_PARCEL_MAX_BYTES (128u << 20) /* plain */

/* Copied by ship__new. */
struct ship_options {
	const char *state_dir; /* spool is state_dir/spool */
	const char *server_host; /* base URL of the profile API */
	const char *service_name;
	const char *token;
	const char *const *headers; /* "Name: value" for each request, NULL-terminated; may be NULL */
	uint64_t spool_max_bytes; /* 0: SHIP_SPOOL_MAX_BYTES */
	uint64_t spool_max_age_s; /* 0: SHIP_SPOOL_MAX_AGE_S */
	uint64_t body_max_bytes; /* on the wire, at least 16 KiB; 0: SHIP_BODY_MAX_BYTES */
};

struct ship_item {
	const char *command_id; /* NULL or "": of no command */
	bool is_held; /* not sent before ship__release; needs a command_id */
	struct encode_share share; /* of the profile, as in the parcel; put them in order */
	struct buf *parcel; /* of encode__parcel; its content is taken when ship__put returns 0 */
};
/*
 * err 0: in the spool, synced (on a disk that takes nothing: in memory until sent, 4 MiB in all). Else
 * nothing is kept: -E2BIG, -ENOSPC and the like; -ECANCELED if ship__free comes first, then from inside it.
 */
typedef void (*ship_put_fn)(void *arg, int err);

/*
 * Takes up what a run before left in the spool; of this, what belongs to a command is held until released.
 * 0, -EINVAL (server_host is no http(s) address), -EPERM: others may write the directory. With a disk that
 * is full or read-only it works in memory, and says so.
 */
int ship__new(struct loop *loop, struct net *net, const struct ship_options *options,
	      struct ship **ret_ship);
void ship__free(struct ship *self); /* what is unsent stays in the spool */
/* Compresses, writes and syncs on a worker; fn (may be NULL) is called once, not from inside. -EINVAL, -ENOMEM. */
int ship__put(struct ship *self, const struct ship_item *item, ship_put_fn fn, void *arg);
/* Lets held profiles of the command go, also those still being written; NULL: of all commands. */
void ship__release(struct ship *self, const char *command_id);
/* Is a profile of the command, with all its shares, in the spool (or was refused by the server and set aside there)? */
bool ship__has(const struct ship *self, const char *command_id);
/* profiles not yet sent, those on their way into the spool and the one being sent included */
uint32_t ship__waiting(const struct ship *self);
size_t ship__body_max_bytes(const struct ship *self); /* of one upload, as far as is known now */
uint64_t ship__spool_bytes(const struct ship *self);

#endif

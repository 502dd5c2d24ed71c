/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SHIP_H
#define PP_SHIP_H
/*
 * Finished profiles on their way out: written to a spool directory first (whole or absent, bounded in
 * bytes and count), sent oldest first, removed when the server has accepted or refused them for good.
 * Retries with back-off; what is evicted is counted. Loop thread only.
 */
#include <stddef.h>
#include <stdint.h>

struct loop;
struct net;
struct buf;
struct ship;

#define SHIP_SPOOL_MAX_BYTES (64u << 20)
#define SHIP_BODY_MAX_BYTES  (4u << 20) /* compressed, the web app's limit */

struct ship_options {
	const char *state_dir; /* spool is state_dir/spool */
	const char *server_host; /* base URL of the profile API */
	const char *service_name;
	const char *token;
	uint64_t spool_max_bytes; /* 0: SHIP_SPOOL_MAX_BYTES */
};

/*
 * Takes up what a run before left in the spool. 0, -EINVAL (server_host is no http(s) address), -EPERM and
 * the like for the directory.
 */
int ship__new(struct loop *loop, struct net *net, const struct ship_options *options,
	      struct ship **ret_ship);
void ship__free(struct ship *self); /* what is unsent stays in the spool */
/*
 * body: the plain JSON object with the member "gpid":"" (no blanks), which is filled in when sent; borrowed.
 * Compressed and written to the spool before this returns (if the disk will not take it, kept in memory until
 * sent, 4 MiB in all), then sent. Returns 0, -EINVAL (no JSON object), -E2BIG (over the limit even
 * compressed), -ENOSPC and the like: nothing kept, nothing half written.
 */
int ship__put(struct ship *self, const void *body, size_t len);
uint32_t
ship__waiting(const struct ship *self); /* profiles not yet sent, the one being sent included */

#endif

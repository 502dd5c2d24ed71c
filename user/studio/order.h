/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_ORDER_H
#define PP_STUDIO_ORDER_H
/*
 * An operator's profile request from its JSON to the commands of its hosts. order reads and submits it,
 * target finds out whom it means, demands says whether they can do it; api_orders answers.
 */
#include "internal.h"
#include "store_fleet.h"

struct order { /* order__clear */
	struct check check; /* faults of the body */
	char error[1024]; /* what is wrong though the body is well; "": nothing */
	struct new_request request;
	struct new_command *commands;
	struct order_text {
		char id[UUID_TEXT_BYTES];
		struct buf config;
	} * texts;
	size_t cnt;
	const char *type, *mode, *stop_level;
	enum workload_scope scope;
	bool is_dry;
	struct json_object *args;
	struct json_object *hosts; /* hostname: array of PIDs, or null for all of it */
	struct json_object *
		groups; /* NULL: none. {"hostname" (absent: any), "group"}, which say the same as the PIDs */
	char id[UUID_TEXT_BYTES];
};
/* self->check.body is set by the caller. Fails if it cannot be done; faults: check and error. */
int order__read(struct order *self, struct api *api, uint64_t now_ms);
bool order__is_well(const struct order *self);
/* As a whole or not at all; then who waits is told. -EDQUOT becomes an error of the order. */
int order__submit(struct order *self, struct api *api, uint64_t now_ms);
/* What the Studio answers to an order that was taken, or would be; given. */
struct json_object *order__answer(const struct order *self, uint64_t now_ms);
void order__clear(struct order *self);

/* target.c: sets order's hosts from target_scope, target_entities and target_hosts. */
int order__find_targets(struct order *self, struct api *api, uint64_t now_ms);

/*
 * demands.c: can the hosts do what the order wants? ret_why: "" if so. As the real web app, of bulk requests
 * only. idle_hosts: of the orders of a bulk request before this one; its own are added.
 */
int order__check_demands(const struct order *self, struct api *api, uint64_t now_ms,
			 int64_t *idle_hosts, char *ret_why, size_t bytes);

#endif

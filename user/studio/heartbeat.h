/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_HEARTBEAT_H
#define PP_STUDIO_HEARTBEAT_H
/*
 * The body of a heartbeat, of any agent of either Studio or of ours, read and checked.
 */
#include "pp/base/buf.h"

#include "inventory.h"
#include "store.h"

struct check;

struct heartbeat_body { /* heartbeat_body__clear */
	struct heartbeat beat; /* borrowed from the JSON and from here */
	struct inventory inventory;
	struct buf events;
	char last_id[UUID_TEXT_BYTES];
	uint32_t wait_s;
};
/* 0, also if something is wrong with the body, which check has then; -ENOMEM. */
int heartbeat_body__read(struct heartbeat_body *self, struct check *check);
void heartbeat_body__clear(struct heartbeat_body *self);

#endif

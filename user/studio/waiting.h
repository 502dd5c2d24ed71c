/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_WAITING_H
#define PP_STUDIO_WAITING_H
/*
 * Heartbeats that wait for a command: held calls, by host name and service. Who makes a command wakes its
 * host; what there is to deliver is asked of the store then, not kept here. Each call is answered once: with
 * a command, or with none when its time is up, when the same agent calls anew, or when nothing can be read.
 * Loop thread only.
 */
#include <stdint.h>

#include "store.h"

struct httpd_call;
struct loop;
struct waiting;

struct waiter_id { /* strings borrowed */
	const char *hostname, *service;
	const char *agent; /* tells agents of one host and service apart */
	unsigned int traits; /* handed to deliver */
};
struct waiting_ops {
	/* 0; -ENOENT: nothing, goes on waiting. */
	int (*deliver)(void *arg, const struct waiter_id *id, struct command *ret_command);
	/* command NULL: none. Borrowed. */
	void (*answer)(void *arg, struct httpd_call *call, const struct command *command);
	void *arg;
};
/* max: so many at the same time. */
int waiting__new(struct loop *loop, const struct waiting_ops *ops, uint32_t max,
		 struct waiting **ret_waiting);
void waiting__free(struct waiting *self); /* after httpd__free: nobody waits any more */
/* From inside the call's handler. -EBUSY: too many wait; -ENOMEM: answer it at once. */
int waiting__add(struct waiting *self, const struct waiter_id *id, struct httpd_call *call,
		 uint32_t wait_s);
/* Soon, not from inside this call, deliver is asked for those who wait there. */
void waiting__wake(struct waiting *self, const char *hostname, const char *service);
uint32_t waiting__cnt(const struct waiting *self);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SHIP_PUT_H
#define PP_SHIP_PUT_H
/*
 * Parcels that are being compressed or written on a worker.
 */
#include "internal.h"
#include "pp/ship.h"

struct put_job;

struct put_list {
	struct spool *spool; /* borrowed */
	const char *pinned; /* borrowed: the stem that must not be evicted, "" none */
	void (*ended)(void *arg); /* a put has, well or not */
	void *arg;
	struct put_job *first;
};

/* See ship__put. */
int put_list__add(struct put_list *self, struct loop *loop, const struct ship_item *item,
		  ship_put_fn fn, void *arg);
void put_list__release(struct put_list *self, const char *command); /* encoded; NULL: all */
uint32_t put_list__cnt(const struct put_list *self);
/* What is under way ends without us: each fn is called with -ECANCELED. */
void put_list__cancel(struct put_list *self);

#endif

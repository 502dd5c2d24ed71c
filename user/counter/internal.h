/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_COUNTER_INTERNAL_H
#define PP_COUNTER_INTERNAL_H
/*
 * What the files of this room share: the table of encodings.
 */
#include "pp/counter.h"

#define COUNTER_NO_PMU "this machine has no hardware counters (no PMU)"

/* A row of assets/events.csv. */
struct encoding {
	char key[PERF_NAME_BYTES];
	char event_name[PERF_NAME_BYTES];
	char status[32]; /* "confirmed", ...: what its sources say */
	uint64_t config;
	bool is_available;
	bool is_core; /* false: uncore, of no task */
};
/* 0 or -ENOENT. */
int encoding__find(const char *uarch, const char *key, struct encoding *ret_encoding);
/* Each distinct key of any CPU, in the table's order. */
int encodings__each_key(int (*fn)(void *arg, const char *key), void *arg);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_COUNTER_H
#define PP_COUNTER_H
/*
 * Events by name: what a name means on this CPU, whether it counts here, and if not, why. The encodings are those of
 * user/counter/assets/events.csv, with their sources. Values are numbers or have a status, never a 0 for "not known".
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "pp/perf_pmu.h"

struct sysroot;

/* An interface: names are append-only. */
enum counter_status {
	COUNTER_OK,
	COUNTER_MULTIPLEXED, /* shared a counter: scaled by the time that it was on */
	COUNTER_NOT_COUNTED, /* was on no counter, or too short */
	COUNTER_NOT_SUPPORTED,
	COUNTER_NOT_PERMITTED,
	COUNTER_WRONG_SCOPE,
	COUNTER_SUSPECT, /* counts, but cannot be right */
	COUNTER_MISSING_INPUT, /* of a metric: an event was not asked for, or nothing happened to divide by */
	COUNTER_DISABLED, /* by the limit on our own cost */
};
const char *counter_status__name(enum counter_status self);

struct counter_cpu {
	char id[64]; /* "GenuineIntel-6-8F-8", or "0x410fd0c0" (MIDR) */
	char model[128]; /* as the kernel prints it, or "" */
	const char *uarch; /* "SPR" as in the table; static; NULL: not in it */
	char pmu[PERF_NAME_BYTES]; /* with the core's counters; "": there is none */
	uint32_t slots; /* that it can issue per cycle; 0: not known */
};
/* What is not known stays empty. Returns 0 or -ENOMEM. */
int counter_cpu__read(const struct sysroot *root, struct counter_cpu *ret_cpu);

struct counter_event {
	char name[PERF_NAME_BYTES]; /* as it is asked for */
	char what[PERF_NAME_BYTES * 2]; /* what it counts here, in the words of vendor or kernel */
	struct perf_code code;
	bool is_software; /* counted by the kernel: always there */
	bool is_own; /* counted by our own program at the switch: no perf event */
	bool has_pmu; /* this machine has one for the cores */
	enum counter_status status;
	const char *why; /* static; "" when ok */
	uint64_t period; /* to sample by */
};
/*
 * A name of the list below, "raw:0x1c2", "PMU/event=0x3c,umask=1/", "PMU/ALIAS/" or "tracepoint:CAT:NAME". Status
 * not_supported: the name is known, but this CPU has no such event. -EINVAL: no such name.
 */
int counter_event__find(const struct sysroot *root, const struct counter_cpu *cpu, const char *name,
			struct counter_event *ret_event);
/* Counts our own work for two milliseconds: sets status and why. */
void counter_event__probe(struct counter_event *self);
/* The status for an errno of perf_event_open, and why; absence is hidden where permission is missing. */
void counter_event__refused(struct counter_event *self, int err);
/* Calls fn with each name that stands for an event of this or some CPU. Stops at the first non-zero. */
int counter_events__each_name(int (*fn)(void *arg, const char *name), void *arg);
/* How many counters of a CPU are free now, of those for any event; 0: no PMU. Opens and closes them. */
uint32_t counter_pmu__free(const struct counter_cpu *cpu);

#endif

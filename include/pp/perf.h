/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PERF_H
#define PP_PERF_H
/*
 * perf_event_open: what we opened we can name, count and close. Events are opened disabled, per CPU.
 */
#include <stdbool.h>
#include <stdint.h>

struct sysroot;

#define PERF_CPUS_MAX 4096

struct perf_clock {
	uint32_t type;
	uint64_t config;
	uint64_t period; /* ns (cpu-clock) or cycles */
	const char *name; /* "cpu-clock", "cycles"; static */
	bool is_software;
	bool is_event; /* asked for by its name: it has no rate, its period stays as it is */
	uint64_t config1, config2;
};

/*
 * Which clock makes CPU samples here: hardware cycles where there is a PMU, else cpu-clock. Opens and
 * closes an event to know. *ret_why_software: why not cycles (0 if cycles): -ENOENT, -EOPNOTSUPP, -EINVAL,
 * -EACCES. Returns 0 or -errno when not even cpu-clock opens (-EACCES, -EPERM: permission).
 */
int perf_clock__choose(const struct sysroot *root, uint32_t rate_hz, struct perf_clock *ret_clock,
		       int *ret_why_software);

struct perf_set {
	int *fds; /* one per entry of cpus */
	int *cpus;
	uint32_t cnt;
};
/* Opens the event disabled on each online CPU. All or nothing (a CPU gone meanwhile is left out). */
int perf_set__open(struct perf_set *self, const struct sysroot *root,
		   const struct perf_clock *clock);
int perf_set__enable(struct perf_set *self);
int perf_set__disable(struct perf_set *self);
/* Sums over the set: time the events were enabled, and their count (ns or cycles). */
int perf_set__read(const struct perf_set *self, uint64_t *ret_enabled_ns, uint64_t *ret_expected,
		   uint64_t period);
void perf_set__close(struct perf_set *self);

#define PERF_SUPPORTED_MAX 9
/* Names of the hardware events that open here, static, NULL-terminated; none in most virtual machines. */
void perf_events__supported(const char *ret_names[PERF_SUPPORTED_MAX]);

/* CPUs from sys/devices/system/cpu/online. Given: free(). */
int perf_cpus__online(const struct sysroot *root, int **ret_cpus, uint32_t *ret_cnt);

#endif

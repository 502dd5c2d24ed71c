/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PERF_PMU_H
#define PP_PERF_PMU_H
/*
 * What the kernel says of its performance monitoring units (sys/bus/event_source/devices), and counters opened on
 * them: counting, for all tasks of one CPU. Part of the door of perf.
 */
#include <stdbool.h>
#include <stdint.h>

struct sysroot;

#define PERF_NAME_BYTES 64

/* As perf_event_open wants it. */
struct perf_code {
	uint32_t type;
	uint64_t config;
	uint64_t config1;
	uint64_t config2;
};

/* A PMU's type number. 0, -ENOENT (there is none of that name), -EBADMSG. */
int perf_pmu__type(const struct sysroot *root, const char *pmu, uint32_t *ret_type);
/*
 * "event=0x3c,umask=0x1" by the PMU's own format files; a term without value is 1. -ENOENT: no such PMU; -EINVAL: no
 * such term there, or a value too large for it; -EBADMSG: damaged format file.
 */
int perf_pmu__encode(const struct sysroot *root, const char *pmu, const char *terms,
		     struct perf_code *ret_code);
/* The same for one of the PMU's own names (events/NAME). -EOPNOTSUPP: it needs parameters. */
int perf_pmu__encode_alias(const struct sysroot *root, const char *pmu, const char *alias,
			   struct perf_code *ret_code);
/* The PMU with this CPU's counters: "cpu", of hybrids the one with that CPU ("cpu_core"), on arm64 "armv8_...". -ENOENT. */
int perf_pmu__of_cpu(const struct sysroot *root, int cpu, char ret_name[PERF_NAME_BYTES]);
/* caps/NAME as a number: "slots". -ENOENT, -EBADMSG. */
int perf_pmu__cap(const struct sysroot *root, const char *pmu, const char *cap,
		  uint64_t *ret_value);
/* A kernel tracepoint's id, "sched:sched_switch". -ENOENT: none, or no tracefs; -EACCES. */
int perf_tracepoint__id(const struct sysroot *root, const char *name, uint64_t *ret_id);

/*
 * Opens and enables. pid -1: all tasks of the CPU; 0: us, cpu -1. group_fd -1: a leader. 0 with *ret_fd (given), or why
 * not: -ENOENT, -EOPNOTSUPP, -ENODEV, -EINVAL, -EACCES, -EPERM, -EMFILE, ...
 */
int perf_counter__open(const struct perf_code *code, int pid, int cpu, int group_fd, int *ret_fd);
struct perf_reading {
	uint64_t value;
	uint64_t enabled_ns;
	uint64_t running_ns;
};
int perf_counter__read(int fd, struct perf_reading *ret_reading);

#endif

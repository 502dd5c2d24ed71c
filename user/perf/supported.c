/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which hardware events this host counts, under the names that the Performance Studio knows: each is opened once
 * and closed again. Not what is sampled.
 */
#include "pp/perf.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pp/base/cleanup.h"

static const struct {
	const char *name;
	uint64_t config;
} events[] = {
	{ "cycles", PERF_COUNT_HW_CPU_CYCLES },
	{ "instructions", PERF_COUNT_HW_INSTRUCTIONS },
	{ "cache-misses", PERF_COUNT_HW_CACHE_MISSES },
	{ "cache-references", PERF_COUNT_HW_CACHE_REFERENCES },
	{ "branch-misses", PERF_COUNT_HW_BRANCH_MISSES },
	{ "branch-instructions", PERF_COUNT_HW_BRANCH_INSTRUCTIONS },
	{ "stalled-cycles-frontend", PERF_COUNT_HW_STALLED_CYCLES_FRONTEND },
	{ "stalled-cycles-backend", PERF_COUNT_HW_STALLED_CYCLES_BACKEND },
};

_Static_assert(ARRAY_SIZE(events) < PERF_SUPPORTED_MAX, "room for the NULL");

void perf_events__supported(const char *ret_names[PERF_SUPPORTED_MAX])
{
	size_t i, cnt = 0;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		struct perf_event_attr attr = {
			.size = sizeof(attr),
			.type = PERF_TYPE_HARDWARE,
			.config = events[i].config,
			.disabled = 1,
		};
		/* Of our own process: no CPU need be named, nor a privilege held. */
		long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0)
			continue;
		close((int)fd);
		ret_names[cnt++] = events[i].name;
	}
	ret_names[cnt] = NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counters that count and never sample: opened enabled, read whole. Groups by the descriptor of their leader.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pp/perf_pmu.h"

int perf_counter__open(const struct perf_code *code, int pid, int cpu, int group_fd, int *ret_fd)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = code->type,
		.config = code->config,
		.config1 = code->config1,
		.config2 = code->config2,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	long fd = syscall(SYS_perf_event_open, &attr, pid, cpu, group_fd, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = (int)fd;
	return 0;
}

int perf_counter__read(int fd, struct perf_reading *ret_reading)
{
	struct perf_reading reading;
	ssize_t got = read(fd, &reading, sizeof(reading));

	if (got < 0)
		return -errno;
	if (got != sizeof(reading)) /* 0: pinned, and it lost its counter */
		return -EBUSY;
	*ret_reading = reading;
	return 0;
}

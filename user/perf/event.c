/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * perf_event_open for CPU samples: choose a clock, open one disabled event per CPU, enable, read, close.
 * Period mode always: the expected number of samples is then arithmetic, not a guess of the kernel's.
 */
#include "pp/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

#define NSEC_PER_SEC 1000000000ull
/* When the kernel tells no frequency, cycles per second to divide: a rate too high is seen in `taken`. */
#define FALLBACK_CPU_HZ 2000000000ull

static int event_open(const struct perf_clock *clock, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = clock->type,
		.config = clock->config,
		.config1 = clock->config1,
		.config2 = clock->config2,
		.sample_period = clock->period,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		.disabled = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static uint64_t cpu_hz(const struct sysroot *root)
{
	char text[32];

	if (sysroot__line(root, text, sizeof(text),
			  "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"))
		return FALLBACK_CPU_HZ;
	return strtoull(text, NULL, 10) * 1000 ?: FALLBACK_CPU_HZ;
}

static int clock__try(const struct sysroot *root, const struct perf_clock *clock)
{
	_auto_free_ int *cpus = NULL;
	uint32_t cnt;
	int fd, err;

	err = perf_cpus__online(root, &cpus, &cnt);
	if (err)
		return err;
	fd = event_open(clock, cpus[0]);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int perf_clock__choose(const struct sysroot *root, uint32_t rate_hz, struct perf_clock *ret_clock,
		       int *ret_why_software)
{
	struct perf_clock cycles = {
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.period = cpu_hz(root) / rate_hz,
		.name = "cycles",
	};
	struct perf_clock software = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.period = NSEC_PER_SEC / rate_hz,
		.name = "cpu-clock",
		.is_software = true,
	};
	int why = clock__try(root, &cycles);
	int err;

	if (!why) {
		*ret_clock = cycles;
		*ret_why_software = 0;
		return 0;
	}
	err = clock__try(root, &software);
	if (err)
		return err;
	*ret_clock = software;
	*ret_why_software = why;
	return 0;
}

int perf_set__open(struct perf_set *self, const struct sysroot *root,
		   const struct perf_clock *clock)
{
	_auto_free_ int *cpus = NULL;
	struct perf_set set = {};
	uint32_t cnt;
	int err;

	err = perf_cpus__online(root, &cpus, &cnt);
	if (err)
		return err;
	set.fds = calloc(cnt, sizeof(*set.fds));
	if (!set.fds)
		return -ENOMEM;
	for (uint32_t i = 0; i < cnt; i++) {
		int fd = event_open(clock, cpus[i]);

		if (fd == -ENODEV) /* went offline since the list was read */
			continue;
		if (fd < 0) {
			perf_set__close(&set);
			return fd;
		}
		cpus[set.cnt] = cpus[i];
		set.fds[set.cnt++] = fd;
	}
	set.cpus = take_ptr(cpus);
	*self = set;
	return 0;
}

static int set__ioctl(struct perf_set *self, unsigned long request)
{
	int err = 0;

	for (uint32_t i = 0; i < self->cnt; i++)
		if (ioctl(self->fds[i], request, 0) && !err)
			err = -errno;
	return err;
}

int perf_set__enable(struct perf_set *self)
{
	return set__ioctl(self, PERF_EVENT_IOC_ENABLE);
}

int perf_set__disable(struct perf_set *self)
{
	return set__ioctl(self, PERF_EVENT_IOC_DISABLE);
}

int perf_set__read(const struct perf_set *self, uint64_t *ret_enabled_ns, uint64_t *ret_expected,
		   uint64_t period)
{
	uint64_t enabled_ns = 0, expected = 0;

	for (uint32_t i = 0; i < self->cnt; i++) {
		struct {
			uint64_t count, enabled_ns, running_ns;
		} value;
		ssize_t got = read(self->fds[i], &value, sizeof(value));

		if (got != sizeof(value))
			return got < 0 ? -errno : -EIO;
		enabled_ns += value.enabled_ns;
		expected += value.count / period;
	}
	*ret_enabled_ns = enabled_ns;
	*ret_expected = expected;
	return 0;
}

void perf_set__close(struct perf_set *self)
{
	for (uint32_t i = 0; i < self->cnt; i++)
		close(self->fds[i]);
	free(self->fds);
	free(self->cpus);
	memset(self, 0, sizeof(*self));
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs' per-CPU counters: read, summed by generation, waited on after a flip, and settled into the
 * stats of a run once their generation is still. Not the user side's metrics.
 */
#include "internal.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"

#include "pulseprof.skel.h"

#define POLL_NS	    20000
#define PATIENCE_NS 50000000ull

static int read_all(struct collect *self)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(bpf_map__fd(self->skel->maps.pp_counters), &zero,
				   self->cpu_counters) ?
		       -errno :
		       0;
}

int counters__read(struct collect *self, uint64_t sums[PP_GENERATIONS][PP_CNT_MAX])
{
	int err = read_all(self);

	if (err)
		return err;
	memset(sums, 0, PP_GENERATIONS * sizeof(sums[0]));
	for (int cpu = 0; cpu < self->possible_cpus; cpu++)
		for (int g = 0; g < PP_GENERATIONS; g++)
			for (int i = 0; i < PP_CNT_MAX; i++)
				sums[g][i] += self->cpu_counters[cpu].cnt[g][i];
	return 0;
}

/*
 * Runs on one CPU do not nest, so once `left` has reached the `entered` that was read after the flip, all
 * that could still write the old generation is over. A CPU that went offline inside a program would never
 * get there: then a grace period (membarrier) does the same, later.
 */
int counters__wait_left(struct collect *self)
{
	_auto_free_ uint64_t *entered = calloc(self->possible_cpus, sizeof(*entered));
	uint64_t begin_ns = clock_mono_ns();
	int err;

	if (!entered)
		return -ENOMEM;
	err = read_all(self);
	if (err)
		return err;
	for (int cpu = 0; cpu < self->possible_cpus; cpu++)
		entered[cpu] = self->cpu_counters[cpu].entered;
	for (;;) {
		struct timespec pause = { .tv_nsec = POLL_NS };
		int cpu = 0;

		while (cpu < self->possible_cpus && self->cpu_counters[cpu].left >= entered[cpu])
			cpu++;
		if (cpu == self->possible_cpus)
			return 0;
		if (clock_mono_ns() - begin_ns > PATIENCE_NS)
			return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) ? -errno : 0;
		nanosleep(&pause, NULL);
		err = read_all(self);
		if (err)
			return err;
	}
}

int counters__settle(struct collect *self, uint32_t generation)
{
	uint64_t sums[PP_GENERATIONS][PP_CNT_MAX];
	int err = counters__read(self, sums);

	if (err)
		return err;
	for (int i = 0; i < PP_CNT_MAX; i++) {
		self->stats.counters[i] += sums[generation][i] - self->settled[generation][i];
		self->settled[generation][i] = sums[generation][i];
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs' per-CPU counters: read, summed by run and generation, waited on after a flip, and settled
 * into the stats of each run once their generation is still. Not the user side's metrics.
 */
#include "internal.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"

#include "pulseprof.skel.h"

#define POLL_NS	    20000
#define PATIENCE_NS 50000000ull

typedef uint64_t counter_sums[PP_SLOTS][PP_GENERATIONS][PP_CNT_MAX];

/* One value per possible CPU. */
static int read_all(const struct collect *self, struct pp_cpu_counters *ret_values)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(bpf_map__fd(self->skel->maps.pp_counters), &zero, ret_values) ?
		       -errno :
		       0;
}

static int counters__read(struct collect *self, counter_sums sums)
{
	uint64_t *all = &sums[0][0][0];
	int err = read_all(self, self->cpu_counters);

	if (err)
		return err;
	memset(all, 0, sizeof(counter_sums));
	for (int cpu = 0; cpu < self->possible_cpus; cpu++) {
		const __u64 *from = &self->cpu_counters[cpu].cnt[0][0][0];

		for (size_t i = 0; i < sizeof(counter_sums) / sizeof(*all); i++)
			all[i] += from[i];
	}
	return 0;
}

int counters__begin(struct collect *self, uint32_t slot)
{
	counter_sums sums;
	int err = counters__read(self, sums);

	if (!err)
		memcpy(self->slots[slot].settled, sums[slot], sizeof(sums[slot]));
	return err;
}

/*
 * Runs on one CPU do not nest, so once `left` has reached the `entered` that was read after the flip, all
 * that could still write the old generation is over. A CPU that went offline inside a program would never
 * get there: then a grace period (membarrier) does the same, later.
 */
int counters__wait_left(struct collect *self)
{
	_auto_free_ uint64_t *entered = calloc(self->possible_cpus, sizeof(*entered));
	_auto_free_ struct pp_cpu_counters *now = calloc(self->possible_cpus, sizeof(*now));
	uint64_t begin_ns = clock_mono_ns();
	int err;

	if (!entered || !now)
		return -ENOMEM;
	err = read_all(self, now);
	if (err)
		return err;
	for (int cpu = 0; cpu < self->possible_cpus; cpu++)
		entered[cpu] = now[cpu].entered;
	for (;;) {
		struct timespec pause = { .tv_nsec = POLL_NS };
		int cpu = 0;

		while (cpu < self->possible_cpus && now[cpu].left >= entered[cpu])
			cpu++;
		if (cpu == self->possible_cpus)
			return 0;
		if (clock_mono_ns() - begin_ns > PATIENCE_NS)
			return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) ? -errno : 0;
		nanosleep(&pause, NULL);
		err = read_all(self, now);
		if (err)
			return err;
	}
}

int counters__settle(struct collect *self, uint32_t generation, uint32_t slots)
{
	counter_sums sums;
	int err = counters__read(self, sums);

	if (err)
		return err;
	for (uint32_t s = 0; s < PP_SLOTS; s++) {
		struct slot *slot = &self->slots[s];

		for (int i = 0; slots >> s & 1 && i < PP_CNT_MAX; i++) {
			slot->stats.counters[i] +=
				sums[s][generation][i] - slot->settled[generation][i];
			slot->settled[generation][i] = sums[s][generation][i];
		}
	}
	return 0;
}

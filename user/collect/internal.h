/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_COLLECT_INTERNAL_H
#define PP_COLLECT_INTERNAL_H
/*
 * What the files of this room share: the loaded programs, the links of a run, the drain. Nobody else
 * includes this; libbpf's types end here.
 */
#include "filter.h"
#include "pp/collect.h"
#include "pp/collect_tables.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "pp/base/hash.h"
#include "pp/base/loop.h"
#include "pp/perf.h"

struct pulseprof_bpf;

enum stack_class { CLASS_SMALL, CLASS_MEDIUM, CLASS_LARGE, CLASS_CNT };

/* Descriptors of one generation's maps; borrowed from the skeleton. */
struct generation_maps {
	int counts_fd;
	int stacks_fd[CLASS_CNT];
};

/* One stack of a drain; its addresses stand in drain->addrs. */
struct drained_stack {
	struct pp_stack_id id;
	uint32_t first;
	uint32_t depth;
};

/* What a drain found. Filled by a worker, delivered on the loop, cleared after. */
struct drain {
	struct collect *collect;
	uint32_t generation; /* the one being drained */
	uint32_t slots; /* the runs that went on at the flip, a bit each */
	uint32_t last_slots; /* of these, those that had been switched off */
	int err;
	struct pp_count *counts;
	size_t count_cnt, count_cap;
	struct drained_stack *stacks;
	size_t stack_cnt, stack_cap;
	uint64_t *addrs;
	size_t addr_cnt, addr_cap;
	struct hash_index by_id;
	uint64_t expected[PP_SLOTS]; /* of the events, read at the flip */
	uint64_t enabled_ns[PP_SLOTS];
	uint64_t waited_ns; /* when no program wrote any more */
	struct pp_rec_stack **early; /* records of the next generation, met while this one drains */
	size_t early_cnt, early_cap;
};

/* A run's place. */
struct slot {
	bool is_on; /* until its last drain was delivered */
	bool is_stopping; /* its sources are off, its last drain is to come */
	struct session_spec spec;
	struct filter_cgroups cgroups;
	struct collect_run_ops ops;
	struct perf_clock clock;
	struct perf_set events;
	int *link_fds; /* one per event, or NULL where the kernel has no perf links */
	uint64_t settled[PP_GENERATIONS]
			[PP_CNT_MAX]; /* counters as of each generation's last drain */
	struct collect_stats stats; /* sums of finished drains */
	uint64_t expected_before; /* of the events, at the last drain; when they were disabled */
	uint64_t enabled_before_ns;
	uint64_t final_expected;
	uint64_t final_enabled_ns;
};

struct collect {
	struct loop *loop; /* borrowed */
	const struct sysroot *root; /* borrowed */
	struct collect_tuning tuning;
	struct pulseprof_bpf *skel;
	struct generation_maps maps[PP_GENERATIONS];
	uint32_t small_entries;
	int possible_cpus;
	struct pp_cpu_counters *cpu_counters; /* the loop's scratch for reading the per-CPU map */

	bool has_tables; /* the table walk is loaded */
	int tables_err; /* why it is not: -errno of the load, 0 if it was not tried */
	struct bpf_program *sampler; /* the one that is loaded; borrowed from skel */
	struct collect_tables tables;
	uint32_t *parts[PP_PARTS_MAX]; /* mapped */

	struct ring_buffer *ring;
	struct loop_io *ring_io;

	struct collect_ops ops;
	struct slot slots[PP_SLOTS];
	bool is_draining;
	bool wants_drain;
	struct bpf_link *fork_link;
	struct bpf_link *exit_link;
	struct bpf_link *exec_link;
	struct loop_timer *drain_timer;
	struct drain drain;
};

bool collect__is_running(const struct collect *self);

/* object.c */
int object__load(struct collect *self, const char **ret_why);
void object__close(struct collect *self);
struct pp_run *object__run(struct collect *self); /* the programs' switches, shared memory */

/* libbpf_said.c: around each load; log: after one that failed */
void libbpf_said__begin(void);
void libbpf_said__forget(void);
void libbpf_said__log(void);
void libbpf_said__end(void);

/* tables.c */
int tables__map(struct collect *self);
void tables__unmap(struct collect *self);

/* sources.c: links and events */
int sources__on(struct collect *self, uint32_t slot, const char **ret_why);
void sources__off(struct collect *self, uint32_t slot);
/* Attaches what the runs' filters need of forks and exits. */
int sources__fit(struct collect *self);

/* ring.c */
int ring__open(struct collect *self);
void ring__close(struct collect *self);
void ring__consume(struct collect *self);
void ring__deliver_early(struct collect *self, const struct pp_rec_stack *rec); /* after a drain */

/* drain.c */
int drain__begin(struct collect *self);
void drain__discard(struct collect *self); /* leftovers of an earlier run; synchronous */

/* counters.c */
/* What a run that begins in this slot finds there is not its own. */
int counters__begin(struct collect *self, uint32_t slot);
int counters__wait_left(struct collect *self); /* worker; until what had entered has left */
/* Adds what one generation counted since its last drain to the stats of runs, a bit each. */
int counters__settle(struct collect *self, uint32_t generation, uint32_t slots);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_COLLECT_H
#define PP_COLLECT_H
/*
 * The only room that knows libbpf: probe, load once, switch sources on and off one at a time, drain. Up to
 * PP_SLOTS runs at once: each has its own events, filters, counters and sums; maps, drains and the process
 * table are shared. Always true: a link exists exactly when its source is on; the arithmetic of abi.h's
 * counters holds for each run after each drain. Loop thread only, but for the wait after a flip, which runs
 * on a worker.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/abi.h"
#include "pp/spec.h"

struct loop;
struct sysroot;
struct collect;
struct json_object;
struct perf_clock;

/* For tests: sizes of maps made small, a program held inside its critical part. All 0 in production. */
struct collect_tuning {
	uint32_t count_entries;
	uint32_t stack_entries; /* small class; medium and large follow */
	uint32_t ring_bytes;
	uint32_t hold_rounds; /* time made long between storing a stack and counting it */
	bool no_tables; /* frame pointers only, as where the table walk does not load */
	bool skip_wait; /* drain without waiting after the flip */
	uint32_t rate_hz; /* overrides the spec's, beyond its limit */
	uint32_t drain_ms;
};

/* Loads the programs. *ret_why (static or valid until the next call) says what is missing and what to do.
 * -EOPNOTSUPP: not possible on this kernel; -EPERM: permission. tuning may be NULL. */
int collect__new(struct loop *loop, const struct sysroot *root, const struct collect_tuning *tuning,
		 struct collect **ret_collect, const char **ret_why);
void collect__free(struct collect *self);

/* A merged count; stacks borrowed during the call; frames leaf first. */
struct collect_count {
	const struct pp_sample_key *key;
	uint32_t tid;
	uint32_t user_depth;
	uint32_t kernel_depth;
	bool user_stored; /* false: the stack could not be stored */
	bool kernel_stored;
	const uint64_t *user_addrs;
	const uint64_t *kernel_addrs;
	uint64_t cnt;
	uint64_t until_ns; /* CLOCK_MONOTONIC: its samples were taken before */
};
/* What all runs share. */
struct collect_ops {
	/*
	 * Read a process's maps: its first sample in a window of a run of proc->slots, or they have changed.
	 * Promptly.
	 */
	void (*process)(void *arg, const struct pp_rec_proc *proc);
	void (*page)(void *arg, const struct pp_rec_page *page); /* convert it; NULL: not wanted */
	void (*drained)(void *arg, int err); /* after each drain, before the runs'; may be NULL */
	void *arg;
};
void collect__listen(struct collect *self, const struct collect_ops *ops);

struct collect_run_ops {
	void (*count)(void *arg, const struct collect_count *count); /* during a drain */
	void (*drained)(void *arg, int err,
			bool is_last); /* after each drain; is_last after collect__stop */
	void *arg;
};

/*
 * Open, attach, enable. The process table is empty for the first of several. *ret_slot names the run until
 * drained(is_last). event: what is sampled, its name borrowed until then; NULL: the clock, at the spec's rate.
 * -EBUSY; -errno with *ret_why.
 */
int collect__start(struct collect *self, const struct session_spec *spec,
		   const struct perf_clock *event, const struct collect_run_ops *ops,
		   uint32_t *ret_slot, const char **ret_why);
/* The spec's pids, comms, cgroups and children from now on, what stays wanted without a gap. -errno: as before. */
int collect__change(struct collect *self, uint32_t slot, const struct session_spec *spec);
/*
 * Are the run's cgroups the caller's to filter, by the paths of processes? One is only in a v1 hierarchy then,
 * and samples of all cgroups come.
 */
bool collect__wants_paths(const struct collect *self, uint32_t slot);
/* Looks for the runs' cgroups again: they may have been made anew. Once a second is often enough. */
void collect__refresh(struct collect *self);
/* Disables and detaches at once, then a last drain; drained(is_last) follows. */
void collect__stop(struct collect *self, uint32_t slot);
/* Flip and drain, of all runs; drained(is_last = false) follows. -EBUSY: one goes on. */
int collect__drain(struct collect *self);

struct collect_stats {
	uint64_t counters[PP_CNT_MAX];
	uint64_t expected;
	uint64_t enabled_ns; /* summed over CPUs */
	uint32_t rate_hz;
	uint32_t cpu_cnt;
	const char *clock; /* "cpu-clock", "cycles" */
	bool clock_is_software;
	bool is_event; /* rate_hz is 0; each sample stands for period of them */
	uint64_t period;
};
/*
 * Sums of a run's drains since collect__start or collect__mark: exact for what was delivered by then. expected
 * may differ from taken by a sample per CPU at a window's edge.
 */
void collect__stats(const struct collect *self, uint32_t slot, struct collect_stats *ret_stats);
/* Begins a run's next window: sums are forgotten, processes are announced again. From inside drained(). */
void collect__mark(struct collect *self, uint32_t slot);

/* What this kernel and these permissions allow; rows for `pulseprof feature probe`. */
struct collect_feature {
	const char *name;
	bool available;
	char detail[96]; /* "because", or the value */
	const char *cost; /* what a missing one costs */
	const char *remedy; /* how to change it, or "" */
};
#define COLLECT_FEATURES_MAX 24
int collect_features__probe(const struct sysroot *root, struct collect_feature *ret_features,
			    uint32_t *ret_cnt);

/* Our objects in the kernel, whoever loaded them (daemon or a command line). */
enum collect_object_kind { COLLECT_PROG, COLLECT_MAP, COLLECT_LINK };
struct collect_object {
	uint32_t id;
	char name[16]; /* as bpftool shows it */
	char type[24];
	uint32_t prog_id; /* links */
	uint32_t entries_max; /* maps */
	uint64_t bytes; /* memory as the kernel reports it; links: 0 */
	uint64_t runs; /* programs: counted by themselves */
	uint64_t ns; /* programs: runs times measured ns per run; 0 if never timed */
	bool attached; /* programs: has a link or perf event */
};
typedef int (*collect_object_fn)(void *arg, const struct collect_object *object);
int collect_objects__each(const struct sysroot *root, enum collect_object_kind kind,
			  collect_object_fn fn, void *arg);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_RECORD_WINDOW_H
#define PP_RECORD_WINDOW_H
/*
 * A window of a run while it is built: counts into a profile (window.c), the cgroups of its processes
 * (containers.c).
 */
#include "pp/base/hash.h"
#include "pp/collect.h"
#include "pp/proc.h"
#include "pp/profile.h"

struct container_names;

static inline struct proc_id proc_id_of(const struct pp_proc_id *id)
{
	return (struct proc_id){ .pid = id->tgid,
				 .exec_id = id->exec_id,
				 .start_boottime_ns = id->start_boottime_ns };
}

/* What the host and we ourselves had used, at the beginning of a window. */
struct usage {
	uint64_t mono_ns;
	uint64_t real_ns;
	uint64_t own_cpu_ns;
	uint64_t host_idle_ticks;
	uint64_t host_total_ticks;
};

/* What unwinder__mark says of where a window begins; runs have windows of their own. */
struct unwinder_mark {
	uint32_t window;
	struct profile_tables tables;
};

/* Of the unified hierarchy: whose processes are in which container. */
struct window_cgroup {
	uint64_t cgroup_id;
	uint32_t container_id; /* intern id in the window's profile */
	uint32_t pad;
};

/* A process whose cgroup was read when it was announced. */
struct window_member {
	struct proc_id id;
	uint32_t container_id; /* 0: in none */
	bool is_unified;
	uint8_t belongs; /* enum belonging */
};

/* To the run's cgroups, where paths tell. */
enum belonging {
	BELONGS,
	BELONGS_NOT,
	BELONGS_UNKNOWN /* it had gone before its cgroup was read */
};

/* The cgroups of a run whose samples user space filters; cnt 0: it does not. */
struct wanted_cgroups {
	uint32_t cnt;
	const char *paths[SPEC_CGROUPS_MAX]; /* borrowed from the run's spec */
};

/* A window being built. */
struct window {
	const struct sysroot *root; /* borrowed */
	struct container_names *names; /* borrowed; NULL: containers go by their ids */
	const struct wanted_cgroups *wanted; /* borrowed from the run, while it samples */
	struct window_cgroup *cgroups; /* owned */
	size_t cgroup_cnt, cgroup_cap;
	struct window_member *members; /* owned */
	size_t member_cnt, member_cap;
	struct hash_index by_cgroup; /* rows of cgroups; eq NULL: not begun */
	struct hash_index by_id; /* rows of members */
	struct profile *profile; /* owned until finished */
	struct proc_table *table; /* owned: maps are read anew in each window */
	struct usage begin;
	double mem_pct_sum; /* of mem_cnt readings */
	uint32_t mem_cnt;
	struct unwinder_mark mark;
	int err; /* first failure to keep a count; what it was counted as is in dropped */
	uint64_t dropped;
	uint64_t added; /* weight in the profile */
	uint64_t unwanted; /* of other cgroups */
	uint64_t unplaced; /* of processes whose cgroup nobody knows */
};

int window__begin(struct window *self, const struct sysroot *root, struct container_names *names);
void window__clear(struct window *self);
/* The first sample of a process: reads its maps while it lives. */
void window__note(struct window *self, const struct pp_proc_id *proc, uint32_t tid);
/* A count from the kernel; what cannot be kept is added to dropped. */
void window__add(struct window *self, const struct collect_count *count, uint64_t now_ns);
/* A process was announced: reads which container it is in while it lives. */
void window__read_container(struct window *self, const struct proc_id *id);
/* A process is new to the profile: which container is it in? */
void window__set_container(struct window *self, uint32_t process, uint64_t cgroup_id);
/* What was read of processes is read again: the run's cgroups are others now. */
void window__forget_members(struct window *self);
void window__clear_containers(struct window *self);
/* enum belonging: of a process's samples to the run's cgroups. */
enum belonging window__belongs(struct window *self, const struct proc_id *id);
/* Ids become names where these are known (names may be NULL). 0, -ENOMEM. */
int profile__name_containers(struct profile *profile, struct container_names *names);
/* One more reading of the memory in use, for its average. */
void window__read_memory(struct window *self);
/* Fills in account and meta. */
int window__close(struct window *self, const struct sysroot *root,
		  const struct collect_stats *stats, const struct session_spec *spec);

#endif

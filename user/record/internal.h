/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_RECORD_INTERNAL_H
#define PP_RECORD_INTERNAL_H
/*
 * What run.c (the life of runs), window.c (counts into a profile), naming.c (closed windows), stack.c (one
 * count's addresses) and unwinder.c (the kernel's tables) share.
 */
#include "pp/base/hash.h"
#include "pp/collect.h"
#include "pp/proc.h"
#include "pp/profile.h"
#include "pp/record.h"

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
};

/* A window being built. */
struct window {
	const struct sysroot *root; /* borrowed */
	struct container_names *names; /* borrowed; NULL: containers go by their ids */
	struct window_cgroup *cgroups; /* owned */
	size_t cgroup_cnt, cgroup_cap;
	struct window_member *members; /* owned */
	size_t member_cnt, member_cap;
	struct hash_index by_cgroup; /* rows of cgroups; eq NULL: not begun */
	struct hash_index by_id; /* rows of members */
	struct profile *profile; /* owned until finished */
	struct proc_table *table; /* owned: maps are read anew in each window */
	struct usage begin;
	struct unwinder_mark mark;
	int err; /* first failure to keep a count; what it was counted as is in dropped */
	uint64_t dropped;
	uint64_t added; /* weight in the profile */
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
void window__clear_containers(struct window *self);
/* Ids become names where these are known (names may be NULL). 0, -ENOMEM. */
int profile__name_containers(struct profile *profile, struct container_names *names);
/* Fills in account and meta. */
int window__close(struct window *self, const struct sysroot *root,
		  const struct collect_stats *stats, const struct session_spec *spec);

/* Closed windows being named. fn gets each in order, loop thread: a profile (given) and 0, or NULL and -errno. */
struct naming;
typedef void (*naming_fn)(void *arg, int err, struct profile *profile, bool is_last);
int naming__new(struct loop *loop, const struct sysroot *root, const struct record_options *options,
		naming_fn fn, struct naming **ret_naming);
void naming__free(struct naming *self);
/* The window is taken (left empty) on success. err: it is not named but given as failed. -ENOMEM. */
int naming__add(struct naming *self, struct window *window, int err, void *arg, bool is_last);

#define STACK_FRAMES_MAX (PP_USER_FRAMES_MAX + PP_KERNEL_FRAMES_MAX)

/* A stack on its way into the profile. */
struct stack_build {
	uint32_t frames[STACK_FRAMES_MAX];
	uint32_t depth;
	uint32_t kernel_depth;
	enum profile_stack_end end;
};
int stack__build(struct window *window, const struct collect_count *count, uint64_t now_ns,
		 struct stack_build *stack);

/*
 * Keeps the kernel's tables: what processes have mapped, which pages of code have rows. Longer-lived than
 * windows and runs. Where the table walk does not load all of it does nothing but read maps.
 */
struct unwinder;
int unwinder__new(struct loop *loop, const struct sysroot *root, struct collect *collect,
		  const struct record_options *options, struct unwinder **ret_unwinder);
void unwinder__free(struct unwinder *self);
void unwinder__begin(struct unwinder *self); /* a run */
void unwinder__end(struct unwinder *self); /* no program is attached any more */
/* A program asks for a process's mappings; they are read into the table. */
void unwinder__process(struct unwinder *self, struct proc_table *table,
		       const struct pp_rec_proc *proc);
void unwinder__page(struct unwinder *self, const struct pp_rec_page *page);
void unwinder__drained(struct unwinder *self);
void unwinder__tick(struct unwinder *self);
void unwinder__mark(const struct unwinder *self, struct unwinder_mark *ret_mark);
/*
 * Says what was in the kernel and what came there since the mark; forgets who was not sampled since that
 * window, whichever run's it was.
 */
void unwinder__end_window(struct unwinder *self, const struct unwinder_mark *begin,
			  uint32_t oldest_window, struct profile_tables *ret_tables);

/* New images, whose mappings are read a little after exec: fn is called for each when it is time. */
struct young;
typedef void (*young_fn)(void *arg, const struct pp_rec_proc *proc);
int young__new(struct loop *loop, young_fn fn, void *arg, struct young **ret_young);
void young__free(struct young *self);
void young__add(struct young *self, const struct pp_rec_proc *proc);
void young__forget(struct young *self); /* all that wait */

#endif

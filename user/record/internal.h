/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_RECORD_INTERNAL_H
#define PP_RECORD_INTERNAL_H
/*
 * What run.c (the life of runs), naming.c (closed windows), stack.c (one
 * count's addresses) and unwinder.c (the kernel's tables) share.
 */
#include "pp/collect.h"
#include "pp/counter.h"
#include "pp/perf.h"
#include "pp/proc.h"
#include "pp/profile.h"
#include "pp/record.h"
#include "window.h"

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

/* counters.c: what is counted beside the samples; where that cannot be, the log says so and there is none. */
struct run_counters;
void run_counters__begin(const struct sysroot *root, struct run_counters **ret_counters);
void run_counters__free(struct run_counters *self);
/* Adds what was counted since the last window; self may be NULL. */
void run_counters__close_window(struct run_counters *self, struct container_names *names,
				struct profile *profile);

/* event.c: what is sampled in place of the clock. */
struct run_event {
	struct counter_event event;
	struct perf_clock clock; /* the same for the sampler; its name is the event's */
};
/* -EINVAL: no such event; -EOPNOTSUPP, -EPERM: not here; with *ret_why (static). */
int run_event__find(struct run_event *self, const struct sysroot *root, const char *name,
		    const char **ret_why);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TARGET_H
#define TARGET_H
/*
 * Whose stacks are walked: a process that is stopped now and then, or a core dump. Registers, memory and
 * mappings; not the walks.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "host_sampler.h"
#include "pp/proc.h"

struct target_thread {
	pid_t tid;
	struct host_regs regs;
	int signal; /* to be delivered when it goes on */
	bool is_stopped;
	uint64_t last_ip; /* when it was seen before */
	uint64_t last_sp;
};

struct target {
	pid_t pid;
	struct target_thread *threads;
	size_t thread_cnt;
	size_t thread_cap;
	const struct mapping *mappings; /* executable ones, ascending */
	uint32_t mapping_cnt;
	const struct proc_table *modules; /* NULL: those of target_core__module */
	struct live *live;
	struct core *core;
};

/* root: the machine's, borrowed. */
int target__attach(struct target *self, const struct sysroot *root, pid_t pid);
int target__open_core(struct target *self, const char *path);
void target__close(struct target *self);

/* Stops all threads, reads their registers and the mappings. -ESRCH: the process has gone. */
int target__stop(struct target *self);
void target__go(struct target *self);
bool target__can_step(struct target *self, const struct target_thread *thread);
/* One instruction of a stopped thread. -ESRCH. */
int target__step(struct target *self, struct target_thread *thread);
/* arg: the target. 0, or all of it is not there. */
int target__read(void *arg, uint64_t addr, void *data, size_t bytes);

/* Parts of the above. */
int live__read(const struct target *self, uint64_t addr, void *data, size_t bytes);
void live__free(struct target *self);
int core__read(const struct target *self, uint64_t addr, void *data, size_t bytes);
void core__free(struct target *self);
const struct proc_module *core__module(uint32_t module);
/* The files that a core dump names, i from 0 up: false: no more. */
bool core__file(const struct target *self, uint32_t i, const char **ret_path, uint64_t *ret_bias);
struct user_regs_struct;
void target__set_regs(struct host_regs *self, const struct user_regs_struct *from);
/* An added thread; its pointer holds until the next one is added. */
struct target_thread *target__add_thread(struct target *self, pid_t tid);

#endif

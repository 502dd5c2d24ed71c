/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_INTERNAL_H
#define PP_BASE_INTERNAL_H
/*
 * What loop.c and work.c share: the loop itself and its list of work that has not come back yet.
 * libuv is included by these two files only.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WORKERS_MAX 8 /* of a pool that an operator made larger, the rest are never hurried */

struct uv_loop_s;
struct work;

struct loop {
	struct uv_loop_s *uv; /* uv_loop_t; ours */
	struct work *works; /* submitted, done() not yet called */
	bool ending; /* loop__free runs: nothing new starts */
	pthread_mutex_t hurry_lock; /* what stands below: a worker changes its own priority too */
	bool is_hurried;
	int nice; /* of the loop's thread and of the workers when it is not */
	int hurried_nice;
	struct worker {
		pid_t tid; /* 0: free */
		bool is_patient;
	} workers[WORKERS_MAX];
};

void work__cancel_all(struct loop *loop);
void workers__hurry(struct loop *loop); /* as the loop is; under its lock */

#endif

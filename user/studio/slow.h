/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_SLOW_H
#define PP_STUDIO_SLOW_H
/*
 * What would keep heartbeats waiting, done by a worker while the request's call is held: uploads in one queue,
 * drawing and long lists in another, each in the order of arrival, one at a time, bounded. Loop thread only, but
 * for run.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct httpd_call;
struct httpd_request;
struct loop;
struct slow;

enum slow_queue { SLOW_UPLOAD, SLOW_READ, SLOW_QUEUES };
#define SLOW_JOBS_MAX  256 /* of a queue */
#define SLOW_BYTES_MAX (64u << 20) /* of what waits there, but for the first */

struct slow_job { /* the first member of a job of some kind */
	void (*run)(struct slow_job *self); /* on a worker; self is all that it may touch */
	/* After run; request->call is NULL if the client has left. */
	void (*finish)(struct slow_job *self, const struct httpd_request *request);
	void (*free)(struct slow_job *self);
	bool is_for_client; /* of no use to anybody else: not run if he left before */
	size_t bytes; /* that it holds while it waits */
	/* slow.c's */
	struct slow *slow;
	struct slow_job *next;
	struct httpd_call *call;
	enum slow_queue queue;
};

int slow__new(struct loop *loop, struct slow **ret_slow);
void slow__free(struct slow *self); /* after loop__free: jobs that did not begin are freed */
/* The call is held and the job is taken. -EBUSY: too much waits already; on failure neither. */
int slow__add(struct slow *self, enum slow_queue queue, struct slow_job *job,
	      struct httpd_call *call);

#endif

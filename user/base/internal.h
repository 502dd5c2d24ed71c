/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_INTERNAL_H
#define PP_BASE_INTERNAL_H
/*
 * What loop.c and work.c share: the loop itself and its list of work that has not come back yet.
 * libuv is included by these two files only.
 */
#include <stdbool.h>

struct uv_loop_s;
struct work;

struct loop {
	struct uv_loop_s *uv; /* uv_loop_t; ours */
	struct work *works; /* submitted, done() not yet called */
	bool ending; /* loop__free runs: nothing new starts */
	bool is_hurried;
	int nice; /* of the loop's thread when it is not */
};

void work__cancel_all(struct loop *loop);

#endif

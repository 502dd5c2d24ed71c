/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The small ring: processes met for the first time, and samples that did not fit into the maps. Always
 * true: a record's length is checked before its kind is believed.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/vec.h"

#include "pulseprof.skel.h"

#define EARLY_MAX 4096 /* records kept back during a drain; more than the ring can hold */

static uint32_t rec_kernel_depth(const struct pp_rec_stack *rec, size_t len)
{
	return len < sizeof(*rec) ? 0 :
				    min_of(rec->kernel.head.depth, (uint32_t)PP_KERNEL_FRAMES_MAX);
}

static void deliver_stack(struct collect *self, const struct pp_rec_stack *rec,
			  uint32_t kernel_depth)
{
	const struct slot *slot = &self->slots[rec->key.slot % PP_SLOTS];
	struct collect_count count = {
		.key = &rec->key,
		.tid = rec->tid,
		.user_depth = min_of(rec->user.head.depth, (uint32_t)PP_USER_FRAMES_MAX),
		.kernel_depth = kernel_depth,
		.user_stored = true,
		.kernel_stored = true,
		.user_addrs = (const uint64_t *)rec->user.frames,
		.kernel_addrs = (const uint64_t *)rec->kernel.frames,
		.cnt = 1,
		.until_ns = rec->head.time_ns,
	};

	if (slot->is_on)
		slot->ops.count(slot->ops.arg, &count);
}

void ring__deliver_early(struct collect *self, const struct pp_rec_stack *rec)
{
	deliver_stack(self, rec, rec_kernel_depth(rec, rec->head.len));
}

/* A record of the next generation belongs to what comes after the drain that goes on. */
static bool keep_early(struct collect *self, const struct pp_rec_stack *rec, size_t len)
{
	struct drain *drain = &self->drain;

	if (!self->is_draining || rec->generation == drain->generation)
		return false;
	if (vec_room(drain->early, drain->early_cnt + 1, drain->early_cap, EARLY_MAX))
		return false;
	drain->early[drain->early_cnt] = calloc(1, sizeof(*rec));
	if (!drain->early[drain->early_cnt])
		return false;
	memcpy(drain->early[drain->early_cnt++], rec, len);
	return true;
}

static void handle_stack(struct collect *self, const struct pp_rec_stack *rec, size_t len)
{
	self->wants_drain = true; /* a map is full: make room before the next second */
	if (!keep_early(self, rec, len))
		deliver_stack(self, rec, rec_kernel_depth(rec, len));
}

static int handle_record(void *arg, void *data, size_t size)
{
	struct collect *self = arg;
	const struct pp_rec_head *head = data;

	if (size < sizeof(*head) || head->len < sizeof(*head) || head->len > size)
		return 0;
	if (!collect__is_running(self))
		return 0;
	if (head->kind == PP_REC_PROC && head->len >= sizeof(struct pp_rec_proc) &&
	    self->ops.process)
		self->ops.process(self->ops.arg, data);
	else if (head->kind == PP_REC_PAGE && head->len >= sizeof(struct pp_rec_page) &&
		 self->ops.page)
		self->ops.page(self->ops.arg, data);
	else if (head->kind == PP_REC_STACK && head->len >= PP_REC_STACK_USER_ONLY_BYTES)
		handle_stack(self, data, head->len);
	return 0;
}

void ring__consume(struct collect *self)
{
	ring_buffer__consume(self->ring);
}

static void on_ring(void *arg, int events, int err)
{
	struct collect *self = arg;

	ring__consume(self);
	if (self->wants_drain)
		(void)collect__drain(self); /* busy or over: the drain that goes on makes room */
}

int ring__open(struct collect *self)
{
	self->ring =
		ring_buffer__new(bpf_map__fd(self->skel->maps.pp_ring), handle_record, self, NULL);
	if (!self->ring)
		return -errno;
	return loop_io__new(self->loop, ring_buffer__epoll_fd(self->ring), LOOP_READ, on_ring, self,
			    &self->ring_io);
}

void ring__close(struct collect *self)
{
	loop_io__free(self->ring_io);
	ring_buffer__free(self->ring);
	self->ring_io = NULL;
	self->ring = NULL;
}

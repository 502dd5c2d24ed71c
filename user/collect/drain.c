/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Draining one generation of maps, for all runs at once: flip on the loop; on a worker wait until no program writes the old
 * maps, then batch lookup-and-delete; on the loop again settle the counters and deliver. Because counters
 * stand by generation, what is delivered and what was counted agree exactly.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/vec.h"

#define BATCH_FIRST 256
#define BATCH_MAX   65536
#define ADDRS_MAX   (16u << 20)
#define STACKS_MAX  (1u << 20)

static bool stack_has_id(const void *arg, uint32_t i, const void *key)
{
	const struct drain *drain = arg;

	return !memcmp(&drain->stacks[i].id, key, sizeof(struct pp_stack_id));
}

static void drain__clear(struct drain *self)
{
	free(self->counts);
	free(self->stacks);
	free(self->addrs);
	hash_index__clear(&self->by_id);
	for (size_t i = 0; i < self->early_cnt; i++)
		free(self->early[i]);
	free(self->early);
	memset(self, 0, sizeof(*self));
}

typedef int (*take_fn)(struct drain *self, const void *key, const void *value);

static int take_count(struct drain *self, const void *key, const void *value)
{
	int err = vec_room(self->counts, self->count_cnt + 1, self->count_cap, STACKS_MAX);

	if (!err)
		memcpy(&self->counts[self->count_cnt++], value, sizeof(*self->counts));
	return err;
}

static int take_stack(struct drain *self, const void *key, const void *value, uint32_t frames_max)
{
	const struct pp_stack_large *stack = value; /* smaller classes begin alike */
	const struct pp_stack_id *id = key;
	uint32_t depth = min_of(stack->head.depth, frames_max);
	int err;

	err = vec_room(self->stacks, self->stack_cnt + 1, self->stack_cap, STACKS_MAX);
	if (!err)
		err = vec_room(self->addrs, self->addr_cnt + depth, self->addr_cap, ADDRS_MAX);
	if (err)
		return err;
	memcpy(self->addrs + self->addr_cnt, stack->frames, depth * sizeof(*self->addrs));
	self->stacks[self->stack_cnt] = (struct drained_stack){
		.id = *id,
		.first = self->addr_cnt,
		.depth = depth,
	};
	self->addr_cnt += depth;
	return hash_index__add(&self->by_id, id->lo, self->stack_cnt++);
}

static int take_small(struct drain *self, const void *key, const void *value)
{
	return take_stack(self, key, value, PP_CLASS_SMALL);
}

static int take_medium(struct drain *self, const void *key, const void *value)
{
	return take_stack(self, key, value, PP_CLASS_MEDIUM);
}

static int take_large(struct drain *self, const void *key, const void *value)
{
	return take_stack(self, key, value, PP_CLASS_LARGE);
}

struct batch {
	int fd;
	size_t key_bytes;
	size_t value_bytes;
	take_fn take;
};

/*
 * Takes a map's entries away in batches. The kernel answers -ENOENT together with the last entries, and
 * -ENOSPC when one hash bucket exceeds the batch: then a larger batch goes on from the same place.
 */
static int drain__map(struct drain *self, const struct batch *batch)
{
	uint32_t size = BATCH_FIRST, position, *in = NULL;
	_auto_free_ char *keys = NULL;
	_auto_free_ char *values = NULL;
	size_t key_cap = 0, value_cap = 0;

	for (;;) {
		uint32_t cnt = size;
		int err = vec_reserve((void **)&keys, batch->key_bytes, size, &key_cap, BATCH_MAX);
		int end;

		if (!err)
			err = vec_reserve((void **)&values, batch->value_bytes, size, &value_cap,
					  BATCH_MAX);
		if (err)
			return err;
		end = bpf_map_lookup_and_delete_batch(batch->fd, in, &position, keys, values, &cnt,
						      NULL);
		if (end && errno == ENOSPC && !cnt && size < BATCH_MAX) {
			size *= 2;
			continue;
		}
		if (end && errno != ENOENT)
			return -errno;
		for (uint32_t i = 0; i < cnt && !err; i++)
			err = batch->take(self, keys + i * batch->key_bytes,
					  values + i * batch->value_bytes);
		if (err || end)
			return err;
		in = &position;
	}
}

static int drain__maps(struct drain *self)
{
	const struct generation_maps *maps = &self->collect->maps[self->generation];
	const struct batch batches[] = {
		{ maps->counts_fd, sizeof(struct pp_count_key), sizeof(struct pp_count),
		  take_count },
		{ maps->stacks_fd[CLASS_SMALL], sizeof(struct pp_stack_id),
		  sizeof(struct pp_stack_small), take_small },
		{ maps->stacks_fd[CLASS_MEDIUM], sizeof(struct pp_stack_id),
		  sizeof(struct pp_stack_medium), take_medium },
		{ maps->stacks_fd[CLASS_LARGE], sizeof(struct pp_stack_id),
		  sizeof(struct pp_stack_large), take_large },
	};
	int err = 0;

	hash_index__init(&self->by_id, stack_has_id, self);
	for (size_t i = 0; i < ARRAY_SIZE(batches) && !err; i++)
		err = drain__map(self, &batches[i]);
	return err;
}

/* On a worker: touches the drain and the maps only. */
static void run_on_worker(void *arg)
{
	struct drain *self = arg;

	if (!self->collect->tuning.skip_wait)
		self->err = counters__wait_left(self->collect);
	self->waited_ns = clock_mono_ns();
	if (!self->err)
		self->err = drain__maps(self);
}

static const struct drained_stack *find_stack(const struct drain *self,
					      const struct pp_stack_id *id)
{
	uint32_t i;

	return hash_index__find(&self->by_id, id->lo, id, &i) ? NULL : &self->stacks[i];
}

static bool stack_id__is_none(const struct pp_stack_id *id)
{
	return !id->lo && !id->hi;
}

static void deliver_count(const struct drain *self, const struct pp_count *from)
{
	const struct drained_stack *user = find_stack(self, &from->key.user_stack);
	const struct drained_stack *kernel = find_stack(self, &from->key.kernel_stack);
	const struct slot *slot = &self->collect->slots[from->key.slot % PP_SLOTS];
	struct collect_count count = {
		.key = &from->key,
		.tid = from->tid,
		.user_depth = user ? user->depth : 0,
		.kernel_depth = kernel ? kernel->depth : 0,
		.user_stored = user || stack_id__is_none(&from->key.user_stack),
		.kernel_stored = kernel || stack_id__is_none(&from->key.kernel_stack),
		.user_addrs = user ? self->addrs + user->first : NULL,
		.kernel_addrs = kernel ? self->addrs + kernel->first : NULL,
		.cnt = from->cnt,
		.until_ns = self->waited_ns,
	};

	if (self->slots >> from->key.slot % PP_SLOTS & 1)
		slot->ops.count(slot->ops.arg, &count);
}

/* Expected is what the events say; a sample at a drain's edge may fall to either side, so it is carried. */
static void settle_expected(struct slot *self, uint64_t expected, uint64_t enabled_ns)
{
	self->stats.expected += expected - self->expected_before;
	self->stats.enabled_ns += enabled_ns - self->enabled_before_ns;
	self->expected_before = expected;
	self->enabled_before_ns = enabled_ns;
}

static void deliver(struct collect *self, int err)
{
	struct drain *drain = &self->drain;

	ring__consume(self);
	if (!err)
		err = counters__settle(self, drain->generation, drain->slots);
	for (uint32_t s = 0; s < PP_SLOTS; s++)
		if (drain->slots >> s & 1)
			settle_expected(&self->slots[s], drain->expected[s], drain->enabled_ns[s]);
	for (size_t i = 0; i < drain->count_cnt; i++)
		deliver_count(drain, &drain->counts[i]);
}

/* Whoever is told may start, stop and drain from inside; a place is free when its run hears of its end. */
static void tell_drained(struct collect *self, int err, uint32_t slots, uint32_t last_slots)
{
	if (self->ops.drained)
		self->ops.drained(self->ops.arg, err);
	for (uint32_t s = 0; s < PP_SLOTS; s++) {
		struct slot *slot = &self->slots[s];
		bool is_last = last_slots >> s & 1;

		if (!(slots >> s & 1))
			continue;
		if (is_last) {
			slot->is_on = false;
			slot->is_stopping = false;
			filter__clear(self, s);
		}
		slot->ops.drained(slot->ops.arg, err, is_last);
	}
}

static uint32_t slots_stopping(const struct collect *self)
{
	uint32_t slots = 0;

	for (uint32_t s = 0; s < PP_SLOTS; s++)
		if (self->slots[s].is_stopping)
			slots |= 1u << s;
	return slots;
}

static void finish_on_loop(void *arg, int err)
{
	struct drain *self = arg;
	struct collect *collect = self->collect;
	uint32_t slots = self->slots, last_slots = self->last_slots;
	struct pp_rec_stack **early;
	size_t early_cnt;

	if (!err)
		err = self->err;
	deliver(collect, err);
	early = take_ptr(self->early);
	early_cnt = self->early_cnt;
	self->early_cnt = 0;
	drain__clear(self);
	collect->is_draining = false;
	tell_drained(collect, err, slots, last_slots);
	for (size_t i = 0; i < early_cnt; i++) {
		ring__deliver_early(collect, early[i]);
		free(early[i]);
	}
	free(early);
	if (slots_stopping(collect) &&
	    !collect->is_draining) /* asked to while this drain went on */
		drain__begin(collect);
}

static void read_expected(struct drain *self, uint32_t s)
{
	const struct slot *slot = &self->collect->slots[s];

	self->expected[s] = slot->is_stopping ? slot->final_expected : slot->expected_before;
	self->enabled_ns[s] = slot->is_stopping ? slot->final_enabled_ns : slot->enabled_before_ns;
	/*
	 * Reading asks each CPU, which answers when its program is done: another wait, which would hide
	 * a missing first one from the test that holds programs.
	 */
	if (!slot->is_stopping && !self->collect->tuning.hold_rounds)
		(void)perf_set__read(&slot->events, &self->enabled_ns[s], &self->expected[s],
				     slot->clock.period); /* failing leaves the last values */
}

int drain__begin(struct collect *self)
{
	struct drain *drain = &self->drain;
	struct pp_run *run = object__run(self);
	int err;

	self->is_draining = true;
	self->wants_drain = false;
	memset(drain, 0, sizeof(*drain));
	drain->collect = self;
	drain->last_slots = slots_stopping(self);
	drain->generation = run->generation;
	/* Full barrier: the counters that the worker reads next are as of after the flip. */
	__atomic_store_n(&run->generation, !drain->generation, __ATOMIC_SEQ_CST);
	for (uint32_t s = 0; s < PP_SLOTS; s++)
		if (self->slots[s].is_on) {
			drain->slots |= 1u << s;
			read_expected(drain, s);
		}
	err = work__submit(self->loop, run_on_worker, finish_on_loop, drain);
	if (err && drain->last_slots)
		/* whoever stops waits for its end: it comes, with what was drained before */
		finish_on_loop(drain, err);
	else if (err)
		self->is_draining = false;
	return err;
}

/* Entries that an earlier run left (skip_wait only); nothing is attached now. */
void drain__discard(struct collect *self)
{
	for (uint32_t g = 0; g < PP_GENERATIONS; g++) {
		struct drain drain = { .collect = self, .generation = g };

		(void)drain__maps(&drain); /* what cannot be read cannot be stale either */
		drain__clear(&drain);
	}
}

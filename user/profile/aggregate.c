/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Find or add: each distinct module, process, frame, stack and sample exists once, so a profile's size
 * follows the variety of what ran, not the number of samples. Every function leaves the profile as it
 * was when it fails. Order of ids is order of arrival; encoders sort.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "pp/base/err.h"
#include "pp/base/vec.h"

#define HASH_SEED 0x70756c736570726full

struct stack_key {
	const uint32_t *frames;
	uint32_t depth;
	uint32_t kernel_depth;
};

static bool process_eq(const void *arg, uint32_t id, const void *key)
{
	const struct profile_process *have = &((const struct profile *)arg)->processes[id];
	const struct profile_process *want = key;

	return have->pid == want->pid && have->exec_id == want->exec_id &&
	       have->start_boottime_ns == want->start_boottime_ns;
}

static bool frame_eq(const void *arg, uint32_t id, const void *key)
{
	const struct profile_frame *have = &((const struct profile *)arg)->frames[id];
	const struct profile_frame *want = key;

	return have->off == want->off && have->module == want->module && have->kind == want->kind &&
	       have->is_return == want->is_return && have->is_guessed == want->is_guessed;
}

static bool stack_eq(const void *arg, uint32_t id, const void *key)
{
	const struct profile *profile = arg;
	const struct profile_stack *have = &profile->stacks[id];
	const struct stack_key *want = key;

	return have->depth == want->depth && have->kernel_depth == want->kernel_depth &&
	       (!want->depth || !memcmp(profile->stack_frames + have->first, want->frames,
					want->depth * sizeof(*want->frames)));
}

static bool sample_eq(const void *arg, uint32_t id, const void *key)
{
	const struct profile_sample *have = &((const struct profile *)arg)->samples[id];
	const struct profile_sample *want = key;

	return have->stack == want->stack && have->process == want->process &&
	       have->thread_name == want->thread_name && have->end == want->end &&
	       have->cgroup_id == want->cgroup_id;
}

void profile_build__init(struct profile_build *self, const struct profile *profile)
{
	hash_index__init(&self->processes, process_eq, profile);
	hash_index__init(&self->frames, frame_eq, profile);
	hash_index__init(&self->stacks, stack_eq, profile);
	hash_index__init(&self->samples, sample_eq, profile);
}

void profile_build__clear(struct profile_build *self)
{
	hash_index__clear(&self->processes);
	hash_index__clear(&self->frames);
	hash_index__clear(&self->stacks);
	hash_index__clear(&self->samples);
}

/* Is there room for one more thing? Arrays double, so the limit may be passed by one doubling. */
static int check_size(const struct profile *self)
{
	return profile__bytes(self) >= PROFILE_BYTES_MAX ? -E2BIG : 0;
}

int profile__module(struct profile *self, const char *path, const char *build_id,
		    uint32_t *ret_module)
{
	struct profile_build *build = self->build;
	struct profile_module key = { .code_off = UINT64_MAX };
	int err;

	err = profile__string(self, path, &key.path);
	if (!err)
		err = profile__string(self, build_id, &key.build_id);
	if (err)
		return err;
	err = check_size(self);
	if (!err)
		err = vec_room(self->modules, self->module_cnt + 1, build->module_cap,
			       PROFILE_BYTES_MAX / sizeof(key));
	if (err)
		return err;
	self->modules[self->module_cnt] = key;
	*ret_module = self->module_cnt++;
	return 0;
}

int profile__process(struct profile *self, uint32_t pid, uint32_t exec_id,
		     uint64_t start_boottime_ns, const char *comm, uint32_t *ret_process)
{
	struct profile_build *build = self->build;
	struct profile_process key = { .pid = pid,
				       .exec_id = exec_id,
				       .start_boottime_ns = start_boottime_ns };
	uint64_t hash =
		hash_u64((uint64_t)pid << 32 | exec_id, hash_u64(start_boottime_ns, HASH_SEED));
	int err;

	if (!hash_index__find(&build->processes, hash, &key, ret_process))
		return 0;
	err = check_size(self);
	if (!err)
		err = profile__string(self, comm, &key.name);
	if (!err)
		err = vec_room(self->processes, self->process_cnt + 1, build->process_cap,
			       PROFILE_BYTES_MAX / sizeof(key));
	if (!err)
		err = hash_index__add(&build->processes, hash, self->process_cnt);
	if (err)
		return err;
	self->processes[self->process_cnt] = key;
	*ret_process = self->process_cnt++;
	return 0;
}

int profile__frame(struct profile *self, enum profile_frame_kind kind, uint32_t module,
		   uint64_t off, uint32_t flags, uint32_t *ret_frame)
{
	struct profile_build *build = self->build;
	struct profile_frame key = {
		.kind = kind,
		.is_return = (flags & PROFILE_FRAME_RETURN) != 0,
		.is_guessed = (flags & PROFILE_FRAME_GUESSED) != 0,
		.module = module,
		.off = off,
	};
	uint64_t hash =
		hash_u64(off, hash_u64((uint64_t)module << 16 | key.kind << 8 | flags, HASH_SEED));
	int err;

	pp_assert(module < self->module_cnt);
	if (!hash_index__find(&build->frames, hash, &key, ret_frame))
		return 0;
	err = check_size(self);
	if (!err)
		err = vec_room(self->frames, self->frame_cnt + 1, build->frame_cap,
			       PROFILE_BYTES_MAX / sizeof(key));
	if (!err)
		err = hash_index__add(&build->frames, hash, self->frame_cnt);
	if (err)
		return err;
	self->frames[self->frame_cnt] = key;
	*ret_frame = self->frame_cnt++;
	return 0;
}

int profile__stack(struct profile *self, const uint32_t *frames, uint32_t depth,
		   uint32_t kernel_depth, uint32_t *ret_stack)
{
	struct profile_build *build = self->build;
	struct stack_key key = { .frames = frames, .depth = depth, .kernel_depth = kernel_depth };
	uint64_t hash;
	int err;

	if (depth > PROFILE_DEPTH_MAX)
		return -E2BIG;
	pp_assert(kernel_depth <= depth);
	for (uint32_t i = 0; i < depth; i++)
		pp_assert(frames[i] < self->frame_cnt);
	hash = hash_bytes(frames, depth * sizeof(*frames), HASH_SEED + kernel_depth);
	if (!hash_index__find(&build->stacks, hash, &key, ret_stack))
		return 0;
	err = check_size(self);
	if (!err)
		err = vec_room(self->stack_frames, self->stack_frame_cnt + depth,
			       build->stack_frame_cap, PROFILE_BYTES_MAX / sizeof(*frames));
	if (!err)
		err = vec_room(self->stacks, self->stack_cnt + 1, build->stack_cap,
			       PROFILE_BYTES_MAX / sizeof(*self->stacks));
	if (!err)
		err = hash_index__add(&build->stacks, hash, self->stack_cnt);
	if (err)
		return err;
	if (depth)
		memcpy(self->stack_frames + self->stack_frame_cnt, frames, depth * sizeof(*frames));
	self->stacks[self->stack_cnt].first = self->stack_frame_cnt;
	self->stacks[self->stack_cnt].depth = depth;
	self->stacks[self->stack_cnt].kernel_depth = kernel_depth;
	self->stack_frame_cnt += depth;
	*ret_stack = self->stack_cnt++;
	return 0;
}

static int find_or_add_sample(struct profile *self, const struct profile_sample *key,
			      uint32_t *ret_sample)
{
	struct profile_build *build = self->build;
	uint64_t hash = hash_u64((uint64_t)key->process << 32 | key->stack, HASH_SEED);
	int err;

	hash = hash_u64((uint64_t)key->thread_name << 32 | key->end,
			hash_u64(key->cgroup_id, hash));
	if (!hash_index__find(&build->samples, hash, key, ret_sample))
		return 0;
	err = check_size(self);
	if (!err)
		err = vec_room(self->samples, self->sample_cnt + 1, build->sample_cap,
			       PROFILE_BYTES_MAX / sizeof(*key));
	if (!err)
		err = hash_index__add(&build->samples, hash, self->sample_cnt);
	if (err)
		return err;
	self->samples[self->sample_cnt] = *key;
	*ret_sample = self->sample_cnt++;
	return 0;
}

int profile__add(struct profile *self, uint32_t process, const char *thread_name,
		 uint64_t cgroup_id, uint32_t stack, enum profile_stack_end end, uint64_t weight)
{
	struct profile_sample key = {
		.process = process, .stack = stack, .end = end, .cgroup_id = cgroup_id
	};
	uint32_t sample;
	int err;

	pp_assert(process < self->process_cnt && stack < self->stack_cnt && end < STACK_END_CNT);
	if (!weight)
		return 0;
	err = profile__string(self, thread_name, &key.thread_name);
	if (!err)
		err = find_or_add_sample(self, &key, &sample);
	if (err)
		return err;
	self->samples[sample].weight += weight;
	self->processes[process].weight += weight;
	return 0;
}

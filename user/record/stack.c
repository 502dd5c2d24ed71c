/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One count's addresses become frames {module, offset}, and how its stack ended: the only place where the
 * kernel's view and the profile's meet. The kernel says under which epoch it walked, and whether the
 * mappings may have changed since they were read; then a frame stands only if it is the same code in the
 * mappings of that epoch and in those read next, up to after the sample. Never a guess: what is doubtful is cut, and
 * the end says so. Not here: names, and what only they can tell (symbol).
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#include "pp/base/cleanup.h"

_Static_assert(STACK_FRAMES_MAX <= PROFILE_DEPTH_MAX, "a whole stack fits into a profile");

/* In which mappings a count's addresses are looked up. */
struct view {
	struct proc_id id;
	uint32_t tid;
	uint32_t epoch; /* 0: not told */
	bool is_doubted; /* later mappings must agree */
	bool is_stale; /* surely changed, and nobody could look after the sample */
	uint64_t now_ns;
};

static void view__init(struct view *self, struct window *window, const struct collect_count *count,
		       uint64_t now_ns)
{
	const struct pp_sample_key *key = count->key;
	uint32_t tag = key->maps & (PP_MAPS_MAYBE | PP_MAPS_CHANGED);
	bool is_changed = tag & PP_MAPS_CHANGED;

	*self = (struct view){
		.id = proc_id_of(&key->proc),
		.tid = count->tid,
		.epoch = key->maps >> 2,
		.now_ns = now_ns,
	};
	/*
	 * A child that has its parent's image was walked by the parent's ranges. Its own maps say nothing
	 * here: it may have called exec before they were read.
	 */
	if (key->maps_tgid && !proc_table__latest(window->table, key->maps_tgid, &self->id)) {
		self->tid = key->maps_tgid;
		return;
	}
	self->is_doubted = tag != 0;
	if (tag && proc_table__verify(window->table, &self->id, self->tid, self->epoch, now_ns,
				      count->until_ns, is_changed) != 1)
		self->is_stale = is_changed;
}

static enum profile_stack_end end_of_walk(const struct collect_count *count)
{
	if (!count->user_stored)
		return STACK_END_NOT_STORED;
	switch (count->key->end & PP_END_MASK) {
	case PP_END_NO_USER: return STACK_END_NONE;
	case PP_END_FRAMES_MAX: return STACK_END_TRUNCATED;
	case PP_END_FAULT: return STACK_END_UNREADABLE;
	case PP_END_COMPLETE: return STACK_END_COMPLETE;
	case PP_END_NO_MAPPING: return STACK_END_NO_MAPPING;
	case PP_END_RULE: return STACK_END_NO_RULE;
	case PP_END_STACK_ORDER: return STACK_END_ORDER;
	default: return STACK_END_NO_FRAME_POINTER;
	}
}

/* Modules of profile and table have the same numbers: symbolization relies on it. */
static int module__sync(struct window *self)
{
	uint32_t ignored;
	int err = 0;

	while (!err && self->profile->module_cnt < proc_table__module_cnt(self->table))
		err = profile__module(
			self->profile,
			proc_table__module(self->table, self->profile->module_cnt)->path, "",
			&ignored);
	return err;
}

/* Never a guess: one frame without module. */
static int unknown_frame(struct window *self, uint32_t *ret_frame)
{
	return profile__frame(self->profile, FRAME_NATIVE, 0, 0, 0, ret_frame);
}

/* As proc_table__find_at. */
static int find_code(struct window *self, const struct view *view, uint64_t addr,
		     const struct mapping **ret_mapping)
{
	int err = proc_table__find_at(self->table, &view->id, view->epoch, view->is_doubted, addr,
				      ret_mapping);

	if (err == -ENOENT && !view->epoch &&
	    proc_table__refresh(self->table, &view->id, view->tid, view->now_ns) == 1)
		err = proc_table__find(self->table, &view->id, addr, ret_mapping);
	return err;
}

static int file_frame(struct window *self, const struct mapping *mapping, uint64_t addr,
		      uint32_t flags, uint32_t *ret_frame)
{
	struct profile_module *module = &self->profile->modules[mapping->module];

	module->code_off = min_of(module->code_off, mapping->off);
	return profile__frame(self->profile, FRAME_NATIVE, mapping->module,
			      mapping__addr_to_off(mapping, addr), flags, ret_frame);
}

/*
 * One user address. Returns 0, -ENOENT when it lies in no executable mapping (the address is no code),
 * -ESTALE when other code may have stood there.
 */
static int user_frame(struct window *self, const struct view *view, uint64_t addr, uint32_t flags,
		      bool *is_jit, uint32_t *ret_frame)
{
	const struct mapping *mapping;
	int err = find_code(self, view, addr, &mapping);

	if (err == -ESRCH) /* it had gone before its maps could be read */
		return unknown_frame(self, ret_frame);
	if (!err)
		err = module__sync(self);
	if (err)
		return err;
	switch (mapping->kind) {
	case MAPPING_FILE: return file_frame(self, mapping, addr, flags, ret_frame);
	case MAPPING_VDSO:
		return profile__frame(self->profile, FRAME_VDSO, mapping->module,
				      addr - mapping->start_addr, flags, ret_frame);
	case MAPPING_ANON:
		*is_jit = true;
		if (mapping->module) /* it may have a name in the process's own list */
			return profile__frame(self->profile, FRAME_ANON, mapping->module, addr,
					      flags & PROFILE_FRAME_RETURN, ret_frame);
		break;
	default: break;
	}
	return profile__frame(self->profile, FRAME_ANON, 0, 0, 0, ret_frame);
}

static int add_kernel_frames(struct window *self, const struct collect_count *count,
			     struct stack_build *stack)
{
	uint32_t depth = min_of(count->kernel_depth, (uint32_t)PP_KERNEL_FRAMES_MAX);
	int err = 0;

	for (uint32_t i = 0; i < depth && !err; i++)
		err = profile__frame(self->profile, FRAME_KERNEL, 0, count->kernel_addrs[i],
				     i > 0 ? PROFILE_FRAME_RETURN : 0,
				     &stack->frames[stack->depth++]);
	stack->kernel_depth = stack->depth;
	return err;
}

/*
 * What is known of the i-th frame. A walk without tables found all but the first by frame pointer. Two
 * libraries that take turns at an address may agree before and after a sample, and not in it: then the
 * symbols have to say whether a doubted frame is a return address. The outermost one of a whole stack (Go's
 * goexit) never was one.
 */
static uint32_t flags_of(const struct view *view, const struct collect_count *count, uint32_t i)
{
	uint64_t frame = count->user_addrs[i];
	bool is_bottom = i + 1 == count->user_depth &&
			 (count->key->end & PP_END_MASK) == PP_END_COMPLETE;

	if (i == 0 || frame & PP_FRAME_EXACT)
		return 0;
	if (frame & PP_FRAME_GUESSED || !view->epoch || (view->is_doubted && !is_bottom))
		return PROFILE_FRAME_RETURN | PROFILE_FRAME_GUESSED;
	return PROFILE_FRAME_RETURN;
}

/* Why the stack is cut at the i-th frame. A frame pointer that is none leads to numbers that are no code. */
static enum profile_stack_end end_of_cut(int err, uint32_t flags)
{
	if (err == -ESTALE)
		return STACK_END_STALE;
	return flags & PROFILE_FRAME_GUESSED ? STACK_END_BAD_RETURN : STACK_END_NO_MAPPING;
}

static int add_user_frames(struct window *self, const struct collect_count *count,
			   const struct view *view, struct stack_build *stack, bool *is_jit)
{
	uint32_t depth = min_of(count->user_depth, (uint32_t)PP_USER_FRAMES_MAX);

	for (uint32_t i = 0; i < depth; i++) {
		uint64_t frame = count->user_addrs[i];
		uint32_t flags = flags_of(view, count, i);
		int err = user_frame(self, view, frame & PP_FRAME_ADDR, flags, is_jit,
				     &stack->frames[stack->depth]);

		if (err == -ESTALE || (err == -ENOENT && i > 0))
			stack->end = end_of_cut(err, flags);
		if (i > 0 && (err == -ESTALE || err == -ENOENT))
			return 0;
		/* The CPU was at the first one, whatever it is. */
		if (err == -ENOENT || err == -ESTALE)
			err = unknown_frame(self, &stack->frames[stack->depth]);
		if (err)
			return err;
		stack->depth++;
		if (stack->end == STACK_END_STALE)
			return 0;
	}
	return 0;
}

/* What is said about the walk goes before how it ended. */
static enum profile_stack_end judge(enum profile_stack_end end, const struct collect_count *count,
				    bool is_stale, bool is_jit)
{
	uint32_t walk = count->key->end;

	if (end == STACK_END_NONE || end == STACK_END_NOT_STORED)
		return end;
	if (is_jit || walk & PP_WALK_JIT)
		return end == STACK_END_COMPLETE && !is_stale ? STACK_END_JIT : STACK_END_JIT_CUT;
	if (is_stale)
		return STACK_END_STALE;
	if (walk & PP_WALK_ABSENT && end != STACK_END_STALE)
		return STACK_END_NOT_LOADED;
	return end;
}

int stack__build(struct window *window, const struct collect_count *count, uint64_t now_ns,
		 struct stack_build *stack)
{
	struct view view;
	bool is_jit = false;
	int err;

	stack->depth = 0;
	stack->end = end_of_walk(count);
	view__init(&view, window, count, now_ns);
	err = add_kernel_frames(window, count, stack);
	if (!err)
		err = add_user_frames(window, count, &view, stack, &is_jit);
	stack->end = judge(stack->end, count, view.is_stale, is_jit);
	return err;
}

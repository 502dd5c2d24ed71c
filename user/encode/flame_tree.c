/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All samples merged into one tree, as a flame graph shows it. Boxes are merged by what they show (text,
 * kind, module), not by address. A stack that could not be walked to its end gets a note between thread
 * and first frame, so that a broken stack never passes for one that starts there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/hash.h"
#include "pp/base/intern.h"
#include "pp/base/vec.h"
#include "pp/profile.h"

#define NODES_MAX (64u << 20)
#define NO_NODE	  UINT32_MAX

/* A node while the tree grows. */
struct growing_node {
	uint32_t parent;
	uint32_t name;
	uint64_t value;
};

struct growing_tree {
	const struct profile *profile; /* borrowed */
	struct intern *names;
	uint32_t *frame_names; /* of each frame of the profile */
	uint32_t *first_module; /* of each path: the module that stands for all with this path */
	struct growing_node *nodes; /* 0 is the root; a parent stands before its children */
	uint32_t node_cnt;
	size_t node_cap;
	struct hash_index index;
	struct buf text;
};

static bool node_eq(const void *arg, uint32_t id, const void *key)
{
	const struct growing_node *have = &((const struct growing_tree *)arg)->nodes[id];
	const struct growing_node *want = key;

	return have->parent == want->parent && have->name == want->name;
}

static void growing_tree__clear(struct growing_tree *self)
{
	hash_index__clear(&self->index);
	intern__free(self->names);
	free(self->frame_names);
	free(self->first_module);
	free(self->nodes);
	buf__clear(&self->text);
}

static int add_name(struct growing_tree *self, const char *text, size_t len, char kind,
		    uint32_t module, uint32_t *ret_name)
{
	buf__reset(&self->text);
	visible_text__append(&self->text, text, len);
	buf__printf(&self->text, "\x01%c\x01%u", kind, module);
	if (self->text.err)
		return self->text.err;
	return intern__add(self->names, self->text.data, self->text.len, ret_name);
}

static char kind_of(const struct profile_frame *frame)
{
	if (frame->kind == FRAME_KERNEL)
		return FLAME_KERNEL;
	if (frame->kind == FRAME_NOTE)
		return FLAME_NOTE;
	return frame->name ? FLAME_NATIVE : FLAME_UNKNOWN;
}

/* Two files of one path (in two containers, or before and after an upgrade) look alike to a reader. */
static int find_first_modules(struct growing_tree *self)
{
	const struct profile *profile = self->profile;

	self->first_module = calloc(intern__cnt(profile->strings), sizeof(*self->first_module));
	if (!self->first_module)
		return -ENOMEM;
	for (uint32_t i = profile->module_cnt; i-- > 0;)
		self->first_module[profile->modules[i].path] = i;
	return 0;
}

static int name_frames(struct growing_tree *self)
{
	const struct profile *profile = self->profile;
	char text[ENCODE_TEXT_BYTES];
	int err = 0;

	self->frame_names = calloc((size_t)profile->frame_cnt + 1, sizeof(*self->frame_names));
	if (!self->frame_names)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->frame_cnt && !err; i++) {
		const struct profile_frame *frame = &profile->frames[i];

		profile_frame__text(profile, i, text, sizeof(text));
		err = add_name(self, text, strlen(text), kind_of(frame),
			       self->first_module[profile->modules[frame->module].path],
			       &self->frame_names[i]);
	}
	return err;
}

/* Steps from *node to its child of that name, made if needed, and adds to the child's value. */
static int descend(struct growing_tree *self, uint32_t *node, uint32_t name, uint64_t value)
{
	struct growing_node key = { .parent = *node, .name = name };
	uint64_t hash = hash_u64((uint64_t)key.parent << 32 | key.name, 0);
	int err;

	if (hash_index__find(&self->index, hash, &key, node)) {
		err = vec_room(self->nodes, self->node_cnt + 1, self->node_cap, NODES_MAX);
		if (!err)
			err = hash_index__add(&self->index, hash, self->node_cnt);
		if (err)
			return err;
		self->nodes[self->node_cnt] = key;
		*node = self->node_cnt++;
	}
	self->nodes[*node].value += value;
	return 0;
}

static const char *note_of(const struct profile_sample *sample, const struct profile_stack *stack)
{
	switch (sample->end) {
	case STACK_END_NO_FRAME_POINTER: return "[no frame pointer]";
	case STACK_END_TRUNCATED: return "[stack deeper than the limit]";
	case STACK_END_UNREADABLE: return "[stack memory unreadable]";
	case STACK_END_BAD_RETURN: return "[bad return address]";
	case STACK_END_NOT_STORED: return "[stack not stored]";
	case STACK_END_JIT_CUT: return "[incomplete, through JIT code]";
	case STACK_END_NOT_LOADED: return "[unwind table not loaded yet]";
	case STACK_END_NO_MAPPING: return "[caller in an unknown mapping]";
	case STACK_END_NO_RULE: return "[no unwind rule]";
	case STACK_END_ORDER: return "[stack out of order]";
	case STACK_END_STALE: return "[mappings changed meanwhile]";
	default: return stack->depth ? NULL : "[no stack]";
	}
}

static int descend_text(struct growing_tree *self, uint32_t *node, const char *text, size_t len,
			char kind, uint64_t value)
{
	uint32_t name;
	int err = add_name(self, text, len, kind, 0, &name);

	return err ? err : descend(self, node, name, value);
}

static int descend_string(struct growing_tree *self, uint32_t *node, uint32_t id, char kind,
			  uint64_t value)
{
	const struct intern *strings = self->profile->strings;

	return descend_text(self, node, intern__str(strings, id), intern__len(strings, id), kind,
			    value);
}

static int add_sample(struct growing_tree *self, const struct profile_sample *sample)
{
	const struct profile *profile = self->profile;
	const struct profile_stack *stack = &profile->stacks[sample->stack];
	const uint32_t *frames = profile->stack_frames + stack->first;
	uint32_t container = profile->processes[sample->process].container;
	const char *note = note_of(sample, stack);
	uint32_t node = 0;
	int err = 0;

	self->nodes[0].value += sample->weight;
	if (container)
		err = descend_string(self, &node, container, FLAME_CONTAINER, sample->weight);
	if (!err)
		err = descend_string(self, &node, sample->thread_name, FLAME_THREAD,
				     sample->weight);
	if (!err && note)
		err = descend_text(self, &node, note, strlen(note), FLAME_NOTE, sample->weight);
	for (uint32_t i = stack->depth; i-- > 0 && !err;)
		err = descend(self, &node, self->frame_names[frames[i]], sample->weight);
	return err;
}

static int grow(struct growing_tree *self)
{
	uint32_t root_name;
	int err;

	hash_index__init(&self->index, node_eq, self);
	buf__init(&self->text, 16 * ENCODE_TEXT_BYTES);
	err = intern__new(&self->names, ENCODE_SCRATCH_BYTES);
	if (!err)
		err = find_first_modules(self);
	if (!err)
		err = name_frames(self);
	if (!err)
		err = add_name(self, "all", 3, FLAME_ROOT, 0, &root_name);
	if (!err)
		err = vec_room(self->nodes, 1, self->node_cap, NODES_MAX);
	if (err)
		return err;
	self->nodes[0] = (struct growing_node){ .parent = NO_NODE, .name = root_name };
	self->node_cnt = 1;
	for (uint32_t i = 0; i < self->profile->sample_cnt && !err; i++)
		err = add_sample(self, &self->profile->samples[i]);
	return err;
}

/* The least weight with which at most node_max nodes stay. A child never outweighs its parent. */
static uint64_t find_min_value(const struct growing_tree *self, uint32_t node_max,
			       uint32_t *ret_kept)
{
	for (uint64_t min_value = 1;; min_value += min_value / 4 + 1) {
		uint32_t kept = 0;

		for (uint32_t i = 0; i < self->node_cnt; i++)
			kept += !i || self->nodes[i].value >= min_value;
		if (kept <= node_max || kept == 1) {
			*ret_kept = kept;
			return min_value;
		}
	}
}

static int compare_siblings(const void *a, const void *b, void *arg)
{
	const struct growing_tree *tree = arg;
	const struct growing_node *x = &tree->nodes[*(const uint32_t *)a];
	const struct growing_node *y = &tree->nodes[*(const uint32_t *)b];

	if (x->parent != y->parent)
		/* NO_NODE wraps to 0: the root comes first. */
		return x->parent + 1 < y->parent + 1 ? -1 : 1;
	return strcmp(intern__str(tree->names, x->name), intern__str(tree->names, y->name));
}

/* Writes the kept nodes in preorder. order: kept ids by (parent, name), so that siblings are adjacent. */
static int write_preorder(const struct growing_tree *tree, const uint32_t *order, uint32_t kept,
			  struct flame_node *ret_nodes)
{
	_auto_free_ uint32_t *first = calloc(tree->node_cnt, sizeof(*first));
	_auto_free_ uint32_t *cnt = calloc(tree->node_cnt, sizeof(*cnt));
	_auto_free_ uint32_t *todo = calloc(kept, sizeof(*todo));
	uint32_t todo_cnt = 0, written = 0;

	if (!first || !cnt || !todo)
		return -ENOMEM;
	for (uint32_t i = kept; i-- > 1;) {
		first[tree->nodes[order[i]].parent] = i;
		cnt[tree->nodes[order[i]].parent]++;
	}
	todo[todo_cnt++] = 0;
	while (todo_cnt) {
		uint32_t id = todo[--todo_cnt];

		ret_nodes[written++] = (struct flame_node){ .name = tree->nodes[id].name,
							    .child_cnt = cnt[id],
							    .value = tree->nodes[id].value };
		for (uint32_t i = cnt[id]; i-- > 0;)
			todo[todo_cnt++] = order[first[id] + i];
	}
	return 0;
}

/* Texts of boxes that are left out go too: they may be most of the page. */
static int drop_unused_names(struct flame_node *nodes, uint32_t cnt, const struct intern *from,
			     struct intern **ret_names)
{
	_auto_free_ uint32_t *new_ids = calloc(intern__cnt(from), sizeof(*new_ids));
	struct intern *names = NULL;
	int err = new_ids ? intern__new(&names, ENCODE_SCRATCH_BYTES) : -ENOMEM;

	for (uint32_t i = 0; i < cnt && !err; i++) {
		uint32_t *new_id = &new_ids[nodes[i].name];

		if (!*new_id)
			err = intern__add(names, intern__str(from, nodes[i].name),
					  intern__len(from, nodes[i].name), new_id);
		nodes[i].name = *new_id;
	}
	if (err) {
		intern__free(names);
		return err;
	}
	*ret_names = names;
	return 0;
}

int flame_tree__build(struct flame_tree *self, const struct profile *profile, uint32_t node_max)
{
	__cleanup(growing_tree__clear) struct growing_tree tree = { .profile = profile };
	_auto_free_ struct flame_node *nodes = NULL;
	_auto_free_ uint32_t *order = NULL;
	struct intern *names = NULL;
	uint32_t kept, n = 0;
	uint64_t min_value;
	int err = grow(&tree);

	if (err)
		return err;
	min_value = find_min_value(&tree, node_max, &kept);
	order = calloc(kept, sizeof(*order));
	nodes = calloc(kept, sizeof(*nodes));
	if (!order || !nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree.node_cnt; i++) {
		if (!i || tree.nodes[i].value >= min_value)
			order[n++] = i;
	}
	qsort_r(order, kept, sizeof(*order), compare_siblings, &tree);
	err = write_preorder(&tree, order, kept, nodes);
	if (!err)
		err = drop_unused_names(nodes, kept, tree.names, &names);
	if (err)
		return err;
	*self = (struct flame_tree){ .names = names,
				     .nodes = take_ptr(nodes),
				     .node_cnt = kept,
				     .hidden_cnt = tree.node_cnt - kept,
				     .min_value = min_value };
	return 0;
}

void flame_tree__clear(struct flame_tree *self)
{
	intern__free(self->names);
	free(self->nodes);
	*self = (struct flame_tree){ 0 };
}

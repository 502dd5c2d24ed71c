/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables as a whole: their life, their clock, what programs ask for. What is kept of processes,
 * executables, windows and rules stands in files of these names; tables.h says what holds for all of them.
 */
#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GENERATION_NS 10000000000ull

static int init_all(struct unwind_tables *self)
{
	int err;

	err = executables__init(&self->executables);
	if (!err)
		err = rules__init(&self->rules, self->memory.rules);
	if (!err)
		err = processes__init(self);
	if (err)
		return err;
	windows__init(self);
	self->pages = calloc(PP_DIR_MAX, sizeof(*self->pages));
	return self->pages ? 0 : -ENOMEM;
}

int unwind_tables__new(struct loop *loop, const struct sysroot *root,
		       const struct unwind_memory *memory, const struct unwind_options *options,
		       struct unwind_tables **ret_tables)
{
	struct unwind_tables *tables = calloc(1, sizeof(*tables));
	int err;

	if (!tables)
		return -ENOMEM;
	tables->loop = loop;
	tables->root = root;
	tables->memory = *memory;
	tables->bytes_max = options->bytes_max;
	tables->ahead_bytes_max = options->ahead_bytes_max;
	err = init_all(tables);
	if (!err)
		err = jobs__init(tables, options);
	if (err) {
		unwind_tables__free(tables);
		return err;
	}
	*ret_tables = tables;
	return 0;
}

void unwind_tables__free(struct unwind_tables *self)
{
	if (!self)
		return;
	if (self->pages) /* else nothing was ever shown */
		unwind_tables__drop_all(self);
	jobs__clear(self);
	executables__clear(&self->executables);
	rules__clear(&self->rules);
	processes__clear(self);
	free(self->pages);
	free(self);
}

void tables__advance_generation(struct unwind_tables *self)
{
	uint32_t *generation = &self->memory.tables->generation;

	__atomic_store_n(generation, *generation + 1, __ATOMIC_RELEASE);
}

static void note_stack(struct unwind_tables *self, const struct proc_id *id, uint32_t tid,
		       uint64_t sp)
{
	for (uint32_t i = 0; i < self->stack_cnt; i++)
		if (self->stacks[i].tid == tid && memcmp(&self->stacks[i].id, id, sizeof(*id)) == 0)
			return;
	if (self->stack_cnt < STACKS_MAX) /* else the next sample asks */
		self->stacks[self->stack_cnt++] = (struct stack_request){ *id, tid, sp };
}

void unwind_tables__want_page(struct unwind_tables *self, uint32_t dir_index,
			      const struct proc_id *id, uint32_t tid, uint64_t sp)
{
	if (dir_index >= PP_DIR_MAX || self->pages[dir_index].state != PAGE_ABSENT)
		return;
	pages__queue(self, dir_index);
	if (self->pages[dir_index].state == PAGE_QUEUED && sp)
		note_stack(self, id, tid, sp);
	jobs__start(self);
}

void unwind_tables__settled(struct unwind_tables *self)
{
	(void)extents__settled(&self->ranges);
	(void)extents__settled(&self->rules.ids);
	windows__settled(self);
	/*
	 * Nobody follows the old ranges any more. What the rule cache learned from them bears a generation of
	 * before now; whoever may still have read that has ended when the slice leaves its quarantine.
	 */
	if (extents__settled(&self->executables.dir))
		tables__advance_generation(self);
}

void unwind_tables__tick(struct unwind_tables *self, uint64_t now_ns)
{
	uint64_t passed_ns = self->now_ns && now_ns > self->now_ns ? now_ns - self->now_ns : 0;

	self->now_ns = now_ns;
	if (now_ns - self->advanced_at_ns >= GENERATION_NS) {
		self->advanced_at_ns = now_ns;
		tables__advance_generation(self);
	}
	windows__tick(self, passed_ns);
	executables__tick(self, passed_ns);
	jobs__start(self);
}

void unwind_tables__drop_all(struct unwind_tables *self)
{
	executables__reset(self);
	processes__reset(self);
	windows__clear(self);
	rules__reset(&self->rules);
	tables__advance_generation(self);
	self->stack_cnt = 0;
}

void unwind_tables__stats(const struct unwind_tables *self, struct unwind_stats *ret_stats)
{
	*ret_stats = self->stats;
	ret_stats->files = self->executables.cnt;
	ret_stats->processes = (uint32_t)self->process_cnt;
	ret_stats->rules = self->rules.by_rule.cnt;
	ret_stats->part_bytes = (uint64_t)self->windows.part_cnt * PP_PART_WORDS * 4;
}

int unwind_tables__each_file(const struct unwind_tables *self,
			     int (*fn)(void *arg, const struct unwind_loaded_file *file), void *arg)
{
	int err = 0;

	for (uint32_t i = 1; i <= EXECUTABLES_MAX && !err; i++) {
		const struct executable *executable = self->executables.at[i];
		struct unwind_loaded_file file;

		if (!executable)
			continue;
		file = (struct unwind_loaded_file){ .path = executable->path,
						    .build_id = executable->build_id,
						    .dir_at = executable->dir_at,
						    .page_cnt = executable->page_cnt,
						    .range_cnt = executable->ref_cnt };
		for (uint32_t k = executable->dir_at; k < executable->dir_at + executable->page_cnt;
		     k++) {
			const struct page *page = &self->pages[k];

			file.hits += self->memory.dir[k].hits;
			if (page->state != PAGE_LOADED)
				continue;
			file.pages_loaded++;
			file.rows += page->row_cnt;
			file.bytes += rows_to_units(page->row_cnt) * PP_UNIT_WORDS * 4;
		}
		err = fn(arg, &file);
	}
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Between what programs ask for and the tables they walk by: a process's mappings are read and become its
 * ranges, a page of code becomes rows. How often a process may ask follows from what the last reading
 * brought: soon again after a change, hardly ever if it only maps data. Knows no rows and no maps files.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/hash.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/base/sysroot.h"
#include "pp/base/vec.h"
#include "pp/collect_tables.h"
#include "pp/unwind_tables.h"

#define ASK_MS_MIN     2 /* a young process is being put together by its loader */
#define ASK_MS_MAX     1600
#define PROCESSES_MAX  32768
#define PROCESSES_MANY 2048 /* from here on those that have gone are looked for */
#define LOOK_PART      16 /* so many of all in a second */
#define IDLE_MS	       600000

/* A process in the kernel's table. */
struct walked {
	struct pp_proc_id id;
	struct pp_mm mm; /* before its ranges were read */
	uint32_t epoch; /* 0: has none */
	uint32_t ask_ms;
	uint32_t window; /* last one it was sampled in */
};

struct unwinder {
	const struct sysroot *root; /* borrowed */
	struct collect *collect; /* borrowed */
	struct unwind_tables *tables; /* NULL: frame pointers only */
	int tables_err; /* why: -errno */
	struct loop_timer *idle;
	struct walked *rows;
	size_t cnt;
	size_t cap;
	struct hash_index by_id;
	uint32_t window;
	size_t looked; /* row at which looking for gone ones goes on */
};

static bool is_same_id(const void *arg, uint32_t i, const void *key)
{
	const struct unwinder *self = arg;

	return !memcmp(&self->rows[i].id, key, sizeof(struct pp_proc_id));
}

static uint64_t hash_id(const struct pp_proc_id *id)
{
	return hash_bytes(id, sizeof(*id), 0);
}

static void drop_all(struct unwinder *self);

static void on_idle(void *arg)
{
	drop_all(arg);
}

/* Always some profile: without tables by frame pointers, and the summary says why. */
static void make_tables(struct unwinder *self, struct loop *loop,
			const struct record_options *options)
{
	struct unwind_options unwind_options = unwind_options__default(self->root);
	struct collect_tables kernel;
	struct unwind_memory memory;

	self->tables_err = collect_tables__get(self->collect, &kernel);
	if (self->tables_err) /* frame pointers only: collect has said why */
		return;
	memory = (struct unwind_memory){
		.dir = kernel.dir,
		.rules = kernel.rules,
		.ranges = kernel.ranges,
		.tables = kernel.tables,
		.make_part = collect_tables__make_part,
		.drop_part = collect_tables__drop_part,
		.arg = self->collect,
	};
	unwind_options.cache_dir = options->cache_dir;
	self->tables_err =
		unwind_tables__new(loop, self->root, &memory, &unwind_options, &self->tables);
	if (self->tables_err)
		log_warn("record: no unwind tables: %s, frame pointers only",
			 errname(self->tables_err));
	else
		kernel.tables->on = 1;
}

int unwinder__new(struct loop *loop, const struct sysroot *root, struct collect *collect,
		  const struct record_options *options, struct unwinder **ret_unwinder)
{
	struct unwinder *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	self->root = root;
	self->collect = collect;
	self->window = 1;
	hash_index__init(&self->by_id, is_same_id, self);
	err = loop_timer__new(loop, on_idle, self, &self->idle);
	if (err) {
		unwinder__free(self);
		return err;
	}
	make_tables(self, loop, options);
	*ret_unwinder = self;
	return 0;
}

void unwinder__free(struct unwinder *self)
{
	if (!self)
		return;
	unwind_tables__free(self->tables);
	loop_timer__free(self->idle);
	hash_index__clear(&self->by_id);
	free(self->rows);
	free(self);
}

static void drop_row(struct unwinder *self, size_t i)
{
	struct walked *row = &self->rows[i], *last = &self->rows[self->cnt - 1];
	struct proc_id id = proc_id_of(&row->id);

	collect__drop_process(self->collect, &row->id);
	if (self->tables)
		unwind_tables__drop_process(self->tables, &id);
	pp_assert(!hash_index__del(&self->by_id, hash_id(&row->id), &row->id));
	if (row != last) {
		pp_assert(!hash_index__del(&self->by_id, hash_id(&last->id), &last->id));
		*row = *last;
		/* there is room: two have just been taken out */
		pp_assert(!hash_index__add(&self->by_id, hash_id(&row->id), (uint32_t)i));
	}
	self->cnt--;
}

static void drop_all(struct unwinder *self)
{
	while (self->cnt)
		drop_row(self, self->cnt - 1);
	if (self->tables)
		unwind_tables__drop_all(self->tables);
}

void unwinder__begin(struct unwinder *self)
{
	loop_timer__stop(self->idle);
}

void unwinder__end(struct unwinder *self)
{
	(void)loop_timer__start(self->idle, IDLE_MS, 0); /* one that exists does not fail */
}

static struct walked *find_or_add(struct unwinder *self, const struct pp_proc_id *id)
{
	uint32_t i;

	if (!hash_index__find(&self->by_id, hash_id(id), id, &i))
		return &self->rows[i];
	if (vec_room(self->rows, self->cnt + 1, self->cap, PROCESSES_MAX) ||
	    hash_index__add(&self->by_id, hash_id(id), (uint32_t)self->cnt))
		return NULL;
	self->rows[self->cnt] = (struct walked){ .id = *id, .ask_ms = ASK_MS_MIN };
	return &self->rows[self->cnt++];
}

/* The newest list of a process becomes its ranges in the kernel. */
static void publish(struct unwinder *self, struct proc_table *table, struct walked *row,
		    bool is_fresh)
{
	struct proc_id id = proc_id_of(&row->id);
	struct pp_proc_info info = { 0 };
	const struct mapping *mappings;
	uint32_t cnt;

	/* what is refused has no ranges, and is walked by frame pointers */
	if (self->tables && !proc_table__mappings(table, &id, &mappings, &cnt) &&
	    !unwind_tables__set_process(self->tables, &id, mappings, cnt, table, &info))
		proc_table__set_epoch(table, &id, info.epoch);
	if (is_fresh && self->tables && info.epoch != row->epoch)
		row->ask_ms = ASK_MS_MIN;
	else if (is_fresh)
		row->ask_ms = min_of(2 * row->ask_ms, (uint32_t)ASK_MS_MAX);
	row->epoch = info.epoch;
	info.mm = row->mm;
	info.ask_ms = row->ask_ms;
	(void)collect__put_process(self->collect, &row->id, &info); /* -ENOENT: announced anew */
}

/*
 * The record's mm was seen before the maps were read: if they changed in between, the next sample tells it
 * from what it sees then. Maps that were not read now are published with the mm of their reading.
 */
void unwinder__process(struct unwinder *self, struct proc_table *table,
		       const struct pp_rec_proc *proc)
{
	struct proc_id id = proc_id_of(&proc->proc);
	const struct mapping *mappings;
	struct walked *row;
	uint32_t cnt;
	int done;

	if (proc_table__mappings(table, &id, &mappings, &cnt))
		done = proc_table__note(table, &id, proc->tid) ?: 1;
	else
		done = proc_table__refresh(table, &id, proc->tid, clock_mono_ns());
	row = find_or_add(self, &proc->proc);
	if (!row)
		return;
	row->window = self->window;
	if (done < 0 || (done == 0 && proc->why != PP_ASK_NEW))
		return;
	if (done == 1)
		row->mm = proc->mm;
	publish(self, table, row, done == 1);
}

void unwinder__page(struct unwinder *self, const struct pp_rec_page *page)
{
	struct proc_id id = proc_id_of(&page->proc);

	if (self->tables)
		unwind_tables__want_page(self->tables, page->dir_index, &id, page->tid, page->sp);
}

void unwinder__drained(struct unwinder *self)
{
	if (self->tables)
		unwind_tables__settled(self->tables);
}

/*
 * Many short-lived processes within one window would fill the kernel's table. What is not found is asked of
 * /proc, some at a time: a reused pid stays until the window's end.
 */
static void drop_gone(struct unwinder *self)
{
	struct proc_stat stat;

	if (self->cnt < PROCESSES_MANY)
		return;
	for (size_t left = self->cnt / LOOK_PART; left; left--) {
		if (self->looked >= self->cnt)
			self->looked = 0;
		if (proc__stat(self->root, self->rows[self->looked].id.tgid, &stat) == -ENOENT)
			drop_row(self, self->looked);
		else
			self->looked++;
	}
}

void unwinder__tick(struct unwinder *self)
{
	drop_gone(self);
	if (self->tables)
		unwind_tables__tick(self->tables, clock_mono_ns());
}

void unwinder__mark(const struct unwinder *self, struct unwinder_mark *ret_mark)
{
	struct unwind_stats now;

	memset(ret_mark, 0, sizeof(*ret_mark));
	ret_mark->window = self->window;
	ret_mark->tables.off_err = self->tables_err;
	if (!self->tables)
		return;
	unwind_tables__stats(self->tables, &now);
	ret_mark->tables = (struct profile_tables){
		.on = true,
		.files = now.files,
		.pages = now.pages_loaded,
		.rows = now.rows,
		.bytes = now.bytes,
		.kernel_bytes = now.part_bytes,
		.pages_converted = now.pages_converted,
		.pages_from_cache = now.pages_from_cache,
		.pages_evicted = now.pages_evicted,
		.pages_failed = now.pages_failed,
		.pages_refused = now.pages_refused,
		.ranges_refused = now.ranges_refused,
		.rules_refused = now.rules_refused,
		.convert_ns = now.convert_ns,
	};
}

void unwinder__end_window(struct unwinder *self, const struct unwinder_mark *begin,
			  uint32_t oldest_window, struct profile_tables *ret_tables)
{
	const struct profile_tables *before = &begin->tables;
	struct unwinder_mark now;

	unwinder__mark(self, &now);
	now.tables.pages_converted -= before->pages_converted;
	now.tables.pages_from_cache -= before->pages_from_cache;
	now.tables.pages_evicted -= before->pages_evicted;
	now.tables.pages_failed -= before->pages_failed;
	now.tables.pages_refused -= before->pages_refused;
	now.tables.ranges_refused -= before->ranges_refused;
	now.tables.rules_refused -= before->rules_refused;
	now.tables.convert_ns -= before->convert_ns;
	*ret_tables = now.tables;
	for (size_t i = self->cnt; i-- > 0;)
		if (self->rows[i].window < oldest_window)
			drop_row(self, i);
	self->window++;
}

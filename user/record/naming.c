/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Closed windows on their way to their callers: each is named on a worker, one at a time whosever it is, and
 * given in the order in which they were closed. Sampling goes on meanwhile. Knows no run.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/reader.h"
#include "pp/symbol.h"
#include "pp/symbol_cache.h"
#include "pp/symbol_debuginfod.h"

struct closed {
	struct closed *next;
	struct naming *naming;
	struct window window;
	void *arg;
	bool is_last;
	int err;
	int kernel_err; /* why kernel frames have no names */
};

struct naming {
	struct loop *loop; /* borrowed */
	const struct sysroot *root; /* borrowed */
	naming_fn fn;
	struct container_names *container_names; /* borrowed; may be NULL */
	struct debuginfod *debuginfod; /* borrowed; may be NULL */
	struct reader *reader; /* NULL: files are read here */
	symbol_run_fn run; /* who is asked: the reader, or a cache before it; NULL: nobody */
	void *run_arg;
	struct symbol_cache *cache; /* NULL: none */
	struct closed *first; /* the one being named */
	struct closed **tail;
};

static void name_next(struct naming *self);

static void name_on_worker(void *arg)
{
	struct closed *self = arg;
	struct reader *reader = self->naming->reader;

	work__be_patient(); /* the run may go on, and names take seconds */
	self->err = symbolize__profile(self->window.profile, self->window.table, self->naming->root,
				       self->naming->run, self->naming->run_arg, &self->kernel_err);
	if (reader)
		reader__rest(reader);
}

/* A later window has the names of what is fetched meanwhile. */
static void want_debug_files(const struct naming *self, const struct profile *profile)
{
	uint32_t last = 0;

	for (uint32_t i = 0; self->debuginfod && i < profile->frame_cnt; i++) {
		const struct profile_frame *frame = &profile->frames[i];
		uint32_t build_id = profile->modules[frame->module].build_id;

		if (frame->name || frame->unnamed != UNNAMED_STRIPPED || !build_id ||
		    build_id == last)
			continue;
		last = build_id;
		debuginfod__want(self->debuginfod, intern__str(profile->strings, build_id));
	}
}

static void give(void *arg, int err)
{
	struct closed *self = arg;
	struct naming *naming = self->naming;
	struct profile *profile = take_ptr(self->window.profile);
	void *fn_arg = self->arg;
	bool is_last = self->is_last;

	if (self->err)
		err = self->err;
	if (self->kernel_err)
		log_debug("record: no kernel names: %s", errname(self->kernel_err));
	if (!err)
		want_debug_files(naming, profile);
	if (!err)
		err = profile__name_containers(profile, naming->container_names);
	if (!err)
		err = profile__check(profile);
	if (err)
		profile__free(take_ptr(profile));
	naming->first = self->next;
	if (!naming->first)
		naming->tail = &naming->first;
	window__clear(&self->window);
	free(self);
	naming->fn(fn_arg, err, profile, is_last);
	name_next(naming);
}

static void name_next(struct naming *self)
{
	struct closed *next = self->first;
	int err;

	if (!next)
		return;
	err = next->err ?: work__submit(self->loop, name_on_worker, give, next);
	if (err)
		give(next, err);
}

static int open_reader(struct naming *self, const struct record_options *options)
{
	int err = reader__new(&self->reader);

	if (!err)
		err = reader__use_debug_dir(self->reader, options->debug_dir);
	self->run = reader__run;
	self->run_arg = self->reader;
	if (err || !options->symbol_cache_bytes)
		return err;
	err = symbol_cache__new(reader__run, self->reader, options->symbol_cache_bytes,
				&self->cache);
	if (!err)
		err = symbol_cache__use_dir(self->cache, options->symbol_cache_dir);
	self->run = symbol_cache__run;
	self->run_arg = self->cache;
	return err;
}

int naming__new(struct loop *loop, const struct sysroot *root, const struct record_options *options,
		naming_fn fn, struct naming **ret_naming)
{
	struct naming *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	if (options->has_reader && open_reader(self, options)) {
		symbol_cache__free(self->cache);
		reader__free(self->reader);
		free(self);
		return -ENOMEM;
	}
	self->debuginfod = options->debuginfod;
	self->loop = loop;
	self->root = root;
	self->container_names = options->container_names;
	self->fn = fn;
	self->tail = &self->first;
	*ret_naming = self;
	return 0;
}

void naming__free(struct naming *self)
{
	if (!self)
		return;
	pp_assert(!self->first); /* a worker would write into freed memory */
	symbol_cache__free(self->cache);
	reader__free(self->reader);
	free(self);
}

int naming__add(struct naming *self, struct window *window, int err, void *arg, bool is_last)
{
	struct closed *closed = calloc(1, sizeof(*closed));

	if (!closed)
		return -ENOMEM;
	*closed = (struct closed){
		.naming = self, .window = *window, .arg = arg, .is_last = is_last, .err = err
	};
	memset(window, 0, sizeof(*window));
	*self->tail = closed;
	self->tail = &closed->next;
	if (self->first == closed)
		name_next(self);
	return 0;
}

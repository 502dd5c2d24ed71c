/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a worker does for the tables, one job at a time: the other worker stays free for the waits of drains.
 * In a job the stacks are read that pages were asked for with (they tell which pages the next job is to make),
 * and files that may be the same are compared, or else pages are made, many at a time: on a busy machine what
 * costs is not the work, but to wait for a CPU, here and on the loop. Results are published on the loop, and
 * only where they still belong.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/loop.h"
#include "pp/base/sysroot.h"
#include "pp/metrics.h"
#include "pp/proc_memory.h"
#include "tables.h"

#define JOB_PAGES_MAX	64
#define JOB_SHARE_MAX	32 /* of one executable */
#define STACK_WORDS_MAX (STACK_BYTES / 8)

/* Kept from job to job. Counted on the loop, the rest is the worker's. */
struct reader {
	uint32_t ref_cnt;
	const struct sysroot *root; /* borrowed until the loop's end */
	char *cache_dir; /* NULL: no cache */
	uint64_t cache_bytes_max;
	struct unwind_cache *cache;
};

struct job_page {
	struct source *source;
	uint64_t serial; /* of the executable */
	uint32_t dir_index;
	uint64_t page;
	struct unwind_page *result;
	int err;
	bool from_cache;
};
struct job_stack {
	struct stack_request request;
	uint32_t word_cnt;
	uint64_t words[STACK_WORDS_MAX];
};
struct job {
	struct unwind_tables *tables; /* loop only; NULL: nobody wants the results any more */
	struct reader *reader;
	uint64_t convert_ns;
	struct source *pair[2]; /* to be compared, or NULL */
	uint64_t pair_serials[2];
	uint16_t pair_ids[2];
	bool pair_is_equal;
	uint32_t page_cnt;
	struct job_page pages[JOB_PAGES_MAX];
	uint32_t stack_cnt;
	struct job_stack stacks[]; /* STACKS_MAX, if there are any */
};

static void reader__unref(struct reader *self)
{
	if (!self || --self->ref_cnt > 0)
		return;
	unwind_cache__close(self->cache);
	free(self->cache_dir);
	free(self);
}

int jobs__init(struct unwind_tables *tables, const struct unwind_options *options)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->ref_cnt = 1;
	reader->root = tables->root;
	reader->cache_bytes_max = options->cache_bytes_max;
	tables->reader = reader;
	if (!options->cache_dir)
		return 0;
	reader->cache_dir = strdup(options->cache_dir);
	return reader->cache_dir ? 0 : -ENOMEM;
}

void jobs__clear(struct unwind_tables *tables)
{
	if (tables->job)
		tables->job->tables = NULL;
	tables->job = NULL;
	tables->stack_cnt = 0;
	reader__unref(tables->reader);
	tables->reader = NULL;
}

static void job__free(struct job *self)
{
	for (uint32_t i = 0; i < self->page_cnt; i++) {
		free(self->pages[i].result);
		source__unref(self->pages[i].source);
	}
	source__unref(self->pair[0]);
	source__unref(self->pair[1]);
	reader__unref(self->reader);
	free(self);
}

static int open_source(struct source *source, const struct sysroot *root)
{
	if (source->file || source->err)
		return source->err;
	if (source->memory) {
		source->err = unwind_file__from_memory(source->memory, source->memory_bytes,
						       &source->file);
		return source->err;
	}
	if (source->debug_fd < 0)
		source->debug_fd = unwind_debug__open(root, &source->identity.build_id);
	source->err = unwind_file__open(source->fd, max_of(source->debug_fd, -1), &source->file);
	return source->err;
}

/* Worker. */
static void convert(struct job_page *page, struct reader *reader)
{
	struct source *source = page->source;
	struct unwind_cache *cache = source->memory ? NULL : reader->cache;

	if (cache && !unwind_cache__get(cache, &source->identity, page->page, &page->result)) {
		page->from_cache = true;
		return;
	}
	page->err = open_source(source, reader->root);
	if (!page->err)
		page->err = unwind_file__page(source->file, page->page, &page->result);
	if (!page->err && !source__is_unchanged(source)) {
		free(take_ptr(page->result));
		page->err = -ESTALE;
	}
	if (!page->err && cache) /* not kept: only slower the next time */
		(void)unwind_cache__put(cache, &source->identity, page->page, page->result);
}

/* Worker. */
static void run(void *arg)
{
	struct job *job = arg;
	struct reader *reader = job->reader;
	uint64_t begin_ns = clock_mono_ns();
	size_t bytes;

	if (reader->cache_dir && !reader->cache && job->page_cnt > 0) {
		/* without a cache pages are made anew */
		if (unwind_cache__open(reader->cache_dir, reader->cache_bytes_max, &reader->cache))
			free(take_ptr(reader->cache_dir));
	}
	for (uint32_t i = 0; i < job->stack_cnt; i++) {
		struct job_stack *stack = &job->stacks[i];

		/* its process may have gone: then nothing is known ahead */
		if (!proc__read_memory(reader->root, stack->request.tid, stack->request.sp,
				       stack->words, STACK_BYTES, &bytes))
			stack->word_cnt = (uint32_t)(bytes / 8);
	}
	if (job->pair[0])
		job->pair_is_equal = source__equals(job->pair[0], job->pair[1]);
	for (uint32_t i = 0; i < job->page_cnt; i++)
		convert(&job->pages[i], reader);
	if (job->page_cnt > 0)
		job->convert_ns = clock_mono_ns() - begin_ns;
}

static void take_page(struct unwind_tables *tables, struct job_page *page)
{
	const struct executable *owner = executables__owner(&tables->executables, page->dir_index);

	if (!owner || owner->serial != page->serial ||
	    tables->pages[page->dir_index].state != PAGE_BUSY)
		return;
	if (page->err == -ECANCELED || page->err == -ENOMEM) { /* asked for again */
		tables->pages[page->dir_index].state = PAGE_ABSENT;
		return;
	}
	if (page->err) {
		tables->stats.pages_failed++;
		metric__add(METRIC_UNWIND_PAGES_FAILED, 1);
	} else {
		tables->stats.pages_converted += !page->from_cache;
		tables->stats.pages_from_cache += page->from_cache;
		metric__add(METRIC_UNWIND_PAGES_CONVERTED, !page->from_cache);
		metric__add(METRIC_UNWIND_PAGES_FROM_CACHE, page->from_cache);
	}
	windows__load(tables, page->dir_index, take_ptr(page->result));
}

static void take_pair(struct unwind_tables *tables, const struct job *job)
{
	struct executable *executable = tables->executables.at[job->pair_ids[0]];
	struct executable *twin = tables->executables.at[job->pair_ids[1]];

	if (!executable || executable->serial != job->pair_serials[0])
		return;
	executable->twin = 0;
	if (job->pair_is_equal && twin && twin->serial == job->pair_serials[1])
		executables__merge(tables, executable, twin);
}

static void done(void *arg, int err)
{
	struct job *job = arg;
	struct unwind_tables *tables = job->tables;

	if (tables) {
		tables->job = NULL;
		tables->stats.convert_ns += job->convert_ns;
		metric__add(METRIC_UNWIND_CONVERT_NS, job->convert_ns);
		for (uint32_t i = 0; i < job->page_cnt; i++) {
			if (err) /* it never ran */
				job->pages[i].err = err;
			take_page(tables, &job->pages[i]);
		}
		for (uint32_t i = 0; i < job->stack_cnt; i++)
			prefetch__words(tables, &job->stacks[i].request.id, job->stacks[i].words,
					job->stacks[i].word_cnt);
		if (job->pair[0])
			take_pair(tables, job);
		executables__close_files(tables, 0, 1);
	}
	job__free(job);
	if (tables && !err)
		jobs__start(tables);
}

static struct job *job__new(struct unwind_tables *tables)
{
	struct job *job = calloc(1, sizeof(*job) + tables->stack_cnt * sizeof(struct job_stack));

	if (!job)
		return NULL;
	job->tables = tables;
	job->reader = tables->reader;
	job->reader->ref_cnt++;
	return job;
}

static struct source *hold(struct source *source)
{
	source->ref_cnt++;
	source->idle_ticks = source->idle_jobs = 0;
	return source;
}

static bool add_stacks(struct unwind_tables *tables, struct job *job)
{
	for (uint32_t i = 0; i < tables->stack_cnt; i++)
		job->stacks[i].request = tables->stacks[i];
	job->stack_cnt = tables->stack_cnt;
	tables->stack_cnt = 0;
	return job->stack_cnt > 0;
}

static bool add_pair(struct unwind_tables *tables, struct job *job)
{
	struct executables *self = &tables->executables;

	for (uint32_t i = 1; i <= EXECUTABLES_MAX; i++) {
		struct executable *executable = self->at[i];
		struct executable *twin;

		if (!executable || !executable->twin || !executable->source)
			continue;
		twin = self->at[executable->twin];
		if (!twin || !twin->source || twin == executable) {
			executable->twin = 0;
			continue;
		}
		job->pair[0] = hold(executable->source);
		job->pair[1] = hold(twin->source);
		job->pair_ids[0] = executable->id;
		job->pair_ids[1] = twin->id;
		job->pair_serials[0] = executable->serial;
		job->pair_serials[1] = twin->serial;
		return true;
	}
	return false;
}

static void add_page(struct unwind_tables *tables, struct job *job,
		     const struct executable *executable, uint32_t dir_index)
{
	tables->pages[dir_index].state = PAGE_BUSY;
	job->pages[job->page_cnt++] = (struct job_page){
		.source = hold(executable->source),
		.serial = executable->serial,
		.dir_index = dir_index,
		.page = executable->first_page + dir_index - executable->dir_at,
	};
}

static void add_pages_of(struct unwind_tables *tables, struct job *job,
			 struct executable *executable)
{
	uint32_t most = min_of(job->page_cnt + JOB_SHARE_MAX, (uint32_t)JOB_PAGES_MAX);

	for (uint32_t i = 0; i < executable->page_cnt && job->page_cnt < most; i++) {
		uint32_t dir_index = executable->dir_at + i;

		if (executable->queued_cnt == 0)
			break;
		if (tables->pages[dir_index].state != PAGE_QUEUED)
			continue;
		executable->queued_cnt--;
		add_page(tables, job, executable, dir_index);
	}
}

/* Begins behind the executable that was served last: none can keep the others waiting. */
static bool add_pages(struct unwind_tables *tables, struct job *job)
{
	struct executables *self = &tables->executables;
	uint32_t first = self->served;

	for (uint32_t i = 1; i <= EXECUTABLES_MAX && job->page_cnt < JOB_PAGES_MAX; i++) {
		uint32_t at = (first + i - 1) % EXECUTABLES_MAX + 1;
		struct executable *executable = self->at[at];

		if (!executable || executable->queued_cnt == 0 || !executable->source)
			continue;
		add_pages_of(tables, job, executable);
		self->served = at;
	}
	return job->page_cnt > 0;
}

static bool add_pages_ahead(struct unwind_tables *tables, struct job *job)
{
	uint32_t dir_indexes[JOB_PAGES_MAX];
	uint32_t cnt = readahead__next(tables, dir_indexes, JOB_PAGES_MAX);

	for (uint32_t i = 0; i < cnt; i++)
		add_page(tables, job, executables__owner(&tables->executables, dir_indexes[i]),
			 dir_indexes[i]);
	return cnt > 0;
}

void jobs__start(struct unwind_tables *tables)
{
	bool has_work;
	struct job *job;

	if (tables->job)
		return;
	job = job__new(tables);
	if (!job)
		return;
	has_work = add_stacks(tables, job);
	has_work |= add_pair(tables, job) || add_pages(tables, job);
	if (!has_work && !add_pages_ahead(tables, job)) {
		job__free(job);
		return;
	}
	tables->job = job;
	if (work__submit(tables->loop, run, done, job))
		done(job, -ECANCELED);
}

void pages__queue(struct unwind_tables *tables, uint32_t dir_index)
{
	struct executable *owner = executables__owner(&tables->executables, dir_index);
	struct page *page = &tables->pages[dir_index];

	if (!owner || !owner->source || page->state != PAGE_ABSENT)
		return;
	page->state = PAGE_QUEUED;
	owner->queued_cnt++;
	owner->is_wanted = true;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_TABLES_PRIVATE_H
#define PP_UNWIND_TABLES_PRIVATE_H
/*
 * What the files of the table side share. Kernel programs read the memory at any time, so nothing that was
 * ever shown to them is used for something else before two calls of settled(): the first ends the programs
 * that saw it, the second those that had read the generation before it was advanced.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executable.h"
#include "extent.h"
#include "pp/unwind_tables.h"
#include "rules.h"
#include "windows.h"

#define RANGES_PER_PROCESS_MAX 4095 /* the program's search goes no further */
#define PROCESSES_MAX	       8192
#define STACKS_MAX	       8 /* waiting to be read */
#define STACK_BYTES	       16384

struct job;
struct reader;

/* Ranges in the kernel's memory, for all processes that have equal ones. */
struct range_list {
	uint64_t hash;
	uint32_t first;
	uint32_t cnt;
	uint32_t ref_cnt; /* 0: free */
};
struct process {
	struct proc_id id;
	uint32_t epoch;
	uint32_t list;
};

struct stack_request {
	struct proc_id id;
	uint32_t tid;
	uint64_t sp;
};

struct unwind_tables {
	struct loop *loop; /* these three borrowed */
	const struct sysroot *root;
	struct unwind_memory memory;
	uint64_t bytes_max;
	uint64_t ahead_bytes_max;
	uint64_t now_ns;
	uint64_t advanced_at_ns;

	struct rules rules;
	struct windows windows;
	struct page *pages; /* PP_DIR_MAX */

	struct executables executables;

	struct extents ranges;
	struct range_list *lists;
	size_t list_cnt;
	size_t list_cap;
	struct hash_index by_ranges;
	struct process *processes;
	size_t process_cnt;
	size_t process_cap;
	struct hash_index by_id;
	struct pp_range *built; /* the ranges of set_process, while it goes on */
	size_t built_cnt;
	size_t built_cap;

	struct reader *reader; /* what the worker keeps from job to job */
	struct job *job; /* under way, or NULL */
	struct stack_request stacks[STACKS_MAX];
	uint32_t stack_cnt;

	struct unwind_stats stats;
};

void tables__advance_generation(struct unwind_tables *self);

/* processes.c */
int processes__init(struct unwind_tables *tables);
void processes__clear(struct unwind_tables *tables);
void processes__reset(
	struct unwind_tables *tables); /* forgets all; the kernel's memory is all free */
const struct pp_range *processes__ranges(const struct unwind_tables *tables,
					 const struct proc_id *id, uint32_t *ret_cnt);
/* Every range that leads to one executable leads to the other from now on: their rows are equal. */
void processes__redirect(struct unwind_tables *tables, const struct executable *from,
			 struct executable *to);

/* jobs.c */
int jobs__init(struct unwind_tables *tables, const struct unwind_options *options);
void jobs__clear(struct unwind_tables *tables);
void jobs__start(
	struct unwind_tables *tables); /* if something is to be done and nothing is under way */

/*
 * readahead.c: up to max absent pages, to be loaded while nothing else is to be done. Returns how many.
 */
uint32_t readahead__next(struct unwind_tables *tables, uint32_t *ret_dir_indexes, uint32_t max);

/* prefetch.c: queues the absent pages that these words lead to. */
void prefetch__words(struct unwind_tables *tables, const struct proc_id *id, const uint64_t *words,
		     uint32_t word_cnt);
/* Marks a page as wanted, if it is absent. */
void pages__queue(struct unwind_tables *tables, uint32_t dir_index);

#endif

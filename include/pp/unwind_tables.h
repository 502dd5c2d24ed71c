/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_TABLES_H
#define PP_UNWIND_TABLES_H
/*
 * What is loaded in the kernel: which files have which slice of the directory, which pages have rows, which
 * process has which ranges; on demand, under a byte budget, least recently used first. Writes the kernel's
 * memory through pointers that collect mapped; knows no BPF. Pages are converted on a worker. Loop thread.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "pp/abi.h"
#include "pp/proc.h"
#include "pp/unwind.h"

struct loop;
struct sysroot;
struct unwind_tables;

/* The kernel's memory, mapped (borrowed until __free). Programs read it at any time. */
struct unwind_memory {
	struct pp_dir_entry *dir; /* PP_DIR_MAX; entry 0 stays unused */
	uint64_t *rules; /* PP_RULES_MAX; id 0 is PP_RULE_NONE */
	struct pp_range *ranges; /* PP_RANGES_MAX */
	struct pp_tables *tables; /* the generation that programs see */
	/* Makes a part of PP_PART_WORDS words and maps it. 0, -errno. Parts are never given back but by drop_part. */
	int (*make_part)(void *arg, uint32_t part, uint32_t **ret_words);
	void (*drop_part)(void *arg, uint32_t part);
	void *arg;
};

struct unwind_options {
	uint64_t bytes_max; /* parts, all files together */
	uint64_t ahead_bytes_max; /* pages that nobody asked for are loaded up to here; 0: none are */
	const char *cache_dir; /* borrowed; NULL: none */
	uint64_t cache_bytes_max;
};
/* 16 MiB, or a quarter of the memory cgroup's limit if that is less; no cache directory. */
struct unwind_options unwind_options__default(const struct sysroot *root);

/* root: borrowed until the loop's end, like what memory points to until __free. */
int unwind_tables__new(struct loop *loop, const struct sysroot *root,
		       const struct unwind_memory *memory, const struct unwind_options *options,
		       struct unwind_tables **ret_tables);
void unwind_tables__free(struct unwind_tables *self);

/*
 * Begins or replaces the ranges of a process. mappings: borrowed, ascending, executable ones; modules: where
 * their descriptors stand (duplicated if kept). ret_info: epoch, range_first, range_cnt, check are set; the
 * epoch is a new one only where the ranges differ from the last ones. The old ranges stay in the kernel's
 * memory until __settled. -ENOMEM, -ENOSPC: no room even after eviction (frame pointers then; counted).
 */
int unwind_tables__set_process(struct unwind_tables *self, const struct proc_id *id,
			       const struct mapping *mappings, uint32_t mapping_cnt,
			       const struct proc_table *modules, struct pp_proc_info *ret_info);
/* The process has gone or was not sampled for a window; unknown ones are ignored. */
void unwind_tables__drop_process(struct unwind_tables *self, const struct proc_id *id);

/*
 * A program asks for a page; sp: its thread's stack, which is searched for return addresses into pages that
 * are not loaded either (one round instead of one per frame).
 */
void unwind_tables__want_page(struct unwind_tables *self, uint32_t dir_index,
			      const struct proc_id *id, uint32_t tid, uint64_t sp);

/* No program that began before this call still runs: what was freed may be used again. After each drain. */
void unwind_tables__settled(struct unwind_tables *self);
/* Once a second while a run goes on; advances the generation each 10 s. */
void unwind_tables__tick(struct unwind_tables *self, uint64_t now_ns);
/* After ten idle minutes: gives all parts back. Only when no program is attached. */
void unwind_tables__drop_all(struct unwind_tables *self);

struct unwind_stats {
	uint32_t files;
	uint32_t processes;
	uint32_t ranges;
	uint32_t pages_loaded;
	uint32_t rules;
	uint64_t rows;
	uint64_t bytes; /* of windows in use, in whole units */
	uint64_t part_bytes; /* of the kernel's memory */
	uint64_t pages_converted;
	uint64_t pages_from_cache;
	uint64_t pages_evicted;
	uint64_t pages_failed; /* damaged, changed while read, or too many rows */
	uint64_t pages_refused; /* what is in use does not fit into bytes_max */
	uint64_t ranges_refused; /* no room: frame pointers only */
	uint64_t rules_refused;
	uint64_t convert_ns; /* worker time */
};
void unwind_tables__stats(const struct unwind_tables *self, struct unwind_stats *ret_stats);

/* A file and its slice of the directory. Strings are borrowed during the call. */
struct unwind_loaded_file {
	const char *path; /* as its first process saw it; hostile */
	struct elf_build_id build_id;
	uint32_t dir_at; /* directory index of the first page */
	uint32_t page_cnt; /* in the slice */
	uint32_t range_cnt; /* that lead here */
	uint32_t pages_loaded;
	uint64_t rows;
	uint64_t bytes;
	uint64_t hits; /* lookups that the rule cache did not answer */
};
/* 0, or fn's first non-zero. fn must not call the tables. */
int unwind_tables__each_file(const struct unwind_tables *self,
			     int (*fn)(void *arg, const struct unwind_loaded_file *file),
			     void *arg);

#endif

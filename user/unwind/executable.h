/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_EXECUTABLE_H
#define PP_UNWIND_EXECUTABLE_H
/*
 * Files with code, and their slices of the directory. A file is known by identity; an executable is what
 * files of equal contents share (the same image in many containers): one slice, one set of rows. Loop thread,
 * but for what a source says.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extent.h"
#include "pp/base/hash.h"
#include "pp/proc.h"
#include "pp/unwind.h"

#define EXECUTABLES_MAX	     1024
#define KNOWN_FILES_MAX	     4096
#define EXECUTABLE_PAGES_MAX (PP_DIR_MAX / 2) /* 1 GiB of code in one file */
#define CODE_PAGE_BYTES	     4096ull /* files are mapped in these */

struct unwind_tables;

/* What pages are made from. Counted on the loop; the rest is the worker's while a job that holds it runs. */
struct source {
	uint32_t ref_cnt;
	int fd; /* ours; -1: memory */
	void *memory; /* ours: the vdso */
	size_t memory_bytes;
	struct unwind_identity identity;
	uint32_t idle_ticks; /* since a job used it */
	uint32_t idle_jobs;

	int debug_fd;
	int err; /* of opening: not tried again */
	struct unwind_file *file; /* NULL: not open */
};
void source__unref(struct source *self); /* NULL is a no-op */
/* Is the file still the one that it was when it was opened? Any thread. */
bool source__is_unchanged(const struct source *self);
/* Do both files give the same rows? Compares what rows are made from. Worker. */
bool source__equals(const struct source *a, const struct source *b);

struct code_segment {
	uint64_t off;
	uint64_t bytes;
	uint64_t vaddr;
};
struct executable {
	uint64_t serial; /* never given to another one */
	uint16_t id;
	uint16_t twin; /* executable with the same build id, to be compared with; 0: none */
	uint32_t ref_cnt; /* ranges that lead here */
	uint32_t dir_at; /* its slice of the directory */
	uint32_t page_cnt;
	uint64_t first_page; /* vaddr >> 16 of the first */
	uint32_t queued_cnt; /* pages in state PAGE_QUEUED */
	bool is_wanted; /* somebody asked for one of its pages */
	uint32_t ahead; /* its pages before this one were loaded ahead, if they were absent */
	uint32_t rule_cnt; /* rules that it was the first to have */
	uint64_t used; /* executables.use when it was last mapped */
	uint64_t idle_ns; /* ticks without a range that leads here */
	struct source *source; /* NULL: closed */
	struct elf_build_id build_id;
	char *path;
	uint32_t segment_cnt;
	struct code_segment segments[]; /* executable ones, by file offset */
};
/* dir_first of ranges that lead here. */
static inline uint32_t executable__dir_first(const struct executable *self)
{
	return self->dir_at - (uint32_t)self->first_page;
}

struct known_file {
	struct unwind_identity identity;
	uint16_t executable; /* 0: no code that we could read */
	uint64_t used;
};
struct executables {
	struct extents dir;
	uint16_t *owners; /* directory index -> executable */
	struct executable *at[EXECUTABLES_MAX + 1];
	uint32_t cnt;
	uint16_t vdso; /* 0: not made yet */
	bool has_no_vdso;
	uint64_t use;
	uint64_t made;
	uint32_t served; /* whose pages went into the last job */
	struct known_file *known;
	size_t known_cnt;
	size_t known_cap;
	struct hash_index by_identity;
};

int executables__init(struct executables *self);
void executables__clear(struct executables *self); /* frees; the kernel's memory is left as it is */
void executables__reset(struct unwind_tables *tables); /* forgets all, pages too */
/*
 * The executable behind a file mapping or the vdso. NULL: frame pointers only; *ret_refused: because
 * there was no room. module: borrowed.
 */
struct executable *executables__find(struct unwind_tables *tables, const struct mapping *mapping,
				     const struct proc_module *module, bool *ret_refused);
static inline struct executable *executables__owner(const struct executables *self,
						    uint32_t dir_index)
{
	return self->at[self->owners[dir_index]];
}
/* The two were found equal: files and ranges lead to the other one, this one goes. */
void executables__merge(struct unwind_tables *tables, struct executable *self,
			struct executable *into);
/*
 * What a worker keeps of a file (headers, index of its CFI) is not kept for long, nor of many at a time.
 * Only while no job is under way; ticks, jobs: how many have passed since the last call.
 */
void executables__close_files(struct unwind_tables *tables, uint32_t ticks, uint32_t jobs);
/* Closes what nobody maps, and makes room for more before it is needed. */
void executables__tick(struct unwind_tables *tables, uint64_t passed_ns);

/* Facts of a file's code, read from its headers. */
int executable__new(struct source *source, struct executable **ret_executable);
void executable__free(struct executable *self);

#endif

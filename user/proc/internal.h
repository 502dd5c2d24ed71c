/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROC_INTERNAL_H
#define PP_PROC_INTERNAL_H
/*
 * The parts of a process table. The modules: one row and at most one open descriptor for each file (device and
 * inode), however many processes map it; row 0 is "none". The history of a process's mappings.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/base/hash.h"
#include "pp/proc.h"

#define MODULES_MAX    65536
#define MODULE_FDS_MAX 4096
#define ROOT_FDS_MAX   256

/* Root directories of processes: those of a host or a container share one. */
struct root_set {
	const struct sysroot *root; /* borrowed */
	struct process_root {
		uint64_t dev;
		uint64_t inode;
		int fd; /* O_PATH */
	} * rows;
	size_t cnt;
	size_t cap;
	uint32_t last_tid; /* 0: none; whose root is last_fd */
	int last_fd;
};
void root_set__clear(struct root_set *self);
/* The root of a task as a descriptor (borrowed), or -1: gone, no permission, too many. */
int root_set__note(struct root_set *self, uint32_t pid, uint32_t tid);
/* The same for one that another set has; fd may be -1. */
int root_set__adopt(struct root_set *self, int fd);

struct module_set {
	const struct sysroot *root; /* borrowed */
	struct root_set roots;
	struct proc_module *rows;
	size_t cnt;
	size_t cap;
	uint32_t open_cnt;
	struct hash_index by_file;
};

void module_set__init(struct module_set *self, const struct sysroot *root);
/* Closes every descriptor; self may be used again. */
void module_set__clear(struct module_set *self);
/*
 * Finds or adds the module of a mapping (FILE or VDSO), and opens its file through this process unless
 * an earlier one could. mapping->path: borrowed until __clear. Returns its row, or 0: none (-ENOMEM, too
 * many).
 */
uint32_t module_set__note(struct module_set *self, const struct mapping *mapping, uint32_t pid,
			  uint32_t tid);

/* The row of the code that a process made; 0: none. Its key is the process instead of a file. */
uint32_t module_set__of_process(struct module_set *self, const struct proc_id *id);
/* The mappings of a process were read: those that are anonymous code get the module of its code. */
void module_set__note_jit(struct module_set *self, const struct proc_id *id, uint32_t tid,
			  struct mapping *mappings, size_t cnt);
/* The same for mappings that another set's owner has read; from: the module there. */
void module_set__adopt_jit(struct module_set *self, const struct proc_id *id,
			   const struct proc_module *from, struct mapping *mappings, size_t cnt);

/* As __note, with the descriptor that another set has. */
uint32_t module_set__adopt(struct module_set *self, const struct mapping *mapping,
			   const struct proc_module *from);

/* A list of mappings: by address, not overlapping. */
struct maps_version {
	struct mapping *mappings;
	uint32_t cnt;
	uint32_t epoch_first; /* 0: none was set yet */
	uint32_t epoch_last;
	uint64_t read_at_ns; /* CLOCK_MONOTONIC, last time it was found so */
};
struct maps_history {
	struct maps_version *versions; /* oldest first */
	size_t cnt;
	size_t cap;
	size_t mapping_cnt; /* of all versions */
};

void maps_history__clear(struct maps_history *self);
/*
 * mappings is taken on success. room: how many mappings the history may hold, older versions give way.
 * 0, -E2BIG, -ENOMEM.
 */
int maps_history__add(struct maps_history *self, struct mapping *mappings, uint32_t cnt,
		      uint64_t read_at_ns, size_t room);
struct maps_version *maps_history__newest(const struct maps_history *self); /* NULL: none */
/* How far the versions go beyond the samples of an epoch. NEXT: to what came after it, at least nearly. */
enum maps_beyond { MAPS_NOTHING, MAPS_NEXT, MAPS_SURELY };
enum maps_beyond maps_history__beyond(const struct maps_history *self, uint32_t epoch);
/* As proc_table__find_at. */
int maps_history__find_at(const struct maps_history *self, uint32_t epoch, bool is_doubted,
			  uint64_t addr, const struct mapping **ret_mapping);
bool maps_version__is(const struct maps_version *version, const struct mapping *mappings,
		      uint32_t cnt);
const struct mapping *maps_version__find(const struct maps_version *self, uint64_t addr);

#endif

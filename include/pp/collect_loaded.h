/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_COLLECT_LOADED_H
#define PP_COLLECT_LOADED_H
/*
 * What a running daemon or recording has loaded to unwind one process: read from the maps that its programs
 * use, whoever loaded them. Changes nothing; what it reads may change meanwhile. Part of the door of collect.
 */
#include <stdint.h>

#include "pp/collect.h"

struct collect_loaded;

/*
 * Finds the process in the tables of any of our programs. start_ticks: field 22 of /proc/PID/stat.
 * -ENOENT: nobody samples it; -EPERM; -ENOMEM; -errno.
 */
int collect_loaded__open(uint32_t pid, uint64_t start_ticks, struct collect_loaded **ret_loaded);
void collect_loaded__close(struct collect_loaded *self);

/* As it was found: epoch 0 means that its ranges are still to come. */
const struct pp_proc_info *collect_loaded__process(const struct collect_loaded *self);
/* The range that holds addr. 0, -ENOENT. */
int collect_loaded__find(const struct collect_loaded *self, uint64_t addr,
			 struct pp_range *ret_range);

struct collect_loaded_page {
	bool is_loaded; /* its rows, or the knowledge that there are none */
	uint32_t rows;
	uint32_t bytes; /* of its window, in whole units */
	uint32_t hits; /* lookups that the rule cache did not answer */
};
/* The page of code at vaddr, of a range of kind PP_RANGE_TABLE. */
void collect_loaded__page(const struct collect_loaded *self, const struct pp_range *range,
			  uint64_t vaddr, struct collect_loaded_page *ret_page);

#endif

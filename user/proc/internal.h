/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROC_INTERNAL_H
#define PP_PROC_INTERNAL_H
/*
 * The modules of a process table: one row and at most one open descriptor for each file (device and
 * inode), however many processes map it. Row 0 is "none". Part of struct proc_table.
 */
#include <stddef.h>
#include <stdint.h>

#include "pp/base/hash.h"
#include "pp/proc.h"

#define MODULES_MAX    65536
#define MODULE_FDS_MAX 4096

struct module_set {
	const struct sysroot *root; /* borrowed */
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

#endif

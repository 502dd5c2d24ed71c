/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SYMBOL_H
#define PP_SYMBOL_H
/*
 * From addresses to names. Unknown stays unknown; nothing is guessed. The work on one file is a job with
 * a plain request and a plain result, so that it can move into a process of its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/elf.h"

struct sysroot;
struct profile;
struct proc_table;

/* Plain request: names for offsets in one file. */
struct symbol_request {
	int fd;		     /* borrowed; -1 with vdso set */
	bool vdso;	     /* our own vdso image instead of a file */
	const uint64_t *offs; /* file offsets, ascending, distinct; borrowed */
	uint32_t off_cnt;
};

/* Plain result. names[i] is an offset into text, 0 = unknown (text[0] is NUL). */
struct symbol_result {
	int err; /* 0, or why the file gave nothing: -EBADMSG, -EOPNOTSUPP, -errno */
	struct elf_build_id build_id;
	uint32_t *names;
	uint32_t name_cnt; /* = off_cnt */
	uint8_t *is_bottom; /* 1: offs[i] lies in a function where stacks truly end (_start, clone, clone3) */
	char *text;
	size_t text_bytes;
};
/* Worker or any thread. Returns 0 (look at ret_result->err) or -ENOMEM. */
int symbol_job__run(const struct symbol_request *request, struct symbol_result *ret_result);
void symbol_result__clear(struct symbol_result *self);

/* Kernel and module symbols, read when first needed. */
struct kallsyms;
/* Returns 0, -EPERM when the kernel shows only zeros (kptr_restrict), -errno. */
int kallsyms__load(const struct sysroot *root, struct kallsyms **ret_kallsyms);
void kallsyms__free(struct kallsyms *self);
/* 0 or -ENOENT; ret_name borrowed. */
int kallsyms__find(const struct kallsyms *self, uint64_t addr, const char **ret_name);

/*
 * Names every frame of the profile, sets the modules' build ids, and turns ends into COMPLETE where the
 * outermost user frame lies in a known bottom. profile modules and proc_table modules have the same
 * index. kallsyms may be NULL (kernel frames stay unknown). Worker: nothing else may use the profile or
 * clear the table meanwhile. Returns 0 or -ENOMEM.
 */
int symbolize__profile(struct profile *profile, const struct proc_table *table, const struct kallsyms *kallsyms);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_COLLECT_TABLES_H
#define PP_COLLECT_TABLES_H
/*
 * The kernel's side of the unwind tables: its memory, mapped, and the process table. Part of the door of
 * collect; loop thread only.
 */
#include "pp/collect.h"

/* Memory of the tables, mapped for writing; valid until collect__free. Parts are made by collect_tables__make_part. */
struct collect_tables {
	struct pp_dir_entry *dir; /* PP_DIR_MAX */
	uint64_t *rules; /* PP_RULES_MAX */
	struct pp_range *ranges; /* PP_RANGES_MAX */
	struct pp_tables *tables;
};
/* -errno: why the table walk is not loaded (-EOPNOTSUPP: it was not tried); frame pointers only. */
int collect_tables__get(struct collect *self, struct collect_tables *ret_tables);
/* arg is the struct collect. Makes, maps and publishes a part; drop_part unmaps and frees it. */
int collect_tables__make_part(void *arg, uint32_t part, uint32_t **ret_words);
void collect_tables__drop_part(void *arg, uint32_t part);

/* Writes one process's row; window is kept by the programs. -ENOENT: it was removed. */
int collect__put_process(struct collect *self, const struct pp_proc_id *proc,
			 const struct pp_proc_info *info);
void collect__drop_process(struct collect *self, const struct pp_proc_id *proc);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the mappings of a process to its ranges in the kernel's memory. Processes with equal ranges (forked
 * workers) share one list. A list is never changed while a program can see it, but for one number: which
 * slice of the directory a range leads to, where two slices are known to say the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/vec.h"
#include "pp/metrics.h"
#include "tables.h"

#define NO_LIST	    UINT32_MAX
#define BUILT_MAX   65536 /* ranges of one process before the surplus is cut */
#define BUILT_KEPT  256
#define RANGES_FEW  64 /* a process may always have so many; beyond it, once half are taken, */
#define RANGE_SHARE 64 /* this part of what is free */

struct range_key {
	const struct pp_range *ranges;
	uint32_t cnt;
	uint32_t list; /* NO_LIST: any equal one */
};

static bool is_same_list(const void *arg, uint32_t id, const void *key)
{
	const struct unwind_tables *tables = arg;
	const struct range_list *list = &tables->lists[id];
	const struct range_key *wanted = key;

	if (wanted->list != NO_LIST)
		return wanted->list == id;
	if (list->cnt != wanted->cnt || list->ref_cnt == 0)
		return false;
	return list->cnt == 0 || memcmp(&tables->memory.ranges[list->first], wanted->ranges,
					wanted->cnt * sizeof(struct pp_range)) == 0;
}

static bool is_same_process(const void *arg, uint32_t id, const void *key)
{
	const struct unwind_tables *tables = arg;

	return memcmp(&tables->processes[id].id, key, sizeof(struct proc_id)) == 0;
}

static uint64_t hash_id(const struct proc_id *id)
{
	return hash_u64(id->start_boottime_ns, hash_u64(id->exec_id, id->pid));
}

int processes__init(struct unwind_tables *tables)
{
	hash_index__init(&tables->by_ranges, is_same_list, tables);
	hash_index__init(&tables->by_id, is_same_process, tables);
	return extents__init(&tables->ranges, 0, PP_RANGES_MAX);
}

void processes__clear(struct unwind_tables *tables)
{
	hash_index__clear(&tables->by_ranges);
	hash_index__clear(&tables->by_id);
	extents__clear(&tables->ranges);
	free(take_ptr(tables->lists));
	free(take_ptr(tables->processes));
	free(take_ptr(tables->built));
	tables->list_cnt = tables->list_cap = 0;
	tables->process_cnt = tables->process_cap = 0;
	tables->built_cnt = tables->built_cap = 0;
	tables->stats.ranges = 0;
}

void processes__reset(struct unwind_tables *tables)
{
	struct extents ranges = tables->ranges;

	tables->ranges = (struct extents){ 0 };
	processes__clear(tables);
	extents__reset(&ranges, 0, PP_RANGES_MAX);
	tables->ranges = ranges;
}

static int add_range(struct unwind_tables *tables, const struct pp_range *range)
{
	struct pp_range *last = tables->built_cnt ? &tables->built[tables->built_cnt - 1] : NULL;
	int err;

	if (range->start_addr >= range->end_addr)
		return 0;
	if (last && last->end_addr > range->start_addr)
		return -EBADMSG;
	if (last && last->end_addr == range->start_addr && last->kind == range->kind &&
	    last->bias == range->bias && last->dir_first == range->dir_first) {
		last->end_addr = range->end_addr;
		return 0;
	}
	err = vec_room(tables->built, tables->built_cnt + 1, tables->built_cap, BUILT_MAX);
	if (!err)
		tables->built[tables->built_cnt++] = *range;
	return err;
}

/*
 * A mapping holds whole file pages. What belongs to a segment of code leads to the file's slice; the rest
 * (none, in what a loader makes) is code that the headers do not tell of. Where two segments meet in a file
 * page, it is the one's that begins where the mapping does.
 */
static int add_file(struct unwind_tables *tables, const struct mapping *mapping,
		    const struct executable *executable)
{
	uint64_t off = mapping->off, end = off + (mapping->end_addr - mapping->start_addr);
	struct pp_range range = { .start_addr = mapping->start_addr };
	uint32_t first = 0;
	int err = 0;

	for (uint32_t i = 0; i < executable->segment_cnt; i++)
		if ((executable->segments[i].off & ~(CODE_PAGE_BYTES - 1)) == off)
			first = i;
	for (uint32_t i = first; i < executable->segment_cnt && !err; i++) {
		const struct code_segment *segment = &executable->segments[i];
		uint64_t segment_end = (segment->off + segment->bytes - 1) | (CODE_PAGE_BYTES - 1);
		uint64_t low = max_of(off, segment->off & ~(CODE_PAGE_BYTES - 1));
		uint64_t high = min_of(end, segment_end + 1);

		if (low >= high)
			continue;
		range.kind = PP_RANGE_FP;
		range.bias = range.dir_first = 0;
		range.end_addr = mapping->start_addr + (low - mapping->off);
		err = add_range(tables, &range);
		range.kind = PP_RANGE_TABLE;
		range.dir_first = executable__dir_first(executable);
		range.bias = mapping->start_addr - (segment->vaddr - segment->off + mapping->off);
		range.start_addr = range.end_addr;
		range.end_addr = mapping->start_addr + (high - mapping->off);
		if (!err)
			err = add_range(tables, &range);
		range.start_addr = range.end_addr;
		off = high;
	}
	range.kind = PP_RANGE_FP;
	range.bias = range.dir_first = 0;
	range.end_addr = mapping->end_addr;
	return err ? err : add_range(tables, &range);
}

/* Files that no linker made but some just-in-time compilers map twice, to write one view and run the other. */
static bool is_jit_file(const struct mapping *mapping)
{
	return strncmp(mapping->path, "/memfd:", strlen("/memfd:")) == 0;
}

static int add_mapping(struct unwind_tables *tables, const struct mapping *mapping,
		       const struct proc_table *modules)
{
	struct pp_range range = { .start_addr = mapping->start_addr,
				  .end_addr = mapping->end_addr,
				  .kind = PP_RANGE_FP };
	const struct executable *executable = NULL;
	bool refused;

	if (mapping->kind == MAPPING_FILE || mapping->kind == MAPPING_VDSO) {
		executable = executables__find(
			tables, mapping, proc_table__module(modules, mapping->module), &refused);
		if (executable)
			return add_file(tables, mapping, executable);
		tables->stats.ranges_refused += refused;
		metric__add(METRIC_UNWIND_RANGES_REFUSED, refused);
	}
	if (mapping->kind == MAPPING_ANON ||
	    (mapping->kind == MAPPING_FILE && is_jit_file(mapping)))
		range.kind = PP_RANGE_JIT;
	return add_range(tables, &range);
}

/* JIT areas with nothing of a file between them become one, with the gaps: no code runs there. */
static void join_jit(struct unwind_tables *tables)
{
	size_t cnt = 0;

	for (size_t i = 0; i < tables->built_cnt; i++) {
		struct pp_range *last = cnt ? &tables->built[cnt - 1] : NULL;
		const struct pp_range *range = &tables->built[i];

		if (last && last->kind == PP_RANGE_JIT && range->kind == PP_RANGE_JIT)
			last->end_addr = range->end_addr;
		else
			tables->built[cnt++] = *range;
	}
	tables->built_cnt = cnt;
}

/*
 * Hostile processes have thousands of mappings: they may not take everybody's room. What is too much becomes
 * one range that is walked by frame pointer.
 */
static void cut_surplus(struct unwind_tables *tables)
{
	size_t most = RANGES_PER_PROCESS_MAX, free_cnt = extents__free_cnt(&tables->ranges);

	if (free_cnt < PP_RANGES_MAX / 2)
		most = max_of(free_cnt / RANGE_SHARE, (size_t)RANGES_FEW);
	if (tables->built_cnt <= most)
		return;
	join_jit(tables);
	if (tables->built_cnt <= most)
		return;
	tables->stats.ranges_refused += tables->built_cnt - most;
	metric__add(METRIC_UNWIND_RANGES_REFUSED, tables->built_cnt - most);
	tables->built[most - 1] = (struct pp_range){
		.start_addr = tables->built[most - 1].start_addr,
		.end_addr = tables->built[tables->built_cnt - 1].end_addr,
		.kind = PP_RANGE_FP,
	};
	tables->built_cnt = most;
}

static struct executable *owner_of(const struct unwind_tables *tables, const struct pp_range *range)
{
	uint64_t page = (range->start_addr - range->bias) >> PP_PAGE_SHIFT;

	if (range->kind != PP_RANGE_TABLE)
		return NULL;
	return executables__owner(&tables->executables,
				  (range->dir_first + (uint32_t)page) & (PP_DIR_MAX - 1));
}

static void count_refs(struct unwind_tables *tables, const struct range_list *list, int add)
{
	for (uint32_t i = list->first; i < list->first + list->cnt; i++) {
		struct executable *owner = owner_of(tables, &tables->memory.ranges[i]);

		if (owner)
			owner->ref_cnt += (uint32_t)add;
	}
}

static int add_list_row(struct unwind_tables *tables, uint32_t *ret_list)
{
	int err;

	for (uint32_t i = 0; i < tables->list_cnt; i++)
		if (tables->lists[i].ref_cnt == 0) {
			*ret_list = i;
			return 0;
		}
	err = vec_room(tables->lists, tables->list_cnt + 1, tables->list_cap, PROCESSES_MAX + 1);
	if (!err)
		*ret_list = (uint32_t)tables->list_cnt++;
	return err;
}

/* The list that holds what was built; counted. */
static int take_list(struct unwind_tables *tables, uint32_t *ret_list)
{
	struct range_key key = { tables->built, (uint32_t)tables->built_cnt, NO_LIST };
	size_t bytes = tables->built_cnt * sizeof(*tables->built);
	uint64_t hash = hash_bytes(tables->built, bytes, tables->built_cnt);
	uint32_t row, first = 0;
	int err;

	if (!hash_index__find(&tables->by_ranges, hash, &key, &row)) {
		tables->lists[row].ref_cnt++;
		*ret_list = row;
		return 0;
	}
	err = add_list_row(tables, &row);
	if (!err)
		err = hash_index__add(&tables->by_ranges, hash, row);
	if (err)
		return err;
	if (tables->built_cnt > 0 && extents__take(&tables->ranges, key.cnt, &first)) {
		key.list = row;
		(void)hash_index__del(&tables->by_ranges, hash, &key); /* just added */
		return -ENOSPC;
	}
	if (bytes > 0)
		memcpy(&tables->memory.ranges[first], tables->built, bytes);
	tables->lists[row] = (struct range_list){ hash, first, key.cnt, 1 };
	count_refs(tables, &tables->lists[row], 1);
	tables->stats.ranges += key.cnt;
	*ret_list = row;
	return 0;
}

static void release_list(struct unwind_tables *tables, uint32_t row)
{
	struct range_key key = { .list = row };
	struct range_list *list = row == NO_LIST ? NULL : &tables->lists[row];

	if (!list || --list->ref_cnt > 0)
		return;
	(void)hash_index__del(&tables->by_ranges, list->hash, &key); /* every used list is in it */
	count_refs(tables, list, -1);
	tables->stats.ranges -= list->cnt;
	if (list->cnt > 0)
		extents__give(&tables->ranges, list->first, list->cnt);
	list->cnt = 0;
}

static int find_or_add_process(struct unwind_tables *tables, const struct proc_id *id,
			       struct process **ret_process)
{
	uint32_t row;
	int err = 0;

	if (hash_index__find(&tables->by_id, hash_id(id), id, &row)) {
		row = (uint32_t)tables->process_cnt;
		err = vec_room(tables->processes, tables->process_cnt + 1, tables->process_cap,
			       PROCESSES_MAX);
		if (!err)
			err = hash_index__add(&tables->by_id, hash_id(id), row);
		if (err)
			return err == -E2BIG ? -ENOSPC : err;
		tables->processes[row] = (struct process){ .id = *id, .list = NO_LIST };
		tables->process_cnt++;
	}
	*ret_process = &tables->processes[row];
	return 0;
}

static int build(struct unwind_tables *tables, const struct mapping *mappings, uint32_t mapping_cnt,
		 const struct proc_table *modules)
{
	int err = 0;

	tables->executables.use++;
	tables->built_cnt = 0;
	/* programs compare addresses as signed ones: [vsyscall] ends the list */
	for (uint32_t i = 0; i < mapping_cnt && !(mappings[i].end_addr >> 63) && !err; i++)
		err = add_mapping(tables, &mappings[i], modules);
	if (err == -E2BIG) /* what was taken is true */
		err = 0;
	if (!err)
		cut_surplus(tables);
	return err;
}

static int set_ranges(struct unwind_tables *tables, const struct proc_id *id,
		      struct pp_proc_info *info)
{
	const struct pp_proc_id kernel_id = { id->pid, id->exec_id, id->start_boottime_ns };
	const struct range_list *list;
	struct process *process;
	uint32_t row;
	int err;

	err = take_list(tables, &row);
	if (err)
		return err;
	err = find_or_add_process(tables, id, &process);
	if (err) {
		release_list(tables, row);
		return err;
	}
	if (process->list != row)
		process->epoch = process->epoch % PP_EPOCH_MAX + 1;
	release_list(tables, process->list); /* or only the second count of the same one */
	process->list = row;
	list = &tables->lists[row];
	info->epoch = process->epoch;
	info->range_first = list->first;
	info->range_cnt = list->cnt;
	info->check = pp_proc_check(&kernel_id, info->epoch, list->first, list->cnt);
	return 0;
}

int unwind_tables__set_process(struct unwind_tables *tables, const struct proc_id *id,
			       const struct mapping *mappings, uint32_t mapping_cnt,
			       const struct proc_table *modules, struct pp_proc_info *ret_info)
{
	int err;

	err = build(tables, mappings, mapping_cnt, modules);
	if (!err)
		err = set_ranges(tables, id, ret_info);
	if (err == -ENOSPC) {
		tables->stats.ranges_refused += tables->built_cnt;
		metric__add(METRIC_UNWIND_RANGES_REFUSED, tables->built_cnt);
	}
	if (tables->built_cap > BUILT_KEPT) {
		free(tables->built);
		tables->built = NULL;
		tables->built_cap = 0;
	}
	jobs__start(tables);
	return err;
}

void unwind_tables__drop_process(struct unwind_tables *tables, const struct proc_id *id)
{
	uint32_t row, last = (uint32_t)tables->process_cnt - 1;

	if (hash_index__find(&tables->by_id, hash_id(id), id, &row))
		return;
	release_list(tables, tables->processes[row].list);
	(void)hash_index__del(&tables->by_id, hash_id(id), id); /* found above */
	if (row != last) {
		const struct proc_id *moved = &tables->processes[last].id;

		(void)hash_index__del(&tables->by_id, hash_id(moved), moved);
		tables->processes[row] = tables->processes[last];
		/* cannot fail: the index has just lost two */
		(void)hash_index__add(&tables->by_id, hash_id(moved), row);
	}
	tables->process_cnt--;
}

const struct pp_range *processes__ranges(const struct unwind_tables *tables,
					 const struct proc_id *id, uint32_t *ret_cnt)
{
	uint32_t row;

	if (hash_index__find(&tables->by_id, hash_id(id), id, &row))
		return NULL;
	*ret_cnt = tables->lists[tables->processes[row].list].cnt;
	return &tables->memory.ranges[tables->lists[tables->processes[row].list].first];
}

void processes__redirect(struct unwind_tables *tables, const struct executable *from,
			 struct executable *to)
{
	for (uint32_t row = 0; row < tables->list_cnt; row++) {
		struct range_list *list = &tables->lists[row];
		struct pp_range *ranges = &tables->memory.ranges[list->first];
		struct range_key key = { .list = row };
		uint32_t changed = 0;

		for (uint32_t i = 0; i < list->cnt; i++) {
			if (owner_of(tables, &ranges[i]) != from)
				continue;
			__atomic_store_n(&ranges[i].dir_first, executable__dir_first(to),
					 __ATOMIC_RELEASE);
			changed++;
		}
		if (changed == 0)
			continue;
		to->ref_cnt += changed;
		(void)hash_index__del(&tables->by_ranges, list->hash, &key);
		list->hash = hash_bytes(ranges, list->cnt * sizeof(*ranges), list->cnt);
		/* cannot fail: the index has just lost one */
		(void)hash_index__add(&tables->by_ranges, list->hash, row);
	}
}

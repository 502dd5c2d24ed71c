/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TABLES_RIG_H
#define TABLES_RIG_H
/*
 * What tests of the tables say often: processes, mappings, a page that is wanted, the rule at an address.
 */
#include "fake_tables.h"

#define MIB   (1ull << 20)
#define BASE  0x7f0000000000ull
#define NO_SP 0

static inline struct proc_id process_id(uint32_t pid)
{
	return (struct proc_id){ .pid = pid, .exec_id = 1, .start_boottime_ns = 1000 + pid };
}

static inline struct mapping file_at(uint64_t addr, uint32_t module, uint64_t off, uint64_t bytes)
{
	return (struct mapping){ .start_addr = addr,
				 .end_addr = addr + bytes,
				 .off = off,
				 .inode = module,
				 .kind = MAPPING_FILE,
				 .module = module,
				 .path = "/made" };
}

static inline struct mapping other_at(uint64_t addr, uint64_t bytes, uint32_t kind,
				      const char *path)
{
	return (struct mapping){
		.start_addr = addr, .end_addr = addr + bytes, .kind = kind, .path = path
	};
}

static inline struct pp_proc_info set(uint32_t pid, const struct mapping *mappings, uint32_t cnt)
{
	const struct proc_id id = process_id(pid);
	struct pp_proc_info info = { 0 };

	assert_int_equal(unwind_tables__set_process(rig.self, &id, mappings, cnt, NULL, &info), 0);
	return info;
}

static inline struct unwind_stats stats_now(void)
{
	struct unwind_stats stats;

	unwind_tables__stats(rig.self, &stats);
	return stats;
}

static inline void work_all(void)
{
	while (wire_work_off())
		;
}

static inline void settle(void) /* what was freed may be used again */
{
	unwind_tables__settled(rig.self);
	unwind_tables__settled(rig.self);
}

static inline uint32_t dir_index(const struct pp_proc_info *info, uint64_t addr)
{
	for (uint32_t i = 0; i < info->range_cnt; i++) {
		const struct pp_range *range = &rig.ranges[info->range_first + i];

		if (addr >= range->start_addr && addr < range->end_addr &&
		    range->kind == PP_RANGE_TABLE)
			return (range->dir_first + (uint32_t)((addr - range->bias) >> 16)) &
			       (PP_DIR_MAX - 1);
	}
	return 0;
}

static inline uint64_t rule_at(const struct pp_proc_info *info, uint64_t addr)
{
	uint32_t at = dir_index(info, addr), window = rig.dir[at].window;

	if (!at || window == PP_WINDOW_NO_ROWS)
		return PP_RULE_NONE;
	if (window == PP_WINDOW_ABSENT)
		return RULE_ABSENT;
	rig.dir[at].used = rig.tables.generation;
	return read_window(window, (uint32_t)(addr - rig.ranges[info->range_first].bias) & 0xffff);
}

static inline void want(const struct pp_proc_info *info, uint64_t addr)
{
	const struct proc_id id = process_id(1);

	unwind_tables__want_page(rig.self, dir_index(info, addr), &id, 1, NO_SP);
	work_all();
}

#endif

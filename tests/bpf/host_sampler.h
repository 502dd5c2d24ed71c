/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef HOST_SAMPLER_H
#define HOST_SAMPLER_H
/*
 * bpf/sample.bpf.c, compiled for user space: one process, whose registers and memory the caller gives, is
 * sampled as on a kernel. What programs read of the tables is plain memory here, as it is for user space.
 */
#include "fake_kernel.h"
#include "pp/abi.h"

#define HOST_TGID	    1234
#define HOST_TID	    1235
#define HOST_EXEC_ID	    3
#define HOST_START_BOOTTIME 77000000000ull

struct host_tables {
	struct pp_dir_entry *dir; /* PP_DIR_MAX */
	uint64_t *rules; /* PP_RULES_MAX */
	struct pp_range *ranges; /* PP_RANGES_MAX */
	struct pp_cached_rule *cache; /* PP_RULE_CACHE_MAX */
	struct pp_tables *tables;
};

/* Makes the maps when called first; then all is zero, but for the generation, which is 1. */
void host__reset(void);
struct host_tables host__tables(void);
void host__set_part(uint32_t part, uint32_t *words); /* PP_PART_WORDS, borrowed; NULL: none */
/* The row of the process. Its check is set here. NULL: it is unknown. */
void host__set_process(const struct pp_proc_info *info);
const struct pp_proc_info *host__process(void); /* borrowed; NULL: unknown */

/* What runs want; forgotten by host__reset. */
struct pp_run *host__run(void);
void host__want_pid(uint32_t tgid, const struct pp_filter_pid *wanted);
void host__want_comm(const char *comm, uint32_t slots);
void host__want_cgroup(uint64_t id, uint32_t slots);
/* The task's cgroup and its ancestors, the root first; borrowed. */
void host__enter_cgroups(const uint64_t *ids, uint32_t cnt);

struct host_regs {
	uint64_t regs[16]; /* DWARF numbers */
	uint64_t ip;
	bool is_in_kernel; /* interrupted in a system call: a walk has rip, rsp, rbp, rdi only */
	uint32_t in_front; /* 1 + the slot of the program in front of the sampler; 0: none is */
	bool by_frame_pointer; /* with the program of the last resort */
	uint64_t sample_period; /* of the event; tells the run's slot */
};

struct host_sample {
	uint32_t depth;
	uint32_t end; /* enum pp_end, PP_WALK_* */
	const uint64_t *frames; /* borrowed until the next sample */
	struct pp_sample_key key;
	uint32_t page_cnt; /* asked for */
	struct pp_rec_page pages[PP_USER_FRAMES_MAX]; /* the first ones */
	uint32_t proc_cnt; /* requests for mappings */
	struct pp_rec_proc proc; /* the last one */
	uint64_t cnt[PP_CNT_MAX]; /* of the slot */
	uint64_t cnt_others; /* sum of all other counters */
};
/* The maps of counts and stacks are empty before, and the ring too. */
void host__sample(const struct host_regs *regs, struct host_sample *ret_sample);
/* The same walk frame by frame, each with the closest look (walk_step). frames: until the next such call. */
void host__sample_by_steps(const struct host_regs *regs, struct host_sample *ret_sample);

#endif

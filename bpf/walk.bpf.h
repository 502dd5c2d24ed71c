/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_WALK_H
#define PP_BPF_WALK_H
/*
 * One CPU's working memory: the sample being made (as the ring record that it may become) and the walk of
 * the user stack through it. The BPF stack has 512 bytes; this has 5 KiB. Global functions reach it again
 * through its map, take only scalars, and so are verified once, not once per frame.
 *
 * Here: the state of a walk and how it reads the stack. unwind.bpf.h knows how to get from a frame to its
 * caller.
 */
#include "arch_x86_64.bpf.h"
#include "knobs.bpf.h"

#define WINDOW_BYTES 1024 /* a read costs 85 ns, of 16 bytes and of 1,024 */
#define WINDOW_WORDS (WINDOW_BYTES / 8)
#define STACK_SPAN_BYTES \
	(64ull << 20) /* a frame pointer further away than this is no frame pointer */
#define FP_UNKNOWN   1ull /* misaligned: never taken for a frame pointer */
#define USER_PAGE    4096

#define WALK_GOES_ON (-1) /* else an enum pp_end */

/*
 * How far regs still tell this frame's registers. A caller's rule names one that callees need not save only
 * where its callee leaves it alone (AES-GCM of libcrypto keeps its CFA in rax while it calls).
 */
enum walk_regs {
	WALK_REGS_NONE,
	WALK_REGS_NOT_SAVED, /* only those that callees need not save */
	WALK_REGS_ALL, /* the innermost frame, or one interrupted by a signal */
};

struct walk {
	/* the frame that was found last */
	__u64 ip;
	__u64 sp;
	__u64 fp;
	__u32 is_exact; /* ip is where it was interrupted, not a return address */
	__u32 has_regs; /* enum walk_regs */
	__u64 regs[REGS_CNT];

	__u64 fp_max; /* frame pointers lie below this */
	__u64 hash_lo;
	__u64 hash_hi;
	__u32 flags; /* PP_WALK_* */
	__u32 generation; /* of the tables */

	/* the process's ranges, and the one that was needed last */
	__u32 range_first;
	__u32 range_cnt;
	__u64 ranges_tag; /* names these ranges in these tables */
	struct pp_range range;
	__u64 range_bytes;
	__u64 range_has_by_fp; /* pages of it are worth a look for PP_WINDOW_BY_FP */

	__u32 line_cnt; /* of the rule cache that this CPU's last walk looked at */
	__u16 lines[PP_USER_FRAMES_MAX];

	/* the stack as far as it was read */
	__u64 window_addr; /* user address of window[0] */
	__u64 window_bytes; /* how much of the window was read; 0: nothing */
	__u64 window[WINDOW_WORDS + 1];
};

struct scratch {
	struct pp_rec_stack rec;
	struct pp_count count;
	struct walk walk;
	__u64 told_slot; /* 1 + the run, by the program in front; 0: the period says it */
};
_Static_assert(sizeof(struct scratch) < 32768, "the limit of a per-CPU value on 5.10 to 7.3");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} pp_scratch SEC(".maps"); /* pp_sample only */

static __always_inline struct scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pp_scratch, &zero);
}

/* Two lanes of multiply-xorshift: 1.2 ns per frame, hidden behind the user reads. */
#define HASH_MUL_LO 0x9e3779b97f4a7c15ull
#define HASH_MUL_HI 0xc2b2ae3d27d4eb4full
#define hash_word(lo, hi, word)                   \
	do {                                      \
		__u64 _w = (word);                \
		(lo) = ((lo) ^ _w) * HASH_MUL_LO; \
		(lo) ^= (lo) >> 32;               \
		(hi) = ((hi) + _w) * HASH_MUL_HI; \
		(hi) ^= (hi) >> 29;               \
	} while (0)

/* Appends a frame: its address, and what is to be said about it (PP_FRAME_*). */
static __always_inline void walk_push(struct walk *walk, struct pp_stack_large *stack, __u64 frame)
{
	__u64 i = MASKED(stack->head.depth, PP_USER_FRAMES_MAX - 1);

	stack->frames[i] = frame;
	stack->head.depth++;
	hash_word(walk->hash_lo, walk->hash_hi, frame);
}

/*
 * Reads the stack from addr on: one helper call for many frames. Near an unreadable page less is read, and
 * behind the end of a page that is not in memory nothing.
 */
static __always_inline bool walk_refill(struct walk *walk, __u64 addr)
{
	__u64 bytes = WINDOW_BYTES;

	walk->window_addr = addr;
	walk->window_bytes = bytes;
	if (!bpf_probe_read_user(walk->window, WINDOW_BYTES, (void *)addr))
		return true;
	bytes = MASKED(USER_PAGE - (addr & (USER_PAGE - 1)), WINDOW_BYTES - 1);
	walk->window_bytes = bytes;
	if (bytes && !bpf_probe_read_user(walk->window, bytes, (void *)addr))
		return true;
	walk->window_bytes = 0;
	return false;
}

/* To the caller, by a rule. */
static __always_inline void walk_leave_regs(struct walk *walk)
{
	if (walk->has_regs == WALK_REGS_ALL)
		walk->has_regs = WALK_REGS_NOT_SAVED;
}

/* Is the word at addr in the window? Misaligned ones are in none. */
static __always_inline bool walk_has(const struct walk *walk, __u64 addr)
{
	__u64 at = addr - walk->window_addr;

	return at < WINDOW_BYTES && at + 8 <= walk->window_bytes && !(at & 7);
}

static __always_inline __u64 walk_word(const struct walk *walk, __u64 addr)
{
	return walk->window[MASKED((addr - walk->window_addr) >> 3, WINDOW_WORDS - 1)];
}

#endif

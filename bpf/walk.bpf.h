/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_WALK_H
#define PP_BPF_WALK_H
/*
 * One CPU's working memory (the sample being made, as the ring record that it may become) and the walk of
 * the user stack through it. The BPF stack has 512 bytes; this has 5 KiB. Global functions reach it again
 * through its map, take only scalars, and so are verified once, not once per frame.
 *
 * walk_window() is the interface that an unwinder fills in: some frames further, or the reason why not.
 * Today it knows frame pointers.
 */
#include "knobs.bpf.h"

#define WINDOW_BYTES 256
#define WINDOW_WORDS (WINDOW_BYTES / 8)
#define STACK_SPAN_BYTES \
	(64ull << 20) /* a frame pointer further away than this is no frame pointer */

struct walk {
	__u64 fp; /* where the next frame is looked for */
	__u64 low; /* frames lie at or above this: the stack grows down */
	__u64 high; /* and below this */
	__u64 window_addr; /* user address of window[0] */
	__u64 window_bytes; /* how much of the window was read; 0: nothing */
	__u64 hash_lo;
	__u64 hash_hi;
	__u64 window[WINDOW_WORDS + 1];
};

struct scratch {
	struct pp_rec_stack rec;
	struct pp_count count;
	struct walk walk;
};
_Static_assert(sizeof(struct scratch) < 32768, "the limit of a per-CPU value on 5.10 to 7.3");

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

static __always_inline void walk_push(struct walk *walk, struct pp_stack_large *stack, __u64 addr)
{
	__u64 i = MASKED(stack->head.depth, PP_USER_FRAMES_MAX - 1);

	stack->frames[i] = addr;
	stack->head.depth++;
	hash_word(walk->hash_lo, walk->hash_hi, addr);
}

#endif

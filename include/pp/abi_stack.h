/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ABI_STACK_H
#define PP_ABI_STACK_H
/*
 * Stacks, as the sampler stores them: size classes, how a walk ended, what a frame's bits say. Part of the
 * contract of abi.h (include <linux/types.h> first).
 */

#define PP_USER_FRAMES_MAX   256
#define PP_KERNEL_FRAMES_MAX 127

/* Stacks are stored once, in the smallest size class that fits. */
#define PP_CLASS_SMALL	32
#define PP_CLASS_MEDIUM 96
#define PP_CLASS_LARGE	256

/* How a walk ended. */
enum pp_end {
	PP_END_NO_USER, /* no user part: kernel thread or exiting */
	PP_END_FP_ZERO, /* frame pointer 0 */
	PP_END_FP_OUTSIDE, /* frame pointer misaligned, not above the last one, or too far away */
	PP_END_FRAMES_MAX, /* PP_USER_FRAMES_MAX reached */
	PP_END_FAULT, /* stack memory unreadable */
	PP_END_RETURN_ZERO, /* return address 0 or in the kernel half */
	PP_END_COMPLETE, /* a rule that says: outermost frame */
	PP_END_NO_MAPPING, /* the frame's address lies in no executable mapping that we know */
	PP_END_RULE, /* a rule that cannot be followed (PP_CFA_UNSUPPORTED, a register that is unknown) */
	PP_END_STACK_ORDER, /* the caller's frame does not lie above this one: a cycle */
};
/* How the walk went, beside the end: bits of the same word. */
#define PP_END_MASK	0xffu
#define PP_WALK_JIT	0x100u /* through anonymous code, by frame pointer */
#define PP_WALK_GUESSED 0x200u /* through a file's code without rows, by frame pointer */
#define PP_WALK_ABSENT	0x400u /* through a page that is not loaded yet, by frame pointer */
/*
 * Bits of a stored user frame. EXACT: the interrupted pc itself, not a return address (implied for the
 * first frame). GUESSED: found by frame pointer where no rule is known: may be no return address at all.
 */
#define PP_FRAME_EXACT	 (1ull << 63)
#define PP_FRAME_GUESSED (1ull << 62)
#define PP_FRAME_ADDR	 (PP_FRAME_GUESSED - 1)

/* A stack's name: two lanes of a seeded hash over its frames and its end. {0,0}: no stack. */
struct pp_stack_id {
	__u64 lo;
	__u64 hi;
};

/* Value of the stack maps; the class decides how many frames follow. Leaf first. */
struct pp_stack_head {
	__u32 depth;
	__u32 end; /* for user stacks: enum pp_end, PP_WALK_* */
};
struct pp_stack_small {
	struct pp_stack_head head;
	__u64 frames[PP_CLASS_SMALL];
};
struct pp_stack_medium {
	struct pp_stack_head head;
	__u64 frames[PP_CLASS_MEDIUM];
};
struct pp_stack_large {
	struct pp_stack_head head;
	__u64 frames[PP_CLASS_LARGE];
};

_Static_assert(sizeof(struct pp_stack_id) == 16, "two u64");
_Static_assert(sizeof(struct pp_stack_large) < 32768, "fits a per-CPU value on 5.10");

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROFILE_ENDS_H
#define PP_PROFILE_ENDS_H
/*
 * How user stacks end. Part of the door of profile (profile.h includes it).
 */
#include <stdint.h>

/* Why a user stack ended where it did. Names are append-only (JSON fields, pages). */
#define PP_STACK_ENDS(X)                                                                        \
	X(NONE, "no_user_stack", "kernel thread or no user part")                               \
	X(COMPLETE, "complete", "outermost frame lies in a known bottom")                       \
	X(NO_FRAME_POINTER, "no_frame_pointer", "the frame pointer was 0 or left the stack")    \
	X(TRUNCATED, "truncated", "more frames than the limit")                                 \
	X(UNREADABLE, "unreadable", "the stack memory could not be read")                       \
	X(BAD_RETURN, "bad_return_address", "a return address outside executable code")         \
	X(NOT_STORED, "stack_not_stored", "counted, but the stack map was full")                \
	X(JIT, "jit_code", "through code made at run time, by frame pointer, to the bottom")    \
	X(JIT_CUT, "jit_code_incomplete", "through code made at run time, not to the bottom")   \
	X(NOT_LOADED, "table_not_loaded", "through code whose unwind table was still to come")  \
	X(NO_MAPPING, "no_mapping", "a caller in code that was mapped too lately to be known")  \
	X(NO_RULE, "no_unwind_rule", "code whose unwind rule cannot be followed")               \
	X(ORDER, "stack_out_of_order", "a caller's frame that does not lie above its callee's") \
	X(STALE, "stale_mapping", "code was mapped or unmapped while the stack was taken")
enum profile_stack_end {
#define X(id, name, text) STACK_END_##id,
	PP_STACK_ENDS(X)
#undef X
		STACK_END_CNT
};
const char *profile_stack_end__name(uint32_t end);

#endif

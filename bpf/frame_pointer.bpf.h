/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_FRAME_POINTER_H
#define PP_BPF_FRAME_POINTER_H
/*
 * The walk by frame pointers alone: for a process whose ranges are not known yet, and everywhere on a
 * kernel that does not take the table walk. Looks nothing up; who reads the stack checks the addresses.
 */
#include "walk.bpf.h"

/*
 * As many frames as one window holds. Returns WALK_GOES_ON or an enum pp_end. Global and weak: clang may
 * not look into it, the verifier does so once. The state stays in registers between frames: kept in memory
 * it was half of a frame's cost.
 */
__weak __noinline int walk_window(void)
{
	struct scratch *s = scratch_get();
	struct walk *walk;
	__u64 fp, low, lo, hi, depth, at;
	int end = WALK_GOES_ON;

	if (!s)
		return PP_END_FAULT;
	walk = &s->walk;
	fp = walk->fp;
	if (!fp)
		return PP_END_FP_ZERO;
	low = walk->sp;
	if ((fp & 7) || fp < low || fp >= walk->fp_max)
		return PP_END_FP_OUTSIDE;
	if (!walk_refill(walk, fp) || walk->window_bytes < 16)
		return PP_END_FAULT;
	lo = walk->hash_lo;
	hi = walk->hash_hi;
	depth = s->rec.user.head.depth;
	at = 0;
	for (int i = 0; i < WINDOW_WORDS / 2; i++) {
		__u64 caller;

		at = MASKED(at >> 3, WINDOW_WORDS - 1);
		caller = walk->window[at + 1];
		if (!caller || caller >= PP_FRAME_GUESSED) {
			end = PP_END_RETURN_ZERO;
			break;
		}
		caller |= PP_FRAME_GUESSED;
		s->rec.user.frames[MASKED(depth, PP_USER_FRAMES_MAX - 1)] = caller;
		hash_word(lo, hi, caller);
		depth++;
		low = fp + 16;
		fp = walk->window[at];
		if (depth >= PP_USER_FRAMES_MAX) {
			end = PP_END_FRAMES_MAX;
			break;
		}
		/* Below low, odd, zero or beyond the window: what the next call looks at. */
		at = fp - walk->window_addr;
		if ((fp & 7) || fp < low || at > WINDOW_BYTES - 16 || at + 16 > walk->window_bytes)
			break;
	}
	walk->fp = fp;
	walk->sp = low;
	walk->hash_lo = lo;
	walk->hash_hi = hi;
	s->rec.user.head.depth = depth;
	return end;
}

#endif

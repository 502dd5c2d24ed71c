/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The stack of fp_deep built without frame pointers, with rbp put to other uses in turn (an odd number,
 * a pointer to plain data on the stack, a pointer into the heap): a walk by tables finds all of it, one by
 * frame pointers must give up and never show a frame that is not there. nofp_deep [DEPTH [MS]].
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fomit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#define WITHOUT_FRAME_POINTER
#include "deep.h"

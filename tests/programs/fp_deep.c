/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A known stack of a known depth, with frame pointers to the bottom: fp_deep [DEPTH [MS]].
 * The stack is _start;run;descend * (DEPTH + 1);bottom;LEAF, where leaf_50, leaf_30 and leaf_20 take
 * that share of the time.
 */
/* PROGRAM_CFLAGS: -O2 -ffreestanding -fno-stack-protector -fno-pie -fno-omit-frame-pointer -fno-optimize-sibling-calls */
/* PROGRAM_LDFLAGS: -nostdlib -static -no-pie */
#include "deep.h"

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * plt_static [CPU_MS]: plt_calls.h linked statically: the stubs lead to what was chosen for this CPU (.iplt), and have no CFI.
 */
/* STACK: MAIN deeper{6} short_calls @libc? */
/* PROGRAM_CFLAGS: -O2 -fno-builtin -fcf-protection=none */
/* PROGRAM_LDFLAGS: -static */
#include "plt_calls.h"

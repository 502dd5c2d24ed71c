/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * plt_now [CPU_MS]: plt_calls.h with stubs bound at the begin, which the linker may shrink.
 */
/* STACK: MAIN deeper{6} short_calls @libc? */
/* PROGRAM_CFLAGS: -O2 -fno-builtin -fcf-protection=none */
/* PROGRAM_LDFLAGS: -Wl,-z,now */
#include "plt_calls.h"

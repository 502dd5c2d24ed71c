/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * plt_branch [CPU_MS]: plt_calls.h with the two-part stubs of -fcf-protection (.plt.sec).
 */
/* STACK: MAIN deeper{6} short_calls @libc? */
/* PROGRAM_CFLAGS: -O2 -fno-builtin -fcf-protection=full */
/* PROGRAM_LDFLAGS: -Wl,-z,lazy,-z,ibtplt */
#include "plt_calls.h"

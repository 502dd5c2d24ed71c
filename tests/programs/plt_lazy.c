/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * plt_lazy [CPU_MS]: plt_calls.h with stubs that are bound at their first call.
 */
/* STACK: MAIN deeper{6} short_calls @libc? */
/* PROGRAM_CFLAGS: -O2 -fno-builtin -fcf-protection=none */
/* PROGRAM_LDFLAGS: -Wl,-z,lazy */
#include "plt_calls.h"

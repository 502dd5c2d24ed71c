/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * plt_static_pie [CPU_MS]: plt_calls.h linked statically and position-independent.
 */
/* STACK: MAIN deeper{6} short_calls @libc? */
/* PROGRAM_CFLAGS: -O2 -fno-builtin -fcf-protection=full -fPIE */
/* PROGRAM_LDFLAGS: -static-pie */
#include "plt_calls.h"

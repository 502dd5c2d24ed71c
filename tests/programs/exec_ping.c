/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exec_ping [TIMES]: burns for 60 ms, then becomes exec_pong, which stands at the same addresses with other
 * functions and frames of other sizes; TIMES in all. See exec_turn.h.
 */
/* STACK: MAIN @libc* */
/* STACK: MAIN in_ping in_ping_down{1,20} burn */
/* PROGRAM_CFLAGS: -O2 -fno-pie */
/* PROGRAM_LDFLAGS: -no-pie */
#define OTHER "pong"
#define OUTER in_ping
#define INNER in_ping_down
#define WORDS 6
#include "exec_turn.h"

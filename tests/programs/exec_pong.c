/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exec_pong [TIMES]: burns for 60 ms, then becomes exec_ping, which stands at the same addresses with other
 * functions and frames of other sizes; TIMES in all. See exec_turn.h.
 */
/* STACK: MAIN @libc* */
/* STACK: MAIN in_pong in_pong_down{1,20} burn */
/* PROGRAM_CFLAGS: -O2 -fno-pie */
/* PROGRAM_LDFLAGS: -no-pie */
#define OTHER "ping"
#define OUTER in_pong
#define INNER in_pong_down
#define WORDS 31
#include "exec_turn.h"

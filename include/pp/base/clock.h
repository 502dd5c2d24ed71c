/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_CLOCK_H
#define PP_BASE_CLOCK_H
/*
 * The clocks we read, each named. Unit tests replace them with the linker's --wrap.
 */
#include <stddef.h>
#include <stdint.h>

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC, as bpf_ktime_get_ns */
uint64_t clock_boot_ns(void); /* CLOCK_BOOTTIME */
uint64_t clock_real_ns(void); /* CLOCK_REALTIME, Unix time */
uint64_t clock_cpu_ns(void); /* CPU time of this process */

#define CLOCK_TEXT_BYTES 40
/* "2026-11-22T14:26:26" in UTC, no zone (the Studio's profile times). Returns text. */
char *clock_utc_text(uint64_t real_ns, char text[CLOCK_TEXT_BYTES]);
/* The same with "+00:00" (heartbeats). */
char *clock_utc_text_zone(uint64_t real_ns, char text[CLOCK_TEXT_BYTES]);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Clocks, and the two texts of a point in time that the Studio's protocol knows. Nothing here
 * calls the reading functions, so the linker's --wrap replaces each of them for the whole library.
 */
#include "pp/base/clock.h"

#include <time.h>

#include "pp/base/err.h"

static uint64_t read_ns(clockid_t id)
{
	struct timespec ts;

	pp_assert(clock_gettime(id, &ts) == 0);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ns(void)
{
	return read_ns(CLOCK_BOOTTIME);
}

uint64_t clock_real_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

uint64_t clock_cpu_ns(void)
{
	return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static char *print_utc(uint64_t real_ns, const char *format, char text[CLOCK_TEXT_BYTES])
{
	time_t seconds = (time_t)(real_ns / 1000000000);
	struct tm tm;

	pp_assert(gmtime_r(&seconds, &tm));
	pp_assert(strftime(text, CLOCK_TEXT_BYTES, format, &tm));
	return text;
}

char *clock_utc_text(uint64_t real_ns, char text[CLOCK_TEXT_BYTES])
{
	return print_utc(real_ns, "%Y-%m-%dT%H:%M:%S", text);
}

char *clock_utc_text_zone(uint64_t real_ns, char text[CLOCK_TEXT_BYTES])
{
	return print_utc(real_ns, "%Y-%m-%dT%H:%M:%S+00:00", text);
}

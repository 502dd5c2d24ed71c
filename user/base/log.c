/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Log lines: formatted on the stack and written with one write(2), so that lines of two threads
 * never mix. Names in a line come from outside (thread names, paths, answers of a server):
 * whatever could break the line or talk to the terminal becomes '?'. No file and no time stamps:
 * that is journald's. A sink gets the same line.
 */
#include "pp/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"

#define LINE_BYTES 2048

static atomic_int current_level = LOG_LVL_INFO;
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static log_sink_fn sink_fn;
static void *sink_arg;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

static bool is_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

bool log_level__parse(const char *text, enum log_level *ret_level)
{
	static const char *const words[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(text, words[i])) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* Controls of ASCII, and those of ISO 6429 in their UTF-8 form (0xc2 0x80..0x9f). */
static void disarm(char *line, size_t len)
{
	unsigned char *s = (unsigned char *)line;

	for (size_t i = 0; i < len; i++) {
		if (s[i] < 0x20 || s[i] == 0x7f)
			s[i] = '?';
		else if (s[i] == 0xc2 && i + 1 < len && s[i + 1] >= 0x80 && s[i + 1] < 0xa0)
			s[i] = s[i + 1] = '?';
	}
}

void log_set_sink(log_sink_fn fn, void *arg)
{
	pthread_mutex_lock(&sink_lock);
	sink_fn = fn;
	sink_arg = arg;
	pthread_mutex_unlock(&sink_lock);
}

static void tell_sink(enum log_level level, const char *line, size_t len)
{
	pthread_mutex_lock(&sink_lock);
	if (sink_fn)
		sink_fn(sink_arg, level, line, len);
	pthread_mutex_unlock(&sink_lock);
}

static void write_line(enum log_level level, const char *fmt, va_list ap, uint64_t swallowed)
{
	char line[LINE_BYTES + 64]; /* room for the tail behind a cut line */
	int saved_errno = errno;
	int n = vsnprintf(line, LINE_BYTES, fmt, ap);
	size_t len = n < 0 ? 0 : (size_t)n;

	if (len >= LINE_BYTES) {
		len = LINE_BYTES - 1;
		memcpy(line + len - 3, "...", 3);
	}
	if (swallowed)
		len += (size_t)snprintf(line + len, sizeof(line) - len,
					" (and %llu such lines before)",
					(unsigned long long)swallowed);
	disarm(line, len);
	tell_sink(level, line, len);
	line[len++] = '\n';
	/* Nobody can be told that stderr is closed or full. */
	if (write(STDERR_FILENO, line, len) < 0)
		errno = 0;
	errno = saved_errno;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!is_enabled(level))
		return;
	va_start(ap, fmt);
	write_line(level, fmt, ap, 0);
	va_end(ap);
}

void log_every(struct log_rate *state, uint32_t interval_ms, enum log_level level, const char *fmt,
	       ...)
{
	uint64_t now_ns;
	va_list ap;

	if (!is_enabled(level))
		return;
	now_ns = clock_mono_ns();
	if (state->last_ns && now_ns - state->last_ns < (uint64_t)interval_ms * 1000000) {
		state->swallowed++;
		return;
	}
	va_start(ap, fmt);
	write_line(level, fmt, ap, state->swallowed);
	va_end(ap);
	state->last_ns = now_ns;
	state->swallowed = 0;
}

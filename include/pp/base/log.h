/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_LOG_H
#define PP_BASE_LOG_H
/*
 * One line to stderr per event that a person needs: "room: message 'subject': -ENOENT", lowercase,
 * no full stop. The caller at the door logs, once; library code returns errors. journald adds the
 * time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* Any thread. The default is LOG_LVL_INFO. */
void log_set_level(enum log_level level);
bool log_level__parse(const char *text, enum log_level *ret_level);
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LVL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LVL_DEBUG, __VA_ARGS__)

/*
 * A second reader of each line that is written: without its newline, printable. Any thread; must not log.
 * NULL: none; the one before is not called any more then.
 */
typedef void (*log_sink_fn)(void *arg, enum log_level level, const char *line, size_t len);
void log_set_sink(log_sink_fn fn, void *arg);

/*
 * A line that may repeat: at most one per interval_ms for this state; says how many it swallowed.
 * The state is the caller's, zero-initialised.
 */
struct log_rate {
	uint64_t last_ns;
	uint64_t swallowed;
};
void log_every(struct log_rate *state, uint32_t interval_ms, enum log_level level, const char *fmt,
	       ...) __attribute__((format(printf, 4, 5)));

#endif

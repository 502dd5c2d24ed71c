/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_ERR_H
#define PP_BASE_ERR_H
/*
 * Errors: fallible calls return 0 or -errno. This door gives an error its symbol for messages
 * ("-ENOENT") and states our own invariants. Bad outside data is never asserted: it is -EBADMSG.
 */

/* "-ENOENT" for -2 or 2; "-E9999" style text for unknown ones. Static or thread-local, borrowed. */
const char *errname(int err);

/* Logs file and line and aborts; kept in release builds. */
void assert_failed(const char *expr, const char *file, int line) __attribute__((noreturn));
#define pp_assert(cond)                                           \
	do {                                                      \
		if (!(cond))                                      \
			assert_failed(#cond, __FILE__, __LINE__); \
	} while (0)

#endif

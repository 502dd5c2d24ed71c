/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_CLEANUP_H
#define PP_BASE_CLEANUP_H
/*
 * Locals that own something: __cleanup frees them at the end of their scope; take_ptr and take_fd
 * let ownership leave. Not a garbage collector: a struct member is still freed by its object's
 * __free.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define __cleanup(fn) __attribute__((cleanup(fn)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _auto_free_   __cleanup(cleanup_free)
#define _auto_close_  __cleanup(cleanup_close)
#define _auto_fclose_ __cleanup(cleanup_fclose)

#define take_ptr(p)                     \
	({                              \
		__typeof__(p) _p = (p); \
		(p) = NULL;             \
		_p;                     \
	})
#define take_fd(fd)            \
	({                     \
		int _f = (fd); \
		(fd) = -1;     \
		_f;            \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define min_of(a, b)  ((a) < (b) ? (a) : (b))
#define max_of(a, b)  ((a) > (b) ? (a) : (b))

#endif

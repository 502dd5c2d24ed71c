/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_SYSROOT_H
#define PP_BASE_SYSROOT_H
/*
 * The kernel's own text files (proc, sys, etc/os-release): the only way to them. Tests point it at
 * tests/data/sysroot. Not for files of other processes (see proc.h).
 */
#include <stddef.h>
#include <sys/types.h>

struct buf;

struct sysroot {
	int fd; /* directory; "/" in production */
};

int sysroot__open_root(struct sysroot *self, const char *path);
void sysroot__close(struct sysroot *self);
/* path is relative ("proc/%d/maps"). Returns a descriptor or -errno. */
int sysroot__open(const struct sysroot *self, int flags, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Appends the whole file to out. Returns 0, -errno, -E2BIG past out's maximum. */
int sysroot__read(const struct sysroot *self, struct buf *out, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Reads a file that holds one line into text, newline cut. Returns 0, -errno, -E2BIG. */
int sysroot__line(const struct sysroot *self, char *text, size_t text_bytes, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A path for calls that take no descriptor (sockets); valid as long as self is open. 0, -ENAMETOOLONG. */
int sysroot__path(const struct sysroot *self, const char *name, char *text, size_t text_bytes);
/* What to execute to run this program again, also if its file was replaced or removed. */
const char *sysroot__own_program(void);

#endif

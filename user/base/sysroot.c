/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way to the kernel's text files, below one directory descriptor. Such files have no size:
 * they are read until they end. Paths are ours (formats), only their numbers come from outside.
 */
#include "pp/base/sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"

#define READ_BYTES 8192

int sysroot__open_root(struct sysroot *self, const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	self->fd = fd;
	return 0;
}

void sysroot__close(struct sysroot *self)
{
	if (self->fd >= 0)
		close(self->fd);
	self->fd = -1;
}

__attribute__((format(printf, 3, 0))) static int open_v(const struct sysroot *self, int flags,
							const char *fmt, va_list ap)
{
	char path[PATH_MAX];
	int n, fd;

	n = vsnprintf(path, sizeof(path), fmt, ap);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	pp_assert(path[0] != '/');
	fd = openat(self->fd, path, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int sysroot__open(const struct sysroot *self, int flags, const char *fmt, ...)
{
	va_list ap;
	int fd;

	va_start(ap, fmt);
	fd = open_v(self, flags, fmt, ap);
	va_end(ap);
	return fd;
}

/* Returns bytes read or -errno. */
static ssize_t read_some(int fd, void *data, size_t len)
{
	ssize_t n;

	do {
		n = read(fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int sysroot__read(const struct sysroot *self, struct buf *out, const char *fmt, ...)
{
	_auto_close_ int fd = -1;
	char chunk[READ_BYTES];
	ssize_t n;
	va_list ap;
	int err;

	va_start(ap, fmt);
	fd = open_v(self, O_RDONLY, fmt, ap);
	va_end(ap);
	if (fd < 0)
		return fd;
	while ((n = read_some(fd, chunk, sizeof(chunk))) > 0) {
		err = buf__append(out, chunk, (size_t)n);
		if (err)
			return err;
	}
	return n < 0 ? (int)n : buf__append(out, "", 0);
}

int sysroot__line(const struct sysroot *self, char *text, size_t text_bytes, const char *fmt, ...)
{
	_auto_close_ int fd = -1;
	char line[READ_BYTES];
	size_t len = 0;
	char *end;
	ssize_t n;
	va_list ap;

	va_start(ap, fmt);
	fd = open_v(self, O_RDONLY, fmt, ap);
	va_end(ap);
	if (fd < 0)
		return fd;
	do {
		n = read_some(fd, line + len, sizeof(line) - len);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		end = memchr(line, '\n', len);
	} while (n > 0 && !end && len < sizeof(line));
	if (end)
		len = (size_t)(end - line);
	if (len >= text_bytes)
		return -E2BIG;
	memcpy(text, line, len);
	text[len] = '\0';
	return 0;
}

int sysroot__path(const struct sysroot *self, const char *name, char *text, size_t text_bytes)
{
	int n = snprintf(text, text_bytes, "/proc/self/fd/%d/%s", self->fd, name);

	return n < 0 || (size_t)n >= text_bytes ? -ENAMETOOLONG : 0;
}

const char *sysroot__own_program(void)
{
	return "/proc/self/exe";
}

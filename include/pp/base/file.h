/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_FILE_H
#define PP_BASE_FILE_H
/*
 * Our own files and directories: whole or absent, private, checked. Not for procfs (sysroot.h) and
 * not for files of other processes (proc.h).
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;

/*
 * First thing in main: a standard descriptor that the caller had closed becomes /dev/null for reading, so
 * that no file of ours gets its number and with it what is printed. Writing to it still fails.
 */
int stdio__fill(void);
/*
 * Opens (and makes, mode 0700, with its parents 0755) a directory of ours. Refuses with -EPERM one
 * of another owner than our euid, or writable by group or others. Given: close().
 */
int dir__open_private(const char *path, int *ret_fd);
/*
 * Writes name.tmp-XXXX, fsyncs it, renames it to name, fsyncs the directory. On failure nothing
 * stays.
 */
int file__write_atomic(int dir_fd, const char *name, const void *data, size_t len, mode_t mode);
/* Appends the file to out. -errno, -E2BIG past out's maximum, -EBADMSG if not a regular file. */
int file__read_at(int dir_fd, const char *name, struct buf *out);
/* The same; -EPERM unless it belongs to root or our euid and nobody else may write it. */
int file__read_trusted(int dir_fd, const char *name, struct buf *out);
int file__write_all(int fd, const void *data, size_t len); /* handles short writes and EINTR */
/*
 * Takes an exclusive lock file (our pid in it). -EWOULDBLOCK: another holds it, *ret_holder is its
 * pid or 0.
 */
int file__lock(int dir_fd, const char *name, int *ret_fd, pid_t *ret_holder);

#endif

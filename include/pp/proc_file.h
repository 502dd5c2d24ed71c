/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROC_FILE_H
#define PP_PROC_FILE_H
/*
 * The files of other processes, which may be hostile: no FIFO, device or file outside of a process's own root
 * is ever touched. Part of the door of proc.
 */
#include <stdint.h>

struct mapping;
struct sysroot;

/*
 * Opens the file behind a mapping: map_files, else openat2(RESOLVE_IN_ROOT) below the task's root,
 * O_NONBLOCK|O_NOCTTY, used only if regular and the same device and inode. Returns a descriptor or -errno
 * (-EBADMSG not regular, -ESTALE another file).
 */
int mapping__open(const struct sysroot *root, uint32_t pid, uint32_t tid,
		  const struct mapping *mapping);

/*
 * Opens for reading a file that may be hostile: path (a '/' at its beginning is the root) is walked as inside a
 * chroot to root_fd and never leaves it; nothing but a regular file is touched. Returns a descriptor or -errno,
 * -EBADMSG: not a regular file. Any thread.
 */
int proc__open_below(const struct sysroot *root, int root_fd, const char *path);

#endif

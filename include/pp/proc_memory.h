/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROC_MEMORY_H
#define PP_PROC_MEMORY_H
/*
 * Memory of processes, copied; ours and that of others. Part of the door of proc. Worker or any thread.
 */
#include <stddef.h>
#include <stdint.h>

struct sysroot;

/* Copies our own vdso into memory of ours (given: free). 0, -ENOENT when there is none, -ENOMEM. */
int vdso__copy(void **ret_data, size_t *ret_len);

/*
 * Up to bytes from addr on of the process that thread tid belongs to, as far as it is in memory: nothing is
 * waited for (swapped out, or behind a file system that does not answer). *ret_bytes may be less. 0, -ESRCH,
 * -EFAULT (nothing there), -errno.
 */
int proc__read_memory(const struct sysroot *root, uint32_t tid, uint64_t addr, void *data,
		      size_t bytes, size_t *ret_bytes);

#endif

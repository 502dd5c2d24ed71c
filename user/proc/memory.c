/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads the memory of a process that runs on. The kernel would bring in pages that are not there, and a page
 * may lie behind a file system of the process's own (FUSE) that never answers: so /proc/TID/pagemap is asked
 * first, and only what is present is read. Between the two a page can go; that costs one of our workers a
 * wait, as reading the process's files does.
 */
#include "pp/proc_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

#define PAGES_MAX	64
#define PAGEMAP_PRESENT (1ull << 63) /* Documentation/admin-guide/mm/pagemap.rst */

/* How many bytes from addr on are in memory, at most bytes. */
static int find_present(const struct sysroot *root, uint32_t tid, uint64_t addr, size_t bytes,
			size_t *ret_bytes)
{
	uint64_t page_bytes = (uint64_t)getpagesize(), entries[PAGES_MAX];
	uint64_t first = addr / page_bytes, last = (addr + bytes - 1) / page_bytes, end;
	_auto_close_ int fd = sysroot__open(root, O_RDONLY | O_CLOEXEC, "proc/%u/pagemap", tid);
	ssize_t n;

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	last = min_of(last, first + PAGES_MAX - 1);
	n = pread(fd, entries, (size_t)(last - first + 1) * sizeof(entries[0]),
		  (off_t)(first * sizeof(entries[0])));
	if (n < 0)
		return -errno;
	for (end = first; end < first + (uint64_t)n / sizeof(entries[0]); end++)
		if (!(entries[end - first] & PAGEMAP_PRESENT))
			break;
	if (end == first)
		return -EFAULT;
	*ret_bytes = (size_t)min_of(bytes, end * page_bytes - addr);
	return 0;
}

int proc__read_memory(const struct sysroot *root, uint32_t tid, uint64_t addr, void *data,
		      size_t bytes, size_t *ret_bytes)
{
	struct iovec local = { .iov_base = data }, remote = { .iov_base = (void *)addr };
	uint64_t end;
	ssize_t n;
	int err;

	if (bytes == 0 || __builtin_add_overflow(addr, bytes, &end))
		return -EFAULT;
	err = find_present(root, tid, addr, bytes, &local.iov_len);
	if (err)
		return err;
	remote.iov_len = local.iov_len;
	n = process_vm_readv((pid_t)tid, &local, 1, &remote, 1, 0);
	if (n <= 0)
		return n ? -errno : -EFAULT;
	*ret_bytes = (size_t)n;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Our own vdso image, copied. Every 64-bit process of a kernel has the same one; its address is in our
 * auxiliary vector, but not its length, so it is copied page by page by the kernel until a page is
 * missing: nothing outside is touched, whatever lies behind it. What was copied too much is not read,
 * since the image's own headers do not lead there.
 */
#include "pp/proc_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/uio.h>
#include <unistd.h>

#define VDSO_BYTES_MAX 65536 /* 8 KiB on 6.18 */

int vdso__copy(void **ret_data, size_t *ret_len)
{
	unsigned long addr = getauxval(AT_SYSINFO_EHDR), page = (unsigned long)getpagesize();
	size_t len = 0;
	char *data;

	if (addr == 0)
		return -ENOENT;
	data = malloc(VDSO_BYTES_MAX);
	if (!data)
		return -ENOMEM;
	while (len < VDSO_BYTES_MAX) {
		struct iovec local = { .iov_base = data + len, .iov_len = page };
		struct iovec remote = { .iov_base = (void *)(addr + len), .iov_len = page };

		if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != (ssize_t)page)
			break;
		len += page;
	}
	if (len == 0) {
		free(data);
		return -ENOENT;
	}
	*ret_data = data;
	*ret_len = len;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Any bytes as /proc/kallsyms, read through a tree whose file is a memfd: names stay inside the result.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pp/base/sysroot.h"
#include "pp/symbol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char dir[] = "/tmp/fuzz_kallsyms_XXXXXX";
static struct sysroot root = { .fd = -1 };

static void remove_tree(void)
{
	(void)unlinkat(root.fd, "proc/kallsyms", 0); /* at exit: nobody to be told */
	(void)unlinkat(root.fd, "proc", AT_REMOVEDIR);
	(void)rmdir(dir);
}

static void open_tree(int fd)
{
	char target[64];

	snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
	if (fd < 0 || !mkdtemp(dir) || sysroot__open_root(&root, dir) ||
	    mkdirat(root.fd, "proc", 0700) || symlinkat(target, root.fd, "proc/kallsyms"))
		abort();
	atexit(remove_tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int fd = -1;
	uint64_t addrs[] = { 1, 0x2000, 0xffffffff81000100, 0xffffffffc0000000, UINT64_MAX };
	struct symbol_result result;

	if (fd < 0) {
		fd = memfd_create("fuzz_kallsyms", MFD_CLOEXEC);
		open_tree(fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, data, len, 0) != (ssize_t)len)
		abort();
	if (kallsyms__resolve(&root, addrs, 5, &result))
		return 0;
	for (uint32_t i = 0; i < 5; i++)
		if (result.names[i] >= result.text_bytes)
			abort();
	symbol_result__clear(&result);
	return 0;
}

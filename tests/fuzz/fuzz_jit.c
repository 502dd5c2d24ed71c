/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Any bytes as a perf map (first byte 'm') or as a jitdump file: names stay inside the text.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pp/base/sysroot.h"
#include "pp/symbol.h"

#define ADDR_CNT 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A directory with tmp/perf-7.map, and /proc for the way back to our descriptors. */
static struct sysroot *host(void)
{
	static char dir[] = "/tmp/fuzz_jit_XXXXXX";
	static struct sysroot root = { -1 };

	if (root.fd >= 0)
		return &root;
	if (!mkdtemp(dir) || sysroot__open_root(&root, dir) || mkdirat(root.fd, "tmp", 0755) ||
	    mkdirat(root.fd, "proc", 0755) || symlinkat("/proc/self", root.fd, "proc/self"))
		abort();
	return &root;
}

static void run(const struct symbol_request *request)
{
	struct symbol_result result;

	if (symbol_job__run(request, &result))
		abort();
	for (uint32_t i = 0; i < ADDR_CNT; i++)
		if (result.names[i] >= result.text_bytes)
			abort();
	symbol_result__clear(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct symbol_jit jit = { .ns_pid = 7, .uid = getuid(), .is_java = len & 1 };
	struct sysroot *root = host();
	uint64_t addrs[ADDR_CNT];
	struct symbol_request request = { .fd = -1,
					  .jit = &jit,
					  .offs = addrs,
					  .off_cnt = ADDR_CNT,
					  .host = root,
					  .root_fd = root->fd };
	bool is_map = len && data[0] == 'm';
	int fd = is_map ? openat(root->fd, "tmp/perf-7.map", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
				 0600) :
			  memfd_create("jitdump", MFD_CLOEXEC);

	for (uint64_t i = 0; i < ADDR_CNT; i++)
		addrs[i] = 0x1000 + i * 8;
	if (fd < 0 || pwrite(fd, data + is_map, len - is_map, 0) != (ssize_t)(len - is_map))
		abort();
	if (!is_map)
		request.fd = fd;
	run(&request);
	close(fd);
	return 0;
}

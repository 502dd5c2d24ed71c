/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the debug file of a file is: Debian and others keep there what strip took away. By build id only, and
 * only the host's own, no container's: a name inside the file (.gnu_debuglink) says nothing of its contents.
 */
#include <fcntl.h>

#include "pp/base/sysroot.h"
#include "pp/unwind.h"

#define NAME_MAX_BYTES (2 * ELF_BUILD_ID_BYTES + 1)

int unwind_debug__open(const struct sysroot *root, const struct elf_build_id *id)
{
	char name[NAME_MAX_BYTES] = "";

	if (id->len < 2)
		return -1;
	for (uint32_t i = 1; i < id->len; i++) {
		name[2 * i - 2] = "0123456789abcdef"[id->bytes[i] >> 4];
		name[2 * i - 1] = "0123456789abcdef"[id->bytes[i] & 15];
	}
	return sysroot__open(root, O_RDONLY | O_CLOEXEC | O_NONBLOCK,
			     "usr/lib/debug/.build-id/%02x/%s.debug", id->bytes[0], name);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the debug file of a file is: Debian and others keep there what strip took away. By build id only, and
 * only the host's own, no container's: a name inside the file (.gnu_debuglink) says nothing of its contents.
 */
#include <fcntl.h>

#include "pp/base/sysroot.h"
#include "pp/elf_debug.h"
#include "pp/unwind.h"

int unwind_debug__open(const struct sysroot *root, const struct elf_build_id *id)
{
	char path[ELF_DEBUG_PATH_BYTES];

	if (elf_build_id__debug_path(id, path))
		return -1;
	return sysroot__open(root, O_RDONLY | O_CLOEXEC | O_NONBLOCK, "%s", path);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ELF_DEBUG_H
#define PP_ELF_DEBUG_H
/*
 * What a stripped file says of its debug information: a small symbol table inside (.gnu_debugdata), the name
 * of a file elsewhere (.gnu_debuglink). Part of the door of elf. One thread per image.
 * Sources: GDB manual, "Debugging Information in Separate Files" and "MiniDebugInfo".
 */
#include <stdbool.h>
#include <stdint.h>

#include "pp/elf.h"

struct buf;

/* Has it all its symbols? (Not only the dynamic ones.) */
bool elf_image__has_symtab(const struct elf_image *self);

#define ELF_DEBUGLINK_BYTES 256
struct elf_debuglink {
	char name[ELF_DEBUGLINK_BYTES]; /* without '/' */
	uint32_t crc; /* of the whole file (zlib's CRC-32) */
};
/* 0, -ENOENT, -EBADMSG, -ENOMEM, -errno. */
int elf_image__debuglink(const struct elf_image *self, struct elf_debuglink *ret_link);
/*
 * The ELF file inside it that has the symbols of functions which .dynsym lacks, unpacked into out (use
 * elf_image__from_memory). 0, -ENOENT, -EBADMSG, -E2BIG past out's maximum, -ENOMEM, -errno.
 */
int elf_image__mini_debug(const struct elf_image *self, struct buf *out);
#define ELF_DEBUG_PATH_BYTES (64 + 2 * ELF_BUILD_ID_BYTES)
/* Where distributions put the debug file of a build id, below a root: "usr/lib/debug/.build-id/ab/cd.debug". 0, -ENOENT. */
int elf_build_id__debug_path(const struct elf_build_id *self, char path[ELF_DEBUG_PATH_BYTES]);
/* The CRC of debug links over the whole image. 0, -errno. */
int elf_image__crc(const struct elf_image *self, uint32_t *ret_crc);

#endif

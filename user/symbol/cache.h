/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SYMBOL_CACHE_INTERNAL_H
#define PP_SYMBOL_CACHE_INTERNAL_H
/*
 * What the cache of names and its file on disk share. Private to the room.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/symbol.h"

#define CACHED_FILES_MAX  512
#define CACHED_PLACES_MAX (1u << 20) /* of a file */
#define CACHED_TEXT_MAX	  (4u << 20) /* bytes of names of a file */

struct intern;

/* Stored as it is: a file that was changed is another. */
struct cached_identity {
	uint64_t dev;
	uint64_t inode;
	uint64_t size_bytes;
	uint64_t mtime_ns;
	uint64_t ctime_ns;
};

/* Stored as it is; there name is an offset in the file's text. */
struct cached_place {
	uint64_t off;
	uint32_t name; /* intern id */
	uint8_t bottom;
	uint8_t no_return;
	uint8_t pad[2];
};

struct cached_file {
	struct cached_identity identity;
	struct elf_build_id build_id;
	bool has_symtab;
	struct cached_place *places; /* ascending */
	size_t cnt, cap;
	struct intern *names; /* NULL: the slot is free */
	uint64_t used; /* turn in which it was last asked for; 0: not since it was read from the disk */
};

void cached_file__clear(struct cached_file *self);

/*
 * All of it or nothing, in one file of ours. load: files are empty. -ENOENT, -EBADMSG when damaged or of another
 * version, -EPERM, -ENOMEM, -errno. save: 0 or -errno.
 */
int cached_files__load(struct cached_file files[CACHED_FILES_MAX], int dir_fd);
int cached_files__save(const struct cached_file files[CACHED_FILES_MAX], int dir_fd);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds what a stripped file's symbols were put away into, in the order in which it is cheap: inside it
 * (MiniDebugInfo), then by its build id, then by its debug link beside it or below usr/lib/debug. Looked for below
 * the root of the process that mapped the file, then below the host's. A file counts only if it is proven to
 * belong: by an equal build id, or where the link is all there is, by the link's checksum.
 */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"
#include "pp/elf_debug.h"
#include "pp/proc.h"
#include "pp/proc_file.h"

#define MINI_BYTES_MAX (64u << 20)

/* Below one root. */
struct place {
	const struct sysroot *host;
	int root_fd;
	const struct elf_build_id *id; /* of the stripped file */
	const struct elf_debuglink *link; /* NULL: it has none */
	const char *file; /* its path; NULL: not known */
};

int debug_images__add_mini(struct debug_images *self, const struct elf_image *image)
{
	struct elf_image *mini;
	struct buf data;
	size_t len;
	int err;

	buf__init(&data, MINI_BYTES_MAX);
	err = elf_image__mini_debug(image, &data);
	if (err) {
		buf__clear(&data);
		return err;
	}
	self->mini_data = buf__take(&data, &len);
	err = self->mini_data ? elf_image__from_memory(self->mini_data, len, &mini) : -EBADMSG;
	if (err)
		return err;
	self->mini = mini;
	return 0;
}

static bool has_build_id(const struct elf_image *image, const struct elf_build_id *id)
{
	struct elf_build_id have;

	elf_image__build_id(image, &have);
	return have.len == id->len && memcmp(have.bytes, id->bytes, id->len) == 0;
}

/* Takes the file at path if it has the same build id, or where there is none, the checksum of the link. */
static int try_path(struct debug_images *self, const struct place *place, const char *path)
{
	_auto_close_ int fd = proc__open_below(place->host, place->root_fd, path);
	struct elf_image *image;
	uint32_t crc = 0;
	int err;

	if (fd < 0)
		return fd;
	err = elf_image__open(fd, &image);
	if (err)
		return err;
	if (place->id->len)
		err = has_build_id(image, place->id) ? 0 : -ESTALE;
	else
		err = elf_image__crc(image, &crc) ?: (crc == place->link->crc ? 0 : -ESTALE);
	if (!err && !elf_image__has_symtab(image))
		err = -ENOENT;
	if (err) {
		elf_image__close(image);
		return err;
	}
	self->file = image;
	self->file_fd = take_fd(fd);
	return 0;
}

static int try_build_id(struct debug_images *self, const struct place *place)
{
	char path[ELF_DEBUG_PATH_BYTES];
	int err = elf_build_id__debug_path(place->id, path);

	return err ? err : try_path(self, place, path);
}

static int try_link(struct debug_images *self, const struct place *place)
{
	static const char *const forms[] = {
		"%.*s/.debug/%s",
		"usr/lib/debug%.*s/%s",
		"%.*s/%s",
	};
	const char *slash = place->file ? strrchr(place->file, '/') : NULL;
	char path[PATH_MAX];
	int err = -ENOENT;

	if (!place->link || !slash)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(forms) && err; i++) {
		int len = snprintf(path, sizeof(path), forms[i], (int)(slash - place->file),
				   place->file, place->link->name);

		if (len > 0 && (size_t)len < sizeof(path))
			err = try_path(self, place, path);
	}
	return err;
}

/* What debuginfod.c put there. */
static int try_fetched(struct debug_images *self, const struct place *place, const char *dir)
{
	char path[PATH_MAX], hex[2 * ELF_BUILD_ID_BYTES + 1] = "";
	int len;

	for (uint32_t i = 0; i < place->id->len; i++)
		snprintf(hex + 2 * i, 3, "%02x", place->id->bytes[i]);
	len = snprintf(path, sizeof(path), "%s/%s.debug", dir, hex);
	if (!*hex || len < 0 || (size_t)len >= sizeof(path))
		return -ENOENT;
	return try_path(self, place, path);
}

int debug_images__add_file(struct debug_images *self, const struct elf_image *image,
			   const struct symbol_request *request)
{
	struct elf_debuglink link;
	struct elf_build_id id;
	struct place place = {
		.host = request->host, .root_fd = request->root_fd, .id = &id, .file = request->path
	};
	int err = -ENOENT;

	if (!request->host)
		return err;
	if (!elf_image__debuglink(image, &link))
		place.link = &link;
	elf_image__build_id(image, &id);
	if (place.root_fd >= 0)
		err = try_build_id(self, &place);
	if (err && place.root_fd >= 0)
		err = try_link(self, &place);
	place.root_fd = request->host->fd;
	if (err)
		err = try_build_id(self, &place);
	if (err)
		err = try_link(self, &place);
	return err && request->debug_dir ? try_fetched(self, &place, request->debug_dir) : err;
}

void debug_images__clear(struct debug_images *self)
{
	elf_image__close(self->mini);
	free(self->mini_data);
	if (self->file) {
		elf_image__close(self->file);
		close(self->file_fd);
	}
	*self = (struct debug_images){ 0 };
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps the directory of the cache within its bytes: counts its files, and removes those first that were not
 * used for longest (their modification time is the time of their last use). A process that has a removed
 * file open reads on, and makes a new one when it wants to write.
 */
#include "cache_room.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "pp/base/cleanup.h"
#include "pp/base/vec.h"
#include "pp/metrics.h"

#define COUNT_EVERY 64
#define FILES_MAX   65536

struct room_file {
	char name[CACHE_NAME_BYTES];
	uint64_t used_ns;
	uint64_t bytes;
};

struct room_list {
	struct room_file *files;
	size_t cnt;
	size_t cap;
	uint64_t bytes;
};

void cache_room__init(struct cache_room *self, int dir_fd, uint64_t bytes_max)
{
	*self = (struct cache_room){ .dir_fd = dir_fd, .bytes_max = bytes_max };
}

static bool is_ours(const char *name)
{
	size_t len = 0;

	while (isxdigit((unsigned char)name[len]))
		len++;
	return len == CACHE_NAME_BYTES - 1 && name[len] == '\0';
}

static int add_file(const struct cache_room *self, const char *name, struct room_list *list)
{
	struct room_file *file;
	struct stat st;
	int err;

	if (!is_ours(name) || fstatat(self->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISREG(st.st_mode))
		return 0;
	err = vec_room(list->files, list->cnt + 1, list->cap, FILES_MAX);
	if (err)
		return err;
	file = &list->files[list->cnt++];
	memcpy(file->name, name, sizeof(file->name));
	file->used_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
	file->bytes = (uint64_t)st.st_size;
	list->bytes += file->bytes;
	return 0;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int list_files(const struct cache_room *self, struct room_list *list)
{
	__cleanup(close_dir) DIR *dir = NULL;
	struct dirent *entry;
	int fd, err = 0;

	fd = openat(self->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		err = -errno;
		close(fd);
		return err;
	}
	while (!err && (entry = readdir(dir)))
		err = add_file(self, entry->d_name, list);
	return err == -E2BIG ? 0 : err;
}

static int by_use(const void *a, const void *b)
{
	const struct room_file *file_a = a, *file_b = b;

	if (file_a->used_ns != file_b->used_ns)
		return file_a->used_ns < file_b->used_ns ? -1 : 1;
	return strcmp(file_a->name, file_b->name);
}

/* Down to 7/8, so that not every addition that follows has to make room again. */
static int evict(const struct cache_room *self, struct room_list *list, uint64_t bytes,
		 const char *keep)
{
	uint64_t wanted = self->bytes_max - self->bytes_max / 8;

	if (list->cnt > 0)
		qsort(list->files, list->cnt, sizeof(*list->files), by_use);
	for (size_t i = 0; i < list->cnt && list->bytes + bytes > wanted; i++) {
		const struct room_file *file = &list->files[i];

		if (strcmp(file->name, keep) == 0)
			continue;
		if (unlinkat(self->dir_fd, file->name, 0) && errno != ENOENT)
			return -errno;
		metric__add(METRIC_UNWIND_CACHE_EVICTED, 1);
		list->bytes -= file->bytes;
	}
	return list->bytes + bytes > self->bytes_max ? -ENOSPC : 0;
}

int cache_room__make(struct cache_room *self, uint64_t bytes, const char *keep)
{
	struct room_list list = { 0 };
	int err = 0;

	if (self->uncounted == 0 || self->bytes + bytes > self->bytes_max) {
		err = list_files(self, &list);
		if (!err && list.bytes + bytes > self->bytes_max)
			err = evict(self, &list, bytes, keep);
		self->bytes = list.bytes;
		self->uncounted = COUNT_EVERY;
		free(list.files);
	}
	if (err)
		return err;
	self->bytes += bytes;
	self->uncounted--;
	return 0;
}

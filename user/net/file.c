/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Certificates and keys that are replaced while we run: short-lived ones every few hours. A file is asked
 * for its time, size and inode before each request (a stat, no watch, no thread), read when one of them
 * changed, and given to libcurl from memory: a connection made with other bytes is not used again, and
 * what is half written is seen as another change later.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/file.h"

#define FILE_MAX_BYTES (4u << 20)

int net_file__init(struct net_file *self, const char *path)
{
	memset(self, 0, sizeof(*self));
	buf__init(&self->data, FILE_MAX_BYTES);
	if (!path || !*path)
		return 0;
	self->path = strdup(path);
	return self->path ? 0 : -ENOMEM;
}

static void forget(struct buf *data)
{
	if (data->data)
		explicit_bzero(data->data, data->len);
	buf__clear(data);
}

void net_file__clear(struct net_file *self)
{
	free(take_ptr(self->path));
	forget(&self->data);
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct net_file *self, const struct stat *st)
{
	return self->was_read && is_same_time(self->mtime, st->st_mtim) &&
	       is_same_time(self->ctime, st->st_ctim) &&
	       self->size_bytes == (uint64_t)st->st_size && self->inode == st->st_ino &&
	       self->device == st->st_dev;
}

int net_file__load(struct net_file *self)
{
	struct buf data = { .max_bytes = FILE_MAX_BYTES };
	struct stat st;
	int err;

	if (!self->path)
		return 0;
	if (stat(self->path, &st) < 0)
		return -errno;
	if (is_same(self, &st))
		return 0;
	err = file__read_at(AT_FDCWD, self->path, &data);
	if (!err && !data.len)
		err = -ENODATA;
	if (err) {
		forget(&data);
		return err;
	}
	forget(&self->data);
	self->data = data;
	self->mtime = st.st_mtim;
	self->ctime = st.st_ctim;
	self->size_bytes = (uint64_t)st.st_size;
	self->inode = st.st_ino;
	self->device = st.st_dev;
	self->was_read = true;
	return 0;
}

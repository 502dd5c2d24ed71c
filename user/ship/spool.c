/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Profiles on disk until the server has them. Always true: a file under its final name is whole, the sum
 * of all stays within the bound, and what had to go to keep it there is counted. Sends nothing.
 *
 * The table in memory mirrors the directory: it is read once, when opened, since nobody else writes there.
 */
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/base/vec.h"
#include "pp/metrics.h"

/* After so many error answers in a row a file lets the others pass: it may be what the server chokes on. */
#define TRIES_A_ROUND 4
/* A clock that was set wrong once must not make all that it dated go at the next start. */
#define GRACE_NS (3600ll * 1000000000)

static int file_cmp(const void *a, const void *b)
{
	const struct spool_file *file_a = a, *file_b = b;

	return strcmp(file_a->name.stem, file_b->name.stem);
}

static int spool__add(struct spool *self, const struct spool_name *name, uint64_t bytes)
{
	struct spool_file *file;
	int err = vec_room(self->files, self->cnt + 1, self->cap, SPOOL_FILES_MAX);

	if (err)
		return err;
	file = &self->files[self->cnt++];
	memset(file, 0, sizeof(*file));
	file->name = file->on_disk = *name;
	file->bytes = bytes;
	file->born_ns = (int64_t)clock_mono_ns();
	self->bytes += bytes;
	return 0;
}

static void spool__forget(struct spool *self, struct spool_file *file)
{
	size_t i = (size_t)(file - self->files);

	self->bytes -= file->bytes;
	if (file->memory)
		self->memory_bytes -= file->bytes;
	free(file->memory);
	memmove(file, file + 1, (self->cnt - i - 1) * sizeof(*file));
	self->cnt--;
}

/* How old a file found at start is taken for. */
static int64_t found_age_ns(const struct spool *self, const struct spool_name *name)
{
	int64_t made_ns = (int64_t)strtoull(name->stem, NULL, 10);
	int64_t age_ns = (int64_t)clock_real_ns() - made_ns;

	return max_of(min_of(age_ns, self->max_age_ns - GRACE_NS), (int64_t)0);
}

/* One entry of the directory as found at start. */
static int spool__adopt(struct spool *self, const char *text)
{
	struct spool_name name;
	struct spool_file *file;
	struct stat st;
	int err;

	if (spool_name__is_temporary(text)) {
		/* A write that a crash cut short: never under its final name, so never promised to anyone. */
		(void)unlinkat(self->dir_fd, text, 0);
		return 0;
	}
	if (!spool_name__parse(text, &name))
		return 0;
	if (fstatat(self->dir_fd, text, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) {
		metric__add(METRIC_SPOOL_DAMAGED, 1);
		log_warn("ship: not a regular file in the spool '%s', ignoring", text);
		return 0;
	}
	err = spool__add(self, &name, (uint64_t)st.st_size);
	if (err)
		return err;
	file = &self->files[self->cnt - 1];
	file->born_ns -= found_age_ns(self, &name);
	file->is_held = name.command[0];
	return 0;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int spool__scan(struct spool *self)
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
		err = spool__adopt(self, entry->d_name);
	if (err == -E2BIG) {
		log_warn("ship: more than %d files in the spool, the rest waits for the next start",
			 SPOOL_FILES_MAX);
		err = 0;
	}
	if (self->cnt)
		qsort(self->files, self->cnt, sizeof(*self->files), file_cmp);
	return err;
}

/* What a person can mend while we go on without a directory. */
static bool is_disk_trouble(int err)
{
	return err == -EROFS || err == -ENOSPC || err == -EDQUOT || err == -EIO;
}

int spool__open(struct spool *self, const char *state_dir, uint64_t max_bytes, uint64_t max_age_s)
{
	_auto_buf_ struct buf path;
	int err;

	memset(self, 0, sizeof(*self));
	self->dir_fd = -1;
	self->max_bytes = max_bytes;
	self->max_age_ns = (int64_t)min_of(max_age_s, (uint64_t)INT32_MAX) * 1000000000;
	buf__init(&path, 4096);
	err = buf__printf(&path, "%s/spool", state_dir);
	if (!err)
		err = dir__open_private(path.data, &self->dir_fd);
	if (is_disk_trouble(err)) {
		log_error("ship: no spool '%s': %s, profiles are kept in memory until sent",
			  path.data, errname(err));
		return 0;
	}
	if (!err)
		err = spool__scan(self);
	if (err)
		spool__close(self);
	return err;
}

/* The disk may have room by now. */
static void spool__save(struct spool *self, struct spool_file *file)
{
	char name[SPOOL_NAME_BYTES];
	int err = self->dir_fd < 0 ? -EROFS : 0;

	spool_name__print(&file->name, name);
	if (!err)
		err = file__write_atomic(self->dir_fd, name, file->memory, file->bytes, 0600);
	if (!err)
		return;
	metric__add(METRIC_UPLOADS_EVICTED, 1);
	log_error("ship: not sent and not on disk, dropping the profile '%s': %s", file->name.stem,
		  errname(err));
}

void spool__close(struct spool *self)
{
	for (size_t i = 0; i < self->cnt; i++) {
		if (self->files[i].memory)
			spool__save(self, &self->files[i]);
		free(self->files[i].memory);
	}
	if (self->dir_fd >= 0)
		close(self->dir_fd);
	self->dir_fd = -1;
	free(self->files);
	self->files = NULL;
	self->cnt = self->cap = 0;
}

static bool is_victim(const struct spool_file *file, const char *pinned, uint32_t round)
{
	if (file->is_writing || (pinned && !strcmp(file->name.stem, pinned)))
		return false;
	if (round == 0)
		return file->name.state != SPOOL_WAITING;
	return round == 2 || !file->is_held;
}

/* The one to give up first: what is only kept for a person, then the oldest, then the oldest held. */
static struct spool_file *spool__victim(struct spool *self, const char *pinned)
{
	for (uint32_t round = 0; round < 3; round++)
		for (size_t i = 0; i < self->cnt; i++)
			if (is_victim(&self->files[i], pinned, round))
				return &self->files[i];
	return NULL;
}

static int spool__evict(struct spool *self, const char *pinned)
{
	struct spool_file *file = spool__victim(self, pinned);

	if (!file)
		return -ENOSPC;
	metric__add(METRIC_UPLOADS_EVICTED, 1);
	log_warn("ship: spool full, dropping the profile '%s'", file->name.stem);
	spool__remove(self, file);
	return 0;
}

void spool__expire(struct spool *self, const char *pinned)
{
	int64_t now_ns = (int64_t)clock_mono_ns();

	for (size_t i = self->cnt; i-- > 0;) {
		struct spool_file *file = &self->files[i];

		if (now_ns - file->born_ns <= self->max_age_ns || !is_victim(file, pinned, 2))
			continue;
		metric__add(METRIC_UPLOADS_EXPIRED, 1);
		log_warn("ship: too old, dropping the profile '%s'", file->name.stem);
		spool__remove(self, file);
	}
}

/* After the disk said no. */
static int spool__keep_in_memory(struct spool *self, struct spool_file *file, const void *data)
{
	if (self->memory_bytes + file->bytes > SPOOL_MEMORY_MAX_BYTES)
		return -ENOSPC;
	file->memory = malloc(file->bytes);
	if (!file->memory)
		return -ENOMEM;
	memcpy(file->memory, data, file->bytes);
	self->memory_bytes += file->bytes;
	return 0;
}

int spool__reserve(struct spool *self, struct spool_name *name, bool is_held, uint64_t bytes,
		   const char *pinned)
{
	int err;

	if (bytes > self->max_bytes)
		return -E2BIG;
	while (self->bytes + bytes > self->max_bytes || self->cnt >= SPOOL_FILES_MAX) {
		err = spool__evict(self, pinned);
		if (err)
			return err;
	}
	do {
		snprintf(name->stem, sizeof(name->stem), "%020llu-%06u",
			 (unsigned long long)clock_real_ns(), self->seq % 1000000);
		self->seq++;
	} while (spool__find(self, name->stem));
	err = spool__add(self, name, bytes);
	if (err)
		return err;
	self->files[self->cnt - 1].is_writing = true;
	self->files[self->cnt - 1].is_held = is_held;
	/* Only a clock that was set back makes this more than a look. */
	qsort(self->files, self->cnt, sizeof(*self->files), file_cmp);
	return 0;
}

int spool__written(struct spool *self, const char *stem, int err, const void *data)
{
	struct spool_file *file = spool__find(self, stem);

	pp_assert(file && file->is_writing);
	file->is_writing = false;
	if (!err)
		return 0;
	if (spool__keep_in_memory(self, file, data)) {
		spool__forget(self, file);
		return err;
	}
	log_error("ship: not written to the spool '%s': %s, kept in memory until sent", stem,
		  errname(err));
	return 0;
}

struct spool_file *spool__next(struct spool *self)
{
	struct spool_file *next = NULL;

	for (size_t i = 0; i < self->cnt; i++) {
		struct spool_file *file = &self->files[i];

		if (file->name.state == SPOOL_WAITING && !file->is_writing && !file->is_held &&
		    (!next || file->tries / TRIES_A_ROUND < next->tries / TRIES_A_ROUND))
			next = file;
	}
	return next;
}

struct spool_file *spool__find(struct spool *self, const char *stem)
{
	for (size_t i = 0; i < self->cnt; i++)
		if (!strcmp(self->files[i].name.stem, stem))
			return &self->files[i];
	return NULL;
}

/* What was sent must not come again after a power cut. Rare: once for each piece that a server took. */
static void spool__sync(const struct spool *self)
{
	if (fsync(self->dir_fd))
		log_warn("ship: the spool's directory is not synced: %s", errname(errno));
}

void spool__remove(struct spool *self, struct spool_file *file)
{
	char name[SPOOL_NAME_BYTES];

	spool_name__print(&file->on_disk, name);
	if (!file->memory && unlinkat(self->dir_fd, name, 0) && errno != ENOENT)
		log_warn("ship: not removed from the spool '%s': %s", name, errname(errno));
	else if (!file->memory)
		spool__sync(self);
	spool__forget(self, file);
}

/* The new name holds for this process even where the disk will not have it. */
static void spool__rename(struct spool *self, struct spool_file *file,
			  const struct spool_name *new_name)
{
	char from[SPOOL_NAME_BYTES], to[SPOOL_NAME_BYTES];

	file->name = *new_name;
	spool_name__print(&file->on_disk, from);
	spool_name__print(new_name, to);
	if (!file->memory && renameat(self->dir_fd, from, self->dir_fd, to)) {
		log_warn("ship: not renamed in the spool '%s': %s", from, errname(errno));
		return;
	}
	file->on_disk = *new_name;
	if (!file->memory)
		spool__sync(self);
}

void spool__mark_sent(struct spool *self, struct spool_file *file, uint32_t pieces, uint32_t sent)
{
	struct spool_name name = file->name;

	name.pieces = pieces;
	name.sent = sent;
	spool__rename(self, file, &name);
}

void spool__set_aside(struct spool *self, struct spool_file *file, enum spool_state state)
{
	struct spool_name name = file->name;

	pp_assert(file->name.state == SPOOL_WAITING && state != SPOOL_WAITING);
	if (file->memory) {
		spool__forget(self, file);
		return;
	}
	name.state = state;
	spool__rename(self, file, &name);
}

uint32_t spool__waiting(const struct spool *self)
{
	uint32_t cnt = 0;

	for (size_t i = 0; i < self->cnt; i++)
		cnt += self->files[i].name.state == SPOOL_WAITING && !self->files[i].is_writing;
	return cnt;
}

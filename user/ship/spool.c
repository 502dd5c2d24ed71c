/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Profiles on disk until the server has them. Always true: a file under its final name is whole, the sum
 * of all stays within the bound, and what had to go to keep it there is counted. Sends nothing.
 *
 * The table in memory mirrors the directory: it is read once, when opened, since nobody else writes there.
 */
#include "internal.h"

#include <ctype.h>
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

#define NAME_TIME_DIGITS 20
#define NAME_SEQ_DIGITS	 6
#define NAME_EXT	 ".json.gz"
/* After so many error answers in a row a file lets the others pass: it may be what the server chokes on. */
#define TRIES_A_ROUND 4

static const char *const state_suffix[] = {
	[SPOOL_WAITING] = "",
	[SPOOL_REFUSED] = ".refused",
	[SPOOL_DAMAGED] = ".damaged",
};

static bool all_digits(const char *text, size_t cnt)
{
	size_t i;

	for (i = 0; i < cnt; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return true;
}

/* The part of a name that is ours: digits, dash, digits, extension. NULL or what follows it. */
static const char *after_stem(const char *name)
{
	const size_t ext = NAME_TIME_DIGITS + 1 + NAME_SEQ_DIGITS;

	if (strlen(name) < ext + strlen(NAME_EXT) || !all_digits(name, NAME_TIME_DIGITS) ||
	    name[NAME_TIME_DIGITS] != '-' ||
	    !all_digits(name + NAME_TIME_DIGITS + 1, NAME_SEQ_DIGITS) ||
	    strncmp(name + ext, NAME_EXT, strlen(NAME_EXT)))
		return NULL;
	return name + ext + strlen(NAME_EXT);
}

bool spool_name__parse(const char *name, enum spool_state *ret_state)
{
	const char *rest = after_stem(name);
	size_t i;

	for (i = 0; rest && i < ARRAY_SIZE(state_suffix); i++) {
		if (strcmp(rest, state_suffix[i]))
			continue;
		*ret_state = (enum spool_state)i;
		return true;
	}
	return false;
}

static int file_cmp(const void *a, const void *b)
{
	const struct spool_file *file_a = a, *file_b = b;

	return strcmp(file_a->name, file_b->name);
}

static int spool__add(struct spool *self, const char *name, enum spool_state state, uint64_t bytes)
{
	struct spool_file *file;
	int err = vec_room(self->files, self->cnt + 1, self->cap, SPOOL_FILES_MAX);

	if (err)
		return err;
	file = &self->files[self->cnt++];
	memset(file, 0, sizeof(*file));
	snprintf(file->name, sizeof(file->name), "%s", name);
	file->state = state;
	file->bytes = bytes;
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

/* One entry of the directory as found at start. */
static int spool__adopt(struct spool *self, const char *name)
{
	const char *rest = after_stem(name);
	enum spool_state state;
	struct stat st;

	if (rest && !strncmp(rest, ".tmp", 4)) {
		/* A write that a crash cut short: never under its final name, so never promised to anyone. */
		(void)unlinkat(self->dir_fd, name, 0);
		return 0;
	}
	if (!spool_name__parse(name, &state))
		return 0;
	if (fstatat(self->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) {
		metric__add(METRIC_SPOOL_DAMAGED, 1);
		log_warn("ship: not a regular file in the spool '%s', ignoring", name);
		return 0;
	}
	return spool__add(self, name, state, (uint64_t)st.st_size);
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

int spool__open(struct spool *self, const char *state_dir, uint64_t max_bytes)
{
	_auto_buf_ struct buf path;
	int err;

	memset(self, 0, sizeof(*self));
	self->dir_fd = -1;
	self->max_bytes = max_bytes;
	buf__init(&path, 4096);
	err = buf__printf(&path, "%s/spool", state_dir);
	if (!err)
		err = dir__open_private(path.data, &self->dir_fd);
	if (!err)
		err = spool__scan(self);
	if (err)
		spool__close(self);
	return err;
}

void spool__close(struct spool *self)
{
	size_t i;

	for (i = 0; i < self->cnt; i++) {
		if (!self->files[i].memory)
			continue;
		metric__add(METRIC_UPLOADS_EVICTED, 1);
		log_error("ship: not sent and not on disk, dropping the profile '%s'",
			  self->files[i].name);
		free(self->files[i].memory);
	}
	if (self->dir_fd >= 0)
		close(self->dir_fd);
	self->dir_fd = -1;
	free(self->files);
	self->files = NULL;
	self->cnt = self->cap = 0;
}

/* The one to give up first: what is only kept for a person, then the oldest. */
static struct spool_file *spool__victim(struct spool *self, const char *pinned)
{
	size_t i;

	for (i = 0; i < self->cnt; i++)
		if (self->files[i].state != SPOOL_WAITING)
			return &self->files[i];
	for (i = 0; i < self->cnt; i++)
		if (!pinned || strcmp(self->files[i].name, pinned))
			return &self->files[i];
	return NULL;
}

static int spool__evict(struct spool *self, const char *pinned)
{
	struct spool_file *file = spool__victim(self, pinned);

	if (!file)
		return -ENOSPC;
	metric__add(METRIC_UPLOADS_EVICTED, 1);
	log_warn("ship: spool full, dropping the profile '%s'", file->name);
	spool__remove(self, file);
	return 0;
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

int spool__put(struct spool *self, const void *data, size_t len, const char *pinned)
{
	struct spool_file *file;
	char name[SPOOL_NAME_BYTES];
	int err;

	if (len > self->max_bytes)
		return -E2BIG;
	while (self->bytes + len > self->max_bytes || self->cnt >= SPOOL_FILES_MAX) {
		err = spool__evict(self, pinned);
		if (err)
			return err;
	}
	do {
		snprintf(name, sizeof(name), "%0*llu-%0*u" NAME_EXT, NAME_TIME_DIGITS,
			 (unsigned long long)clock_real_ns(), NAME_SEQ_DIGITS, self->seq);
		self->seq = (self->seq + 1) % 1000000;
	} while (spool__find(self, name));
	err = spool__add(self, name, SPOOL_WAITING, len);
	if (err)
		return err;
	file = &self->files[self->cnt - 1];
	err = file__write_atomic(self->dir_fd, name, data, len, 0600);
	if (err && spool__keep_in_memory(self, file, data)) {
		spool__forget(self, file);
		return err;
	}
	if (err)
		log_error("ship: not written to the spool '%s': %s, kept in memory until sent",
			  name, errname(err));
	/* Only a clock that was set back makes this more than a look. */
	qsort(self->files, self->cnt, sizeof(*self->files), file_cmp);
	return 0;
}

struct spool_file *spool__next(struct spool *self)
{
	struct spool_file *next = NULL;
	size_t i;

	for (i = 0; i < self->cnt; i++) {
		struct spool_file *file = &self->files[i];

		if (file->state == SPOOL_WAITING &&
		    (!next || file->tries / TRIES_A_ROUND < next->tries / TRIES_A_ROUND))
			next = file;
	}
	return next;
}

struct spool_file *spool__find(struct spool *self, const char *name)
{
	size_t i;

	for (i = 0; i < self->cnt; i++)
		if (!strcmp(self->files[i].name, name))
			return &self->files[i];
	return NULL;
}

int spool__read(struct spool *self, const char *name, struct buf *out)
{
	const struct spool_file *file = spool__find(self, name);

	if (file && file->memory)
		return buf__append(out, file->memory, file->bytes);
	return file__read_at(self->dir_fd, name, out);
}

void spool__remove(struct spool *self, struct spool_file *file)
{
	if (!file->memory && unlinkat(self->dir_fd, file->name, 0) && errno != ENOENT)
		log_warn("ship: not removed from the spool '%s': %s", file->name, errname(errno));
	spool__forget(self, file);
}

void spool__set_aside(struct spool *self, struct spool_file *file, enum spool_state state)
{
	char name[SPOOL_NAME_BYTES];

	pp_assert(file->state == SPOOL_WAITING && state != SPOOL_WAITING);
	if (file->memory) {
		spool__forget(self, file);
		return;
	}
	snprintf(name, sizeof(name), "%.*s%s",
		 (int)(sizeof(name) - strlen(state_suffix[state]) - 1), file->name,
		 state_suffix[state]);
	file->state = state;
	if (renameat(self->dir_fd, file->name, self->dir_fd, name))
		log_warn("ship: not renamed in the spool '%s': %s", file->name, errname(errno));
	else
		snprintf(file->name, sizeof(file->name), "%s", name);
}

uint32_t spool__waiting(const struct spool *self)
{
	uint32_t cnt = 0;
	size_t i;

	for (i = 0; i < self->cnt; i++)
		cnt += self->files[i].state == SPOOL_WAITING;
	return cnt;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The profiles' files, compressed, beside the database: ID.col.gz (lines) and, where the agent sent a
 * page, ID.html.gz. Files are written before the row is added, so a profile is whole or absent; what a crash
 * leaves behind is removed at the next start. Bounded in number and bytes: the
 * oldest go first, counted and logged.
 */
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/compress.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/encode.h"
#include "pp/profile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define GZIP_LEVEL 1 /* the next upload waits for it */

static void profile__cleanup(struct profile **p)
{
	profile__free(*p);
}

static void file_name(char name[40], int64_t id, const char *kind)
{
	snprintf(name, 40, "%" PRId64 ".%s.gz", id, kind);
}

void shelf__unlink(const struct shelf *self, int64_t id)
{
	char name[40];

	file_name(name, id, "col");
	(void)unlinkat(self->dir_fd, name, 0);
	file_name(name, id, "html");
	(void)unlinkat(self->dir_fd, name, 0);
}

/* Also removes what an interrupted write left ("ID.col.gz.tmp-..."). Other people's names stay. */
static int shelf__sweep(struct shelf *self)
{
	const int fd = openat(self->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stored_profile profile;
	struct dirent *entry;
	int64_t id;
	int err = 0, used;
	DIR *dir;

	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		used = 0;
		if (sscanf(entry->d_name, "%" SCNd64 ".%n", &id, &used) != 1 || !used)
			continue;
		err = store__profile(self->store, id, &profile);
		if (err == -ENOENT || (!err && strstr(entry->d_name, ".tmp-"))) {
			log_info("studio: removed a file left behind '%s'", entry->d_name);
			err = unlinkat(self->dir_fd, entry->d_name, 0) < 0 ? -errno : 0;
		}
	}
	closedir(dir);
	return err;
}

int shelf__open(struct shelf *self, int state_fd, struct store *store)
{
	int fd, err;

	if (mkdirat(state_fd, "profiles", 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(state_fd, "profiles", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*self = (struct shelf){
		.dir_fd = fd,
		.store = store,
		.profiles_max = SHELF_PROFILES_MAX,
		.bytes_max = SHELF_BYTES_MAX,
	};
	err = store__next_profile(store, &self->next_id);
	return err ? err : shelf__sweep(self);
}

void shelf__close(struct shelf *self)
{
	if (self->dir_fd >= 0)
		close(self->dir_fd);
	self->dir_fd = -1;
}

int64_t shelf__next_id(struct shelf *self)
{
	return self->next_id++;
}

static int write_file(int dir_fd, int64_t id, const char *kind, const struct buf *data,
		      uint64_t *total_bytes)
{
	struct buf packed _auto_buf_ = { 0 };
	char name[40];
	int err;

	buf__init(&packed, UPLOAD_PLAIN_MAX_BYTES + 4096);
	err = gzip__pack(data->data ? data->data : "", data->len, GZIP_LEVEL, &packed);
	if (err)
		return err;
	file_name(name, id, kind);
	*total_bytes += packed.len;
	return file__write_atomic(dir_fd, name, packed.data, packed.len, 0600);
}

int shelf__write(const struct shelf *self, int64_t id, const struct upload *upload,
		 uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	int err;

	err = write_file(self->dir_fd, id, "col", &upload->lines, &bytes);
	if (!err && upload->html.len)
		err = write_file(self->dir_fd, id, "html", &upload->html, &bytes);
	if (err)
		shelf__unlink(self, id);
	else
		*ret_bytes = bytes;
	return err;
}

static int shelf__add_row(struct shelf *self, const struct stored_profile *row)
{
	int err;

	err = store__begin(self->store);
	err = err ? err : store__add_profile(self->store, row);
	if (!err && row->lines_skipped)
		err = store__count(self->store, "lines_skipped", row->lines_skipped);
	err = err ? err : store__commit(self->store);
	if (err)
		store__rollback(self->store);
	return err;
}

/* Row first: a crash in between leaves a file that the next start removes. */
static int shelf__evict(struct shelf *self)
{
	uint64_t cnt, bytes;
	int64_t oldest;
	int err;

	for (;;) {
		err = store__profile_totals(self->store, &cnt, &bytes, &oldest);
		if (err || cnt <= 1 || (cnt <= self->profiles_max && bytes <= self->bytes_max))
			return err;
		err = store__remove_profile(self->store, oldest);
		err = err ? err : store__count(self->store, "profiles_evicted", 1);
		if (err)
			return err;
		shelf__unlink(self, oldest);
		log_info("studio: removed the oldest profile '%" PRId64 "': more than %" PRIu64
			 " profiles or %" PRIu64 " bytes",
			 oldest, self->profiles_max, self->bytes_max);
	}
}

int shelf__add(struct shelf *self, const struct stored_profile *row)
{
	int err;

	err = shelf__add_row(self, row);
	if (err) {
		shelf__unlink(self, row->id);
		return err;
	}
	err = shelf__evict(self);
	if (err)
		log_warn("studio: cannot remove old profiles, ignoring: %s", errname(err));
	return 0;
}

static int shelf__read(const struct shelf *self, int64_t id, const char *kind, struct buf *out)
{
	struct buf packed _auto_buf_ = { 0 };
	char name[40];
	int err;

	buf__init(&packed, UPLOAD_PLAIN_MAX_BYTES + 4096);
	file_name(name, id, kind);
	err = file__read_at(self->dir_fd, name, &packed);
	if (err)
		return err == -ENOENT ? -EBADMSG : err;
	return gzip__unpack(packed.data ? packed.data : "", packed.len, out);
}

int shelf__lines(const struct shelf *self, int64_t id, struct buf *out)
{
	return shelf__read(self, id, "col", out);
}

static int set_meta(struct profile *profile, const struct stored_profile *stored)
{
	struct profile_meta *meta = &profile->meta;
	int err;

	meta->start_real_ns = (uint64_t)stored->start_ms * 1000000;
	meta->end_real_ns = (uint64_t)max_of(stored->end_ms, stored->start_ms) * 1000000;
	meta->duration_ns = meta->end_real_ns - meta->start_real_ns;
	meta->rate_hz = stored->rate_hz;
	meta->busy_pct = -1;
	meta->mem_pct = -1;
	meta->continuous = stored->continuous;
	err = profile__string(profile, stored->hostname, &meta->hostname);
	return err;
}

int shelf__html(const struct shelf *self, const struct stored_profile *profile, struct buf *out)
{
	struct profile *made __cleanup(profile__cleanup) = NULL;
	struct buf lines _auto_buf_ = { 0 };
	int err;

	if (profile->has_html)
		return shelf__read(self, profile->id, "html", out);
	buf__init(&lines, UPLOAD_PLAIN_MAX_BYTES);
	err = shelf__lines(self, profile->id, &lines);
	err = err ? err : profile__new(&made);
	err = err ? err : set_meta(made, profile);
	err = err ? err : collapsed__to_profile(lines.data ? lines.data : "", lines.len, made);
	return err ? err : encode__html(made, out);
}

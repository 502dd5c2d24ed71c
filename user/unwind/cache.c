/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Converted pages on disk, one file per ELF file. Several processes may use the directory at a time: one who
 * appends holds the file's lock (never waited for), readers hold none and believe only what its checks prove.
 * A torn tail is cut off by the next one who appends. Nothing is synced: what a crash tears is noticed.
 * How the files of the directory are bounded: cache_room.c.
 */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache_room.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/file.h"
#include "pp/base/vec.h"
#include "pp/metrics.h"

#define OPEN_FILES_MAX 8
#define RECORDS_MAX    65536 /* in a file: 4 GiB of code */
#define TOUCH_NS       (60ull * 1000000000)

struct cache_place {
	uint64_t page;
	uint64_t off;
};

/* A file that is open: what was read of it so far. */
struct cache_file {
	int fd; /* -1: the slot is free */
	uint64_t used; /* turn in which it was last asked for */
	uint64_t touched_ns;
	struct cache_header header;
	uint64_t end; /* of whole records; 0: no header yet */
	uint64_t refused_bytes; /* size of the file when what follows end was refused; 0: never */
	struct cache_place *places; /* in file order: the last one of a page counts */
	size_t place_cnt;
	size_t place_cap;
};

struct unwind_cache {
	int dir_fd;
	uint64_t turn;
	struct cache_room room;
	struct cache_file files[OPEN_FILES_MAX];
};

void cache_header__make(struct cache_header *self, const struct unwind_identity *identity)
{
	memset(self, 0, sizeof(*self));
	memcpy(self->magic, CACHE_MAGIC, sizeof(self->magic));
	self->conversion = UNWIND_CONVERSION;
	self->dev = identity->dev;
	self->inode = identity->inode;
	self->size_bytes = identity->size_bytes;
	self->mtime_ns = identity->mtime_ns;
	self->ctime_ns = identity->ctime_ns;
	self->build_id_len = min_of(identity->build_id.len, ELF_BUILD_ID_BYTES);
	memcpy(self->build_id, identity->build_id.bytes, self->build_id_len);
	self->check = cache_header__check(self);
}

void cache_header__name(const struct cache_header *self, char name[CACHE_NAME_BYTES])
{
	snprintf(name, CACHE_NAME_BYTES, "%016llx",
		 (unsigned long long)hash_u64(self->check, UNWIND_CONVERSION));
}

static void cache_file__close(struct cache_file *self)
{
	if (self->fd >= 0)
		close(self->fd);
	free(self->places);
	memset(self, 0, sizeof(*self));
	self->fd = -1;
}

int unwind_cache__open(const char *dir, uint64_t bytes_max, struct unwind_cache **ret_cache)
{
	struct unwind_cache *cache = calloc(1, sizeof(*cache));
	int err;

	if (!cache)
		return -ENOMEM;
	for (uint32_t i = 0; i < OPEN_FILES_MAX; i++)
		cache->files[i].fd = -1;
	cache->dir_fd = -1;
	err = dir__open_private(dir, &cache->dir_fd);
	if (err) {
		unwind_cache__close(cache);
		return err;
	}
	cache_room__init(&cache->room, cache->dir_fd, bytes_max);
	*ret_cache = cache;
	return 0;
}

void unwind_cache__close(struct unwind_cache *self)
{
	if (!self)
		return;
	for (uint32_t i = 0; i < OPEN_FILES_MAX; i++)
		cache_file__close(&self->files[i]);
	if (self->dir_fd >= 0)
		close(self->dir_fd);
	free(self);
}

static int read_whole(int fd, void *data, size_t len, uint64_t off)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)data + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

/* 0: ours; -ENODATA: not written yet, or torn; -EBADMSG: damaged, or of another file or version. */
static int check_header(const struct cache_file *self)
{
	struct cache_header header;
	int err = read_whole(self->fd, &header, sizeof(header), 0);

	if (err)
		return err;
	if (memcmp(&header, &self->header, sizeof(header)) == 0)
		return 0;
	if (header.check != cache_header__check(&header))
		metric__add(METRIC_UNWIND_CACHE_DAMAGED, 1);
	return -EBADMSG;
}

/* The record at self->end: 0, -ENODATA (not whole: being written, or torn), -EBADMSG. */
static int read_next(struct cache_file *self, uint64_t size_bytes)
{
	struct cache_record record;
	uint64_t left = size_bytes - self->end;
	int err;

	if (left < sizeof(record))
		return -ENODATA;
	err = read_whole(self->fd, &record, sizeof(record), self->end);
	if (err)
		return err;
	if (record.head_check != cache_record__head_check(&record, self->header.check) ||
	    record.row_cnt > PP_PAGE_ROWS_MAX || record.rule_cnt > record.row_cnt)
		return -EBADMSG;
	if (left - sizeof(record) < cache_record__body_bytes(&record))
		return -ENODATA;
	err = vec_room(self->places, self->place_cnt + 1, self->place_cap, RECORDS_MAX);
	if (err)
		return err;
	self->places[self->place_cnt++] = (struct cache_place){ record.page, self->end };
	self->end += sizeof(record) + cache_record__body_bytes(&record);
	return 0;
}

/* Learns what was appended since. -ENODATA, -EBADMSG: the file goes on, but not with a record. */
static int catch_up(struct cache_file *self, uint64_t *ret_size_bytes)
{
	struct stat st;
	int err = 0;

	if (fstat(self->fd, &st))
		return -errno;
	if ((uint64_t)st.st_size < self->end)
		self->end = self->place_cnt = self->refused_bytes = 0;
	*ret_size_bytes = (uint64_t)st.st_size;
	if (self->refused_bytes && self->refused_bytes == (uint64_t)st.st_size)
		return -EBADMSG;
	if (self->end == 0) {
		err = check_header(self);
		if (!err)
			self->end = sizeof(struct cache_header);
	}
	while (!err && self->end < (uint64_t)st.st_size) {
		err = read_next(self, (uint64_t)st.st_size);
		if (err == -EBADMSG)
			metric__add(METRIC_UNWIND_CACHE_DAMAGED, 1);
	}
	if (err == -EBADMSG)
		self->refused_bytes = (uint64_t)st.st_size;
	return err;
}

static int open_by_name(const struct unwind_cache *self, const struct cache_header *header,
			int flags, int *ret_fd)
{
	_auto_close_ int fd = -1;
	char name[CACHE_NAME_BYTES];
	struct stat st;

	cache_header__name(header, name);
	fd = openat(self->dir_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	*ret_fd = take_fd(fd);
	return 0;
}

/* flags: 0 or O_CREAT. The file may be another's or damaged: catch_up tells. */
static int find_file(struct unwind_cache *self, const struct unwind_identity *identity, int flags,
		     struct cache_file **ret_file)
{
	struct cache_file *file = &self->files[0];
	struct cache_header header;
	int fd = -1, err;

	cache_header__make(&header, identity);
	self->turn++;
	for (uint32_t i = 0; i < OPEN_FILES_MAX; i++) {
		struct cache_file *other = &self->files[i];

		if (other->fd >= 0 && memcmp(&other->header, &header, sizeof(header)) == 0) {
			other->used = self->turn;
			*ret_file = other;
			return 0;
		}
		if (other->used < file->used)
			file = other;
	}
	err = open_by_name(self, &header, flags, &fd);
	if (err)
		return err;
	cache_file__close(file);
	file->fd = fd;
	file->header = header;
	file->used = self->turn;
	*ret_file = file;
	return 0;
}

static bool is_sound(const struct unwind_page *page)
{
	if (page->rows[0] >> 16 != 0)
		return false;
	for (uint32_t i = 0; i < page->row_cnt; i++)
		if ((page->rows[i] & 0xffff) >= page->rule_cnt ||
		    (i > 0 && page->rows[i] >> 16 <= page->rows[i - 1] >> 16))
			return false;
	return true;
}

static int read_page(const struct cache_file *self, uint64_t off, struct unwind_page **ret_page)
{
	_auto_free_ struct unwind_page *page = NULL;
	_auto_free_ char *body = NULL;
	struct cache_record record;
	size_t rules_bytes, len;
	int err = read_whole(self->fd, &record, sizeof(record), off);

	if (err)
		return err;
	/* checked when its place was found; the file may have been replaced since */
	if (record.head_check != cache_record__head_check(&record, self->header.check) ||
	    record.row_cnt > PP_PAGE_ROWS_MAX || record.rule_cnt > record.row_cnt)
		return -EBADMSG;
	len = cache_record__body_bytes(&record);
	rules_bytes = record.rule_cnt * sizeof(*page->rules);
	body = malloc(max_of(len, (size_t)1));
	page = unwind_page__new(record.row_cnt, record.rule_cnt);
	if (!body || !page)
		return -ENOMEM;
	err = read_whole(self->fd, body, len, off + sizeof(record));
	if (err)
		return err;
	if (hash_bytes(body, len, record.head_check) != record.body_check)
		return -EBADMSG;
	page->callers_by_fp = record.callers_by_fp == 1;
	memcpy(page->rules, body, rules_bytes);
	memcpy(page->rows, body + rules_bytes, len - rules_bytes);
	if (record.row_cnt > 0 && !is_sound(page))
		return -EBADMSG;
	*ret_page = record.row_cnt > 0 ? take_ptr(page) : NULL;
	return 0;
}

static struct cache_place *find_place(const struct cache_file *self, uint64_t page)
{
	for (size_t i = self->place_cnt; i > 0; i--)
		if (self->places[i - 1].page == page)
			return &self->places[i - 1];
	return NULL;
}

/* The time of the last use is the file's own, so that all processes know it. */
static void touch(struct cache_file *self)
{
	uint64_t now_ns = clock_mono_ns();

	if (self->touched_ns && now_ns - self->touched_ns < TOUCH_NS)
		return;
	self->touched_ns = now_ns;
	(void)futimens(self->fd, NULL); /* else it goes a little early */
}

int unwind_cache__get(struct unwind_cache *self, const struct unwind_identity *identity,
		      uint64_t page, struct unwind_page **ret_page)
{
	struct cache_place *place;
	struct cache_file *file;
	uint64_t size_bytes;
	int err;

	if (!self || find_file(self, identity, 0, &file))
		return -ENOENT;
	if (!find_place(file, page)) {
		err = catch_up(file, &size_bytes);
		if (err == -ENOMEM)
			return err;
	}
	/* what stands before a damage counts, and an older record if the last one is damaged */
	while ((place = find_place(file, page))) {
		err = read_page(file, place->off, ret_page);
		if (!err)
			touch(file);
		if (!err || err == -ENOMEM)
			return err;
		metric__add(METRIC_UNWIND_CACHE_DAMAGED, 1);
		place->page = UINT64_MAX; /* the next put writes it again */
	}
	return -ENOENT;
}

/* Holds the file's lock on success. A file that is not what it should be makes way for a new one. */
static int lock_file(struct unwind_cache *self, const struct unwind_identity *identity,
		     struct cache_file **ret_file)
{
	struct cache_file *file;
	char name[CACHE_NAME_BYTES];
	uint64_t size_bytes;
	struct stat st;
	int err;

	for (int tries = 0; tries < 3; tries++) {
		err = find_file(self, identity, O_CREAT, &file);
		if (err)
			return err;
		if (flock(file->fd, LOCK_EX | LOCK_NB))
			return -errno;
		err = catch_up(file, &size_bytes);
		if (err && err != -EBADMSG && err != -ENODATA) {
			(void)flock(file->fd, LOCK_UN);
			return err;
		}
		if (err == -EBADMSG && file->end == 0) {
			cache_header__name(&file->header, name);
			(void)unlinkat(self->dir_fd, name, 0); /* another may have been faster */
		} else if (fstat(file->fd, &st) || st.st_nlink > 0) {
			*ret_file = file;
			return 0;
		}
		cache_file__close(file); /* and the lock with it */
	}
	return -EBUSY;
}

/* Behind the last whole record stands nothing then; a new file has its header. Under the lock. */
static int make_end(struct cache_file *self)
{
	struct stat st;

	if (fstat(self->fd, &st))
		return -errno;
	if ((uint64_t)st.st_size > self->end) {
		if (!self->refused_bytes) /* a torn tail; damage was counted when it was met */
			metric__add(METRIC_UNWIND_CACHE_DAMAGED, 1);
		if (ftruncate(self->fd, (off_t)self->end))
			return -errno;
		self->refused_bytes = 0;
	}
	if (self->end > 0)
		return 0;
	if (pwrite(self->fd, &self->header, sizeof(self->header), 0) != sizeof(self->header))
		return -ENOSPC;
	self->end = sizeof(self->header);
	return 0;
}

static void make_record(const struct cache_file *file, uint64_t page,
			const struct unwind_page *unwind_page, struct cache_record *record)
{
	char *body = (char *)(record + 1);
	size_t rules_bytes;

	*record = (struct cache_record){
		.page = page,
		.row_cnt = unwind_page ? unwind_page->row_cnt : 0,
		.rule_cnt = unwind_page ? unwind_page->rule_cnt : 0,
		.callers_by_fp = unwind_page ? unwind_page->callers_by_fp : 0,
	};
	rules_bytes = record->rule_cnt * sizeof(uint64_t);
	if (unwind_page) {
		memcpy(body, unwind_page->rules, rules_bytes);
		memcpy(body + rules_bytes, unwind_page->rows, record->row_cnt * sizeof(uint32_t));
	}
	record->head_check = cache_record__head_check(record, file->header.check);
	record->body_check = hash_bytes(body, cache_record__body_bytes(record), record->head_check);
}

static int append(struct cache_file *self, const struct cache_record *record)
{
	size_t len = sizeof(*record) + cache_record__body_bytes(record);
	ssize_t n;
	int err = make_end(self);

	if (!err)
		err = vec_room(self->places, self->place_cnt + 1, self->place_cap, RECORDS_MAX);
	if (err)
		return err;
	n = pwrite(self->fd, record, len, (off_t)self->end);
	if (n != (ssize_t)len) {
		err = n < 0 ? -errno : -ENOSPC;
		if (ftruncate(self->fd, (off_t)self->end))
			return -errno; /* the next one who appends cuts it off */
		return err;
	}
	self->places[self->place_cnt++] = (struct cache_place){ record->page, self->end };
	self->end += len;
	return 0;
}

int unwind_cache__put(struct unwind_cache *self, const struct unwind_identity *identity,
		      uint64_t page, const struct unwind_page *unwind_page)
{
	_auto_free_ struct cache_record *record = NULL;
	struct cache_file *file = NULL;
	char name[CACHE_NAME_BYTES];
	size_t len = sizeof(*record);
	int err;

	if (!self)
		return 0;
	if (unwind_page)
		len += unwind_page->rule_cnt * sizeof(uint64_t) +
		       unwind_page->row_cnt * sizeof(uint32_t);
	record = malloc(len);
	if (!record)
		return -ENOMEM;
	err = lock_file(self, identity, &file);
	if (!err) {
		cache_header__name(&file->header, name);
		make_record(file, page, unwind_page, record);
		if (!find_place(file, page)) /* another process may have put it */
			err = cache_room__make(&self->room, len + sizeof(file->header), name);
		if (!err && !find_place(file, page))
			err = append(file, record);
		(void)flock(file->fd, LOCK_UN);
	}
	if (err)
		metric__add(METRIC_UNWIND_CACHE_UNWRITTEN, 1);
	return err;
}

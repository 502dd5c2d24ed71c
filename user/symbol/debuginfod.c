/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What debuginfod servers have of the build ids that had no names. A file becomes visible under its name when it is
 * whole and its own build id is the one that was asked for; who parses the rest of it is the reader process.
 */
#include "pp/symbol_debuginfod.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/elf.h"
#include "pp/metrics.h"
#include "pp/net.h"

#define URLS_MAX       8
#define QUEUE_MAX      64
#define REFUSED_MAX    512
#define HEX_BYTES      (2 * ELF_BUILD_ID_BYTES + 1)
#define HEX_MIN	       16
#define FILE_BYTES_MAX (256u << 20)
#define DIR_BYTES_MAX  (1ull << 30)
#define TIMEOUT_MS     120000
#define MINUTE_NS      60000000000ull
#define PART_NAME      "fetching"

struct refused {
	char hex[HEX_BYTES];
	uint64_t until_ns;
};

struct debuginfod {
	struct net *net; /* borrowed */
	char *urls[URLS_MAX];
	uint32_t url_cnt;
	int dir_fd;
	char queue[QUEUE_MAX][HEX_BYTES]; /* the first is being fetched */
	uint32_t cnt;
	struct refused refused[REFUSED_MAX]; /* a ring */
	uint32_t refused_cnt; /* ever */
	struct net_call *call; /* NULL: none */
	int fd; /* of the file that is being fetched; -1: none */
	uint32_t url; /* which one is asked */
	bool was_unreachable;
};

static void fetch_next(struct debuginfod *self);

static int take_urls(struct debuginfod *self, const char *text)
{
	static const char blanks[] = " \t";

	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t len = strcspn(text, blanks);
		char *url = strndup(text, len), probe[2048];

		if (!url)
			return -ENOMEM;
		if (self->url_cnt == URLS_MAX ||
		    url__join(url, "/buildid/", probe, sizeof(probe))) {
			free(url);
			return -EINVAL;
		}
		self->urls[self->url_cnt++] = url;
		text += len;
	}
	return self->url_cnt ? 0 : -EINVAL;
}

int debuginfod__new(struct net *net, const char *urls, const char *dir,
		    struct debuginfod **ret_debuginfod)
{
	struct debuginfod *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	self->net = net;
	self->dir_fd = self->fd = -1;
	err = take_urls(self, urls);
	if (!err)
		err = dir__open_private(dir, &self->dir_fd);
	if (err) {
		debuginfod__free(self);
		return err;
	}
	*ret_debuginfod = self;
	return 0;
}

void debuginfod__free(struct debuginfod *self)
{
	if (!self)
		return;
	self->cnt = 0;
	if (self->call)
		net_call__cancel(self->call);
	if (self->fd >= 0)
		close(self->fd);
	if (self->dir_fd >= 0)
		close(self->dir_fd);
	for (uint32_t i = 0; i < self->url_cnt; i++)
		free(self->urls[i]);
	free(self);
}

static bool is_hex(const char *text)
{
	size_t len = strlen(text);

	if (len < HEX_MIN || len >= HEX_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

static void file_name(const char *hex, char name[HEX_BYTES + 8])
{
	snprintf(name, HEX_BYTES + 8, "%s.debug", hex);
}

static bool is_refused(const struct debuginfod *self, const char *hex)
{
	for (uint32_t i = 0; i < min_of(self->refused_cnt, (uint32_t)REFUSED_MAX); i++)
		if (!strcmp(self->refused[i].hex, hex) &&
		    clock_mono_ns() < self->refused[i].until_ns)
			return true;
	return false;
}

void debuginfod__want(struct debuginfod *self, const char *build_id)
{
	char name[HEX_BYTES + 8];

	if (!is_hex(build_id) || is_refused(self, build_id) || self->cnt == QUEUE_MAX)
		return; /* of a full queue: the next window asks again */
	for (uint32_t i = 0; i < self->cnt; i++)
		if (!strcmp(self->queue[i], build_id))
			return;
	file_name(build_id, name);
	if (!utimensat(self->dir_fd, name, NULL, 0)) /* it is there, and in use */
		return;
	snprintf(self->queue[self->cnt++], HEX_BYTES, "%s", build_id);
	if (self->cnt == 1)
		fetch_next(self);
}

/* The name of the file that nobody used for longest; "" if there is none. Returns the bytes of all. */
static uint64_t look_through(const struct debuginfod *self, char oldest[256])
{
	int fd = openat(self->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct timespec when = { 0 };
	uint64_t bytes = 0;
	struct stat st;

	*oldest = '\0';
	if (!dir && fd >= 0)
		close(fd);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    fstatat(self->dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(st.st_mode))
			continue;
		bytes += (uint64_t)st.st_blocks * 512;
		if (*oldest &&
		    (st.st_mtim.tv_sec > when.tv_sec ||
		     (st.st_mtim.tv_sec == when.tv_sec && st.st_mtim.tv_nsec >= when.tv_nsec)))
			continue;
		when = st.st_mtim;
		snprintf(oldest, 256, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return bytes;
}

static void make_room(const struct debuginfod *self)
{
	char oldest[256];

	while (look_through(self, oldest) > DIR_BYTES_MAX - FILE_BYTES_MAX)
		if (!*oldest || unlinkat(self->dir_fd, oldest, 0))
			return;
}

/* The first of the queue is done with. */
static void finish(struct debuginfod *self, bool is_there)
{
	if (self->fd >= 0)
		close(self->fd);
	self->fd = -1;
	if (!is_there) {
		struct refused *refused = &self->refused[self->refused_cnt++ % REFUSED_MAX];

		(void)unlinkat(self->dir_fd, PART_NAME, 0); /* it may not be there */
		memcpy(refused->hex, self->queue[0], HEX_BYTES);
		refused->until_ns = clock_mono_ns() + (self->was_unreachable ? 5 : 60) * MINUTE_NS;
	}
	metric__add(is_there ? METRIC_DEBUG_FILES_FETCHED : METRIC_DEBUG_FILES_FAILED, 1);
	memmove(self->queue[0], self->queue[1], (--self->cnt) * sizeof(self->queue[0]));
	self->url = 0;
	self->was_unreachable = false;
	fetch_next(self);
}

static bool has_build_id(int fd, const char *hex)
{
	char have[HEX_BYTES] = "";
	struct elf_image *image;
	struct elf_build_id id;

	if (elf_image__open(fd, &image))
		return false;
	elf_image__build_id(image, &id);
	elf_image__close(image);
	for (uint32_t i = 0; i < id.len; i++)
		snprintf(have + 2 * i, 3, "%02x", id.bytes[i]);
	return !strcasecmp(have, hex);
}

static void on_reply(void *arg, const struct http_reply *reply)
{
	struct debuginfod *self = arg;
	char name[HEX_BYTES + 8];

	self->call = NULL;
	if (reply->err == -ECANCELED)
		return;
	file_name(self->queue[0], name);
	if (!reply->err && reply->status == 200 && has_build_id(self->fd, self->queue[0]) &&
	    !renameat(self->dir_fd, PART_NAME, self->dir_fd, name)) {
		log_info("symbol: fetched the debug file of build id '%s'", self->queue[0]);
		finish(self, true);
		return;
	}
	self->was_unreachable |= reply->err || reply->status >= 500;
	self->url++;
	fetch_next(self);
}

static int open_part(struct debuginfod *self)
{
	if (self->fd >= 0)
		close(self->fd);
	(void)unlinkat(self->dir_fd, PART_NAME, 0); /* of a fetch that was interrupted */
	self->fd = openat(self->dir_fd, PART_NAME,
			  O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return self->fd < 0 ? -errno : 0;
}

/* The first of the queue, from the next server. */
static void fetch_next(struct debuginfod *self)
{
	char path[HEX_BYTES + 32], url[2048 + sizeof(path)];
	struct http_request request = { .method = "GET",
					.url = url,
					.timeout_ms = TIMEOUT_MS,
					.reply_max_bytes = FILE_BYTES_MAX,
					.to_fd = true };
	int err;

	if (!self->cnt)
		return;
	if (self->url == self->url_cnt) {
		finish(self, false);
		return;
	}
	make_room(self);
	snprintf(path, sizeof(path), "/buildid/%s/debuginfo", self->queue[0]);
	err = url__join(self->urls[self->url], path, url, sizeof(url));
	if (!err)
		err = open_part(self);
	request.reply_fd = self->fd;
	if (!err)
		err = net__send(self->net, &request, on_reply, self, &self->call);
	if (!err)
		return;
	log_warn("symbol: a debug file cannot be fetched: %s", errname(err));
	self->was_unreachable = true;
	finish(self, false);
}

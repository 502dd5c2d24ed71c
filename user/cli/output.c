/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a profile goes: a regular file is written beside its name and renamed, so that it is whole or
 * absent; stdout, pipes, devices and the targets of links are opened before the run and written to as
 * they are. Whether it can be written is found out before the run, not after a minute of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/file.h"
#include "pp/encode.h"
#include "run.h"

static bool parse_id(const char *text, uint32_t *ret_id)
{
	unsigned long id;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (errno || *end || id >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)id;
	return true;
}

bool invoker__find(uid_t *ret_uid, gid_t *ret_gid)
{
	uint32_t uid, gid;

	if (geteuid() != 0 || !parse_id(getenv("SUDO_UID"), &uid) ||
	    !parse_id(getenv("SUDO_GID"), &gid) || !uid)
		return false;
	*ret_uid = uid;
	*ret_gid = gid;
	return true;
}

/* pulseprof-HOST-20261122T142626Z.html */
static void default_name(char *name, size_t name_bytes, const char *extension)
{
	char text[CLOCK_TEXT_BYTES], stamp[CLOCK_TEXT_BYTES];
	struct utsname host;
	size_t len = 0;

	clock_utc_text(clock_real_ns(), text);
	for (const char *s = text; *s; s++) {
		if (*s != '-' && *s != ':')
			stamp[len++] = *s;
	}
	stamp[len] = '\0';
	if (uname(&host) < 0 || !host.nodename[0])
		snprintf(host.nodename, sizeof(host.nodename), "host");
	for (char *s = host.nodename; *s; s++) {
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') &&
		    !(*s >= '0' && *s <= '9') && *s != '.' && *s != '-')
			*s = '_';
	}
	snprintf(name, name_bytes, "pulseprof-%s-%sZ.%s", host.nodename, stamp, extension);
}

/* Opens a new file beside path; its name is written to tmp. Returns a descriptor or -errno. */
static int open_beside(const char *path, char *tmp, size_t tmp_bytes)
{
	char copy[PATH_MAX];
	uint64_t salt;
	int fd, n;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		return -EIO;
	snprintf(copy, sizeof(copy), "%s", path);
	n = snprintf(tmp, tmp_bytes, "%s/.pulseprof-%016llx.tmp", dirname(copy),
		     (unsigned long long)salt);
	if (n < 0 || (size_t)n >= tmp_bytes)
		return -ENAMETOOLONG;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

/* Somebody else's link in a folder that is open to all must not lead us to a file of ours. */
static bool may_follow(const struct output *self, const struct stat *link)
{
	return link->st_uid == 0 || link->st_uid == geteuid() ||
	       (self->has_owner && link->st_uid == self->uid);
}

static int open_as_it_is(struct output *self, int flags)
{
	int fd = open(self->path, O_WRONLY | O_NOCTTY | O_CLOEXEC | flags);

	if (fd < 0)
		return -errno;
	self->fd = fd;
	return 0;
}

static int probe_folder(const struct output *self)
{
	char tmp[PATH_MAX];
	int fd = open_beside(self->path, tmp, sizeof(tmp));

	if (fd < 0)
		return fd;
	close(fd);
	return unlink(tmp) < 0 ? -errno : 0;
}

/* /dev/stdout and the like: opened anew it would be written from its beginning. */
static bool is_our_stdout(const char *path)
{
	struct stat st, out;

	return !stat(path, &st) && !fstat(STDOUT_FILENO, &out) && st.st_dev == out.st_dev &&
	       st.st_ino == out.st_ino && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode));
}

/* "a/b.html" for the event "cpu/x/": "a/b.cpu-x-.html". */
static int put_event(char path[PATH_MAX], const char *event)
{
	char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	char *dot = strrchr(name, '.'), rest[NAME_MAX + 1];
	size_t len = dot && dot != name ? (size_t)(dot - path) : strlen(path);
	int n;

	if (strlen(path + len) > NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(rest, sizeof(rest), "%s", path + len);
	n = snprintf(path + len, PATH_MAX - len, ".%s%s", event, rest);
	if (n < 0 || (size_t)n >= PATH_MAX - len)
		return -ENAMETOOLONG;
	for (char *s = path + len + 1; s < path + len + 1 + strlen(event); s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') &&
		    !(*s >= '0' && *s <= '9') && *s != '_' && *s != '-')
			*s = '-';
	return 0;
}

int output__open(struct output *self, const char *path, const char *event, const char *extension)
{
	char own[PATH_MAX];
	struct stat st;
	int n;

	memset(self, 0, sizeof(*self));
	self->fd = -1;
	self->extension = extension;
	self->has_owner = invoker__find(&self->uid, &self->gid);
	if (!path) {
		self->is_own_name = true;
		default_name(self->path, sizeof(self->path), extension);
		n = event ? put_event(self->path, event) : 0;
		return n ?: probe_folder(self);
	}
	if (event && strlen(path) < sizeof(own)) {
		snprintf(own, sizeof(own), "%s", path);
		n = put_event(own, event);
		if (n)
			return n;
		path = own;
	}
	n = snprintf(self->path, sizeof(self->path), "%s", path);
	if (!*path || n >= PATH_MAX)
		return *path ? -ENAMETOOLONG : -ENOENT;
	if (!strcmp(path, "-") || is_our_stdout(path)) {
		self->is_stdout = true;
		self->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return self->fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ? -errno : 0;
	}
	if (lstat(path, &st) < 0)
		return errno == ENOENT && path[n - 1] != '/' ? probe_folder(self) : -errno;
	if (S_ISREG(st.st_mode))
		return probe_folder(self);
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISLNK(st.st_mode))
		return may_follow(self, &st) ? open_as_it_is(self, 0) : -EPERM;
	return open_as_it_is(self, O_NOFOLLOW);
}

/* What is to be written, and to where. */
struct stream {
	const struct encode_format *format;
	const struct profile *profile;
	int fd;
	bool cuts; /* what the file held goes when the first bytes come */
	int err; /* of writing them, not of making them */
};

static int write_piece(void *arg, const void *data, size_t len)
{
	struct stream *self = arg;

	if (self->cuts && ftruncate(self->fd, 0) < 0)
		self->err = -errno;
	self->cuts = false;
	if (!self->err)
		self->err = file__write_all(self->fd, data, len);
	return self->err;
}

static int stream__write(struct stream *self, struct output *output)
{
	const struct encode_sink sink = { write_piece, self };
	int err = self->format->encode(self->profile, &sink);

	if (!self->err)
		output->encode_err = err;
	return err;
}

static int fill(struct output *self, struct stream *stream)
{
	int fd = stream->fd, err = stream__write(stream, self);

	/* Some file systems have no owners to give. */
	if (!err && self->has_owner && fchown(fd, self->uid, self->gid) < 0 && errno != EPERM)
		err = -errno;
	if (!err && fsync(fd) < 0)
		err = -errno;
	/* Some file systems tell of a full disk only here. */
	if (close(fd) < 0 && !err)
		err = -errno;
	return err;
}

/* A name of our own making never replaces a profile of the same second: it gets a number. */
static int publish(const struct output *self, const char *tmp, char *path, size_t path_bytes,
		   bool is_own_name)
{
	size_t len = strlen(path), dot = is_own_name ? len - strlen(self->extension) - 1 : len;

	for (unsigned int n = 2; is_own_name && n < 1000; n++) {
		if (!renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE))
			return 0;
		if (errno != EEXIST)
			break; /* a file system that has no such rename */
		snprintf(path + dot, path_bytes - dot, "-%u.%s", n, self->extension);
	}
	return rename(tmp, path) < 0 ? -errno : 0;
}

static int write_file(struct output *self, char *path, size_t path_bytes, bool is_own_name,
		      struct stream stream)
{
	char tmp[PATH_MAX];
	int err;

	stream.fd = open_beside(path, tmp, sizeof(tmp));
	if (stream.fd < 0)
		return stream.fd;
	err = fill(self, &stream);
	if (!err)
		err = publish(self, tmp, path, path_bytes, is_own_name);
	if (err)
		(void)unlink(tmp); /* the first error is the one to tell */
	return err;
}

static void keep_elsewhere(struct output *self, struct stream stream)
{
	const char *dir = getenv("TMPDIR");
	char name[512];

	default_name(name, sizeof(name), self->extension);
	snprintf(self->kept, sizeof(self->kept), "%s/%s", dir && *dir ? dir : "/tmp", name);
	if (write_file(self, self->kept, sizeof(self->kept), true, stream))
		self->kept[0] = '\0';
}

static int write_as_it_is(struct output *self, struct stream stream)
{
	struct stat st;

	stream.fd = self->fd;
	stream.cuts = !self->is_stdout && !fstat(self->fd, &st) && S_ISREG(st.st_mode);
	return stream__write(&stream, self);
}

int output__write(struct output *self, const struct encode_format *format,
		  const struct profile *profile)
{
	const struct stream stream = { .format = format, .profile = profile };
	int err = self->fd >= 0 ? write_as_it_is(self, stream) :
				  write_file(self, self->path, sizeof(self->path),
					     self->is_own_name, stream);

	/* A reader that has gone wanted no more. */
	if (err && err != -EPIPE && !self->encode_err)
		keep_elsewhere(self, stream);
	return err;
}

void output__close(struct output *self)
{
	if (self->fd >= 0)
		close(self->fd);
	self->fd = -1;
}

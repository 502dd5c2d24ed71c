/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Our own directories and files. A file is replaced by rename, so a reader or a crash sees the old
 * one or the new one, never half of it. A directory is judged by its descriptor, after it was
 * opened.
 */
#include "pp/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"

#define READ_BYTES 16384

static int make_dirs(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int dir__open_private(const char *path, int *ret_fd)
{
	_auto_close_ int fd = -1;
	char copy[PATH_MAX];
	size_t len = strlen(path);
	struct stat st;
	int err;

	if (!len)
		return -EINVAL;
	if (len >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, len + 1);
	/* With a slash at the end, O_NOFOLLOW would follow. */
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	err = make_dirs(copy);
	if (err)
		return err;
	fd = open(copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	*ret_fd = take_fd(fd);
	return 0;
}

int file__write_all(int fd, const void *data, size_t len)
{
	const char *s = data;

	while (len) {
		ssize_t n = write(fd, s, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

static int fill_file(int fd, const void *data, size_t len, mode_t mode)
{
	int err = file__write_all(fd, data, len);

	if (err)
		return err;
	/* The mode is what the caller says, whatever the umask. */
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int file__write_atomic(int dir_fd, const char *name, const void *data, size_t len, mode_t mode)
{
	char tmp[NAME_MAX + 1];
	uint64_t salt;
	int fd, n, err;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		return -EIO;
	n = snprintf(tmp, sizeof(tmp), "%s.tmp-%016llx", name, (unsigned long long)salt);
	if (n < 0 || (size_t)n >= sizeof(tmp))
		return -ENAMETOOLONG;
	fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = fill_file(fd, data, len, mode);
	/* Some file systems tell of a full disk only here. */
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && renameat(dir_fd, tmp, dir_fd, name) < 0)
		err = -errno;
	if (err) {
		(void)unlinkat(dir_fd, tmp, 0); /* the first error is the one to tell */
		return err;
	}
	return fsync(dir_fd) < 0 ? -errno : 0;
}

static int read_regular(int dir_fd, const char *name, bool trusted, struct buf *out)
{
	_auto_close_ int fd = -1;
	char chunk[READ_BYTES];
	struct stat st;
	ssize_t n;
	int err;

	/* O_NONBLOCK: a FIFO in place of the file must not hold us. */
	fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (trusted && ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)))
		return -EPERM;
	for (;;) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		err = buf__append(out, chunk, (size_t)n);
		if (err)
			return err;
	}
	return n < 0 ? -errno : buf__append(out, "", 0);
}

int file__read_at(int dir_fd, const char *name, struct buf *out)
{
	return read_regular(dir_fd, name, false, out);
}

int file__read_trusted(int dir_fd, const char *name, struct buf *out)
{
	return read_regular(dir_fd, name, true, out);
}

static pid_t read_holder(int fd)
{
	char text[16] = "";
	int pid = 0;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0 || sscanf(text, "%10d", &pid) != 1 || pid < 0)
		return 0;
	return pid;
}

int file__lock(int dir_fd, const char *name, int *ret_fd, pid_t *ret_holder)
{
	_auto_close_ int fd = -1;
	char text[16];
	int n, err;

	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err = -errno;
		if (err == -EWOULDBLOCK)
			*ret_holder = read_holder(fd);
		return err;
	}
	n = snprintf(text, sizeof(text), "%d\n", getpid());
	if (ftruncate(fd, 0) < 0)
		return -errno;
	err = file__write_all(fd, text, (size_t)n);
	if (err)
		return err;
	*ret_fd = take_fd(fd);
	return 0;
}

int stdio__fill(void)
{
	for (;;) {
		int fd = open("/dev/null", O_RDONLY);

		if (fd < 0)
			return -errno;
		if (fd > STDERR_FILENO)
			return close(fd) ? -errno : 0;
	}
}

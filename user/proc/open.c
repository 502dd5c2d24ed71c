/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Opens the file behind a mapping of another process, which may be hostile: the path it shows may lead to
 * a FIFO, a device, or a file outside its container. So it is first found with O_PATH, which touches
 * nothing, checked, and then opened for reading through our own descriptor: no path is walked twice.
 *
 * map_files: the kernel itself hands out the mapped file, deleted or not. Regular and the same inode is
 * enough; the device is not compared, since st_dev is not the superblock's on btrfs and overlayfs. It is
 * there only while the leader lives, and needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN.
 * The path, below the task's root: resolved as inside a chroot (openat2, RESOLVE_IN_ROOT), and both
 * device and inode must be the mapping's.
 */
#include "pp/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"
#include "pp/proc.h"

/* O_NONBLOCK and O_NOCTTY: no FIFO makes us wait, no terminal becomes ours. */
#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int check_file(int fd, const struct mapping *mapping, bool same_device)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_ino != mapping->inode)
		return -ESTALE;
	if (same_device &&
	    (major(st.st_dev) != mapping->dev_major || minor(st.st_dev) != mapping->dev_minor))
		return -ESTALE;
	return 0;
}

/* These two return an O_PATH descriptor of a checked file. */
static int find_by_map_files(const struct sysroot *root, uint32_t pid,
			     const struct mapping *mapping)
{
	_auto_close_ int fd = -1;
	int err;

	fd = sysroot__open(root, O_PATH | O_CLOEXEC, "proc/%u/map_files/%lx-%lx", pid,
			   (unsigned long)mapping->start_addr, (unsigned long)mapping->end_addr);
	if (fd < 0)
		return fd;
	err = check_file(fd, mapping, false);
	return err ? err : take_fd(fd);
}

static int find_below(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int find_by_path(const struct sysroot *root, uint32_t pid, uint32_t tid,
			const struct mapping *mapping)
{
	_auto_close_ int root_fd = -1, fd = -1;
	int err;

	/* the task's own link: it works when the leader has gone and other threads live on */
	root_fd = sysroot__open(root, O_PATH | O_DIRECTORY | O_CLOEXEC, "proc/%u/task/%u/root", pid,
				tid);
	if (root_fd < 0)
		return root_fd;
	fd = find_below(root_fd, mapping->path);
	if (fd < 0)
		return fd;
	err = check_file(fd, mapping, true);
	return err ? err : take_fd(fd);
}

int proc__open_below(const struct sysroot *root, int root_fd, const char *path)
{
	_auto_close_ int fd = find_below(root_fd, path);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	return S_ISREG(st.st_mode) ? sysroot__open(root, OPEN_FLAGS, "proc/self/fd/%d", fd) :
				     -EBADMSG;
}

int mapping__open(const struct sysroot *root, uint32_t pid, uint32_t tid,
		  const struct mapping *mapping)
{
	_auto_close_ int fd = -1;

	fd = find_by_map_files(root, pid, mapping);
	if (fd == -ENOENT || fd == -EPERM || fd == -EACCES || fd == -ESRCH)
		fd = find_by_path(root, pid, tid, mapping);
	if (fd < 0)
		return fd;
	return sysroot__open(root, OPEN_FLAGS, "proc/self/fd/%d", fd);
}

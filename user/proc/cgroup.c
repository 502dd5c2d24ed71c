/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Control groups by their names: directories below /sys/fs/cgroup and the paths of /proc/PID/cgroup. What a path
 * says of containers is the container room's.
 */
#include "pp/proc_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

#define MOUNTS	       "sys/fs/cgroup"
#define UNIFIED	       MOUNTS "/unified" /* of hybrid hosts, by systemd's convention */
#define TEXT_BYTES_MAX 65536

enum hierarchy { HIERARCHY_NONE, HIERARCHY_V1, HIERARCHY_V2 };

/* What kind a directory is of, and its inode number, which is the id of a v2 cgroup (since 5.5 all of it). */
static enum hierarchy look(const struct sysroot *root, const char *mount, const char *path,
			   uint64_t *ret_id)
{
	_auto_close_ int fd = sysroot__open(root, O_PATH | O_DIRECTORY, "%s%s", mount, path);
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstatfs(fd, &fs) || fstat(fd, &st))
		return HIERARCHY_NONE;
	*ret_id = st.st_ino;
	return fs.f_type == CGROUP2_SUPER_MAGIC ? HIERARCHY_V2 :
	       fs.f_type == CGROUP_SUPER_MAGIC	? HIERARCHY_V1 :
						  HIERARCHY_NONE;
}

static bool is_unified_only(const struct sysroot *root)
{
	uint64_t id;

	return look(root, MOUNTS, "", &id) == HIERARCHY_V2;
}

/* text begins behind /sys/fs/cgroup: "/unified/a/b", "/memory/a/b", or "/a/b" where there is only v2. */
static int find_directory(const struct sysroot *root, const char *text,
			  struct cgroup_place *ret_place)
{
	struct cgroup_place place = { .path = text };
	enum hierarchy hierarchy = look(root, MOUNTS, text, &place.id);

	if (hierarchy == HIERARCHY_NONE)
		return -ENOENT;
	if (!is_unified_only(root) && *text)
		place.path = text + 1 + strcspn(text + 1, "/");
	if (hierarchy == HIERARCHY_V1)
		place.id = 0;
	if (!*place.path)
		place.path = "/";
	*ret_place = place;
	return 0;
}

static bool any_v1_has(const struct sysroot *root, const char *path)
{
	int fd = sysroot__open(root, O_RDONLY | O_DIRECTORY, MOUNTS);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool has = false;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!has && (entry = readdir(dir))) {
		char mount[sizeof(MOUNTS) + sizeof(entry->d_name) + 1];
		uint64_t id;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(mount, sizeof(mount), MOUNTS "/%s", entry->d_name);
		has = look(root, mount, path, &id) == HIERARCHY_V1;
	}
	closedir(dir);
	return has;
}

int cgroup_place__find(const struct sysroot *root, const char *text, struct cgroup_place *ret_place)
{
	static const char mounts[] = "/" MOUNTS;
	const size_t len = sizeof(mounts) - 1;
	struct cgroup_place place = { .path = text };

	if (!strncmp(text, mounts, len) && (text[len] == '/' || !text[len]))
		return find_directory(root, text + len, ret_place);
	if (look(root, MOUNTS, text, &place.id) != HIERARCHY_V2 &&
	    look(root, UNIFIED, text, &place.id) != HIERARCHY_V2) {
		place.id = 0;
		if (!any_v1_has(root, text))
			return -ENOENT;
	}
	*ret_place = place;
	return 0;
}

int cgroup_text__read(const struct sysroot *root, uint32_t pid, struct buf *out)
{
	buf__init(out, TEXT_BYTES_MAX);
	return sysroot__read(root, out, "proc/%u/cgroup", pid);
}

static bool line_has(const char *line, const char *end, const char *path, size_t path_len)
{
	const char *first = memchr(line, ':', (size_t)(end - line));
	const char *at = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;

	if (!at++ || (size_t)(end - at) < path_len || memcmp(at, path, path_len) != 0)
		return false;
	return path_len == 1 || at + path_len == end || at[path_len] == '/';
}

bool cgroup_text__has(const char *text, size_t len, const char *path)
{
	const char *end = text + len;
	size_t path_len = strlen(path);

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text)) ?: end;

		if (line_has(text, newline, path, path_len))
			return true;
		text = newline + 1;
	}
	return false;
}

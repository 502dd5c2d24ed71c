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

#define TREE_DEPTH_MAX	 32
#define TREE_CGROUPS_MAX 8192
#define TREE_PATH_BYTES	 4096

struct tree {
	const struct sysroot *root;
	const char *mount;
	int (*fn)(void *arg, const char *path, const char *name);
	void *arg;
	uint32_t cnt;
	char path[TREE_PATH_BYTES];
};

static int tree__walk(struct tree *self, size_t len, uint32_t depth)
{
	int fd = sysroot__open(self->root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, "%s%s", self->mount,
			       self->path);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int err = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0; /* it has just gone */
	}
	while (!err && (entry = readdir(dir))) {
		size_t name_len = strlen(entry->d_name);

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
		    len + 1 + name_len >= TREE_PATH_BYTES || self->cnt++ >= TREE_CGROUPS_MAX)
			continue;
		self->path[len] = '/';
		memcpy(self->path + len + 1, entry->d_name, name_len + 1);
		err = self->fn(self->arg, self->path, self->path + len + 1);
		if (!err && depth < TREE_DEPTH_MAX)
			err = tree__walk(self, len + 1 + name_len, depth + 1);
		self->path[len] = '\0';
	}
	closedir(dir);
	return err;
}

int cgroup_tree__each(const struct sysroot *root,
		      int (*fn)(void *arg, const char *path, const char *name), void *arg)
{
	/* runtimes make a container's cgroup in each v1 hierarchy: one will do */
	static const char *const mounts[] = { MOUNTS, UNIFIED, MOUNTS "/pids", MOUNTS "/memory",
					      MOUNTS "/systemd" };
	bool has[HIERARCHY_V2 + 1] = { [HIERARCHY_NONE] = true };
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mounts) && !err; i++) {
		struct tree tree = { .root = root, .mount = mounts[i], .fn = fn, .arg = arg };
		uint64_t id;
		enum hierarchy hierarchy = look(root, mounts[i], "", &id);

		if (!has[hierarchy])
			err = tree__walk(&tree, 0, 0);
		has[hierarchy] = true;
	}
	return err;
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

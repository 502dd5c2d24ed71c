/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How much memory the tables may take: maps are charged to the memory cgroup of who makes them (5.11), so in a
 * container with a small limit the tables must be small too. The limit is the lowest one of our cgroup and
 * its parents, in either version of the hierarchy; what lies above a cgroup namespace cannot be seen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"
#include "pp/unwind_tables.h"

#define BYTES_DEFAULT	    (16ull << 20)
#define CACHE_BYTES_DEFAULT (64ull << 20)
#define CGROUP_TEXT_MAX	    65536
#define PARENTS_MAX	    64

static uint64_t read_limit(const struct sysroot *root, const char *hierarchy, const char *path,
			   const char *name)
{
	char text[64], *end;
	uint64_t limit;

	/* "max" begins with no digit */
	if (sysroot__line(root, text, sizeof(text), "sys/fs/cgroup%s%s/%s", hierarchy, path, name))
		return UINT64_MAX;
	errno = 0;
	limit = strtoull(text, &end, 10);
	return end == text || errno ? UINT64_MAX : limit;
}

/* path: "/a/b", is cut. */
static uint64_t lowest_limit(const struct sysroot *root, const char *hierarchy, char *path,
			     const char *name)
{
	uint64_t lowest = UINT64_MAX;

	if (strstr(path, "/..")) /* outside of our namespace: only its root can be seen */
		path[0] = '\0';
	for (uint32_t i = 0; i < PARENTS_MAX; i++) {
		uint64_t limit = read_limit(root, hierarchy, path, name);
		char *slash = strrchr(path, '/');

		lowest = min_of(lowest, limit);
		if (!slash)
			break;
		*slash = '\0';
	}
	return lowest;
}

/* A line of proc/self/cgroup: "ID:CONTROLLERS:PATH", "0::PATH" for version 2. */
static uint64_t limit_of_line(const struct sysroot *root, char *line)
{
	char *controllers = strchr(line, ':'), *path, *name, *rest;

	path = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!path)
		return UINT64_MAX;
	*path++ = '\0';
	controllers++;
	if (controllers[0] == '\0')
		return lowest_limit(root, "", path, "memory.max");
	for (name = strtok_r(controllers, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		if (strcmp(name, "memory") == 0)
			return lowest_limit(root, "/memory", path, "memory.limit_in_bytes");
	return UINT64_MAX;
}

struct unwind_options unwind_options__default(const struct sysroot *root)
{
	struct unwind_options options = { .bytes_max = BYTES_DEFAULT,
					  .cache_bytes_max = CACHE_BYTES_DEFAULT };
	_auto_buf_ struct buf text;
	char *line = NULL, *rest;

	buf__init(&text, CGROUP_TEXT_MAX);
	if (!sysroot__read(root, &text, "proc/self/cgroup") && text.len > 0)
		line = strtok_r(text.data, "\n", &rest);
	for (; line; line = strtok_r(NULL, "\n", &rest)) {
		uint64_t quarter = limit_of_line(root, line) / 4;

		options.bytes_max = min_of(options.bytes_max, quarter);
	}
	options.ahead_bytes_max = options.bytes_max / 2;
	return options;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROC_CGROUP_H
#define PP_PROC_CGROUP_H
/*
 * Control groups that somebody names: which one is meant, and whether a process is in it or below. Where the
 * unified hierarchy (cgroup v2) has it, the kernel knows each task's by an id; elsewhere (v1, hybrid) only the
 * text of /proc/PID/cgroup tells.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct sysroot;

struct cgroup_place {
	uint64_t id; /* as bpf_get_current_cgroup_id() says it; 0: only in a v1 hierarchy */
	const char *path; /* within its hierarchy, as in /proc/PID/cgroup; points into the text */
};

/*
 * text: a directory below /sys/fs/cgroup, or a path as in /proc/PID/cgroup, looked for in the unified hierarchy
 * first. 0, -ENOENT (there is none), -EACCES.
 */
int cgroup_place__find(const struct sysroot *root, const char *text,
		       struct cgroup_place *ret_place);

/*
 * Every cgroup of the unified hierarchy, and of one of v1 if there is one: fn gets its path, and its own name,
 * which is the path's end. At most 8,192 are looked at, 32 deep. 0, or what fn returned if that was not 0.
 */
int cgroup_tree__each(const struct sysroot *root,
		      int (*fn)(void *arg, const char *path, const char *name), void *arg);

/* Appends the text of /proc/PID/cgroup. 0, -ESRCH or -ENOENT (gone), -E2BIG. */
int cgroup_text__read(const struct sysroot *root, uint32_t pid, struct buf *out);
/* Does such a text name the path, or one below it, in any hierarchy? Lines of another form name nothing. */
bool cgroup_text__has(const char *text, size_t len, const char *path);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The text of /proc/PID/maps, line by line:
 *
 *   7f77d0c1d000-7f77d0c27000 r-xp 00027000 fe:00 332383      /usr/lib/x86_64-linux-gnu/libc.so.6
 *
 * start-end perms offset major:minor inode [blanks path]. Written by show_map_vma() in fs/proc/task_mmu.c
 * (proc(5)); in a path the kernel escapes the newline only (\012), every other byte stands as it is, also
 * blanks. Reads no files and keeps nothing: strings live until the callback returns.
 */
#include "pp/proc.h"

#include <errno.h>
#include <string.h>

#include "pp/base/cleanup.h"

#define LINES_MAX  65536
#define PATH_BYTES 8192 /* PATH_MAX twice: more than the kernel prints */
#define DELETED	   " (deleted)"

struct cursor {
	const char *pos;
	const char *end;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* A number with its separator behind it. At least one digit, at most 64 bits. */
static bool take_number(struct cursor *line, unsigned int base, char separator, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *p = line->pos;

	for (; p < line->end; p++) {
		int digit = hex_digit(*p);

		if (digit < 0 || (unsigned int)digit >= base)
			break;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, (unsigned int)digit, &value))
			return false;
	}
	if (p == line->pos)
		return false;
	if (p < line->end && *p == separator)
		p++;
	else if (p < line->end || separator != ' ') /* only the last field may end the line */
		return false;
	line->pos = p;
	*ret_value = value;
	return true;
}

static bool take_perms(struct cursor *line, bool *ret_is_executable)
{
	if (line->end - line->pos < 5 || line->pos[4] != ' ')
		return false;
	*ret_is_executable = line->pos[2] == 'x';
	line->pos += 5;
	return true;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Unescapes into text, cuts " (deleted)". */
static int take_path(struct cursor *line, char text[PATH_BYTES], bool *ret_is_deleted)
{
	size_t len = 0;

	while (line->pos < line->end && *line->pos == ' ')
		line->pos++;
	for (const char *p = line->pos; p < line->end; p++) {
		if (*p == '\0' || len == PATH_BYTES - 1)
			return -EBADMSG;
		if (line->end - p >= 4 && memcmp(p, "\\012", 4) == 0) {
			text[len++] = '\n';
			p += 3;
		} else {
			text[len++] = *p;
		}
	}
	text[len] = '\0';
	*ret_is_deleted = len > strlen(DELETED) &&
			  memcmp(text + len - strlen(DELETED), DELETED, strlen(DELETED)) == 0;
	if (*ret_is_deleted)
		text[len - strlen(DELETED)] = '\0';
	return 0;
}

/*
 * The kernel backs shared anonymous memory by files of its own that nobody can have written an ELF file
 * to by name; a memfd is different, programs are started from it.
 */
static bool is_kernel_shmem(const struct mapping *mapping)
{
	return starts_with(mapping->path, "[anon_shmem:") ||
	       (mapping->is_deleted && (strcmp(mapping->path, "/dev/zero") == 0 ||
					strcmp(mapping->path, "/anon_hugepage") == 0 ||
					starts_with(mapping->path, "/SYSV")));
}

static enum mapping_kind classify(const struct mapping *mapping)
{
	if (mapping->inode != 0)
		return is_kernel_shmem(mapping) ? MAPPING_ANON : MAPPING_FILE;
	/*
	 * The vdso of a 32-bit or x32 process lies below 4 GiB and is another image than ours; the
	 * 64-bit one lies near the stack (vdso_addr() in arch/x86/entry/vdso/vma.c).
	 */
	if (strcmp(mapping->path, "[vdso]") == 0)
		return mapping->start_addr >> 32 ? MAPPING_VDSO : MAPPING_SPECIAL;
	if (mapping->path[0] != '[' || strcmp(mapping->path, "[heap]") == 0 ||
	    starts_with(mapping->path, "[stack") || starts_with(mapping->path, "[anon:"))
		return MAPPING_ANON;
	return MAPPING_SPECIAL;
}

/* Returns 1 for an executable mapping, 0 for another one. */
static int parse_line(struct cursor *line, char path[PATH_BYTES], struct mapping *ret_mapping)
{
	struct mapping mapping = { .path = path };
	uint64_t major, minor;
	bool is_executable;
	int err;

	if (!take_number(line, 16, '-', &mapping.start_addr) ||
	    !take_number(line, 16, ' ', &mapping.end_addr) || !take_perms(line, &is_executable))
		return -EBADMSG;
	if (!is_executable)
		return 0;
	if (!take_number(line, 16, ' ', &mapping.off) || !take_number(line, 16, ':', &major) ||
	    !take_number(line, 16, ' ', &minor) || !take_number(line, 10, ' ', &mapping.inode))
		return -EBADMSG;
	if (mapping.start_addr >= mapping.end_addr || major > UINT32_MAX || minor > UINT32_MAX)
		return -EBADMSG;
	err = take_path(line, path, &mapping.is_deleted);
	if (err)
		return err;
	mapping.dev_major = (uint32_t)major;
	mapping.dev_minor = (uint32_t)minor;
	mapping.kind = classify(&mapping);
	*ret_mapping = mapping;
	return 1;
}

int maps__parse(const char *text, size_t len, int (*fn)(void *arg, const struct mapping *mapping),
		void *arg)
{
	const char *pos = text, *end = text + len;
	char path[PATH_BYTES];

	for (uint32_t line_cnt = 0; pos < end; line_cnt++) {
		const char *newline = memchr(pos, '\n', (size_t)(end - pos));
		struct cursor line = { .pos = pos, .end = newline };
		struct mapping mapping;
		int err;

		if (line_cnt == LINES_MAX)
			return -E2BIG;
		if (!newline) /* the kernel ends every line */
			return -EBADMSG;
		err = parse_line(&line, path, &mapping);
		if (err > 0)
			err = fn(arg, &mapping);
		if (err)
			return err;
		pos = newline + 1;
	}
	return 0;
}

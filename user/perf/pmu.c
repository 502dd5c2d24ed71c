/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Event codes by the words of the kernel's format files: "config:0-7,32-35" says where the bits of a term go, so no bits
 * are made by hand. What stands in sysfs is checked like any text from outside: in containers it may be another's.
 */
#include "pp/perf_pmu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

#define DEVICES	   "sys/bus/event_source/devices/"
#define TEXT_BYTES 512

static bool is_plain_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/') && strlen(name) < PERF_NAME_BYTES;
}

static int parse_number(const char *text, uint64_t *ret_value)
{
	char *end;

	errno = 0;
	if (*text < '0' || *text > '9')
		return -EBADMSG;
	*ret_value = strtoull(text, &end, 0);
	return errno || *end ? -EBADMSG : 0;
}

static int read_number(const struct sysroot *root, const char *pmu, const char *file,
		       uint64_t *ret_value)
{
	char text[64];
	int err = is_plain_name(pmu) ?
			  sysroot__line(root, text, sizeof(text), DEVICES "%s/%s", pmu, file) :
			  -ENOENT;

	if (err)
		return err == -E2BIG ? -EBADMSG : err;
	return parse_number(text, ret_value);
}

int perf_pmu__type(const struct sysroot *root, const char *pmu, uint32_t *ret_type)
{
	uint64_t type;
	int err = read_number(root, pmu, "type", &type);

	if (!err && type > UINT32_MAX)
		err = -EBADMSG;
	if (!err)
		*ret_type = (uint32_t)type;
	return err;
}

int perf_pmu__cap(const struct sysroot *root, const char *pmu, const char *cap, uint64_t *ret_value)
{
	char file[PERF_NAME_BYTES + 8];

	if (!is_plain_name(cap))
		return -ENOENT;
	snprintf(file, sizeof(file), "caps/%s", cap);
	return read_number(root, pmu, file, ret_value);
}

static uint64_t *word_of(struct perf_code *code, const char *format, size_t len)
{
	if (len == 6 && !strncmp(format, "config", 6))
		return &code->config;
	if (len == 7 && !strncmp(format, "config1", 7))
		return &code->config1;
	if (len == 7 && !strncmp(format, "config2", 7))
		return &code->config2;
	return NULL;
}

/* "0-7,32-35": the lowest bits of value go to the first range. -EINVAL: some are left over. */
static int place_bits(const char *ranges, uint64_t value, uint64_t *word)
{
	while (*ranges) {
		unsigned int first, last;
		uint64_t mask;
		int used = 0;

		if (sscanf(ranges, "%2u-%2u%n", &first, &last, &used) != 2) {
			if (sscanf(ranges, "%2u%n", &first, &used) != 1)
				return -EBADMSG;
			last = first;
		}
		if (first > last || last > 63)
			return -EBADMSG;
		mask = last - first == 63 ? UINT64_MAX : (1ull << (last - first + 1)) - 1;
		*word |= (value & mask) << first;
		value = mask == UINT64_MAX ? 0 : value >> (last - first + 1);
		ranges += used;
		if (*ranges == ',')
			ranges++;
		else if (*ranges)
			return -EBADMSG;
	}
	return value ? -EINVAL : 0;
}

static int add_term(const struct sysroot *root, const char *pmu, const char *name, uint64_t value,
		    struct perf_code *code)
{
	char format[128];
	const char *colon;
	uint64_t *word = NULL;
	int err;

	if (!strcmp(name, "config") || !strcmp(name, "config1") || !strcmp(name, "config2")) {
		*word_of(code, name, strlen(name)) |= value;
		return 0;
	}
	if (!is_plain_name(name))
		return -EINVAL;
	err = sysroot__line(root, format, sizeof(format), DEVICES "%s/format/%s", pmu, name);
	if (err)
		return err == -ENOENT ? -EINVAL : err == -E2BIG ? -EBADMSG : err;
	colon = strchr(format, ':');
	if (colon)
		word = word_of(code, format, (size_t)(colon - format));
	return word ? place_bits(colon + 1, value, word) : -EBADMSG;
}

int perf_pmu__encode(const struct sysroot *root, const char *pmu, const char *terms,
		     struct perf_code *ret_code)
{
	struct perf_code code = { 0 };
	char text[TEXT_BYTES], *rest = text, *term;
	int err = perf_pmu__type(root, pmu, &code.type);

	if (err)
		return err;
	if (strlen(terms) >= sizeof(text))
		return -EINVAL;
	strncpy(text, terms, sizeof(text));
	while (!err && (term = strsep(&rest, ","))) {
		char *equal = strchr(term, '=');
		uint64_t value = 1;

		if (equal) {
			*equal = '\0';
			err = parse_number(equal + 1, &value) ? -EINVAL : 0;
		}
		if (!err && *term)
			err = add_term(root, pmu, term, value, &code);
	}
	if (!err)
		*ret_code = code;
	return err;
}

int perf_pmu__encode_alias(const struct sysroot *root, const char *pmu, const char *alias,
			   struct perf_code *ret_code)
{
	char terms[TEXT_BYTES];
	int err;

	if (!is_plain_name(pmu) || !is_plain_name(alias))
		return -ENOENT;
	err = sysroot__line(root, terms, sizeof(terms), DEVICES "%s/events/%s", pmu, alias);
	if (err)
		return err == -E2BIG ? -EBADMSG : err;
	if (strchr(terms, '?'))
		return -EOPNOTSUPP;
	err = perf_pmu__encode(root, pmu, terms, ret_code);
	return err == -EINVAL ? -EBADMSG : err; /* its own terms */
}

/* Does "0-3,8" hold it? */
static bool list_has(const char *list, int cpu)
{
	while (*list) {
		char *end;
		long first = strtol(list, &end, 10), last = first;

		if (end == list)
			return false;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (cpu >= first && cpu <= last)
			return true;
		list = *end == ',' ? end + 1 : end;
	}
	return false;
}

int perf_pmu__of_cpu(const struct sysroot *root, int cpu, char ret_name[PERF_NAME_BYTES])
{
	_auto_close_ int fd = sysroot__open(root, O_RDONLY | O_DIRECTORY, "%s", DEVICES);
	char cpus[TEXT_BYTES];
	struct dirent *entry;
	uint32_t type;
	int err = -ENOENT;
	DIR *dir;

	if (!perf_pmu__type(root, "cpu", &type)) {
		snprintf(ret_name, PERF_NAME_BYTES, "cpu");
		return 0;
	}
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	fd = -1; /* closedir's */
	while (err && (entry = readdir(dir))) {
		bool is_core = !strncmp(entry->d_name, "cpu_", 4) ||
			       !strncmp(entry->d_name, "armv8_", 6);

		if (!is_core || !is_plain_name(entry->d_name) ||
		    sysroot__line(root, cpus, sizeof(cpus), DEVICES "%s/cpus", entry->d_name) ||
		    !list_has(cpus, cpu))
			continue;
		snprintf(ret_name, PERF_NAME_BYTES, "%.*s", PERF_NAME_BYTES - 1, entry->d_name);
		err = 0;
	}
	closedir(dir);
	return err;
}

int perf_tracepoint__id(const struct sysroot *root, const char *name, uint64_t *ret_id)
{
	static const char *const places[] = { "sys/kernel/tracing", "sys/kernel/debug/tracing" };
	const char *colon = strchr(name, ':');
	char group[PERF_NAME_BYTES], text[32];
	int err = -ENOENT;

	if (!colon || colon == name || (size_t)(colon - name) >= sizeof(group))
		return -ENOENT;
	snprintf(group, sizeof(group), "%.*s", (int)(colon - name), name);
	if (!is_plain_name(group) || !is_plain_name(colon + 1))
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(places) && err; i++)
		err = sysroot__line(root, text, sizeof(text), "%s/events/%s/%s/id", places[i],
				    group, colon + 1);
	return err ? err : parse_number(text, ret_id);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Our programs, maps and links as the kernel lists them, whoever loaded them: for people who want to see
 * what a profiler leaves in their kernel. Reads only; names are those that bpftool shows.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

#define OUR_PREFIX    "pp_"
#define PROG_MAPS_MAX 64

static bool is_ours(const char *name)
{
	return !strncmp(name, OUR_PREFIX, strlen(OUR_PREFIX));
}

/* Bytes of memory as the kernel accounts them. */
static uint64_t memlock_bytes(const struct sysroot *root, int fd)
{
	_auto_buf_ struct buf text;
	const char *line;

	buf__init(&text, 4096);
	if (sysroot__read(root, &text, "proc/self/fdinfo/%d", fd) || !text.data)
		return 0;
	line = strstr(text.data, "\nmemlock:");
	return line ? strtoull(line + strlen("\nmemlock:"), NULL, 10) : 0;
}

static int map_info(uint32_t id, struct bpf_map_info *ret_info, int *ret_fd)
{
	uint32_t len = sizeof(*ret_info);
	int fd = bpf_map_get_fd_by_id(id);

	if (fd < 0)
		return -errno;
	memset(ret_info, 0, sizeof(*ret_info));
	if (bpf_obj_get_info_by_fd(fd, ret_info, &len)) {
		close(fd);
		return -errno;
	}
	*ret_fd = fd;
	return 0;
}

/* Sums of the counters map that a program uses. */
static int read_counters(const uint32_t *map_ids, uint32_t cnt, uint64_t sums[PP_CNT_MAX])
{
	int cpus = libbpf_num_possible_cpus();
	_auto_free_ struct pp_cpu_counters *values = calloc(cpus, sizeof(*values));
	struct bpf_map_info info;
	__u32 zero = 0;

	memset(sums, 0, PP_CNT_MAX * sizeof(*sums));
	for (uint32_t i = 0; values && i < cnt; i++) {
		_auto_close_ int fd = -1;

		if (map_info(map_ids[i], &info, &fd) || strcmp(info.name, "pp_counters") ||
		    info.value_size !=
			    sizeof(*values)) /* another version's layout is not ours to read */
			continue;
		if (bpf_map_lookup_elem(fd, &zero, values))
			return -errno;
		for (int cpu = 0; cpu < cpus; cpu++)
			for (int c = 0; c < PP_SLOTS * PP_GENERATIONS * PP_CNT_MAX; c++)
				sums[c % PP_CNT_MAX] += (&values[cpu].cnt[0][0][0])[c];
		return 0;
	}
	return -ENOENT;
}

static uint64_t runs_of(const char *name, const uint64_t sums[PP_CNT_MAX])
{
	if (!strcmp(name, "pp_sample") || !strcmp(name, "pp_sample_fp"))
		return sums[PP_CNT_TAKEN];
	if (!strcmp(name, "pp_fork"))
		return sums[PP_CNT_RUNS_FORK];
	if (!strcmp(name, "pp_exit"))
		return sums[PP_CNT_RUNS_EXIT];
	if (!strcmp(name, "pp_exec"))
		return sums[PP_CNT_RUNS_EXEC];
	return 0;
}

static bool link_info(uint32_t id, struct bpf_link_info *ret_info)
{
	uint32_t len = sizeof(*ret_info);
	_auto_close_ int fd = bpf_link_get_fd_by_id(id);

	memset(ret_info, 0, sizeof(*ret_info));
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, ret_info, &len);
}

static bool has_link(uint32_t prog_id)
{
	struct bpf_link_info info;
	uint32_t id = 0;

	while (!bpf_link_get_next_id(id, &id))
		if (link_info(id, &info) && info.prog_id == prog_id)
			return true;
	return false;
}

static const char *prog_type_name(uint32_t type)
{
	switch (type) {
	case BPF_PROG_TYPE_PERF_EVENT: return "perf_event";
	case BPF_PROG_TYPE_RAW_TRACEPOINT: return "raw_tracepoint";
	default: return "other";
	}
}

static bool prog_object(const struct sysroot *root, uint32_t id, struct collect_object *ret_object)
{
	_auto_close_ int fd = bpf_prog_get_fd_by_id(id);
	uint32_t map_ids[PROG_MAPS_MAX];
	struct bpf_prog_info info = { .nr_map_ids = PROG_MAPS_MAX, .map_ids = (uintptr_t)map_ids };
	uint32_t len = sizeof(info);
	uint64_t sums[PP_CNT_MAX];

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || !is_ours(info.name))
		return false;
	memset(ret_object, 0, sizeof(*ret_object));
	ret_object->id = id;
	snprintf(ret_object->name, sizeof(ret_object->name), "%s", info.name);
	snprintf(ret_object->type, sizeof(ret_object->type), "%s", prog_type_name(info.type));
	ret_object->bytes = memlock_bytes(root, fd);
	ret_object->attached = has_link(id);
	if (read_counters(map_ids, min_of(info.nr_map_ids, (uint32_t)PROG_MAPS_MAX), sums))
		return true;
	ret_object->runs = runs_of(info.name, sums);
	if (info.type == BPF_PROG_TYPE_PERF_EVENT && sums[PP_CNT_TIMED])
		ret_object->ns = sums[PP_CNT_TIMED_NS] / sums[PP_CNT_TIMED] * sums[PP_CNT_ACCEPTED];
	return true;
}

static bool map_object(const struct sysroot *root, uint32_t id, struct collect_object *ret_object)
{
	struct bpf_map_info info;
	_auto_close_ int fd = -1;

	/* Global data is named after the object file: pulsepro.bss, pulsepro.rodata. */
	if (map_info(id, &info, &fd) || (!is_ours(info.name) && strncmp(info.name, "pulsepro", 8)))
		return false;
	memset(ret_object, 0, sizeof(*ret_object));
	ret_object->id = id;
	snprintf(ret_object->name, sizeof(ret_object->name), "%s", info.name);
	snprintf(ret_object->type, sizeof(ret_object->type), "%s",
		 libbpf_bpf_map_type_str(info.type) ?: "other");
	ret_object->entries_max = info.max_entries;
	ret_object->bytes = memlock_bytes(root, fd);
	return true;
}

static bool link_object(const struct sysroot *root, uint32_t id, struct collect_object *ret_object)
{
	struct bpf_link_info info;
	struct collect_object prog;

	if (!link_info(id, &info) || !prog_object(root, info.prog_id, &prog))
		return false;
	memset(ret_object, 0, sizeof(*ret_object));
	ret_object->id = id;
	snprintf(ret_object->name, sizeof(ret_object->name), "%s", prog.name);
	snprintf(ret_object->type, sizeof(ret_object->type), "%s",
		 libbpf_bpf_link_type_str(info.type) ?: "other");
	ret_object->prog_id = info.prog_id;
	ret_object->attached = true;
	return true;
}

int collect_objects__each(const struct sysroot *root, enum collect_object_kind kind,
			  collect_object_fn fn, void *arg)
{
	static const struct {
		int (*next)(uint32_t start_id, uint32_t *next_id);
		bool (*object)(const struct sysroot *root, uint32_t id,
			       struct collect_object *ret_object);
	} kinds[] = {
		[COLLECT_PROG] = { bpf_prog_get_next_id, prog_object },
		[COLLECT_MAP] = { bpf_map_get_next_id, map_object },
		[COLLECT_LINK] = { bpf_link_get_next_id, link_object },
	};
	struct collect_object object;
	uint32_t id = 0;
	int err = 0;

	libbpf_set_print(NULL);
	while (!err && !kinds[kind].next(id, &id))
		if (kinds[kind].object(root, id, &object))
			err = fn(arg, &object);
	if (!err && errno != ENOENT)
		err = -errno;
	return err;
}

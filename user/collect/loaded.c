/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The unwind tables of others, seen from outside: the maps of a loaded sampler are found through its
 * program, mapped for reading where they are arrays, and searched for one process. Another version's
 * layout is not ours to read: sizes must be those of our headers, and every index is bounded by them.
 */
#include "pp/collect_loaded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/cleanup.h"

#define PROG_MAPS_MAX  64
#define PROCS_MAX      65536 /* keys looked at: a table that changes may show some twice */
#define INDEX_LAST_ROW 64

struct collect_loaded {
	struct pp_proc_id id;
	struct pp_proc_info info;
	const struct pp_range *ranges; /* PP_RANGES_MAX */
	const struct pp_dir_entry *dir; /* PP_DIR_MAX */
	const uint32_t *parts[PP_PARTS_MAX]; /* PP_PART_WORDS, or NULL */
};

/* One of a program's maps: its name, its value and how many of them. */
struct wanted_map {
	const char *name;
	uint32_t value_bytes;
	uint32_t entries;
};
static const struct wanted_map wanted_procs = { "pp_procs", sizeof(struct pp_proc_info), 0 };
static const struct wanted_map wanted_ranges = { "pp_ranges", sizeof(struct pp_range),
						 PP_RANGES_MAX };
static const struct wanted_map wanted_dir = { "pp_dir", sizeof(struct pp_dir_entry), PP_DIR_MAX };
static const struct wanted_map wanted_parts = { "pp_parts", sizeof(uint32_t), PP_PARTS_MAX };

struct map_ids {
	uint32_t ids[PROG_MAPS_MAX];
	uint32_t cnt;
};

/* Returns a descriptor, -ENOENT or -errno. */
static int open_map(const struct map_ids *maps, const struct wanted_map *wanted)
{
	for (uint32_t i = 0; i < maps->cnt; i++) {
		_auto_close_ int fd = bpf_map_get_fd_by_id(maps->ids[i]);
		struct bpf_map_info info = { 0 };
		uint32_t len = sizeof(info);

		if (fd < 0) {
			if (errno == ENOENT) /* just gone */
				continue;
			return -errno;
		}
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, wanted->name) &&
		    info.value_size == wanted->value_bytes &&
		    (!wanted->entries || info.max_entries == wanted->entries))
			return take_fd(fd);
	}
	return -ENOENT;
}

static int map_array(const struct map_ids *maps, const struct wanted_map *wanted,
		     const void **ret_memory)
{
	_auto_close_ int fd = open_map(maps, wanted);
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, (size_t)wanted->value_bytes * wanted->entries, PROT_READ, MAP_SHARED,
		      fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return 0;
}

/* The latest program that the process has run: exec ids grow. 0, -ENOENT. */
static int find_process(int fd, uint32_t pid, uint64_t start_ticks, struct pp_proc_id *ret_id,
			struct pp_proc_info *ret_info)
{
	struct pp_proc_id id, next, *from = NULL;
	struct pp_proc_info info;
	int err = -ENOENT;

	for (uint32_t i = 0; i < PROCS_MAX && !bpf_map_get_next_key(fd, from, &next); i++) {
		id = next;
		from = &id;
		if (id.tgid != pid || id.start_boottime_ns / PP_NSEC_PER_TICK != start_ticks ||
		    (!err && id.exec_id <= ret_id->exec_id) || bpf_map_lookup_elem(fd, &id, &info))
			continue;
		*ret_id = id;
		*ret_info = info;
		err = 0;
	}
	return err;
}

/* Parts are made on demand: their ids stand in the outer map. */
static void map_parts(struct collect_loaded *self, const struct map_ids *maps)
{
	static const struct wanted_map wanted = { "pp_part", PP_PART_WORDS * sizeof(uint32_t), 1 };
	_auto_close_ int outer = open_map(maps, &wanted_parts);

	for (uint32_t part = 0; outer >= 0 && part < PP_PARTS_MAX; part++) {
		struct map_ids inner = { .cnt = 1 };
		const void *memory = NULL;

		if (bpf_map_lookup_elem(outer, &part, &inner.ids[0]) ||
		    map_array(&inner, &wanted, &memory))
			continue;
		self->parts[part] = memory;
	}
}

static int open_tables(const struct map_ids *maps, uint32_t pid, uint64_t start_ticks,
		       struct collect_loaded *self)
{
	_auto_close_ int procs = open_map(maps, &wanted_procs);
	const void *memory = NULL;
	int err;

	if (procs < 0)
		return procs;
	err = find_process(procs, pid, start_ticks, &self->id, &self->info);
	if (err)
		return err;
	if (self->info.range_first > PP_RANGES_MAX ||
	    self->info.range_cnt > PP_RANGES_MAX - self->info.range_first)
		return -EBADMSG;
	err = map_array(maps, &wanted_ranges, &memory);
	if (err)
		return err;
	self->ranges = memory;
	err = map_array(maps, &wanted_dir, &memory);
	if (err)
		return err;
	self->dir = memory;
	map_parts(self, maps);
	return 0;
}

/* Returns true if the program is a sampler of ours. */
static bool maps_of_sampler(uint32_t prog_id, struct map_ids *ret_maps)
{
	_auto_close_ int fd = bpf_prog_get_fd_by_id(prog_id);
	struct bpf_prog_info info = { .nr_map_ids = PROG_MAPS_MAX,
				      .map_ids = (uintptr_t)ret_maps->ids };
	uint32_t len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || strcmp(info.name, "pp_sample"))
		return false;
	ret_maps->cnt = min_of(info.nr_map_ids, (uint32_t)PROG_MAPS_MAX);
	return true;
}

int collect_loaded__open(uint32_t pid, uint64_t start_ticks, struct collect_loaded **ret_loaded)
{
	struct map_ids maps;
	uint32_t id = 0;
	int err = -ENOENT;

	libbpf_set_print(NULL);
	while (!bpf_prog_get_next_id(id, &id)) {
		struct collect_loaded *self;

		if (!maps_of_sampler(id, &maps))
			continue;
		self = calloc(1, sizeof(*self));
		if (!self)
			return -ENOMEM;
		err = open_tables(&maps, pid, start_ticks, self);
		if (!err) {
			*ret_loaded = self;
			return 0;
		}
		collect_loaded__close(self);
	}
	return errno == ENOENT ? err : -errno;
}

static void unmap(const void *memory, size_t bytes)
{
	if (memory)
		(void)munmap((void *)memory, bytes); /* fails for a wrong address only */
}

void collect_loaded__close(struct collect_loaded *self)
{
	if (!self)
		return;
	unmap(self->ranges, PP_RANGES_MAX * sizeof(*self->ranges));
	unmap(self->dir, PP_DIR_MAX * sizeof(*self->dir));
	for (uint32_t part = 0; part < PP_PARTS_MAX; part++)
		unmap(self->parts[part], PP_PART_WORDS * sizeof(uint32_t));
	free(self);
}

const struct pp_proc_info *collect_loaded__process(const struct collect_loaded *self)
{
	return &self->info;
}

int collect_loaded__find(const struct collect_loaded *self, uint64_t addr,
			 struct pp_range *ret_range)
{
	for (uint32_t i = 0; i < self->info.range_cnt; i++) {
		struct pp_range range = self->ranges[self->info.range_first + i];

		if (addr >= range.start_addr && addr < range.end_addr) {
			*ret_range = range;
			return 0;
		}
	}
	return -ENOENT;
}

/* What is being written meanwhile may give a wrong number, never a wrong access. */
void collect_loaded__page(const struct collect_loaded *self, const struct pp_range *range,
			  uint64_t vaddr, struct collect_loaded_page *ret_page)
{
	uint32_t index = (range->dir_first + (uint32_t)(vaddr >> PP_PAGE_SHIFT)) % PP_DIR_MAX;
	const volatile struct pp_dir_entry *entry = &self->dir[index];
	uint32_t window = entry->window, unit = window % PP_PART_UNITS, words;
	const uint32_t *part;

	memset(ret_page, 0, sizeof(*ret_page));
	if (range->kind != PP_RANGE_TABLE || window == PP_WINDOW_ABSENT)
		return;
	ret_page->is_loaded = true;
	ret_page->hits = entry->hits;
	part = self->parts[(window / PP_PART_UNITS) % PP_PARTS_MAX];
	if (!(window & PP_WINDOW_AT) || !part)
		return;
	/* u16 index[64] is the low half of its word. */
	ret_page->rows = (part[unit * PP_UNIT_WORDS + INDEX_LAST_ROW / 2] & 0xffff) + 1;
	words = PP_INDEX_WORDS + ret_page->rows;
	ret_page->bytes = (words + PP_UNIT_WORDS - 1) / PP_UNIT_WORDS * PP_UNIT_WORDS * 4;
}

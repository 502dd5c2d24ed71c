/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The unwind tables as memory: the arrays that programs read are mapped once, parts for rows are made one
 * by one, and a page of rows costs no system call. What stands in them is unwind's business.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"

#include "pulseprof.skel.h"

#define PART_BYTES (PP_PART_WORDS * sizeof(uint32_t))

static int map_memory(int fd, size_t bytes, void **ret_memory)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return 0;
}

int tables__map(struct collect *self)
{
	struct pulseprof_bpf *skel = self->skel;
	struct collect_tables *tables = &self->tables;
	void *memory = NULL;
	int err;

	err = map_memory(bpf_map__fd(skel->maps.pp_dir), PP_DIR_MAX * sizeof(*tables->dir),
			 &memory);
	if (err)
		return err;
	tables->dir = memory;
	err = map_memory(bpf_map__fd(skel->maps.pp_rules), PP_RULES_MAX * sizeof(*tables->rules),
			 &memory);
	if (err)
		return err;
	tables->rules = memory;
	err = map_memory(bpf_map__fd(skel->maps.pp_ranges), PP_RANGES_MAX * sizeof(*tables->ranges),
			 &memory);
	if (err)
		return err;
	tables->ranges = memory;
	tables->tables = &skel->bss->pp_tables;
	tables->tables->generation = 1; /* nothing in the zeroed cache is of it */
	return 0;
}

static void unmap_memory(void *memory, size_t bytes)
{
	if (memory)
		pp_assert(munmap(memory, bytes) == 0);
}

void tables__unmap(struct collect *self)
{
	struct collect_tables *tables = &self->tables;

	for (uint32_t part = 0; part < PP_PARTS_MAX; part++)
		unmap_memory(self->parts[part], PART_BYTES);
	unmap_memory(tables->dir, PP_DIR_MAX * sizeof(*tables->dir));
	unmap_memory(tables->rules, PP_RULES_MAX * sizeof(*tables->rules));
	unmap_memory(tables->ranges, PP_RANGES_MAX * sizeof(*tables->ranges));
}

int collect_tables__get(struct collect *self, struct collect_tables *ret_tables)
{
	if (!self->has_tables)
		return self->tables_err ?: -EOPNOTSUPP;
	*ret_tables = self->tables;
	return 0;
}

int collect_tables__make_part(void *arg, uint32_t part, uint32_t **ret_words)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct collect *self = arg;
	_auto_close_ int fd = -1;
	void *memory = NULL;
	int err;

	if (part >= PP_PARTS_MAX || self->parts[part])
		return -EINVAL;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pp_part", sizeof(uint32_t), PART_BYTES, 1, &opts);
	if (fd < 0)
		return -errno;
	err = map_memory(fd, PART_BYTES, &memory);
	if (err)
		return err;
	if (bpf_map_update_elem(bpf_map__fd(self->skel->maps.pp_parts), &part, &fd, BPF_ANY)) {
		err = -errno;
		unmap_memory(memory, PART_BYTES);
		return err;
	}
	self->parts[part] = memory;
	*ret_words = memory;
	return 0;
}

void collect_tables__drop_part(void *arg, uint32_t part)
{
	struct collect *self = arg;

	if (part >= PP_PARTS_MAX || !self->parts[part])
		return;
	/* the kernel frees it when no program can read it any more */
	(void)bpf_map_delete_elem(bpf_map__fd(self->skel->maps.pp_parts), &part);
	unmap_memory(self->parts[part], PART_BYTES);
	self->parts[part] = NULL;
}

int collect__put_process(struct collect *self, const struct pp_proc_id *proc,
			 const struct pp_proc_info *info)
{
	int fd = bpf_map__fd(self->skel->maps.pp_procs);
	struct pp_proc_info row, known;

	if (bpf_map_lookup_elem(fd, proc, &known))
		return -errno;
	row = *info;
	memcpy(row.window, known.window, sizeof(row.window));
	row.asked_ns = known.asked_ns;
	return bpf_map_update_elem(fd, proc, &row, BPF_EXIST) ? -errno : 0;
}

void collect__drop_process(struct collect *self, const struct pp_proc_id *proc)
{
	(void)bpf_map_delete_elem(bpf_map__fd(self->skel->maps.pp_procs),
				  proc); /* -ENOENT: never sampled */
}

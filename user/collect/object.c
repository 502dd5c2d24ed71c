/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of the BPF object: probe, open, knobs, map sizes, load. Nothing is attached here; everything
 * after the load can be switched on and off one source at a time (sources.c).
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/log.h"
#include "pp/base/sysroot.h"

#include "pulseprof.skel.h"

static bool has_helper(enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, helper, NULL) == 1;
}

static int probe_floor(const struct collect *self, const char **ret_why)
{
	_auto_close_ int btf = sysroot__open(self->root, O_RDONLY, "sys/kernel/btf/vmlinux");
	_auto_close_ int ring = -1;

	if (btf < 0) {
		*ret_why =
			"this kernel has no BTF (CONFIG_DEBUG_INFO_BTF); 5.10 with BTF is the floor";
		return -EOPNOTSUPP;
	}
	ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, sysconf(_SC_PAGESIZE), NULL);
	if (ring >= 0)
		return 0;
	if (errno == EPERM) {
		*ret_why = "no permission to load BPF programs: run as root (CAP_BPF, CAP_PERFMON)";
		return -EPERM;
	}
	*ret_why = "this kernel has no BPF ring buffer; 5.10 with BTF is the floor";
	return -EOPNOTSUPP;
}

static void set_knobs(struct collect *self)
{
	struct pulseprof_bpf__rodata *knobs = self->skel->rodata;

	knobs->pp_has_task_btf = has_helper(BPF_FUNC_get_current_task_btf);
	knobs->pp_has_task_regs = knobs->pp_has_task_btf && has_helper(BPF_FUNC_task_pt_regs);
	knobs->pp_hold_rounds = self->tuning.hold_rounds;
	/* Seeded, so that nobody can make stacks that collide. */
	if (getrandom((void *)&knobs->pp_hash_seed, sizeof(knobs->pp_hash_seed), 0) < 0)
		log_warn("collect: no random seed, ignoring: -E%d", errno);
}

static int set_sizes(struct collect *self)
{
	const struct collect_tuning *tuning = &self->tuning;
	struct pulseprof_bpf *skel = self->skel;
	struct bpf_map *counts[] = { skel->maps.pp_counts_0, skel->maps.pp_counts_1 };
	struct bpf_map *stacks[PP_GENERATIONS][CLASS_CNT] = {
		{ skel->maps.pp_small_0, skel->maps.pp_medium_0, skel->maps.pp_large_0 },
		{ skel->maps.pp_small_1, skel->maps.pp_medium_1, skel->maps.pp_large_1 },
	};
	int err = 0;

	for (int g = 0; g < PP_GENERATIONS && !err; g++) {
		if (tuning->count_entries)
			err = bpf_map__set_max_entries(counts[g], tuning->count_entries);
		for (int c = 0; c < CLASS_CNT && tuning->stack_entries && !err; c++)
			err = bpf_map__set_max_entries(
				stacks[g][c], max_of(tuning->stack_entries >> (2 * c), 1u));
	}
	if (tuning->ring_bytes && !err)
		err = bpf_map__set_max_entries(skel->maps.pp_ring, tuning->ring_bytes);
	self->small_entries = bpf_map__max_entries(skel->maps.pp_small_0);
	return err;
}

static void note_maps(struct collect *self)
{
	struct pulseprof_bpf *skel = self->skel;

	self->maps[0] = (struct generation_maps){
		.counts_fd = bpf_map__fd(skel->maps.pp_counts_0),
		.stacks_fd = { bpf_map__fd(skel->maps.pp_small_0),
			       bpf_map__fd(skel->maps.pp_medium_0),
			       bpf_map__fd(skel->maps.pp_large_0) },
	};
	self->maps[1] = (struct generation_maps){
		.counts_fd = bpf_map__fd(skel->maps.pp_counts_1),
		.stacks_fd = { bpf_map__fd(skel->maps.pp_small_1),
			       bpf_map__fd(skel->maps.pp_medium_1),
			       bpf_map__fd(skel->maps.pp_large_1) },
	};
}

/* One sampler of the two is loaded: the other must not even be shown to the verifier. */
static int choose_sampler(struct collect *self)
{
	struct bpf_program *by_tables = self->skel->progs.pp_sample;
	struct bpf_program *by_fp = self->skel->progs.pp_sample_fp;

	self->sampler = self->has_tables ? by_tables : by_fp;
	return bpf_program__set_autoload(self->has_tables ? by_fp : by_tables, false);
}

/* Without the table walk nothing reads these. */
static int leave_out_tables(struct pulseprof_bpf *skel)
{
	struct bpf_map *maps[] = { skel->maps.pp_ranges, skel->maps.pp_dir, skel->maps.pp_rules,
				   skel->maps.pp_rule_cache, skel->maps.pp_parts };
	int err = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !err; i++)
		err = bpf_map__set_autocreate(maps[i], false);
	return err;
}

/* Where the programs in front of it find it. */
static int put_sampler(const struct collect *self)
{
	uint32_t zero = 0;
	int fd = bpf_program__fd(self->sampler);

	return bpf_map_update_elem(bpf_map__fd(self->skel->maps.pp_sampler), &zero, &fd, BPF_ANY) ?
		       -errno :
		       0;
}

static int open_and_load(struct collect *self)
{
	int err;

	self->skel = pulseprof_bpf__open();
	if (!self->skel)
		return -errno;
	set_knobs(self);
	err = set_sizes(self);
	if (!err)
		err = choose_sampler(self);
	if (!err && !self->has_tables)
		err = leave_out_tables(self->skel);
	if (!err)
		err = pulseprof_bpf__load(self->skel);
	if (!err)
		err = put_sampler(self);
	if (!err && self->has_tables)
		err = tables__map(self);
	if (err)
		object__close(self);
	return err;
}

/* Maps are given back to the memory cgroup by a worker of the kernel, after grace periods of RCU. */
static void wait_for_memory(void)
{
	const struct timespec time = { .tv_nsec = 200000000 };

	(void)nanosleep(&time, NULL); /* a signal: tried at once */
}

static int load_again(struct collect *self, int err)
{
	libbpf_said__forget();
	if (err == -ENOMEM)
		wait_for_memory();
	return open_and_load(self);
}

/*
 * The table walk if this kernel takes it, else frame pointers: always some profile. Whatever was refused may
 * have been so for the tables' sake: memory (also -EPERM, where maps count as locked memory, before 5.11).
 */
static int load_best(struct collect *self)
{
	int err;

	self->has_tables = !self->tuning.no_tables;
	err = open_and_load(self);
	if (err && self->has_tables) {
		libbpf_said__log();
		log_warn("collect: the table walk does not load here: %s, frame pointers only",
			 errname(err));
		self->has_tables = false;
		self->tables_err = err;
		err = load_again(self, err);
	}
	return err;
}

int object__load(struct collect *self, const char **ret_why)
{
	int err = probe_floor(self, ret_why);

	if (err)
		return err;
	libbpf_said__begin();
	err = load_best(self);
	if (err) {
		libbpf_said__log();
		*ret_why =
			err == -EPERM ?
				"the kernel refused the BPF programs: permission or lockdown" :
			err == -ENOMEM ?
				"no memory for the BPF maps: the memory cgroup's limit is too low" :
				"the kernel's verifier refused the BPF programs";
	} else {
		note_maps(self);
	}
	libbpf_said__end();
	/* What the verifier could not take is an inability of this kernel, not a failure of the run. */
	return err && err != -EPERM && err != -ENOMEM ? -EOPNOTSUPP : err;
}

void object__close(struct collect *self)
{
	uint32_t zero = 0;

	/* else a worker of the kernel does it some ms later, and until then the sampler stays */
	if (self->skel)
		(void)bpf_map_delete_elem(bpf_map__fd(self->skel->maps.pp_sampler), &zero);
	tables__unmap(self);
	pulseprof_bpf__destroy(self->skel);
	self->skel = NULL;
}

struct pp_run *object__run(struct collect *self)
{
	return &self->skel->bss->pp_run;
}

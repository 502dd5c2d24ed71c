/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the verifier and the JIT of this kernel make of our programs, one line each: name, instructions
 * verified (of at most a million), bytes of machine code, milliseconds to verify, with tables (1) or frame
 * pointers only (0). Loaded as collect loads them, with the same knobs. The verifier prints its counts for
 * log level 4 from 5.2 on; bpf_prog_info has them from 5.16 on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "pp/abi.h"

#include "pulseprof.skel.h"

#define LOG_STATS 4
#define LOG_BYTES (1u << 16)
#define PROGS_MAX 16

static bool has_helper(enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, helper, NULL) == 1;
}

/* The number behind a word of the verifier's last lines, or -1. */
static long number_behind(const char *log, const char *word)
{
	const char *at = strstr(log, word), *next;

	if (!at)
		return -1;
	while ((next = strstr(at + 1, word)))
		at = next;
	return strtol(at + strlen(word), NULL, 10);
}

static void print_prog(const struct bpf_program *prog, const char *log, int tables)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
		info.jited_prog_len = 0;
	printf("%s %ld %u %.1f %d\n", bpf_program__name(prog), number_behind(log, "processed "),
	       info.jited_prog_len, (double)number_behind(log, "verification time ") / 1e3, tables);
}

static int measure(int tables)
{
	struct pulseprof_bpf *skel = pulseprof_bpf__open();
	struct bpf_program *prog;
	char *logs[PROGS_MAX] = { 0 };
	int err, cnt = 0;

	if (!skel)
		return -errno;
	bpf_program__set_autoload(tables ? skel->progs.pp_sample_fp : skel->progs.pp_sample, false);
	skel->rodata->pp_has_task_btf = has_helper(BPF_FUNC_get_current_task_btf);
	skel->rodata->pp_has_task_regs = skel->rodata->pp_has_task_btf &&
					 has_helper(BPF_FUNC_task_pt_regs);
	bpf_object__for_each_program(prog, skel->obj) {
		if (cnt == PROGS_MAX)
			return -E2BIG;
		logs[cnt] = calloc(1, LOG_BYTES);
		if (!logs[cnt])
			return -ENOMEM;
		bpf_program__set_log_level(prog, LOG_STATS);
		bpf_program__set_log_buf(prog, logs[cnt++], LOG_BYTES);
	}
	err = pulseprof_bpf__load(skel);
	cnt = 0;
	bpf_object__for_each_program(prog, skel->obj) {
		if (!err && bpf_program__autoload(prog))
			print_prog(prog, logs[cnt], tables);
		else if (err && *logs[cnt])
			fprintf(stderr, "%s\n", logs[cnt]);
		free(logs[cnt++]);
	}
	pulseprof_bpf__destroy(skel);
	return err;
}

int main(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int failed = 0;

	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* maps are charged to it up to 5.10 */
	libbpf_set_print(NULL);
	for (int tables = 1; tables >= 0; tables--) {
		int err = measure(tables);

		if (err) {
			fprintf(stderr, "does not load with tables %d: %s\n", tables,
				strerror(-err));
			failed = 1;
		}
	}
	return failed;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Samples the whole host with bcc_shape.bpf.c: bcc_shape HZ MS. Then prints the number of samples and of
 * distinct keys, to show that it did its work. Its cost is read from outside, by prog_cost.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bcc_shape.skel.h"

struct key {
	unsigned pid;
	int ids[2];
	char comm[16];
};

static int attach_cpu(struct bpf_program *prog, int cpu, unsigned long hz)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = hz,
		.freq = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd >= 0 && bpf_program__attach_perf_event(prog, fd) ? 0 : -1;
}

int main(int argc, char **argv)
{
	unsigned long hz = argc > 1 ? strtoul(argv[1], NULL, 10) : 999;
	unsigned long ms = argc > 2 ? strtoul(argv[2], NULL, 10) : 5000;
	struct timespec time = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
	struct bcc_shape_bpf *skel = bcc_shape_bpf__open_and_load();
	unsigned long samples = 0, keys = 0, cnt;
	struct key key, next, *prev = NULL;
	int fd;

	if (!skel)
		return 1;
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		if (attach_cpu(skel->progs.bcc_shape, cpu, hz))
			return 1;
	nanosleep(&time, NULL);
	fd = bpf_map__fd(skel->maps.bcc_counts);
	while (!bpf_map_get_next_key(fd, prev, &next)) {
		if (!bpf_map_lookup_elem(fd, &next, &cnt))
			samples += cnt;
		keys++;
		key = next;
		prev = &key;
	}
	printf("samples=%lu keys=%lu\n", samples, keys);
	return 0;
}

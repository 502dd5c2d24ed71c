/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel says a BPF program costs: prog_cost NAME SETTLE_MS WINDOW_MS. Waits for a program of
 * that name to run, lets it settle, and prints ns per run and runs over the window. The kernel's
 * statistics are on only as long as this process lives (BPF_ENABLE_STATS): no sysctl is changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define WAIT_MS 10000
#define POLL_MS 20

static void sleep_ms(unsigned long ms)
{
	struct timespec time = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	nanosleep(&time, NULL);
}

static int read_info(int fd, struct bpf_prog_info *ret_info)
{
	__u32 len = sizeof(*ret_info);

	memset(ret_info, 0, sizeof(*ret_info));
	return bpf_obj_get_info_by_fd(fd, ret_info, &len);
}

/* A descriptor of the program with this name that has run since the statistics are on, or -1. */
static int find_running(const char *name)
{
	struct bpf_prog_info info;
	__u32 id = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!read_info(fd, &info) && !strcmp(info.name, name) && info.run_cnt)
			return fd;
		close(fd);
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct bpf_prog_info before, after;
	int stats, fd = -1;

	if (argc != 4)
		return 2;
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats < 0) {
		perror("bpf_enable_stats");
		return 1;
	}
	for (int waited = 0; fd < 0 && waited < WAIT_MS; waited += POLL_MS) {
		sleep_ms(POLL_MS);
		fd = find_running(argv[1]);
	}
	if (fd < 0) {
		fprintf(stderr, "prog_cost: no program '%s' runs\n", argv[1]);
		return 1;
	}
	sleep_ms(strtoul(argv[2], NULL, 10));
	if (read_info(fd, &before))
		return 1;
	sleep_ms(strtoul(argv[3], NULL, 10));
	if (read_info(fd, &after) || after.run_cnt == before.run_cnt)
		return 1;
	printf("%.1f %llu\n",
	       (double)(after.run_time_ns - before.run_time_ns) /
		       (double)(after.run_cnt - before.run_cnt),
	       (unsigned long long)(after.run_cnt - before.run_cnt));
	return 0;
}

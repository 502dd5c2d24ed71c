/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel says a BPF program costs: prog_cost PID NAME SETTLE_MS WINDOW_MS. Waits until the program
 * of that name which process PID holds runs, lets it settle, and prints the ns per run of the median 50 ms
 * of the window (a hypervisor that takes the CPU away for a while spoils a few slices, not the result) and
 * the runs in all of it. The kernel's statistics are on only as long as this process lives
 * (BPF_ENABLE_STATS): no sysctl is changed.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define WAIT_MS	   10000
#define POLL_MS	   20
#define SLICE_MS   50
#define SLICES_MAX 1000

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

/* The id of a BPF program behind a descriptor of a process, or 0. */
static __u32 program_id(const char *pid, const char *fd)
{
	char path[320], line[128];
	unsigned id = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (!id && fgets(line, sizeof(line), file))
		(void)sscanf(line, "prog_id: %u", &id);
	fclose(file);
	return id;
}

/* A descriptor of that program, if it has run since the statistics are on, or -1. */
static int open_running(__u32 id, const char *name)
{
	struct bpf_prog_info info;
	int fd = id ? bpf_prog_get_fd_by_id(id) : -1;

	if (fd < 0)
		return -1;
	if (!read_info(fd, &info) && !strcmp(info.name, name) && info.run_cnt)
		return fd;
	close(fd);
	return -1;
}

static int find_running(const char *pid, const char *name)
{
	char path[64];
	struct dirent *entry;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo", pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (fd < 0 && (entry = readdir(dir)))
		fd = open_running(program_id(pid, entry->d_name), name);
	closedir(dir);
	return fd;
}

static int compare_costs(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* ns per run in each slice of time in which there was one. */
static size_t measure(int fd, unsigned long slice_cnt, double *costs, unsigned long long *ret_runs)
{
	struct bpf_prog_info before, after;
	size_t cnt = 0;

	if (read_info(fd, &before))
		return 0;
	for (unsigned long i = 0; i < slice_cnt && cnt < SLICES_MAX; i++) {
		unsigned long long runs;

		sleep_ms(SLICE_MS);
		if (read_info(fd, &after))
			break;
		runs = after.run_cnt - before.run_cnt;
		if (runs)
			costs[cnt++] =
				(double)(after.run_time_ns - before.run_time_ns) / (double)runs;
		*ret_runs += runs;
		before = after;
	}
	return cnt;
}

int main(int argc, char **argv)
{
	double costs[SLICES_MAX];
	unsigned long long runs = 0;
	size_t slices;
	int stats, fd = -1;

	if (argc != 5)
		return 2;
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats < 0) {
		perror("bpf_enable_stats");
		return 1;
	}
	for (int waited = 0; fd < 0 && waited < WAIT_MS; waited += POLL_MS) {
		sleep_ms(POLL_MS);
		fd = find_running(argv[1], argv[2]);
	}
	if (fd < 0) {
		fprintf(stderr, "prog_cost: no program '%s' runs\n", argv[2]);
		return 1;
	}
	sleep_ms(strtoul(argv[3], NULL, 10));
	slices = measure(fd, strtoul(argv[4], NULL, 10) / SLICE_MS, costs, &runs);
	if (!slices)
		return 1;
	qsort(costs, slices, sizeof(*costs), compare_costs);
	printf("%.1f %llu\n", costs[slices / 2], runs);
	return 0;
}

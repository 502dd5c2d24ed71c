/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which CPUs are online, from the kernel's list format "0-3,8,10-11". Not CPU features or topology.
 */
#include "pp/perf.h"

#include <errno.h>
#include <stdlib.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

static int parse_num(const char **text, long *ret_num)
{
	char *end;
	long num;

	errno = 0;
	num = strtol(*text, &end, 10);
	if (end == *text || errno || num < 0 || num >= PERF_CPUS_MAX)
		return -EBADMSG;
	*text = end;
	*ret_num = num;
	return 0;
}

static int parse_list(const char *text, int *cpus, uint32_t *ret_cnt)
{
	uint32_t cnt = 0;

	while (*text) {
		long first, last;
		int err = parse_num(&text, &first);

		if (err)
			return err;
		last = first;
		if (*text == '-') {
			text++;
			err = parse_num(&text, &last);
			if (err)
				return err;
		}
		for (; first <= last; first++) {
			if (cnt == PERF_CPUS_MAX)
				return -E2BIG;
			cpus[cnt++] = first;
		}
		if (*text == ',')
			text++;
		else if (*text)
			return -EBADMSG;
	}
	if (!cnt)
		return -EBADMSG;
	*ret_cnt = cnt;
	return 0;
}

int perf_cpus__online(const struct sysroot *root, int **ret_cpus, uint32_t *ret_cnt)
{
	_auto_free_ int *cpus = calloc(PERF_CPUS_MAX, sizeof(*cpus));
	char text[4096];
	int err;

	if (!cpus)
		return -ENOMEM;
	err = sysroot__line(root, text, sizeof(text), "sys/devices/system/cpu/online");
	if (err)
		return err;
	err = parse_list(text, cpus, ret_cnt);
	if (!err)
		*ret_cpus = take_ptr(cpus);
	return err;
}

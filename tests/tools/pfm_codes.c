/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What libpfm4 encodes: pfm_codes PMU lists each event with each unit mask, "CONFIG NAME" a line; names on stdin without
 * arguments: "CONFIG NAME" for each. Needs LIBPFM_ENCODE_INACTIVE=1, so that CPUs count that are not this one.
 */
#include <perfmon/pfmlib_perf_event.h>
#include <stdio.h>
#include <string.h>

static void print_code(const char *name)
{
	struct perf_event_attr attr = { 0 };
	pfm_perf_encode_arg_t arg = { .attr = &attr, .size = sizeof(arg) };

	if (pfm_get_os_event_encoding(name, PFM_PLM0 | PFM_PLM3, PFM_OS_PERF_EVENT, &arg) ==
	    PFM_SUCCESS)
		printf("0x%llx %s\n", (unsigned long long)attr.config, name);
}

static void list(const char *pmu_name)
{
	pfm_pmu_info_t pmu;
	pfm_pmu_t id;
	char name[512];

	for (id = 0; id < PFM_PMU_MAX; id++) {
		memset(&pmu, 0, sizeof(pmu));
		pmu.size = sizeof(pmu);
		if (pfm_get_pmu_info(id, &pmu) == PFM_SUCCESS && !strcmp(pmu.name, pmu_name))
			break;
	}
	if (id == PFM_PMU_MAX)
		return;
	for (int i = pmu.first_event; i != -1; i = pfm_get_event_next(i)) {
		pfm_event_info_t event = { .size = sizeof(event) };

		if (pfm_get_event_info(i, PFM_OS_NONE, &event) != PFM_SUCCESS)
			continue;
		snprintf(name, sizeof(name), "%s::%s", pmu_name, event.name);
		print_code(name);
		for (int a = 0; a < event.nattrs; a++) {
			pfm_event_attr_info_t attr = { .size = sizeof(attr) };

			if (pfm_get_event_attr_info(i, a, PFM_OS_NONE, &attr) != PFM_SUCCESS ||
			    attr.type != PFM_ATTR_UMASK)
				continue;
			snprintf(name, sizeof(name), "%s::%s:%s", pmu_name, event.name, attr.name);
			print_code(name);
		}
	}
}

int main(int argc, char **argv)
{
	char line[512];

	if (pfm_initialize() != PFM_SUCCESS)
		return 1;
	if (argc > 1) {
		list(argv[1]);
		return 0;
	}
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		print_code(line);
	}
	return 0;
}

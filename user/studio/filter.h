/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_FILTER_H
#define PP_STUDIO_FILTER_H
/*
 * The query of host_status and workload_status: which rows, and which page of them. A key may come several
 * times: one of its values must fit; all keys must. One block of memory: free().
 */
#include <stdbool.h>
#include <stdint.h>

struct check;
struct httpd_call;

enum filter_field {
	FILTER_SERVICE,
	FILTER_HOSTNAME,
	FILTER_ADDRESS,
	FILTER_NAMESPACE,
	FILTER_WORKLOAD,
	FILTER_POD,
	FILTER_CONTAINER,
	FILTER_PROCESS,
	FILTER_STATUS,
	FILTER_TYPE,
	FILTER_PIDS,
	FILTER_FIELDS
};
#define FILTER_TERMS_MAX 256
#define FILTER_TERM_MAX	 256 /* bytes */

struct filter {
	const char *
		texts[FILTER_FIELDS]; /* JSON arrays: texts as they came, PIDs as numbers; NULL: any */
	uint32_t limit, offset;
	bool is_exact; /* the service's name as it is */
	bool wants_list; /* variant=intel */
	bool has_offline; /* also hosts that have not been seen for a while */
	char scope[16];
	char data[]; /* what texts points to */
};
/* limit: where the query names none. Faults of the query go to check. -ENOMEM. */
int filter__new(struct httpd_call *call, uint32_t limit, struct check *check,
		struct filter **ret_filter);

#endif

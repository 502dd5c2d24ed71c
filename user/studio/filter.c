/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads the query of host_status and workload_status. What fits it is the store's (workloads.sql): names in
 * part, whatever the case of letters; words as they are. Knows nothing of hosts.
 */
#include "filter.h"
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OFFSET_MAX 100000000

static const char *const names[FILTER_FIELDS] = {
	[FILTER_SERVICE] = "service_name",
	[FILTER_HOSTNAME] = "hostname",
	[FILTER_ADDRESS] = "ip_address",
	[FILTER_NAMESPACE] = "namespace",
	[FILTER_WORKLOAD] = "workload_name",
	[FILTER_POD] = "pod_name",
	[FILTER_CONTAINER] = "container_name",
	[FILTER_PROCESS] = "process_name",
	[FILTER_STATUS] = "profiling_status",
	[FILTER_TYPE] = "command_type",
	[FILTER_PIDS] = "pids",
};

/* The query while it is read. */
struct words {
	struct check *check;
	struct filter plain; /* but for texts */
	struct json_object *values[FILTER_FIELDS];
	uint32_t term_cnt;
};

static void words__add_term(struct words *self, enum filter_field field, const char *value)
{
	struct check *check = self->check;
	struct json_object *loc;
	int64_t number = 0;

	if (field == FILTER_PIDS && !text_whole(value, &number)) {
		loc = check_loc("query", names[field]);
		(void)json__add_int(loc, NULL, (int64_t)json__len(self->values[field]));
		check__fail_at(check, loc, "type_error.integer", "value is not a valid integer");
		return;
	}
	if (self->term_cnt++ == FILTER_TERMS_MAX || strlen(value) > FILTER_TERM_MAX) {
		check__fail_at(check, check_loc("query", names[field]), "value_error",
			       "too much to look for");
		return;
	}
	if (!self->values[field])
		self->values[field] = json__new_array();
	if (field == FILTER_PIDS)
		(void)json__add_int(self->values[field], NULL, number);
	else
		(void)json__add_str(self->values[field], NULL, value);
}

static uint32_t read_number(const char *name, const char *value, uint32_t fallback,
			    struct check *check)
{
	int64_t number;

	if (text_whole(value, &number) && number >= 0 && number <= OFFSET_MAX)
		return (uint32_t)number;
	check__fail_at(check, check_loc("query", name), "type_error.integer",
		       "value is not a valid integer of 0 or more");
	return fallback;
}

static bool is_yes(const char *value)
{
	return !strcasecmp(value, "true") || !strcmp(value, "1");
}

static int words__add(void *arg, const char *name, const char *value)
{
	struct words *self = arg;
	struct filter *plain = &self->plain;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]) && *value)
			words__add_term(self, (enum filter_field)i, value);
	if (!strcmp(name, "exact_match"))
		plain->is_exact = is_yes(value);
	else if (!strcmp(name, "variant"))
		plain->wants_list = !strcmp(value, "intel");
	else if (!strcmp(name, "offline"))
		plain->has_offline = is_yes(value);
	else if (!strcmp(name, "scope"))
		snprintf(plain->scope, sizeof(plain->scope), "%s", value);
	else if (!strcmp(name, "limit"))
		plain->limit = read_number(name, value, 0, self->check);
	else if (!strcmp(name, "offset"))
		plain->offset = read_number(name, value, 0, self->check);
	return 0;
}

static int words__flatten(const struct words *self, struct filter **ret_filter)
{
	struct buf text _auto_buf_ = { 0 };
	size_t offs[FILTER_FIELDS], i;
	struct filter *filter;
	int err = 0;

	buf__init(&text, 2 * FILTER_TERMS_MAX * 6 * FILTER_TERM_MAX);
	for (i = 0; !err && i < FILTER_FIELDS; i++) {
		offs[i] = text.len;
		if (self->values[i])
			err = json__print(self->values[i], false, &text);
		buf__putc(&text, '\0');
	}
	filter = err || text.err ? NULL : calloc(1, sizeof(*filter) + text.len);
	if (!filter)
		return err ? err : -ENOMEM;
	*filter = self->plain;
	memcpy(filter->data, text.data, text.len);
	for (i = 0; i < FILTER_FIELDS; i++)
		if (self->values[i])
			filter->texts[i] = filter->data + offs[i];
	*ret_filter = filter;
	return 0;
}

int filter__new(struct httpd_call *call, uint32_t limit, struct check *check,
		struct filter **ret_filter)
{
	struct words words = { .check = check, .plain.limit = limit };
	size_t i;
	int err;

	(void)httpd_call__each_query(call, words__add, &words);
	err = words__flatten(&words, ret_filter);
	for (i = 0; i < FILTER_FIELDS; i++)
		json__put(words.values[i]);
	return err;
}

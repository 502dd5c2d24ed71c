/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flame graph page: one file that needs nothing else, opened from a disk or a sandbox. The profile
 * is in it as data (JSON in an element that no browser runs); names reach the page only as text nodes.
 * What the page shows and how stands in assets/flame_page.*; here it is put together.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/compress.h"
#include "pp/base/err.h"
#include "pp/base/intern.h"
#include "pp/base/json.h"
#include "pp/encode.h"
#include "pp/profile.h"

/* A browser handles these with ease; the page says how many lighter ones it leaves out. */
#define NODES_MAX     200000
#define PROCESSES_MAX 100
/* A page of fewer shows nothing. */
#define NODES_MIN 32
/* The indexer gives up a file whose first line, the page in it, is longer than 25 MiB. */
#define QUOTED_BYTES_MAX (16u << 20)

extern const char pp_asset_flame_page_html[];
extern const char pp_asset_flame_page_css[];
extern const char pp_asset_flame_page_js[];
extern const char pp_asset_d3_flame_graph_min_js[];

static void write_text(struct buf *out, const char *text, size_t len)
{
	_auto_buf_ struct buf visible;

	buf__init(&visible, ENCODE_SCRATCH_BYTES);
	visible_text__append(&visible, text, len);
	if (visible.err)
		out->err = visible.err;
	else
		json_quote__append(out, visible.data ? visible.data : "", visible.len);
}

static void write_string(struct buf *out, const struct profile *profile, uint32_t id)
{
	write_text(out, intern__str(profile->strings, id), intern__len(profile->strings, id));
}

static int write_summary(struct buf *out, const struct profile *profile)
{
	_auto_json_ struct json_object *summary = NULL;
	int err = encode__summary(profile, &summary);

	if (err)
		return err;
	buf__puts(out, "\"summary\":");
	return json__print(summary, false, out);
}

static void write_run(struct buf *out, const struct profile *profile)
{
	const struct profile_meta *meta = &profile->meta;
	char time[CLOCK_TEXT_BYTES];

	buf__puts(out, ",\"run\":{\"host\":");
	write_string(out, profile, meta->hostname);
	buf__puts(out, ",\"event\":");
	write_string(out, profile, meta->event);
	buf__printf(out, ",\"start\":\"%s\"", clock_utc_text(meta->start_real_ns, time));
	buf__printf(out, ",\"end\":\"%s\"", clock_utc_text(meta->end_real_ns, time));
	buf__printf(out, ",\"cpus\":%" PRIu32 ",\"interrupted\":%s,\"busy_pct\":", meta->cpu_cnt,
		    meta->interrupted ? "true" : "false");
	if (meta->busy_pct < 0)
		buf__puts(out, "null}");
	else
		buf__printf(out, "%.1f}", meta->busy_pct);
}

static int compare_processes(const void *a, const void *b, void *processes)
{
	const struct profile_process *x = (struct profile_process *)processes + *(uint32_t *)a;
	const struct profile_process *y = (struct profile_process *)processes + *(uint32_t *)b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	/* A pid may live several times, also by exec. */
	if (x->start_boottime_ns != y->start_boottime_ns)
		return x->start_boottime_ns < y->start_boottime_ns ? -1 : 1;
	return (x->exec_id > y->exec_id) - (x->exec_id < y->exec_id);
}

/* The heaviest processes, heaviest first. */
static int write_processes(struct buf *out, const struct profile *profile)
{
	_auto_free_ uint32_t *order = calloc((size_t)profile->process_cnt + 1, sizeof(*order));
	uint32_t cnt = min_of(profile->process_cnt, (uint32_t)PROCESSES_MAX);

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->process_cnt; i++)
		order[i] = i;
	qsort_r(order, profile->process_cnt, sizeof(*order), compare_processes, profile->processes);
	buf__puts(out, ",\"processes\":[");
	for (uint32_t i = 0; i < cnt; i++) {
		const struct profile_process *process = &profile->processes[order[i]];

		buf__printf(out, "%s[%" PRIu32 ",", i ? "," : "", process->pid);
		write_string(out, profile, process->name);
		buf__putc(out, ',');
		write_string(out, profile, process->container);
		buf__printf(out, ",%" PRIu64 "]", process->weight);
	}
	return buf__putc(out, ']');
}

/* Where the box's text ends, its kind stands and its module's number begins. */
static const char *mark_of(const char *name)
{
	const char *mark = strchr(name, '\x01');

	pp_assert(mark && mark[1] && mark[2] == '\x01');
	return mark;
}

/* Those of boxes that are left out keep their place, without their path. */
static int write_modules(struct buf *out, const struct profile *profile,
			 const struct flame_tree *tree)
{
	_auto_free_ bool *is_used = calloc((size_t)profile->module_cnt + 1, sizeof(*is_used));

	if (!is_used)
		return -ENOMEM;
	for (uint32_t i = 1; i < intern__cnt(tree->names); i++) {
		unsigned long module = strtoul(mark_of(intern__str(tree->names, i)) + 3, NULL, 10);

		pp_assert(module <= profile->module_cnt);
		is_used[module] = true;
	}
	buf__puts(out, ",\"modules\":[");
	for (uint32_t i = 0; i < profile->module_cnt; i++) {
		if (i)
			buf__putc(out, ',');
		write_string(out, profile, is_used[i] ? profile->modules[i].path : 0);
	}
	return buf__putc(out, ']');
}

/* names: [text, kind, module] each; nodes: name, number of children, value each, in preorder. */
static void write_tree(struct buf *out, const struct flame_tree *tree)
{
	uint32_t name_cnt = intern__cnt(tree->names);

	buf__puts(out, ",\"names\":[[\"\",\"u\",0]");
	for (uint32_t i = 1; i < name_cnt; i++) {
		const char *name = intern__str(tree->names, i);
		const char *mark = mark_of(name);

		buf__puts(out, ",[");
		json_quote__append(out, name, mark - name);
		buf__printf(out, ",\"%c\",%s]", mark[1], mark + 3);
	}
	buf__puts(out, "],\"nodes\":[");
	for (uint32_t i = 0; i < tree->node_cnt; i++)
		buf__printf(out, "%s%" PRIu32 ",%" PRIu32 ",%" PRIu64, i ? "," : "",
			    tree->nodes[i].name, tree->nodes[i].child_cnt, tree->nodes[i].value);
	buf__printf(out, "],\"hidden\":{\"nodes\":%" PRIu32 ",\"below\":%" PRIu64 "}}",
		    tree->hidden_cnt, tree->min_value);
}

static int make_data(const struct profile *profile, uint32_t node_max, struct buf *out,
		     uint32_t *ret_nodes)
{
	__cleanup(flame_tree__clear) struct flame_tree tree = { 0 };
	int err = flame_tree__build(&tree, profile, node_max);

	if (err)
		return err;
	buf__putc(out, '{');
	err = write_summary(out, profile);
	if (err)
		return err;
	write_run(out, profile);
	err = write_processes(out, profile);
	if (err)
		return err;
	err = write_modules(out, profile, &tree);
	if (err)
		return err;
	write_tree(out, &tree);
	*ret_nodes = tree.node_cnt;
	return out->err;
}

/* What stands in the template in place of "@NAME@". */
static int write_part(struct buf *out, const struct buf *data, const char *name, size_t len)
{
	const struct {
		const char *name;
		const char *text;
	} parts[] = {
		{ "STYLE", pp_asset_flame_page_css },
		{ "LIBRARY", pp_asset_d3_flame_graph_min_js },
		{ "SCRIPT", pp_asset_flame_page_js },
	};

	if (len == strlen("DATA") && !memcmp(name, "DATA", len))
		return json_in_html__append(out, data->data, data->len);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (len == strlen(parts[i].name) && !memcmp(name, parts[i].name, len))
			return buf__puts(out, parts[i].text);
	}
	pp_assert(!"a part of the page's template has no text");
	return 0;
}

static int make_page(const struct profile *profile, uint32_t node_max, struct buf *out,
		     uint32_t *ret_nodes)
{
	const char *rest = pp_asset_flame_page_html;
	_auto_buf_ struct buf data;
	int err;

	buf__init(&data, ENCODE_SCRATCH_BYTES);
	err = make_data(profile, node_max, &data, ret_nodes);
	if (err)
		return err;
	for (;;) {
		const char *open = strchr(rest, '@');
		const char *close = open ? strchr(open + 1, '@') : NULL;

		if (!close)
			return buf__puts(out, rest);
		buf__append(out, rest, open - rest);
		err = write_part(out, &data, open + 1, close - open - 1);
		if (err)
			return err;
		rest = close + 1;
	}
}

int encode__html(const struct profile *profile, struct buf *out)
{
	uint32_t nodes;

	return make_page(profile, NODES_MAX, out, &nodes);
}

/* What the page adds to an upload: a JSON string in a JSON string, compressed. */
static int find_sent_bytes(const struct buf *page, size_t *ret_bytes)
{
	_auto_buf_ struct buf once, twice, packed;
	int err;

	buf__init(&once, QUOTED_BYTES_MAX);
	buf__init(&twice, ENCODE_SCRATCH_BYTES);
	buf__init(&packed, ENCODE_SCRATCH_BYTES);
	err = json_quote__append(&once, page->data, page->len);
	if (!err)
		err = json_quote__append(&twice, once.data, once.len);
	if (!err)
		err = gzip__pack(twice.data, twice.len, 6, &packed);
	*ret_bytes = packed.len;
	return err;
}

int encode__html_within(const struct profile *profile, size_t max_bytes, struct buf *out)
{
	uint32_t node_max = NODES_MAX, nodes;

	for (;;) {
		_auto_buf_ struct buf page;
		size_t bytes;
		int err;

		buf__init(&page, ENCODE_SCRATCH_BYTES);
		err = make_page(profile, node_max, &page, &nodes);
		if (err)
			return err;
		err = find_sent_bytes(&page, &bytes);
		if (!err && bytes <= max_bytes)
			return buf__append(out, page.data, page.len);
		if (err && err != -E2BIG)
			return err;
		if (nodes < NODES_MIN)
			return -E2BIG;
		/* By what it is too large, and a little more; at least halved where that is not known. */
		node_max =
			err ? nodes / 2 :
			      min_of((uint64_t)nodes * max_bytes / bytes * 9 / 10, nodes / 10 * 9);
	}
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof prog|map|link list: what is ours in the kernel, whoever loaded it, under the names that
 * bpftool shows too. Programs count and time themselves.
 */
#include <errno.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/collect.h"

static int add_prog(struct json_object *row, const struct collect_object *object)
{
	int err = json__add_bool(row, "attached", object->attached);

	if (!err)
		err = json__add_u64(row, "runs", object->runs);
	if (!err)
		err = json__add_u64(row, "ns", object->ns);
	if (!err)
		err = json__add_u64(row, "bytes", object->bytes);
	return err;
}

static int add_map(struct json_object *row, const struct collect_object *object)
{
	int err = json__add_u64(row, "entries_max", object->entries_max);

	return err ? err : json__add_u64(row, "bytes", object->bytes);
}

static int add_link(struct json_object *row, const struct collect_object *object)
{
	return json__add_u64(row, "prog_id", object->prog_id);
}

struct listing {
	struct json_object *rows;
	int (*add)(struct json_object *row, const struct collect_object *object);
};

static int add_object(void *arg, const struct collect_object *object)
{
	struct listing *listing = arg;
	struct json_object *row = json__new_object();
	int err = json__add_u64(row, "id", object->id);

	if (!err)
		err = json__add_str(row, "name", object->name);
	if (!err)
		err = json__add_str(row, "type", object->type);
	if (!err)
		err = listing->add(row, object);
	if (err) {
		json__put(row);
		return err;
	}
	return json__add(listing->rows, NULL, row);
}

static int list(struct cli *cli, int argc, char **argv, enum collect_object_kind kind,
		struct listing *listing, const struct view_column *columns, uint32_t column_cnt)
{
	_auto_json_ struct json_object *rows = NULL;
	int err;

	if (argc)
		return cli__usage(cli, "unexpected word '%s'", argv[0]);
	rows = json__new_array();
	if (!rows)
		return cli__fail(cli, CLI_FAILED, -ENOMEM, NULL, "out of memory");
	listing->rows = rows;
	err = collect_objects__each(&cli->root, kind, add_object, listing);
	if (err)
		return cli__fail(cli, cli__code_of(err), err,
				 err == -EPERM ? "it needs root, or CAP_SYS_ADMIN" : NULL,
				 "the kernel does not list its BPF objects (%s)", errname(err));
	return view__print_rows(cli, rows, columns, column_cnt);
}

int cmd_prog_list(struct cli *cli, int argc, char **argv)
{
	static const struct view_column columns[] = {
		{ "id", false },   { "name", false }, { "type", false },  { "attached", false },
		{ "runs", false }, { "ns", false },   { "bytes", false },
	};
	struct listing listing = { .add = add_prog };

	return list(cli, argc, argv, COLLECT_PROG, &listing, columns, ARRAY_SIZE(columns));
}

int cmd_map_list(struct cli *cli, int argc, char **argv)
{
	static const struct view_column columns[] = {
		{ "id", false },	  { "name", false },  { "type", false },
		{ "entries_max", false }, { "bytes", false },
	};
	struct listing listing = { .add = add_map };

	return list(cli, argc, argv, COLLECT_MAP, &listing, columns, ARRAY_SIZE(columns));
}

int cmd_link_list(struct cli *cli, int argc, char **argv)
{
	static const struct view_column columns[] = {
		{ "id", false },
		{ "name", false },
		{ "type", false },
		{ "prog_id", false },
	};
	struct listing listing = { .add = add_link };

	return list(cli, argc, argv, COLLECT_LINK, &listing, columns, ARRAY_SIZE(columns));
}

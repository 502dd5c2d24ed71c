/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof feature probe: what this kernel and these permissions allow, what each missing thing costs
 * and how to change it. What is asked and how is known to collect.
 */
#include <errno.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/collect.h"

static int add_feature(struct json_object *rows, const struct collect_feature *feature)
{
	struct json_object *row = json__new_object();
	int err = json__add_str(row, "name", feature->name);

	if (!err)
		err = json__add_bool(row, "available", feature->available);
	if (!err)
		err = json__add_str(row, "detail", feature->detail);
	/* What is there costs nothing and needs no remedy. */
	if (!err)
		err = json__add_str(row, "cost",
				    feature->available || !feature->cost ? "" : feature->cost);
	if (!err)
		err = json__add_str(row, "remedy",
				    feature->available || !feature->remedy ? "" : feature->remedy);
	if (err) {
		json__put(row);
		return err;
	}
	return json__add(rows, NULL, row);
}

int cmd_feature_probe(struct cli *cli, int argc, char **argv)
{
	static const struct view_column columns[] = {
		{ "name", false }, { "available", false }, { "detail", false },
		{ "cost", true },  { "remedy", true },
	};
	_auto_json_ struct json_object *rows = NULL;
	struct collect_feature features[COLLECT_FEATURES_MAX];
	uint32_t cnt = 0;
	int err;

	if (argc)
		return cli__usage(cli, "unexpected word '%s'", argv[0]);
	err = collect_features__probe(&cli->root, features, &cnt);
	if (err)
		return cli__fail(cli, CLI_FAILED, err, NULL, "features cannot be probed (%s)",
				 errname(err));
	rows = json__new_array();
	for (uint32_t i = 0; i < cnt && !err; i++)
		err = add_feature(rows, &features[i]);
	if (err || !rows)
		return cli__fail(cli, CLI_FAILED, -ENOMEM, NULL, "out of memory");
	return view__print_rows(cli, rows, columns, ARRAY_SIZE(columns));
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers of a server: JSON text, and the wish in a start command. What parses prints as JSON that
 * parses again; an accepted wish is in range and comes back equal through its canonical form.
 */
#include <stddef.h>
#include <stdint.h>

#include "pp/base/buf.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_wish(const struct json_object *config)
{
	_auto_json_ struct json_object *json = NULL;
	struct session_spec defaults, spec, back;

	session_spec__init(&defaults);
	if (session_spec__from_config(config, &defaults, &spec, NULL))
		return;
	pp_assert(spec.rate_hz >= SPEC_RATE_MIN_HZ && spec.rate_hz <= SPEC_RATE_MAX_HZ);
	pp_assert(spec.duration_s >= 1 && spec.duration_s <= SPEC_DURATION_MAX_S);
	pp_assert(session_spec__to_json(&spec, &json) == 0);
	pp_assert(session_spec__from_json(json, &back, NULL) == 0);
	pp_assert(session_spec__equal(&spec, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_auto_json_ struct json_object *json = NULL, *again = NULL;
	_auto_buf_ struct buf text = { .max_bytes = 16 << 20 };

	if (json__parse((const char *)data, len, &json))
		return 0;
	pp_assert(json__print(json, false, &text) == 0);
	pp_assert(json__parse(text.data, text.len, &again) == 0);
	check_wish(json);
	return 0;
}

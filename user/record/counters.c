/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counters beside the samples of a run that wants them: begun with it, read at the end of each window, so that the
 * figures are those of the profile that they travel with. A run goes on without them where they cannot be had.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/counter_window.h"

#define COST_MAX_PERCENT 1
#define SCOPES_MAX	 16 /* of a kind in an upload */
#define TEXT_BYTES_MAX	 (2u << 20)

struct run_counters {
	struct counter_set set;
	struct counter_run *run;
};

void run_counters__begin(const struct sysroot *root, struct run_counters **ret_counters)
{
	struct run_counters *self = calloc(1, sizeof(*self));
	const char *why = "";
	int err = self ? counter_set__default(root, &self->set) : -ENOMEM;

	if (!err)
		err = counter_run__start(root, &self->set, 0, COST_MAX_PERCENT, &self->run, &why);
	if (!err) {
		*ret_counters = self;
		return;
	}
	log_warn("record: no counters: %s%s%s", why, *why ? " " : "", errname(err));
	run_counters__free(self);
}

void run_counters__free(struct run_counters *self)
{
	if (!self)
		return;
	counter_run__free(self->run);
	free(self);
}

static int make_json(const struct run_counters *self, const struct counter_window *window,
		     struct profile *profile)
{
	const uint32_t kinds = 1u << COUNTER_SYSTEM | 1u << COUNTER_SOCKET | 1u << COUNTER_CPU |
			       1u << COUNTER_CONTAINER | 1u << COUNTER_PROCESS;
	_auto_json_ struct json_object *json = json__new_object(), *flat = json__new_object();
	_auto_buf_ struct buf text = { .max_bytes = TEXT_BYTES_MAX };
	struct json_object *value;
	size_t len;
	int err = json__add_str(json, "schema", "hwmetrics_detail/1");

	if (!err)
		err = json__add_double(json, "window_s", (double)window->wall_ns / 1e9);
	if (!err)
		err = counter_json__add_set(json, &self->set);
	if (!err)
		err = counter_json__add_scopes(json, &self->set, window, kinds, SCOPES_MAX);
	if (!err)
		err = counter_json__add_flat(flat, "hwmetrics", &self->set, window);
	if (!err)
		err = json && flat ? json__print(json, false, &text) : -ENOMEM;
	if (!err)
		profile->counters_detail = buf__take(&text, &len);
	if (!err && !json__get_any(flat, "hwmetrics", &value) && !json__is_null(value)) {
		err = json__print(value, false, &text);
		if (!err)
			profile->counters_flat = buf__take(&text, &len);
	}
	return err;
}

static int make_report(const struct run_counters *self, const struct counter_window *window,
		       struct profile *profile)
{
	_auto_buf_ struct buf html = { .max_bytes = TEXT_BYTES_MAX };
	char start[CLOCK_TEXT_BYTES];
	size_t len;
	int err;

	clock_utc_text(profile->meta.start_real_ns, start);
	err = counter_report__write(&html, intern__str(profile->strings, profile->meta.hostname),
				    start, &self->set, window);
	if (!err)
		profile->counters_html = buf__take(&html, &len);
	return err;
}

void run_counters__close_window(struct run_counters *self, struct container_names *names,
				struct profile *profile)
{
	struct counter_window window;
	int err;

	if (!self)
		return;
	err = counter_run__read(self->run, names, &window);
	if (err) {
		log_warn("record: no counters in this window: %s", errname(err));
		return;
	}
	err = make_json(self, &window, profile);
	if (!err)
		err = make_report(self, &window, profile);
	if (err)
		log_warn("record: counters of this window are left out: %s", errname(err));
	counter_window__clear(&window);
}

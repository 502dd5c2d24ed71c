/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_CONFIG_INTERNAL_H
#define PP_CONFIG_INTERNAL_H
/*
 * The table of settings and the one way to give a setting its value, which checks it.
 */
#include <stddef.h>

#include "pp/config.h"

enum setting_kind { KIND_BOOL, KIND_UINT, KIND_STR, KIND_SECRET, KIND_LEVEL };

struct setting {
	const char *name;
	const char *env;
	enum setting_kind kind;
	unsigned int max;
	const char *def;
	const char *help;
};

struct config {
	char *values[CONFIG_CNT]; /* canonical: yes and no, digits without leading zeros */
	enum config_origin origins[CONFIG_CNT];
};

extern const struct setting settings[CONFIG_CNT];

/* By its name in the file, or with '-' for '_' as its flag. Returns 0 or -ENOENT. */
int setting__find(const char *name, size_t len, char separator, enum config_id *ret_id);
int config__new(struct config **ret_config); /* the defaults */
/*
 * value need not end with NUL. On -EINVAL why gets "WHERE: what is wrong"; secrets are not
 * repeated.
 */
int config__set(struct config *self, enum config_id id, const char *value, size_t len,
		enum config_origin origin, const char *where, struct buf *why);

#endif

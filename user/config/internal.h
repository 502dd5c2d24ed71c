/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_CONFIG_INTERNAL_H
#define PP_CONFIG_INTERNAL_H
/*
 * The table of settings and the one way to give a setting its value, which checks it.
 */
#include <stddef.h>

#include "pp/base/buf.h"
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

struct span {
	const char *s;
	size_t len;
};

struct config {
	char *values[CONFIG_CNT]; /* canonical: yes and no, digits without leading zeros */
	enum config_origin origins[CONFIG_CNT];
	struct buf ignored; /* "--mode, GPROFILER_PERF_MODE" */
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
const char *find_env(const char *const *environ_list, const char *name); /* NULL: unset or empty */
/* Says what is wrong with a file that file__read_trusted refused. Returns err. */
int explain_file(int err, const char *what, const char *path, struct buf *why);
struct span trim(struct span text); /* without blanks at both ends */

/* agent.c: options of the gProfiler agent that are no settings here. */
enum agent_operand { OPERAND_NONE, OPERAND_ONE, OPERAND_MAYBE };
struct agent_option {
	const char *name; /* as the flag has it, without the minuses */
	enum agent_operand operand;
	const char *setting; /* what it stands for, by its name in the file; NULL: without effect */
	const char *value; /* that it gives to the setting; NULL: its operand */
};
extern const struct agent_option agent_options[];
extern const size_t agent_options_cnt;
const struct agent_option *agent_option__find(const char *name, size_t len); /* NULL: unknown */
const char *agent_letter__name(char letter); /* "u": "upload-results"; NULL: unknown */
/* value: NULL if it has no operand. name: as the user said it, for config__ignored. */
int config__set_agent(struct config *self, const struct agent_option *option, const char *value,
		      enum config_origin origin, const char *where, struct buf *why);
int config__load_agent_environment(struct config *self, const char *const *environ_list,
				   struct buf *why);

/* token.c */
void config__take_token_flag(struct config *self, int argc, char *const *argv, struct buf *why);
/* Where no flag and no variable gave it. */
int config__load_token(struct config *self, const char *const *environ_list, struct buf *why);

#endif

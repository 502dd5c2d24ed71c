/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SPEC_POLICY_H
#define PP_SPEC_POLICY_H
/*
 * What the owner of this host allows, whatever a server asks for: plain data and one judgement. It
 * refuses and says why, it never bends a wish into one that would be allowed.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pp/spec.h"

#define SPEC_POLICY_WORDS_MAX  16
#define SPEC_POLICY_WORD_BYTES 48 /* with the NUL */

struct spec_policy_words {
	uint32_t cnt; /* 0: all are allowed */
	char words[SPEC_POLICY_WORDS_MAX][SPEC_POLICY_WORD_BYTES];
};

/* All zero: everything is allowed. */
struct spec_policy {
	uint32_t rate_max_hz; /* 0: no limit here */
	uint32_t duration_max_s; /* of an ad hoc run, of a window of a continuous one; 0: no limit */
	uint32_t runs_max; /* at once; 0: no limit */
	bool no_continuous;
	bool no_host; /* all processes of the host */
	bool no_pids; /* named processes */
	uint32_t quiet_from,
		quiet_to; /* minutes of the local day, over midnight too; equal: never */
	struct spec_policy_words modes; /* "cpu" */
	struct spec_policy_words events; /* "cycles"; the names of CPU time stand for each other */
};

/* Words apart by commas or blanks; "" or "all": no limit. -EINVAL with *ret_why, a static sentence. */
int spec_policy_words__set(struct spec_policy_words *self, const char *text, const char **ret_why);
/* "host", "pids", "host, pids"; "" or "all": both. */
int spec_policy__set_targets(struct spec_policy *self, const char *text, const char **ret_why);
/* "22:00-06:00"; "": never. */
int spec_policy__set_quiet(struct spec_policy *self, const char *text, const char **ret_why);

/* For what a command names and a session_spec does not hold. */
bool spec_policy__allows_mode(const struct spec_policy *self, const char *mode);
bool spec_policy__allows_event(const struct spec_policy *self, const char *event);
bool spec_policy__is_quiet(const struct spec_policy *self, uint32_t minute_of_day);
/*
 * May this run begin now, with so many others going on? 0, or -EPERM with *ret_why (a static sentence that
 * names the setting; ret_why may be NULL).
 */
int spec_policy__check(const struct spec_policy *self, const struct session_spec *spec,
		       uint32_t minute_of_day, uint32_t runs, const char **ret_why);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SPEC_INTERNAL_H
#define PP_SPEC_INTERNAL_H
/*
 * The setters behind words and JSON: each range and each sentence stands once, in spec.c.
 */
#include <stdint.h>

#include "pp/spec.h"

/* Sets *ret_why (may be NULL) and returns err. */
int spec_refuse(int err, const char *why, const char **ret_why);
int spec_set_rate_num(struct session_spec *self, int64_t rate_hz, const char **ret_why);
int spec_set_duration_num(struct session_spec *self, int64_t duration_s, const char **ret_why);
/* Decimal digits only, all of the text; the number stays below 10^12. */
int spec_parse_digits(const char *text, size_t len, int64_t *ret_number);

#endif

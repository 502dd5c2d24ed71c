/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_NET_INTERNAL_H
#define PP_NET_INTERNAL_H
/*
 * What the files of this room share: a URL taken apart, so that one parser (libcurl's own, the one that
 * connects) decides what the host is.
 */
#include <stdbool.h>
#include <stddef.h>

#define URL_HOST_BYTES 256

struct url {
	char host[URL_HOST_BYTES]; /* without brackets, lowercase not enforced */
	bool has_query;
};

/* 0, -EINVAL unless http(s) with a host, -E2BIG. */
int url__parse(const char *text, struct url *ret_url);

#endif

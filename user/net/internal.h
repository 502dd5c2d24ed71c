/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_NET_INTERNAL_H
#define PP_NET_INTERNAL_H
/*
 * What the files of this room share: a URL taken apart, so that one parser (libcurl's own, the one that
 * connects) decides what the host is, and files held in memory as long as they do not change.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "pp/base/buf.h"

#define URL_HOST_BYTES 256

struct url {
	char host[URL_HOST_BYTES]; /* without brackets, lowercase not enforced */
	bool has_query;
	bool has_userinfo;
	bool is_http; /* not https */
};

/* 0, -EINVAL unless http(s) with a host, -E2BIG. */
int url__parse(const char *text, struct url *ret_url);

/* A file as it was read last. */
struct net_file {
	char *path; /* NULL: none */
	struct buf data;
	struct timespec mtime, ctime;
	uint64_t size_bytes, inode, device;
	bool was_read;
};

int net_file__init(struct net_file *self, const char *path); /* path NULL or "": none */
void net_file__clear(struct net_file *self);
/* Reads it again if it changed. What was read before stays if that fails. -E2BIG, -EBADMSG, -errno. */
int net_file__load(struct net_file *self);

#endif

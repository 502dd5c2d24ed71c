/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef RPC_INTERNAL_H
#define RPC_INTERNAL_H
/*
 * What server and client share: the socket's address, and a line turned into its reply, which needs no socket.
 */
#include <sys/un.h>

#include "pp/rpc.h"

/* -ENAMETOOLONG */
int rpc__address(const char *run_dir, struct sockaddr_un *ret_address);

struct rpc_answerer {
	const char *version;
	rpc_fn fn;
	void *arg;
};
/* Appends the reply to a line (without its newline), and a newline. *fd is closed unless taken, then -1. */
int rpc__answer(const struct rpc_answerer *self, const char *line, size_t len, int *fd,
		struct buf *out);
/* A reply that says no. */
int rpc__refuse(const char *version, int err, const char *why, struct buf *out);

#endif

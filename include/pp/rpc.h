/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_RPC_H
#define PP_RPC_H
/*
 * The way to a running daemon on the same host: a UNIX socket in its run directory, one JSON object a line,
 * a question and its reply. Knows no methods. Only root and the server's own user are heard. What a peer
 * does neither stops the loop nor takes more than a fixed amount of memory.
 *
 *   {"protocol": 1, "method": "session.list", "params": {}}   a question; may carry one descriptor
 *   {"version": "0.4", "protocol": 1, "ok": true, ...}
 *   {"version": "0.4", "protocol": 1, "ok": false, "error": "a sentence", "errno": "-EPERM"}
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct json_object;
struct loop;
struct rpc_server;

#define RPC_PROTOCOL	    1 /* another number: other meanings of what was there */
#define RPC_SOCKET_NAME	    "pulseprofd.sock"
#define RPC_LINE_MAX_BYTES  (64u << 10) /* of a question, with its newline */
#define RPC_REPLY_MAX_BYTES (1u << 20)
#define RPC_CLIENTS_MAX	    16
#define RPC_IDLE_MS	    30000u /* for the next question, for a reply to be read */
#define RPC_ANSWER_MS	    10000u /* how long a client waits */

struct rpc_call {
	const char *method; /* borrowed, as params */
	const struct json_object *params; /* NULL: none */
	struct json_object *reply; /* an object; members may be added */
	struct buf *why; /* a sentence for an error; may stay empty */
	int fd; /* came with the question, -1: none. Taken by setting it to -1 */
};
/* 0 or -errno; -ENOSYS: no such method. Not to free the server from inside. */
typedef int (*rpc_fn)(void *arg, struct rpc_call *call);

/*
 * Replaces a socket that is left there: the caller holds the lock of run_dir. -ENAMETOOLONG: run_dir is too
 * long for a socket's address.
 */
int rpc_server__new(struct loop *loop, const char *run_dir, const char *version, rpc_fn fn,
		    void *arg, struct rpc_server **ret_server);
void rpc_server__free(struct rpc_server *self); /* removes the socket */
uint32_t rpc_server__clients(const struct rpc_server *self);

/*
 * Asks and waits. method and params (may be NULL) are borrowed, so is fd (-1: none). A reply that says no is
 * a reply: 0. -ENOENT or -ECONNREFUSED: no daemon; -EACCES: not for this user; -ETIMEDOUT; -EPROTO: another
 * protocol, -EBADMSG: no reply. *why says it where more is known. Given: json__put.
 */
struct rpc_question {
	const char *run_dir;
	const char *version; /* of the asking program, for its sentence about another protocol */
	const char *method;
	struct json_object *params;
	int fd;
};
int rpc__ask(const struct rpc_question *question, struct json_object **ret_reply, struct buf *why);

#endif

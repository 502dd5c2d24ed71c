/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_HTTPD_INTERNAL_H
#define PP_HTTPD_INTERNAL_H
/*
 * The parts of this room: server.c owns the library's daemon and runs it on the loop, call.c is one request
 * from its headers to its answer, conns.c knows which connections there are and which has to go.
 */
#include "pp/base/buf.h"
#include "pp/httpd.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

/*
 * A connection is in one of these lists, each in the order of entry. Strangers have to send a whole head, then
 * anyone a whole body, each in its time; who has shown who he is (httpd_call__know) may idle.
 */
enum conn_state { CONN_STRANGER, CONN_READING, CONN_BUSY, CONN_IDLE, CONN_SHUT, CONN_STATES };

#define STRANGER_MS	30000
#define READING_MS	120000
#define IDLE_S		120 /* the library's; what no list limits ends with it, too */
#define STRANGER_MIN_MS 1000 /* younger ones are not closed to make room */

struct conn {
	struct conn *prev, *next;
	enum conn_state state;
	bool is_known;
	int fd;
	struct in6_addr addr;
	uint64_t since_ms; /* of its state */
};
struct conns {
	struct conn_list {
		struct conn *first, *last;
	} lists[CONN_STATES];
	uint32_t cnt; /* not those that are shut */
	uint32_t max, strangers_per_address_max;
	struct httpd_counts counts;
};
/* NULL: out of memory. */
struct conn *conns__add(struct conns *self, int fd, const struct sockaddr *addr);
void conns__remove(struct conns *self, struct conn *conn);
void conns__move(struct conns *self, struct conn *conn, enum conn_state state);
/* Whether there is a place for one more, made if need be. */
bool conns__admit(struct conns *self, const struct sockaddr *addr);
/* Closes the connection that is needed least. False: each is needed. */
bool conns__make_room(struct conns *self);
void conns__expire(struct conns *self);

/* call.c */
struct httpd_call {
	struct httpd *httpd;
	struct MHD_Connection *connection;
	struct conn *conn;
	const char *method;
	const char *path;
	struct buf body;
	size_t seen_bytes;
	struct MHD_Response *response; /* made, not yet queued */
	int status;
	bool is_handled; /* the program has seen it */
	bool is_held; /* and answers later */
	bool is_suspended, is_gone;
	void (*gone)(void *arg);
	void *gone_arg;
	struct httpd_call *prev, *next; /* of the suspended ones */
};
enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
			   const char *method, const char *version, const char *data,
			   size_t *data_bytes, void **con_cls);
void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		  enum MHD_RequestTerminationCode code);
/* Its client is not there any more, or we are leaving. */
void call__leave(struct httpd_call *self);

/* server.c */
struct httpd {
	struct MHD_Daemon *mhd;
	struct loop_io *io;
	struct loop_timer *timer;
	httpd_fn fn;
	httpd_fn head;
	void *arg;
	size_t body_max_bytes;
	struct loop_io *listen_io;
	int listen_fd;
	bool is_run_due; /* a connection was resumed: the library does not wake us for it */
	bool is_deaf; /* no descriptor was left for a new connection: not accepting for a moment */
	uint16_t port;
	struct conns conns;
	struct loop_io *held_io;
	int held_fd; /* an epoll of the sockets of suspended calls */
	struct httpd_call *held; /* suspended calls */
};
void httpd__run_soon(struct httpd *self);

#endif

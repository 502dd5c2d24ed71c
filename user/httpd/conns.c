/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which connections there are, and which has to go when time is up or there are too many. A connection whose
 * requests are in time is never closed for one that sends nothing. Closing is shutdown(): the library sees
 * the end and cleans up. Knows neither requests nor the library.
 */
#include "internal.h"

#include "pp/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

static void addr_of(const struct sockaddr *addr, struct in6_addr *ret_addr)
{
	memset(ret_addr, 0, sizeof(*ret_addr));
	if (addr && addr->sa_family == AF_INET6) {
		memcpy(ret_addr, &((const struct sockaddr_in6 *)addr)->sin6_addr,
		       sizeof(*ret_addr));
		/* A network of its own belongs to each: the rest of the address costs nothing. */
		if (!IN6_IS_ADDR_V4MAPPED(ret_addr))
			memset(&ret_addr->s6_addr[8], 0, 8);
	} else if (addr && addr->sa_family == AF_INET) {
		memcpy(&ret_addr->s6_addr[12], &((const struct sockaddr_in *)addr)->sin_addr, 4);
	}
}

static void conns__leave_list(struct conns *self, struct conn *conn)
{
	struct conn_list *list = &self->lists[conn->state];

	if (conn->prev)
		conn->prev->next = conn->next;
	else
		list->first = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	else
		list->last = conn->prev;
	self->cnt -= conn->state != CONN_SHUT;
}

static void conns__enter_list(struct conns *self, struct conn *conn, enum conn_state state)
{
	struct conn_list *list = &self->lists[state];

	conn->state = state;
	conn->since_ms = mono_ms();
	conn->next = NULL;
	conn->prev = list->last;
	if (list->last)
		list->last->next = conn;
	else
		list->first = conn;
	list->last = conn;
	self->cnt += state != CONN_SHUT;
}

struct conn *conns__add(struct conns *self, int fd, const struct sockaddr *addr)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->fd = fd;
	addr_of(addr, &conn->addr);
	conns__enter_list(self, conn, CONN_STRANGER);
	return conn;
}

void conns__remove(struct conns *self, struct conn *conn)
{
	conns__leave_list(self, conn);
	free(conn);
}

void conns__move(struct conns *self, struct conn *conn, enum conn_state state)
{
	if (conn->state == CONN_SHUT)
		return;
	conns__leave_list(self, conn);
	conns__enter_list(self, conn, state);
}

static void conns__shut(struct conns *self, struct conn *conn)
{
	(void)shutdown(conn->fd, SHUT_RDWR);
	conns__move(self, conn, CONN_SHUT);
}

static bool is_older(const struct conn *conn, uint64_t age_ms)
{
	return conn && mono_ms() - conn->since_ms > age_ms;
}

bool conns__make_room(struct conns *self)
{
	struct conn *conn = self->lists[CONN_STRANGER].first;

	if (!is_older(conn, STRANGER_MIN_MS))
		conn = self->lists[CONN_IDLE].first;
	if (!conn)
		return false;
	conns__shut(self, conn);
	self->counts.made_room++;
	return true;
}

static uint32_t conns__strangers_of(const struct conns *self, const struct sockaddr *addr)
{
	const struct conn *conn;
	struct in6_addr bytes;
	uint32_t cnt = 0;

	addr_of(addr, &bytes);
	for (conn = self->lists[CONN_STRANGER].first; conn; conn = conn->next)
		cnt += !memcmp(&conn->addr, &bytes, sizeof(bytes));
	return cnt;
}

bool conns__admit(struct conns *self, const struct sockaddr *addr)
{
	if (conns__strangers_of(self, addr) < self->strangers_per_address_max &&
	    (self->cnt < self->max || conns__make_room(self)))
		return true;
	self->counts.refused++;
	return false;
}

static void conns__expire_list(struct conns *self, enum conn_state state, uint64_t age_ms)
{
	const struct conn_list *list = &self->lists[state];

	while (is_older(list->first, age_ms)) {
		conns__shut(self, list->first);
		self->counts.timed_out++;
	}
}

void conns__expire(struct conns *self)
{
	conns__expire_list(self, CONN_STRANGER, STRANGER_MS);
	conns__expire_list(self, CONN_READING, READING_MS);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One request, from its headers to its answer: collected whole, within its limits, handed to the program,
 * answered at once or held until the program knows. A client that sends too much is read on for a while and
 * thrown away, so that it gets to read the answer instead of a reset. A held call's connection is suspended;
 * its socket is only watched for the client's leaving. Always true: a call is answered exactly once.
 */
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define DISCARD_TIMES 16 /* read on for this many body_max_bytes */

const char *httpd_call__header(struct httpd_call *self, const char *name)
{
	return MHD_lookup_connection_value(self->connection, MHD_HEADER_KIND, name);
}

const char *httpd_call__query(struct httpd_call *self, const char *name)
{
	return MHD_lookup_connection_value(self->connection, MHD_GET_ARGUMENT_KIND, name);
}

struct each_query {
	int (*fn)(void *arg, const char *name, const char *value);
	void *arg;
	int err;
};

static enum MHD_Result on_query(void *arg, enum MHD_ValueKind kind, const char *name,
				const char *value)
{
	struct each_query *self = arg;

	self->err = self->fn(self->arg, name, value ? value : "");
	return self->err ? MHD_NO : MHD_YES;
}

int httpd_call__each_query(struct httpd_call *self,
			   int (*fn)(void *arg, const char *name, const char *value), void *arg)
{
	struct each_query each = { fn, arg, 0 };

	(void)MHD_get_connection_values(self->connection, MHD_GET_ARGUMENT_KIND, on_query, &each);
	return each.err;
}

static bool response__add_line(struct MHD_Response *response, const char *line)
{
	const char *colon = strchr(line, ':');
	char name[64];

	if (!colon || (size_t)(colon - line) >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - line), line);
	return MHD_add_response_header(response, name, colon + 1 + strspn(colon + 1, " ")) ==
	       MHD_YES;
}

static struct MHD_Response *response__make(const struct httpd_answer *answer)
{
	struct MHD_Response *response;
	bool ok = true;
	size_t i;

	response = MHD_create_response_from_buffer(
		answer->body_len, (void *)(uintptr_t)answer->body,
		answer->is_given ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_MUST_COPY);
	if (!response) {
		if (answer->is_given)
			free((void *)(uintptr_t)answer->body);
		return NULL;
	}
	if (answer->content_type)
		ok = MHD_add_response_header(response, "Content-Type", answer->content_type) ==
		     MHD_YES;
	for (i = 0; ok && answer->headers && answer->headers[i]; i++)
		ok = response__add_line(response, answer->headers[i]);
	if (!ok)
		MHD_destroy_response(take_ptr(response));
	return response;
}

/* The library calls on_request once more then, which answers or ends the connection. */
static void call__resume(struct httpd_call *self)
{
	struct httpd *httpd = self->httpd;

	self->is_held = false;
	if (!self->is_suspended)
		return;
	self->is_suspended = false;
	if (self->prev)
		self->prev->next = self->next;
	else
		httpd->held = self->next;
	if (self->next)
		self->next->prev = self->prev;
	httpd->conns.counts.held--;
	(void)epoll_ctl(httpd->held_fd, EPOLL_CTL_DEL, self->conn->fd, NULL);
	MHD_resume_connection(self->connection);
	httpd__run_soon(httpd);
}

/* Not watched (no memory for it): its leaving is seen when it is answered. */
static void call__suspend(struct httpd_call *self)
{
	struct epoll_event event = { .events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = self };
	struct httpd *httpd = self->httpd;

	self->is_suspended = true;
	self->prev = NULL;
	self->next = httpd->held;
	if (self->next)
		self->next->prev = self;
	httpd->held = self;
	httpd->conns.counts.held++;
	buf__clear(&self->body);
	MHD_suspend_connection(self->connection);
	if (epoll_ctl(httpd->held_fd, EPOLL_CTL_ADD, self->conn->fd, &event) < 0)
		log_debug("httpd: cannot watch a held call, ignoring: %s", errname(-errno));
}

void call__leave(struct httpd_call *self)
{
	if (!self->is_held)
		return;
	self->is_gone = true;
	call__resume(self);
	self->gone(self->gone_arg);
}

int httpd_call__hold(struct httpd_call *self, void (*gone)(void *arg), void *arg)
{
	if (self->response || self->is_held)
		return -EALREADY;
	if (!self->is_handled)
		return -EINVAL;
	self->is_held = true;
	self->gone = gone;
	self->gone_arg = arg;
	return 0;
}

void httpd_call__take_body(struct httpd_call *self, struct buf *ret_body)
{
	*ret_body = self->body;
	buf__init(&self->body, ret_body->max_bytes);
}

void httpd_call__know(struct httpd_call *self)
{
	self->conn->is_known = true;
}

int httpd_call__answer(struct httpd_call *self, const struct httpd_answer *answer)
{
	if (self->response || self->is_gone) {
		if (answer->is_given)
			free((void *)(uintptr_t)answer->body);
		return -EALREADY;
	}
	self->response = response__make(answer);
	self->status = answer->status;
	call__resume(self);
	return self->response ? 0 : -ENOMEM;
}

static void call__refuse(struct httpd_call *self, int status, const char *header, const char *json)
{
	const char *headers[] = { header, NULL };

	(void)httpd_call__answer(self, &(struct httpd_answer){
					       .status = status,
					       .content_type = "application/json",
					       .headers = headers,
					       .body = json,
					       .body_len = strlen(json),
				       });
}

static enum MHD_Result call__send(struct httpd_call *self)
{
	enum MHD_Result result;

	if (!self->response)
		call__refuse(self, 500, NULL, "{\"message\": \"out of memory\"}");
	if (!self->response)
		return MHD_NO;
	result = MHD_queue_response(self->connection, (unsigned int)self->status, self->response);
	MHD_destroy_response(take_ptr(self->response));
	return result;
}

static void call__handle(struct httpd_call *self, httpd_fn fn)
{
	const struct httpd_request request = {
		.method = self->method,
		.path = self->path,
		.body = self->body.data ? self->body.data : "",
		.body_len = self->body.len,
		.call = self,
	};

	fn(self->httpd->arg, &request);
}

static bool method_is_known(const char *method)
{
	return !strcmp(method, "GET") || !strcmp(method, "HEAD") || !strcmp(method, "POST");
}

/* Headers are in. Answering here leaves the response waiting until the body has been thrown away. */
static void call__head(struct httpd_call *self)
{
	if (!method_is_known(self->method))
		call__refuse(self, 405, "Allow: GET, HEAD, POST",
			     "{\"message\": \"only GET, HEAD and POST are known here\"}");
	else if (self->httpd->head)
		call__handle(self, self->httpd->head);
}

static enum MHD_Result call__data(struct httpd_call *self, const char *data, size_t len)
{
	const size_t max = self->httpd->body_max_bytes;

	self->seen_bytes += len;
	if (self->seen_bytes > max * DISCARD_TIMES)
		return MHD_NO;
	if (self->response)
		return MHD_YES;
	if (self->seen_bytes <= max && !buf__append(&self->body, data, len))
		return MHD_YES;
	buf__clear(&self->body);
	if (self->seen_bytes > max)
		call__refuse(self, 413, "Connection: close",
			     "{\"message\": \"the body is too large\"}");
	else
		call__refuse(self, 503, NULL, "{\"message\": \"out of memory\"}");
	return MHD_YES;
}

static struct httpd_call *call__new(struct httpd *httpd, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct httpd_call *self;

	if (!info || !info->socket_context)
		return NULL;
	self = calloc(1, sizeof(*self));
	if (!self)
		return NULL;
	self->httpd = httpd;
	self->connection = connection;
	self->conn = info->socket_context;
	buf__init(&self->body, httpd->body_max_bytes + 1);
	return self;
}

static enum MHD_Result call__begin(struct httpd_call *self)
{
	struct conns *conns = &self->httpd->conns;

	call__head(self);
	if (!self->response)
		conns__move(conns, self->conn, CONN_READING);
	else if (self->conn->state == CONN_IDLE) /* it has to be quick again */
		conns__move(conns, self->conn, CONN_STRANGER);
	return MHD_YES;
}

enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
			   const char *method, const char *version, const char *data,
			   size_t *data_bytes, void **con_cls)
{
	struct httpd *self = cls;
	struct httpd_call *call = *con_cls;

	if (!call) {
		call = *con_cls = call__new(self, connection);
		if (!call)
			return MHD_NO;
		call->method = method;
		call->path = url;
		return call__begin(call);
	}
	call->method = method;
	call->path = url;
	if (*data_bytes) {
		enum MHD_Result result = call__data(call, data, *data_bytes);

		*data_bytes = 0;
		return result;
	}
	if (call->is_gone)
		return MHD_NO;
	if (!call->is_handled && !call->response) {
		call->is_handled = true;
		conns__move(&self->conns, call->conn, CONN_BUSY);
		call__handle(call, self->fn);
	}
	if (!call->is_held)
		return call__send(call);
	call__suspend(call);
	return MHD_YES;
}

void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		  enum MHD_RequestTerminationCode code)
{
	struct httpd *self = cls;
	struct httpd_call *call = *con_cls;

	if (!call)
		return;
	call__leave(call);
	conns__move(&self->conns, call->conn, call->conn->is_known ? CONN_IDLE : CONN_STRANGER);
	if (call->response)
		MHD_destroy_response(call->response);
	buf__clear(&call->body);
	free(call);
	*con_cls = NULL;
}

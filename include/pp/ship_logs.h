/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SHIP_LOGS_H
#define PP_SHIP_LOGS_H
/*
 * The daemon's own log lines to the Studio's log service, for who asks for it: batches every 30 seconds, a
 * bounded buffer, what is dropped counted. Never the only copy: each line has been written to stderr.
 * Loop thread only, but for the lines themselves. At most one at a time.
 */
struct loop;
struct net;
struct ship_logs;

/* Copied by ship_logs__new. */
struct ship_logs_options {
	const char *api_server; /* base URL */
	const char *service_name;
	const char *hostname;
	const char *agent_version;
	const char *token; /* sent as X-Token; masked where it stands in a line */
	const char *const *headers; /* "Name: value" for each request, NULL-terminated; may be NULL */
};

/* Lines are collected from now on. 0, -EINVAL (api_server is no http(s) address), -E2BIG, -ENOMEM. */
int ship_logs__new(struct loop *loop, struct net *net, const struct ship_logs_options *options,
		   struct ship_logs **ret_logs);
void ship_logs__free(struct ship_logs *self); /* what is unsent is only on stderr */

#endif

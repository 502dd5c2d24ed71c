/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a service manager wants to hear (sd_notify's datagrams, without its library): ready, stopping, still
 * there, and one line for people. "Still there" is said by the loop's own timer: a loop that hangs is silent
 * and will be restarted. Without a manager nothing is sent and no timer runs.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/ship.h"

#define TEXT_BYTES 256

/* '@' in front stands for a name without a file. */
static socklen_t fill_address(struct sockaddr_un *addr, const char *path)
{
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(addr->sun_path))
		return 0;
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	memcpy(addr->sun_path, path, len);
	if (path[0] == '@')
		addr->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void daemon_notify__open(struct daemon_notify *self)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	struct sockaddr_un addr;
	socklen_t len = path ? fill_address(&addr, path) : 0;

	self->fd = -1;
	if (usec && (!pid || strtol(pid, NULL, 10) == getpid()))
		self->watchdog_ms = strtoull(usec, NULL, 10) / 1000;
	if (len) {
		self->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (self->fd >= 0 && connect(self->fd, (struct sockaddr *)&addr, len) < 0) {
			log_warn("daemon: no service manager at '%s', going on: %s", path,
				 errname(-errno));
			close(take_fd(self->fd));
		}
	}
	unsetenv("NOTIFY_SOCKET"); /* ours alone */
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void daemon_notify__say(struct daemon_notify *self, const char *fmt, ...)
{
	char text[TEXT_BYTES];
	va_list ap;
	int len;

	if (self->fd < 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	/* A manager that does not read is not waited for. */
	(void)!send(self->fd, text, min_of((size_t)len, sizeof(text) - 1), MSG_NOSIGNAL);
}

static void on_tick(void *arg)
{
	struct daemon *self = arg;
	uint32_t runs = 0;

	for (const struct daemon_run *run = self->runs; run; run = run->next)
		runs++;
	daemon_notify__say(&self->notify, "WATCHDOG=1\nSTATUS=runs: %u, profiles to send: %u", runs,
			   self->ship ? ship__waiting(self->ship) : 0);
}

int daemon_notify__ready(struct daemon *self)
{
	struct daemon_notify *notify = &self->notify;
	int err;

	daemon_notify__say(notify, "READY=1\nSTATUS=waiting for commands");
	if (notify->fd < 0 || !notify->watchdog_ms)
		return 0;
	err = loop_timer__new(self->loop, on_tick, self, &notify->timer);
	if (!err) /* half of what is allowed, as sd_watchdog_enabled(3) advises */
		err = loop_timer__start(notify->timer, 0, max_of(notify->watchdog_ms / 2, 1ul));
	if (!err)
		return DAEMON_DONE;
	log_error("daemon: no timer for the service manager's watchdog: %s", errname(err));
	return DAEMON_FAILED;
}

void daemon_notify__close(struct daemon_notify *self)
{
	loop_timer__free(self->timer);
	self->timer = NULL;
	if (self->fd >= 0)
		close(self->fd);
	self->fd = -1;
}

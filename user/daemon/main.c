/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprofd, the daemon: settings in, exit code out. What it is made of is joined in wire.c and started
 * and stopped in lifecycle.c. Stays in the foreground: systemd, a container or a shell is above it.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/config.h"
#include "pp/reader.h"

static int print_help(void)
{
	struct buf text _auto_buf_;

	buf__init(&text, 65536);
	if (config__usage(&text))
		return DAEMON_FAILED;
	printf("pulseprofd %s: profiles this host when its backend asks for it\n\n"
	       "Usage: pulseprofd [OPTIONS]\n\n%s\n"
	       "Settings come from /etc/pulseprof/pulseprofd.conf (or --config, PULSEPROF_CONFIG),\n"
	       "then from the environment, then from these options. The gProfiler agent's options and\n"
	       "GPROFILER_ variables are taken, too; those that mean nothing here are named at start.\n"
	       "Exit status: 0 stopped by a signal, 1 failed, 2 usage, 4 not possible here.\n",
	       PP_VERSION, text.data);
	return fflush(stdout) ? DAEMON_FAILED : DAEMON_DONE;
}

/* The environment of a process can be read by its user as long as it lives. */
static void forget_token(const char *name)
{
	char *token = getenv(name);

	if (token)
		explicit_bzero(token, strlen(token));
	unsetenv(name);
}

static void prepare_process(void)
{
	struct rlimit files;

	/*
	 * No core dump, and only root may look into our memory: the token and keys are in our settings, in
	 * header lines of libcurl and in buffers of TLS, so single pages could not be kept out of it.
	 */
	(void)prctl(PR_SET_DUMPABLE, 0);
	/* Private memory grows by arena; there are three threads, and only one allocates much. */
	(void)mallopt(M_ARENA_MAX, 2);
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* as many as there are, then */
}

int main(int argc, char **argv)
{
	struct config *config = NULL;
	struct daemon daemon;
	enum log_level level;
	struct buf why _auto_buf_ = { .max_bytes = 4096 };
	int code;

	if (reader__is_wanted(argc, argv))
		return reader__serve();
	if (stdio__fill())
		return DAEMON_FAILED; /* nowhere to say why */
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return print_help();
		if (!strcmp(argv[i], "--version") || !strcmp(argv[i], "-V"))
			return printf("pulseprofd %s\n", PP_VERSION) < 0 ? DAEMON_FAILED :
									   DAEMON_DONE;
	}
	prepare_process();
	if (config__load(argc, argv, (const char *const *)environ, &why, &config)) {
		log_error("daemon: %s", why.data ? why.data : "the settings cannot be read");
		return DAEMON_USAGE;
	}
	forget_token("GPROFILER_TOKEN");
	forget_token("PULSEPROF_TOKEN");
	if (log_level__parse(config__str(config, CONFIG_LOG_LEVEL), &level))
		log_set_level(level);
	code = daemon__check_settings(config);
	if (!code)
		code = daemon__run(&daemon, config);
	config__free(config);
	return code;
}

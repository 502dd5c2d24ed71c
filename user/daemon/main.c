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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/config.h"
#include "pp/net.h"

static int print_help(void)
{
	struct buf text _auto_buf_;

	buf__init(&text, 65536);
	if (config__usage(&text))
		return DAEMON_FAILED;
	printf("pulseprofd %s: profiles this host when its backend asks for it\n\n"
	       "Usage: pulseprofd [OPTIONS]\n\n%s\n"
	       "Settings come from /etc/pulseprof/pulseprofd.conf (or PULSEPROF_CONFIG), then from\n"
	       "the environment, then from these options.\n"
	       "Exit status: 0 stopped by a signal, 1 failed, 2 usage, 4 not possible here.\n",
	       PP_VERSION, text.data);
	return fflush(stdout) ? DAEMON_FAILED : DAEMON_DONE;
}

/* The environment of a process can be read by its user as long as it lives. */
static void forget_token(void)
{
	char *token = getenv("GPROFILER_TOKEN");

	if (token)
		explicit_bzero(token, strlen(token));
	unsetenv("GPROFILER_TOKEN");
}

/* A token that every user can read is no secret. (Whether others may write it was seen when it was read.) */
static int check_token_file(const struct config *config)
{
	const char *path = config__str(config, CONFIG_TOKEN_FILE);
	struct stat st;

	if (!*path || config__origin(config, CONFIG_TOKEN) == CONFIG_ENVIRONMENT)
		return DAEMON_DONE;
	if (!stat(path, &st) && !(st.st_mode & S_IROTH))
		return DAEMON_DONE;
	log_error("daemon: token file '%s' can be read by every user, 'chmod 600' it", path);
	return DAEMON_USAGE;
}

/* All that is missing, in one sentence. */
static int check_settings(const struct config *config)
{
	static const struct {
		enum config_id id;
		const char *flag;
	} needed[] = {
		{ CONFIG_ENABLE_HEARTBEAT_SERVER, "--enable-heartbeat-server" },
		{ CONFIG_UPLOAD_RESULTS, "--upload-results" },
		{ CONFIG_SERVICE_NAME, "--service-name" },
		{ CONFIG_API_SERVER, "--api-server" },
		{ CONFIG_SERVER_HOST, "--server-host" },
		{ CONFIG_TOKEN, "--token-file (or GPROFILER_TOKEN)" },
	};
	struct buf missing _auto_buf_;

	buf__init(&missing, 4096);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		bool is_switch = i < 2;

		if (is_switch ? !config__bool(config, needed[i].id) :
				!*config__str(config, needed[i].id))
			buf__printf(&missing, "%s%s", missing.len ? ", " : "", needed[i].flag);
	}
	if (!missing.len)
		return check_token_file(config);
	log_error("daemon: nothing to do without %s", missing.data);
	return DAEMON_USAGE;
}

static void warn_of_clear_text(const struct config *config, enum config_id id)
{
	const char *url = config__str(config, id);

	if (!strncasecmp(url, "http:", 5) && !url__is_loopback(url))
		log_warn("daemon: the token and profiles go to '%s' in clear text, going on", url);
}

static void prepare_process(void)
{
	struct rlimit files;

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
	forget_token();
	if (log_level__parse(config__str(config, CONFIG_LOG_LEVEL), &level))
		log_set_level(level);
	code = check_settings(config);
	if (!code) {
		warn_of_clear_text(config, CONFIG_API_SERVER);
		warn_of_clear_text(config, CONFIG_SERVER_HOST);
		code = daemon__run(&daemon, config);
	}
	config__free(config);
	return code;
}

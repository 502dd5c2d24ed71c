/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof, the command line: `pulseprof [OPTIONS] OBJECT { COMMAND | help }`. Here are the global
 * options, what holds for every command (descriptors, broken pipes, a result that could not be printed)
 * and how errors are told. The commands are in table.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/reader.h"

static void tell(struct cli *cli, const char *symbol, const char *hint, const char *message)
{
	_auto_json_ struct json_object *json = NULL;
	char safe[1024];

	if (!cli->json) {
		fprintf(stderr, "pulseprof: %s\n", view__safe(message, safe, sizeof(safe)));
		if (hint && *hint)
			fprintf(stderr, "  %s\n", view__safe(hint, safe, sizeof(safe)));
		return;
	}
	json = json__new_object();
	(void)json__add_str(json, "code", symbol); /* out of memory: what is there is printed */
	(void)json__add_str(json, "message", message);
	(void)json__add_str(json, "hint", hint ? hint : "");
	view__print_json(cli, json);
}

int cli__fail(struct cli *cli, int code, int err, const char *hint, const char *fmt, ...)
{
	const char *symbol = errname(err);
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	tell(cli, *symbol == '-' ? symbol + 1 : symbol, hint, message);
	return code;
}

int cli__refused(struct cli *cli, int code, const char *symbol, const char *message)
{
	tell(cli, *symbol == '-' ? symbol + 1 : symbol, NULL, message);
	return code;
}

int cli__usage(struct cli *cli, const char *fmt, ...)
{
	const struct cli_command *command = cli->command;
	char message[1024], usage[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (command)
		snprintf(usage, sizeof(usage), "usage: pulseprof %s%s%s %s", command->object,
			 command->verb ? " " : "", command->verb ? command->verb : "",
			 command->args);
	else
		snprintf(usage, sizeof(usage),
			 "usage: pulseprof [OPTIONS] OBJECT { COMMAND | help }");
	tell(cli, "EINVAL", usage, message);
	return CLI_USAGE;
}

int cli__code_of(int err)
{
	return err == -EOPNOTSUPP || err == -EPERM || err == -EACCES ? CLI_IMPOSSIBLE : CLI_FAILED;
}

/* Every sampled program file and one event per CPU are open at once. */
static void allow_many_files(struct cli *cli)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &cli->files_before) < 0)
		return;
	limit = cli->files_before;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* as many as there are, then */
}

static int run(struct cli *cli, int argc, char **argv)
{
	const char *value;
	int pos = 1;

	while (pos < argc && argv[pos][0] == '-') {
		switch (cli__option(cli, argc, argv, &pos, &value)) {
		case CLI_OPTION_HELP: return cli__print_help(cli, NULL);
		case CLI_OPTION_JSON: break;
		case CLI_OPTION_PRETTY: break;
		case CLI_OPTION_OWN: printf("pulseprof %s\n", PP_VERSION); return CLI_DONE;
		default: return CLI_USAGE;
		}
	}
	return cli__dispatch(cli, argc - pos, argv + pos);
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	int code, err;

	if (reader__is_wanted(argc, argv))
		return reader__serve();
	err = stdio__fill();
	if (err)
		return CLI_FAILED; /* nowhere to say why */
	/* A reader that has gone is an error of the write, told like others. */
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LVL_WARN);
	err = sysroot__open_root(&cli.root, "/");
	if (err)
		return cli__fail(&cli, CLI_FAILED, err, NULL, "cannot open '/' (%s)", errname(err));
	allow_many_files(&cli);
	code = run(&cli, argc, argv);
	sysroot__close(&cli.root);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "pulseprof: the result could not be printed\n");
		if (code == CLI_DONE)
			code = CLI_FAILED;
	}
	return code;
}

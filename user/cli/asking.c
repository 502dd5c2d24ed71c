/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A question to the daemon of this host: where its socket is (the daemon's own settings say it), and what went
 * wrong in words that help. Every command that needs a daemon asks through here.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/config.h"
#include "pp/rpc.h"

static int tell_no_reply(struct cli *cli, const char *run_dir, int err, const char *why)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		return cli__fail(cli, CLI_NO_DAEMON, err,
				 "start pulseprofd; 'pulseprof profile record' needs none",
				 "no daemon listens at '%s/%s' (%s)", run_dir, RPC_SOCKET_NAME,
				 errname(err));
	case -EACCES:
	case -EPERM:
		return cli__fail(cli, CLI_IMPOSSIBLE, err, "it needs root",
				 "the daemon's socket in '%s' is not for this user (%s)", run_dir,
				 errname(err));
	case -ETIMEDOUT:
		return cli__fail(cli, CLI_FAILED, err, "its log may say why",
				 "the daemon does not answer (%s)", errname(err));
	case -EPROTO:
		return cli__fail(cli, CLI_FAILED, err, "restart the daemon after an update", "%s",
				 why);
	case -ENAMETOOLONG:
		return cli__fail(cli, CLI_FAILED, err, NULL,
				 "'%s' is too long for a socket's address (%s)", run_dir,
				 errname(err));
	default:
		return cli__fail(cli, CLI_FAILED, err, NULL, "no usable reply of the daemon (%s)",
				 errname(err));
	}
}

static int tell_refusal(struct cli *cli, const struct json_object *reply)
{
	static const int impossible[] = { -EPERM, -EACCES, -EOPNOTSUPP };
	const char *why = "", *symbol = "";
	int code = CLI_FAILED;

	(void)json__get_str(reply, "error", &why); /* then it has none */
	(void)json__get_str(reply, "errno", &symbol);
	for (size_t i = 0; i < ARRAY_SIZE(impossible); i++)
		if (!strcmp(symbol, errname(impossible[i])))
			code = CLI_IMPOSSIBLE;
	return cli__refused(cli, code, symbol, *why ? why : "the daemon refuses");
}

/* -j says it once, in the result's place. */
static void warn_of_version(struct cli *cli, const struct json_object *reply)
{
	char safe[64];
	const char *version;

	if (cli->json || json__get_str(reply, "version", &version) || !strcmp(version, PP_VERSION))
		return;
	fprintf(stderr, "pulseprof: this is version %s, the daemon is version %s\n", PP_VERSION,
		view__safe(version, safe, sizeof(safe)));
}

int daemon__ask(struct cli *cli, const char *run_dir, const struct daemon_question *question,
		struct json_object **ret_reply)
{
	char *argv[] = { (char[]){ "pulseprof" }, (char[]){ "--run-dir" }, (char *)run_dir, NULL };
	_auto_json_ struct json_object *reply = NULL;
	_auto_buf_ struct buf why = { .max_bytes = 8192 };
	struct config *config = NULL;
	struct rpc_question asked = { .version = PP_VERSION,
				      .method = question->method,
				      .params = question->params,
				      .fd = question->fd };
	bool ok = false;
	int code = CLI_DONE, err;

	err = config__load(run_dir ? 3 : 1, argv, (const char *const *)environ, &why, &config);
	if (err)
		return cli__fail(cli, cli__code_of(err), err, NULL, "%s",
				 why.data ? why.data : "the settings cannot be read");
	asked.run_dir = config__str(config, CONFIG_RUN_DIR);
	err = rpc__ask(&asked, &reply, &why);
	if (err)
		code = tell_no_reply(cli, asked.run_dir, err, why.data ? why.data : "");
	config__free(config);
	if (err)
		return code;
	warn_of_version(cli, reply);
	if (json__get_bool(reply, "ok", &ok) || !ok)
		return tell_refusal(cli, reply);
	*ret_reply = take_ptr(reply);
	return CLI_DONE;
}

int daemon__show(struct cli *cli, int argc, char **argv, const char *method, const char *member,
		 const struct view_column *columns, uint32_t column_cnt)
{
	const struct daemon_question question = { .method = method, .fd = -1 };
	_auto_json_ struct json_object *reply = NULL;
	const char *run_dir = NULL, *value = NULL;
	struct json_object *rows;
	int pos = 0, code;

	while (pos < argc) {
		int id;

		if (argv[pos][0] != '-')
			return cli__usage(cli, "unexpected word '%s'", argv[pos]);
		id = cli__option(cli, argc, argv, &pos, &value);
		if (id == CLI_OPTION_HELP)
			return cli__print_help(cli, cli->command->object);
		if (id < 0)
			return CLI_USAGE;
		if (id == DAEMON_OPTION_RUN_DIR)
			run_dir = value;
	}
	code = daemon__ask(cli, run_dir, &question, &reply);
	if (code)
		return code;
	if (json__get_array(reply, member, &rows))
		return cli__fail(cli, CLI_FAILED, -EBADMSG, NULL, "the reply has no '%s'", member);
	return view__print_rows(cli, rows, columns, column_cnt);
}

const struct cli_option daemon_options[] = {
	{ DAEMON_OPTION_RUN_DIR, "run-dir", "DIR",
	  "where the daemon's socket is (as its settings say)" },
	{ CLI_OPTION_JSON, "json", NULL, "as JSON (-j)" },
	{ CLI_OPTION_PRETTY, "pretty", NULL, "the same, indented (-p)" },
	{ CLI_OPTION_HELP, "help", NULL, "this text (-h)" },
	{ 0 },
};

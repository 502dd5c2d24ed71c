/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof session list|start|stop|change: the runs of the daemon on this host, the studio's and the operator's
 * own. None of these waits for a run.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/encode.h"
#include "pp/spec.h"

enum {
	OPTION_RATE = DAEMON_OPTION_OWN,
	OPTION_DURATION,
	OPTION_IDLE,
	OPTION_INLINE,
	OPTION_EVENT,
	OPTION_FORMAT,
	OPTION_OUTPUT,
};

#define COMMON_OPTIONS                                                            \
	{ DAEMON_OPTION_RUN_DIR, "run-dir", "DIR",                                \
	  "where the daemon's socket is (as its settings say)" },                 \
		{ CLI_OPTION_JSON, "json", NULL, "as JSON (-j)" },                \
		{ CLI_OPTION_PRETTY, "pretty", NULL, "the same, indented (-p)" }, \
		{ CLI_OPTION_HELP, "help", NULL, "this text (-h)" },              \
	{                                                                         \
		0                                                                 \
	}

const struct cli_option session_start_options[] = {
	TARGET_OPTIONS,
	{ OPTION_RATE, "rate", "HZ", "samples a second and CPU, 1 to 10000 (99)" },
	{ OPTION_DURATION, "duration", "S", "seconds (60)" },
	{ OPTION_IDLE, "idle", NULL, "sample idle CPUs too" },
	{ OPTION_EVENT, "event", "NAME", "sample this event ('counter list') in place of time" },
	{ OPTION_INLINE, "inline", NULL, "inlined functions too, and source lines (pprof)" },
	{ OPTION_OUTPUT, "output", "FILE", "a new file for the profile; else it is uploaded" },
	{ OPTION_FORMAT, "format", "FORMAT",
	  "of that file: html (a flame graph), collapsed or pprof" },
	COMMON_OPTIONS,
};
const struct cli_option session_change_options[] = { TARGET_OPTIONS, COMMON_OPTIONS };

/* What the words say. */
struct wish {
	struct session_spec spec;
	const char *id; /* NULL: none */
	const char *run_dir, *format, *output;
	bool has_target;
};

static int take_option(struct cli *cli, int id, const char *value, struct wish *wish)
{
	struct session_spec *spec = &wish->spec;
	const char *why = NULL;
	int err = target__take(spec, id, value, &why);

	wish->has_target = wish->has_target || target__is_option(id);
	switch (id) {
	case OPTION_RATE: err = session_spec__set_rate(spec, value, &why); break;
	case OPTION_DURATION: err = session_spec__set_duration(spec, value, &why); break;
	case OPTION_IDLE: spec->idle = true; break;
	case OPTION_INLINE: spec->inlined = true; break;
	case OPTION_EVENT: err = session_spec__set_event(spec, value, &why); break;
	case OPTION_OUTPUT: wish->output = value; break;
	case OPTION_FORMAT: wish->format = value; break;
	case DAEMON_OPTION_RUN_DIR: wish->run_dir = value; break;
	default: break;
	}
	if (err)
		return cli__usage(cli, "'%s': %s", value, why ? why : errname(err));
	if (id == OPTION_FORMAT && !encode_format__find(value))
		return cli__usage(cli, "no format '%s': html, collapsed, pprof", value);
	if (id == OPTION_OUTPUT && !*value)
		return cli__usage(cli, "option '--output' needs a value: FILE");
	return CLI_DONE;
}

/* -1: go on; else an exit code. */
static int parse(struct cli *cli, int argc, char **argv, bool has_id, struct wish *wish)
{
	const char *value = NULL;
	int pos = 0, code, id;

	session_spec__init(&wish->spec);
	wish->spec.duration_s = SPEC_DURATION_DEFAULT_S;
	while (pos < argc) {
		if (argv[pos][0] != '-' && has_id && !wish->id) {
			wish->id = argv[pos++];
			continue;
		}
		if (argv[pos][0] != '-' || !argv[pos][1])
			return cli__usage(cli, "unexpected word '%s'", argv[pos]);
		id = cli__option(cli, argc, argv, &pos, &value);
		if (id == CLI_OPTION_HELP)
			return cli__print_help(cli, "session");
		code = id < 0 ? CLI_USAGE : take_option(cli, id, value, wish);
		if (code)
			return code;
	}
	if (has_id && !wish->id)
		return cli__usage(cli, "the ID of a session is missing, 'session list' shows them");
	if (wish->spec.children && !wish->spec.pid_cnt)
		return cli__usage(cli, "--children needs --pid");
	if (wish->format && !wish->output)
		return cli__usage(cli, "--format needs --output");
	return -1;
}

static int add_session(struct json_object *params, const struct session_spec *spec)
{
	struct json_object *json = NULL;
	int err = session_spec__to_json(spec, &json);

	return err ? err : json__add(params, "session", json);
}

/* Opened here: what this user may not write, the daemon does not write for him. */
static int open_output(struct cli *cli, const char *path, int *ret_fd)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return cli__fail(cli, CLI_FAILED, -errno, NULL, "'%s' cannot be made: %s", path,
				 strerror(errno));
	*ret_fd = fd;
	return CLI_DONE;
}

int cmd_session_list(struct cli *cli, int argc, char **argv)
{
	static const struct view_column columns[] = {
		{ "id", false },      { "origin", false }, { "state", false },
		{ "rate_hz", false }, { "target", false }, { "elapsed_s", false },
		{ "samples", false }, { "lost", false },   { "reason", true },
	};

	return daemon__show(cli, argc, argv, "session.list", "sessions", columns,
			    ARRAY_SIZE(columns));
}

int cmd_session_start(struct cli *cli, int argc, char **argv)
{
	_auto_json_ struct json_object *params = json__new_object(), *reply = NULL;
	struct daemon_question question = { "session.start", params, -1 };
	int fd _auto_close_ = -1;
	struct wish wish = { 0 };
	const char *id = "";
	int code = parse(cli, argc, argv, false, &wish), err;

	if (code >= 0)
		return code;
	err = add_session(params, &wish.spec);
	if (!err && wish.format)
		err = json__add_str(params, "format", wish.format);
	if (err)
		return cli__fail(cli, CLI_FAILED, err, NULL, "out of memory");
	code = wish.output ? open_output(cli, wish.output, &fd) : CLI_DONE;
	if (code)
		return code;
	question.fd = fd;
	code = daemon__ask(cli, wish.run_dir, &question, &reply);
	if (code && wish.output)
		(void)unlink(wish.output); /* it is ours and empty */
	if (code)
		return code;
	(void)json__get_str(reply, "id", &id); /* each reply has one */
	if (cli->json)
		view__print_json(cli, reply);
	else
		fprintf(stdout, "%s\n", id);
	return CLI_DONE;
}

static int tell_session(struct cli *cli, const char *method, struct wish *wish,
			struct json_object *params)
{
	const struct daemon_question question = { method, params, -1 };
	_auto_json_ struct json_object *reply = NULL;
	int code;

	if (json__add_str(params, "id", wish->id))
		return cli__fail(cli, CLI_FAILED, -ENOMEM, NULL, "out of memory");
	code = daemon__ask(cli, wish->run_dir, &question, &reply);
	if (!code && cli->json)
		view__print_json(cli, reply);
	return code;
}

int cmd_session_stop(struct cli *cli, int argc, char **argv)
{
	_auto_json_ struct json_object *params = json__new_object();
	struct wish wish = { 0 };
	int code = parse(cli, argc, argv, true, &wish);

	return code >= 0 ? code : tell_session(cli, "session.stop", &wish, params);
}

int cmd_session_change(struct cli *cli, int argc, char **argv)
{
	_auto_json_ struct json_object *params = json__new_object();
	struct wish wish = { 0 };
	int code = parse(cli, argc, argv, true, &wish);

	if (code >= 0)
		return code;
	if (!wish.has_target)
		return cli__usage(cli, "--pid, --comm, --cgroup or another target is missing");
	if (add_session(params, &wish.spec))
		return cli__fail(cli, CLI_FAILED, -ENOMEM, NULL, "out of memory");
	return tell_session(cli, "session.change", &wish, params);
}

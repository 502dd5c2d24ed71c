/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof profile record: words to a request, everything that can fail checked before anything is
 * loaded, then the run, the bytes and the summary.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/encode.h"
#include "pp/profile.h"
#include "run.h"

enum {
	OPTION_RATE = CLI_OPTION_OWN,
	OPTION_DURATION,
	OPTION_IDLE,
	OPTION_INLINE,
	OPTION_FORMAT,
	OPTION_OUTPUT,
	OPTION_STRICT,
	OPTION_EVENT,
};

const struct cli_option record_options[] = {
	TARGET_OPTIONS,
	{ OPTION_RATE, "rate", "HZ", "samples a second and CPU, 1 to 10000 (99)" },
	{ OPTION_DURATION, "duration", "S", "seconds; else until the command ends, or Ctrl-C" },
	{ OPTION_EVENT, "event", "NAME", "in place of time, see 'counter list'; up to 4 of them" },
	{ OPTION_IDLE, "idle", NULL, "sample idle CPUs too" },
	{ OPTION_INLINE, "inline", NULL, "inlined functions too, and source lines (pprof)" },
	{ OPTION_FORMAT, "format", "FORMAT", "html (a flame graph), collapsed or pprof" },
	{ OPTION_OUTPUT, "output", "FILE", "'-' for stdout (pulseprof-HOST-TIME.html)" },
	{ OPTION_STRICT, "strict", NULL, "exit with 5 if samples were lost, or over 0.5 % missed" },
	{ CLI_OPTION_JSON, "json", NULL, "end with one JSON object (-j)" },
	{ CLI_OPTION_PRETTY, "pretty", NULL, "the same, indented (-p)" },
	{ CLI_OPTION_HELP, "help", NULL, "this text (-h)" },
	{ 0 },
};

static int take_format(struct cli *cli, const char *value, struct request *request)
{
	char names[256];
	size_t len = 0;

	request->format = encode_format__find(value);
	if (request->format)
		return CLI_DONE;
	names[0] = '\0';
	for (uint32_t i = 0; encode_format__at(i) && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
					encode_format__at(i)->name);
	return cli__usage(cli, "no format '%s': %s", value, names);
}

static int take_event(struct cli *cli, const char *value, struct request *request)
{
	struct session_spec spec;
	const char *why;

	if (session_spec__set_event(&spec, value, &why))
		return cli__usage(cli, "'%s': %s", value, why);
	if (request->event_cnt == RUNS_MAX)
		return cli__usage(cli, "at most %d events at once", RUNS_MAX);
	for (uint32_t i = 0; i < request->event_cnt; i++)
		if (!strcmp(request->events[i], spec.event))
			return cli__usage(cli, "event '%s' was named before", value);
	memcpy(request->events[request->event_cnt++], spec.event, sizeof(spec.event));
	return CLI_DONE;
}

static int take_option(struct cli *cli, int id, const char *value, struct request *request)
{
	struct session_spec *spec = &request->spec;
	const char *why = NULL;
	int err = target__take(spec, id, value, &why);

	switch (id) {
	case OPTION_RATE: err = session_spec__set_rate(spec, value, &why); break;
	case OPTION_DURATION: err = session_spec__set_duration(spec, value, &why); break;
	case OPTION_IDLE: spec->idle = true; break;
	case OPTION_INLINE: spec->inlined = true; break;
	case OPTION_STRICT: request->strict = true; break;
	case OPTION_OUTPUT: request->path = value; break;
	case OPTION_FORMAT: return take_format(cli, value, request);
	case OPTION_EVENT: return take_event(cli, value, request);
	default: break;
	}
	if (err)
		return cli__usage(cli, "'%s': %s", value, why ? why : errname(err));
	if (id == OPTION_OUTPUT && !*value)
		return cli__usage(cli, "option '--output' needs a value: FILE");
	return CLI_DONE;
}

/* -1: go on; else an exit code. */
static int parse(struct cli *cli, int argc, char **argv, struct request *request)
{
	const char *value = NULL;
	int pos = 0, code;

	session_spec__init(&request->spec);
	request->spec.duration_s = 0;
	request->format = encode_format__find("html");
	while (pos < argc && strcmp(argv[pos], "--")) {
		int id;

		if (argv[pos][0] != '-' || !argv[pos][1])
			return cli__usage(cli, "unexpected word '%s' (a command stands after --)",
					  argv[pos]);
		id = cli__option(cli, argc, argv, &pos, &value);
		if (id == CLI_OPTION_HELP)
			return cli__print_help(cli, "profile");
		code = id < 0 ? CLI_USAGE : take_option(cli, id, value, request);
		if (code)
			return code;
	}
	if (pos < argc && pos + 1 >= argc)
		return cli__usage(cli, "a command is missing after --");
	if (pos < argc)
		request->argv = argv + pos + 1;
	if (request->event_cnt > 1 && request->path && !strcmp(request->path, "-"))
		return cli__usage(cli, "several events are not one output: --output FILE");
	if (request->argv && request->spec.pid_cnt)
		return cli__usage(cli, "--pid and a command: only one of them");
	if (request->spec.children && !request->spec.pid_cnt && !request->argv)
		return cli__usage(cli, "--children needs --pid");
	return -1;
}

static int tell_output_error(struct cli *cli, const struct output *output, int err, bool is_late)
{
	char hint[4400] = "";

	if (output->kept[0])
		snprintf(hint, sizeof(hint), "the profile was kept in '%s'", output->kept);
	else if (is_late)
		snprintf(hint, sizeof(hint), "the profile is lost");
	return cli__fail(cli, CLI_FAILED, err, hint, "'%s' cannot be written: %s", output->path,
			 strerror(-err));
}

/*
 * What the kernel did not deliver counts from 0.5 % on: a timer that was due as the events went off is
 * missed on every CPU, and means nothing. Nor does what an idle CPU's timer missed.
 */
static bool has_losses(const struct profile *profile)
{
	const struct profile_account *account = &profile->account;

	return account->lost || account->missed - account->missed_idle >
					(uint64_t)profile->meta.cpu_cnt + account->expected / 200;
}

static int deliver(struct cli *cli, struct report *report, struct output *output)
{
	const struct request *request = report->request;
	int err = output__write(output, request->format, report->profile);

	if (output->encode_err)
		return cli__fail(cli, CLI_FAILED, output->encode_err, NULL,
				 "the profile cannot be encoded (%s)", errname(output->encode_err));
	if (err)
		return tell_output_error(cli, output, err, true);
	err = report__print(cli, report);
	if (err)
		return cli__fail(cli, CLI_FAILED, err, NULL, "no memory for the summary");
	return request->strict && has_losses(report->profile) ? CLI_LOSSES : CLI_DONE;
}

/* Of the first that fails; losses are told by all. */
static int deliver_all(struct cli *cli, struct report *report, struct profile **profiles,
		       struct output *outputs)
{
	int code = CLI_DONE;

	for (uint32_t i = 0; i < max_of(report->request->event_cnt, 1u); i++) {
		int one;

		report->profile = profiles[i];
		report->output = &outputs[i];
		one = deliver(cli, report, &outputs[i]);
		if (one && one != CLI_LOSSES)
			return one;
		code = one ?: code;
	}
	return code;
}

/* The command exists from before the first thread on, and is held until sampling is on. */
static int record(struct cli *cli, struct request *request, const struct targets *targets,
		  struct output *outputs)
{
	struct command command = { .go_fd = -1, .failed_fd = -1 };
	struct profile *profiles[RUNS_MAX] = { NULL };
	struct report report = { .request = request, .targets = targets };
	int code, err;

	if (request->argv) {
		err = command__start(&command, cli, request->argv);
		if (err)
			return cli__fail(cli, CLI_FAILED, err, NULL, "no process for '%s' (%s)",
					 request->argv[0], errname(err));
		request->spec.children = true;
		(void)session_spec__add_pid_num(&request->spec, command.pid, NULL);
		report.command = &command;
	}
	code = recording__run(cli, request, request->argv ? &command : NULL, targets, profiles,
			      &report.end);
	if (!code)
		code = deliver_all(cli, &report, profiles, outputs);
	for (uint32_t i = 0; i < RUNS_MAX; i++)
		profile__free(profiles[i]);
	command__close(&command);
	return code;
}

/* One for each event; without a name of its own an event has its in the file's. */
static int open_outputs(struct cli *cli, const struct request *request, struct output *outputs,
			uint32_t *ret_cnt)
{
	for (uint32_t i = 0; i < max_of(request->event_cnt, 1u); i++) {
		int err = output__open(&outputs[i], request->path,
				       request->event_cnt > 1 ? request->events[i] : NULL,
				       request->format->extension);

		*ret_cnt = i + 1;
		if (err)
			return tell_output_error(cli, &outputs[i], err, false);
	}
	return 0;
}

int cmd_profile_record(struct cli *cli, int argc, char **argv)
{
	struct request request = { 0 };
	struct targets targets = { 0 };
	struct output outputs[RUNS_MAX];
	uint32_t output_cnt = 0;
	int code;

	code = parse(cli, argc, argv, &request);
	if (code >= 0)
		return code;
	code = open_outputs(cli, &request, outputs, &output_cnt);
	if (!code)
		code = targets__open(&targets, cli, &request.spec);
	if (!code)
		code = record(cli, &request, &targets, outputs);
	targets__close(&targets);
	for (uint32_t i = 0; i < output_cnt; i++)
		output__close(&outputs[i]);
	return code;
}

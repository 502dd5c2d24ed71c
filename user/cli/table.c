/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one table of commands: it drives dispatch, `help` and usage lines. Words and options may be cut
 * short as long as they stay unambiguous; else the candidates are listed.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"

static int cmd_version(struct cli *cli, int argc, char **argv);
static int cmd_help(struct cli *cli, int argc, char **argv);

static const struct cli_command commands[] = {
	{ "profile", "record", "[OPTIONS] [-- COMMAND [ARGS]]",
	  "sample the CPU stacks of this host, of processes or of a command", record_options,
	  cmd_profile_record },
	{ "session", "list", "[OPTIONS]",
	  "what the daemon of this host profiles, and its last local sessions", daemon_options,
	  cmd_session_list },
	{ "session", "start", "[OPTIONS]",
	  "let the daemon profile, beside what the studio asks for", session_start_options,
	  cmd_session_start },
	{ "session", "stop", "ID [OPTIONS]", "end one early; what was collected is kept",
	  daemon_options, cmd_session_stop },
	{ "session", "change", "ID [OPTIONS]", "another target for a local one, without a gap",
	  session_change_options, cmd_session_change },
	{ "counter", "list", "", "the events that this machine counts, and why not the others",
	  NULL, cmd_counter_list },
	{ "counter", "stat", "[OPTIONS] [-- COMMAND [ARGS]]",
	  "counters and metrics by CPU, cgroup, container or process", counter_stat_options,
	  cmd_counter_stat },
	{ "metrics", "show", "[OPTIONS]", "the daemon's counters since its start", daemon_options,
	  cmd_metrics_show },
	{ "command", "list", "[OPTIONS]",
	  "the studio's commands that the daemon knows, their states", daemon_options,
	  cmd_command_list },
	{ "feature", "probe", "",
	  "what this kernel and these permissions allow, and what is missing", NULL,
	  cmd_feature_probe },
	{ "prog", "list", "", "our programs in the kernel", NULL, cmd_prog_list },
	{ "map", "list", "", "our maps in the kernel", NULL, cmd_map_list },
	{ "link", "list", "", "our links in the kernel: none while nothing is profiled", NULL,
	  cmd_link_list },
	{ "symbol", "explain", "PID ADDR",
	  "the name of an address of a process, or why there is none", unwind_options,
	  cmd_symbol_explain },
	{ "unwind", "show", "PID", "how the stacks of a process are unwound, range by range",
	  unwind_options, cmd_unwind_show },
	{ "unwind", "explain", "PID ADDR [OPTIONS]",
	  "mapping, page, row and rule at an address, and what would be read", explain_options,
	  cmd_unwind_explain },
	{ "unwind", "dump", "FILE", "every unwind row of an ELF file, and the sums", unwind_options,
	  cmd_unwind_dump },
	{ "version", NULL, "", "the version of this program", NULL, cmd_version },
	{ "help", NULL, "[OBJECT]", "this text, or that of one object", NULL, cmd_help },
};

static const struct cli_option global_options[] = {
	{ CLI_OPTION_JSON, "json", NULL, "results and errors as JSON (-j)" },
	{ CLI_OPTION_PRETTY, "pretty", NULL, "the same, indented (-p)" },
	{ CLI_OPTION_HELP, "help", NULL, "this text (-h)" },
	{ CLI_OPTION_OWN, "version", NULL, "the version (-V)" },
	{ 0 },
};

static int cmd_version(struct cli *cli, int argc, char **argv)
{
	_auto_json_ struct json_object *json = NULL;

	if (argc)
		return cli__usage(cli, "unexpected word '%s'", argv[0]);
	if (!cli->json) {
		fprintf(stdout, "pulseprof %s\n", PP_VERSION);
		return CLI_DONE;
	}
	json = json__new_object();
	(void)json__add_str(json, "version", PP_VERSION); /* out of memory: printed without */
	view__print_json(cli, json);
	return CLI_DONE;
}

static bool is_cut_from(const char *word, size_t len, const char *whole)
{
	return !strncmp(word, whole, len);
}

/* Objects and verbs that a word may mean; those of one object stand together in the table. */
struct match {
	struct buf names;
	uint32_t cnt;
	uint32_t first;
	bool is_exact;
};

static void add_match(struct match *match, const char *word, size_t len, const char *name,
		      uint32_t i)
{
	if (match->is_exact || !is_cut_from(word, len, name))
		return;
	if (!name[len]) {
		match->is_exact = true;
		match->cnt = 0;
	}
	if (!match->cnt++)
		match->first = i;
	buf__printf(&match->names, "%s%s", match->names.len ? ", " : "", name);
}

static struct match match_object(const char *word)
{
	struct match match = { 0 };

	buf__init(&match.names, 4096);
	for (uint32_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!i || strcmp(commands[i].object, commands[i - 1].object))
			add_match(&match, word, strlen(word), commands[i].object, i);
	}
	return match;
}

static struct match match_verb(const char *object, const char *word)
{
	struct match match = { 0 };

	buf__init(&match.names, 4096);
	for (uint32_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].verb && !strcmp(commands[i].object, object))
			add_match(&match, word, strlen(word), commands[i].verb, i);
	}
	return match;
}

/* The one row that is meant, or NULL after having told why there is none. */
static const struct cli_command *only_match(struct cli *cli, struct match *match, const char *kind,
					    const char *word)
{
	const struct cli_command *command = NULL;

	if (match->cnt == 1)
		command = &commands[match->first];
	else if (match->cnt)
		(void)cli__usage(cli, "%s '%s' may mean: %s", kind, word, match->names.data);
	else
		(void)cli__usage(cli, "no %s '%s', 'pulseprof help' lists them", kind, word);
	buf__clear(&match->names);
	return command;
}

int cli__dispatch(struct cli *cli, int argc, char **argv)
{
	const struct cli_command *command;
	struct match match;

	if (!argc)
		return cli__usage(cli, "an object is missing, 'pulseprof help' lists them");
	match = match_object(argv[0]);
	command = only_match(cli, &match, "object", argv[0]);
	if (!command)
		return CLI_USAGE;
	if (!command->verb) {
		cli->command = command;
		return command->run(cli, argc - 1, argv + 1);
	}
	if (argc < 2)
		return cli__usage(cli, "a command is missing, 'pulseprof %s help' lists them",
				  command->object);
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return cli__print_help(cli, command->object);
	match = match_verb(command->object, argv[1]);
	command = only_match(cli, &match, "command", argv[1]);
	if (!command)
		return CLI_USAGE;
	cli->command = command;
	return command->run(cli, argc - 2, argv + 2);
}

static const struct cli_option *find_option(struct cli *cli, const struct cli_option *options,
					    const char *word, size_t len)
{
	struct match match = { 0 };
	const struct cli_option *option = NULL;

	buf__init(&match.names, 4096);
	for (uint32_t i = 0; options && options[i].name; i++)
		add_match(&match, word, len, options[i].name, i);
	if (match.cnt == 1)
		option = &options[match.first];
	else if (match.cnt)
		(void)cli__usage(cli, "option '--%.*s' may mean: %s", (int)len, word,
				 match.names.data);
	else
		(void)cli__usage(cli, "no option '--%.*s'", (int)len, word);
	buf__clear(&match.names);
	return option;
}

/* "-jp" is "-j -p"; of several that end it all the first counts. */
static int short_options(struct cli *cli, const char *word)
{
	int id = word[1] ? CLI_OPTION_JSON : -1;

	for (const char *letter = word + 1; *letter && id != -1; letter++) {
		int ends = *letter == 'h'		   ? CLI_OPTION_HELP :
			   *letter == 'V' && !cli->command ? CLI_OPTION_OWN :
							     -1;

		cli->json = cli->json || *letter == 'j' || *letter == 'p';
		cli->pretty = cli->pretty || *letter == 'p';
		if (*letter != 'j' && *letter != 'p')
			id = ends == -1 || id == CLI_OPTION_JSON ? ends : id;
	}
	if (id == -1)
		(void)cli__usage(cli, "no option '%s'", word);
	return id;
}

int cli__option(struct cli *cli, int argc, char **argv, int *pos, const char **ret_value)
{
	const char *word = argv[(*pos)++];
	const struct cli_option *option;
	size_t len;

	if (word[1] != '-')
		return short_options(cli, word);
	word += 2;
	len = strcspn(word, "=");
	option = find_option(cli, cli->command ? cli->command->options : global_options, word, len);
	if (!option)
		return -1;
	if (!option->arg && word[len]) {
		(void)cli__usage(cli, "option '--%s' takes no value", option->name);
		return -1;
	}
	if (option->arg && !word[len] && *pos >= argc) {
		(void)cli__usage(cli, "option '--%s' needs a value: %s", option->name, option->arg);
		return -1;
	}
	if (option->arg)
		*ret_value = word[len] ? word + len + 1 : argv[(*pos)++];
	if (option->id == CLI_OPTION_JSON || option->id == CLI_OPTION_PRETTY)
		cli->json = true;
	if (option->id == CLI_OPTION_PRETTY)
		cli->pretty = true;
	return option->id;
}

static void print_options(const struct cli_option *options)
{
	for (; options && options->name; options++) {
		int len = printf("  --%s%s%s", options->name, options->arg ? " " : "",
				 options->arg ? options->arg : "");

		printf("%*s%s\n", len < 24 ? 24 - len : 1, "", options->help);
	}
}

static void print_command(const struct cli_command *command)
{
	printf("  %s%s%s%s%s\n      %s\n", command->object, command->verb ? " " : "",
	       command->verb ? command->verb : "", *command->args ? " " : "", command->args,
	       command->help);
}

/* An option as an object; the short letters of the global ones stand in their help. */
static int add_options(struct json_object *row, const struct cli_option *options)
{
	struct json_object *list = json__new_array();
	int err = json__add(row, "options", list);

	for (; !err && options && options->name; options++) {
		struct json_object *option = json__new_object();

		err = json__add_str(option, "name", options->name);
		if (!err)
			err = json__add_str(option, "arg", options->arg ? options->arg : "");
		if (!err)
			err = json__add_str(option, "help", options->help);
		if (!err)
			err = json__add(list, NULL, option);
		else
			json__put(option);
	}
	return err;
}

static int add_command(struct json_object *rows, const struct cli_command *command)
{
	struct json_object *row = json__new_object();
	int err = json__add_str(row, "object", command->object);

	if (!err)
		err = json__add_str(row, "command", command->verb ? command->verb : "");
	if (!err)
		err = json__add_str(row, "args", command->args);
	if (!err)
		err = json__add_str(row, "help", command->help);
	if (!err)
		err = add_options(row, command->options);
	if (err) {
		json__put(row);
		return err;
	}
	return json__add(rows, NULL, row);
}

static int print_help_json(struct cli *cli, const char *object)
{
	_auto_json_ struct json_object *rows = json__new_array();
	int err = rows ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < ARRAY_SIZE(commands) && !err; i++) {
		if (!object || !strcmp(commands[i].object, object))
			err = add_command(rows, &commands[i]);
	}
	if (err)
		return cli__fail(cli, CLI_FAILED, err, NULL, "out of memory");
	view__print_json(cli, rows);
	return CLI_DONE;
}

static void print_all_help(void)
{
	printf("pulseprof %s: CPU profiles of this host, with or without its daemon\n\n"
	       "Usage: pulseprof [OPTIONS] OBJECT { COMMAND | help }\n\n",
	       PP_VERSION);
	for (uint32_t i = 0; i < ARRAY_SIZE(commands); i++)
		print_command(&commands[i]);
	printf("\nOptions:\n");
	print_options(global_options);
	printf("\nWords and options may be cut short as long as they are unambiguous.\n"
	       "Exit status: 0 done, 1 failed, 2 usage, 3 no daemon, 4 not possible here\n"
	       "(kernel or permission), 5 losses under --strict.\n");
}

int cli__print_help(struct cli *cli, const char *object)
{
	if (cli->json)
		return print_help_json(cli, object);
	if (!object)
		print_all_help();
	for (uint32_t i = 0; object && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].object, object))
			continue;
		print_command(&commands[i]);
		if (commands[i].options) {
			printf("\n");
			print_options(commands[i].options);
		}
	}
	return CLI_DONE;
}

static int cmd_help(struct cli *cli, int argc, char **argv)
{
	const struct cli_command *command = NULL;
	struct match match;

	if (argc > 1)
		return cli__usage(cli, "unexpected word '%s'", argv[1]);
	if (argc) {
		match = match_object(argv[0]);
		command = only_match(cli, &match, "object", argv[0]);
		if (!command)
			return CLI_USAGE;
	}
	return cli__print_help(cli, command ? command->object : NULL);
}

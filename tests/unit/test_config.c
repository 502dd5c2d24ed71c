/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config: every value knows where it came from, the later source wins, and what is wrong is named with
 * its place. The token and the agent's command lines are in test_config_agent.c.
 */
#include "config_rig.h"

static int load_file(const char *file, struct config **ret_config)
{
	return load(file, NULL, NULL, ret_config);
}

static void defaults_stand_where_nothing_is_said(void **state)
{
	_auto_config_ struct config *config = NULL;

	assert_int_equal(load_file("", &config), 0);
	assert_false(config__bool(config, CONFIG_ENABLE_HEARTBEAT_SERVER));
	assert_int_equal(config__uint(config, CONFIG_HEARTBEAT_INTERVAL), 30);
	assert_string_equal(config__str(config, CONFIG_STATE_DIR), "/var/lib/pulseprof");
	assert_string_equal(config__str(config, CONFIG_SERVICE_NAME), "");
	for (int id = 0; id < CONFIG_CNT; id++)
		assert_int_equal(config__origin(config, (enum config_id)id), CONFIG_DEFAULT);
}

static void flag_beats_environment_beats_file(void **state)
{
	_auto_config_ struct config *config = NULL;

	assert_int_equal(load("heartbeat_interval = 1\nservice_name = f\nserver_host = http://f\n",
			      LIST("GPROFILER_HEARTBEAT_INTERVAL=2", "GPROFILER_SERVICE_NAME=e",
				   "GPROFILER_API_SERVER="),
			      LIST("--heartbeat-interval=3"), &config),
			 0);
	assert_int_equal(config__uint(config, CONFIG_HEARTBEAT_INTERVAL), 3);
	assert_int_equal(config__origin(config, CONFIG_HEARTBEAT_INTERVAL), CONFIG_FLAG);
	assert_string_equal(config__str(config, CONFIG_SERVICE_NAME), "e");
	assert_int_equal(config__origin(config, CONFIG_SERVICE_NAME), CONFIG_ENVIRONMENT);
	assert_string_equal(config__str(config, CONFIG_SERVER_HOST), "http://f");
	assert_int_equal(config__origin(config, CONFIG_SERVER_HOST), CONFIG_FILE);
	assert_int_equal(config__origin(config, CONFIG_API_SERVER), CONFIG_DEFAULT);
}

static void the_agents_flags_are_understood(void **state)
{
	_auto_config_ struct config *config = NULL;

	assert_int_equal(load("", NULL,
			      LIST("--enable-heartbeat-server", "--upload-results",
				   "--service-name", "web", "--api-server", "http://127.0.0.1:8090",
				   "--server-host=http://127.0.0.1:8091", "--heartbeat-interval",
				   "5"),
			      &config),
			 0);
	assert_true(config__bool(config, CONFIG_ENABLE_HEARTBEAT_SERVER));
	assert_true(config__bool(config, CONFIG_UPLOAD_RESULTS));
	assert_string_equal(config__str(config, CONFIG_SERVICE_NAME), "web");
	assert_string_equal(config__str(config, CONFIG_API_SERVER), "http://127.0.0.1:8090");
	assert_string_equal(config__str(config, CONFIG_SERVER_HOST), "http://127.0.0.1:8091");
	assert_int_equal(config__uint(config, CONFIG_HEARTBEAT_INTERVAL), 5);
}

static void a_boolean_has_eight_spellings(void **state)
{
	static const char *const yes[] = { "yes", "true", "1", "on", "True", "YES" };
	static const char *const no[] = { "no", "false", "0", "off", "False" };
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		_auto_config_ struct config *config = NULL;

		snprintf(text, sizeof(text), "upload_results=%s", yes[i]);
		assert_int_equal(load_file(text, &config), 0);
		assert_true(config__bool(config, CONFIG_UPLOAD_RESULTS));
	}
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		_auto_config_ struct config *config = NULL;

		snprintf(text, sizeof(text), "--upload-results=%s", no[i]);
		assert_int_equal(load("upload_results = yes", NULL, LIST(text), &config), 0);
		assert_false(config__bool(config, CONFIG_UPLOAD_RESULTS));
	}
}

static void lines_may_have_quotes_comments_and_blanks(void **state)
{
	static const struct {
		const char *line, *value;
	} cases[] = {
		{ "service_name = a b", "a b" },
		{ "  service_name=a#b  ", "a#b" },
		{ "\tservice_name\t=\ta\t# why", "a" },
		{ "service_name = \"a # b\" # why", "a # b" },
		{ "service_name = ' a\"b '", " a\"b " },
		{ "service_name = a=b\r\n", "a=b" },
		{ "service_name =", "" },
		{ "service_name = # nothing", "" },
		{ "service_name = \"\"", "" },
		{ "# a comment\n\n  # another\nservice_name = x", "x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_auto_config_ struct config *config = NULL;

		assert_int_equal(load_file(cases[i].line, &config), 0);
		assert_string_equal(config__str(config, CONFIG_SERVICE_NAME), cases[i].value);
		assert_int_equal(config__origin(config, CONFIG_SERVICE_NAME), CONFIG_FILE);
	}
}

static void a_wrong_line_is_named_with_file_and_number(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "\n\nspeed = 3", ":3: unknown setting 'speed'" },
		{ "service-name = x", ":1: unknown setting 'service-name'" },
		{ "service_name", ":1: expected 'name = value'" },
		{ "= x", ":1: unknown setting ''" },
		{ "log_level = info\nlog_level = info", ":2: 'log_level' was set before" },
		{ "service_name = \"x", ":1: 'service_name' has a quote that does not end" },
		{ "service_name = \"x\" y", ":1: 'service_name' has a quote that does not end" },
		{ "upload_results = maybe", ":1: 'upload_results' must be yes or no" },
		{ "upload_results =", ":1: 'upload_results' must be yes or no" },
		{ "heartbeat_interval = 0",
		  ":1: 'heartbeat_interval' must be a whole number from 1 to 86400" },
		{ "heartbeat_interval = 86401",
		  ":1: 'heartbeat_interval' must be a whole number from 1 to 86400" },
		{ "heartbeat_interval = 99999999999999999999",
		  ":1: 'heartbeat_interval' must be a whole number from 1 to 86400" },
		{ "heartbeat_interval = 30s",
		  ":1: 'heartbeat_interval' must be a whole number from 1 to 86400" },
		{ "profiling_frequency = -1",
		  ":1: 'profiling_frequency' must be a whole number from 1 to 10000" },
		{ "log_level = loud", ":1: 'log_level' must be error, warn, info or debug" },
		{ "service_name = a\x1b[1m",
		  ":1: 'service_name' must not hold control characters" },
		{ "token = secret", ":1: 'token' does not belong in this file, name a token_file" },
	};
	struct config *config = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char expected[256];

		snprintf(expected, sizeof(expected), "%s%s", conf_path, cases[i].sentence);
		assert_int_equal(load_file(cases[i].text, &config), -EINVAL);
		assert_string_equal(why.data, expected);
	}
	assert_null(config);
}

static void long_lines_and_nul_bytes_are_refused(void **state)
{
	static char text[70000];
	struct config *config = NULL;

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "service_name = ", 15);
	text[216] = '\0';
	assert_int_equal(load_file(text, &config), -EINVAL);
	assert_non_null(strstr(why.data, "must not be longer than 200 bytes"));
	text[216] = 'x';
	text[5000] = '\0';
	assert_int_equal(load_file(text, &config), -EINVAL);
	assert_non_null(strstr(why.data, ":1: the line is too long or not text"));
	text[5000] = 'x';
	assert_int_equal(load_file(text, &config), -E2BIG);
	assert_non_null(strstr(why.data, "-E2BIG"));
	write_file(conf_path, "service_name = a\0b\n", 19, 0600);
	assert_int_equal(load_file(NULL, &config), -EINVAL);
	assert_non_null(strstr(why.data, ":1: the line is too long or not text"));
	assert_null(config);
}

static void a_file_that_others_may_write_is_refused(void **state)
{
	_auto_config_ struct config *config = NULL;
	char expected[200];

	write_file(conf_path, "log_level = debug\n", 18, 0622);
	assert_int_equal(load_file(NULL, &config), -EPERM);
	snprintf(expected, sizeof(expected),
		 "config file '%s': others than root or us may write it", conf_path);
	assert_string_equal(why.data, expected);
	write_file(conf_path, "log_level = debug\n", 18, 0644);
	assert_int_equal(load_file(NULL, &config), 0);
	assert_string_equal(config__str(config, CONFIG_LOG_LEVEL), "debug");
}

static void a_named_file_must_be_there_and_be_a_file(void **state)
{
	const char *directory[] = { "PULSEPROF_CONFIG=/", NULL };
	struct config *config = NULL;

	(void)unlink(conf_path); /* it may not be there yet */
	assert_int_equal(load_file(NULL, &config), -ENOENT);
	assert_non_null(strstr(why.data, conf_path));
	buf__reset(&why);
	assert_int_equal(config__load(0, NULL, directory, &why, &config), -EBADMSG);
	assert_string_equal(why.data, "config file '/': not a regular file");
	assert_null(config);
}

static void wrong_flags_and_variables_are_named(void **state)
{
	struct config *config = NULL;

	assert_int_equal(load("", NULL, LIST("--speed"), &config), -EINVAL);
	assert_string_equal(why.data, "unknown argument '--speed'");
	assert_int_equal(load("", NULL, LIST("--service_name=x"), &config), -EINVAL);
	assert_int_equal(load("", NULL, LIST("-x"), &config), -EINVAL);
	assert_string_equal(why.data, "unknown argument '-x'");
	assert_int_equal(load("", NULL, LIST("-cx"), &config), -EINVAL);
	assert_int_equal(load("", NULL, LIST("-"), &config), -EINVAL);
	assert_int_equal(load("", NULL, LIST("-f"), &config), -EINVAL);
	assert_string_equal(why.data, "-f: needs a value");
	assert_int_equal(load("", NULL, LIST("--perf-mode"), &config), -EINVAL);
	assert_string_equal(why.data, "--perf-mode: needs a value");
	assert_int_equal(load("", NULL, LIST("upload-file"), &config), -EINVAL);
	assert_int_equal(load("", NULL, LIST("--"), &config), -EINVAL);
	assert_int_equal(load("", NULL, LIST("word"), &config), -EINVAL);
	assert_int_equal(load("", NULL, LIST("--upload-results", "no"), &config), -EINVAL);
	assert_string_equal(why.data, "unknown argument 'no'");
	assert_int_equal(load("", NULL, LIST("--service-name"), &config), -EINVAL);
	assert_string_equal(why.data, "--service-name: needs a value");
	assert_int_equal(load("", NULL, LIST("--heartbeat-interval=soon"), &config), -EINVAL);
	assert_string_equal(why.data, "--heartbeat-interval: 'heartbeat_interval' must be a whole "
				      "number from 1 to 86400");
	assert_int_equal(load("", LIST("GPROFILER_UPLOAD_RESULTS=2"), NULL, &config), -EINVAL);
	assert_string_equal(why.data,
			    "GPROFILER_UPLOAD_RESULTS: 'upload_results' must be yes or no");
	assert_null(config);
}

static int set_by(const char *prefix, const char *name, char from, char to, const char *middle,
		  const char *value)
{
	_auto_config_ struct config *config = NULL;
	char text[200];

	snprintf(text, sizeof(text), "%s%s%s%s", prefix, name, middle, value);
	for (char *c = text + strlen(prefix); *c && *c != '='; c++) {
		if (*c == from)
			*c = to;
		else if (from == 'A')
			*c = (char)toupper((unsigned char)*c);
	}
	if (from == 'A')
		return load("", LIST(text), NULL, &config);
	return from ? load("", NULL, LIST(text), &config) : load(text, NULL, NULL, &config);
}

static void each_setting_has_one_name_in_three_places(void **state)
{
	static const char *const values[] = { "x", "7", "yes", "debug", "2" };
	_auto_config_ struct config *config = NULL;
	_auto_buf_ struct buf names = { .max_bytes = 10000 };

	assert_int_equal(load_file("", &config), 0);
	assert_int_equal(config__print(config, &names), 0);
	for (char *line = strtok(names.data, "\n"); line; line = strtok(NULL, "\n")) {
		bool is_set = strstr(line, "token_file"); /* which is looked for */

		if (*line == '#')
			continue;
		*strchr(line, ' ') = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			int err = set_by("", line, '\0', '\0', " = ", values[i]);

			is_set = is_set || !err;
			assert_int_equal(set_by("PULSEPROF_", line, 'A', 'A', "=", values[i]), err);
			assert_int_equal(set_by("--", line, '_', '-', "=", values[i]), err);
		}
		assert_true(is_set);
	}
}

static void our_variable_beats_the_agents(void **state)
{
	_auto_config_ struct config *config = NULL;

	assert_int_equal(load("",
			      LIST("GPROFILER_SERVICE_NAME=agent", "PULSEPROF_SERVICE_NAME=ours"),
			      NULL, &config),
			 0);
	assert_string_equal(config__str(config, CONFIG_SERVICE_NAME), "ours");
}

static void the_file_can_be_named_by_a_flag(void **state)
{
	_auto_config_ struct config *config = NULL;
	const char *environment[] = { "PULSEPROF_CONFIG=/absent", NULL };
	char flag[100];
	char *argv[] = { (char *)"pulseprofd", (char *)"--config", conf_path, flag };

	write_file(conf_path, "service_name = f\n", 17, 0600);
	snprintf(flag, sizeof(flag), "--hostname=h");
	assert_int_equal(config__load(4, argv, environment, &why, &config), 0);
	assert_string_equal(config__str(config, CONFIG_SERVICE_NAME), "f");
	assert_string_equal(config__str(config, CONFIG_HOSTNAME), "h");
	config__free(take_ptr(config));
	snprintf(flag, sizeof(flag), "--config=/absent");
	assert_int_equal(config__load(4, argv, environment, &why, &config), -ENOENT);
	assert_int_equal(config__load(2, argv, (const char *const[]){ conf_env, NULL }, &why,
				      &config),
			 -EINVAL);
}

static void the_printed_view_loads_back_and_hides_secrets(void **state)
{
	_auto_config_ struct config *config = NULL, *back = NULL;
	_auto_buf_ struct buf text = { .max_bytes = 10000 };

	assert_int_equal(load("service_name = \"a # b\"\n", LIST("GPROFILER_TOKEN=s3cret"),
			      LIST("--hostname", " x\"", "--state-dir=#"), &config),
			 0);
	assert_int_equal(config__print(config, &text), 0);
	assert_null(strstr(text.data, "s3cret"));
	assert_non_null(strstr(text.data, "service_name = \"a # b\"  # file\n"));
	assert_non_null(strstr(text.data, "heartbeat_interval = 30  # default\n"));
	assert_non_null(strstr(text.data, "state_dir = \"#\"  # flag\n"));
	assert_non_null(strstr(text.data, "# token = ***  # environment\n"));
	assert_int_equal(load_file(text.data, &back), 0);
	for (int id = 0; id < CONFIG_CNT; id++) {
		if (id != CONFIG_TOKEN)
			assert_string_equal(config__str(back, (enum config_id)id),
					    config__str(config, (enum config_id)id));
	}
}

static void usage_lists_each_flag_but_the_token(void **state)
{
	_auto_buf_ struct buf text = { .max_bytes = 10000 };

	assert_int_equal(config__usage(&text), 0);
	assert_non_null(strstr(text.data, "  --enable-heartbeat-server  "));
	assert_non_null(strstr(text.data, "  --heartbeat-interval N  "));
	assert_non_null(strstr(text.data, "  --token-file TEXT  "));
	assert_null(strstr(text.data, "--token "));
	for (const char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1)
		assert_true(end - line < 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_stand_where_nothing_is_said),
		cmocka_unit_test(flag_beats_environment_beats_file),
		cmocka_unit_test(the_agents_flags_are_understood),
		cmocka_unit_test(a_boolean_has_eight_spellings),
		cmocka_unit_test(lines_may_have_quotes_comments_and_blanks),
		cmocka_unit_test(a_wrong_line_is_named_with_file_and_number),
		cmocka_unit_test(long_lines_and_nul_bytes_are_refused),
		cmocka_unit_test(a_file_that_others_may_write_is_refused),
		cmocka_unit_test(a_named_file_must_be_there_and_be_a_file),
		cmocka_unit_test(wrong_flags_and_variables_are_named),
		cmocka_unit_test(each_setting_has_one_name_in_three_places),
		cmocka_unit_test(our_variable_beats_the_agents),
		cmocka_unit_test(the_file_can_be_named_by_a_flag),
		cmocka_unit_test(the_printed_view_loads_back_and_hides_secrets),
		cmocka_unit_test(usage_lists_each_flag_but_the_token),
	};

	return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}

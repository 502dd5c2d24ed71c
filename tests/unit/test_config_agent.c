/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config: where the token comes from and that it does not stay in argv; the gProfiler agent's command lines
 * and variables.
 */
#include "config_rig.h"

static void a_token_on_the_command_line_is_taken_and_overwritten(void **state)
{
	static const char *const forms[][2] = { { "--token", "s3cret" },
						{ "--token=s3cret", NULL } };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		_auto_config_ struct config *config = NULL;
		char first[32], second[32] = "";

		snprintf(first, sizeof(first), "%s", forms[i][0]);
		if (forms[i][1])
			snprintf(second, sizeof(second), "%s", forms[i][1]);
		assert_int_equal(
			load("", LIST("GPROFILER_TOKEN=other"),
			     LIST(first, forms[i][1] ? second : "-u", "--log-level", "warn"),
			     &config),
			0);
		assert_string_equal(config__str(config, CONFIG_TOKEN), "s3cret");
		assert_int_equal(config__origin(config, CONFIG_TOKEN), CONFIG_FLAG);
		assert_string_equal(config__str(config, CONFIG_LOG_LEVEL), "warn");
		assert_null(strstr(first, "s3cret"));
		assert_string_equal(forms[i][1] ? second : first + 8, "******");
	}
}

static void a_token_flag_that_is_no_token_is_overwritten_too_and_not_repeated(void **state)
{
	struct config *config = NULL;
	char flag[] = "--token=s3cret\n", empty[] = "--token=", bare[] = "--token";
	char wrong_file[] = "--token=s3cret";

	assert_int_equal(load("", NULL, LIST(flag), &config), -EINVAL);
	assert_string_equal(why.data, "--token: is not a token");
	assert_string_equal(flag, "--token=*******");
	assert_int_equal(load("", NULL, LIST(empty), &config), -EINVAL);
	assert_int_equal(load("", NULL, LIST(bare), &config), -EINVAL);
	assert_string_equal(why.data, "--token: needs a value");
	/* before anything else can go wrong */
	assert_int_equal(load("speed = 1", NULL, LIST(wrong_file), &config), -EINVAL);
	assert_string_equal(wrong_file, "--token=******");
	assert_null(config);
}

static void the_token_comes_from_the_environment_or_a_file(void **state)
{
	_auto_config_ struct config *config = NULL;
	char env[100];

	snprintf(env, sizeof(env), "PULSEPROF_TOKEN_FILE=%s", token_path);
	write_file(token_path, " from-file \nsecond line\n", 24, 0600);
	assert_int_equal(load("", LIST(env), NULL, &config), 0);
	assert_string_equal(config__str(config, CONFIG_TOKEN), "from-file");
	assert_int_equal(config__origin(config, CONFIG_TOKEN), CONFIG_ENVIRONMENT);
	config__free(take_ptr(config));

	assert_int_equal(load("", LIST(env, "GPROFILER_TOKEN=from-env"), NULL, &config), 0);
	assert_string_equal(config__str(config, CONFIG_TOKEN), "from-env");
	config__free(take_ptr(config));

	write_file(token_path, "\n", 1, 0600);
	assert_int_equal(load("", LIST(env), NULL, &config), -EINVAL);
	write_file(token_path, "x", 1, 0666);
	assert_int_equal(load("", LIST(env), NULL, &config), -EPERM);
	assert_int_equal(load("", NULL, LIST("--token-file", "/absent/token"), &config), -ENOENT);
	assert_string_equal(why.data, "token file '/absent/token': -ENOENT");
	assert_null(config);
}

static void a_credential_of_the_service_manager_is_the_last_resort(void **state)
{
	_auto_config_ struct config *config = NULL;
	char env[100], token_env[100], other[64];

	snprintf(env, sizeof(env), "CREDENTIALS_DIRECTORY=%s", folder);
	(void)unlink(token_path);
	assert_int_equal(load("", LIST(env), NULL, &config), 0); /* it may have others */
	assert_string_equal(config__str(config, CONFIG_TOKEN), "");
	config__free(take_ptr(config));

	write_file(token_path, "from-credential", 15, 0400);
	assert_int_equal(load("", LIST(env), NULL, &config), 0);
	assert_string_equal(config__str(config, CONFIG_TOKEN), "from-credential");
	config__free(take_ptr(config));
	assert_int_equal(load("", LIST(env, "GPROFILER_TOKEN=e"), NULL, &config), 0);
	assert_string_equal(config__str(config, CONFIG_TOKEN), "e");
	config__free(take_ptr(config));
	snprintf(other, sizeof(other), "%s/other", folder);
	write_file(other, "from-file", 9, 0600);
	snprintf(token_env, sizeof(token_env), "PULSEPROF_TOKEN_FILE=%s", other);
	assert_int_equal(load("", LIST(env, token_env), NULL, &config), 0);
	assert_string_equal(config__str(config, CONFIG_TOKEN), "from-file");
	assert_int_equal(unlink(other), 0);
}

/* The command lines of the agent's unit file, DaemonSet, README and heartbeat documents. */
static void the_agents_own_command_lines_are_taken(void **state)
{
	_auto_config_ struct config *config = NULL;
	char token[] = "t0ken", again[] = "t0ken";

	assert_int_equal(load("",
			      LIST("GPROFILER_TOKEN=t0ken", "GPROFILER_SERVICE_NAME=web",
				   "GPROFILER_SERVICE=web", "GPROFILER_IN_K8S=1"),
			      LIST("-cu"), &config),
			 0);
	assert_true(config__bool(config, CONFIG_UPLOAD_RESULTS));
	assert_true(config__bool(config, CONFIG_CONTINUOUS));
	assert_string_equal(config__ignored(config), "");
	config__free(take_ptr(config));

	assert_int_equal(load("", NULL,
			      LIST("-cu", "--token", token, "--service-name", "web",
				   "--server-host", "https://studio", "--api-server",
				   "https://studio", "--enable-heartbeat-server",
				   "--heartbeat-interval", "30", "-v"),
			      &config),
			 0);
	assert_string_equal(config__str(config, CONFIG_TOKEN), "t0ken");
	assert_string_equal(config__str(config, CONFIG_LOG_LEVEL), "debug");
	assert_string_equal(config__ignored(config), "");
	config__free(take_ptr(config));

	assert_int_equal(load("", NULL,
			      LIST("-uf", "49", "-d120", "-o/tmp/out", "--token", again,
				   "--glogger-server=https://old", "--no-verify", "--perf-mode",
				   "fp", "--java-safemode", "--no-python", "--pids", "1,2",
				   "--pids=3"),
			      &config),
			 0);
	assert_int_equal(config__uint(config, CONFIG_RATE_HZ), 49);
	assert_int_equal(config__uint(config, CONFIG_DURATION_S), 120);
	assert_string_equal(config__str(config, CONFIG_API_SERVER), "https://old");
	assert_true(config__bool(config, CONFIG_NO_VERIFY));
	assert_string_equal(config__ignored(config),
			    "-o, --perf-mode, --java-safemode, --no-python, --pids");
}

static void an_optional_value_is_taken_unless_it_is_a_flag(void **state)
{
	_auto_config_ struct config *config = NULL;

	assert_int_equal(load("", NULL,
			      LIST("--java-safemode", "16", "--java-collect-jvm-flags", "-u"),
			      &config),
			 0);
	assert_true(config__bool(config, CONFIG_UPLOAD_RESULTS));
	assert_string_equal(config__ignored(config), "--java-safemode, --java-collect-jvm-flags");
}

static void the_agents_variables_are_taken(void **state)
{
	_auto_config_ struct config *config = NULL;

	assert_int_equal(load("upload_logs = yes",
			      LIST("GPROFILER_VERBOSE=true", "GPROFILER_DONT_SEND_LOGS=1",
				   "GPROFILER_PERF_MODE=smart", "GPROFILER_NO_JAVA=false"),
			      NULL, &config),
			 0);
	assert_string_equal(config__str(config, CONFIG_LOG_LEVEL), "debug");
	assert_false(config__bool(config, CONFIG_UPLOAD_LOGS));
	assert_string_equal(config__ignored(config), "GPROFILER_PERF_MODE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_on_the_command_line_is_taken_and_overwritten),
		cmocka_unit_test(a_token_flag_that_is_no_token_is_overwritten_too_and_not_repeated),
		cmocka_unit_test(the_token_comes_from_the_environment_or_a_file),
		cmocka_unit_test(a_credential_of_the_service_manager_is_the_last_resort),
		cmocka_unit_test(the_agents_own_command_lines_are_taken),
		cmocka_unit_test(an_optional_value_is_taken_unless_it_is_a_flag),
		cmocka_unit_test(the_agents_variables_are_taken),
	};

	return cmocka_run_group_tests_name("config_agent", tests, make_folder, remove_folder);
}

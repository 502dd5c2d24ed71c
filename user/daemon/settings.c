/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The settings as a whole: what is missing, what contradicts itself, what is dangerous and so refused unless
 * the operator says it in so many words, and the local policy built from them. What a single value may be is
 * checked where settings are read.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/log.h"
#include "pp/config.h"
#include "pp/net.h"

static const char *str(const struct config *config, enum config_id id)
{
	return config__str(config, id);
}

/* All that is missing, in one sentence. */
static int check_missing(const struct config *config)
{
	static const struct {
		enum config_id id;
		const char *flag;
		bool is_switch;
		bool is_for_heartbeats;
	} needed[] = {
		{ CONFIG_ENABLE_HEARTBEAT_SERVER, "--enable-heartbeat-server", true, true },
		{ CONFIG_UPLOAD_RESULTS, "--upload-results", true, false },
		{ CONFIG_SERVICE_NAME, "--service-name", false, false },
		{ CONFIG_API_SERVER, "--api-server", false, true },
		{ CONFIG_SERVER_HOST, "--server-host", false, false },
		{ CONFIG_TOKEN, "--token-file (or GPROFILER_TOKEN)", false, false },
	};
	bool is_alone = config__bool(config, CONFIG_CONTINUOUS) &&
			!config__bool(config, CONFIG_ENABLE_HEARTBEAT_SERVER);
	struct buf missing _auto_buf_;

	buf__init(&missing, 4096);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (is_alone && needed[i].is_for_heartbeats)
			continue;
		if (needed[i].is_switch ? !config__bool(config, needed[i].id) :
					  !*str(config, needed[i].id))
			buf__printf(&missing, "%s%s", missing.len ? ", " : "", needed[i].flag);
	}
	if (!missing.len)
		return DAEMON_DONE;
	log_error("daemon: nothing to do without %s", missing.data);
	return DAEMON_USAGE;
}

/* A token that every user can read is no secret. */
static int check_token_file(const struct config *config)
{
	const char *path = str(config, CONFIG_TOKEN_FILE);
	struct buf text _auto_buf_ = { .max_bytes = 65536 };
	struct buf why _auto_buf_ = { .max_bytes = 8192 };
	int err;

	if (!*path ||
	    config__origin(config, CONFIG_TOKEN) != config__origin(config, CONFIG_TOKEN_FILE))
		return DAEMON_DONE;
	err = daemon__read_secret("token file", path, &text, &why);
	if (text.data)
		explicit_bzero(text.data, text.len);
	if (!err)
		return DAEMON_DONE;
	log_error("daemon: %s", why.data);
	return DAEMON_USAGE;
}

static int check_address(const struct config *config, enum config_id id, const char *flag,
			 const char *auth_flag)
{
	const char *url = str(config, id);

	if (url__has_userinfo(url)) {
		log_error("daemon: %s must not hold a user or password, use %s", flag, auth_flag);
		return DAEMON_USAGE;
	}
	if (!url__is_clear_text(url))
		return DAEMON_DONE;
	if (!config__bool(config, CONFIG_ALLOW_HTTP)) {
		log_error(
			"daemon: the token and profiles would go to '%s' in clear text, use https "
			"or --allow-http",
			url);
		return DAEMON_USAGE;
	}
	log_warn("daemon: the token and profiles go to '%s' in clear text, as allow_http says",
		 url);
	return DAEMON_DONE;
}

static int check_tls(const struct config *config)
{
	const char *verify = str(config, CONFIG_TLS_VERIFY);
	const char *proxy = str(config, CONFIG_PROXY);

	if (strcmp(verify, "required") && strcmp(verify, "default")) {
		log_error("daemon: tls_verify must be required or default");
		return DAEMON_USAGE;
	}
	if (!*str(config, CONFIG_CLIENT_CERT) != !*str(config, CONFIG_CLIENT_KEY)) {
		log_error(
			"daemon: --tls-client-cert and --tls-client-key belong together, one is missing");
		return DAEMON_USAGE;
	}
	if (url__has_userinfo(proxy)) {
		log_error(
			"daemon: --proxy must not hold a user or password, use https_proxy in the "
			"environment");
		return DAEMON_USAGE;
	}
	if (!config__bool(config, CONFIG_NO_VERIFY))
		return DAEMON_DONE;
	if (!strcmp(verify, "required")) {
		log_error("daemon: --no-verify is refused: tls_verify is required");
		return DAEMON_USAGE;
	}
	log_warn(
		"daemon: certificates of servers are not checked (no_verify): whoever is on the way can "
		"read the token and command this host");
	return DAEMON_DONE;
}

int daemon__check_settings(const struct config *config)
{
	int code = check_missing(config);

	if (!code)
		code = check_token_file(config);
	if (!code)
		code = check_tls(config);
	if (!code)
		code = check_address(config, CONFIG_API_SERVER, "--api-server",
				     "--api-basic-auth-file");
	if (!code)
		code = check_address(config, CONFIG_SERVER_HOST, "--server-host",
				     "--server-basic-auth-file");
	if (code)
		return code;
	if (config__origin(config, CONFIG_TOKEN) == CONFIG_FLAG &&
	    config__origin(config, CONFIG_TOKEN_FILE) != CONFIG_FLAG)
		log_warn("daemon: everyone could read the token on the command line until now, use "
			 "--token-file");
	if (*config__ignored(config))
		log_warn("daemon: ignored, there is nothing here for them to do: %s",
			 config__ignored(config));
	return DAEMON_DONE;
}

static int refuse_policy(const char *name, const char *why)
{
	log_error("daemon: '%s' %s", name, why);
	return DAEMON_USAGE;
}

int daemon__read_policy(const struct config *config, struct spec_policy *policy)
{
	const char *why;

	memset(policy, 0, sizeof(*policy));
	policy->rate_max_hz = (uint32_t)config__uint(config, CONFIG_POLICY_MAX_FREQUENCY);
	/* the default forbids nothing: not even "until stopped", which is 0 */
	if (config__origin(config, CONFIG_POLICY_MAX_DURATION) != CONFIG_DEFAULT)
		policy->duration_max_s = (uint32_t)config__uint(config, CONFIG_POLICY_MAX_DURATION);
	policy->runs_max = (uint32_t)config__uint(config, CONFIG_POLICY_MAX_RUNS);
	policy->no_continuous = !config__bool(config, CONFIG_POLICY_CONTINUOUS);
	if (spec_policy_words__set(&policy->modes, str(config, CONFIG_POLICY_MODES), &why))
		return refuse_policy("policy_modes", why);
	if (spec_policy_words__set(&policy->events, str(config, CONFIG_POLICY_EVENTS), &why))
		return refuse_policy("policy_events", why);
	if (spec_policy__set_targets(policy, str(config, CONFIG_POLICY_TARGETS), &why))
		return refuse_policy("policy_targets", why);
	if (spec_policy__set_quiet(policy, str(config, CONFIG_POLICY_QUIET_HOURS), &why))
		return refuse_policy("policy_quiet_hours", why);
	return DAEMON_DONE;
}

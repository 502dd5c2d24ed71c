/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The beat: says to the server that this host is here and which commands it knows, and hands what comes
 * back to the machine in command.c. Always true: after control__start exactly one beat is under way or one
 * timer waits for the next, whatever the server answered.
 */
#include "pp/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/metrics.h"
#include "pp/net.h"

#define HEARTBEAT_PATH		"/api/metrics/heartbeat"
#define HEARTBEAT_TIMEOUT_MS	30000
#define ANSWER_MAX_BYTES	(1u << 20)
#define HEARTBEAT_MAX_BYTES	(1u << 20)
#define INTERVAL_MAX_MS		300000 /* of the back-off */
#define INTERVAL_JITTER_PERCENT 10
#define INTERVAL_MIN_MS \
	1000 /* also for the extra beats: a server cannot make us beat without pause */
#define WORDS_BYTES 200
/* Long polling: how soon to ask again after a command, and when an answer counts as held. */
#define POLL_AGAIN_MS	  100
#define HELD_PERCENT	  80
#define RENEW_AFTER_MS	  500
#define HELD_FAILURES_MAX 3

/* A profile in the spool whose command's state is not on disk yet. */
struct kept {
	struct kept *next;
	uint64_t generation;
	void (*fn)(void *arg);
	void *arg;
};

struct control {
	struct net *net;
	struct loop_timer *timer;
	struct net_call *call;
	struct commands *commands;
	struct completions *completions;
	struct journal *journal; /* NULL: none */
	struct kept *kept;
	char *url, **headers;
	const char *const *supported_events; /* borrowed */
	char *service_name, *hostname, *agent_version, *run_mode, *api_server;
	char local_address[46]; /* as the last connection had it; "": none yet */
	uint64_t interval_ms;
	uint64_t beat_ns; /* when the last beat was sent */
	uint32_t failures;
	uint32_t retry_after_s; /* asked for with the last failure */
	uint32_t wait_s; /* 0: no long polling */
	uint32_t asked_s; /* wait_s of the last beat: 0 until one was answered, and after failures */
	bool is_heard; /* the last beat was answered well */
	uint32_t held_failures;
	bool started, beat_again, closing;
	bool is_held; /* the server held its last answer until there was a command, or the time was over */
	bool is_renewing; /* the call is given up for a newer beat */
	struct log_rate failures_log;
	int (*add_containers)(void *arg, struct json_object *list); /* of the daemon; NULL: none */
	void *ops_arg;
};

static void control__report(void *arg, const char *command_id, bool completed, const char *why)
{
	struct control *self = arg;

	completions__add(self->completions, command_id, completed, why);
}

static void control__sent(void *arg, const char *command_id)
{
	struct control *self = arg;

	if (!self->closing)
		commands__sent(self->commands, command_id);
}

static uint64_t control__save(void *arg)
{
	struct control *self = arg;

	return self->journal && !self->closing ? journal__save(self->journal) : 0;
}

static int control__print_ledger(void *arg, struct buf *out)
{
	struct control *self = arg;

	return ledger__print(commands__ledger(self->commands), out);
}

static void control__written(void *arg, uint64_t generation, int err)
{
	struct control *self = arg;
	struct kept **at = &self->kept;

	while (*at) {
		struct kept *kept = *at;

		if (kept->generation > generation) {
			at = &kept->next;
			continue;
		}
		*at = kept->next;
		kept->fn(kept->arg);
		free(kept);
	}
	commands__written(self->commands, generation);
}

static void control__beat(void *arg);

static int control__set_texts(struct control *self, const struct control_options *options)
{
	char url[2048];
	int err = url__join(options->api_server, HEARTBEAT_PATH, url, sizeof(url));

	if (err)
		return err;
	self->url = strdup(url);
	self->api_server = strdup(options->api_server);
	self->service_name = strdup(options->service_name);
	self->hostname = strdup(options->hostname);
	self->agent_version = strdup(options->agent_version);
	self->run_mode = strdup(options->run_mode);
	self->headers = headers__new(options->token, options->headers);
	if (!self->url || !self->api_server || !self->service_name || !self->hostname ||
	    !self->agent_version || !self->run_mode || !self->headers)
		return -ENOMEM;
	return 0;
}

/* A journal that cannot be read costs the memory of what was, not the daemon. */
static void control__read_journal(struct control *self)
{
	struct ledger *ledger = commands__ledger(self->commands);
	struct buf text _auto_buf_;
	uint32_t damaged = 0;
	int err;

	buf__init(&text, JOURNAL_MAX_BYTES);
	err = journal__read(self->journal, &text);
	if (!err)
		err = ledger__parse(ledger, text.data ? text.data : "", text.len, &damaged);
	if (err && err != -ENOENT) {
		metric__add(METRIC_JOURNAL_DAMAGED, 1);
		log_error("control: the journal cannot be read, what ran before is not known: %s",
			  errname(err));
	} else if (damaged) {
		metric__add(METRIC_JOURNAL_DAMAGED, damaged);
		log_error("control: the journal is damaged, set aside: lines=%u, commands read=%zu",
			  damaged, ledger->cnt);
	} else if (!err) {
		log_info("control: the journal knows commands=%zu", ledger->cnt);
	}
	if (damaged || (err && err != -ENOENT))
		journal__set_aside(self->journal);
}

static int control__open_journal(struct control *self, struct loop *loop,
				 const struct control_options *options)
{
	const struct journal_ops ops = { .print = control__print_ledger,
					 .written = control__written,
					 .arg = self };
	int err;

	if (!options->state_dir)
		return 0;
	err = journal__new(loop, options->state_dir, &ops, &self->journal);
	if (err)
		return err;
	control__read_journal(self);
	commands__restore(self->commands);
	journal__save_now(self->journal);
	return 0;
}

int control__new(struct loop *loop, struct net *net, const struct control_options *options,
		 const struct control_ops *ops, struct control **ret_control)
{
	struct control *self = calloc(1, sizeof(*self));
	const struct completions_ops completions_ops = { .sent = control__sent, .arg = self };
	struct commands_ops commands_ops = { .run = *ops,
					     .report = control__report,
					     .report_arg = self,
					     .save = control__save,
					     .save_arg = self };
	int err;

	if (!self)
		return -ENOMEM;
	self->net = net;
	self->add_containers = ops->add_containers;
	self->ops_arg = ops->arg;
	self->supported_events = options->supported_events;
	self->wait_s = options->wait_s;
	self->interval_ms =
		max_of(options->heartbeat_interval_s * UINT64_C(1000), (uint64_t)INTERVAL_MIN_MS);
	err = control__set_texts(self, options);
	if (!err)
		err = loop_timer__new(loop, control__beat, self, &self->timer);
	if (!err)
		err = completions__new(loop, net, options, &completions_ops, &self->completions);
	if (!err)
		err = commands__new(options->hostname, &options->defaults, options->policy,
				    &commands_ops, &self->commands);
	if (!err)
		err = control__open_journal(self, loop, options);
	if (err) {
		control__free(self);
		return err;
	}
	*ret_control = self;
	return 0;
}

void control__free(struct control *self)
{
	if (!self)
		return;
	self->closing = true;
	if (self->call)
		net_call__cancel(self->call);
	loop_timer__free(self->timer);
	completions__free(self->completions, self->journal != NULL);
	journal__free(self->journal);
	commands__free(self->commands);
	while (self->kept) {
		struct kept *kept = self->kept;

		self->kept = kept->next;
		kept->fn(kept->arg); /* in the journal by now, as far as that can be written */
		free(kept);
	}
	free(self->url);
	headers__free(self->headers);
	free(self->api_server);
	free(self->service_name);
	free(self->hostname);
	free(self->agent_version);
	free(self->run_mode);
	free(self);
}

static int control__print_beat(struct control *self, struct buf *out)
{
	struct beat beat = { .hostname = self->hostname,
			     .service_name = self->service_name,
			     .agent_version = self->agent_version,
			     .run_mode = self->run_mode,
			     .supported_events = self->supported_events,
			     .wait_s = self->asked_s,
			     .add_containers = self->add_containers,
			     .arg = self->ops_arg };
	char address[64];

	if (self->local_address[0])
		snprintf(address, sizeof(address), "%s", self->local_address);
	else if (url__local_address(self->api_server, address, sizeof(address)))
		snprintf(address, sizeof(address), "127.0.0.1");
	beat.address = address;
	return beat__print(&beat, self->commands, out);
}

/*
 * When the next beat is due, counted from the last: soon after a run's end or, where the server holds its answers,
 * after each; else after the interval. Never twice within INTERVAL_MIN_MS but right behind a new command.
 */
static uint64_t control__pause_ms(const struct control *self, bool is_new)
{
	const uint64_t max_ms = max_of(self->interval_ms, (uint64_t)INTERVAL_MAX_MS);
	const struct http_reply refusal = { .retry_after_s = self->retry_after_s };

	if (self->failures)
		return min_of(http_reply__pause_ms(&refusal,
						   net_backoff_ms(self->failures, self->interval_ms,
								  max_ms)),
			      max_ms * 6 / 5);
	if (self->is_held && is_new)
		return POLL_AGAIN_MS;
	if (self->beat_again || self->is_held || (is_new && self->wait_s) ||
	    (self->wait_s && !self->asked_s))
		return INTERVAL_MIN_MS;
	return net_jitter_ms(self->interval_ms, INTERVAL_JITTER_PERCENT);
}

static void control__schedule(struct control *self, bool is_new)
{
	uint64_t spent_ms = (clock_mono_ns() - self->beat_ns) / 1000000;
	uint64_t pause_ms = control__pause_ms(self, is_new);
	bool is_soon = pause_ms <= INTERVAL_MIN_MS;

	pause_ms = pause_ms > spent_ms ? pause_ms - spent_ms : !is_soon;
	self->beat_again = false;
	if (loop_timer__start(self->timer, pause_ms, 0))
		log_error("control: no timer, no more heartbeats");
}

static void control__failed(struct control *self, int status, int err, const char *words)
{
	uint64_t spent_ms = (clock_mono_ns() - self->beat_ns) / 1000000;

	self->failures++;
	self->is_heard = false;
	self->is_held = false;
	beat__heard(self->commands, false);
	/* Something on the way may not bear to wait. Not meant: a server that cannot be reached. */
	if (self->asked_s && spent_ms >= RENEW_AFTER_MS &&
	    (!err || err == -ECONNRESET || err == -EPROTO) &&
	    ++self->held_failures == HELD_FAILURES_MAX) {
		log_warn("control: answers that are held do not arrive, no more long polling");
		self->wait_s = 0;
	}
	metric__add(METRIC_HEARTBEATS_FAILED, 1);
	log_every(&self->failures_log, 300000, LOG_LVL_ERROR,
		  "control: heartbeat failed, going on: status=%d %s '%s'", status,
		  err ? errname(err) : "", words);
}

/* Does it hold its answers? One that answers at once, without news, does not. */
static void control__note_held(struct control *self, bool is_new)
{
	uint64_t spent_ms = (clock_mono_ns() - self->beat_ns) / 1000000;

	if (!self->asked_s)
		return;
	if (spent_ms >= self->asked_s * UINT64_C(10) * HELD_PERCENT)
		self->is_held = true;
	else if (!is_new)
		self->is_held = false;
	self->held_failures = 0;
}

/* True: it brought a command that is new. */
static bool control__take_answer(struct control *self, const struct http_reply *reply)
{
	struct answer answer;
	const char *why = "";
	bool is_new;
	int err;

	err = answer__parse(reply->body, reply->body_len, &answer, &why);
	if (err) {
		control__failed(self, reply->status, err, why);
		return false;
	}
	if (self->failures)
		log_info("control: heartbeats work again, failures=%u", self->failures);
	self->failures = 0;
	self->is_heard = true;
	metric__add(METRIC_HEARTBEATS_SENT, 1);
	/* The Studio's only sign that it did not understand a heartbeat; its "success" is true. */
	if (strstr(answer.message, "failed to check"))
		log_every(&self->failures_log, 300000, LOG_LVL_WARN,
			  "control: the server took the heartbeat but could not look for commands");
	beat__heard(self->commands, true);
	is_new = commands__handle(self->commands, &answer);
	answer__clear(&answer);
	control__note_held(self, is_new);
	commands__poke(self->commands);
	return is_new;
}

static void control__on_reply(void *arg, const struct http_reply *reply)
{
	struct control *self = arg;
	char words[WORDS_BYTES];
	bool is_new = false;

	self->call = NULL;
	if (self->closing || self->is_renewing)
		return;
	self->retry_after_s = reply->retry_after_s;
	if (reply->local_address[0])
		memcpy(self->local_address, reply->local_address, sizeof(self->local_address));
	else
		self->local_address[0] = '\0';
	if (!reply->err && reply->status >= 200 && reply->status < 300)
		is_new = control__take_answer(self, reply);
	else
		control__failed(self, reply->status, reply->err,
				http_reply__words(reply, words, sizeof(words)));
	control__schedule(self, is_new);
}

static int control__send_beat(struct control *self)
{
	struct http_request request = {
		.method = "POST",
		.url = self->url,
		.headers = (const char *const *)self->headers,
		.timeout_ms = HEARTBEAT_TIMEOUT_MS + self->asked_s * 1000,
		.reply_max_bytes = ANSWER_MAX_BYTES,
	};
	_auto_buf_ struct buf body;
	int err;

	buf__init(&body, HEARTBEAT_MAX_BYTES);
	err = control__print_beat(self, &body);
	if (err)
		return err;
	request.body = body.data;
	request.body_len = body.len;
	return net__send(self->net, &request, control__on_reply, self, &self->call);
}

/* A held call is given up for a newer beat. */
static void control__give_up(struct control *self)
{
	self->is_renewing = true;
	net_call__cancel(self->call);
	self->is_renewing = false;
}

static void control__beat(void *arg)
{
	struct control *self = arg;
	int err;

	if (self->call)
		control__give_up(self);
	self->beat_ns = clock_mono_ns();
	/* Whether the server can be reached at all is to be known at once, not after a held answer. */
	self->asked_s = self->is_heard ? self->wait_s : 0;
	err = control__send_beat(self);
	if (err) {
		control__failed(self, 0, err, "not sent");
		control__schedule(self, false);
	}
}

void control__start(struct control *self)
{
	pp_assert(!self->started);
	self->started = true;
	if (!self->journal)
		commands__restore(self->commands);
	commands__poke(self->commands);
	control__beat(self);
}

void control__run_sampling(struct control *self, const char *command_id)
{
	commands__sampling(self->commands, command_id);
}

void control__run_kept(struct control *self, const char *command_id, void (*fn)(void *arg),
		       void *arg)
{
	struct kept *kept = self->journal ? malloc(sizeof(*kept)) : NULL;

	commands__kept(self->commands, command_id);
	if (!kept) {
		(void)control__save(self);
		fn(arg);
		return;
	}
	*kept = (struct kept){ .next = self->kept, .fn = fn, .arg = arg };
	kept->generation = journal__save(self->journal);
	self->kept = kept;
}

void control__run_ended(struct control *self, const char *command_id, const struct control_end *end)
{
	uint64_t spent_ms = (clock_mono_ns() - self->beat_ns) / 1000000;

	if (!commands__ended(self->commands, command_id, end))
		return;
	/* One beat right away: the operator sees the end, and what was asked for meanwhile is here sooner. */
	self->beat_again = true;
	if (self->call && self->asked_s && spent_ms >= RENEW_AFTER_MS)
		control__give_up(self);
	else if (self->call && self->asked_s)
		(void)loop_timer__start(self->timer, RENEW_AFTER_MS - spent_ms, 0);
	if (!self->call && !self->failures)
		control__schedule(self, false);
}

void control__poke(struct control *self)
{
	commands__poke(self->commands);
}

int control__list(const struct control *self, struct json_object *list)
{
	const struct ledger *ledger = commands__ledger(self->commands);
	static const char *const types[] = { "start", "stop", "unknown" };
	static const char *const fates[] = { NULL, "completed", "failed" };
	size_t i;
	int err = 0;

	for (i = 0; i < ledger->cnt && !err; i++) {
		const struct command *command = ledger->commands[i];
		struct json_object *json = json__new_object();

		json__add_str(json, "command_id", command->id);
		json__add_str(json, "type", types[command->type]);
		json__add_str(json, "state", command_state__name(command->state));
		json__add_int(json, "runs", command->runs);
		json__add_str(json, "reported", fates[command->fate]);
		json__add_bool(json, "unsent", command->is_unsent);
		json__add_str(json, "reason", command->why);
		err = json__add(list, NULL, json);
	}
	return err;
}

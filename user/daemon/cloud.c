/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asks the metadata services of AWS, GCP and Azure once, all at the same time, when cloud_metadata is on. They are on one
 * link-local address, so nobody else hears of it, no proxy is used, and where there is no cloud the three are over in
 * two seconds. What comes is told in uploads from then on; nothing waits for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/log.h"
#include "pp/config.h"
#include "pp/net.h"
#include "pp/proc_cloud.h"

#define BASE		 "http://169.254.169.254"
#define TIMEOUT_MS	 2000
#define ANSWER_BYTES_MAX (1u << 20)
#define TOKEN_BYTES	 256

enum cloud_kind { CLOUD_AWS, CLOUD_GCP, CLOUD_AZURE, CLOUD_CNT };

struct cloud_call {
	struct daemon_cloud *cloud;
	enum cloud_kind kind;
	bool is_token; /* AWS: the first of two */
	struct net_call *call; /* NULL: none under way */
};

struct daemon_cloud {
	struct net *net;
	struct encode_host *host; /* borrowed */
	struct cloud_facts facts; /* does not change once the host points to it */
	struct cloud_call calls[CLOUD_CNT];
	uint32_t open;
};

static int (*const readers[CLOUD_CNT])(const char *text, size_t len,
				       struct cloud_facts *ret_facts) = {
	[CLOUD_AWS] = cloud_facts__read_aws,
	[CLOUD_GCP] = cloud_facts__read_gcp,
	[CLOUD_AZURE] = cloud_facts__read_azure,
};

static void on_answer(void *arg, const struct http_reply *reply);

static int send(struct cloud_call *self, const char *method, const char *url, const char *header)
{
	const char *const headers[] = { header, NULL };
	const struct http_request request = { .method = method,
					      .url = url,
					      .headers = header ? headers : NULL,
					      .timeout_ms = TIMEOUT_MS,
					      .reply_max_bytes = ANSWER_BYTES_MAX };
	int err = net__send(self->cloud->net, &request, on_answer, self, &self->call);

	if (!err)
		self->cloud->open++;
	return err;
}

/* IMDSv2 wants a token first; version 1 has none, and answers without. */
static int ask_aws(struct cloud_call *self, const char *token)
{
	char header[TOKEN_BYTES + 32];

	self->is_token = false;
	snprintf(header, sizeof(header), "X-aws-ec2-metadata-token: %s", token ? token : "");
	return send(self, "GET", BASE "/latest/dynamic/instance-identity/document",
		    token ? header : NULL);
}

static bool is_token(const struct http_reply *reply)
{
	return reply->status == 200 && reply->body_len && reply->body_len < TOKEN_BYTES &&
	       strspn(reply->body, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789+/=_-") == reply->body_len;
}

static void take(struct daemon_cloud *self, const struct cloud_facts *facts)
{
	if (self->host->cloud)
		return;
	self->facts = *facts;
	/* workers may be encoding: they see all of it or nothing */
	__atomic_store_n(&self->host->cloud, &self->facts, __ATOMIC_RELEASE);
	log_info("daemon: cloud '%s', instance type '%s'", facts->provider, facts->instance_type);
}

static void on_answer(void *arg, const struct http_reply *reply)
{
	struct cloud_call *self = arg;
	struct daemon_cloud *cloud = self->cloud;
	struct cloud_facts facts;

	self->call = NULL;
	cloud->open--;
	if (reply->err == -ECANCELED)
		return;
	if (!reply->err && self->is_token && !ask_aws(self, is_token(reply) ? reply->body : NULL))
		return;
	if (!reply->err && !self->is_token && reply->status == 200 &&
	    !readers[self->kind](reply->body, reply->body_len, &facts))
		take(cloud, &facts);
	if (!cloud->open && !cloud->host->cloud)
		log_info("daemon: no cloud's metadata service answers");
}

int daemon__ask_cloud(struct daemon *self)
{
	const struct net_options options = { .proxy = "none" };
	struct daemon_cloud *cloud;
	int err;

	if (!config__bool(self->config, CONFIG_CLOUD_METADATA))
		return DAEMON_DONE;
	cloud = calloc(1, sizeof(*cloud));
	if (!cloud)
		return DAEMON_FAILED;
	cloud->host = &self->host;
	for (enum cloud_kind kind = 0; kind < CLOUD_CNT; kind++)
		cloud->calls[kind] = (struct cloud_call){ .cloud = cloud, .kind = kind };
	self->cloud = cloud;
	err = net__new(self->loop, &options, &cloud->net);
	cloud->calls[CLOUD_AWS].is_token = true;
	if (!err)
		err = send(&cloud->calls[CLOUD_AWS], "PUT", BASE "/latest/api/token",
			   "X-aws-ec2-metadata-token-ttl-seconds: 60");
	if (!err)
		err = send(&cloud->calls[CLOUD_GCP], "GET",
			   BASE "/computeMetadata/v1/instance/?recursive=true",
			   "Metadata-Flavor: Google");
	if (!err)
		err = send(&cloud->calls[CLOUD_AZURE], "GET",
			   BASE "/metadata/instance/compute?api-version=2021-02-01",
			   "Metadata: true");
	if (err) /* profiles go without */
		log_warn("daemon: the cloud's metadata cannot be asked for: %s", errname(err));
	return DAEMON_DONE;
}

void daemon_cloud__free(struct daemon_cloud *self)
{
	if (!self)
		return;
	net__free(self->net); /* ends what is open */
	self->host->cloud = NULL;
	free(self);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Container names by id: what the runtimes (or the kubelet) said last, and when to ask again. All runtimes whose sockets are here
 * are asked for all their containers at once: one request serves every id that is new, and churn costs no more than
 * one round in 2 s. What no runtime knew is not asked for again for a while. What went away stays known until
 * room is needed: its last samples may still be on their way. Loop thread only.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/hash.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/base/sysroot.h"
#include "pp/base/vec.h"
#include "pp/metrics.h"
#include "pp/net.h"

#define KNOWN_MAX	 2048
#define UNKNOWN_MAX	 256
#define ROUND_MS	 500
#define UNKNOWN_NS	 30000000000ull
#define NS_PER_MS	 1000000ull
#define TIMEOUT_MS	 5000
#define ANSWER_BYTES_MAX (16u << 20)
#define SOCKET_BYTES	 108 /* sun_path */
#define HASH_SEED	 0x636f6e7461696e65ull

#define KUBELET_ROUND_MS 2000 /* all pods of a node are a megabyte */
#define ACCOUNT		 "var/run/secrets/kubernetes.io/serviceaccount/"
#define TOKEN_BYTES	 8192

enum protocol { PROTOCOL_CRI, PROTOCOL_DOCKER, PROTOCOL_KUBELET };

static const struct engine_kind {
	const char *runtime;
	enum protocol protocol;
	const char *socket; /* below the root; the kubelet's: the token for it */
} kinds[] = {
	{ "containerd", PROTOCOL_CRI, "run/containerd/containerd.sock" },
	{ "containerd", PROTOCOL_CRI, "run/k3s/containerd/containerd.sock" },
	{ "cri-o", PROTOCOL_CRI, "run/crio/crio.sock" },
	{ "docker", PROTOCOL_DOCKER, "run/docker.sock" },
	{ "podman", PROTOCOL_DOCKER, "run/podman/podman.sock" },
	{ "kubelet", PROTOCOL_KUBELET, ACCOUNT "token" }, /* the last: asked if no CRI answers */
};

struct engine {
	struct container_names *names;
	const struct engine_kind *kind;
	struct net_call *calls[2]; /* containers; sandboxes */
	bool is_alpha; /* CRI v1 is not there */
	bool is_there; /* its socket, in the last round */
	bool has_failed; /* said once, until it works again */
};

struct known {
	struct container_facts facts;
	uint32_t round; /* when it was told last */
};

/* An id that is waited for, or that no runtime knew. */
struct unknown {
	char id[CONTAINER_ID_BYTES];
	uint32_t round; /* the first that began after it was seen */
	uint64_t until_ns; /* when it may be asked for again; 0: it was not answered yet */
};

struct container_names {
	struct loop *loop; /* borrowed */
	struct net *net; /* borrowed */
	struct net *kubelet_net; /* with the cluster's CA; NULL: not needed yet */
	const struct sysroot *root; /* borrowed */
	struct loop_timer *next_round; /* runs while an id waits for one */
	struct engine engines[ARRAY_SIZE(kinds)];
	struct known *known;
	size_t cnt, cap;
	struct hash_index by_id;
	struct unknown unknown[UNKNOWN_MAX]; /* a ring */
	uint32_t unknown_cnt; /* ever */
	uint32_t round;
	uint64_t next_round_ns; /* not before */
};

static bool is_same(const void *arg, uint32_t id, const void *key)
{
	const struct container_names *self = arg;

	return strcmp(self->known[id].facts.id, key) == 0;
}

static uint64_t hash_id(const char *id)
{
	return hash_bytes(id, strlen(id), HASH_SEED);
}

static void on_next_round(void *arg)
{
	container_names__refresh(arg);
}

int container_names__new(struct loop *loop, struct net *net, const struct sysroot *root,
			 struct container_names **ret_names)
{
	struct container_names *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->loop = loop;
	self->net = net;
	self->root = root;
	if (loop_timer__new(loop, on_next_round, self, &self->next_round)) {
		free(self);
		return -ENOMEM;
	}
	hash_index__init(&self->by_id, is_same, self);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		self->engines[i].names = self;
		self->engines[i].kind = &kinds[i];
	}
	*ret_names = self;
	return 0;
}

void container_names__free(struct container_names *self)
{
	if (!self)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(self->engines); i++)
		for (size_t c = 0; c < ARRAY_SIZE(self->engines[i].calls); c++)
			if (self->engines[i].calls[c])
				net_call__cancel(self->engines[i].calls[c]);
	net__free(self->kubelet_net);
	loop_timer__free(self->next_round);
	free(self->known);
	hash_index__clear(&self->by_id);
	free(self);
}

/* Room for one more: where there is none, that of what was told longest ago. */
static int find_room(struct container_names *self, uint32_t *ret_row)
{
	uint32_t oldest = 0;

	if (self->cnt < KNOWN_MAX) {
		int err = vec_room(self->known, self->cnt + 1, self->cap, KNOWN_MAX);

		if (!err)
			*ret_row = (uint32_t)self->cnt;
		return err;
	}
	for (uint32_t i = 1; i < self->cnt; i++)
		if (self->known[i].round < self->known[oldest].round)
			oldest = i;
	if (self->known[oldest].round == self->round)
		return -E2BIG;
	(void)hash_index__del(&self->by_id, hash_id(self->known[oldest].facts.id),
			      self->known[oldest].facts.id); /* it is there */
	*ret_row = oldest;
	return 0;
}

static int take_facts(void *arg, const struct container_facts *facts)
{
	struct container_names *self = arg;
	uint64_t hash = hash_id(facts->id);
	uint32_t row;
	int err = hash_index__find(&self->by_id, hash, facts->id, &row);

	if (err) {
		err = find_room(self, &row);
		if (err == -E2BIG) /* more run at once than are kept: they go by their ids */
			return 0;
		if (!err)
			err = hash_index__add(&self->by_id, hash, row);
		if (err)
			return err;
		if (row == self->cnt)
			self->cnt++;
	}
	self->known[row] = (struct known){ *facts, self->round };
	return 0;
}

static bool is_busy(const struct container_names *self)
{
	for (size_t i = 0; i < ARRAY_SIZE(self->engines); i++)
		if (self->engines[i].calls[0] || self->engines[i].calls[1])
			return true;
	return false;
}

static int find_socket(const struct container_names *self, const struct engine_kind *kind,
		       char path[SOCKET_BYTES])
{
	static const char *const places[] = { "%s", "proc/1/root/%s" };
	char name[SOCKET_BYTES];
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_auto_close_ int fd = -1;

		snprintf(name, sizeof(name), places[i], kind->socket);
		fd = sysroot__open(self->root, O_PATH, "%s", name);
		if (fd >= 0 && !fstat(fd, &st) && S_ISSOCK(st.st_mode))
			return sysroot__path(self->root, name, path, SOCKET_BYTES);
	}
	return -ENOENT;
}

static void ask_engine(struct engine *self);

static int read_answer(struct engine *self, bool is_sandbox, const struct http_reply *reply)
{
	const uint8_t *body = (const uint8_t *)reply->body;
	const char *runtime = self->kind->runtime;

	if (reply->err)
		return reply->err;
	if (reply->status != 200)
		return -EPROTO;
	if (self->kind->protocol == PROTOCOL_KUBELET)
		return kubelet__read(reply->body, reply->body_len, take_facts, self->names);
	if (self->kind->protocol == PROTOCOL_DOCKER)
		return docker__read(reply->body, reply->body_len, runtime, take_facts, self->names);
	if (is_sandbox)
		return cri__read_sandboxes(body, reply->body_len, runtime, take_facts, self->names);
	return cri__read_containers(body, reply->body_len, runtime, take_facts, self->names);
}

static void on_answer(struct engine *self, bool is_sandbox, const struct http_reply *reply)
{
	int err = read_answer(self, is_sandbox, reply);

	self->calls[is_sandbox] = NULL;
	if (reply->err == -ECANCELED)
		return;
	if (!err) {
		self->has_failed = false;
		return;
	}
	/* before Kubernetes 1.23 only the older name was spoken: try it once */
	if (self->kind->protocol == PROTOCOL_CRI && !reply->err && !self->is_alpha && !is_sandbox) {
		self->is_alpha = true;
		return;
	}
	metric__add(METRIC_CONTAINER_LOOKUPS_FAILED, 1);
	if (!self->has_failed)
		log_info("container: no names from '%s': %s",
			 self->kind->protocol == PROTOCOL_KUBELET ? self->kind->runtime :
								    self->kind->socket,
			 errname(err));
	self->has_failed = true;
	self->is_alpha = false;
}

static void on_containers(void *arg, const struct http_reply *reply)
{
	on_answer(arg, false, reply);
}

static void on_sandboxes(void *arg, const struct http_reply *reply)
{
	on_answer(arg, true, reply);
}

static void send(struct engine *self, const char *path, const char *url, bool is_sandbox)
{
	static const char *const grpc_headers[] = { "content-type: application/grpc",
						    "te: trailers", NULL };
	static const char empty_message[5]; /* not compressed, of no bytes: no filter */
	bool is_cri = self->kind->protocol == PROTOCOL_CRI;
	const struct http_request request = {
		.method = is_cri ? "POST" : "GET",
		.url = url,
		.headers = is_cri ? grpc_headers : NULL,
		.body = is_cri ? empty_message : NULL,
		.body_len = is_cri ? sizeof(empty_message) : 0,
		.timeout_ms = TIMEOUT_MS,
		.reply_max_bytes = ANSWER_BYTES_MAX,
		.unix_socket = path,
		.is_http2 = is_cri,
	};

	if (net__send(self->names->net, &request, is_sandbox ? on_sandboxes : on_containers, self,
		      &self->calls[is_sandbox]))
		metric__add(METRIC_CONTAINER_LOOKUPS_FAILED, 1);
	else
		metric__add(METRIC_CONTAINER_LOOKUPS, 1);
}

static bool has_cri(const struct container_names *self)
{
	for (size_t i = 0; i < ARRAY_SIZE(self->engines); i++)
		if (self->engines[i].kind->protocol == PROTOCOL_CRI && self->engines[i].is_there &&
		    !self->engines[i].has_failed)
			return true;
	return false;
}

/* As a DaemonSet is told by the downward API, else this host itself; tokens rotate, so each time anew. */
static int kubelet_words(const struct container_names *self, char url[96],
			 char authorization[TOKEN_BYTES])
{
	static const char *const names[] = { "HOST_IP", "NODE_IP", "NODE_NAME" };
	static const char begin[] = "Authorization: Bearer ";
	const char *host = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names) && (!host || !*host); i++)
		host = getenv(names[i]);
	if (!host || !*host || strlen(host) > 64)
		host = "127.0.0.1";
	snprintf(url, 96, strchr(host, ':') ? "https://[%s]:10250/pods" : "https://%s:10250/pods",
		 host);
	memcpy(authorization, begin, sizeof(begin));
	return sysroot__line(self->root, authorization + sizeof(begin) - 1,
			     TOKEN_BYTES - sizeof(begin), "%s", ACCOUNT "token");
}

/* The node's own certificate must be of the cluster: nobody else gets the token. */
static int open_kubelet_net(struct container_names *self)
{
	char ca[SOCKET_BYTES];
	const struct net_options options = { .ca_bundle = ca, .proxy = "none" };
	const char *path;
	int err;

	if (self->kubelet_net)
		return 0;
	err = sysroot__path(self->root, ACCOUNT "ca.crt", ca, sizeof(ca));
	if (!err)
		err = net__new(self->loop, &options, &self->kubelet_net);
	return err ? err : net__load_files(self->kubelet_net, &path);
}

static void ask_kubelet(struct engine *self)
{
	struct container_names *names = self->names;
	char url[96], authorization[TOKEN_BYTES];
	const char *const headers[] = { authorization, NULL };
	const struct http_request request = { .method = "GET",
					      .url = url,
					      .headers = headers,
					      .timeout_ms = TIMEOUT_MS,
					      .reply_max_bytes = ANSWER_BYTES_MAX };

	self->is_there = !has_cri(names) && !kubelet_words(names, url, authorization);
	if (!self->is_there)
		return;
	names->next_round_ns = clock_mono_ns() + KUBELET_ROUND_MS * NS_PER_MS;
	if (open_kubelet_net(names) ||
	    net__send(names->kubelet_net, &request, on_containers, self, &self->calls[0]))
		metric__add(METRIC_CONTAINER_LOOKUPS_FAILED, 1);
	else
		metric__add(METRIC_CONTAINER_LOOKUPS, 1);
	explicit_bzero(authorization, sizeof(authorization));
}

static void ask_engine(struct engine *self)
{
	const char *version = self->is_alpha ? "v1alpha2" : "v1";
	char path[SOCKET_BYTES], url[96];

	if (self->kind->protocol == PROTOCOL_KUBELET) {
		ask_kubelet(self);
		return;
	}
	self->is_there = !find_socket(self->names, self->kind, path);
	if (!self->is_there)
		return;
	if (self->kind->protocol == PROTOCOL_DOCKER) {
		send(self, path, "http://localhost/containers/json?all=true", false);
		return;
	}
	snprintf(url, sizeof(url), "http://localhost/runtime.%s.RuntimeService/ListContainers",
		 version);
	send(self, path, url, false);
	snprintf(url, sizeof(url), "http://localhost/runtime.%s.RuntimeService/ListPodSandbox",
		 version);
	send(self, path, url, true);
}

/* A round that is too early, or that finds another one under way, begins later. */
void container_names__refresh(struct container_names *self)
{
	uint64_t now_ns = clock_mono_ns();

	if (now_ns < self->next_round_ns || is_busy(self)) {
		(void)loop_timer__start(self->next_round, ROUND_MS,
					0); /* one that exists does not fail */
		return;
	}
	loop_timer__stop(self->next_round);
	self->next_round_ns = now_ns + ROUND_MS * NS_PER_MS;
	self->round++;
	for (size_t i = 0; i < ARRAY_SIZE(self->engines); i++)
		ask_engine(&self->engines[i]);
}

static struct unknown *find_unknown(struct container_names *self, const char *id)
{
	for (uint32_t i = 0; i < min_of(self->unknown_cnt, (uint32_t)UNKNOWN_MAX); i++)
		if (strcmp(self->unknown[i].id, id) == 0)
			return &self->unknown[i];
	return NULL;
}

static int ask_for(struct container_names *self, struct unknown *unknown, const char *id)
{
	if (!unknown)
		unknown = &self->unknown[self->unknown_cnt++ % UNKNOWN_MAX];
	facts__text(unknown->id, sizeof(unknown->id), id, strlen(id));
	unknown->round = self->round + 1;
	unknown->until_ns = 0;
	container_names__refresh(self);
	return -EAGAIN;
}

/* An id counts as unknown when a round that began after it was first seen has ended without it. */
int container_names__find(struct container_names *self, const char *id,
			  const struct container_facts **ret_facts)
{
	struct unknown *unknown;
	uint64_t now_ns = clock_mono_ns();
	uint32_t row;

	if (!hash_index__find(&self->by_id, hash_id(id), id, &row)) {
		*ret_facts = &self->known[row].facts;
		return 0;
	}
	unknown = find_unknown(self, id);
	if (!unknown || (unknown->until_ns && now_ns >= unknown->until_ns))
		return ask_for(self, unknown, id);
	if (self->round < unknown->round || (self->round == unknown->round && is_busy(self)))
		return -EAGAIN;
	if (!unknown->until_ns)
		unknown->until_ns = now_ns + UNKNOWN_NS;
	return -ENOENT;
}

bool container_names__has_runtime(const struct container_names *self)
{
	for (size_t i = 0; i < ARRAY_SIZE(self->engines); i++)
		if (self->engines[i].is_there && !self->engines[i].has_failed)
			return true;
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A fleet of agents against a studio, with a stopwatch:
 *	fleet_load PORT TOKEN AGENTS CONNECTIONS SECONDS ORDERS_PER_S INTERVAL_S	heartbeats by the clock
 *	fleet_load PORT TOKEN AGENTS CONNECTIONS SECONDS ORDERS_PER_S wait	long polling, one connection each
 * Agents share connections, which stay open and come from addresses all over 127.0.0.0/8; every tenth has
 * containers; they acknowledge and complete what they get. Meanwhile an operator orders profiles. By the clock,
 * a heartbeat's time counts from when it was due; waiting, an order's from when it was sent to when its agent has
 * it. After all agents were seen once, which does not count, prints
 *	beats N / p50_ms N / p99_ms N / max_ms N / commands N / lost N / twice N / errors N / reconnects N
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BODY_MAX    32768
#define ANSWER_MAX  16384
#define IDS_MAX	    20 /* in a heartbeat */
#define ID_LEN	    36
#define RECORDS_MAX 1000000
#define SEEN_S	    6.0 /* for the first heartbeat of all */
#define DRAIN_S	    3.0

enum kind { BEAT, COMPLETION, ORDER };

struct job {
	enum kind kind;
	uint32_t agent;
	uint64_t due_ns;
	char id[ID_LEN + 1];
	struct job *next;
};
struct conn {
	int fd;
	uint32_t number;
	struct job *job, *last; /* the first is under way */
	char *out;
	size_t out_len, out_sent, in_len;
	char in[ANSWER_MAX];
};
struct agent {
	uint64_t due_ns;
	uint32_t id_cnt;
	bool is_ordered; /* one that it has not got yet */
	char ids[IDS_MAX][ID_LEN + 1];
};
struct record { /* of a command: ordered, or received */
	char id[ID_LEN + 1];
	uint32_t agent;
	uint64_t at_ns;
};
struct records {
	struct record *all;
	size_t cnt;
};

static struct conn *conns;
static struct agent *agents;
static uint32_t *heap, heap_cnt; /* agents by due time */
static uint32_t agent_cnt, conn_cnt;
static int epoll_fd, port;
static const char *token;
static bool is_waiting;
static double interval_s;
static uint64_t begin_ns, end_ns; /* of what counts */
static struct records ordered, received;
static double *times_ms;
static size_t time_cnt, errors, reconnects;

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void add_time(uint64_t from_ns, uint64_t to_ns)
{
	if (time_cnt < RECORDS_MAX)
		times_ms[time_cnt++] = (double)(to_ns - from_ns) / 1e6;
}

static void add_record(struct records *records, const char *id, uint32_t agent, uint64_t at_ns)
{
	struct record *record = &records->all[records->cnt];

	if (records->cnt == RECORDS_MAX)
		return;
	records->cnt++;
	snprintf(record->id, sizeof(record->id), "%.*s", ID_LEN, id);
	record->agent = agent;
	record->at_ns = at_ns;
}

/* --- agents in the order in which they are due */

static void heap_fix(uint32_t at)
{
	while (true) {
		uint32_t least = at, child = 2 * at + 1;

		for (uint32_t i = child; i < child + 2 && i < heap_cnt; i++)
			if (agents[heap[i]].due_ns < agents[heap[least]].due_ns)
				least = i;
		if (least == at)
			return;
		uint32_t agent = heap[at];

		heap[at] = heap[least];
		heap[least] = agent;
		at = least;
	}
}

/* --- what is sent */

static size_t print_ids(char *text, size_t max, const struct agent *agent)
{
	size_t len = 0;

	for (uint32_t i = 0; i < agent->id_cnt; i++)
		len += (size_t)snprintf(text + len, max - len, "%s\"%s\"", i ? "," : "",
					agent->ids[i]);
	return len;
}

static size_t print_containers(char *text, size_t max, uint32_t number)
{
	size_t len = 0;

	for (uint32_t i = 0; number % 10 == 0 && i < 10; i++)
		len += (size_t)snprintf(
			text + len, max - len,
			"%s{\"container_id\":\"%032x%032x\",\"container_name\":\"app-%u\","
			"\"runtime\":\"containerd\",\"namespace\":\"shop-%u\",\"pod_name\":"
			"\"app-%u-7f8d9c6b5-a%04x\",\"workload_name\":\"app-%u\",\"workload_kind\":\"k8s\","
			"\"processes\":[{\"pid\":%u,\"process_name\":\"java\"},{\"pid\":%u,"
			"\"process_name\":\"nginx\"},{\"pid\":%u,\"process_name\":\"\"}]}",
			i ? "," : "", number, i, i, i % 3, i, number & 0xffff, i, 1000 + 3 * i,
			1001 + 3 * i, 1002 + 3 * i);
	return len;
}

static size_t print_beat(char *text, size_t max, uint32_t number)
{
	const struct agent *agent = &agents[number];
	char ids[IDS_MAX * (ID_LEN + 3) + 1] = "", containers[8192] = "", last[ID_LEN + 3] = "null";

	print_ids(ids, sizeof(ids), agent);
	print_containers(containers, sizeof(containers), number);
	if (agent->id_cnt)
		snprintf(last, sizeof(last), "\"%s\"", agent->ids[agent->id_cnt - 1]);
	return (size_t)snprintf(
		text, max,
		"{\"ip_address\":\"10.%u.%u.%u\",\"hostname\":\"node-%u\",\"service_name\":\"checkout\","
		"\"last_command_id\":%s,\"received_command_ids\":[%s],\"executed_command_ids\":[%s],"
		"\"status\":\"active\",\"timestamp\":\"2026-11-22T14:26:26\",\"agent_version\":\"1.57.1\","
		"\"run_mode\":\"k8s\",\"namespace\":\"observability\",\"pod_name\":\"profiler-%u\","
		"\"containers\":[%s],\"perf_supported_events\":[\"branch-misses\",\"cache-misses\","
		"\"cycles\",\"instructions\"]%s}",
		number >> 16, (number >> 8) & 255, number & 255, number, last, ids, ids, number,
		containers, is_waiting ? ",\"wait_s\":50" : "");
}

static void conn_write(struct conn *conn);

static void conn_begin(struct conn *conn)
{
	static const char *const paths[] = { "/api/metrics/heartbeat",
					     "/api/metrics/command_completion",
					     "/api/metrics/profile_request" };
	static char body[BODY_MAX];
	struct job *job = conn->job;
	size_t len;

	if (job->kind == BEAT)
		len = print_beat(body, sizeof(body), job->agent);
	else if (job->kind == COMPLETION)
		len = (size_t)snprintf(body, sizeof(body),
				       "{\"command_id\":\"%s\",\"hostname\":\"node-%u\",\"status\":"
				       "\"completed\",\"execution_time\":0,\"error_message\":null,"
				       "\"results_path\":null}",
				       job->id, job->agent);
	else
		len = (size_t)snprintf(body, sizeof(body),
				       "{\"service_name\":\"checkout\",\"request_type\":\"start\","
				       "\"duration\":10,\"frequency\":99,\"target_hosts\":"
				       "{\"node-%u\":null}}",
				       job->agent);
	if (!conn->out)
		conn->out = malloc(BODY_MAX + 1024);
	conn->out_len = (size_t)snprintf(conn->out, BODY_MAX + 1024,
					 "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
					 "application/json\r\nAuthorization: Bearer %s\r\n"
					 "Content-Length: %zu\r\n\r\n%s",
					 paths[job->kind], token, len, body);
	conn->out_sent = conn->in_len = 0;
	conn_write(conn);
}

static void conn_add(struct conn *conn, enum kind kind, uint32_t agent, uint64_t due_ns,
		     const char *id)
{
	struct job *job = calloc(1, sizeof(*job));

	job->kind = kind;
	job->agent = agent;
	job->due_ns = due_ns;
	snprintf(job->id, sizeof(job->id), "%s", id);
	if (conn->job)
		conn->last->next = job;
	else
		conn->job = job;
	conn->last = job;
	if (conn->job == job)
		conn_begin(conn);
}

/* --- what comes back */

/* The id after the name, "" if it is null. */
static const char *id_in(const char *body, const char *name)
{
	const char *at = strstr(body, name);

	at = at ? at + strlen(name) : "";
	at += strspn(at, " :[\"");
	return strspn(at, "0123456789abcdef-") == ID_LEN ? at : "";
}

static void agent_take(uint32_t number, const char *id, uint64_t at_ns)
{
	struct agent *agent = &agents[number];

	add_record(&received, id, number, at_ns);
	agent->is_ordered = false;
	if (agent->id_cnt == IDS_MAX)
		memmove(agent->ids[0], agent->ids[1], sizeof(agent->ids[0]) * (IDS_MAX - 1));
	else
		agent->id_cnt++;
	snprintf(agent->ids[agent->id_cnt - 1], ID_LEN + 1, "%.*s", ID_LEN, id);
}

static void job_done(struct conn *conn, const struct job *job, const char *body)
{
	const uint64_t at_ns = now_ns();
	const char *id;

	if (job->kind == ORDER) {
		id = id_in(body, "\"command_ids\"");
		errors += !*id;
		add_record(&ordered, id, job->agent, job->due_ns);
	}
	if (job->kind != BEAT)
		return;
	if (!is_waiting && job->due_ns >= begin_ns && job->due_ns < end_ns)
		add_time(job->due_ns, at_ns);
	id = id_in(body, "\"command_id\"");
	if (*id) {
		agent_take(job->agent, id, at_ns);
		conn_add(conn, COMPLETION, job->agent, at_ns,
			 agents[job->agent].ids[agents[job->agent].id_cnt - 1]);
	}
	if (is_waiting)
		conn_add(conn, BEAT, job->agent, at_ns, "");
}

static void conn_end_job(struct conn *conn, const char *body)
{
	struct job *job = conn->job, *next;

	/* What job_done adds comes after it. */
	if (body)
		job_done(conn, job, body);
	next = job->next;
	conn->job = next;
	free(job);
	if (next)
		conn_begin(conn);
}

static void conn_open(struct conn *conn)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = conn };
	const int one = 1;

	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (conn->fd < 0)
		die("socket");
	from.sin_addr.s_addr = htonl(0x7f000001u + (conn->number % 0xfffff0u) * 7919u % 0xfffff0u);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)port);
	(void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(conn->fd, (struct sockaddr *)&from, sizeof(from)) ||
	    (connect(conn->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event))
		die("connect");
}

static void conn_lost(struct conn *conn)
{
	close(conn->fd);
	reconnects++;
	conn->out_len = conn->in_len = 0;
	conn_open(conn);
	if (!conn->job)
		return;
	errors++;
	if (is_waiting && conn->job->kind == BEAT)
		conn_add(conn, BEAT, conn->job->agent, now_ns(), "");
	conn_end_job(conn, NULL);
}

static void conn_write(struct conn *conn)
{
	ssize_t len;

	while (conn->out_sent < conn->out_len) {
		len = send(conn->fd, conn->out + conn->out_sent, conn->out_len - conn->out_sent, 0);
		if (len < 0)
			return; /* the next event tells why */
		conn->out_sent += (size_t)len;
	}
}

/* A whole answer, or NULL. */
static const char *answer_body(struct conn *conn)
{
	char *end, *length;

	conn->in[conn->in_len] = '\0';
	end = strstr(conn->in, "\r\n\r\n");
	length = strcasestr(conn->in, "\r\ncontent-length:");
	if (!end || !length)
		return NULL;
	if (conn->in_len < (size_t)(end + 4 - conn->in) + strtoul(length + 17, NULL, 10))
		return NULL;
	return end + 4;
}

static void conn_read(struct conn *conn)
{
	const char *body;
	ssize_t len;

	while ((len = recv(conn->fd, conn->in + conn->in_len, ANSWER_MAX - 1 - conn->in_len, 0)) >
	       0) {
		conn->in_len += (size_t)len;
		body = conn->job ? answer_body(conn) : NULL;
		if (!body)
			continue;
		if (strncmp(conn->in, "HTTP/1.1 200", 12) != 0 && !errors++)
			fprintf(stderr, "%.300s\n", conn->in);
		conn_end_job(conn, body);
	}
	if (!len || (errno != EAGAIN && errno != EINTR))
		conn_lost(conn);
}

/* --- the operator and the clock */

static void order_one(struct conn *operator, uint64_t at_ns)
{
	for (int tries = 0; tries < 100; tries++) {
		const uint32_t number = (uint32_t)random() % agent_cnt;
		struct agent *agent = &agents[number];

		if (agent->is_ordered ||
		    (!is_waiting && (agent->due_ns < at_ns + 500000000u || agent->due_ns > end_ns)))
			continue;
		agent->is_ordered = true;
		conn_add(operator, ORDER, number, at_ns, "");
		return;
	}
}

static void send_due(uint64_t at_ns)
{
	while (!is_waiting && agents[heap[0]].due_ns <= at_ns) {
		const uint32_t number = heap[0];
		struct agent *agent = &agents[number];
		const double again_s = interval_s * (0.9 + 0.2 * (double)random() / RAND_MAX);

		conn_add(&conns[number % conn_cnt], BEAT, number, agent->due_ns, "");
		/* After the first of all, each by its own clock. */
		if (agent->due_ns < begin_ns)
			agent->due_ns = begin_ns +
					(uint64_t)(interval_s * 1e9 * (double)random() / RAND_MAX);
		else
			agent->due_ns += (uint64_t)(again_s * 1e9);
		heap_fix(0);
	}
}

static void run(double orders_per_s)
{
	const uint64_t last_ns = end_ns + (uint64_t)(DRAIN_S * 1e9);
	uint64_t order_ns = begin_ns, at_ns;
	struct epoll_event events[256];
	uint32_t begun = 0;

	while ((at_ns = now_ns()) < last_ns) {
		/* Those that wait come in as the others do, one by one. */
		while (is_waiting && begun < agent_cnt && agents[begun].due_ns <= at_ns) {
			conn_add(&conns[begun], BEAT, begun, at_ns, "");
			begun++;
		}
		if (at_ns < end_ns)
			send_due(at_ns);
		for (; order_ns <= at_ns && order_ns < end_ns && orders_per_s > 0;
		     order_ns += (uint64_t)(1e9 / orders_per_s))
			order_one(&conns[conn_cnt], at_ns);
		const int cnt = epoll_wait(epoll_fd, events, 256, 1);

		for (int i = 0; i < cnt; i++) {
			if (events[i].events & EPOLLOUT)
				conn_write(events[i].data.ptr);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				conn_read(events[i].data.ptr);
		}
	}
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->id, ((const struct record *)b)->id);
}

static int by_value(const void *a, const void *b)
{
	const double one = *(const double *)a, two = *(const double *)b;

	return (one > two) - (one < two);
}

static void print_result(void)
{
	size_t lost = 0, twice = 0, at = 0;

	qsort(ordered.all, ordered.cnt, sizeof(struct record), by_id);
	qsort(received.all, received.cnt, sizeof(struct record), by_id);
	for (size_t i = 0; i < ordered.cnt; i++) {
		const struct record *one = &ordered.all[i];
		size_t got = 0;

		while (at < received.cnt && strcmp(received.all[at].id, one->id) < 0)
			at++;
		for (; at < received.cnt && !strcmp(received.all[at].id, one->id); at++) {
			got += received.all[at].agent == one->agent;
			if (is_waiting && got == 1)
				add_time(one->at_ns, received.all[at].at_ns);
		}
		lost += !got;
		twice += got > 1;
	}
	qsort(times_ms, time_cnt, sizeof(*times_ms), by_value);
	printf("beats %zu\n", time_cnt);
	if (time_cnt)
		printf("p50_ms %.3f\np99_ms %.3f\nmax_ms %.3f\n", times_ms[time_cnt / 2],
		       times_ms[time_cnt * 99 / 100], times_ms[time_cnt - 1]);
	printf("commands %zu\nlost %zu\ntwice %zu\nerrors %zu\nreconnects %zu\n", ordered.cnt, lost,
	       twice, errors, reconnects);
}

int main(int argc, char **argv)
{
	struct rlimit limit = { 1 << 16, 1 << 16 };
	double seconds;

	if (argc != 8)
		return 2;
	port = atoi(argv[1]);
	token = argv[2];
	agent_cnt = (uint32_t)atoi(argv[3]);
	is_waiting = !strcmp(argv[7], "wait");
	interval_s = is_waiting ? 30 : atof(argv[7]);
	conn_cnt = is_waiting ? agent_cnt : (uint32_t)atoi(argv[4]);
	seconds = atof(argv[5]);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	conns = calloc(conn_cnt + 1, sizeof(*conns));
	agents = calloc(agent_cnt, sizeof(*agents));
	heap = calloc(agent_cnt, sizeof(*heap));
	ordered.all = calloc(RECORDS_MAX, sizeof(struct record));
	received.all = calloc(RECORDS_MAX, sizeof(struct record));
	times_ms = calloc(RECORDS_MAX, sizeof(*times_ms));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!conns || !agents || !heap || !ordered.all || !received.all || !times_ms ||
	    epoll_fd < 0)
		die("start");
	for (uint32_t i = 0; i <= conn_cnt; i++) {
		conns[i].number = i;
		conn_open(&conns[i]);
	}
	const uint64_t start_ns = now_ns();

	begin_ns = start_ns + (uint64_t)((SEEN_S + 1) * 1e9);
	end_ns = begin_ns + (uint64_t)(seconds * 1e9);
	for (uint32_t i = 0; i < agent_cnt; i++) {
		agents[i].due_ns = start_ns + (uint64_t)(SEEN_S * 1e9 / agent_cnt * i);
		heap[heap_cnt++] = i;
	}
	run(atof(argv[6]));
	print_result();
	return 0;
}

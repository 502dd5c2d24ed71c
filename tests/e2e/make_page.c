/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes a made-up profile to stdout, for tests of the page in a browser and for looking at it:
 * make_page hostile|rich|large|empty html|collapsed. The same words give the same bytes. Not a workload
 * and not a profiler; the profiles hold what a real run would, and names that no real run would like.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/encode.h"
#include "pp/profile.h"

#define DEPTH_MAX 400

static struct profile *profile;
static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % n;
}

static void must(int err)
{
	pp_assert(!err);
}

static uint32_t find_module(const char *path)
{
	uint32_t module;

	for (module = 0; module < profile->module_cnt; module++) {
		if (!strcmp(intern__str(profile->strings, profile->modules[module].path), path))
			return module;
	}
	must(profile__module(profile, path, "", &module));
	return module;
}

/* "k:name" kernel, "?module" unnamed in that module, "module!name" native. */
static uint32_t add_frame(const char *text)
{
	char module_path[128] = "";
	const char *bang = strchr(text, '!');
	enum profile_frame_kind kind = FRAME_NATIVE;
	const char *name = bang ? bang + 1 : text;
	uint32_t module = 0, frame;
	uint64_t off = 0;

	if (!strncmp(text, "k:", 2)) {
		kind = FRAME_KERNEL;
		name = text + 2;
	} else if (text[0] == '?') {
		module = find_module(text + 1);
		name = "";
	} else if (bang) {
		snprintf(module_path, sizeof(module_path), "%.*s", (int)(bang - text), text);
		module = find_module(module_path);
	}
	for (const char *c = name; *c; c++)
		off = off * 31 + (unsigned char)*c;
	must(profile__frame(profile, kind, module, name[0] ? off : 0x1a2b3c, true, &frame));
	if (name[0])
		must(profile__string(profile, name, &profile->frames[frame].name));
	return frame;
}

/* stack: frames root first, separated by blanks. */
static void add_sample(uint32_t pid, const char *comm, const char *stack,
		       enum profile_stack_end end, uint64_t weight)
{
	uint32_t frames[DEPTH_MAX], leaf_first[DEPTH_MAX], depth = 0, kernel = 0, id, process;
	_auto_free_ char *text = strdup(stack);
	char *save = NULL;

	pp_assert(text);
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		kernel += !strncmp(word, "k:", 2);
		frames[depth++] = add_frame(word);
	}
	for (uint32_t i = 0; i < depth; i++)
		leaf_first[i] = frames[depth - 1 - i];
	must(profile__process(profile, pid, 1, pid * 1000000ull, comm, &process));
	must(profile__stack(profile, leaf_first, depth, kernel, &id));
	must(profile__add(profile, process, comm, 1, id, end, weight));
	profile->account.accepted += weight;
}

static void make_hostile(void)
{
	static const char *const names[] = {
		"semi;colon",
		"new\nline",
		"#hash",
		"</script><script>window.pwned=1</script>",
		"<img/src=x/onerror=window.pwned=1>",
		"u2028\xe2\x80\xa8sep",
		"bidi\xe2\x80\xae"
		"txt.exe",
		"not\xff\xfeutf8",
		"quote\"'\\back",
		"&lt;b&gt;amp&",
		"__proto__",
		"std::map<int,std::less<int>>::find",
	};
	char stack[512];

	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(stack, sizeof(stack), "/bin/evil!main /bin/evil!%s", names[i]);
		add_sample(100 + i, names[i], stack, STACK_END_COMPLETE, 10 + i);
	}
	add_sample(1, "kworker/0:1", "k:ret_from_fork k:kthread k:worker_thread", STACK_END_NONE,
		   7);
	add_sample(2, "stripped", "?/usr/lib/libfoo.so.1", STACK_END_NO_FRAME_POINTER, 9);
}

static const char *const rich_stacks[] = {
	"nginx|nginx!_start nginx!main nginx!ngx_master_process_cycle nginx!ngx_worker_process_cycle nginx!ngx_epoll_process_events nginx!ngx_http_process_request_line nginx!ngx_http_static_handler libc.so.6!sendfile64 k:entry_SYSCALL_64_after_hwframe k:do_syscall_64 k:__x64_sys_sendfile64 k:do_sendfile k:splice_direct_to_actor k:tcp_sendmsg k:tcp_write_xmit k:__ip_queue_xmit",
	"nginx|nginx!_start nginx!main nginx!ngx_master_process_cycle nginx!ngx_worker_process_cycle nginx!ngx_epoll_process_events nginx!ngx_http_process_request_headers nginx!ngx_http_gzip_body_filter libz.so.1!deflate libz.so.1!longest_match",
	"nginx|nginx!_start nginx!main nginx!ngx_master_process_cycle nginx!ngx_worker_process_cycle nginx!ngx_epoll_process_events libc.so.6!epoll_wait k:entry_SYSCALL_64_after_hwframe k:do_syscall_64 k:ep_poll k:schedule_hrtimeout_range k:schedule",
	"postgres|postgres!_start postgres!main postgres!PostmasterMain postgres!ServerLoop postgres!BackendStartup postgres!PostgresMain postgres!exec_simple_query postgres!PortalRun postgres!standard_ExecutorRun postgres!ExecHashJoin postgres!ExecScan postgres!heap_getnextslot postgres!heapgetpage postgres!ReadBufferExtended libc.so.6!pread64 k:entry_SYSCALL_64_after_hwframe k:do_syscall_64 k:vfs_read k:ext4_file_read_iter k:filemap_read k:copy_page_to_iter",
	"postgres|postgres!_start postgres!main postgres!PostmasterMain postgres!ServerLoop postgres!BackendStartup postgres!PostgresMain postgres!exec_simple_query postgres!PortalRun postgres!standard_ExecutorRun postgres!ExecAgg postgres!ExecHashJoin postgres!hash_search_with_hash_value",
	"postgres|postgres!_start postgres!main postgres!PostmasterMain postgres!ServerLoop postgres!BackendStartup postgres!PostgresMain postgres!exec_simple_query postgres!pg_plan_queries postgres!standard_planner postgres!query_planner postgres!make_one_rel",
	"checkout-api|checkout!_start checkout!runtime.goexit checkout!net/http.(*conn).serve checkout!main.(*Server).handleCart checkout!encoding/json.Marshal checkout!encoding/json.(*encodeState).reflectValue checkout!encoding/json.structEncoder.encode",
	"checkout-api|checkout!_start checkout!runtime.goexit checkout!net/http.(*conn).serve checkout!main.(*Server).handlePay checkout!crypto/tls.(*Conn).Write checkout!crypto/aes.gcmAesEnc",
	"checkout-api|checkout!_start checkout!runtime.goexit checkout!runtime.gcBgMarkWorker checkout!runtime.gcDrain checkout!runtime.scanobject",
	"cc1plus|cc1plus!_start cc1plus!main cc1plus!toplev::main(int,char**) cc1plus!do_compile() cc1plus!symbol_table::compile() cc1plus!cgraph_node::expand() cc1plus!execute_pass_list(function*,opt_pass*) cc1plus!execute_one_pass(opt_pass*) cc1plus!pass_pre::execute(function*)",
	"cc1plus|cc1plus!_start cc1plus!main cc1plus!toplev::main(int,char**) cc1plus!do_compile() cc1plus!c_parse_file() cc1plus!cp_parser_translation_unit(cp_parser*) cc1plus!cp_parser_declaration(cp_parser*,tree_node*) cc1plus!instantiate_decl(tree_node*,bool,bool) cc1plus!tsubst(tree_node*,tree_node*,int,tree_node*) k:asm_exc_page_fault k:exc_page_fault k:handle_mm_fault k:do_anonymous_page k:clear_page_erms",
};

static const char *const rich_broken[] = {
	"python3|?/usr/bin/python3.11 ?/usr/lib/x86_64-linux-gnu/libssl.so.3",
	"python3|python3.11!_PyEval_EvalFrameDefault python3.11!_PyEval_EvalFrameDefault python3.11!PyObject_Call",
	"systemd|libsystemd-shared-252.so!sd_event_dispatch k:entry_SYSCALL_64_after_hwframe k:do_syscall_64 k:ksys_read k:proc_reg_read",
};

/* Adds prefixes of a stack too, so that functions have time of their own. */
static void add_cut(uint32_t pid, const char *line, enum profile_stack_end end, uint64_t weight)
{
	const char *bar = strchr(line, '|');
	_auto_free_ char *comm = strndup(line, bar - line);
	_auto_free_ char *stack = strdup(bar + 1);

	pp_assert(comm && stack);
	add_sample(pid, comm, stack, end, weight);
	for (char *cut = strrchr(stack, ' '); cut; cut = strrchr(stack, ' ')) {
		*cut = '\0';
		if (random_below(3))
			add_sample(pid, comm, stack, end, 1 + random_below(weight / 6 + 2));
	}
}

static void make_rich(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(rich_stacks); i++)
		add_cut(1200 + 37 * i, rich_stacks[i], STACK_END_COMPLETE, 60 + random_below(400));
	for (uint32_t i = 0; i < ARRAY_SIZE(rich_broken); i++)
		add_cut(800 + i, rich_broken[i], STACK_END_NO_FRAME_POINTER, 40 + random_below(60));
	add_cut(17,
		"ksoftirqd/0|k:ret_from_fork_asm k:kthread k:smpboot_thread_fn k:run_ksoftirqd "
		"k:net_rx_action k:__napi_poll k:virtnet_poll",
		STACK_END_NONE, 42);
	profile_account__filtered(&profile->account, "idle", 5210);
	profile->account.missed = 12;
}

/* Many different stacks, up to 300 deep. */
static void make_large(void)
{
	char stack[16384], word[64], comm[16];

	for (uint32_t i = 0; i < 900; i++) {
		uint32_t depth = i % 30 ? 20 + random_below(70) : 300;
		size_t len = 0;

		stack[0] = '\0';
		for (uint32_t d = 0; d < depth; d++) {
			snprintf(word, sizeof(word), "app%u!frame_%u_%u ", i % 7, d,
				 d < 3 ? 0 : random_below(d < 12 ? 2 : 5000));
			pp_assert(len + strlen(word) < sizeof(stack));
			len += (size_t)snprintf(stack + len, sizeof(stack) - len, "%s", word);
		}
		snprintf(comm, sizeof(comm), "worker-%u", i % 7);
		add_sample(100 + i % 7, comm, stack, STACK_END_COMPLETE, 1 + random_below(20));
	}
	profile_account__lost(&profile->account, "maps_full", 1234);
}

static void set_meta(void)
{
	struct profile_account *account = &profile->account;
	struct profile_meta *meta = &profile->meta;

	account->taken = account->accepted + account->filtered + account->lost;
	account->expected = account->taken + account->missed;
	must(profile__string(profile, "cpu-clock", &meta->event));
	must(profile__string(profile, "cpu-clock (software)", &meta->clock));
	must(profile__string(profile, "web-7.example.net", &meta->hostname));
	meta->start_real_ns = 1795357586000000000ull;
	meta->end_real_ns = 1795357616000000000ull;
	meta->duration_ns = 30000000000ull;
	meta->rate_hz = 99;
	meta->cpu_cnt = 4;
	meta->kernel_ns_per_sample = 1840;
	meta->user_cpu_ns = 61500000;
	meta->rss_peak_bytes = 14 << 20;
	meta->busy_pct = 47.5;
	must(profile__check(profile));
}

static int write_piece(void *arg, const void *data, size_t len)
{
	(void)arg;
	return fwrite(data, 1, len, stdout) == len ? 0 : -EIO;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*make)(void);
	} kinds[] = { { "hostile", make_hostile }, { "rich", make_rich }, { "large", make_large } };
	const struct encode_format *format = argc == 3 ? encode_format__find(argv[2]) : NULL;
	const struct encode_sink sink = { write_piece, NULL };

	if (!format) {
		fputs("usage: make_page hostile|rich|large|empty html|collapsed|pprof\n", stderr);
		return 2;
	}
	must(profile__new(&profile));
	for (uint32_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kinds[i].name, argv[1]))
			kinds[i].make();
	}
	set_meta();
	must(format->encode(profile, &sink));
	profile__free(profile);
	return 0;
}

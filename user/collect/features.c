/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What this kernel and these permissions allow, each found by trying it, never by a version number. Says
 * what a missing ability costs and how to get it. Changes nothing.
 */
#include "internal.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/sysroot.h"

struct probe {
	const struct sysroot *root;
	struct collect_feature *features;
	uint32_t cnt;
};

static struct collect_feature *row(struct probe *self, const char *name, bool available,
				   const char *cost, const char *remedy)
{
	struct collect_feature *feature = &self->features[self->cnt];

	if (self->cnt + 1 < COLLECT_FEATURES_MAX)
		self->cnt++;
	memset(feature, 0, sizeof(*feature));
	feature->name = name;
	feature->available = available;
	feature->cost = available ? "" : cost;
	feature->remedy = available ? "" : remedy;
	snprintf(feature->detail, sizeof(feature->detail), "%s", available ? "yes" : "no");
	return feature;
}

/* A row about a number in a sysctl-like file. */
static long number_in(struct probe *self, const char *path, long fallback)
{
	char text[64];

	if (sysroot__line(self->root, text, sizeof(text), "%s", path))
		return fallback;
	return strtol(text, NULL, 10);
}

static void probe_bpf(struct probe *self)
{
	_auto_close_ int btf = sysroot__open(self->root, O_RDONLY, "sys/kernel/btf/vmlinux");
	int ring = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL);
	int perf = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_PERF_EVENT, NULL);
	struct collect_feature *feature;

	row(self, "kernel_btf", btf >= 0, "no profiling: programs cannot be fitted to this kernel",
	    "a kernel with CONFIG_DEBUG_INFO_BTF=y (5.10 or newer)");
	feature = row(self, "bpf_load", perf == 1, "no profiling",
		      "run as root, or with CAP_BPF and CAP_PERFMON; lockdown must be off");
	if (perf < 0)
		snprintf(feature->detail, sizeof(feature->detail), "%s", errname(perf));
	row(self, "bpf_ring_buffer", ring == 1, "no profiling", "kernel 5.10 or newer");
	row(self, "bpf_task_btf",
	    libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_get_current_task_btf,
				    NULL) == 1,
	    "about 60 ns more per sample", "kernel 5.11 or newer");
	feature = row(self, "bpf_task_pt_regs",
		      libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_task_pt_regs,
					      NULL) == 1,
		      "user registers of tasks in the kernel by a formula, which holds for the "
		      "kernels that lack it",
		      "kernel 5.15 or newer");
	snprintf(feature->detail, sizeof(feature->detail), "registers by %s",
		 feature->available ? "helper" : "formula");
	feature = row(self, "bpf_jit", number_in(self, "proc/sys/net/core/bpf_jit_enable", 1) != 0,
		      "programs are interpreted: several times the cost",
		      "sysctl net.core.bpf_jit_enable=1");
	snprintf(feature->detail, sizeof(feature->detail), "%ld",
		 number_in(self, "proc/sys/net/core/bpf_jit_enable", 1));
}

/* The programs themselves tell: they are loaded as for a profile, and unloaded. */
static void probe_walk(struct probe *self)
{
	struct collect *collect = calloc(1, sizeof(*collect));
	struct collect_feature *feature;
	const char *why = "out of memory";
	int err = -ENOMEM;

	if (collect) {
		collect->root = self->root;
		err = object__load(collect, &why);
		libbpf_set_print(NULL);
	}
	feature = row(self, "unwind_tables", !err && collect->has_tables,
		      err ? "no profiling" :
			    "frame pointers only: stacks of most programs end after some frames",
		      err ? "see the other rows" :
			    "report it with what 'pulseprof profile record' logs on this kernel");
	if (err)
		snprintf(feature->detail, sizeof(feature->detail), "%s", errname(err));
	else if (!collect->has_tables)
		snprintf(feature->detail, sizeof(feature->detail), "frame pointers: %s",
			 errname(collect->tables_err));
	if (!err)
		object__close(collect);
	free(collect);
}

/* Is there such a member, of this struct or of a nameless one inside it? */
static bool has_member(const struct btf *btf, const struct btf_type *type, const char *name,
		       unsigned int depth)
{
	const struct btf_member *member = btf_members(type);

	for (uint32_t i = 0; i < btf_vlen(type); i++, member++) {
		const char *its_name = btf__name_by_offset(btf, member->name_off);
		const struct btf_type *inner = btf__type_by_id(btf, member->type);

		if (its_name && !strcmp(its_name, name))
			return true;
		if (its_name && !*its_name && depth && inner && btf_is_composite(inner) &&
		    has_member(btf, inner, name, depth - 1))
			return true;
	}
	return false;
}

/* What process.bpf.h compares to see that the mappings of a process have changed. */
static void probe_map_changes(struct probe *self)
{
	static const char *const counters[] = { "mm_lock_seq", "vmacache_seqnum" };
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "mm_struct", BTF_KIND_STRUCT) : -1;
	const char *found = NULL;
	struct collect_feature *feature;

	for (size_t i = 0; i < ARRAY_SIZE(counters) && id > 0 && !found; i++)
		if (has_member(btf, btf__type_by_id(btf, (uint32_t)id), counters[i], 2))
			found = counters[i];
	feature = row(self, "map_changes", found,
		      "a library replaced by another of the same size at the same address can give "
		      "wrong frames until the next window",
		      "kernel 6.4 or newer (or up to 6.0)");
	snprintf(feature->detail, sizeof(feature->detail), "%s",
		 found ? found : "sizes and counts only");
	btf__free(btf);
}

static void probe_perf(struct probe *self)
{
	struct perf_clock clock;
	int why = 0, err = perf_clock__choose(self->root, SPEC_RATE_DEFAULT_HZ, &clock, &why);
	long paranoid = number_in(self, "proc/sys/kernel/perf_event_paranoid", -1);
	struct collect_feature *feature;

	feature = row(self, "perf_cpu_clock", !err, "no profiling",
		      "CAP_PERFMON, or sysctl kernel.perf_event_paranoid=-1");
	if (err)
		snprintf(feature->detail, sizeof(feature->detail), "%s", errname(err));
	feature = row(self, "perf_cycles", !err && !clock.is_software,
		      "samples by cpu-clock: code with interrupts off is seen when they come on",
		      why == -EACCES ? "CAP_PERFMON" : "a machine or guest with a PMU");
	if (!err && clock.is_software)
		snprintf(feature->detail, sizeof(feature->detail), "%s", errname(why));
	feature = row(self, "perf_event_paranoid", true, "", "");
	snprintf(feature->detail, sizeof(feature->detail), "%ld%s", paranoid,
		 paranoid > 0 ? " (only with CAP_PERFMON)" : "");
}

static bool sees_kallsyms(struct probe *self)
{
	_auto_close_ int fd = sysroot__open(self->root, O_RDONLY, "proc/kallsyms");
	char text[4096];
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	/* The first symbols of a kernel may truly stand at 0 (per-CPU offsets): any other digit will do. */
	for (ssize_t i = 0; i < got; i += strcspn(text + i, "\n") + 1) {
		text[got] = '\0';
		if (strspn(text + i, "0") < strcspn(text + i, " "))
			return true;
	}
	return false;
}

static bool has_capability(struct probe *self, int bit)
{
	_auto_buf_ struct buf text;
	const char *line;

	buf__init(&text, 64 << 10);
	if (sysroot__read(self->root, &text, "proc/self/status") || !text.data)
		return false;
	line = strstr(text.data, "\nCapEff:");
	return line && (strtoull(line + 8, NULL, 16) >> bit & 1);
}

static void probe_permissions(struct probe *self)
{
	struct collect_feature *feature;
	struct stat ns;
	char lockdown[64];

	feature = row(self, "kernel_symbols", sees_kallsyms(self),
		      "kernel frames stay [unknown]_[k]",
		      "CAP_SYSLOG, or sysctl kernel.kptr_restrict=0 or 1");
	snprintf(feature->detail, sizeof(feature->detail), "%s (kptr_restrict %ld)",
		 feature->available ? "yes" : "hidden",
		 number_in(self, "proc/sys/kernel/kptr_restrict", 0));
	if (sysroot__line(self->root, lockdown, sizeof(lockdown), "sys/kernel/security/lockdown"))
		snprintf(lockdown, sizeof(lockdown), "[none]");
	feature = row(self, "lockdown_off", !strstr(lockdown, "[confidentiality]"),
		      "BPF programs may not read memory: no profiling",
		      "boot without lockdown=confidentiality");
	snprintf(feature->detail, sizeof(feature->detail), "%s", lockdown);
	row(self, "cap_bpf", has_capability(self, CAP_BPF) || has_capability(self, CAP_SYS_ADMIN),
	    "no profiling", "run as root or with CAP_BPF");
	row(self, "cap_perfmon",
	    has_capability(self, CAP_PERFMON) || has_capability(self, CAP_SYS_ADMIN),
	    "no profiling of other users' processes", "run as root or with CAP_PERFMON");
	row(self, "cap_sys_ptrace", has_capability(self, CAP_SYS_PTRACE),
	    "other processes' mappings are unreadable: no names",
	    "run as root or with CAP_SYS_PTRACE");
	row(self, "cap_sys_admin", has_capability(self, CAP_SYS_ADMIN),
	    "deleted and foreign-namespace binaries cannot be opened (map_files)",
	    "run as root, or with CAP_CHECKPOINT_RESTORE from 5.9");
	/* The first pid namespace has this inode since 3.8 (PROC_PID_INIT_INO). */
	row(self, "host_pid_namespace",
	    !fstatat(self->root->fd, "proc/self/ns/pid", &ns, 0) && ns.st_ino == 0xEFFFFFFCu,
	    "pids differ from the kernel's: no mappings, no names",
	    "hostPID: true, or docker --pid=host");
}

int collect_features__probe(const struct sysroot *root, struct collect_feature *ret_features,
			    uint32_t *ret_cnt)
{
	struct probe probe = { .root = root, .features = ret_features };

	libbpf_set_print(NULL);
	probe_bpf(&probe);
	probe_walk(&probe);
	probe_map_changes(&probe);
	probe_perf(&probe);
	probe_permissions(&probe);
	*ret_cnt = probe.cnt;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which CPU this is, by what the kernel says of it: vendor, family, model and stepping, or the MIDR of arm64. Sources:
 * the mapfiles of intel/perfmon and of Linux 6.12 tools/perf/pmu-events, Arm's technical reference manuals.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

struct x86_cpu {
	const char *uarch;
	const char *vendor;
	uint32_t family, model_first, model_last, stepping_first, stepping_last;
	uint32_t slots;
};
/* The first that fits. */
static const struct x86_cpu x86_cpus[] = {
	{ "SKX", "GenuineIntel", 6, 0x55, 0x55, 0, 4, 4 },
	{ "CLX", "GenuineIntel", 6, 0x55, 0x55, 5, 15, 4 },
	{ "ICX", "GenuineIntel", 6, 0x6a, 0x6a, 0, 15, 5 },
	{ "ICX", "GenuineIntel", 6, 0x6c, 0x6c, 0, 15, 5 },
	{ "SPR", "GenuineIntel", 6, 0x8f, 0x8f, 0, 15, 6 },
	{ "EMR", "GenuineIntel", 6, 0xcf, 0xcf, 0, 15, 6 },
	{ "GNR", "GenuineIntel", 6, 0xad, 0xae, 0, 15, 6 },
	{ "ZEN2", "AuthenticAMD", 0x17, 0x30, 0xff, 0, 15, 0 },
	{ "ZEN3", "AuthenticAMD", 0x19, 0x00, 0x0f, 0, 15, 0 },
	{ "ZEN3", "AuthenticAMD", 0x19, 0x20, 0x2f, 0, 15, 0 },
	{ "ZEN3", "AuthenticAMD", 0x19, 0x40, 0x5f, 0, 15, 0 },
	{ "ZEN4", "AuthenticAMD", 0x19, 0x10, 0xff, 0, 15, 6 },
	{ "ZEN5", "AuthenticAMD", 0x1a, 0x00, 0x4f, 0, 15, 8 }, /* Zen 6 begins at 0x50 */
};

static const struct {
	const char *uarch;
	uint32_t part; /* of implementer 0x41, Arm */
	uint32_t slots;
} arm_cpus[] = {
	{ "N1", 0xd0c, 0 }, /* no slot events */
	{ "V1", 0xd40, 8 },
	{ "N2", 0xd49, 5 },
	{ "V2", 0xd4f, 8 },
};

/* The value of "name<tabs>: value" of the first CPU, cut to fit; "" if it is not there. */
static void cpuinfo_value(const char *text, const char *name, char *value, size_t value_bytes)
{
	size_t len = strlen(name);

	value[0] = '\0';
	for (const char *line = text; line && *line && *line != '\n';) {
		const char *next = strchr(line, '\n');
		const char *colon = strchr(line, ':');

		if (!strncmp(line, name, len) && (line[len] == '\t' || line[len] == ':') && colon &&
		    (!next || colon < next)) {
			colon += 1 + strspn(colon + 1, " ");
			snprintf(value, value_bytes, "%.*s", (int)strcspn(colon, "\n"), colon);
			return;
		}
		line = next ? next + 1 : NULL;
	}
}

static void identify_x86(struct counter_cpu *cpu, const char *text)
{
	char vendor[32], family_text[16], model_text[16], stepping_text[16];
	uint32_t family, model, stepping;

	cpuinfo_value(text, "vendor_id", vendor, sizeof(vendor));
	cpuinfo_value(text, "cpu family", family_text, sizeof(family_text));
	cpuinfo_value(text, "model", model_text, sizeof(model_text));
	cpuinfo_value(text, "stepping", stepping_text, sizeof(stepping_text));
	cpuinfo_value(text, "model name", cpu->model, sizeof(cpu->model));
	if (!vendor[0] || !family_text[0] || !model_text[0])
		return;
	family = (uint32_t)strtoul(family_text, NULL, 10);
	model = (uint32_t)strtoul(model_text, NULL, 10);
	stepping = (uint32_t)strtoul(stepping_text, NULL, 10);
	snprintf(cpu->id, sizeof(cpu->id), "%s-%u-%X-%X", vendor, family, model, stepping);
	for (size_t i = 0; i < ARRAY_SIZE(x86_cpus) && !cpu->uarch; i++) {
		const struct x86_cpu *known = &x86_cpus[i];

		if (strcmp(known->vendor, vendor) || known->family != family ||
		    model < known->model_first || model > known->model_last ||
		    stepping < known->stepping_first || stepping > known->stepping_last)
			continue;
		cpu->uarch = known->uarch;
		cpu->slots = known->slots;
	}
}

static void identify_arm(struct counter_cpu *cpu, const char *midr_text)
{
	uint64_t midr = strtoull(midr_text, NULL, 16);

	snprintf(cpu->id, sizeof(cpu->id), "0x%08llx", (unsigned long long)midr);
	for (size_t i = 0; i < ARRAY_SIZE(arm_cpus); i++)
		if (midr >> 24 == 0x41 && ((midr >> 4) & 0xfff) == arm_cpus[i].part) {
			cpu->uarch = arm_cpus[i].uarch;
			cpu->slots = arm_cpus[i].slots;
		}
}

int counter_cpu__read(const struct sysroot *root, struct counter_cpu *ret_cpu)
{
	struct counter_cpu cpu = { 0 };
	_auto_buf_ struct buf text;
	char midr[32];
	uint64_t slots;
	int err;

	buf__init(&text, 4u << 20);
	if (!sysroot__line(root, midr, sizeof(midr),
			   "sys/devices/system/cpu/cpu0/regs/identification/midr_el1")) {
		identify_arm(&cpu, midr);
	} else {
		err = sysroot__read(root, &text, "proc/cpuinfo");
		if (err == -ENOMEM)
			return err;
		if (text.data)
			identify_x86(&cpu, text.data);
	}
	if (perf_pmu__of_cpu(root, 0, cpu.pmu))
		cpu.pmu[0] = '\0';
	else if (!perf_pmu__cap(root, cpu.pmu, "slots", &slots) && slots > 0 && slots < 64)
		cpu.slots = (uint32_t)slots;
	*ret_cpu = cpu;
	return 0;
}

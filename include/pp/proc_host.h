/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROC_HOST_H
#define PP_PROC_HOST_H
/*
 * The facts of this machine that a backend wants to know. Part of the door of proc. Read once; texts are
 * as the machine says them (not made safe), empty where it does not say.
 */
#include <stdint.h>

struct sysroot;

struct host_facts {
	char hostname[256];
	char private_ip[64]; /* of the default interface, else the first that is not loopback */
	char mac_address[24]; /* "02:42:AC:11:00:02"; never empty: see host__read */
	char system_name[64];
	char kernel_release[128];
	char kernel_version[256];
	char hardware_type[64];
	char os_name[128];
	char os_release[64];
	char libc_type[32];
	char libc_version[64];
	char run_mode[32]; /* k8s, container or standalone_executable */
	char deployment_type[32]; /* k8s, containers or instances */
	uint32_t processors;
	uint32_t memory_capacity_mb;
	uint64_t uptime_ms;
};

/*
 * Reads what can be read. Where no interface has a hardware address (containers, some tunnels), a locally
 * administered one is made from the machine id, so that the host keeps its identity.
 * Returns 0, or -ENOENT if not even the host's name is there.
 */
int host__read(const struct sysroot *root, struct host_facts *ret_facts);

#endif

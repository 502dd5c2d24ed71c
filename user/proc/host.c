/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Facts of this machine: from the kernel's text files, os-release, and what only a call tells (addresses,
 * the instruction set, our libc). Nothing here is about a process.
 */
#include "pp/proc_host.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/hash.h"
#include "pp/base/sysroot.h"

#define TEXT_FILE_BYTES 65536
#define MAC_NONE	"00:00:00:00:00:00"

static void copy_text(char *text, size_t text_bytes, const char *value)
{
	size_t len = min_of(strlen(value), text_bytes - 1);

	memcpy(text, value, len);
	text[len] = '\0';
}

static void read_kernel(const struct sysroot *root, struct host_facts *facts)
{
	struct utsname names;

	/* What is not there stays empty. */
	(void)sysroot__line(root, facts->hostname, sizeof(facts->hostname),
			    "proc/sys/kernel/hostname");
	(void)sysroot__line(root, facts->system_name, sizeof(facts->system_name),
			    "proc/sys/kernel/ostype");
	(void)sysroot__line(root, facts->kernel_release, sizeof(facts->kernel_release),
			    "proc/sys/kernel/osrelease");
	(void)sysroot__line(root, facts->kernel_version, sizeof(facts->kernel_version),
			    "proc/sys/kernel/version");
	if (!uname(&names))
		copy_text(facts->hardware_type, sizeof(facts->hardware_type), names.machine);
	facts->processors = max_of(sysconf(_SC_NPROCESSORS_ONLN), 1L);
}

static void read_memory(const struct sysroot *root, struct host_facts *facts)
{
	_auto_buf_ struct buf text;
	const char *line;
	uint64_t kib;

	buf__init(&text, TEXT_FILE_BYTES);
	if (sysroot__read(root, &text, "proc/meminfo") || !text.data)
		return;
	line = strstr(text.data, "MemTotal:");
	if (line && sscanf(line, "MemTotal: %" SCNu64 " kB", &kib) == 1)
		facts->memory_capacity_mb = min_of(kib / 1024, (uint64_t)UINT32_MAX);
}

static void read_uptime(const struct sysroot *root, struct host_facts *facts)
{
	char line[64];
	uint64_t seconds, hundredths;

	if (!sysroot__line(root, line, sizeof(line), "proc/uptime") &&
	    sscanf(line, "%" SCNu64 ".%2" SCNu64, &seconds, &hundredths) == 2)
		facts->uptime_ms = seconds * 1000 + hundredths * 10;
}

/* The value of a line KEY=value or KEY="value". */
static void find_os_value(const char *text, const char *key, char *ret_value, size_t value_bytes)
{
	size_t key_len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		size_t len;

		line += *line == '\n';
		if (strncmp(line, key, key_len) || line[key_len] != '=')
			continue;
		line += key_len + 1;
		len = strcspn(line, "\n");
		if (len >= 2 && (line[0] == '"' || line[0] == '\'') && line[len - 1] == line[0]) {
			line++;
			len -= 2;
		}
		snprintf(ret_value, value_bytes, "%.*s", (int)len, line);
		return;
	}
}

static void read_os(const struct sysroot *root, struct host_facts *facts)
{
	_auto_buf_ struct buf text;

	buf__init(&text, TEXT_FILE_BYTES);
	if (sysroot__read(root, &text, "etc/os-release") || !text.data)
		return;
	find_os_value(text.data, "NAME", facts->os_name, sizeof(facts->os_name));
	find_os_value(text.data, "VERSION_ID", facts->os_release, sizeof(facts->os_release));
}

static void find_libc(struct host_facts *facts)
{
#ifdef __GLIBC__
	copy_text(facts->libc_type, sizeof(facts->libc_type), "glibc");
	copy_text(facts->libc_version, sizeof(facts->libc_version), gnu_get_libc_version());
#else
	copy_text(facts->libc_type, sizeof(facts->libc_type), "musl");
#endif
}

/* The variables that the gProfiler agent's deployments set. */
static void find_run_mode(struct host_facts *facts)
{
	const char *mode = "standalone_executable", *deployment = "instances";

	if (getenv("GPROFILER_IN_K8S")) {
		mode = "k8s";
		deployment = "k8s";
	} else if (getenv("GPROFILER_IN_CONTAINER")) {
		mode = "container";
		deployment = "containers";
	}
	copy_text(facts->run_mode, sizeof(facts->run_mode), mode);
	copy_text(facts->deployment_type, sizeof(facts->deployment_type), deployment);
}

/* The interface of the default route, or "". */
static void find_default_interface(const struct sysroot *root, char ret_name[IFNAMSIZ])
{
	_auto_buf_ struct buf text;
	char *line, *save = NULL;

	ret_name[0] = '\0';
	buf__init(&text, TEXT_FILE_BYTES);
	if (sysroot__read(root, &text, "proc/net/route") || !text.data)
		return;
	for (line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[IFNAMSIZ], destination[16];

		if (sscanf(line, "%15s %15s", name, destination) == 2 &&
		    !strcmp(destination, "00000000")) {
			memcpy(ret_name, name, IFNAMSIZ);
			return;
		}
	}
}

static bool read_mac(const struct sysroot *root, const char *interface, char *mac, size_t mac_bytes)
{
	char line[24];
	unsigned int b[6];
	char rest;

	if (sysroot__line(root, line, sizeof(line), "sys/class/net/%s/address", interface) ||
	    sscanf(line, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &rest) != 6 ||
	    !strcmp(line, MAC_NONE))
		return false;
	snprintf(mac, mac_bytes, "%02X:%02X:%02X:%02X:%02X:%02X", b[0], b[1], b[2], b[3], b[4],
		 b[5]);
	return true;
}

static int is_interface(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strcmp(entry->d_name, "lo");
}

/* The first interface by name that has a hardware address. */
static bool read_any_mac(const struct sysroot *root, char *mac, size_t mac_bytes)
{
	struct dirent **entries = NULL;
	bool found = false;
	int cnt = scandirat(root->fd, "sys/class/net", &entries, is_interface, alphasort);

	for (int i = 0; i < cnt; i++) {
		found = found || read_mac(root, entries[i]->d_name, mac, mac_bytes);
		free(entries[i]);
	}
	free(entries);
	return found;
}

/* Bit 1 of the first byte: locally administered (IEEE 802); bit 0 clear: of one station. */
static void make_mac(const struct sysroot *root, const char *hostname, char *mac, size_t mac_bytes)
{
	char id[64];
	uint64_t hash;

	if (sysroot__line(root, id, sizeof(id), "etc/machine-id") || !id[0])
		snprintf(id, sizeof(id), "%.63s", hostname);
	hash = hash_bytes(id, strlen(id), 0);
	snprintf(mac, mac_bytes, "02:%02X:%02X:%02X:%02X:%02X", (unsigned int)(hash >> 32 & 0xff),
		 (unsigned int)(hash >> 24 & 0xff), (unsigned int)(hash >> 16 & 0xff),
		 (unsigned int)(hash >> 8 & 0xff), (unsigned int)(hash & 0xff));
}

static bool format_address(const struct ifaddrs *entry, char *text, size_t text_bytes)
{
	const struct sockaddr *address = entry->ifa_addr;

	if (!address || (entry->ifa_flags & IFF_LOOPBACK) || !(entry->ifa_flags & IFF_UP))
		return false;
	if (address->sa_family == AF_INET)
		return inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
				 text_bytes);
	if (address->sa_family == AF_INET6 &&
	    !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)address)->sin6_addr))
		return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
				 text_bytes);
	return false;
}

/* The default interface is better than others, IPv4 better than IPv6, loopback better than nothing. */
static void find_private_ip(const char *interface, struct host_facts *facts)
{
	struct ifaddrs *entries = NULL;
	int best = 0;

	copy_text(facts->private_ip, sizeof(facts->private_ip), "127.0.0.1");
	if (getifaddrs(&entries))
		return;
	for (struct ifaddrs *entry = entries; entry; entry = entry->ifa_next) {
		char text[sizeof(facts->private_ip)];
		int rank;

		if (!format_address(entry, text, sizeof(text)))
			continue;
		rank = 1 + (entry->ifa_addr->sa_family == AF_INET) +
		       2 * !strcmp(entry->ifa_name, interface);
		if (rank > best) {
			best = rank;
			copy_text(facts->private_ip, sizeof(facts->private_ip), text);
		}
	}
	freeifaddrs(entries);
}

int host__read(const struct sysroot *root, struct host_facts *ret_facts)
{
	struct host_facts facts = { 0 };
	char interface[IFNAMSIZ];

	read_kernel(root, &facts);
	if (!facts.hostname[0])
		return -ENOENT;
	read_memory(root, &facts);
	read_uptime(root, &facts);
	read_os(root, &facts);
	find_libc(&facts);
	find_run_mode(&facts);
	find_default_interface(root, interface);
	if (!(interface[0] &&
	      read_mac(root, interface, facts.mac_address, sizeof(facts.mac_address))) &&
	    !read_any_mac(root, facts.mac_address, sizeof(facts.mac_address)))
		make_mac(root, facts.hostname, facts.mac_address, sizeof(facts.mac_address));
	find_private_ip(interface, &facts);
	*ret_facts = facts;
	return 0;
}

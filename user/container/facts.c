/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of a container, made of its labels: kubelet gives every container and sandbox those of
 * io.kubernetes.*, the same under each runtime. The workload is the label app.kubernetes.io/name, else app, else the
 * pod's name without what ReplicaSets ("-7f8d9c6b5-abcde"), DaemonSets and Jobs ("-abcde") or StatefulSets ("-0") put behind it.
 */
#include "internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"

void facts__text(char *member, size_t member_bytes, const char *text, size_t len)
{
	len = min_of(len, member_bytes - 1);
	memcpy(member, text, len);
	member[len] = '\0';
}

bool facts__set_id(struct container_facts *self, const char *id, size_t len)
{
	if (len != CONTAINER_ID_BYTES - 1)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)id[i]))
			return false;
	facts__text(self->id, sizeof(self->id), id, len);
	return true;
}

static bool is_key(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(key, name, len) == 0;
}

#define SET(member) facts__text(self->member, sizeof(self->member), value, value_len)

void facts__label(struct container_facts *self, const char *key, size_t key_len, const char *value,
		  size_t value_len)
{
	if (is_key(key, key_len, "io.kubernetes.container.name"))
		SET(name);
	else if (is_key(key, key_len, "io.kubernetes.pod.name"))
		SET(pod_name);
	else if (is_key(key, key_len, "io.kubernetes.pod.namespace"))
		SET(namespace);
	else if (is_key(key, key_len, "io.kubernetes.pod.uid"))
		SET(pod_uid);
	else if (is_key(key, key_len, "app.kubernetes.io/name") ||
		 (is_key(key, key_len, "app") && !self->workload[0]))
		SET(workload);
}

/* The length of the name without its last part, if that is of min to max characters that all are `is`; else 0. */
static size_t without_part(const char *name, size_t len, size_t min, size_t max, int (*is)(int))
{
	size_t part = 0;

	while (part < len && name[len - 1 - part] != '-')
		part++;
	if (part == len || part < min || part > max || len == part + 1)
		return 0;
	for (size_t i = len - part; i < len; i++)
		if (!is((unsigned char)name[i]))
			return 0;
	return len - part - 1;
}

void facts__finish(struct container_facts *self)
{
	size_t len = strlen(self->pod_name), stem, shorter;

	if (self->workload[0] || len == 0)
		return;
	stem = without_part(self->pod_name, len, 5, 5, isalnum);
	shorter = stem ? without_part(self->pod_name, stem, 8, 10, isxdigit) : 0;
	if (shorter)
		len = shorter;
	else
		len = without_part(self->pod_name, len, 1, 9, isdigit) ?: len;
	facts__text(self->workload, sizeof(self->workload), self->pod_name, len);
}

char *container_facts__raw_name(const struct container_facts *self, char *text, size_t text_bytes)
{
	if (self->pod_name[0])
		snprintf(text, text_bytes, "k8s_%s_%s_%s_%s_%u", self->name, self->pod_name,
			 self->namespace, self->pod_uid, self->attempt);
	else
		snprintf(text, text_bytes, "%s", self->name[0] ? self->name : self->id);
	return text;
}

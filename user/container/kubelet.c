/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kubelet's list of its node's pods (GET /pods, a v1 PodList), for where no runtime's socket can be asked. A pod's
 * labels are its user's words: they may name the workload and nothing else.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

static int take_label(void *arg, const char *name, struct json_object *value)
{
	const char *text = json__str(value);

	if (!strcmp(name, "app") || !strcmp(name, "app.kubernetes.io/name"))
		facts__label(arg, name, strlen(name), text, strlen(text));
	return 0;
}

static void take(const struct json_object *json, const char *name, char *member, size_t bytes)
{
	const char *text;

	if (!json__get_str(json, name, &text))
		facts__text(member, bytes, text, strlen(text));
}

/* "containerd://ID" */
static bool take_id(const char *text, struct container_facts *facts)
{
	static const char *const runtimes[] = { "containerd", "cri-o", "docker" };
	const char *id = strstr(text, "://");

	if (!id || !facts__set_id(facts, id + 3, strlen(id + 3)))
		return false;
	facts->runtime = "kubernetes";
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		if (!strncmp(text, runtimes[i], (size_t)(id - text)) && !runtimes[i][id - text])
			facts->runtime = runtimes[i];
	return true;
}

static int read_containers(const struct json_object *status, const char *list_name,
			   const struct container_facts *pod, facts_fn fn, void *arg)
{
	struct json_object *list;
	int err = 0;

	if (json__get_array(status, list_name, &list))
		return 0;
	for (size_t i = 0; !err && i < json__len(list); i++) {
		const struct json_object *item = json__at(list, i);
		struct container_facts facts = *pod;
		const char *id;
		int64_t restarts;

		if (json__get_str(item, "containerID", &id) || !take_id(id, &facts))
			continue; /* not started yet */
		take(item, "name", facts.name, sizeof(facts.name));
		if (!json__get_int(item, "restartCount", 0, UINT32_MAX, &restarts))
			facts.attempt = (uint32_t)restarts;
		err = fn(arg, &facts);
	}
	return err;
}

static int read_pod(const struct json_object *item, facts_fn fn, void *arg)
{
	static const char *const lists[] = { "containerStatuses", "initContainerStatuses",
					     "ephemeralContainerStatuses" };
	struct json_object *metadata, *labels, *status;
	struct container_facts pod = { 0 };
	int err = 0;

	if (json__get_object(item, "metadata", &metadata) ||
	    json__get_object(item, "status", &status))
		return 0;
	take(metadata, "name", pod.pod_name, sizeof(pod.pod_name));
	take(metadata, "namespace", pod.namespace, sizeof(pod.namespace));
	take(metadata, "uid", pod.pod_uid, sizeof(pod.pod_uid));
	if (!pod.pod_name[0])
		return 0;
	if (!json__get_object(metadata, "labels", &labels))
		(void)json__each(labels, take_label, &pod); /* returns 0 */
	facts__finish(&pod);
	for (size_t i = 0; i < ARRAY_SIZE(lists) && !err; i++)
		err = read_containers(status, lists[i], &pod, fn, arg);
	return err;
}

int kubelet__read(const char *body, size_t len, facts_fn fn, void *arg)
{
	struct json_object *json _auto_json_ = NULL;
	struct json_object *items;
	int err = json__parse(body, len, &json);

	if (!err && json__get_array(json, "items", &items))
		err = -EBADMSG;
	for (size_t i = 0; !err && i < json__len(items); i++)
		err = read_pod(json__at(items, i), fn, arg);
	return err;
}

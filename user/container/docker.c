/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The list of containers as docker's REST interface gives it (Engine API 1.24 on), and podman's, which is made to
 * be the same: an array of objects with Id, Names (each with a '/' before it) and Labels.
 */
#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/json.h"

static int take_label(void *arg, const char *name, struct json_object *value)
{
	const char *text = json__str(value);

	facts__label(arg, name, strlen(name), text, strlen(text));
	return 0;
}

/* Kubernetes without CRI names docker's containers "k8s_NAME_POD_NAMESPACE_UID_ATTEMPT". */
static void take_attempt(struct container_facts *facts, const char *name)
{
	const char *last = strrchr(name, '_');

	if (strncmp(name, "k8s_", 4) == 0 && last && isdigit((unsigned char)last[1]))
		facts->attempt = (uint32_t)strtoul(last + 1, NULL, 10);
}

static bool read_facts(const struct json_object *item, struct container_facts *facts)
{
	struct json_object *names, *labels;
	const char *id, *name = "";

	if (json__get_str(item, "Id", &id) || !facts__set_id(facts, id, strlen(id)))
		return false;
	if (!json__get_array(item, "Names", &names) && json__len(names))
		name = json__str(json__at(names, 0));
	name += *name == '/';
	facts__text(facts->name, sizeof(facts->name), name, strlen(name));
	take_attempt(facts, name);
	if (!json__get_object(item, "Labels", &labels))
		(void)json__each(labels, take_label, facts); /* returns 0 */
	facts__finish(facts);
	return true;
}

int docker__read(const char *body, size_t len, const char *runtime, facts_fn fn, void *arg)
{
	struct json_object *list _auto_json_ = NULL;
	int err = json__parse(body, len, &list);

	if (!err && !json__is_array(list))
		err = -EBADMSG;
	for (size_t i = 0; !err && i < json__len(list); i++) {
		struct container_facts facts = { .runtime = runtime };

		if (read_facts(json__at(list, i), &facts))
			err = fn(arg, &facts);
	}
	return err;
}

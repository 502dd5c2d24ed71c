/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The answers of metadata services: AWS's identity document, GCP's and Azure's descriptions of an instance. Anything
 * can answer on their address where there is no cloud, so texts are bounded and plain, or they are refused.
 */
#include "pp/proc_cloud.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

static int copy_plain(char *to, size_t to_bytes, const char *text)
{
	size_t len = strlen(text);

	if (len >= to_bytes)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '"' || text[i] == '\\')
			return -EBADMSG;
	memcpy(to, text, len + 1);
	return 0;
}

/* A member, of a path ("projects/1/zones/z") its last part; absent: "". */
static int take(const struct json_object *json, const char *name, char *to, size_t to_bytes)
{
	const char *text, *slash;
	int err = json__get_str(json, name, &text);

	if (err == -ENOENT)
		return 0;
	if (err)
		return -EBADMSG;
	slash = strrchr(text, '/');
	return copy_plain(to, to_bytes, slash ? slash + 1 : text);
}

struct names {
	const char *type, *id, *region, *zone;
};

static int read_facts(const struct json_object *json, const char *provider,
		      const struct names *names, struct cloud_facts *facts)
{
	int err = take(json, names->type, facts->instance_type, sizeof(facts->instance_type));

	if (!err && names->id)
		err = take(json, names->id, facts->instance_id, sizeof(facts->instance_id));
	if (!err && names->region)
		err = take(json, names->region, facts->region, sizeof(facts->region));
	if (!err)
		err = take(json, names->zone, facts->zone, sizeof(facts->zone));
	snprintf(facts->provider, sizeof(facts->provider), "%s", provider);
	return err ? err : facts->instance_type[0] ? 0 : -EBADMSG;
}

static int parse(const char *text, size_t len, struct json_object **ret_json)
{
	int err = json__parse(text, len, ret_json);

	if (err)
		return err == -ENOMEM ? err : -EBADMSG;
	return json__is_object(*ret_json) ? 0 : -EBADMSG;
}

int cloud_facts__read_aws(const char *text, size_t len, struct cloud_facts *ret_facts)
{
	static const struct names names = { "instanceType", "instanceId", "region",
					    "availabilityZone" };
	_auto_json_ struct json_object *json = NULL;
	struct cloud_facts facts = { 0 };
	int err = parse(text, len, &json);

	if (!err)
		err = read_facts(json, "aws", &names, &facts);
	if (!err)
		*ret_facts = facts;
	return err;
}

int cloud_facts__read_gcp(const char *text, size_t len, struct cloud_facts *ret_facts)
{
	static const struct names names = { "machineType", NULL, NULL, "zone" };
	_auto_json_ struct json_object *json = NULL;
	struct cloud_facts facts = { 0 };
	int64_t id;
	char *dash;
	int err = parse(text, len, &json);

	if (!err)
		err = read_facts(json, "gcp", &names, &facts);
	if (err)
		return err;
	if (!json__get_int(json, "id", 0, INT64_MAX, &id))
		snprintf(facts.instance_id, sizeof(facts.instance_id), "%" PRId64, id);
	memcpy(facts.region, facts.zone, sizeof(facts.region)); /* a zone is REGION-LETTER */
	dash = strrchr(facts.region, '-');
	if (dash)
		*dash = '\0';
	*ret_facts = facts;
	return 0;
}

int cloud_facts__read_azure(const char *text, size_t len, struct cloud_facts *ret_facts)
{
	static const struct names names = { "vmSize", "vmId", "location", "zone" };
	_auto_json_ struct json_object *json = NULL;
	struct cloud_facts facts = { 0 };
	int err = parse(text, len, &json);

	if (!err)
		err = read_facts(json, "azure", &names, &facts);
	if (!err)
		*ret_facts = facts;
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is read about containers: the first byte says as what. g: a cgroup file, d: docker's JSON, k: the kubelet's, else CRI.
 */
#include <stdlib.h>
#include <string.h>

#include "../../user/container/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int look(void *arg, const struct container_facts *facts)
{
	char text[6 * CONTAINER_NAME_BYTES];

	if (strlen(facts->id) != CONTAINER_ID_BYTES - 1)
		abort();
	container_facts__raw_name(facts, text, sizeof(text));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct container_ref ref;

	if (!len)
		return 0;
	len--;
	switch (*data++) {
	case 'g':
		if (!container_ref__parse((const char *)data, len, &ref) &&
		    strlen(ref.id) != CONTAINER_ID_BYTES - 1)
			abort();
		break;
	case 'd': (void)docker__read((const char *)data, len, "x", look, NULL); break;
	case 'k': (void)kubelet__read((const char *)data, len, look, NULL); break;
	case 's': (void)cri__read_sandboxes(data, len, "x", look, NULL); break;
	default: (void)cri__read_containers(data, len, "x", look, NULL);
	}
	return 0;
}

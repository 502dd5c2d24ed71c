/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROC_CLOUD_H
#define PP_PROC_CLOUD_H
/*
 * What kind of machine a cloud rents to us, from the answers of its metadata service. Pure text: who asks is the
 * daemon. Only what backends have a place for: neither accounts nor tags nor user data.
 */
#include <stddef.h>

struct cloud_facts {
	char provider[16]; /* "aws", "gcp", "azure": the words that the Studio takes */
	char instance_type[64];
	char instance_id[64];
	char region[64]; /* "": not told; so is the next */
	char zone[64];
};

/*
 * AWS: the instance identity document. GCP: instance/?recursive=true. Azure: instance/compute. 0, -EBADMSG (no JSON, or
 * no type of instance in it, or a text that is too long or not printable).
 */
int cloud_facts__read_aws(const char *text, size_t len, struct cloud_facts *ret_facts);
int cloud_facts__read_gcp(const char *text, size_t len, struct cloud_facts *ret_facts);
int cloud_facts__read_azure(const char *text, size_t len, struct cloud_facts *ret_facts);

#endif

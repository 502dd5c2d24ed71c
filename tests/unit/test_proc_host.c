/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Facts of a machine, read from made-up trees in tests/data/sysroot: host is a usual one with two
 * interfaces, bare has little more than a name.
 */
#include "pp/proc_cloud.h"
#include "pp/proc_host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

static struct host_facts read_facts(const char *tree)
{
	struct host_facts facts;
	struct sysroot root;

	assert_int_equal(sysroot__open_root(&root, tree), 0);
	assert_int_equal(host__read(&root, &facts), 0);
	sysroot__close(&root);
	return facts;
}

static void a_usual_host_says_everything(void **state)
{
	struct host_facts facts = read_facts("tests/data/sysroot/host");

	assert_string_equal(facts.hostname, "node-7.example.net");
	assert_string_equal(facts.system_name, "Linux");
	assert_string_equal(facts.kernel_release, "6.1.0-28-amd64");
	assert_string_equal(facts.kernel_version,
			    "#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)");
	assert_string_equal(facts.os_name, "Debian GNU/Linux");
	assert_string_equal(facts.os_release, "12");
	assert_int_equal(facts.memory_capacity_mb, 32000);
	assert_int_equal(facts.uptime_ms, 86400250);
	assert_true(facts.processors >= 1);
	assert_true(facts.hardware_type[0] && facts.libc_type[0]);
}

static void the_address_is_of_the_default_interface(void **state)
{
	struct host_facts facts = read_facts("tests/data/sysroot/host");
	unsigned char address[16];

	assert_string_equal(facts.mac_address, "3C:58:C2:AA:BB:0C");
	assert_true(inet_pton(AF_INET, facts.private_ip, address) == 1 ||
		    inet_pton(AF_INET6, facts.private_ip, address) == 1);
}

static void a_host_without_hardware_address_gets_a_lasting_one(void **state)
{
	struct host_facts facts = read_facts("tests/data/sysroot/bare");
	struct host_facts again = read_facts("tests/data/sysroot/bare");
	unsigned int b[6];

	assert_int_equal(sscanf(facts.mac_address, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2],
				&b[3], &b[4], &b[5]),
			 6);
	assert_int_equal(strlen(facts.mac_address), 17);
	assert_int_equal(b[0], 2);
	assert_true(b[1] | b[2] | b[3] | b[4] | b[5]);
	assert_string_equal(facts.mac_address, again.mac_address);
}

static void what_is_not_there_stays_empty(void **state)
{
	struct host_facts facts = read_facts("tests/data/sysroot/bare");

	assert_string_equal(facts.hostname, "pod-1");
	assert_string_equal(facts.kernel_release, "");
	assert_string_equal(facts.os_name, "Alpine");
	assert_string_equal(facts.os_release, "3.20.1");
	assert_int_equal(facts.memory_capacity_mb, 0);
	assert_int_equal(facts.uptime_ms, 0);
}

static void a_tree_without_a_name_is_an_error(void **state)
{
	struct host_facts facts;
	struct sysroot root;

	assert_int_equal(sysroot__open_root(&root, "tests/data/sysroot/host/etc"), 0);
	assert_int_equal(host__read(&root, &facts), -ENOENT);
	sysroot__close(&root);
}

static void the_run_mode_follows_the_deployment(void **state)
{
	assert_int_equal(unsetenv("GPROFILER_IN_K8S"), 0);
	assert_int_equal(unsetenv("GPROFILER_IN_CONTAINER"), 0);
	assert_string_equal(read_facts("tests/data/sysroot/bare").run_mode,
			    "standalone_executable");
	assert_int_equal(setenv("GPROFILER_IN_CONTAINER", "1", 1), 0);
	assert_string_equal(read_facts("tests/data/sysroot/bare").run_mode, "container");
	assert_string_equal(read_facts("tests/data/sysroot/bare").deployment_type, "containers");
	assert_int_equal(setenv("GPROFILER_IN_K8S", "1", 1), 0);
	assert_string_equal(read_facts("tests/data/sysroot/bare").run_mode, "k8s");
}

static int read_cloud(int (*read)(const char *text, size_t len, struct cloud_facts *ret_facts),
		      const char *text, struct cloud_facts *ret_facts)
{
	return read(text, strlen(text), ret_facts);
}

static void clouds_tell_the_type_of_the_instance(void **state)
{
	struct cloud_facts facts;

	assert_int_equal(
		read_cloud(
			cloud_facts__read_aws,
			"{\"accountId\":\"123\",\"instanceType\":\"m5.large\",\"instanceId\":\"i-0ab\","
			"\"region\":\"eu-west-1\",\"availabilityZone\":\"eu-west-1b\",\"kernelId\":null}",
			&facts),
		0);
	assert_string_equal(facts.provider, "aws");
	assert_string_equal(facts.instance_type, "m5.large");
	assert_string_equal(facts.instance_id, "i-0ab");
	assert_string_equal(facts.region, "eu-west-1");
	assert_string_equal(facts.zone, "eu-west-1b");
	assert_int_equal(
		read_cloud(cloud_facts__read_gcp,
			   "{\"id\":4520031799277581759,\"zone\":\"projects/1/zones/us-central1-a\","
			   "\"machineType\":\"projects/1/machineTypes/n2-standard-4\"}",
			   &facts),
		0);
	assert_string_equal(facts.provider, "gcp");
	assert_string_equal(facts.instance_type, "n2-standard-4");
	assert_string_equal(facts.instance_id, "4520031799277581759");
	assert_string_equal(facts.region, "us-central1");
	assert_string_equal(facts.zone, "us-central1-a");
	assert_int_equal(
		read_cloud(cloud_facts__read_azure,
			   "{\"location\":\"westeurope\",\"vmId\":\"02aab8a4-74ef\",\"zone\":\"\","
			   "\"vmSize\":\"Standard_D4s_v5\"}",
			   &facts),
		0);
	assert_string_equal(facts.provider, "azure");
	assert_string_equal(facts.instance_type, "Standard_D4s_v5");
	assert_string_equal(facts.region, "westeurope");
	assert_string_equal(facts.zone, "");
}

static void what_is_no_answer_of_a_cloud_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"<html>",
		"[]",
		"{}",
		"{\"instanceType\":7}",
		"{\"instanceType\":\"\"}",
		"{\"instanceType\":null}",
		"{\"instanceType\":\"a b\"}",
		"{\"instanceType\":\"a\\nb\"}",
		"{\"instanceType\":\"m5\",\"instanceId\":[1]}",
		"{\"instanceType\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
	};
	struct cloud_facts facts;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (read_cloud(cloud_facts__read_aws, bad[i], &facts) != -EBADMSG)
			fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clouds_tell_the_type_of_the_instance),
		cmocka_unit_test(what_is_no_answer_of_a_cloud_is_refused),
		cmocka_unit_test(a_usual_host_says_everything),
		cmocka_unit_test(the_address_is_of_the_default_interface),
		cmocka_unit_test(a_host_without_hardware_address_gets_a_lasting_one),
		cmocka_unit_test(what_is_not_there_stays_empty),
		cmocka_unit_test(a_tree_without_a_name_is_an_error),
		cmocka_unit_test(the_run_mode_follows_the_deployment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

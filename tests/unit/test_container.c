/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Containers from cgroup paths as runtimes make them, and the runtimes' answers: CRI's protobuf, docker's JSON.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/container/internal.h"
#include "pp/base/cleanup.h"

#define ID_A  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_B  "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID   "11111111-2222-3333-4444-555555555555"
#define UID_  "11111111_2222_3333_4444_555555555555"
#define HASH_ "0123456789abcdef0123456789abcdef"

static void a_path_tells_the_innermost_container(void **state)
{
	static const struct {
		const char *text;
		const char *id, *pod_uid;
		bool is_unified;
	} rows[] = {
		{ "0::/\n", NULL, "", false },
		{ "0::/user.slice/user-1000.slice/session-3.scope\n", NULL, "", false },
		{ "0::/system.slice/docker-" ID_A ".scope\n", ID_A, "", true },
		{ "0::/docker/" ID_A "\n", ID_A, "", true },
		{ "0::/docker/" ID_A "/docker/" ID_B "\n", ID_B, "", true },
		{ "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
		  ".slice/cri-containerd-" ID_A ".scope\n",
		  ID_A, UID, true },
		{ "0::/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID_A ".scope/container\n",
		  ID_A, UID, true },
		{ "0::/kubepods/besteffort/pod" UID "/" ID_A "\n", ID_A, UID, true },
		{ "0::/kubepods/pod" HASH_ "/" ID_A "/system.slice/cron.service\n", ID_A, HASH_,
		  true },
		{ "0::/../kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID_B ".scope\n",
		  ID_B, UID, true },
		{ "0::/machine.slice/libpod-" ID_A ".scope/container\n", ID_A, "", true },
		{ "0::/libpod_parent/libpod-" ID_A "\n", ID_A, "", true },
		{ "0::/machine.slice/libpod-conmon-" ID_A ".scope\n", NULL, "", false },
		{ "0::/system.slice/crio-conmon-" ID_A ".scope\n", NULL, "", false },
		{ "0::/docker/" ID_A "0\n", NULL, "", false },
		{ "12:pids:/docker/" ID_A "\n11:cpu,cpuacct:/docker/" ID_A "\n0::/\n", ID_A, "",
		  false },
		{ "4:memory:/docker/" ID_A "\n0::/system.slice/docker-" ID_A ".scope", ID_A, "",
		  true },
		{ "1:name=systemd:/a:b/docker/" ID_A "\n", ID_A, "", false },
		{ "", NULL, "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct container_ref ref;
		int err = container_ref__parse(rows[i].text, strlen(rows[i].text), &ref);

		assert_int_equal(err, rows[i].id ? 0 : -ENOENT);
		if (err)
			continue;
		assert_string_equal(ref.id, rows[i].id);
		assert_string_equal(ref.pod_uid, rows[i].pod_uid);
		assert_int_equal(ref.is_unified, rows[i].is_unified);
	}
}

static void what_is_no_list_of_cgroups_is_damage(void **state)
{
	struct container_ref ref;

	assert_int_equal(container_ref__parse("nonsense\n", 9, &ref), -EBADMSG);
	assert_int_equal(container_ref__parse("0:/x\n", 5, &ref), -EBADMSG);
}

static void a_workload_is_a_label_or_the_pod_without_its_suffix(void **state)
{
	static const struct {
		const char *pod, *workload;
	} rows[] = {
		{ "checkout-7f8d9c6b5-abcde", "checkout" },
		{ "a-b-7f8d9c6b59-x2x4z", "a-b" },
		{ "postgres-0", "postgres" },
		{ "postgres-12", "postgres" },
		{ "plain", "plain" },
		{ "kube-proxy-x2x4z", "kube-proxy-x2x4z" },
		{ "-0", "-0" },
		{ "7f8d9c6b5-abcde", "7f8d9c6b5-abcde" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct container_facts facts = { 0 };

		facts__label(&facts, "io.kubernetes.pod.name", 22, rows[i].pod,
			     strlen(rows[i].pod));
		facts__finish(&facts);
		assert_string_equal(facts.workload, rows[i].workload);
		facts__label(&facts, "app", 3, "by-app", 6);
		facts__label(&facts, "app.kubernetes.io/name", 22, "by-name", 7);
		facts__finish(&facts);
		assert_string_equal(facts.workload, "by-name");
	}
}

static int keep(void *arg, const struct container_facts *facts)
{
	struct container_facts *list = arg;

	while (list->id[0])
		list++;
	*list = *facts;
	return 0;
}

struct told {
	struct container_facts rows[4];
	uint32_t cnt;
};

static int tell(void *arg, const struct container_facts *facts)
{
	struct told *told = arg;

	assert_true(told->cnt < 4);
	told->rows[told->cnt++] = *facts;
	return 0;
}

static void the_kubelet_tells_pods(void **state)
{
	static const char text[] =
		"{\"kind\":\"PodList\",\"items\":[7,{},{\"metadata\":{\"name\":\"cart-7f8d9c6b5-abcde\","
		"\"namespace\":\"shop\",\"uid\":\"" UID
		"\",\"labels\":{\"io.kubernetes.pod.name\":\"other\","
		"\"x\":null}},\"status\":{\"containerStatuses\":[{\"name\":\"web\",\"restartCount\":3,"
		"\"containerID\":\"containerd://" ID_A "\"},{\"name\":\"soon\"},{\"name\":\"bad\","
		"\"containerID\":\"containerd://12\"},{\"name\":\"side\",\"restartCount\":-1,"
		"\"containerID\":\"new://" ID_B "\"}],\"initContainerStatuses\":null}},"
		"{\"metadata\":{\"name\":\"db-0\",\"namespace\":\"shop\",\"labels\":{\"app\":\"database\"}},"
		"\"status\":{\"initContainerStatuses\":[{\"name\":\"init\",\"containerID\":\"cri-o://" ID_B
		"\"}]}}]}";
	struct told told = { 0 };
	char name[400];

	assert_int_equal(kubelet__read(text, sizeof(text) - 1, tell, &told), 0);
	assert_int_equal(told.cnt, 3);
	assert_string_equal(container_facts__raw_name(&told.rows[0], name, sizeof(name)),
			    "k8s_web_cart-7f8d9c6b5-abcde_shop_" UID "_3");
	assert_string_equal(told.rows[0].workload, "cart");
	assert_string_equal(told.rows[0].runtime, "containerd");
	assert_string_equal(told.rows[0].id, ID_A);
	assert_string_equal(told.rows[1].name, "side");
	assert_string_equal(told.rows[1].runtime, "kubernetes");
	assert_string_equal(told.rows[2].pod_name, "db-0");
	assert_string_equal(told.rows[2].workload, "database");
	assert_int_equal(kubelet__read("{}", 2, tell, &told), -EBADMSG);
	assert_int_equal(kubelet__read("[]", 2, tell, &told), -EBADMSG);
	assert_int_equal(kubelet__read("{\"items\"", 8, tell, &told), -EBADMSG);
}

static void docker_tells_names_and_labels(void **state)
{
	static const char body[] =
		"[{\"Id\":\"" ID_A "\",\"Names\":[\"/web\"],\"Labels\":{}},{\"Id\":\"short\"},7,"
		"{\"Id\":\"" ID_B "\",\"Names\":[\"/k8s_web_shop-0_prod_" UID "_3\"],\"Labels\":{"
		"\"io.kubernetes.container.name\":\"web\",\"io.kubernetes.pod.name\":\"shop-0\","
		"\"io.kubernetes.pod.namespace\":\"prod\",\"io.kubernetes.pod.uid\":\"" UID "\"}}]";
	struct container_facts list[4] = { 0 };
	char text[512];

	assert_int_equal(docker__read(body, strlen(body), "docker", keep, list), 0);
	assert_string_equal(container_facts__raw_name(&list[0], text, sizeof(text)), "web");
	assert_string_equal(container_facts__raw_name(&list[1], text, sizeof(text)),
			    "k8s_web_shop-0_prod_" UID "_3");
	assert_string_equal(list[1].workload, "shop");
	assert_int_equal(list[2].id[0], 0);
	assert_int_equal(docker__read("{}", 2, "docker", keep, list), -EBADMSG);
	assert_int_equal(docker__read("[", 1, "docker", keep, list), -EBADMSG);
}

/* Protobuf by hand. */
struct bytes {
	uint8_t data[2048];
	size_t len;
};

static void put_field(struct bytes *self, uint32_t number, const void *data, size_t len)
{
	self->data[self->len++] = (uint8_t)(number << 3 | 2);
	if (len > 127)
		self->data[self->len++] = (uint8_t)(len | 0x80);
	self->data[self->len++] = (uint8_t)(len > 127 ? len >> 7 : len);
	memcpy(self->data + self->len, data, len);
	self->len += len;
}

static void put_text(struct bytes *self, uint32_t number, const char *text)
{
	put_field(self, number, text, strlen(text));
}

static void put_label(struct bytes *self, uint32_t number, const char *key, const char *value)
{
	struct bytes label = { .len = 0 };

	put_text(&label, 1, key);
	put_text(&label, 2, value);
	put_field(self, number, label.data, label.len);
}

/* The answer to ListContainers (sandbox: ListPodSandbox) of one item. */
static struct bytes made_answer(bool sandbox)
{
	struct bytes item = { .len = 0 }, metadata = { .len = 0 }, answer = { .len = 5 };
	uint32_t labels = sandbox ? 5 : 8;

	put_text(&metadata, 1, sandbox ? "shop-0" : "web");
	metadata.data[metadata.len++] = sandbox ? 4 << 3 : 2 << 3; /* the attempt: 300 */
	metadata.data[metadata.len++] = 0xac;
	metadata.data[metadata.len++] = 2;
	put_text(&item, 1, sandbox ? ID_B : ID_A);
	put_field(&item, sandbox ? 2 : 3, metadata.data, metadata.len);
	item.data[item.len++] = 7 << 3 | 1; /* eight bytes that nobody asked for */
	item.len += 8;
	put_label(&item, labels, "io.kubernetes.pod.name", "shop-0");
	put_label(&item, labels, "io.kubernetes.pod.namespace", "prod");
	put_label(&item, labels, "io.kubernetes.pod.uid", UID);
	put_field(&answer, 1, item.data, item.len);
	answer.data[3] = (uint8_t)((answer.len - 5) >> 8);
	answer.data[4] = (uint8_t)(answer.len - 5);
	return answer;
}

static void cri_tells_containers_and_sandboxes(void **state)
{
	struct bytes containers = made_answer(false), sandboxes = made_answer(true);
	struct container_facts list[3] = { 0 };
	char text[512];

	assert_int_equal(
		cri__read_containers(containers.data, containers.len, "containerd", keep, list), 0);
	assert_int_equal(
		cri__read_sandboxes(sandboxes.data, sandboxes.len, "containerd", keep, list), 0);
	assert_string_equal(list[0].id, ID_A);
	assert_string_equal(container_facts__raw_name(&list[0], text, sizeof(text)),
			    "k8s_web_shop-0_prod_" UID "_300");
	assert_string_equal(list[1].id, ID_B);
	assert_string_equal(container_facts__raw_name(&list[1], text, sizeof(text)),
			    "k8s_POD_shop-0_prod_" UID "_300");
}

static void what_is_no_id_is_left_out(void **state)
{
	struct bytes whole = made_answer(false);
	struct container_facts list[2] = { 0 };
	uint8_t *id = memmem(whole.data, whole.len, ID_A, 64);

	id[9] = 0;
	assert_int_equal(cri__read_containers(whole.data, whole.len, "x", keep, list), 0);
	assert_int_equal(list[0].id[0], 0);
}

static void a_cut_answer_is_damage(void **state)
{
	struct bytes whole = made_answer(false);
	struct container_facts list[3];

	for (size_t len = 0; len < whole.len; len++) {
		uint8_t *cut = malloc(len + 1); /* of its own, so that sanitizers see the end */

		assert_non_null(cut);
		memcpy(cut, whole.data, len);
		if (len >= 5)
			cut[3] = (uint8_t)((len - 5) >> 8), cut[4] = (uint8_t)(len - 5);
		memset(list, 0, sizeof(list));
		assert_int_equal(cri__read_containers(cut, len, "x", keep, list),
				 len == 5 ? 0 : -EBADMSG);
		free(cut);
	}
	whole.data[0] = 1;
	assert_int_equal(cri__read_containers(whole.data, whole.len, "x", keep, list), -EOPNOTSUPP);
}

static void a_container_is_in_groups_by_its_names(void **state)
{
	static const struct container_facts cart = { .id = ID_A,
						     .name = "cart",
						     .pod_name = "cart-7f-x",
						     .namespace = "shop",
						     .workload = "carts" };
	static const struct container_facts plain = { .id = ID_B, .name = "cart" };
	static const struct {
		const char *group;
		bool has_cart, has_plain;
	} rows[] = {
		{ "container:cart", true, true },
		{ "container:cart-7f-x/cart", true, false },
		{ "container:shop/cart-7f-x/cart", true, false },
		{ "container:other/cart-7f-x/cart", false, false },
		{ "container:car", false, false },
		{ "container:0123456789ab", true, false },
		{ "container:0123456789a", false, false },
		{ "pod:cart-7f-x", true, false },
		{ "pod:shop/cart-7f-x", true, false },
		{ "pod:x/cart-7f-x", false, false },
		{ "pod:cart", false, false },
		{ "workload:carts", true, false },
		{ "workload:cart", false, true },
		{ "workload:shop/carts", true, false },
		{ "workload:shop/cart", false, false },
		{ "namespace:shop", true, false },
		{ "namespace:sho", false, false },
		{ "namespace:", false, false },
		{ "pod:", false, false },
		{ "", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (container_group__has(rows[i].group, &cart) != rows[i].has_cart ||
		    container_group__has(rows[i].group, &plain) != rows[i].has_plain)
			fail_msg("'%s' is wrong", rows[i].group);
}

static void the_pod_of_a_path_is_the_innermost(void **state)
{
	static const char outer[] = "/docker/" ID_B "/kubepods/besteffort/pod" UID;

	assert_int_equal(container_path__pod_len("/docker/" ID_A), 0);
	assert_int_equal(container_path__pod_len(""), 0);
	assert_int_equal(container_path__pod_len("/docker/" ID_B "/kubepods/besteffort/pod" UID
						 "/" ID_A),
			 sizeof(outer) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_tells_the_innermost_container),
		cmocka_unit_test(a_container_is_in_groups_by_its_names),
		cmocka_unit_test(the_pod_of_a_path_is_the_innermost),
		cmocka_unit_test(what_is_no_list_of_cgroups_is_damage),
		cmocka_unit_test(a_workload_is_a_label_or_the_pod_without_its_suffix),
		cmocka_unit_test(the_kubelet_tells_pods),
		cmocka_unit_test(docker_tells_names_and_labels),
		cmocka_unit_test(cri_tells_containers_and_sandboxes),
		cmocka_unit_test(what_is_no_id_is_left_out),
		cmocka_unit_test(a_cut_answer_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The container of a process from its cgroup path. Runtimes name a container's cgroup by its id of 64 hexadecimal
 * digits, bare (cgroupfs driver) or as a systemd scope with a prefix; kubelet puts it below one for the pod, whose
 * name has the pod's uid ('_' for '-' in slices). What runs inside may make cgroups of its own below: the last
 * component with an id is the innermost container. A runtime's monitor (conmon) has a scope with the id, too, but
 * is not in the container. Pure text.
 */
#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/proc_cgroup.h"

#define ID_DIGITS      64
#define POD_DIGITS_MIN 32 /* of static pods: a hash */
#define POD_UID_LEN    36

/* Before the id, in the component's name. */
static const char *const prefixes[] = { "docker-", "cri-containerd-", "crio-", "libpod-", "" };

struct part {
	const char *text;
	size_t len;
};

static bool begins_with(const struct part *part, const char *prefix)
{
	size_t len = strlen(prefix);

	return part->len >= len && memcmp(part->text, prefix, len) == 0;
}

static bool is_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

static bool ends_with_scope(const struct part *part)
{
	static const char scope[] = ".scope";
	size_t len = sizeof(scope) - 1;

	return part->len > len && memcmp(part->text + part->len - len, scope, len) == 0;
}

/* Is the component a container's cgroup? */
static bool take_id(const struct part *part, struct container_ref *ref)
{
	size_t len = part->len - (ends_with_scope(part) ? strlen(".scope") : 0);

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t skip = strlen(prefixes[i]);

		if (!begins_with(part, prefixes[i]) || len != skip + ID_DIGITS ||
		    !is_hex(part->text + skip, ID_DIGITS))
			continue;
		memcpy(ref->id, part->text + skip, ID_DIGITS);
		ref->id[ID_DIGITS] = '\0';
		return true;
	}
	return false;
}

/* "pod123e4567-...", "kubepods-burstable-pod123e4567_....slice" */
static bool take_pod(const struct part *part, struct container_ref *ref)
{
	const char *uid = part->text;
	size_t len = part->len;

	if (begins_with(part, "kubepods") && len > 6 && !memcmp(uid + len - 6, ".slice", 6)) {
		uid = memmem(uid, len, "-pod", 4);
		if (!uid)
			return false;
		len = (size_t)(part->text + part->len - uid) - 6;
		uid++;
		len--;
	}
	if (len < 3 + POD_DIGITS_MIN || len > 3 + POD_UID_LEN || memcmp(uid, "pod", 3) != 0)
		return false;
	uid += 3;
	len -= 3;
	for (size_t i = 0; i < len; i++) {
		if (!isxdigit((unsigned char)uid[i]) && uid[i] != '-' && uid[i] != '_')
			return false;
		ref->pod_uid[i] = uid[i] == '_' ? '-' : uid[i];
	}
	ref->pod_uid[len] = '\0';
	return true;
}

bool container_name__read(const char *name, struct container_ref *ret_ref)
{
	struct part part = { name, strlen(name) };

	return take_id(&part, ret_ref);
}

size_t container_path__pod_len(const char *path)
{
	size_t pod_len = 0;

	for (const char *at = path; *at;) {
		struct part part = { at, strcspn(at, "/") };
		struct container_ref ref;

		at += part.len;
		if (take_pod(&part, &ref))
			pod_len = (size_t)(at - path);
		at += *at == '/';
	}
	return pod_len;
}

/* The innermost container of one path. */
static bool parse_path(const char *path, size_t len, struct container_ref *ret_ref)
{
	struct container_ref ref = { 0 };
	const char *end = path + len;
	bool found = false;

	while (path < end) {
		const char *slash = memchr(path, '/', (size_t)(end - path)) ?: end;
		struct part part = { path, (size_t)(slash - path) };
		struct container_ref inner = { 0 };

		path = slash + 1;
		if (take_pod(&part, &inner)) /* what is below is of this pod, until another comes */
			memcpy(ref.pod_uid, inner.pod_uid, sizeof(ref.pod_uid));
		if (take_id(&part, &inner)) {
			memcpy(ref.id, inner.id, sizeof(ref.id));
			found = true;
		}
	}
	if (found)
		*ret_ref = ref;
	return found;
}

int container_ref__parse(const char *text, size_t len, struct container_ref *ret_ref)
{
	const char *end = text + len;
	bool found = false;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text)) ?: end;
		const char *first = memchr(text, ':', (size_t)(newline - text));
		const char *path = first ? memchr(first + 1, ':', (size_t)(newline - first - 1)) :
					   NULL;
		bool is_unified = text[0] == '0' && first == text + 1 && path == first + 1;

		if (!path)
			return -EBADMSG;
		/* the unified hierarchy's word counts; each other one's is as good as the next */
		if ((!found || is_unified) &&
		    parse_path(path + 1, (size_t)(newline - path - 1), ret_ref)) {
			ret_ref->is_unified = is_unified;
			found = true;
		}
		text = newline + 1;
	}
	return found ? 0 : -ENOENT;
}

int container_ref__read(const struct sysroot *root, uint32_t pid, struct container_ref *ret_ref)
{
	_auto_buf_ struct buf text;
	int err = cgroup_text__read(root, pid, &text);

	if (err)
		return err;
	return text.len ? container_ref__parse(text.data, text.len, ret_ref) : -ENOENT;
}

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Makes images without a registry, and pods without a kubelet.

    container_rig.py image OUT.tar NAME ROOTFS COMMAND...     an image of a directory
    container_rig.py pod SOCKET NAMESPACE POD UID LABELS CONTAINER=IMAGE[=COMMAND]...   prints an id a line: sandbox, containers
    container_rig.py rm SOCKET SANDBOX...                     stops and removes pods with all that is in them

LABELS is KEY=VALUE,... of the pod. The Container Runtime Interface is spoken by curl: gRPC frames around
protobuf messages made and read here by hand (runtime.v1 of cri-api).
"""
import hashlib
import io
import json
import struct
import subprocess
import sys
import tarfile


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def labels(number, pairs):
    return b"".join(field(number, field(1, key) + field(2, value)) for key, value in pairs.items())


def first_string(message):
    """Of field 1, which comes first: the id in every answer here."""
    assert message[:1] == b"\x0a", message
    return message[2 : 2 + message[1]].decode()


def call(socket, method, message):
    frame = b"\0" + struct.pack(">I", len(message)) + message
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    url = f"http://localhost/runtime.v1.RuntimeService/{method}"
    done = subprocess.run(
        ["curl", "-sS", "-D", "/dev/stderr", "--max-time", "60", "--http2-prior-knowledge", "--unix-socket", socket,
         *headers, "--data-binary", "@-", url],
        input=frame, capture_output=True,
    )
    if len(done.stdout) < 5:
        sys.exit(f"{method}: {done.stderr.decode(errors='replace')}")
    return done.stdout[5:]


def sandbox_config(namespace, pod, uid, pod_labels):
    metadata = field(1, pod) + field(2, uid) + field(3, namespace) + field(4, 0)
    of_host = field(1, 2) + field(2, 1) + field(3, 1)  # network of the node: no plugins are set up
    every = {
        "io.kubernetes.pod.name": pod,
        "io.kubernetes.pod.namespace": namespace,
        "io.kubernetes.pod.uid": uid,
        **pod_labels,
    }
    linux = field(1, f"/kubepods/burstable/pod{uid}") + field(2, field(1, of_host))
    return field(1, metadata) + labels(6, every) + field(8, linux), every


def make_pod(socket, namespace, pod, uid, pod_labels, containers):
    config, every = sandbox_config(namespace, pod, uid, pod_labels)
    sandbox = first_string(call(socket, "RunPodSandbox", field(1, config)))
    print(sandbox)
    for item in containers:
        name, image, *command = item.split("=", 2)
        container = (
            field(1, field(1, name) + field(2, 0))
            + field(2, field(1, image))
            + b"".join(field(3, word) for word in " ".join(command).split())
            + labels(9, {**every, "io.kubernetes.container.name": name})
            + field(15, b"")
        )
        request = field(1, sandbox) + field(2, container) + field(3, config)
        made = first_string(call(socket, "CreateContainer", request))
        call(socket, "StartContainer", field(1, made))
        print(made, flush=True)


def remove(socket, sandboxes):
    for sandbox in sandboxes:
        call(socket, "StopPodSandbox", field(1, sandbox))
        call(socket, "RemovePodSandbox", field(1, sandbox))


def make_image(out, name, rootfs, command):
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(rootfs, arcname=".")
    layer = layer.getvalue()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": command},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    config = json.dumps(config).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(out, "w") as tar:
        for path, data in ((config_name, config), ("layer.tar", layer), ("manifest.json", json.dumps(manifest).encode())):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def main():
    what, *args = sys.argv[1:]
    if what == "image":
        make_image(args[0], args[1], args[2], args[3:])
    elif what == "pod":
        pairs = dict(pair.split("=", 1) for pair in args[4].split(",") if pair)
        make_pod(args[0], args[1], args[2], args[3], pairs, args[5:])
    elif what == "rm":
        remove(args[0], args[1:])
    else:
        sys.exit(__doc__)


main()

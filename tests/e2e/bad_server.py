#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A backend that misbehaves, over real sockets: bad_server.py PORT_FILE LOG_FILE [CERT KEY]

The first part of the path names the fault that the first heartbeat (or upload) below it meets; what comes
later is answered well. The log has one line for each thing that a test wants to see.
"""
import gzip
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from email.utils import formatdate

port_file, log_file = sys.argv[1:3]
log = open(log_file, "a", buffering=1)
lock = threading.Lock()
seen = {}
GOOD_HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def command_id(fault):
    return "00000000-0000-4000-8000-%012x" % (int.from_bytes(fault.encode()[:5], "big"))


def plain(status, body, more=b""):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (status, len(body), more) + body


def as_json(value):
    return plain(b"200 OK", json.dumps(value).encode(), b"Content-Type: application/json\r\n")


def start(fault):
    return {"success": True, "message": "new", "command_id": command_id(fault),
            "profiling_command": {"command_type": "start", "combined_config": {
                "continuous": True, "duration": 60, "frequency": 11, "profiling_mode": "cpu"}}}


def slowly(conn, parts, pause):
    for part in parts:
        conn.sendall(part)
        time.sleep(pause)


def huge(conn):
    conn.sendall(GOOD_HEADERS + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        conn.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
    conn.sendall(b"0\r\n\r\n")


def reset(conn):
    conn.sendall(GOOD_HEADERS + b"Content-Length: 500\r\n\r\n{\"success\": tr")
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


FAULTS = {
    "html": lambda c: c.sendall(plain(b"200 OK", b"<html><body>It works</body></html>")),
    "string": lambda c: c.sendall(plain(b"200 OK", b'"Internal server error"')),
    "types": lambda c: c.sendall(as_json({"success": "no", "message": 5, "profiling_command": [1]})),
    "nested": lambda c: c.sendall(plain(b"200 OK", b'{"a":' * 100000 + b"1" + b"}" * 100000)),
    "utf8": lambda c: c.sendall(plain(b"200 OK", b'{"success":true,"message":"\xff\xfe\x00"}')),
    "e503": lambda c: c.sendall(plain(b"503 Service Unavailable", b"<h1>busy</h1>", b"Retry-After: 8\r\n")),
    "e429": lambda c: c.sendall(plain(b"429 Too Many Requests", b'"slow down"', b"Retry-After: %s\r\n" %
                                      formatdate(time.time() + 12, usegmt=True).encode())),
    "e500": lambda c: c.sendall(plain(b"500 Internal Server Error", b'"boom"')),
    "huge": huge,
    "length": lambda c: c.sendall(GOOD_HEADERS + b"Content-Length: 99999999999\r\n\r\n{"),
    "headers": lambda c: slowly(c, [b"HTTP/1.1 200 OK\r\n"] + [b"X: " + b"y" * 8000 + b"\r\n"] * 5000, 0),
    "reset": reset,
    "hangup": lambda c: None,
    "nohttp": lambda c: c.sendall(b"\x00\x01\x02SSH-2.0\r\n\r\n"),
    "silence": lambda c: time.sleep(600),
    "drip": lambda c: slowly(c, [GOOD_HEADERS + b"Content-Length: 5000\r\n\r\n"] + [b" "] * 600, 1),
    "redirect": lambda c: c.sendall(plain(b"302 Found", b"", b"Location: /stolen/api/metrics/heartbeat\r\n")),
    "good": None,
}


def read_request(conn):
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, v in (l.split(":", 1) for l in lines[1:])}
    while len(body) < int(headers["content-length"]):
        body += conn.recv(65536)
    return lines[0].split(" ")[1], headers, body


def answer(conn, path, headers, body):
    fault = path.split("/")[1]
    kind = path.rsplit("/", 1)[1]
    with lock:
        count = seen[fault, kind] = seen.get((fault, kind), 0) + 1
    if "s3cret" in path:
        print("LEAK " + path, file=log)
    if kind == "command_completion":
        report = json.loads(body)
        print("completed", fault, report["status"], report["command_id"] == command_id(fault), file=log)
        conn.sendall(as_json({"success": True, "message": "recorded"}))
    elif fault == "limit" and kind == "profiles" and len(body) > 40000:
        conn.sendall(plain(b"413 Request Entity Too Large", b'"Request Entity Too Large"'))
    elif count == 1 and FAULTS.get(fault):
        print("fault", fault, file=log)
        FAULTS[fault](conn)
        return False
    elif kind == "heartbeat":
        json.loads(body)
        conn.sendall(as_json(start(fault)))
    else:
        profile = json.loads(gzip.decompress(body))
        print("upload", fault, profile["number"], repr(profile["gpid"]), headers["gprofiler-api-key"],
              headers["gprofiler-service-name"], headers["content-encoding"],
              sum(int(line.split(" ")[-1]) for line in profile["profile"].split("\n")[1:]), file=log)
        conn.sendall(as_json({"message": "ok", "gpid": "17"}))
    return True


def serve(conn):
    try:
        if len(sys.argv) > 3:
            conn = context.wrap_socket(conn, server_side=True)
        while True:
            request = read_request(conn)
            if not request or not answer(conn, *request):
                break
        conn.close()
    except (OSError, ssl.SSLError) as error:
        print("dropped", error, file=log)


if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
with open(port_file + ".new", "w") as f:
    f.write(str(listener.getsockname()[1]))

os.rename(port_file + ".new", port_file)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

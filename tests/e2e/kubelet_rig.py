#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A kubelet's /pods on its own port: kubelet_rig.py CERT KEY ANSWER ID UID READY ASKED. READY gets a line when it listens,
ASKED one for each request."""
import json
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

cert, key, kind, container_id, uid, ready, asked = sys.argv[1:8]
PODS = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [{
    "metadata": {"name": "cart-7f8d9c6b5-abcde", "namespace": "shop", "uid": uid, "labels": {"app": "cart"}},
    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    "status": {"phase": "Running", "containerStatuses": [
        {"name": "web", "restartCount": 3, "containerID": "containerd://" + container_id, "state": {"running": {}}}]}}]}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        token = self.headers.get("Authorization", "")
        with open(asked, "a", encoding="ascii") as file:
            file.write(f"GET {self.path} {token}\n")
        if kind == "hang":
            time.sleep(30)
        is_right = token == "Bearer the-token" and kind != "denied"
        body = json.dumps(PODS).encode() if kind == "pods" else b"<html>"
        self.send_response(200 if is_right else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 10250), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(ready, "w", encoding="ascii") as file:
    file.write("ready\n")
server.serve_forever()

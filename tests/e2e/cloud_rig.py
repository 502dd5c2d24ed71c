#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A cloud's metadata service on its own address, and a backend that keeps the metadata of uploads.
cloud_rig.py KIND ASKED UPLOADED: a line in ASKED for each request, the first upload's header in UPLOADED, a later one's
(once that file is there) in UPLOADED.again."""
import gzip
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

kind, asked, uploaded = sys.argv[1:4]
AWS = {"accountId": "123456789012", "instanceType": "m5.large", "instanceId": "i-0abc", "region": "eu-west-1",
       "availabilityZone": "eu-west-1b", "imageId": "ami-1"}
GCP = {"id": 4520031799277581759, "zone": "projects/1/zones/us-central1-a",
       "machineType": "projects/1/machineTypes/n2-standard-4", "tags": ["a"]}
AZURE = {"location": "westeurope", "vmId": "02aab8a4", "zone": "2", "vmSize": "Standard_D4s_v5"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Metadata(Handler):
    def do_PUT(self):
        self.do_GET()

    def do_GET(self):
        with open(asked, "a", encoding="ascii") as file:
            file.write(f"{self.command} {self.path}\n")
        if kind == "hang":
            time.sleep(30)
        elif kind == "huge":
            self.answer(200, b"x" * (4 << 20))
        elif kind == "garbage":
            self.answer(200, b"<html>a router</html>")
        elif kind.startswith("aws"):
            self.aws()
        elif kind == "gcp" and self.path.startswith("/computeMetadata") and self.headers["Metadata-Flavor"] == "Google":
            self.answer(200, json.dumps(GCP).encode())
        elif kind == "azure" and self.path.startswith("/metadata/instance") and self.headers["Metadata"] == "true":
            self.answer(200, json.dumps(AZURE).encode())
        else:
            self.answer(404)

    def aws(self):
        has_token = kind == "aws-v1" or self.headers["X-aws-ec2-metadata-token"] == "AQAEtoken=="
        if self.command == "PUT" and self.path == "/latest/api/token":
            self.answer(200, b"AQAEtoken==") if kind == "aws" else self.answer(405)
        elif self.path == "/latest/dynamic/instance-identity/document":
            self.answer(200, json.dumps(AWS).encode()) if has_token else self.answer(401)
        else:
            self.answer(404)


class Backend(Handler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path.startswith("/api/v2/profiles"):
            profile = json.loads(body)["profile"]
            header = profile.split("\n", 1)[0].lstrip("#")
            path = uploaded + ".again" if os.path.exists(uploaded + ".again") else uploaded
            if not os.path.exists(path) or not os.path.getsize(path):
                with open(path + ".new", "w", encoding="utf-8") as file:
                    file.write(header)
                os.rename(path + ".new", path)
        self.answer(200, b'{"message": "ok", "gpid": 1}')


threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", 8080), Backend).serve_forever, daemon=True).start()
server = ThreadingHTTPServer(("169.254.169.254", 80), Metadata)
with open(asked, "w", encoding="ascii"):
    pass
server.serve_forever()

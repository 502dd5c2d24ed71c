#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A backend that hands out one command and keeps what is uploaded.

    counters_rig.py URL_FILE CONFIG OUT_DIR     CONFIG: the command's combined_config; headers of uploads as OUT_DIR/N.json
"""
import gzip
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

url_file, config, out_dir = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
heartbeats = []
uploads = []


class Backend(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.answer(self.reply(json.loads(body)))

    def reply(self, body):
        if self.path.endswith("/heartbeat"):
            heartbeats.append(body)
            return {"success": True, "message": "a command", "command_id": "0c0ffee0-1111-4222-8333-444455556666",
                    "profiling_command": {"command_type": "start", "combined_config": config}}
        if "/profiles" in self.path:
            header, lines = body["profile"].split("\n", 1)
            uploads.append(header)
            path = f"{out_dir}/{len(uploads)}.json"
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump({"header": json.loads(header[1:]), "body": {k: v for k, v in body.items() if k != "profile"},
                           "lines": lines.count("\n")}, file)
            os.rename(path + ".new", path)
            return {"message": "ok", "gpid": "17"}
        return {"success": True, "message": "noted"}

    def answer(self, value):
        text = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
with open(url_file + ".new", "w", encoding="ascii") as url:
    url.write(f"http://127.0.0.1:{server.server_address[1]}")
os.rename(url_file + ".new", url_file)
server.serve_forever()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Answers on a unix socket as a file says: what no real daemon would say.

    canned_daemon.py SOCKET ANSWERS.json

ANSWERS: {"GET /v1/namespaces": [200, {...}], ...}, or [status, text, type];
a request that is not in it gets the answer of "*", or 404. Prints "ready",
then one line for each request: method, path, body.
"""
import json
import os
import socketserver
import sys
from http.server import BaseHTTPRequestHandler

with open(sys.argv[2]) as f:
    ANSWERS = json.load(f)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        print(self.command, self.path, body, flush=True)
        found = ANSWERS.get("%s %s" % (self.command, self.path),
                            ANSWERS.get("*", [404, {"detail": "canned"}]))
        status, content = found[:2]
        kind = found[2] if len(found) > 2 else (
            "application/json" if status < 400 else "application/problem+json")
        data = (content if isinstance(content, str)
                else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = answer

    def address_string(self):
        return "-"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
with Server(sys.argv[1], Handler) as server:
    print("ready", flush=True)
    server.serve_forever()

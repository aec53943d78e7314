# SPDX-License-Identifier: Apache-2.0
"""A registry that misbehaves on request, for the faults that a sound one
cannot be made to show.

    stub = FaultRegistry().start()
    ref = stub.image("t/a:1")                    # a sound image
    stub.fault("GET", "/blobs/" + digest, truncate(100), times=1)

Every request is kept in stub.requests as (method, path, authorization,
range).
"""
import http.server
import json
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "integration"))
from lib_images import (CONFIG, LAYER, MANIFEST, Tar, compress,  # noqa
                        digest_of)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=None, length=None):
        self.send_response(status)
        headers = dict(headers or {})
        headers.setdefault("Content-Type", "application/json")
        headers.setdefault("Content-Length",
                           str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self):
        """Ends the connection under the client."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)

    def serve(self):
        stub = self.server.stub
        with stub.lock:
            stub.requests.append((self.command, self.path,
                                  self.headers.get("Authorization"),
                                  self.headers.get("Range")))
            fault = stub.pick(self.command, self.path)
        try:
            if fault is None or not fault(self, stub):
                self.sound()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = serve

    def content(self):
        """(type, bytes, digest) that the path stands for, or None."""
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/?]+)", self.path)
        stub = self.server.stub
        if not found:
            return None
        digest = stub.tags.get((found[1], found[3]), found[3])
        if digest not in stub.blobs:
            return None
        kind, data = stub.blobs[digest]
        if found[2] == "blobs":
            kind = "application/octet-stream"
        return kind, data, digest

    def sound(self):
        content = self.content()
        if content is None:
            self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN",'
                        b'"message":"manifest unknown"}]}')
            return
        kind, data, digest = content
        headers = {"Content-Type": kind, "Docker-Content-Digest": digest}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted:
            start = int(wanted[1])
            headers["Content-Range"] = "bytes %d-%d/%d" % (
                start, len(data) - 1, len(data))
            self.answer(206, data[start:], headers)
        else:
            self.answer(200, data, headers)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients hang up; that is what the tests are about


class FaultRegistry:
    def __init__(self, address="127.0.0.1"):
        self.lock = threading.Lock()
        self.blobs = {}
        self.tags = {}
        self.faults = []
        self.requests = []
        self.server = Server((address, 0), Handler)
        self.server.stub = self
        self.host = "%s:%d" % (address, self.server.server_address[1])

    def start(self):
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        return self

    def put(self, data, kind):
        digest = digest_of(data)
        self.blobs[digest] = (kind, data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def tag(self, ref, descriptor):
        repo, _, tag = ref.rpartition(":")
        self.tags[(repo, tag)] = descriptor["digest"]
        return "%s/%s" % (self.host, ref)

    def image(self, ref, tree=None, change=None):
        """A sound image; change(manifest) may spoil it. Returns its ref."""
        tar = Tar(tree or {"file": os.urandom(300000)}).bytes()
        self.layer = self.put(compress(tar, "gzip"), LAYER + "+gzip")
        self.config = self.put(json.dumps({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers",
                       "diff_ids": [digest_of(tar)]}}).encode(), CONFIG)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                    "config": self.config, "layers": [self.layer]}
        if change:
            change(manifest)
        self.manifest = self.put(json.dumps(manifest).encode(), MANIFEST)
        return self.tag(ref, self.manifest)

    def fault(self, method, path, what, times=1 << 30):
        """path: a regular expression that is searched for."""
        self.faults.append([re.compile(method), re.compile(path), what, times])

    def pick(self, method, path):
        for fault in self.faults:
            if (fault[3] > 0 and fault[0].fullmatch(method) and
                    fault[1].search(path)):
                fault[3] -= 1
                return fault[2]
        return None

    def seen(self, match):
        return [r for r in self.requests
                if re.search(match, "%s %s" % (r[0], r[1]))]


# --- faults: function(handler, stub), true when it answered ------------

def status(code, body=b"", **headers):
    def act(handler, _):
        handler.answer(code, body, {k.replace("_", "-"): v
                                    for k, v in headers.items()})
        return True
    return act


def truncate(n, honest_length=False):
    """n bytes of what is asked for, then the connection ends."""
    def act(handler, _):
        _, data, _ = handler.content()
        found = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        headers = {"Content-Range": "bytes %d-%d/%d" % (
            start, len(data) - 1, len(data))} if found else {}
        part = data[start:start + n]
        handler.answer(206 if found else 200, part, headers,
                       len(part) if honest_length else len(data) - start)
        handler.cut()
        return True
    return act


def ignore_range(handler, _):
    del handler.headers["Range"]
    return False


def lie_about_range(handler, _):
    _, data, _ = handler.content()
    handler.answer(206, data[7:], {"Content-Range": "bytes 7-%d/%d" % (
        len(data) - 1, len(data))})
    return True


def wrong_bytes(handler, _):
    kind, data, _ = handler.content()
    handler.answer(200, bytes(len(data)), {"Content-Type": kind})
    return True


def more_bytes(handler, _):
    kind, data, _ = handler.content()
    handler.answer(200, data + b"more", {"Content-Type": kind})
    return True


def redirect(location):
    def act(handler, _):
        handler.answer(307, b"", {"Location": location % {
            "path": handler.path}})
        return True
    return act


def hang(handler, _):
    handler.server.stub.hanging = True
    handler.connection.settimeout(60)
    try:
        handler.connection.recv(1)  # until the client goes
    except OSError:
        pass
    handler.close_connection = True
    return True


def challenge(text):
    return status(401, b'{"errors":[{"code":"UNAUTHORIZED","message":'
                  b'"authentication required"}]}', WWW_Authenticate=text)

# SPDX-License-Identifier: Apache-2.0
"""What the http_*.py tests share: the toy server, raw sockets, TAP."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("SKIFF_BUILD", "."))


class Toy:
    """tests/integration/http_toy on a private socket."""

    def __init__(self, *options, tcp=False, preexec=None):
        self.dir = tempfile.mkdtemp(prefix="skiff-http-")
        self.path = self.dir + "/s"
        args = [BUILD + "/tests/integration/http_toy", "unix:" + self.path]
        args += (["tcp"] if tcp else []) + list(options)
        self.log = open(self.dir + "/log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, text=True, preexec_fn=preexec)
        self.port = int(self.process.stdout.readline().split()[1])
        assert self.process.stdout.readline() == "ready\n"

    def connect(self, tcp=False, timeout=10):
        if tcp:
            return socket.create_connection(("127.0.0.1", self.port), timeout)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(self.path)
        return sock

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid,
                  encoding="ascii") as stat:
            user, system = stat.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def counts(self):
        return self.get("/counts").json()

    def get(self, target, method="GET", body=None, headers=(), tcp=False):
        with self.connect(tcp) as sock:
            sock.sendall(request(method, target, body, headers))
            return Reader(sock).answer(method)

    def stop(self):
        """The last words of the server, or a description of its end."""
        self.process.send_signal(signal.SIGTERM)
        try:
            out = self.process.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            out = "does not end"
        self.log.seek(0)
        log = self.log.read()
        self.log.close()
        shutil.rmtree(self.dir)
        if self.process.returncode != 0:
            return "exit %d\n%s" % (self.process.returncode, log[-6000:])
        return out


def request(method, target, body=None, headers=()):
    lines = ["%s %s HTTP/1.1" % (method, target)]
    if not any(h.lower().startswith("host:") for h in headers):
        lines.append("Host: localhost")
    lines += headers
    if body is not None:
        lines.append("Content-Length: %d" % len(body))
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Reader:
    """Answers from a socket, one after the other."""

    def __init__(self, sock):
        self.sock, self.buf = sock, b""

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.buf += data

    def until(self, mark):
        while mark not in self.buf:
            self.fill()
        head, _, self.buf = self.buf.partition(mark)
        return head

    def exactly(self, n):
        while len(self.buf) < n:
            self.fill()
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def head(self):
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(lines[0].split()[1]), headers

    def chunk(self):
        size = int(self.until(b"\r\n"), 16)
        data = self.exactly(size)
        assert self.exactly(2) == b"\r\n"
        return data

    def answer(self, method="GET"):
        status, headers = self.head()
        if status == 100:
            status, headers = self.head()
        body = b""
        if method != "HEAD" and headers.get("transfer-encoding") == "chunked":
            while True:
                data = self.chunk()
                if not data:
                    break
                body += data
        elif method != "HEAD":
            body = self.exactly(int(headers.get("content-length", 0)))
        return Answer(status, headers, body)

    def is_at_end(self):
        """True when the server closed; what else came is in buf."""
        try:
            while True:
                self.fill()
        except (EOFError, ConnectionError):
            return True
        except socket.timeout:
            return False


def wait_until(condition, timeout=10):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


class Tap:
    def __init__(self):
        self.n, self.failed = 0, 0

    def check(self, is_ok, name, detail=None):
        self.n += 1
        self.failed += not is_ok
        if not is_ok and detail is not None:
            print("# " + str(detail).replace("\n", "\n# "))
        print("%s %d - %s" % ("ok" if is_ok else "not ok", self.n, name),
              flush=True)

    def equal(self, actual, expected, name):
        self.check(actual == expected, name,
                   "%r, not %r" % (actual, expected))

    def end(self):
        print("1..%d" % self.n)
        sys.exit(self.failed > 0)

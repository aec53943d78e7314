# SPDX-License-Identifier: Apache-2.0
"""Containers to talk to, and clients that talk to them.

    with attach(s, "a") as client:
        client.send(b"hello\n")
        client.read_until(b"hello")
"""
import socket
import struct
import time

from skifftest import *  # noqa: F401,F403
from skifftest import DEADLINE, Failed, check

N = "/v1/namespaces/default"
FRAMED = "application/vnd.docker.multiplexed-stream"


def create(s, name, *args, stdio=None, task=None, **wishes):
    """A created task that runs these words."""
    s.post(N + "/containers", dict(wishes, id=name, image=image(s),
                                   args=list(args)), expect=201)
    body = dict(task or {}, container=name)
    if stdio is not None:
        body["stdio"] = stdio
    return s.post(N + "/tasks", body, expect=201).json


def start(s, name):
    return s.post("%s/tasks/%s/start" % (N, name)).json


def run(s, name, *args, **more):
    create(s, name, *args, **more)
    return start(s, name)


def remove(s, *names):
    for name in names:
        s.delete("%s/containers/%s?force=true" % (N, name))


def of(name, rest=""):
    return "%s/tasks/%s%s" % (N, name, rest)


class Stream:
    """A connection and what came over it."""

    def __init__(self, sock, early=b""):
        self.sock = sock
        self.data = early
        self.ended = False

    def read_some(self, end):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("not in time; got %r" % self.data[-300:])
        self.sock.settimeout(left)
        piece = self.sock.recv(65536)
        self.ended = not piece
        self.data += piece

    def read_until(self, what, timeout=DEADLINE):
        """Until these bytes, or until what(data) is true."""
        end = time.monotonic() + timeout
        while not (what(self.data) if callable(what) else what in self.data):
            if self.ended:
                raise Failed("ended with %r" % self.data[-300:])
            self.read_some(end)
        return self.data

    def read_all(self, timeout=DEADLINE):
        end = time.monotonic() + timeout
        while not self.ended:
            self.read_some(end)
        return self.data

    def send(self, data):
        self.sock.sendall(data)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Gone without a word, whatever is unread."""
        self.sock.close()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def open_stream(s, path, headers="", early=b"", method="GET"):
    """Asks, and returns (status, head, Stream) behind the head."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(s.socket)
    sock.sendall(("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (
        method, path, headers)).encode() + early)
    stream = Stream(sock)
    stream.read_until(b"\r\n\r\n")
    head, _, stream.data = stream.data.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), stream


def attach(s, name, query="", early=b""):
    status, head, stream = open_stream(
        s, of(name, "/attach" + query),
        "Connection: Upgrade\r\nUpgrade: skiff-stream\r\n", early)
    check(status == 101, head, stream.data)
    stream.head = head
    return stream


def frames(data):
    """[(stream, bytes)], and what is left over."""
    found = []
    while len(data) >= 8:
        stream, n = struct.unpack(">B3xI", data[:8])
        if len(data) < 8 + n:
            break
        found.append((stream, data[8:8 + n]))
        data = data[8 + n:]
    return found, data


def joined(data, stream=None):
    """The bytes in the frames, of one stream or of all."""
    return b"".join(b for s, b in frames(data)[0] if stream in (None, s))

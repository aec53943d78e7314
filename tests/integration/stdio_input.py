#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is fed to a process by POST."""
import hashlib
import os
import socket
import threading

from lib_streams import *

needs("root", "runc", "skopeo", "docker-registry")


@test
def bodies_become_stdin_and_an_end_is_asked_for():
    s = the_daemon()
    create(s, "cat", "sh", "-c", "cat; echo end", stdio={"stdin": True})
    s.post(of("cat", "/stdin"), b"before ", expect=204)
    start(s, "cat")
    s.post(of("cat", "/stdin"), b"after ", expect=204)
    s.post(of("cat", "/stdin"), b"", expect=204)
    s.post(of("cat", "/stdin?eof=true"), b"last\n", expect=204)
    s.wait_task("cat")
    equal(s.get(of("cat", "/output")).body, b"before after last\nend\n")
    answer = s.post(of("cat", "/stdin"), b"late", expect=409)
    equal(answer.json["state"], "stopped")
    remove(s, "cat")


@test
def a_large_body_arrives_whole():
    s = the_daemon()
    data = os.urandom(1 << 20) * 16
    run(s, "sum", "sha256sum", stdio={"stdin": True})
    s.post(of("sum", "/stdin?eof=true"), data, expect=204)
    s.wait_task("sum")
    equal(s.get(of("sum", "/output")).text.split()[0],
          hashlib.sha256(data).hexdigest())
    remove(s, "sum")


@test
def a_body_is_streamed_as_it_comes():
    s = the_daemon()
    run(s, "live", "sh", "-c", "while read x; do echo \"<$x>\"; done",
        stdio={"stdin": True})
    _, _, out = open_stream(s, of("live", "/output?follow=true"))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(s.socket)
    sock.sendall(("POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked"
                  "\r\n\r\n" % of("live", "/stdin?eof=true")).encode())
    for word in (b"one", b"two"):
        sock.sendall(b"4\r\n" + word + b"\n\r\n")
        out.read_until(b"<" + word + b">")
    sock.sendall(b"0\r\n\r\n")
    sock.settimeout(DEADLINE)
    check(sock.recv(1000).startswith(b"HTTP/1.1 204"))
    sock.close()
    out.read_all()
    remove(s, "live")


@test
def stdin_that_is_never_read_holds_no_thread():
    s = the_daemon()
    run(s, "deaf", "sleep", "1000", stdio={"stdin": True})
    n = s.threads()
    socks = []
    for _ in range(40):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(s.socket)
        sock.sendall(("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: "
                      "1000000\r\n\r\n" % of("deaf", "/stdin")).encode())
        sock.setblocking(False)
        try:
            while True:
                sock.send(b"x" * 10000)
        except BlockingIOError:
            pass
        socks.append(sock)
    # All of them wait; the daemon does not.
    for _ in range(20):
        s.get(of("deaf"))
        s.post(of("deaf", "/kill"), {"signal": "WINCH"})
    until(lambda: s.threads() <= n, "no more threads")
    fds = "/proc/%d/fd" % s.process.pid
    before = len(os.listdir(fds))
    for sock in socks:
        sock.close()
    until(lambda: len(os.listdir(fds)) <= before - 40, "descriptors back")
    remove(s, "deaf")


@test
def stdin_that_is_closed_or_never_was_is_refused():
    s = the_daemon()
    run(s, "none", "sleep", "1000")
    for path in ("/stdin", "/close-stdin"):
        answer = s.post(of("none", path), expect=409)
        equal(answer.json["reason"], "stdin_closed")
    remove(s, "none")
    run(s, "once", "sleep", "1000", stdio={"stdin": True})
    s.post(of("once", "/close-stdin"), expect=204)
    for path in ("/stdin", "/close-stdin"):
        answer = s.post(of("once", path), expect=409)
        equal(answer.json["reason"], "stdin_closed")
    s.post(of("once", "/close-stdin"), {"what": 1}, expect=400)
    s.post(of("nobody", "/stdin"), b"x", expect=404)
    remove(s, "once")


@test
def a_process_that_ends_ends_its_feeders():
    s = the_daemon()
    run(s, "short", "sh", "-c", "read x; exit 4", stdio={"stdin": True})
    answers = []

    def feed():
        answers.append(s.post(of("short", "/stdin"), b"y\n" * 4000000,
                              expect=None).status)

    thread = threading.Thread(target=feed)
    thread.start()
    equal(s.wait_task("short")["exit_status"], 4)
    thread.join(DEADLINE)
    equal(answers, [409])
    remove(s, "short")


@test
def a_new_daemon_feeds_what_the_old_one_fed():
    s = the_daemon()
    run(s, "again", "sh", "-c", "cat; echo end", stdio={"stdin": True})
    s.post(of("again", "/stdin"), b"old ", expect=204)
    s.kill9()
    s.start()
    s.post(of("again", "/stdin"), b"new ", expect=204)
    s.post(of("again", "/close-stdin"), expect=204)
    s.wait_task("again")
    equal(s.get(of("again", "/output")).body, b"old new end\n")
    remove(s, "again")


main()

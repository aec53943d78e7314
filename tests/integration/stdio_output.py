#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A process's output, byte for byte, from any offset, by any number."""
import hashlib
import threading

from lib_streams import *

needs("root", "runc", "skopeo", "docker-registry")


def output(s, name, query="", **more):
    return s.get(of(name, "/output" + query), **more)


@test
def bytes_come_from_any_offset_of_any_stream():
    s = the_daemon()
    run(s, "out", "sh", "-c", "printf abc; usleep 20000; printf DEF >&2; "
        "usleep 20000; printf '\\0ghi'")
    s.wait_task("out")
    whole = output(s, "out")
    equal(whole.body, b"abcDEF\0ghi")
    equal(whole.headers["Content-Length"], "10")
    equal(whole.headers["Skiff-Offset"], "0")
    equal(output(s, "out", "?offset=2").body, b"cDEF\0ghi")
    equal(output(s, "out", "?offset=10").body, b"")
    equal(output(s, "out", "?stream=stderr").body, b"DEF")
    equal(output(s, "out", "?stream=stdout&offset=4").body, b"\0ghi")
    equal(output(s, "out", "?follow=true").body, b"abcDEF\0ghi")
    framed = output(s, "out", headers={"Accept": FRAMED})
    equal(framed.headers["Content-Type"], FRAMED)
    equal(frames(framed.body)[0], [(1, b"abc"), (2, b"DEF"), (1, b"\0ghi")])
    head = s.api("HEAD", of("out", "/output"))
    equal((head.status, head.body, head.headers["Content-Length"]),
          (200, b"", "10"))
    for more in ("?follow=true", "?stream=stdout"):
        head = s.api("HEAD", of("out", "/output" + more))
        check("Content-Length" not in head.headers, more, head.headers)
    head = s.api("HEAD", of("out", "/logs?follow=true"))
    check("Content-Length" not in head.headers, head.headers)
    beyond = output(s, "out", "?offset=11", expect=416)
    equal(beyond.json["reason"], "offset_behind_end")
    equal(beyond.json["offset"], 10)
    remove(s, "out")


@test
def what_is_asked_wrongly_is_refused():
    s = the_daemon()
    run(s, "bad", "true")
    s.wait_task("bad")
    for query in ("?offset=-1", "?offset=1e3", "?offset=99999999999999999999",
                  "?offset=", "?stream=stdin", "?follow=maybe",
                  "?file=../../etc/shadow", "?offset=0&offset=1"):
        output(s, "bad", query, expect=400)
    for path in ("/tasks/..%2fbad/output", "/tasks/bad%00/output",
                 "/tasks/bad/output/..%2flog", "/tasks/../output",
                 "/tasks/none/output", "/tasks/%2e%2e/logs"):
        check(s.get(N + path, expect=None).status in (400, 404), path)
    status, _, stream = open_stream(s, of("bad", "/output"))
    equal((status, stream.read_all()), (200, b""))
    remove(s, "bad")


@test
def every_follower_gets_every_byte():
    s = the_daemon()
    n = 40_000_000
    create(s, "many", "sh", "-c",
           "yes 0123456789abcde | head -c %d" % n)
    got = {}

    def follow(i):
        digest, size = hashlib.sha256(), 0
        connection, raw = s.raw("GET", of("many", "/output?follow=true"))
        while piece := raw.read(1 << 20):
            digest.update(piece)
            size += len(piece)
        connection.close()
        got[i] = (size, digest.hexdigest())

    threads = [threading.Thread(target=follow, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    start(s, "many")
    for thread in threads:
        thread.join(DEADLINE)
    expected = hashlib.sha256(b"0123456789abcde\n" * (n // 16)).hexdigest()
    equal(got, {i: (n, expected) for i in range(4)})
    remove(s, "many")


@test
def one_that_does_not_read_holds_up_nobody():
    s = the_daemon()
    create(s, "stuck", "sh", "-c", "head -c 30000000 /dev/zero; echo end >&2")
    lazy = [open_stream(s, of("stuck", "/output?follow=true"))[2],
            attach(s, "stuck"),
            open_stream(s, of("stuck", "/logs?follow=true"))[2]]
    start(s, "stuck")
    equal(s.wait_task("stuck")["exit_status"], 0)
    equal(len(output(s, "stuck").body), 30000004)
    for stream in lazy:
        stream.close()
    remove(s, "stuck")


@test
def a_follower_outlives_the_daemon_by_its_offset():
    s = the_daemon()
    run(s, "last", "sh", "-c", "echo one; read x; echo two; read x; echo "
        "three", stdio={"stdin": True})
    status, head, stream = open_stream(s, of("last", "/output?follow=true"))
    equal(status, 200)
    stream.read_until(b"one\n")
    s.kill9()
    stream.read_all()
    s.start()
    s.post(of("last", "/stdin"), b"x\n", expect=204)
    status, head, stream = open_stream(
        s, of("last", "/output?follow=true&offset=4"))
    check("Skiff-Offset: 4" in head, head)
    stream.read_until(b"two\n")
    s.stop()
    equal(stream.read_all()[-5:], b"0\r\n\r\n")
    s.start()
    s.post(of("last", "/stdin"), b"x\n", expect=204)
    equal(output(s, "last", "?follow=true&offset=8").body, b"three\n")
    remove(s, "last")


@test
def a_follower_hears_of_the_end_and_of_the_removal():
    s = the_daemon()
    run(s, "gone", "sh", "-c", "echo here; sleep 1000")
    streams = [open_stream(s, of("gone", "/output?follow=true"))[2],
               attach(s, "gone", "?offset=0")]
    for stream in streams:
        stream.read_until(b"here\n")
    remove(s, "gone")
    for stream in streams:
        stream.read_all()
    output(s, "gone", expect=404)


@test
def output_that_is_not_logged_cannot_be_read():
    s = the_daemon()
    task = run(s, "null", "sh", "-c", "echo nowhere", stdio={"mode": "null"})
    equal(task["stdio"], {"mode": "null"})
    equal(s.wait_task("null")["exit_status"], 0)
    for path in ("/output", "/logs"):
        answer = s.get(of("null", path), expect=409)
        equal(answer.json["reason"], "not_logged")
    remove(s, "null")


main()

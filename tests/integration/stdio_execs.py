#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Streams of execs: fed, listened to, attached, resized."""
from lib_streams import *

needs("root", "runc", "skopeo", "docker-registry")


def exec_of(s, name, *args, **more):
    query = more.pop("query", "")
    return s.post(of(name, "/execs" + query), dict(more, args=list(args)),
                  expect=201).json


def at(name, eid, rest=""):
    return of(name, "/execs/%s%s" % (eid, rest))


@test
def an_exec_is_fed_and_listened_to():
    s = the_daemon()
    run(s, "box", "sleep", "1000")
    exec_of(s, "box", "sh", "-c", "cat; echo err >&2", id="cat",
            stdio={"stdin": True})
    answer = s.post(at("box", "cat", "/stdin"), b"early", expect=409)
    equal(answer.json["state"], "created")
    s.post(at("box", "cat", "/start"))
    s.post(at("box", "cat", "/stdin"), b"one ", expect=204)
    s.post(at("box", "cat", "/stdin?eof=true"), b"two\n", expect=204)
    s.get(at("box", "cat", "/wait"))
    equal(s.get(at("box", "cat", "/output")).body, b"one two\nerr\n")
    equal(s.get(at("box", "cat", "/logs?stream=stderr")).text, "err\n")
    with s.sse(at("box", "cat", "/logs?follow=true")) as stream:
        events = [(e["event"], json.loads(e["data"])) for e in stream]
    equal("".join(d["text"] for e, d in events if e == "log"),
          "one two\nerr\n")
    equal(events[-1][0], "end")
    equal(events[-1][1]["exit_status"], 0)
    for path, body in (("/stdin", b"x"), ("/close-stdin", None),
                       ("/resize", {"width": 8, "height": 2})):
        answer = s.post(at("box", "cat", path), body, expect=409)
        equal(answer.json["state"], "stopped")
        s.post(at("box", "none", path), body, expect=404)
    s.get(at("box", "none", "/output"), expect=404)
    remove(s, "box")


@test
def an_exec_is_attached_with_its_terminal_and_window():
    s = the_daemon()
    run(s, "term", "sleep", "1000")
    exec_of(s, "term", "sh", "-c", "stty -echo; until [ \"$(stty size)\" = "
            "'33 90' ]; do sleep 0.02; done; echo sized; while read x; do "
            "echo \"<$x>\"; done", id="sh", terminal=True)
    s.post(at("term", "sh", "/resize"), {"width": 90, "height": 33},
           expect=204)
    up = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
    status, head, client = open_stream(
        s, at("term", "sh", "/attach?offset=0&detach_keys=ctrl-p,ctrl-q"), up)
    equal(status, 101, head)
    check("raw-stream" in head, head)
    s.post(at("term", "sh", "/start"))
    client.read_until(b"sized\r\n")
    client.close()
    status, head, client = open_stream(s, at(
        "term", "sh", "/attach?detach_keys=ctrl-p,ctrl-q"), up)
    client.send(b"hello\n")
    client.read_until(b"<hello>\r\n")
    s.post(at("term", "sh", "/resize"), {"width": 70, "height": 20},
           expect=204)
    client.send(b"\x10\x11")
    client.read_all()
    equal(s.get(at("term", "sh")).json["state"], "running")
    exec_of(s, "term", "sleep", "1000", id="flat", query="?start=true")
    answer = s.post(at("term", "flat", "/resize"),
                    {"width": 1, "height": 1}, expect=409)
    equal(answer.json["reason"], "not_a_terminal")
    remove(s, "term")


@test
def framed_streams_of_an_exec_end_with_it():
    s = the_daemon()
    run(s, "frame", "sleep", "1000")
    exec_of(s, "frame", "sh", "-c", "read x; echo out; usleep 20000; "
            "echo err >&2", id="e", stdio={"stdin": True},
            query="?start=true")
    status, head, client = open_stream(
        s, at("frame", "e", "/attach?offset=0"),
        "Connection: Upgrade\r\nUpgrade: tcp\r\n", early=b"go\n")
    equal(status, 101, head)
    equal(frames(client.read_all()), ([(1, b"out\n"), (2, b"err\n")], b""))
    remove(s, "frame")


main()

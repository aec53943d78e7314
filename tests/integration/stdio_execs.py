#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Streams of execs: fed, listened to, attached, resized."""
import os
import threading

from lib_streams import *

needs("root", "runc", "skopeo", "docker-registry")


def exec_of(s, name, *args, **more):
    query = more.pop("query", "")
    return s.post(of(name, "/execs" + query), dict(more, args=list(args)),
                  expect=201).json


def fifo(name):
    path = scratch(name)
    os.mkfifo(path)
    return path


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


@test
def an_exec_leads_its_streams_to_files():
    s = the_daemon()
    run(s, "paths", "sleep", "1000")
    out, given = scratch("out"), scratch("in")
    open(out, "w").write("before\n")
    open(given, "w").write("given\n")
    stdio = {"mode": "file", "stdin": given, "stdout": out}
    made = exec_of(s, "paths", "sh", "-c", "cat; echo two >&2", id="file",
                   stdio=stdio, query="?start=true")
    equal(made["stdio"], stdio)
    s.get(at("paths", "file", "/wait"))
    equal(open(out).read(), "before\ngiven\ntwo\n")
    equal(s.get(at("paths", "file", "/output"), expect=409).json["reason"],
          "not_logged")
    answer = s.post(of("paths", "/execs?wait=true"), {
        "args": ["sh", "-c", "echo run"], "stdio": stdio}).json
    equal((answer["exit_status"], "stdout" in answer), (0, False))
    equal(open(out).read(), "before\ngiven\ntwo\nrun\n")
    open(given, "w").write("typed\n\x04")
    answer = s.post(of("paths", "/execs?wait=true"), {
        "args": ["sh", "-c", "stty -echo; cat >/dev/null; echo end"],
        "terminal": True, "stdio": stdio}).json
    equal(answer["exit_status"], 0)
    check(open(out, newline="").read().endswith("end\r\n"))
    remove(s, "paths")


@test
def an_exec_is_attached_by_fifos_and_by_the_api():
    s = the_daemon()
    run(s, "pipes", "sleep", "1000")
    given, out, err = fifo("i"), fifo("o"), fifo("e")
    exec_of(s, "pipes", "sh", "-c", "cat; echo bad >&2", id="fifo", stdio={
        "mode": "fifo", "stdin": given, "stdout": out, "stderr": err},
        query="?start=true")
    got = {}

    def read(name, path):
        with open(path, "rb") as file:
            got[name] = file.read()

    threads = [threading.Thread(target=read, args=a)
               for a in (("out", out), ("err", err))]
    for thread in threads:
        thread.start()
    with open(given, "wb") as file:
        file.write(b"by fifo\n")
    until(lambda: b"by fifo" in s.get(at("pipes", "fifo", "/output")).body,
          "output")
    s.post(at("pipes", "fifo", "/stdin"), b"by post\n", expect=204)
    s.post(at("pipes", "fifo", "/close-stdin"), expect=204)
    s.get(at("pipes", "fifo", "/wait"))
    for thread in threads:
        thread.join(DEADLINE)
    equal(got, {"out": b"by fifo\nby post\n", "err": b"bad\n"})
    # All of it, though nobody reads while it runs, over rotations.
    exec_of(s, "pipes", "sh", "-c", "yes 0123456789abcde | head -c 300000",
            id="late", query="?start=true", stdio={
                "mode": "fifo", "stdout": out, "log": {"max_size": 100000}})
    equal(s.get(at("pipes", "late", "/wait")).json["exit_status"], 0)
    read("late", out)
    equal(got["late"], b"0123456789abcde\n" * 18750)
    remove(s, "pipes")


@test
def fifos_that_nobody_reads_use_up_no_execs():
    s = the_daemon()
    run(s, "deaf", "sleep", "1000")
    out = fifo("deaf")
    stdio = {"mode": "fifo", "stdout": out}
    for _ in range(2):
        exec_of(s, "deaf", "echo", "heard", id="same", stdio=stdio,
                query="?start=true")
        s.get(at("deaf", "same", "/wait"))
        s.delete(at("deaf", "same"), expect=200)
    for _ in range(100):
        answer = s.post(of("deaf", "/execs?wait=true"), {
            "args": ["echo", "heard"], "stdio": stdio}).json
        equal((answer["exit_status"], answer["stdout"]), (0, "heard\n"))
    with open(out, "rb") as file:
        check(file.readline() == b"heard\n")
    remove(s, "deaf")


@test
def paths_of_an_exec_that_do_not_fit_are_refused():
    s = the_daemon()
    run(s, "bad", "sleep", "1000")
    out, link = scratch("plain"), scratch("link")
    open(out, "w").close()
    os.symlink(out, link)
    for stdio in ({"mode": "log", "stdout": out}, {"mode": "file"},
                  {"mode": "fifo"}, {"mode": "file", "stdout": "x"},
                  {"mode": "tape"}, {"stdin": "/x"}, {"stdin": 3},
                  {"mode": "file", "stdout": out, "more": 1}):
        s.post(of("bad", "/execs"), {"args": ["true"], "stdio": stdio},
               expect=400)
    answer = s.post(of("bad", "/execs"), {
        "args": ["true"], "terminal": True,
        "stdio": {"mode": "file", "stdout": out, "stderr": out}}, expect=400)
    equal(answer.json["field"], "/stdio/stderr")
    for stdio in ({"mode": "fifo", "stdout": out},
                  {"mode": "fifo", "stdout": scratch("missing")},
                  {"mode": "file", "stdout": link},
                  {"mode": "file", "stdout": "/dev/null"},
                  {"mode": "file", "stdout": scratch()},
                  {"mode": "file", "stdout": out, "stdin": "/none"}):
        answer = s.post(of("bad", "/execs?start=true"),
                        {"args": ["true"], "stdio": stdio}, expect=400)
        equal(answer.json["reason"], "stdio_path")
    equal(s.get(of("bad", "/execs")).json["items"], [])
    # What is not there yet may be when it is started.
    later = scratch("later")
    exec_of(s, "bad", "echo", "x", id="e",
            stdio={"mode": "fifo", "stdout": later})
    s.post(at("bad", "e", "/start"), expect=400)
    os.mkfifo(later)
    s.post(at("bad", "e", "/start"))
    with open(later) as file:
        equal(file.read(), "x\n")
    remove(s, "bad")


main()

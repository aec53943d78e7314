#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Logs: rotated, followed, resumed, and their gaps told."""
import os
import threading

from lib_streams import *

needs("root", "runc", "skopeo", "docker-registry")

SMALL = {"log": {"max_size": 65536, "max_files": 3}, "stdin": True}


def logs(s, name, query="", **more):
    return s.get(of(name, "/logs" + query), **more).text


def files_of(s, name):
    top = os.path.join(s.root, "tasks", "default", name)
    return {f: os.stat(os.path.join(top, f)).st_size
            for f in os.listdir(top) if f.startswith("log")}


BASE = 10000000  # so that all lines have 9 bytes


def lines(first, last):
    return "".join("%d\n" % (BASE + i) for i in range(first, last + 1))


def count(s, name, first, last, end=True):
    """A process that has written these lines."""
    run(s, name, "sh", "-c", "seq %d %d; %s" % (
        BASE + first, BASE + last, "" if end else "read x; echo done"), stdio=SMALL)


@test
def a_log_is_bounded_and_its_offsets_go_on():
    s = the_daemon()
    count(s, "turn", 1, 100000)
    s.wait_task("turn")
    sizes = files_of(s, "turn")
    check(len(sizes) == 6 and sum(sizes.values()) <= 3 * (65536 + 48), sizes)
    head = s.get(of("turn", "/output"))
    offset = int(head.headers["Skiff-Offset"])
    check(offset > 600000, offset)
    equal(offset + len(head.body), 900000)
    equal(head.text, lines(1, 100000)[offset:])
    equal(s.get(of("turn", "/output?offset=%d" % (offset + 7))).text,
          head.text[7:])
    gone = s.get(of("turn", "/output?offset=%d" % (offset - 1)), expect=416)
    equal(gone.json["offset"], offset)
    equal(gone.json["reason"], "output_rotated")
    equal(logs(s, "turn"), head.text)
    equal(logs(s, "turn", "?tail=3"), lines(99998, 100000))
    n = len(head.text) // 9 - 2
    equal(logs(s, "turn", "?tail=%d" % n), lines(100001 - n, 100000))
    equal(logs(s, "turn", "?since=1h&tail=1"), lines(100000, 100000))
    equal(logs(s, "turn", "?until=1h"), "")
    remove(s, "turn")


@test
def a_follower_goes_on_over_rotations_and_a_new_daemon():
    s = the_daemon()
    run(s, "over", "sh", "-c", "while read x; do seq %d "
        "$((%d + x)); done" % (BASE + 1, BASE),
        stdio=SMALL)
    with s.sse(of("over", "/logs?follow=true")) as stream:
        text, last = "", None
        for n in (9000, 10):
            s.post(of("over", "/stdin"), b"%d\n" % n, expect=204)
            text = ""
            while len(text) < 9 * n:
                event = stream.next()
                equal(event["event"], "log")
                text += json.loads(event["data"])["text"]
                last = event["id"]
            equal(text, lines(1, n))
        s.stop()
        equal(stream.next()["event"], "shutdown")
        equal(stream.next(), None)
    s.start()
    s.post(of("over", "/stdin?eof=true"), b"20\n", expect=204)
    with s.sse(of("over", "/logs?follow=true"),
               headers={"Last-Event-ID": last}) as stream:
        events = list(stream)
    equal("".join(json.loads(e["data"])["text"] for e in events[:-1]),
          lines(1, 20))
    equal(events[-1]["event"], "end")
    end = json.loads(events[-1]["data"])
    equal((end["offset"], end["exit_status"]), (9030 * 9, 0))
    remove(s, "over")


@test
def what_rotation_took_is_a_gap():
    s = the_daemon()
    count(s, "gap", 1, 100000, end=False)
    until(lambda: logs(s, "gap", "?tail=1") == lines(100000, 100000), "lines")
    offset = int(s.get(of("gap", "/output")).headers["Skiff-Offset"])
    with s.sse(of("gap", "/logs?follow=true"),
               headers={"Last-Event-ID": "8"}) as stream:
        event = stream.next()
        equal(event["event"], "gap")
        gap = json.loads(event["data"])
        equal((gap["from"], gap["to"], gap["lost"]),
              (8, offset, offset - 8))
        equal(event["id"], str(offset))
        equal(json.loads(stream.next()["data"])["offset"], offset)
    first = s.get(of("gap", "/logs?offset=0"), headers={
        "Accept": "application/x-ndjson"}).text.split("\n")[0]
    equal(json.loads(first)["lost"], offset)
    check(logs(s, "gap", "?offset=0").startswith(
        "[%d bytes of output lost]\n" % offset))
    # One that rotation overtakes is broken off, and goes on from there.
    slow = open_stream(s, of("gap", "/output?follow=true"))[2]
    remove(s, "gap")
    slow.read_all()


@test
def a_slow_follower_is_broken_off_and_told_where_to_go_on():
    s = the_daemon()
    run(s, "slow", "sh", "-c", "read x; yes | head -c 4000000",
        stdio=dict(SMALL))
    _, _, slow = open_stream(s, of("slow", "/output?follow=true"))
    framed = attach(s, "slow")
    s.post(of("slow", "/stdin"), b"x\n", expect=204)
    s.wait_task("slow")
    data = slow.read_all()
    check(data[-5:] != b"0\r\n\r\n", "taken for the end")
    answer = s.get(of("slow", "/output?offset=1"), expect=416)
    s.get(of("slow", "/output?offset=%d" % answer.json["offset"]))
    framed.read_all()
    remove(s, "slow")


@test
def a_million_lines_are_all_there():
    s = the_daemon()
    run(s, "million", "seq", "1000000")
    s.wait_task("million")
    data = s.get(of("million", "/output")).body
    check(data == b"".join(b"%d\n" % i for i in range(1, 1000001)))
    equal(logs(s, "million", "?tail=2"), "999999\n1000000\n")
    remove(s, "million")


@test
def the_daemon_has_limits_of_its_own():
    with Daemon("small", args=["--output-size", "4096",
                               "--output-files", "2"]) as s:
        run(s, "few", "seq", "100000")
        s.wait_task("few")
        sizes = files_of(s, "few")
        check(len(sizes) == 4 and sum(sizes.values()) < 2 * 4200, sizes)
        remove(s, "few")
    for value in ("4095", "x", "-1"):
        s = Daemon("bad", args=["--output-size", value])
        check(s.start(wait=False).wait_end() != 0, value)
        s.destroy()


@test
def bad_wishes_are_refused():
    s = the_daemon()
    run(s, "wish", "true")
    for query in ("?tail=-1", "?since=yesterday", "?until=x", "?offset=-5",
                  "?timestamps=2", "?path=/etc/passwd"):
        s.get(of("wish", "/logs" + query), expect=400)
    s.get(of("wish", "/logs"), headers={"Last-Event-ID": "x"}, expect=400)
    remove(s, "wish")


main()

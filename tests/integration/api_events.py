#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Events: history, then live; resumed without a gap, over restarts too."""
import threading

from skifftest import *

needs("root")


def make(s, name):
    return s.post("/v1/namespaces", {"name": name}, expect=201).json


def ids(events):
    return [e["id"] for e in events]


@test
def history_comes_first_and_then_what_happens():
    s = the_daemon()
    before = s.revision()
    make(s, "h1")
    with s.sse("/v1/events?after=%d" % before) as stream:
        first = stream.next()
        equal((first["event"], json.loads(first["data"])["event"]["name"]),
              ("/namespaces/create", "h1"))
        make(s, "h2")
        second = json.loads(stream.next()["data"])
        equal(second["event"]["name"], "h2")
        equal(second["id"], int(first["id"]) + 1)


@test
def without_a_place_a_stream_begins_with_what_happens_from_now_on():
    s = the_daemon()
    make(s, "n1")
    with s.sse("/v1/events") as stream:
        make(s, "n2")
        equal(json.loads(stream.next()["data"])["event"]["name"], "n2")


@test
def last_event_id_resumes_right_after():
    s = the_daemon()
    start = s.revision()
    for i in range(5):
        make(s, "r%d" % i)
    with s.sse("/v1/events", headers={"Last-Event-ID": str(start + 2)}) as e:
        equal(int(e.next()["id"]), start + 3)


@test
def a_namespaces_stream_has_its_events_alone():
    s = the_daemon()
    before = s.revision()
    make(s, "mine")
    make(s, "theirs")
    events = s.events(before, "mine")
    equal([e["namespace"] for e in events], ["mine"])


@test
def events_are_also_one_object_a_line():
    s = the_daemon()
    before = s.revision()
    make(s, "lines")
    answer = s.get("/v1/events?follow=false&after=%d" % before,
                   headers={"Accept": "application/x-ndjson"})
    equal(answer.headers["Content-Type"], "application/x-ndjson")
    equal(json.loads(answer.text)["event"]["name"], "lines")


@test
def a_place_in_the_future_is_refused():
    s = the_daemon()
    equal(s.get("/v1/events?after=99999999", expect=416).json["code"],
          "out_of_range")
    s.get("/v1/events?after=x", expect=400)


@test
def nothing_is_lost_when_the_daemon_is_killed_and_comes_back():
    s = the_daemon()
    before = s.revision()
    for i in range(50):
        make(s, "k%d" % i)
    s.kill9()
    s.start()
    for i in range(50, 60):
        make(s, "k%d" % i)
    events = s.events(before)
    equal([e["event"]["name"] for e in events],
          ["k%d" % i for i in range(60)])
    equal(ids(events), list(range(before + 1, before + 61)))


@test
def many_followers_each_get_every_event_once_and_in_order():
    s = the_daemon()
    start = s.revision()
    results = []

    def follow():
        with s.sse("/v1/events?after=%d" % start) as stream:
            results.append([int(stream.next()["id"]) for _ in range(100)])
    threads = [threading.Thread(target=follow) for _ in range(20)]
    for t in threads:
        t.start()
    for i in range(100):
        make(s, "m%d" % i)
    for t in threads:
        t.join()
    for seen in results:
        equal(seen, list(range(start + 1, start + 101)))
    equal(len(results), 20)


@test
def a_log_that_no_longer_reaches_back_tells_the_gap():
    with Daemon("short", args=["--events-kept", "10"]) as s:
        for i in range(30):
            make(s, "g%d" % i)
        s.restart()
        with s.sse("/v1/events?after=5") as stream:
            first = stream.next()
            equal((first["event"], json.loads(first["data"])),
                  ("gap", {"from": 6, "to": 20}))
            equal(int(stream.next()["id"]), 21)
        equal([e["id"] for e in s.events(20)], list(range(21, 31)))


@test
def the_daemon_says_shutdown_before_it_closes():
    s = the_daemon()
    with s.sse("/v1/events") as stream:
        s.process.terminate()
        equal(stream.next()["event"], "shutdown")
        equal(stream.next(), None)
    s.process.wait(DEADLINE)



@test
def who_lags_behind_gets_every_event_before_the_shutdown():
    s = the_daemon()
    make(s, "lagging")
    start = s.revision()
    with s.sse("/v1/events?after=%d" % start) as stream:
        for i in range(300):
            s.patch("/v1/namespaces/lagging",
                    {"labels": {"x": "%03d" % i + "." * 4000}})
        s.process.terminate()
        seen = list(iter(stream.next, None))
    s.process.wait(DEADLINE)
    equal([int(e["id"]) for e in seen[:-1]],
          list(range(start + 1, start + 301)))
    equal(seen[-1]["event"], "shutdown")


main()

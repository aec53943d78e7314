#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Namespaces over HTTP: made by name or by the first write, listed, paged,
labelled, deleted only when empty."""
from skifftest import *

needs("root")

IMAGE = {"target": {"media_type": "application/vnd.oci.image.manifest.v1+json",
                    "digest": "sha256:" + "0" * 64, "size": 10}}


@test
def a_namespace_is_made_by_name_and_only_once():
    s = the_daemon()
    answer = s.post("/v1/namespaces", {"name": "foo", "labels": {"a": "b"}},
                    expect=201)
    equal(answer.headers["Location"], "/v1/namespaces/foo")
    equal(answer.json["labels"], {"a": "b"})
    problem = s.post("/v1/namespaces", {"name": "foo"}, expect=409).json
    equal(problem["code"], "already_exists")
    equal(problem["object"], {"kind": "namespace", "id": "foo"})


@test
def an_unknown_namespace_is_404_and_its_lists_are_empty():
    s = the_daemon()
    equal(s.get("/v1/namespaces/nowhere", expect=404).json["code"],
          "not_found")
    s.patch("/v1/namespaces/nowhere", {"labels": {"a": "b"}}, expect=404)
    s.delete("/v1/namespaces/nowhere", expect=404)
    equal(s.get("/v1/namespaces/nowhere/images").json["items"], [])


@test
def the_first_write_makes_the_namespace():
    s = the_daemon()
    before = s.revision()
    s.post("/v1/namespaces/sprung/images", dict(IMAGE, name="x:1"),
           expect=201)
    topics = [e["topic"] for e in s.events(before)]
    equal(topics, ["/namespaces/create", "/images/create"])


@test
def a_namespace_that_holds_something_is_not_deleted():
    s = the_daemon()
    s.post("/v1/namespaces/full/images", dict(IMAGE, name="x:1"), expect=201)
    problem = s.delete("/v1/namespaces/full", expect=409).json
    equal(problem["reason"], "namespace_not_empty")
    check("namespace full must be empty" in problem["detail"], problem)
    check("1 image" in problem["detail"], problem)
    s.delete("/v1/namespaces/full/images/x:1")
    s.delete("/v1/namespaces/full")
    s.get("/v1/namespaces/full", expect=404)


@test
def labels_merge_and_an_empty_value_removes():
    s = the_daemon()
    s.post("/v1/namespaces", {"name": "labelled",
                              "labels": {"a": "1", "b": "2", "none": ""}},
           expect=201)
    answer = s.patch("/v1/namespaces/labelled",
                     {"labels": {"a": None, "b": "", "c": "3"}})
    equal(answer.json["labels"], {"c": "3"})
    equal(answer.headers["ETag"], '"%d"' % answer.json["revision"])


@test
def a_stale_if_match_changes_nothing():
    s = the_daemon()
    made = s.post("/v1/namespaces", {"name": "matched"}, expect=201).json
    etag = {"If-Match": '"%d"' % made["revision"],
            "Content-Type": "application/merge-patch+json"}
    s.patch("/v1/namespaces/matched", {"labels": {"a": "1"}}, headers=etag)
    problem = s.patch("/v1/namespaces/matched", {"labels": {"a": "2"}},
                      headers=etag, expect=412).json
    equal(problem["code"], "aborted")
    equal(s.get("/v1/namespaces/matched").json["labels"], {"a": "1"})


@test
def lists_page_by_a_cursor_and_miss_nothing():
    s = the_daemon()
    names = ["page%03d" % i for i in range(25)]
    for name in names:
        s.post("/v1/namespaces", {"name": name}, expect=201)
    seen, cursor = [], ""
    while True:
        page = s.get("/v1/namespaces?limit=10" +
                     ("&cursor=" + cursor if cursor else "")).json
        seen += [n["name"] for n in page["items"]]
        cursor = page.get("cursor")
        if not cursor:
            break
    equal([n for n in seen if n in names], names)
    equal(len(seen), len(set(seen)))
    s.get("/v1/namespaces?limit=0", expect=400)
    s.get("/v1/namespaces?limit=10001", expect=400)
    s.get("/v1/namespaces?cursor=%21%21", expect=400)
    s.get("/v1/namespaces?limitt=5", expect=400)


@test
def the_short_paths_say_that_a_namespace_is_required():
    s = the_daemon()
    for kind in ("images", "containers", "tasks", "content", "snapshots"):
        problem = s.get("/v1/" + kind, expect=409).json
        equal(problem["code"], "failed_precondition")
        check("namespace is required" in problem["detail"], problem)
        check("/v1/namespaces/" in problem["detail"], problem)


@test
def bad_names_and_bodies_are_refused_by_pointer():
    s = the_daemon()
    for name in ("", "-a", "a..b", "a/b", "x" * 77, "é"):
        s.post("/v1/namespaces", {"name": name}, expect=400)
    problem = s.post("/v1/namespaces", {"name": 5, "color": "red",
                                        "labels": {"a/b": 1}},
                     expect=400).json
    equal(sorted(e["field"] for e in problem["errors"]),
          ["/color", "/labels/a~1b", "/name"])
    for text in ("{", "[]", "{} x", '{"name":"a","name":"b"}', "null", '"x"',
                 '{"name":' + "[" * 100 + "]" * 100 + "}"):
        s.post("/v1/namespaces", text, expect=400)
    s.post("/v1/namespaces", '{"name":"' + "a" * (5 << 20) + '"}', expect=413)
    s.patch("/v1/namespaces/x", {"name": "y"}, expect=400)


@test
def two_racing_creates_give_one_201_and_one_409():
    import threading
    s = the_daemon()
    for round_ in range(20):
        answers = []

        def create():
            answers.append(s.post("/v1/namespaces",
                                  {"name": "race%d" % round_},
                                  expect=None).status)
        threads = [threading.Thread(target=create) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(sorted(answers), [201, 409, 409, 409])


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Snapshots over HTTP: prepare, commit, mounts, usage, removal."""
from skifftest import *

needs("root")

BASE = "/v1/namespaces/default/snapshots/overlay"


def prepare(s, key, expect=201, **more):
    return s.post(BASE, dict(more, key=key), expect=expect).json


def commit(s, key, name):
    return s.post("%s/%s/commit" % (BASE, quote(key)), {"name": name}).json


@test
def an_active_snapshot_is_committed_under_a_new_name():
    s = the_daemon()
    made = prepare(s, "a 1")
    equal((made["kind"], made["snapshotter"]), ("active", "overlay"))
    mount = made["mounts"][0]
    equal(mount["type"], "bind")
    with open(os.path.join(mount["source"], "file"), "w") as f:
        f.write("x" * 100000)
    usage = s.get(BASE + "/a%201/usage").json
    check(usage["size"] >= 100000 and usage["inodes"] == 2, usage)
    done = commit(s, "a 1", "base1")
    equal((done["key"], done["kind"]), ("base1", "committed"))
    s.get(BASE + "/a%201", expect=404)
    equal(s.get(BASE + "/base1").json["kind"], "committed")
    s.get(BASE + "/base1/mounts", expect=409)


@test
def a_child_sees_its_parents_and_holds_them():
    s = the_daemon()
    prepare(s, "p")
    commit(s, "p", "parent")
    child = prepare(s, "child", parent="parent")
    equal(child["mounts"][0]["type"], "overlay")
    view = prepare(s, "view", parent="parent", kind="view")
    equal(view["kind"], "view")
    problem = s.delete(BASE + "/parent", expect=409).json
    check("cannot remove snapshot with child" in problem["detail"], problem)
    s.delete(BASE + "/child")
    s.delete(BASE + "/view")
    s.delete(BASE + "/parent")
    until(lambda: not os.listdir(os.path.join(s.root, "snapshots", "trash"))
          if os.path.isdir(os.path.join(s.root, "snapshots", "trash"))
          else True, "empty trash")


@test
def what_cannot_be_done_says_why():
    s = the_daemon()
    prepare(s, "w1")
    equal(prepare(s, "w1", expect=409)["code"], "already_exists")
    equal(prepare(s, "w2", parent="none", expect=404)["code"], "not_found")
    equal(prepare(s, "w2", parent="w1", expect=400)["code"],
          "invalid_argument")
    prepare(s, "v1", kind="view")
    equal(s.post(BASE + "/v1/commit", {"name": "c"}, expect=409).json["code"],
          "failed_precondition")
    prepare(s, "w3", kind="committed", expect=400)
    s.get("/v1/namespaces/default/snapshots/zfs", expect=404)
    equal(s.get("/v1/namespaces/default/snapshots/default").status, 200)


@test
def each_change_has_its_event():
    s = the_daemon()
    before = s.revision()
    prepare(s, "e1")
    s.patch(BASE + "/e1", {"labels": {"a": "b"}})
    commit(s, "e1", "e2")
    s.delete(BASE + "/e2")
    # The active one goes when its committed form comes.
    equal([(e["topic"], e["event"]["key"]) for e in s.events(before)],
          [("/snapshots/prepare", "e1"), ("/snapshots/update", "e1"),
           ("/snapshots/commit", "e1"), ("/snapshots/remove", "e1"),
           ("/snapshots/remove", "e2")])


main()

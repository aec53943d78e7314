#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Filters of lists, of every kind that there is."""
from skifftest import *

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"


def keys(path, *filters, key="id", **query):
    """Those of a list that filters leave."""
    words = [("filter", f) for f in filters] + list(query.items())
    items = the_daemon().get(N + path + "?" + urllib.parse.urlencode(words))
    return [item[key] for item in items.json["items"]]


def make(n=6):
    """Containers c0 … with labels, c0 and c1 of which run; once."""
    s = the_daemon()
    if s.get(N + "/containers/c0", expect=None).status == 200:
        return s
    for i in range(n):
        s.post(N + "/containers", {
            "id": "c%d" % i, "image": image(s),
            "args": ["sh", "-c", "sleep 1000"],
            "labels": {"n": str(i % 3), "app.kind/x": "a,b" if i else "c"}},
            expect=201)
    for i in range(2):
        s.post(N + "/tasks", {"container": "c%d" % i}, expect=201)
    s.post(N + "/tasks/c0/start")
    s.patch(N + "/tasks/c0", {"labels": {"role": "first"}})
    return s


@test
def containers_are_found_by_what_they_say():
    s = make()
    equal(keys("/containers", "labels.n==1"), ["c1", "c4"])
    equal(keys("/containers", "labels.n!=1"), ["c0", "c2", "c3", "c5"])
    equal(keys("/containers", 'labels."app.kind/x"=="a,b",labels.n==0'),
          ["c3"])
    equal(keys("/containers", "id==c2", "id==c5"), ["c2", "c5"])
    equal(keys("/containers", "image==%s,runtime.name==runc" % image(s)),
          ["c%d" % i for i in range(6)])
    equal(keys("/containers", "runtime.name==crun"), [])
    equal(keys("/containers", "labels.none"), [])
    equal(keys("/containers", "labels.n,id!=c0", limit=2), ["c1", "c2"])


@test
def tasks_and_execs_are_found_by_their_state():
    s = make()
    equal(keys("/tasks", "state==running"), ["c0"])
    equal(keys("/tasks", "state!=running"), ["c1"])
    equal(keys("/tasks", "labels.role"), ["c0"])
    for id in "a", "b":
        s.post(N + "/tasks/c0/execs", {
            "id": id, "args": ["true"], "labels": {"of": id}}, expect=201)
    s.post(N + "/tasks/c0/execs/a/start")
    s.get(N + "/tasks/c0/execs/a/wait")
    equal(keys("/tasks/c0/execs", "state==stopped"), ["a"])
    equal(keys("/tasks/c0/execs", "labels.of==b"), ["b"])
    for id in "a", "b":
        s.delete(N + "/tasks/c0/execs/" + id, expect=200)


@test
def images_content_snapshots_operations_and_namespaces_as_well():
    s = make()
    name = image(s)
    target = s.get(N + "/images/" + quote(name)).json["target"]
    equal(keys("/images", "target.digest==" + target["digest"], key="name"),
          [name])
    equal(keys("/images", "name!=" + name, key="name"), [])
    equal(keys("/content", "digest==" + target["digest"], key="digest"),
          [target["digest"]])
    equal(keys("/content", "media_type==" + target["media_type"],
               key="digest"), [target["digest"]])
    equal(keys("/snapshots/overlay", "kind==active,key==c2", key="key"),
          ["c2"])
    equal(keys("/snapshots/overlay", "parent", "key==none", key="key"),
          ["c%d" % i for i in range(6)])
    check(len(keys("/operations", "state==succeeded")) > 0)
    equal(keys("/operations", "kind==none"), [])
    s.api("POST", "/v1/namespaces", {"name": "far", "labels": {"a": "b"}})
    items = s.get("/v1/namespaces?filter=labels.a==b").json["items"]
    equal([i["name"] for i in items], ["far"])
    s.delete("/v1/namespaces/far")


@test
def pages_are_full_of_what_was_asked_for():
    s = make()
    path = N + "/containers?limit=1&filter=labels.n==2"
    first = s.get(path).json
    equal([i["id"] for i in first["items"]], ["c2"])
    last = s.get(path + "&cursor=" + first["cursor"]).json
    equal([i["id"] for i in last["items"]], ["c5"])
    check("cursor" not in last, last)
    check("cursor" not in s.get(N + "/containers?limit=2&filter=labels.n==0")
          .json)


@test
def a_filter_that_is_none_returns_nothing():
    s = make()
    for bad in ("image~=x", "=a", "id==a,", "nope==1", "spec==x", "labels.",
                "", ",", "id=a"):
        problem = s.get(N + "/containers?filter=" + quote(bad),
                        expect=400).json
        check("filter" in problem["detail"], problem)
    s.get(N + "/containers/c0?filter=id==c0", expect=400)


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the daemon answers is what openapi.yaml says: every operation is
asked, for success and for its main errors."""
import hashlib
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]

from contract import Contract, describe, read_answers  # noqa
import lib_checkpoint  # noqa
import skifftest  # noqa
from skifftest import *  # noqa

needs("root", "runc", "skopeo", "docker-registry")

if not os.environ.get("SKIFF_RECORD"):
    os.environ["SKIFF_RECORD"] = scratch("record")
N = "/v1/namespaces/default"
DATA = b"some bytes"
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
ABSENT = "sha256:" + "0" * 64
TARGET = {"media_type": "application/vnd.oci.image.manifest.v1+json",
          "digest": ABSENT, "size": 5, "annotations": {"a": "b"}}


def same_everywhere(s, made, path=None):
    """The object of a 201 is what its Location has, ETag included."""
    location = made.headers["Location"]
    if path:
        equal(location, path)
    there = s.get(location, headers={"Accept": "application/json"})
    equal(there.headers["ETag"], made.headers["ETag"], location)
    equal(there.headers["ETag"], '"%d"' % there.json["revision"], location)
    for key, value in there.json.items():
        equal(made.json[key], value, location, key)
    head = s.api("HEAD", location, expect=200)
    equal(head.body, b"")


def merged_and_matched(s, path):
    """PATCH gives the new object; If-Match guards PATCH."""
    accept = {"Accept": "application/json"}
    before = s.get(path, headers=accept)
    after = s.patch(path, {"labels": {"color": "blue", "gone": ""}})
    equal(after.json["labels"].get("color"), "blue", path)
    check("gone" not in after.json["labels"], path)
    check(after.json["revision"] > before.json["revision"], path)
    equal(after.headers["ETag"], '"%d"' % after.json["revision"], path)
    equal(after.json["created_at"], before.json["created_at"], path)
    kind = "application/merge-patch+json"
    problem = s.patch(path, {"labels": {"color": "red"}}, expect=412, headers={
        "Content-Type": kind, "If-Match": before.json and
        '"%d"' % before.json["revision"]}).json
    equal(problem["code"], "aborted", path)
    s.patch(path, {"labels": {"color": None}}, headers={
        "Content-Type": kind, "If-Match": after.headers["ETag"]})
    equal(s.get(path, headers=accept).json["labels"].get("color"), None, path)
    s.patch(path, {"spec": 1}, expect=400)


def listed(s, path, key, value):
    items = s.get(path).json["items"]
    check(value in [item[key] for item in items], path, value)
    s.get(path + "?limit=1")
    s.get(path + "?limit=0", expect=400)
    s.get(path + "?cursor=nonsense", expect=400)


@test
def of_the_daemon_itself():
    s = the_daemon()
    s.get("/v1/plugins?status=none", expect=400)
    s.get("/v1/plugins/runtime/none", expect=404)
    for path in ("/", "/healthz", "/readyz", "/openapi.json", "/v1/version",
                 "/v1/plugins", "/v1/plugins/runtime/runc"):
        body = s.get(path).body
        head = s.api("HEAD", path, expect=200)
        equal(head.headers["Content-Length"], str(len(body)), path)
    for name in ("images", "content", "snapshots", "containers", "tasks"):
        problem = s.get("/v1/" + name, expect=409).json
        equal(problem["code"], "failed_precondition")
        check("/v1/namespaces/default/" + name in problem["detail"], problem)
    s.get("/v2", expect=404)


@test
def of_namespaces():
    s = the_daemon()
    made = s.post("/v1/namespaces", {"name": "zoo", "labels": {"a": "b"}},
                  expect=201)
    same_everywhere(s, made, "/v1/namespaces/zoo")
    s.post("/v1/namespaces", {"name": "zoo"}, expect=409)
    s.post("/v1/namespaces", {"name": "no good"}, expect=400)
    listed(s, "/v1/namespaces", "name", "zoo")
    merged_and_matched(s, "/v1/namespaces/zoo")
    s.get("/v1/namespaces/none", expect=404)
    s.patch("/v1/namespaces/none", {"labels": {}}, expect=404)
    s.delete("/v1/namespaces/zoo", expect=412, headers={"If-Match": '"1"'})
    s.delete("/v1/namespaces/zoo")
    s.delete("/v1/namespaces/zoo", expect=404)


@test
def of_content():
    s = the_daemon()
    path = N + "/content/" + DIGEST
    made = s.put(path, DATA, expect=201)
    same_everywhere(s, made, path)
    s.put(path, DATA, expect=200)
    s.put(N + "/content/" + ABSENT, DATA, expect=409)
    s.get(path)
    s.get(path, expect=206, headers={"Range": "bytes=1-2"})
    s.get(path, expect=416, headers={"Range": "bytes=99-"})
    s.get(N + "/content/" + ABSENT, expect=404)
    s.get(N + "/content/sha256:1", expect=400)
    listed(s, N + "/content", "digest", DIGEST)
    merged_and_matched(s, path)
    s.delete(path, expect=412, headers={"If-Match": '"1"'})
    s.delete(path)
    s.delete(path, expect=404)


@test
def of_images():
    s = the_daemon()
    for name in ("made", "host:5/made/with/slashes:1"):
        path = N + "/images/" + quote(name)
        made = s.post(N + "/images", {"name": name, "target": TARGET,
                                      "labels": {"a": "b"}}, expect=201)
        same_everywhere(s, made, path)
        s.post(N + "/images", {"name": name, "target": TARGET}, expect=409)
        listed(s, N + "/images", "name", name)
        merged_and_matched(s, path)
        s.delete(path, expect=412, headers={"If-Match": '"1"'})
        s.delete(path)
        s.delete(path, expect=404)
        s.get(path, expect=404)


def pulled(s):
    """The name of an image that is here."""
    name = "%s/t/busybox:1" % the_registry().host
    if s.get(N + "/images/" + quote(name), expect=None).status == 404:
        s.pull(the_registry().push(busybox(), "t/busybox:1"))
    return name


@test
def of_pulls_and_operations():
    s = the_daemon()
    ref = the_registry().push(busybox(), "t/busybox:1")
    begun = s.post(N + "/images/pull", {"ref": ref}, expect=202)
    path = begun.headers["Location"]
    equal(path, "%s/operations/%s" % (N, begun.json["id"]))
    equal(begun.headers["ETag"], '"%d"' % begun.json["revision"])
    done = s.get(path + "?wait=true")
    equal((done.json["state"], done.headers["ETag"]),
          ("succeeded", '"%d"' % done.json["revision"]))
    s.post(N + "/images/pull?wait=true", {"ref": ref}, expect=200)
    with s.sse(N + "/images/pull", "POST", {"ref": ref}) as stream:
        events = list(stream)
    equal(events[-1]["event"], "end")
    with s.sse(path) as stream:
        equal([e["event"] for e in stream], ["end"])
    missing = ref.replace("busybox:1", "missing:1")
    s.post(N + "/images/pull?wait=true", {"ref": missing}, expect=404)
    failed = s.post(N + "/images/pull", {"ref": missing}, expect=202)
    problem = s.get(failed.headers["Location"] + "?wait=true", expect=404)
    equal(problem.json["code"], "not_found")
    failed = s.get(failed.headers["Location"]).json
    equal((failed["state"], failed["error"]["code"]), ("failed", "not_found"))
    s.post(N + "/images/pull", {"ref": "", "color": 1}, expect=400)
    listed(s, N + "/operations", "id", begun.json["id"])
    s.delete(path)
    s.get(path, expect=404)
    s.delete(path, expect=404)


@test
def of_snapshots():
    s = the_daemon()
    base = N + "/snapshots/"
    made = s.post(base + "overlay", {"key": "a/b", "labels": {"x": "y"}},
                  expect=201)
    same_everywhere(s, made, base + "overlay/a%2Fb")
    check(made.json["mounts"], made)
    path = base + "default/a%2Fb"
    s.post(base + "overlay", {"key": "a/b"}, expect=409)
    s.post(base + "overlay", {"key": "c", "parent": "none"}, expect=404)
    s.post(base + "overlay", {"key": "c", "parent": "a/b"}, expect=400)
    s.post(base + "zfs", {"key": "c"}, expect=404)
    listed(s, base + "default", "key", "a/b")
    merged_and_matched(s, path)
    equal(s.get(path + "/mounts").json["mounts"], made.json["mounts"])
    s.get(path + "/usage")
    committed = s.post(path + "/commit", {"name": "base"})
    equal(committed.headers["ETag"], '"%d"' % committed.json["revision"])
    s.post(path + "/commit", {"name": "base"}, expect=404)
    s.post(base + "overlay/base/commit", {"name": "again"}, expect=409)
    s.get(base + "overlay/base/mounts", expect=409)
    view = s.post(base + "overlay", {"key": "view", "parent": "base",
                                     "kind": "view"}, expect=201)
    same_everywhere(s, view)
    s.get(base + "overlay/view/usage")
    s.delete(base + "overlay/base", expect=409)
    s.delete(base + "overlay/view", expect=412, headers={"If-Match": '"1"'})
    s.delete(base + "overlay/view")
    s.delete(base + "overlay/base")
    s.delete(base + "overlay/base", expect=404)
    s.get(base + "overlay/base/usage", expect=404)


@test
def of_containers():
    s = the_daemon()
    image = pulled(s)
    path = N + "/containers/full"
    body = {"id": "full", "image": image, "args": ["true"],
            "labels": {"a": "b"}, "env": ["A=b"], "cwd": "/", "user": "1:1",
            "hostname": "box", "terminal": False, "network": "none",
            "mounts": [{"type": "tmpfs", "target": "/mnt"}],
            "resources": {"memory": 1 << 26, "cpus": 1.5, "pids": 10},
            "capabilities": {"drop": ["ALL"]}, "stop_signal": "INT",
            "read_only": True, "snapshotter": "default",
            "runtime": {"name": "runc"}, "extensions": {"x": {"y": 1}}}
    made = s.post(N + "/containers", body, expect=201)
    same_everywhere(s, made, path)
    s.post(N + "/containers?dry_run=true", dict(body, id="x"))
    s.post(N + "/containers?dry_run=true", body, expect=409)
    s.patch(path + "?mask=env,labels.a", {"env": ["C=d"]})
    s.patch(path + "?mask=image", {}, expect=400)
    s.put(path, dict(s.get(path).json, user="0"))
    s.put(path, {"image": "none"}, expect=400)
    s.put(N + "/containers/none", {"image": "none"}, expect=404)
    s.post(path + "/rename", {"id": "other"})
    s.post(path + "/rename", {"id": "x"}, expect=404)
    s.post(N + "/containers/other/rename", {"id": "full"})
    s.post(path + "/rename", {"id": "full"}, expect=409)
    made = s.get(path)
    named = s.post(N + "/containers", {"image": image}, expect=201)
    same_everywhere(s, named)
    s.delete(named.headers["Location"])
    spec = dict(made.json["spec"], root={"path": "/nowhere"})
    own = s.post(N + "/containers", {"id": "own", "spec": spec}, expect=201)
    same_everywhere(s, own)
    s.delete(own.headers["Location"])
    s.post(N + "/containers", body, expect=409)
    s.post(N + "/containers", dict(body, id="x", image="none"), expect=404)
    s.post(N + "/containers", {"id": "/"}, expect=400)
    listed(s, N + "/containers", "id", "full")
    merged_and_matched(s, path)
    s.delete(path, expect=412, headers={"If-Match": '"1"'})
    s.delete(path + "?force=maybe", expect=400)
    s.delete(path)
    s.delete(path, expect=404)
    s.get(path, expect=404)


@test
def of_tasks():
    s = the_daemon()
    script = "echo out; echo err >&2; printf '\\377'; sleep 1000"
    s.post(N + "/containers", {"id": "t", "image": pulled(s),
                               "args": ["sh", "-c", script]}, expect=201)
    path = N + "/tasks/t"
    s.post(N + "/tasks", {"container": "none"}, expect=404)
    s.post(N + "/tasks", {}, expect=400)
    made = s.post(N + "/tasks", {"container": "t", "stdio": {"stdin": True}},
                  expect=201)
    same_everywhere(s, made, path)
    equal(made.json["state"], "created")
    s.post(N + "/tasks", {"container": "t"}, expect=409)
    s.delete(N + "/containers/t", expect=409)
    started = s.post(path + "/start")
    equal((started.json["state"], started.headers["ETag"]),
          ("running", '"%d"' % started.json["revision"]))
    s.post(path + "/start", expect=409)
    listed(s, N + "/tasks", "id", "t")
    merged_and_matched(s, path)
    s.get(path + "/pids")
    s.get(path + "/wait?timeout=10ms", expect=504)
    s.delete(path, expect=409)
    s.post(path + "/kill", {"signal": "NOPE"}, expect=400)
    s.post(path + "/kill", {"signal": "USR1"})
    until(lambda: "err\n" in s.get(path + "/logs").text, "output")
    for query in ("", "?tail=1", "?stream=stderr", "?timestamps=true",
                  "?since=1h", "?until=1h", "?offset=1"):
        s.get(path + "/logs" + query)
    s.get(path + "/logs?tail=1&offset=1")
    s.get(path + "/logs", headers={"Accept": "application/x-ndjson"})
    with s.sse(path + "/logs") as stream:
        check("log" in [e["event"] for e in stream])
    of_streams(s, path)
    killed = s.post(path + "/kill", {"signal": "KILL", "all": True})
    check(killed.headers["ETag"], killed)
    exit = s.get(path + "/wait").json
    equal(exit["exit_status"], 137)
    s.post(path + "/kill", expect=409)
    s.get(path + "/pids", expect=None)
    stopped = s.get(path).json
    equal((stopped["state"], stopped["exit_status"], stopped["exited_at"]),
          ("stopped", 137, exit["exited_at"]))
    equal(s.delete(path, expect=200).json["exited_at"], exit["exited_at"])
    for method, below in (("GET", ""), ("DELETE", ""), ("POST", "/start"),
                          ("POST", "/kill"), ("GET", "/wait"),
                          ("GET", "/pids"), ("GET", "/logs")):
        s.api(method, path + below, expect=404)
    s.delete(N + "/containers/t")


def of_streams(s, path):
    equal(len(s.get(path + "/output").body), 9)
    s.get(path + "/output?offset=99", expect=416)
    s.get(path + "/attach", expect=426)
    s.get(path + "/attach", expect=101,
          headers={"Connection": "Upgrade", "Upgrade": "x"})
    s.post(path + "/stdin", b"x", expect=204)
    s.post(path + "/resize", {"width": 80, "height": 24}, expect=409)
    s.post(path + "/close-stdin", expect=204)
    s.post(path + "/close-stdin", expect=409)


@test
def of_a_terminal_and_followed_logs():
    s = the_daemon()
    s.post(N + "/containers", {"id": "y", "image": pulled(s),
                               "args": ["sh", "-c", "echo out"]}, expect=201)
    path = N + "/tasks/y"
    s.post(N + "/tasks", {"container": "y", "terminal": True}, expect=201)
    s.post(path + "/resize", {"width": 80, "height": 24}, expect=204)
    s.post(path + "/start")
    with s.sse(path + "/logs?follow=true") as stream:
        equal([e["event"] for e in stream][-1], "end")
    s.delete(N + "/containers/y?force=true")


@test
def of_pause_and_stop():
    s = the_daemon()
    s.run("p", pulled(s), ["sleep", "1000"])
    path = N + "/tasks/p"
    equal(s.post(path + "/pause").json["state"], "paused")
    s.post(path + "/pause", expect=409)
    equal(s.post(path + "/resume").json["state"], "running")
    s.post(path + "/resume", expect=409)
    s.patch(path, {"resources": {"pids": 50, "cpus": None},
                   "labels": {"a": "b"}})
    s.patch(path, {"resources": {"pids": 0}}, expect=400)
    s.get(path + "/metrics")
    s.get(path + "/metrics?interval=1ms", expect=400)
    with s.sse(path + "/metrics?interval=1s") as stream:
        equal(stream.next()["event"], "metrics")
    check(s.get(N + "/metrics?filter=id==p").json["items"])
    s.get(N + "/metrics?filter=name", expect=400)
    s.post(path + "/stop", {"timeout": "soon"}, expect=400)
    s.post(path + "/kill", {"pid": 2147483647}, expect=404)
    pid = s.get(path + "/pids").json["processes"][0]["pid"]
    s.post(path + "/kill", {"signal": "CONT", "pid": pid})
    equal(s.post(path + "/stop", {"signal": "TERM", "timeout": 0})
          .json["state"], "stopped")
    s.get(path + "/metrics", expect=409)
    equal(s.post(path + "/restart").json["restart_count"], 1)
    s.post(path + "/restart", {"timeout": "soon"}, expect=400)
    for verb in ("pause", "resume", "stop", "restart"):
        s.post(N + "/tasks/none/" + verb, expect=404)
    s.get(N + "/tasks/none/metrics", expect=404)
    s.delete(N + "/containers/p?force=true")


@test
def of_checkpoints():
    s = lib_checkpoint.daemon()  # or a skip
    s.run("c", lib_checkpoint.image(s), lib_checkpoint.COUNTER)
    lib_checkpoint.counts_on(s, "c", 1)
    path = N + "/tasks/c"
    s.post(path + "/checkpoint", {"parent": 1}, expect=400)
    operation = s.post(path + "/checkpoint", {"name": "c:1"}, expect=202).json
    s.get("%s/operations/%s?wait=true" % (N, operation["id"]))
    s.post(path + "/checkpoint?wait=true",
           {"name": "c:2", "exit": True, "cgroups_mode": "soft"})
    s.wait_task("c")
    s.delete(path, expect=200)
    s.post(N + "/tasks", {"container": "c", "checkpoint": "c:2"}, expect=201)
    s.get(N + "/operations")
    s.delete(N + "/containers/c?force=true")


@test
def of_execs():
    s = the_daemon()
    s.run("x", pulled(s), ["sleep", "1000"])
    path = N + "/tasks/x/execs"
    added = s.post(path, {"id": "e", "args": ["sleep", "1000"],
                          "env": ["A=b"], "cwd": "/", "user": "0",
                          "labels": {"a": "b"}}, expect=201)
    same_everywhere(s, added, path + "/e")
    s.post(path, {"id": "e", "args": ["true"]}, expect=409)
    s.post(path, {"args": []}, expect=400)
    listed(s, path, "id", "e")
    equal(s.post(path + "/e/start").json["state"], "running")
    s.get(N + "/tasks/x/processes")
    check([p for p in s.get(N + "/tasks/x/pids").json["processes"]
           if p.get("exec_id") == "e"])
    s.get(path + "/e/wait?timeout=10ms", expect=504)
    s.delete(path + "/e", expect=409)
    s.post(path + "/e/kill", {"signal": "KILL"})
    equal(s.get(path + "/e/wait").json["exit_status"], 137)
    s.delete(path + "/e", expect=200)
    equal(s.post(path + "?wait=true", {"args": ["echo", "hi"]})
          .json["stdout"], "hi\n")
    for method, below in (("GET", ""), ("DELETE", ""), ("POST", "/start"),
                          ("POST", "/kill"), ("GET", "/wait")):
        s.api(method, path + "/e" + below, expect=404)
    of_streams_of_execs(s, path)
    s.delete(N + "/containers/x?force=true")


def of_streams_of_execs(s, path):
    script = "echo out; echo err >&2; printf '\\377'; sleep 1000"
    s.post(path + "?start=true", {"id": "s", "args": ["sh", "-c", script],
                                  "stdio": {"stdin": True}}, expect=201)
    until(lambda: len(s.get(path + "/s/output").body) == 9, "output")
    s.get(path + "/s/logs")
    of_streams(s, path + "/s")
    s.post(path + "?start=true", {"id": "t", "args": ["sleep", "1000"],
                                  "terminal": True}, expect=201)
    s.post(path + "/t/resize", {"width": 80, "height": 24}, expect=204)


@test
def of_events():
    s = the_daemon()
    for path in ("/v1/events", N + "/events"):
        with s.sse(path + "?after=0&follow=false") as stream:
            check(list(stream), path)
        s.get(path + "?after=0&follow=false", headers={
            "Accept": "application/x-ndjson"})
        s.get(path + "?after=x", expect=400)
        s.get(path + "?after=99999999", expect=416)
        s.get(path + "?follow=maybe", expect=400)


@test
def all_of_it_is_as_described():
    faults = []
    succeeded = set()
    for answer in read_answers(skifftest.record_path()):
        found = the_contract.faults_of(answer)
        if found:
            faults.append(describe(answer, found))
        operation = the_contract.find(answer["method"], answer["path"])
        if operation and (answer["status"] < 400 or
                          operation.id.endswith("_without_namespace")):
            succeeded.add((operation.id, answer["status"]))
    check(not faults, "\n" + "\n".join(faults[:20]))
    ids = {i for i, _ in succeeded}
    for operation in the_contract.operations:
        if (operation.id == "tasks_checkpoint" and
                not lib_checkpoint.has_criu()):
            continue
        check(operation.id in ids, operation.id, "never succeeded")
        for status in operation.body["responses"]:
            check(status in ("default", "503") or
                  (operation.id, int(status)) in succeeded,
                  operation.id, "never answered", status)


the_contract = Contract()
main()

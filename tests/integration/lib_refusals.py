# SPDX-License-Identifier: Apache-2.0
"""Asking the daemon what it must refuse: a good request of every operation
to be spoilt, and ask(), which holds each answer to the rules of all."""
import itertools
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "contract"))

from contract import Contract  # noqa
from lib_images import Tar, busybox_tree  # noqa
from skifftest import *  # noqa

N = "/v1/namespaces/default"
ABSENT = "sha256:" + "0" * 64
TARGET = {"media_type": "a/b", "digest": ABSENT, "size": 5,
          "annotations": {"a": "b"}}
LABELS = {"labels": {"a": "b"}}

# Operation → path, and a body with every member that has members itself.
BODIES = {
    "namespaces_create": ("/v1/namespaces", dict(LABELS, name="bad")),
    "namespaces_patch": ("/v1/namespaces/none", LABELS),
    "images_create": (N + "/images", dict(LABELS, name="i", target=TARGET)),
    "images_patch": (N + "/images/none", LABELS),
    "images_pull": (N + "/images/pull", {
        "ref": "127.0.0.1:9/none",
        "auth": {"username": "u", "password": "p"}}),
    "content_patch": (N + "/content/" + ABSENT, LABELS),
    "snapshots_create": (N + "/snapshots/overlay", dict(LABELS, key="k")),
    "snapshots_patch": (N + "/snapshots/overlay/none", LABELS),
    "snapshots_commit": (N + "/snapshots/overlay/none/commit",
                         dict(LABELS, name="n")),
    "containers_create": (N + "/containers", dict(
        LABELS, id="c", image="none", platform="linux/amd64",
        args=["true"], entrypoint=["a"],
        env=["A=b"], mounts=[{"type": "tmpfs", "target": "/m",
                              "options": ["ro"]}],
        resources={"memory": 1 << 26, "hugetlb": {}},
        dns={"servers": ["::1"], "search": ["a"], "options": ["b"]},
        rlimits=[{"type": "core", "soft": 0, "hard": 0}],
        sysctls={"kernel.sem": "1 2 3 4"}, annotations={"user.a": "b"},
        devices=[{"path": "/dev/null", "container_path": "/dev/nil",
                  "permissions": "r"}],
        seccomp="default", stop_timeout=1,
        capabilities={"add": ["CAP_KILL"], "drop": ["ALL"]},
        runtime={"name": "runc", "options": {"args": ["--debug"]}})),
    "containers_patch": (N + "/containers/none", LABELS),
    "containers_put": (N + "/containers/none", dict(
        LABELS, image="none", args=["true"])),
    "containers_rename": (N + "/containers/none/rename", {"id": "other"}),
    "tasks_create": (N + "/tasks", {
        "container": "none", "terminal": False,
        "options": {"args": ["--debug"]},
        "stdio": {"mode": "fifo", "stdout": "/o", "stderr": "/e",
                  "log": {"max_size": 4096, "max_files": 1}}}),
    "tasks_patch": (N + "/tasks/none", LABELS),
    "tasks_start": (N + "/tasks/none/start", {}),
    "tasks_kill": (N + "/tasks/none/kill", {"signal": 15}),
    "tasks_pause": (N + "/tasks/none/pause", {}),
    "tasks_resume": (N + "/tasks/none/resume", {}),
    "tasks_restart": (N + "/tasks/none/restart",
                      {"signal": 15, "timeout": 1}),
    "tasks_stop": (N + "/tasks/none/stop", {"signal": 15, "timeout": 1}),
    "tasks_close_stdin": (N + "/tasks/none/close-stdin", {}),
    "tasks_resize": (N + "/tasks/none/resize", {"width": 1, "height": 1}),
    "tasks_checkpoint": (N + "/tasks/none/checkpoint", {}),
    "execs_create": (N + "/tasks/none/execs", dict(
        LABELS, args=["true"], env=["A=b"], stdio={"mode": "null"})),
    "execs_start": (N + "/tasks/none/execs/none/start", {}),
    "execs_kill": (N + "/tasks/none/execs/none/kill", {"signal": 15}),
    "execs_close_stdin": (N + "/tasks/none/execs/none/close-stdin", {}),
    "execs_resize": (N + "/tasks/none/execs/none/resize",
                     {"width": 1, "height": 1}),
}
NEEDS_NO_BODY = ("tasks_start", "tasks_kill", "tasks_pause", "tasks_resume",
                 "tasks_restart", "tasks_stop", "tasks_close_stdin",
                 "tasks_checkpoint", "execs_start", "execs_kill",
                 "execs_close_stdin")

the_contract = Contract()
_numbers = itertools.count(1)


def ask(method, path, body=None, expect=400, headers=None):
    """The problem; with the rules that hold for every one of them."""
    s = the_daemon()
    pid = s.process.pid
    number = "bad-%d" % next(_numbers)
    headers = dict(headers or {}, **{"Skiff-Request-Id": number})
    if not isinstance(body, bytes) and body is not None:
        body = json.dumps(body).encode()
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    answer = s.api(method, path, body, headers=headers)
    check(answer.status < 500, answer, "of", (body or b"")[:200])
    equal(answer.headers["Skiff-Request-Id"], number, answer)
    check(s.process.poll() is None and s.process.pid == pid, "daemon died")
    expect = expect if isinstance(expect, tuple) else (expect,)
    check(answer.status in expect, "not", expect, answer, "of",
          (body or b"")[:200])
    if answer.status < 400:
        return None
    equal(answer.headers["Content-Type"], "application/problem+json", answer)
    problem = answer.json
    equal((problem["status"], problem["request_id"]),
          (answer.status, number), answer)
    check(problem.get("detail"), answer)
    return problem


def method_of(operation_id):
    return next(o.method for o in the_contract.operations
                if o.id == operation_id)


def body_operations():
    for operation_id, (path, body) in BODIES.items():
        yield operation_id, method_of(operation_id), path, body


def pointers(problem):
    return [e["field"] for e in problem.get("errors", [])] or \
        [problem.get("field")]


GOOD = {"ns": "default", "id": "none", "name": "none", "key": "none",
        "digest": ABSENT, "snapshotter": "overlay", "type": "runtime",
        "exec": "none", "eid": "none"}


def body_of(operation):
    """A good body, as JSON or as what content takes."""
    if operation.id == "content_put":
        return b"x"
    return BODIES[operation.id][1] if operation.id in BODIES else None


def path_of(operation, **other):
    parts = [dict(GOOD, **other).get(part[1:-1], part)
             if part.startswith("{") else part
             for part in operation.path.split("/")]
    return "/".join(parts)


def pulled_image():
    """The name of busybox with the accounts that the rows below speak of."""
    s = the_daemon()
    name = "%s/t/users:1" % the_registry().host
    if s.get(N + "/images/" + quote(name), expect=None).status == 404:
        accounts = Tar({
            "etc/passwd": b"root:x:0:0::/root:/bin/sh\n"
                          b"app:x:1000:1000::/:/bin/sh\nweird:x:0:0::/:\n"
                          b"4294967296:x:0:0::/:\n-1:x:0:0::/:\n",
            "etc/group": b"root:x:0:\napp:x:1000:\nstaff:x:50:app\n"
                         b"4294967296:x:0:\n"}).bytes()
        layout = Layout("users")
        s.pull(the_registry().push(str(layout.tag(layout.image(
            [busybox_tree(), accounts]))), "t/users:1"))
    return name


def daemon_is_well():
    """Nothing was left behind, and nothing was the daemon's fault."""
    s = the_daemon()
    s.get("/readyz")
    equal([c["id"] for c in s.get(N + "/containers").json["items"]], [])
    equal(s.get(N + "/tasks").json["items"], [])
    with open(s.log) as log:
        bad = [line for line in log if " error " in line]
    equal(bad, [])

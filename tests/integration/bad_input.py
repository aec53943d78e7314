#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent, the answer is a problem that says what is wrong, never
a 5xx, and the daemon lives on.

The bodies' fields are taken from openapi.yaml, so a new field is tried with
every wrong type as soon as it is described.
"""
import copy
import itertools
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "contract"))

from contract import Contract  # noqa
from lib_images import Tar, busybox_tree  # noqa
from skifftest import *  # noqa

needs("root", "runc", "skopeo", "docker-registry")

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
        LABELS, id="c", image="none", args=["true"], entrypoint=["a"],
        env=["A=b"], mounts=[{"type": "tmpfs", "target": "/m",
                              "options": ["ro"]}],
        resources={"memory": 1 << 26},
        capabilities={"add": ["CAP_KILL"], "drop": ["ALL"]},
        runtime={"name": "runc", "options": {}})),
    "containers_patch": (N + "/containers/none", LABELS),
    "tasks_create": (N + "/tasks", {"container": "none"}),
    "tasks_patch": (N + "/tasks/none", LABELS),
    "tasks_start": (N + "/tasks/none/start", {}),
    "tasks_kill": (N + "/tasks/none/kill", {"signal": 15}),
}
NEEDS_NO_BODY = ("tasks_start", "tasks_kill")

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


@test
def every_operation_with_a_json_body_is_in_the_table():
    wanted = {o.id for o in the_contract.operations
              if o.method in ("POST", "PUT", "PATCH")}
    equal(sorted(wanted - {"content_put"}), sorted(BODIES))


# --- bodies --------------------------------------------------------------

MALFORMED = [
    b"{", b"}", b"{]", b"[]", b"null", b"true", b"7", b'"x"', b'{"a":1,}',
    b"{'a':1}", b"{a:1}", b'{"a":01}', b'{"a":1}{"b":2}', b'{"a":1} x',
    b"\xff", b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"a":"\\u0000"}',
    b'{"\\u0000":1}', b'{"a":"\x01"}', b'{"a":NaN}', b'{"a":Infinity}',
    b'{"a":1e999}', b'{"a":99999999999999999999}', b"\xef\xbb\xbf{}",
    b"\x00", b" ", b"//\n{}", b'{"a":"', b'{"a"', b"\xfe\xff\x00{\x00}",
]


@test
def malformed_json_is_refused():
    for operation_id, method, path, _ in body_operations():
        for text in MALFORMED:
            problem = ask(method, path, text)
            equal(problem["code"], "invalid_argument", operation_id, text)
        if operation_id not in NEEDS_NO_BODY:
            ask(method, path, b"")
            ask(method, path)


@test
def unknown_and_duplicate_fields_are_refused_by_name():
    for operation_id, method, path, body in body_operations():
        for name, pointer in (("color", "/color"), ("a/b~c", "/a~1b~0c"),
                              ("", "/"), ("\u00e4" * 200, "/" + "\u00e4" * 200),
                              ("spec\u200b", "/spec\u200b")):
            problem = ask(method, path, dict(body, **{name: 1}))
            check(pointer in pointers(problem), operation_id, name, problem)
        for name in body:
            text = json.dumps(body)[:-1] + ", %s: %s}" % (
                json.dumps(name), json.dumps(body[name]))
            problem = ask(method, path, text.encode())
            check("duplicate" in problem["detail"], operation_id, problem)


@test
def nesting_and_size_have_limits():
    for _, method, path, _ in body_operations():
        for text in (b'{"x":' + b"[" * 64 + b"]" * 64 + b"}",
                     b"[" * 100000, b'{"a":' * 5000 + b"1" + b"}" * 5000):
            problem = ask(method, path, text)
            check("nested" in problem["detail"], path, problem)
        deep = b'{"x":' + b"[" * 63 + b"]" * 63 + b"}"
        check("nested" not in ask(method, path, deep)["detail"], path)
        problem = ask(method, path, b'{"x":"' + b"a" * (5 << 20) + b'"}',
                      expect=413)
        equal(problem["code"], "too_large")


@test
def a_body_of_many_faults_gets_a_short_answer():
    for _, method, path, _ in body_operations():
        text = json.dumps({"f%d" % i: 1 for i in range(200000)}).encode()
        check(len(ask(method, path, text)["errors"]) <= 100, path)


@test
def media_types_are_json():
    for operation_id, method, path, body in body_operations():
        for kind in ("text/plain", "application/xml", "application/jsonx",
                     "application/json; charset=latin1", "x", "",
                     "multipart/form-data; boundary=x"):
            problem = ask(method, path, body or b" ", expect=415,
                          headers={"Content-Type": kind})
            equal(problem["code"], "unsupported_media_type", operation_id)
        for kind in ("application/x-www-form-urlencoded",  # curl's default
                     "application/merge-patch+json",
                     "application/json;charset=UTF-8"):
            check(ask(method, path, b"{", headers={"Content-Type": kind}))


def types_of(schema):
    """JSON types that a schema takes, and its own schema without $ref."""
    schema = the_contract.resolved(schema)
    if "enum" in schema or "const" in schema:
        return {"string"}, schema
    kinds = schema.get("type", "object")
    return set([kinds] if isinstance(kinds, str) else kinds), schema


def members(schema):
    schema = the_contract.resolved(schema)
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        found.update(members(part))
    return found


VALUES = [("null", None), ("boolean", True), ("integer", 7),
          ("number", 1.5), ("string", "text"), ("array", []),
          ("array", [None]), ("object", {}), ("object", {"a": {}})]


def wrong_values(kinds):
    for kind, value in VALUES:
        if kind in kinds or kind == "integer" and "number" in kinds:
            continue
        yield value


def wrong_bodies(schema, body, pointer="", place=()):
    """(pointer, path in the body, wrong value) for every field."""
    for name, field in members(schema).items():
        kinds, field = types_of(field)
        here = place + (name,)
        at = "%s/%s" % (pointer, name)
        for value in wrong_values(kinds):
            yield at, here, value
        inner = body.get(name) if isinstance(body, dict) else None
        if "object" in kinds and isinstance(inner, dict):
            yield from wrong_bodies(field, inner, at, here)
            if inner and isinstance(field.get("additionalProperties"), dict):
                key = next(iter(inner))
                inside, _ = types_of(field["additionalProperties"])
                for value in wrong_values(inside):
                    yield "%s/%s" % (at, key), here + (key,), value
        if "array" in kinds and isinstance(inner, list) and inner:
            inside, item = types_of(field["items"])
            for value in wrong_values(inside):
                yield at + "/0", here + (0,), value
            if isinstance(inner[0], dict):
                yield from wrong_bodies(item, inner[0], at + "/0",
                                        here + (0,))


def with_value(body, place, value):
    body = copy.deepcopy(body)
    at = body
    for part in place[:-1]:
        at = at[part]
    at[place[-1]] = value
    return body


@test
def every_wrong_type_is_told_by_its_json_pointer():
    n = 0
    for operation_id, method, path, body in body_operations():
        operation = next(o for o in the_contract.operations
                         if o.id == operation_id)
        request = operation.body.get("requestBody")
        if not request:
            continue
        content = the_contract.resolved(request)["content"]
        schema = next(iter(content.values()))["schema"]
        for pointer, place, value in wrong_bodies(schema, body):
            problem = ask(method, path, with_value(body, place, value))
            check(pointer in pointers(problem), operation_id, place,
                  repr(value), "told as", pointers(problem))
            equal(problem["field"], problem["errors"][0]["field"])
            n += 1
    check(n > 300, "only %d" % n)


@test
def required_fields_are_missed_by_name():
    for operation_id, method, path, body in body_operations():
        if not body or operation_id in NEEDS_NO_BODY:
            continue
        problem = ask(method, path, {})
        check("required" in problem["detail"], operation_id, problem)


WRONG_VALUES = [
    ("images_create", "/target/size", -1), ("images_create", "/name", ""),
    ("images_create", "/target/size", 0), ("images_create", "/name", "pull"),
    ("images_create", "/name", "a\nb"),
    ("images_create", "/name", "a" * 4097),
    ("images_create", "/target/digest", "sha256:" + "A" * 64),
    ("images_create", "/target/digest", "../../etc/passwd"),
    ("images_create", "/labels/", "x"),
    ("images_create", "/labels/skiff.x", "x"),
    ("images_create", "/labels/k", "x" * 4096),
    ("namespaces_create", "/name", ""), ("namespaces_create", "/name", ".."),
    ("namespaces_create", "/name", "a/b"),
    ("namespaces_create", "/name", "a" * 77),
    ("namespaces_create", "/name", "\u00e4"),
    ("namespaces_create", "/name", "-a"),
    ("images_pull", "/ref", ""), ("images_pull", "/ref", "a b"),
    ("images_pull", "/ref", "http://x/y"), ("images_pull", "/ref", "../x"),
    ("images_pull", "/platform", "linux"), ("images_pull", "/name", ""),
    ("images_pull", "/snapshotter", "zfs"),
    ("snapshots_create", "/kind", "committed"),
    ("snapshots_create", "/key", ""), ("snapshots_create", "/key", "a\tb"),
    ("snapshots_create", "/key", "k" * 4097),
    ("snapshots_commit", "/name", ""),
    ("containers_create", "/id", "../x"), ("containers_create", "/id", ""),
    ("containers_create", "/id", "c" * 77),
    ("containers_create", "/env/0", "novalue"),
    ("containers_create", "/env/0", "=x"),
    ("containers_create", "/cwd", "relative"),
    ("containers_create", "/cwd", "/a/../b"),
    ("containers_create", "/cwd", "/proc/self"),
    ("containers_create", "/hostname", "a b"),
    ("containers_create", "/hostname", "h" * 65),
    ("containers_create", "/network", "bridge"),
    ("containers_create", "/stop_signal", "SIGNOPE"),
    ("containers_create", "/stop_signal", "0"),
    ("containers_create", "/snapshotter", "zfs"),
    ("containers_create", "/runtime/name", "../runc"),
    ("containers_create", "/runtime/name", "no-such-runtime"),
    ("containers_create", "/mounts/0/type", "nfs"),
    ("containers_create", "/mounts/0/target", "relative"),
    ("containers_create", "/mounts/0/target", "/"),
    ("containers_create", "/mounts/0/target", "/proc"),
    ("containers_create", "/mounts/0/target", "/a/../../b"),
    ("containers_create", "/mounts/0/options/0", "shared"),
    ("containers_create", "/mounts/0/options/0", "size=;"),
    ("containers_create", "/resources/memory", 1),
    ("containers_create", "/resources/memory", -1),
    ("containers_create", "/resources/cpus", 0),
    ("containers_create", "/resources/cpus", 1e300),
    ("containers_create", "/resources/pids", 0),
    ("containers_create", "/resources/pids", -2),
    ("containers_create", "/resources/cpu_shares", 1),
    ("containers_create", "/resources/cpuset_cpus", "a;b"),
    ("containers_create", "/capabilities/add/0", "CAP_NOPE"),
    ("tasks_create", "/container", "../x"), ("tasks_create", "/container", ""),
    ("tasks_kill", "/signal", 0), ("tasks_kill", "/signal", -9),
    ("tasks_kill", "/signal", 1 << 40), ("tasks_kill", "/signal", "NOPE"),
    ("tasks_kill", "/signal", 4294967311),  # 2^32 + 15, SIGTERM
    ("tasks_kill", "/signal", ""), ("tasks_kill", "/signal", "65"),
]


@test
def values_out_of_bounds_are_told_by_their_json_pointer():
    for operation_id, pointer, value in WRONG_VALUES:
        path, body = BODIES[operation_id]
        place = tuple(int(p) if p.isdigit() else p
                      for p in pointer[1:].split("/"))
        problem = ask(method_of(operation_id), path,
                      with_value(body, place, value))
        check(pointer in pointers(problem), operation_id, pointer,
              repr(value)[:80], problem)


@test
def a_label_of_the_daemons_own_is_refused_however_it_is_spelt():
    for n in range(50, 70):
        key = "skiff." + "x" * n + "\u00e4" * 9
        ask("PATCH", "/v1/namespaces/none", {"labels": {key: "x"}})


# --- paths ---------------------------------------------------------------

BAD_IDENTIFIERS = ["%20", "a%2Fb", "-a", "a-", "a..b", "_", "a" * 77,
                   "%C3%A4", "a%00", "%FF", "%2E%2E", "a%0Ab", "a%25b", "*",
                   "a%E2%80%8Bb", "%", "%zz", "..%2F..%2Fetc", "~", "a:b"]
GOOD = {"ns": "default", "id": "none", "name": "none", "key": "none",
        "digest": ABSENT, "snapshotter": "overlay"}
BAD = {"ns": BAD_IDENTIFIERS, "id": BAD_IDENTIFIERS,
       "digest": ["none", "sha256:", "sha256:" + "0" * 63, "sha256:" +
                  "0" * 65, "sha256:" + "G" * 64, "md5:" + "0" * 32,
                  "SHA256:" + "0" * 64, "sha256:..%2F..%2Fetc", "%00",
                  "sha256%3A" + "A" * 64],
       "name": ["%00", "%0A", "%FF", "%7F", "a" * 4097, "a//b", "a/../b"],
       "key": ["%00", "%0A", "%FF", "%7F", "a" * 4097]}


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


@test
def bad_identifiers_in_paths_are_refused():
    for operation in the_contract.operations:
        for name in operation.names("path"):
            for text in BAD.get(name, []):
                path = path_of(operation, **{name: text})
                # Of no use, but what a tail of another route makes of it.
                expect = (400, 404, 405) if "/" in text else 400
                ask(operation.method, path, body_of(operation), expect)
            if name == "snapshotter":
                for text in ("zfs", "a%2Fb", "overlayx", "%20"):
                    ask(operation.method, path_of(operation, snapshotter=text),
                        body_of(operation), (400, 404))


@test
def what_is_not_there_is_not_found_by_kind_and_id():
    for operation in the_contract.operations:
        names = operation.names("path")
        own = [n for n in names if n not in ("ns", "snapshotter")]
        if operation.id in ("content_put",) or not (
                own or names == ["ns"] and operation.id in (
                    "namespaces_get", "namespaces_patch",
                    "namespaces_delete")):
            continue
        for ns in ("default", "nowhere"):
            other = {"ns": ns} if own else {"ns": "nowhere"}
            path = path_of(operation, **other)
            problem = ask(operation.method, path, body_of(operation), 404)
            equal(problem["code"], "not_found", path)
            kind = path.split("/")[4 if own else 2].rstrip("s")
            equal((problem["object"]["kind"], problem["object"]["id"]),
                  (kind, GOOD[own[0]] if own else "nowhere"), path)
            if own:
                equal(problem["object"]["namespace"], ns)
    names = [i["name"] for i in
             the_daemon().get("/v1/namespaces").json["items"]]
    check("nowhere" not in names, names)


@test
def what_a_body_names_and_is_not_there_is_not_found():
    for path, body, kind, name in (
            (N + "/tasks", {"container": "none"}, "container", "none"),
            (N + "/containers", {"image": "none"}, "image", "none"),
            (N + "/snapshots/overlay", {"key": "k", "parent": "none"},
             "snapshot", "none")):
        problem = ask("POST", path, body, 404)
        equal((problem["object"]["kind"], problem["object"]["id"]),
              (kind, name), problem)


@test
def paths_that_are_none_say_what_there_is():
    for path in ("/v2", "/v1/nope", N + "/nope", N + "/tasks/x/nope",
                 "/V1/namespaces", "/v1.41/containers/json", "/index.html"):
        problem = ask("GET", path, expect=404)
        equal(problem["reason"], "no_such_path")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        ask(method, "/v1/version", expect=405)


@test
def long_names_in_many_bytes_are_told_whole():
    name = "\u00e4" * 1200 + "x"
    for text in (name, "y" + name):
        problem = ask("GET", N + "/images/" + quote(text), expect=404)
        equal(problem["object"]["kind"], "image")
        check(problem["object"]["id"].startswith(text[:100]), problem)


# --- queries and headers -------------------------------------------------

@test
def query_values_are_checked():
    for operation in the_contract.operations:
        for parameter in operation.parameters:
            if parameter["in"] != "query":
                continue
            key = parameter["name"]
            for text in BAD_VALUES[key]:
                path = path_of(operation)
                # A task must be there for its logs to be looked at.
                expect = (400, 404) if path.endswith("/logs") else 400
                ask(operation.method, "%s?%s=%s" % (path, key, text),
                    body_of(operation), expect)
            if operation.method == "GET":
                ask("GET", "%s?%s=1&%s=1" % (path_of(operation), key, key))
        if operation.method == "GET":
            for query in ("limitt=1", "Limit=1", "filter=x", "%00=1", "=1",
                          "a=%zz"):
                ask("GET", "%s?%s" % (path_of(operation), query))


NUMBERS = ["", "-1", "+1", "1.5", "0x1", "1e3", "x", "99999999999999999999",
           "%201", "1%20", "%D9%A1"]
BOOLEANS = ["maybe", "2", "TRUEE", "%20true"]
DURATIONS = ["", "-1", "-1s", "x", "1y", "1s1", "s", "99999999999999999h",
             "1%20s", "NaN", "inf", "1e9", "0x10", ".", "1m-1s"]
BAD_VALUES = {
    "limit": NUMBERS + ["0", "10001"],
    "cursor": ["", "x", "AAAA", "%F0%9F%98%80", "a" * 5000, "MQ", "...."],
    "after": NUMBERS, "offset": NUMBERS, "tail": NUMBERS,
    "follow": BOOLEANS, "wait": BOOLEANS, "force": BOOLEANS,
    "timestamps": BOOLEANS, "timeout": DURATIONS,
    "since": DURATIONS + ["2026-13-01T00:00:00Z", "yesterday"],
    "until": DURATIONS + ["2026-13-01T00:00:00Z", "yesterday"],
    "stream": ["", "stdin", "STDOUT", "both,"],
}


@test
def a_cursor_serves_only_the_list_it_came_from():
    s = the_daemon()
    for name in ("one", "two"):
        s.post("/v1/namespaces", {"name": name}, expect=201)
        for key in ("a", "b"):
            s.post("/v1/namespaces/%s/images" % name,
                   {"name": key, "target": TARGET}, expect=201)
    cursor = s.get("/v1/namespaces/one/images?limit=1").json["cursor"]
    rest = s.get("/v1/namespaces/one/images?cursor=" + cursor).json
    equal([i["name"] for i in rest["items"]], ["b"])
    for path in ("/v1/namespaces/two/images", "/v1/namespaces",
                 "/v1/namespaces/one/containers",
                 "/v1/namespaces/one/snapshots/overlay"):
        ask("GET", "%s?cursor=%s" % (path, cursor))
    for broken in (cursor[:-1], cursor + "A", cursor[::-1]):
        ask("GET", "/v1/namespaces/one/images?cursor=" + quote(broken))


@test
def if_match_is_one_revision():
    for operation in the_contract.operations:
        if "If-Match" not in operation.names("header"):
            continue
        for text in ("x", "1", '"x"', '"1', '""', '"-1"', 'W/"1"',
                     '"1", "2"', '"99999999999999999999"'):
            ask(operation.method, path_of(operation), body_of(operation), 400,
                headers={"If-Match": text})


@test
def last_event_id_is_a_number():
    for text in NUMBERS:
        if "%" not in text and text:
            ask("GET", "/v1/events?follow=false",
                headers={"Last-Event-ID": text})


@test
def odd_ranges_are_answered_whole_or_refused():
    s = the_daemon()
    data = b"0123456789"
    path = N + "/content/" + digest(data)
    s.put(path, data, expect=201)
    for text in ("bytes=a-b", "bytes=", "bytes=-", "lines=1-2", "bytes=1-2,5-6",
                 "bytes=99999999999999999999-", "bytes=--1", "x" * 500):
        equal(s.get(path, headers={"Range": text}).body, data, text)
    for text in ("bytes=10-", "bytes=5-4", "bytes=-0",
                 "bytes=18446744073709551615-"):
        check(s.get(path, expect=None, headers={"Range": text}).status in
              (200, 416), text)
    s.delete(path)


def digest(data):
    import hashlib
    return "sha256:" + hashlib.sha256(data).hexdigest()


# --- wrong order ---------------------------------------------------------

@test
def what_is_there_is_not_made_again():
    s = the_daemon()
    for path, body, kind in (
            ("/v1/namespaces", {"name": "twice"}, "namespace"),
            (N + "/images", {"name": "twice", "target": TARGET}, "image"),
            (N + "/snapshots/overlay", {"key": "again"}, "snapshot"),
            (N + "/containers", {"id": "twice", "image": image()},
             "container"),
            (N + "/tasks", {"container": "twice"}, "task")):
        s.post(path, body, expect=201)
        before = s.revision()
        problem = ask("POST", path, body, 409)
        equal((problem["code"], problem["object"]["kind"],
               problem["object"]["id"]),
              ("already_exists", kind, next(iter(body.values()))))
        equal(s.revision(), before, "a refused create made an event")
    s.delete(N + "/containers/twice?force=true")
    s.delete(N + "/images/twice")
    s.delete(N + "/snapshots/overlay/again")
    s.delete("/v1/namespaces/twice")


@test
def wrong_states_are_told():
    s = the_daemon()
    s.post(N + "/snapshots/overlay", {"key": "active"}, expect=201)
    s.post(N + "/snapshots/overlay/active/commit", {"name": "base"})
    s.post(N + "/snapshots/overlay", {"key": "view", "parent": "base",
                                      "kind": "view"}, expect=201)
    for method, path, body, state in (
            ("POST", "view/commit", {"name": "x"}, "view"),
            ("POST", "base/commit", {"name": "x"}, "committed"),
            ("GET", "base/mounts", None, "committed")):
        problem = ask(method, N + "/snapshots/overlay/" + path, body, 409)
        equal((problem["code"], problem.get("state")),
              ("failed_precondition", state), path)
    problem = ask("DELETE", N + "/snapshots/overlay/base", expect=409)
    equal(problem["code"], "failed_precondition")
    for key in ("view", "base"):
        s.delete(N + "/snapshots/overlay/" + key)
    s.post(N + "/containers", {"id": "state", "image": image(),
                               "args": ["sleep", "1000"]}, expect=201)
    s.post(N + "/tasks", {"container": "state"}, expect=201)
    equal(ask("DELETE", N + "/containers/state", expect=409)["state"],
          "created")
    s.post(N + "/tasks/state/start")
    for method, path in (("POST", "/tasks/state/start"),
                         ("DELETE", "/tasks/state"),
                         ("DELETE", "/containers/state")):
        equal(ask(method, N + path, expect=409)["state"], "running", path)
    s.post(N + "/tasks/state/kill", {"signal": "KILL"})
    s.wait_task("state")
    for path in ("start", "kill"):
        equal(ask("POST", N + "/tasks/state/" + path, expect=409)["state"],
              "stopped", path)
    s.delete(N + "/containers/state?force=true")


# --- users ---------------------------------------------------------------

def image():
    """busybox with the accounts that the rows below speak of."""
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


GOOD_USERS = {
    "0": (0, 0), "1000": (1000, 1000), "1000:10": (1000, 10),
    "app": (1000, 1000), "app:staff": (1000, 50), "2000": (2000, 0),
    "4294967294": (4294967294, 0), "root": (0, 0), "weird": (0, 0),
}
BAD_USERS = ["nosuch", "4294967295", "4294967296", "18446744073709551616",
             "-1", "+1", " 1", "1 ", "1:", ":1", "1:2:3", "0x0", "1e3",
             "root\n", "app\x01", "u" * 300, "app:nosuch", "app:4294967295",
             ":", "::", "\u0661", "root ", "0\t", "1000:-1", "\u00e4",
             "app:", "../root"]


@test
def users_are_who_they_say_or_nobody():
    s = the_daemon()
    name = image()
    for user, (uid, gid) in GOOD_USERS.items():
        made = s.post(N + "/containers", {
            "id": "u", "image": name, "args": ["true"], "user": user},
            expect=201).json
        given = made["spec"]["process"]["user"]
        equal((given["uid"], given["gid"]), (uid, gid), repr(user))
        s.delete(N + "/containers/u")
    before = s.revision()
    for user in BAD_USERS:
        problem = ask("POST", N + "/containers", {
            "id": "u", "image": name, "args": ["true"], "user": user})
        check("/user" in pointers(problem), repr(user), problem)
    problem = ask("POST", N + "/containers",
                  b'{"id":"u","image":"x","user":"app\\u0000"}')
    equal(s.revision(), before, "a refused user made something")
    s.get(N + "/containers/u", expect=404)


@test
def a_user_starts_as_that_user():
    s = the_daemon()
    for user, ids in (("app", "1000 1000"), ("2000", "2000 0"),
                      ("1000:10", "1000 10")):
        s.run("u", image(), ["sh", "-c", "echo $(id -u) $(id -g)"], user=user)
        s.wait_task("u")
        equal(s.get(N + "/tasks/u/logs").text.strip(), ids, user)
        s.delete(N + "/containers/u?force=true")


# --- TCP -----------------------------------------------------------------

@test
def over_tcp_nothing_but_the_public_answers():
    with Daemon("tcp", args=["--listen", "tcp:127.0.0.1:0"]) as s:
        found = until(lambda: re.search(r"tcp:127\.0\.0\.1:(\d+)",
                                        s.log_tail(1000)), "port")
        port = int(found.group(1))
        for operation in the_contract.operations:
            connection = http.client.HTTPConnection("127.0.0.1", port,
                                                    timeout=DEADLINE)
            body = body_of(operation)
            if isinstance(body, dict):
                body = json.dumps(body)
            connection.request(operation.method, path_of(operation), body,
                               {"Content-Type": "application/json",
                                "Skiff-Request-Id": "tcp"})
            answer = connection.getresponse()
            text = answer.read()
            public = "public" in operation.body.get("tags", [])
            equal(answer.status, 200 if public else 401, operation.id)
            equal(answer.headers["Skiff-Request-Id"], "tcp")
            if not public:
                equal(json.loads(text)["code"], "unauthenticated")
                equal(answer.headers["WWW-Authenticate"], "Bearer")
            connection.close()


@test
def the_daemon_is_as_well_as_before():
    s = the_daemon()
    s.get("/readyz")
    equal([c["id"] for c in s.get(N + "/containers").json["items"]], [])
    equal(s.get(N + "/tasks").json["items"], [])
    with open(s.log) as log:
        bad = [line for line in log if " error " in line]
    equal(bad, [])


main()

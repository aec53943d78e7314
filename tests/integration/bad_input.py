#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever body is sent, the answer is a problem that says what is wrong.

The fields are taken from openapi.yaml, so a new one is tried with every
wrong type as soon as it is described.
"""
import copy

from lib_refusals import *

needs("root")


@test
def every_operation_with_a_json_body_is_in_the_table():
    wanted = {o.id for o in the_contract.operations
              if o.method in ("POST", "PUT", "PATCH")}
    equal(sorted(wanted - {"content_put", "tasks_stdin", "execs_stdin"}), sorted(BODIES))


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
    ("containers_create", "/id", "--root=/x"),
    ("containers_create", "/id", "-f"), ("containers_create", "/id", "."),
    ("containers_create", "/id", "a/b"), ("containers_create", "/id", "a b"),
    ("containers_create", "/id", "c" * 77),
    ("containers_create", "/env/0", "novalue"),
    ("containers_create", "/env/0", "=x"),
    ("containers_create", "/cwd", "relative"),
    ("containers_create", "/cwd", "/a/../b"),
    ("containers_create", "/cwd", "/proc/self"),
    ("containers_create", "/hostname", "a b"),
    ("containers_create", "/hostname", "h" * 65),
    ("containers_create", "/network", "bridge"),
    ("containers_create", "/platform", "amd64"),
    ("containers_create", "/platform", ""),
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
    ("tasks_create", "/options/args/0", "debug"),
    ("tasks_create", "/options/args/0", "--root=/x"),
    ("tasks_create", "/options/args", ["--debug"] * 33),
    ("tasks_create", "/options/runtime", "runc"),
    ("tasks_create", "/stdio/mode", "journald"),
    ("tasks_create", "/stdio/stdout", "relative"),
    ("tasks_create", "/stdio/stdout", "/" + "x" * 5000),
    ("tasks_create", "/stdio/stdin", 3),
    ("tasks_create", "/stdio/log/max_size", 4095),
    ("tasks_create", "/stdio/log/max_files", 0),
    ("tasks_resize", "/width", 0), ("tasks_resize", "/height", 65536),
    ("tasks_resize", "/width", -1), ("tasks_resize", "/height", 1 << 40),
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


@test
def the_daemon_is_as_well_as_before():
    daemon_is_well()


main()

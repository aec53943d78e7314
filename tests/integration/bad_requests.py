#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bad paths, queries and headers, and good requests in the wrong order:
each is refused with the reason, and changes nothing."""
import hashlib
import re

from lib_refusals import *

needs("root", "runc", "skopeo", "docker-registry")

BAD_IDENTIFIERS = ["%20", "a%2Fb", "-a", "a-", "a..b", "_", "a" * 77,
                   "%C3%A4", "a%00", "%FF", "%2E%2E", "a%0Ab", "a%25b", "*",
                   "a%E2%80%8Bb", "%", "%zz", "..%2F..%2Fetc", "~", "a:b"]
BAD = {"ns": BAD_IDENTIFIERS, "id": BAD_IDENTIFIERS,
       "digest": ["none", "sha256:", "sha256:" + "0" * 63, "sha256:" +
                  "0" * 65, "sha256:" + "G" * 64, "md5:" + "0" * 32,
                  "SHA256:" + "0" * 64, "sha256:..%2F..%2Fetc", "%00",
                  "sha256%3A" + "A" * 64],
       "name": ["%00", "%0A", "%FF", "%7F", "a" * 4097, "a//b", "a/../b"],
       "key": ["%00", "%0A", "%FF", "%7F", "a" * 4097]}


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
        if operation.id in ("content_put", "plugins_get") or not (
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
            # Of an exec, its task or itself is what is missing.
            if "/execs/" in path and problem["object"]["kind"] == "exec":
                kind = "exec"
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
                # A task must be there for its logs to be looked at, or its
                # execs.
                expect = ((400, 404) if path.endswith("/logs") or
                          "/execs" in path else 400)
                ask(operation.method, "%s?%s=%s" % (path, key, text),
                    body_of(operation), expect)
            # That may stand several times.
            if operation.method == "GET" and key != "filter":
                ask("GET", "%s?%s=1&%s=1" % (path_of(operation), key, key))
        if operation.method == "GET":
            for query in ("limitt=1", "Limit=1", "filterr=x", "%00=1", "=1",
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
    "interval": DURATIONS + ["0.5", "2h"], "filter": ["x", "color==a"],
    "timestamps": BOOLEANS, "timeout": DURATIONS, "dry_run": BOOLEANS,
    "start": BOOLEANS, "status": ["", "OK", "broken"], "type": [],
    "mask": ["", ",", "image", "runtime.name", "color", "labels.", "spec.x"],
    "since": DURATIONS + ["2026-13-01T00:00:00Z", "yesterday"],
    "until": DURATIONS + ["2026-13-01T00:00:00Z", "yesterday"],
    "stream": ["", "stdin", "STDOUT", "both,"],
    "remove": BOOLEANS, "max_output": NUMBERS + ["8388609"],
    "stdin": BOOLEANS, "eof": BOOLEANS,
    "detach_keys": ["ctrl-", "ctrl-p,", ",", "alt-x", "%00"],
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
    return "sha256:" + hashlib.sha256(data).hexdigest()


# --- wrong order ---------------------------------------------------------

@test
def what_is_there_is_not_made_again():
    s = the_daemon()
    for path, body, kind in (
            ("/v1/namespaces", {"name": "twice"}, "namespace"),
            (N + "/images", {"name": "twice", "target": TARGET}, "image"),
            (N + "/snapshots/overlay", {"key": "again"}, "snapshot"),
            (N + "/containers", {"id": "twice", "image": pulled_image()},
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
    s.post(N + "/containers", {"id": "state", "image": pulled_image(),
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
    daemon_is_well()


main()

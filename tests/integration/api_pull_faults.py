#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a client hears when a pull cannot be done; nothing is left of it,
and the same request succeeds as soon as the reason is gone."""
import glob
import re
import signal

from skifftest import *

needs("root", "skopeo", "docker-registry", "htpasswd")

N = "/v1/namespaces/default"
PULL = N + "/images/pull?wait=true"

_registry = None


def registry():
    """One of this file's own: it is stopped, and its storage broken."""
    global _registry
    if _registry is None:
        _registry = Registry(scratch("own")).start()
    return _registry


def layer_file(r, ref):
    """The registry's file of the image's largest blob."""
    digests = re.findall(r"sha256:([0-9a-f]{64})", subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false",
         "docker://" + ref], capture_output=True, text=True,
        check=True).stdout)
    files = [glob.glob(os.path.join(r.dir, "storage/docker/registry/v2/blobs"
                                    "/sha256/*", d, "data"))[0]
             for d in digests]
    return max(files, key=os.path.getsize)


def nothing_came(s, ref):
    s.get(N + "/images/" + quote(ref), expect=404)
    equal(s.get(N + "/snapshots/default").json["items"], [])
    equal(os.listdir(os.path.join(s.root, "content/ingests")), [])
    equal(os.listdir(os.path.join(s.root, "snapshots/overlay")), [])


def refused(s, ref, status, code):
    problem = s.post(PULL, {"ref": ref}, expect=status, timeout=120).json
    equal(problem["code"], code)
    nothing_came(s, ref)
    return problem


@test
def a_registry_that_is_down_is_unavailable_until_it_is_up():
    with Daemon("down") as s:
        ref = registry().push(busybox(), "t/down:1")
        registry().stop()
        refused(s, ref, 503, "unavailable")
        registry().start()
        s.pull(ref)


@test
def who_waits_for_a_pull_is_told_its_operation_too():
    with Daemon("told") as s:
        ref = registry().push(busybox(), "t/told:1")
        for wanted, status, state in (
                (ref, 200, "succeeded"),
                (registry().host + "/t/none:1", 404, "failed")):
            answer = s.post(PULL, {"ref": wanted}, expect=status)
            operation = s.get(answer.headers["Location"]).json
            equal((operation["ref"], operation["state"]), (wanted, state))
            if status == 200:
                equal(operation["id"], answer.json["id"])


@test
def a_pull_that_daemons_die_of_is_given_up():
    ref = registry().push(busybox(), "t/deadly:1")
    deadly = {"SKIFF_FAILPOINTS": "layer.commit=crash"}
    with Daemon("deadly", env=deadly) as s:
        operation = s.post(N + "/images/pull", {"ref": ref},
                           expect=202).json["id"]
        equal(s.wait_end(), -signal.SIGKILL)
        for _ in range(4):
            s.start(wait=False)
            equal(s.wait_end(), -signal.SIGKILL)
        s.env = {}
        s.start()
        found = s.get(N + "/operations/" + operation).json
        equal((found["state"], found["interruptions"],
               found["error"]["reason"]), ("failed", 5, "interrupted"))
        s.pull(ref)  # who asks again is served


@test
def a_daemon_that_is_stopped_in_good_order_is_no_interruption():
    ref = registry().push(busybox(), "t/slow:1")
    with Daemon("slow", env={"SKIFF_FAILPOINTS":
                             "layer.commit=delay(2000)"}) as s:
        operation = s.post(N + "/images/pull", {"ref": ref},
                           expect=202).json["id"]

        def look():
            return s.get(N + "/operations/" + operation).json
        until(lambda: look()["state"] == "running")
        s.stop()
        s.env = {}
        s.start()
        until(lambda: look()["state"] == "succeeded")
        check("interruptions" not in look(), look())


@test
def an_image_that_is_not_there_is_not_found():
    with Daemon("absent") as s:
        refused(s, registry().host + "/t/absent:1", 404, "not_found")


@test
def a_registry_that_wants_credentials_says_so_and_takes_them():
    with Daemon("auth") as s, Registry(scratch("auth-registry"), "bob",
                                       "secret") as r:
        ref = r.push(busybox(), "t/private:1")
        refused(s, ref, 401, "unauthenticated")
        problem = s.post(PULL, {"ref": ref, "auth": {
            "username": "bob", "password": "wrong"}}, expect=None).json
        check("secret" not in json.dumps(problem), problem)
        s.pull(ref, auth={"username": "bob", "password": "secret"})
        check(b"secret" not in open(s.log, "rb").read(), "password in log")


def pulled_once_mended(name, damage):
    """A pull of a blob whose file damage(f, size) breaks, then mends."""
    with Daemon(name) as s:
        ref = registry().push(busybox(), "t/%s:1" % name)
        path = layer_file(registry(), ref)
        with open(path, "r+b") as f:
            whole = f.read()
            damage(f, len(whole))
        try:
            answer = s.post(PULL, {"ref": ref}, expect=None, timeout=120)
        finally:
            with open(path, "wb") as f:
                f.write(whole)
        check(answer.status >= 500, answer)
        nothing_came(s, ref)
        s.pull(ref)
        return answer.json


@test
def a_blob_with_wrong_bytes_is_not_kept():
    def damage(f, size):
        f.seek(size // 2)
        f.write(b"another thing")

    problem = pulled_once_mended("wrong", damage)
    equal((problem["code"], problem["reason"]),
          ("data_loss", "digest_mismatch"))


@test
def a_blob_that_was_cut_off_is_not_kept():
    problem = pulled_once_mended("short", lambda f, size:
                                 f.truncate(size // 2))
    check(problem["code"] in ("data_loss", "registry_error", "unavailable"),
          problem)


main()

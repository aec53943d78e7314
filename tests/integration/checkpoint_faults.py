#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints and restores that go wrong: at each failpoint an error, and
the death of the daemon or of the shim; no room; a cancellation; the others
that have to wait meanwhile. Afterwards nothing is left, and what ran runs."""
import os
os.environ.pop("SKIFF_RECORD", None)  # answers of dying daemons

import threading

from skifftest import *
from lib_checkpoint import *

needs("root", "runc", "skopeo", "docker-registry", "apt-get")


def points(scenario, program=None):
    """Those of a scenario; of the shim, or of the daemon alone."""
    text = subprocess.run([os.path.join(BUILD, "skiffd"),
                           "--list-failpoints"], capture_output=True,
                          text=True, check=True).stdout
    rows = [line.split("\t") for line in text.splitlines()]
    return [name for name, where in rows if where == scenario and
            (program is None or
             name.startswith("shim.") == (program == "shim"))]


def left(s):
    """What a failed checkpoint could have left."""
    blobs = [b["digest"] for b in s.get(N + "/content").json["items"]]
    images = [i["name"] for i in s.get(N + "/images").json["items"]]
    files = []
    for top, _, names in os.walk(s.root + "/content"):
        files += [os.path.join(top, name) for name in names]
    snapshots = sorted(os.listdir(s.root + "/snapshots/overlay") +
                       os.listdir(s.root + "/snapshots/trash"))
    return sorted(blobs), sorted(images), sorted(files), snapshots


def goes_on(s, container):
    """It counts, is said to run, and can be paused and resumed."""
    counts_on(s, container, count(s, container) + 1)
    equal(s.get(N + "/tasks/" + container).json["state"], "running")
    path = "%s/tasks/default/%s/checkpoint" % (s.root, container)
    check(not os.path.exists(path), path, "is left")


def fails_at(s, point, action, path, body):
    """The request meets the fault, and the next daemon is there."""
    restarted(s, {"SKIFF_FAILPOINTS": "%s=%s" % (point, action)})
    try:
        status = s.post(path, body, expect=None).status
        check(status >= 500, point, action, status)
    except (OSError, http.client.HTTPException):
        equal(action, "crash")
        s.wait_end()
    restarted(s)


def try_checkpoint(s, container, **body):
    """The answer's status, or None from a daemon that died."""
    try:
        return s.post("%s/tasks/%s/checkpoint?wait=true" % (N, container),
                      body, expect=None).status
    except (OSError, http.client.HTTPException):
        s.wait_end()
        return None


def restarted(s, env=None):
    """The same daemon without faults, or with new ones."""
    if s.process and s.process.poll() is None:
        s.stop()
    s.process = None
    return s.start(env)


@test
def an_error_at_any_point_of_a_checkpoint_leaves_a_task_that_runs():
    s = daemon()
    counting(s, "error")
    before = left(s)
    for point in points("checkpoint", "daemon"):
        restarted(s, {"SKIFF_FAILPOINTS": point + "=1*error(EIO)"})
        status = try_checkpoint(s, "error", name="cp/error:1")
        check(status and status >= 500, point, status)
        goes_on(s, "error")
        if point in ("checkpoint.recorded", "checkpoint.end"):
            # It was recorded: only then the task would have been killed.
            s.get(N + "/images/" + quote("cp/error:1"))
            forget(s, "cp/error:1")
        equal(left(s), before, point)
    restarted(s)
    equal(try_checkpoint(s, "error", name="cp/error:1"), 200)
    remove(s, "error")


@test
def the_daemon_s_death_at_any_point_leaves_a_task_that_runs():
    s = daemon()
    counting(s, "crash")
    before = left(s)
    for point in points("checkpoint", "daemon"):
        restarted(s, {"SKIFF_FAILPOINTS": point + "=crash"})
        equal(try_checkpoint(s, "crash", name="cp/crash:1", exit=True), None,
              point)
        # Before there is another daemon: the shim lets it go on.
        n = log_size(s, "crash")
        until(lambda: log_size(s, "crash") > n, "output after " + point)
        restarted(s)
        goes_on(s, "crash")
        operation = [o for o in s.get(N + "/operations").json["items"]
                     if o["kind"] == "checkpoint"][-1]
        equal((operation["state"], operation["error"]["reason"]),
              ("failed", "interrupted"), point)
        if point in ("checkpoint.recorded", "checkpoint.end"):
            s.get(N + "/images/" + quote("cp/crash:1"))
            forget(s, "cp/crash:1")
        equal(left(s), before, point)
    remove(s, "crash")


@test
def the_shim_s_death_at_any_point_is_the_task_s_and_leaves_nothing():
    s = daemon()
    image(s)
    before = left(s)
    for number, point in enumerate(points("checkpoint", "shim")):
        restarted(s, {"SKIFF_FAILPOINTS": point + "=crash"})
        container = "shim%d" % number
        counting(s, container)
        status = try_checkpoint(s, container, name="cp/shim:1", exit=True)
        check(status and status >= 500, point, status)
        task = until(lambda: ended(s, container), "end after " + point)
        equal((task["exit_status"], task.get("reason")), (137, "shim_lost"))
        remove(s, container)
        forget(s, "cp/shim:1")
        restarted(s)
        equal(left(s), before, point)


@test
def a_restore_that_fails_anywhere_changes_nothing():
    s = daemon()
    counting(s, "back")
    put_aside(s, "back")
    before = left(s)
    tasks = s.root + "/tasks/default"
    for action in "error(EIO)", "crash":
        for point in points("restore") + ["shim.create.after",
                                          "shim.ready", "task.row.before"]:
            fails_at(s, point, action, N + "/tasks", {
                "container": "back", "checkpoint": "cp/back:1"})
            s.get(N + "/tasks/back", expect=404)
            check(not os.path.exists(tasks + "/back"), point, action)
            equal(left(s), before, point, action)
    restore(s, "back", "cp/back:1")
    goes_on(s, "back")
    remove(s, "back")


@test
def a_container_that_would_be_restored_is_all_there_or_not():
    s = daemon()
    counting(s, "twin")
    put_aside(s, "twin")
    remove(s, "twin")
    before = left(s)
    path = N + "/containers?start=true"
    for action in "error(EIO)", "crash":
        for point in ("container.committed", "restore.layer",
                      "restore.unpacked", "shim.ready", "task.row.before"):
            fails_at(s, point, action, path, {"checkpoint": "cp/twin:1"})
            s.get(N + "/containers/twin", expect=404)
            s.get(N + "/tasks/twin", expect=404)
            equal(left(s), before, point, action)
    s.post(path, {"checkpoint": "cp/twin:1"}, expect=201)
    goes_on(s, "twin")
    remove(s, "twin")


@test
def no_room_is_told_and_leaves_nothing():
    s = daemon()
    counting(s, "full")
    before = left(s)
    for point in "blob.write", "blob.fsync", "blob.rename", "blob.commit":
        for n in (2,) if point == "blob.write" else (1,):
            restarted(s, {"SKIFF_FAILPOINTS":
                          "%s=%d*error(ENOSPC)" % (point, n)})
            equal(try_checkpoint(s, "full", name="cp/full:1", exit=True), 507)
            goes_on(s, "full")
            equal(left(s), before, point, n)
    restarted(s)
    remove(s, "full")


class Held:
    """A daemon whose criu waits, once it dumps, until it may go on."""

    def __init__(self, name):
        bin_dir = scratch(name + "-bin")
        os.mkdir(bin_dir)
        self.gate = os.path.join(bin_dir, "gate")
        self.waits = os.path.join(bin_dir, "waits")
        wrapper = os.path.join(bin_dir, "criu")
        open(self.gate, "w").close()
        with open(wrapper, "w") as f:
            f.write("#!/bin/sh\nif [ \"$1\" = swrk ]; then : >%s\n"
                    "while [ -e %s ]; do sleep 0.05; done; fi\n"
                    "exec %s \"$@\"\n" % (self.waits, self.gate, criu()))
        os.chmod(wrapper, 0o755)
        self.s = Daemon(name, args=["--criu", wrapper])

    def __enter__(self):
        self.s.__enter__()
        return self

    def __exit__(self, *about):
        self.open()
        self.s.__exit__(*about)

    def begin(self, container):
        """The path of an operation that has come as far as the dump."""
        # runc asks criu for its version first, in the same way.
        operation = self.s.post(
            "%s/tasks/%s/checkpoint" % (N, container),
            {"name": "cp/held:1"}, expect=202).json
        until(lambda: os.path.exists(self.waits), "criu")
        return "%s/operations/%s" % (N, operation["id"])

    def open(self):
        if os.path.exists(self.gate):
            os.unlink(self.gate)

    def end(self, path):
        self.open()
        return until(lambda: self.s.get(path).json["state"] not in (
            "pending", "running") and self.s.get(path).json, "end")


@test
def meanwhile_others_are_refused_and_it_can_be_cancelled():
    with Held("held") as held:
        s = held.s
        counting(s, "busy")
        before = left(s)
        path = held.begin("busy")
        for verb, body in (("checkpoint", {}), ("pause", {}),
                           ("execs?wait=true", {"args": ["true"]})):
            problem = s.post("%s/tasks/busy/%s" % (N, verb), body,
                             expect=409).json
            equal(problem["reason"], "checkpoint_running", verb)
        # criu is not disturbed: it ends when criu has let go.
        s.delete(path)
        equal(held.end(path)["state"], "cancelled")
        goes_on(s, "busy")
        equal(left(s), before)
        remove(s, "busy")


@test
def a_task_that_is_deleted_meanwhile_is_gone():
    with Held("gone") as held:
        s = held.s
        counting(s, "gone")
        before = left(s)
        path = held.begin("gone")
        s.delete(N + "/tasks/gone?force=true", expect=200)
        equal(held.end(path)["state"], "failed")
        until(lambda: not os.path.exists(s.root + "/tasks/default/gone"),
              "directory gone")
        equal(left(s), before)
        remove(s, "gone")


main()

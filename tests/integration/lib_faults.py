# SPDX-License-Identifier: Apache-2.0
"""The whole life of a container, driven through faults.

Life is a list of steps, from the pull to the deletion of the namespace.
Each of them can be repeated after whatever became of the attempt before,
as a careful client would do; when the last one is through nothing may be
left. consistent() says what must be true at every moment in between.
"""
import hashlib
import http.client
import os
import re
import shutil
import sqlite3
import tempfile

from skifftest import (DEADLINE, Failed, Layout, check, differences, equal,
                       quote, until)
from lib_images import BUSYBOX, Tar

RECORD_CONTENT = 3
ATTEMPTS = 8
EXIT_STATUS = 7


def tiny_image():
    """Two layers, of which one takes something away from the other."""
    with open(BUSYBOX, "rb") as f:
        program = f.read()
    first = Tar({"bin": None, "tmp": None, "etc": None, "etc/gone": b"1"})
    first.put("bin/busybox", program, 0o755)
    first.put("bin/sh", "busybox")
    second = Tar({"etc": None, "etc/.wh.gone": b"", "etc/here": b"2"})
    layout = Layout("tiny")
    return str(layout.tag(layout.image([first.bytes(), second.bytes()])))


# --- what must be true at every moment ---------------------------------

def _copy(root, where):
    for suffix in ("", "-wal"):
        path = os.path.join(root, "skiff.db" + suffix)
        if os.path.exists(path):
            shutil.copy(path, os.path.join(where, "db" + suffix))
    return sqlite3.connect(os.path.join(where, "db"))


def consistent(root, deep=True):
    """The database is sound, and every row has the file it speaks of."""
    with tempfile.TemporaryDirectory(prefix="skt.db.") as where:
        db = _copy(root, where)
        try:
            equal(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            _blobs_are_there(db, root, deep)
            _directories_are_there(db, root)
            ids = [r[0] for r in db.execute(
                "SELECT id FROM event ORDER BY id")]
            equal(ids, list(range(1, len(ids) + 1)), "ids of the events")
        finally:
            db.close()


def _blobs_are_there(db, root, deep):
    for digest, size in db.execute(
            "SELECT DISTINCT key, json_extract(doc, '$.size') FROM record "
            "WHERE kind = ?", (RECORD_CONTENT,)):
        path = os.path.join(root, "content", "blobs",
                            *digest.split(":"))
        check(os.path.exists(path), "no file of content", digest)
        equal(os.path.getsize(path), size, "size of", digest)
        if deep:
            with open(path, "rb") as f:
                equal("sha256:" + hashlib.sha256(f.read()).hexdigest(),
                      digest, "bytes of", digest)


def _directories_are_there(db, root):
    for key, number in db.execute("SELECT key, dir FROM snapshot"):
        path = os.path.join(root, "snapshots", "overlay", str(number))
        for name in ("fs", "work"):
            check(os.path.isdir(os.path.join(path, name)), "snapshot", key,
                  "has no directory", path, name)
    lost = db.execute(
        "SELECT s.key FROM snapshot s LEFT JOIN snapshot p ON p.ns = s.ns "
        "AND p.key = s.parent WHERE s.parent IS NOT NULL AND p.key IS NULL")
    equal(lost.fetchall(), [], "snapshots without their parent")


def lives_in_order(events):
    """Every task: created, perhaps started, one exit, deleted; in between
    it is paused and resumed in turn."""
    lives = {}
    execs = {}
    for event in events:
        if event["topic"].startswith("/tasks/"):
            body = event["event"]
            verb = event["topic"][len("/tasks/"):]
            name = (event["namespace"], body["container_id"])
            own = body.get("exec_id", body.get("id", name[1]))
            if own == name[1]:
                lives.setdefault(name, []).append(verb)
            else:
                execs.setdefault(name + (own,), []).append(verb)
    for name, verbs in execs.items():
        check(re.fullmatch(r"(exec-added (exec-started exit )?"
                           r"exec-deleted ?)*", " ".join(verbs)), name, verbs)
    for name, verbs in lives.items():
        # A stop is an update; one that is tried again is another.
        check(re.fullmatch(r"(create (start )?((paused |resumed |update )*)"
                           r"exit (update )*delete ?)*",
                           " ".join(verbs)), name, verbs)
        freezes = [v for v in verbs if v in ("paused", "resumed", "exit")]
        check(all(a != b for a, b in zip(freezes, freezes[1:])), name,
              verbs)
    return lives


# --- the life ----------------------------------------------------------

class Refused(Exception):
    """The step was answered with an error: it may be tried again."""

    def __init__(self, response):
        super().__init__(repr(response))
        self.status = response.status
        self.problem = response.json


class Lost(Refused):
    """It was done, but not to its end: the shim died."""

    def __init__(self, response):
        super().__init__(response)
        self.status = 500


class Life:
    """One container in a namespace of its own."""

    def __init__(self, s, ref, namespace):
        self.s = s
        self.ref = ref
        self.base = "/v1/namespaces/" + namespace
        self.namespace = namespace
        self.image = self.base + "/images/" + quote(ref)
        self.container = self.base + "/containers/c"
        self.task = self.base + "/tasks/c"
        self.again = False  # the step was tried before
        self.steps = [self.pull, self.create, self.create_task, self.exec,
                      self.start, self.pause, self.update, self.resume,
                      self.stop, self.exit, self.delete_task,
                      self.delete_container,
                      self.delete_image, self.delete_namespace]

    def ask(self, method, path, body=None, good=(200, 201, 204), repeat=()):
        """repeat: good as well when the step was tried before."""
        answer = self.s.api(method, path, body, timeout=60)
        if answer.status not in good and not (
                self.again and answer.status in repeat):
            raise Refused(answer)
        return answer

    def pull(self):
        # One that a dead daemon left goes on by itself.
        self.settle_operations()
        done = self.ask("POST", self.base + "/images/pull?wait=true",
                        {"ref": self.ref}).json
        if done.get("state") != "succeeded" and "error" in done:
            raise Failed(done)
        self.ask("GET", self.image)

    def settle_operations(self):
        def none_runs():
            items = self.ask("GET", self.base + "/operations").json["items"]
            return all(o["state"] not in ("pending", "running")
                       for o in items)
        until(none_runs, "end of the operations")

    def create(self):
        self.ask("POST", self.base + "/containers",
                 {"id": "c", "image": self.ref,
                  "args": ["sh", "-c", "trap 'exit %d' TERM; echo out; "
                           "while :; do sleep 1000 & wait; done"
                           % EXIT_STATUS]},
                 repeat=(409,))
        self.ask("GET", self.container)

    def create_task(self):
        self.ask("POST", self.base + "/tasks", {"container": "c"},
                 repeat=(409,))
        self.ask("GET", self.task)

    def renew_task(self):
        """Its shim is dead, it can never start: a new one."""
        task = self.s.get(self.task, expect=None)
        if task.status == 200 and task.json["state"] == "stopped":
            self.ask("DELETE", self.task)
        if task.status == 404 or task.json["state"] == "stopped":
            self.create_task()

    def exec(self):
        """In two calls, and in one."""
        if self.again:
            self.renew_task()
        self.ask("POST", self.task + "/execs",
                 {"id": "e", "args": ["sh", "-c", "exit 3"]}, repeat=(409,))
        self.ask("POST", self.task + "/execs/e/start", repeat=(409,))
        self.ends(self.ask("GET", self.task + "/execs/e/wait?timeout=20"), 3)
        self.ends(self.ask("POST", self.task + "/execs?wait=true",
                           {"args": ["sh", "-c", "exit 4"]}), 4)
        self.ask("DELETE", self.task + "/execs/e")

    def ends(self, answer, status):
        if answer.json.get("reason"):
            raise Lost(answer)
        equal(answer.json["exit_status"], status, "exit status")

    def start(self):
        if self.again:
            task = self.s.get(self.task, expect=None)
            if task.status == 200 and task.json.get("started_at"):
                return
            self.renew_task()
        self.ask("POST", self.task + "/start")

    def state(self):
        return self.ask("GET", self.task).json["state"]

    def pause(self):
        """It may be lost meanwhile, and its trap must be set before."""
        if self.again and self.state() in ("paused", "stopped"):
            return
        until(lambda: "out" in self.ask("GET", self.task + "/logs").text or
              self.state() == "stopped", "output")
        if self.state() != "stopped":
            self.ask("POST", self.task + "/pause", repeat=(409,))

    def update(self):
        if self.state() != "stopped":
            self.ask("PATCH", self.task, {"resources": {"pids": 100}},
                     repeat=(409,))

    def resume(self):
        if self.state() in ("paused", "pausing"):
            self.ask("POST", self.task + "/resume")

    def stop(self):
        self.ask("POST", self.task + "/stop")

    def exit(self):
        task = self.ask("GET", self.task + "/wait?timeout=20").json
        expected = (137 if self.task_was_lost() else EXIT_STATUS)
        equal(task["exit_status"], expected, "exit status")

    def task_was_lost(self):
        task = self.ask("GET", self.task).json
        return task.get("reason") == "shim_lost"

    def delete_task(self):
        self.ask("DELETE", self.task, repeat=(404,))
        self.s.get(self.task, expect=404)

    def delete_container(self):
        self.ask("DELETE", self.container, repeat=(404,))

    def delete_image(self):
        self.ask("DELETE", self.image, repeat=(404,))

    def delete_namespace(self):
        self.settle_operations()
        self.ask("DELETE", self.base, repeat=(404,))

    # driving

    def picture(self):
        """Cgroups of other daemons, which come and go, are not in it."""
        found = self.s.picture()
        found["cgroups"] = [c for c in found["cgroups"]
                            if self.namespace in c.split("/")]
        return found

    def run(self, on_failure, at_step=lambda name: None):
        """All steps; on_failure(step, error) mends what is broken."""
        for step in self.steps:
            self.again = False
            at_step(step.__name__)
            for attempt in range(ATTEMPTS):
                try:
                    step()
                    break
                except (OSError, http.client.HTTPException, Refused) as error:
                    if attempt + 1 == ATTEMPTS:
                        raise
                    on_failure(step.__name__, error)
                    self.again = True


def has_died(process, timeout=0.0):
    """Whether the process has ended, waiting for that a little."""
    try:
        process.wait(timeout)
        return True
    except Exception:
        return False


def start_clean(s):
    """Starts a daemon without faults, for DEADLINE at most."""
    s.process = None
    s.start(env={"SKIFF_FAILPOINTS": None, "SKIFF_FAILPOINTS_TRACE": None})
    until(s.is_ready, "/readyz", timeout=DEADLINE)


def mend(s, error):
    """After a failed step: a dead daemon is started again; a connection
    that only a dead one would have cut is an error."""
    if has_died(s.process, 0 if error is None or isinstance(error, Refused)
                else 5):
        start_clean(s)
    elif error is not None and not isinstance(error, Refused):
        raise error
    consistent(s.root)


def nothing_left(before, life):
    left = differences(before, life.picture())
    check(not left, "left behind:", *left)

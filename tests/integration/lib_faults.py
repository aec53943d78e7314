# SPDX-License-Identifier: Apache-2.0
"""The whole life of a container, driven through faults.

Life is a list of steps, from the pull to the deletion of the namespace;
Restarts is another, of a task that has several runs.
Each of them can be repeated after whatever became of the attempt before,
as a careful client would do; when the last one is through nothing may be
left. consistent() says what must be true at every moment in between.
"""
import hashlib
import http.client
import os
import re
import shutil
import signal
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
    """Every task: created, perhaps started, one exit, perhaps more runs of
    it with one exit each, deleted; in a run it is paused and resumed in
    turn."""
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
        run = r"(paused |resumed |update )*exit (update |restart-failed )*"
        check(re.fullmatch(r"(create (start )?%s(restart start %s)*"
                           r"delete ?)*" % (run, run),
                           " ".join(verbs)), name, verbs)
        freezes = [v for v in verbs
                   if v in ("paused", "resumed", "exit", "restart")]
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
                      self.kill_exec, self.start, self.pause, self.update,
                      self.resume, self.stop, self.exit, self.delete_task,
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

    def kill_exec(self):
        """One is killed, one is deleted while it runs."""
        if self.again:
            self.renew_task()
        for name in ("k", "d"):
            self.ask("POST", self.task + "/execs?start=true",
                     {"id": name, "args": ["busybox", "sleep", "1000"]},
                     repeat=(409,))
        self.ask("POST", self.task + "/execs/k/kill", {"signal": "KILL"},
                 repeat=(409,))
        self.ends(self.ask("GET", self.task + "/execs/k/wait?timeout=20"),
                  137)
        self.ask("DELETE", self.task + "/execs/k", repeat=(404,))
        self.ask("DELETE", self.task + "/execs/d?force=true", repeat=(404,))

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


# What a run of Restarts writes after its first byte, "=", and before it
# says that it is up: more than one file of its log holds.
OF_A_RUN = "\n" + "".join("%d\n" % n for n in range(1000, 2300))


class Restarts(Life):
    """One that comes back: by its policy, and because it is asked to."""

    def __init__(self, s, ref, namespace):
        super().__init__(s, ref, namespace)
        self.source = os.path.join(s.dir, "mounted")
        os.makedirs(self.source, exist_ok=True)
        self.count = -1  # of restarts when the step was tried first
        self.trouble = None
        self.steps = [self.pull, self.create, self.create_task, self.start,
                      self.come_back, self.fail, self.restart, self.stop,
                      self.exit, self.restart, self.stop, self.exit,
                      self.delete_task, self.delete_container,
                      self.delete_image, self.delete_namespace]

    def create(self):
        """When it is up it tells the start time of its init, by which it
        is known: a log of two runs does not say which was the last."""
        self.ask("POST", self.base + "/containers",
                 {"id": "c", "image": self.ref,
                  "restart_policy": "unless-stopped",
                  "mounts": [{"type": "bind", "source": self.source,
                              "target": "/mnt"}],
                  "args": ["sh", "-c", "trap 'exit %d' TERM; echo =; "
                           "seq 1000 2299; "
                           "echo up $(cut -d' ' -f22 /proc/1/stat); "
                           "while :; do sleep 1000 & wait; done"
                           % EXIT_STATUS]},
                 repeat=(409,))

    def create_task(self):
        self.ask("POST", self.base + "/tasks",
                 {"container": "c",
                  "stdio": {"log": {"max_size": 4096, "max_files": 100}}},
                 repeat=(409,))

    def start(self):
        super().start()
        self.await_run()

    def runs(self):
        """What each has written: its beginning, however it ended."""
        answer = self.ask("GET", self.task + "/output")
        equal(answer.headers["Skiff-Offset"], "0", "beginning of the log")
        head, *runs = answer.text.split("=")
        equal(head, "", "before the first run")
        for run in runs:
            check(run.startswith(OF_A_RUN) or OF_A_RUN.startswith(run),
                  "torn log:", repr(run))
        return runs

    def await_run(self):
        """Another than at first, that has said all it had to say."""
        def is_up():
            answer = self.ask("GET", self.task)
            task = answer.json
            if self.is_new_trouble(task):
                raise Lost(answer)
            return (task["state"] == "running" and
                    task["restart_count"] > self.count and
                    self.runs()[-1:] == ["%sup %s\n" % (
                        OF_A_RUN, start_time(task["pid"]))])
        until(is_up, "another run")

    def is_new_trouble(self, task):
        """An end or a try that should not have been; of each once."""
        restart = task.get("restart", {})
        trouble = (task.get("reason"), task.get("exited_at"),
                   restart.get("retries"), str(restart.get("error")))
        is_new = trouble != self.trouble
        self.trouble = trouble
        return is_new and ("reason" in task or "error" in restart)

    def look(self):
        """The task, and whether this step is still to be done."""
        task = self.ask("GET", self.task).json
        if not self.again:
            self.count = task["restart_count"]
        return task, task["restart_count"] == self.count

    def come_back(self):
        """By its policy: nobody has asked for its end."""
        task, is_to_do = self.look()
        if is_to_do and task["state"] == "running":
            try:
                os.kill(task["pid"], signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.await_run()

    def fail(self):
        """What it mounts is gone; when it is there again, so is the task."""
        if self.look()[1]:
            if os.path.exists(self.source):
                os.rmdir(self.source)
            try:
                answer = self.ask("POST", self.task + "/restart",
                                  {"timeout": 20}, good=(409,))
                self.is_new_trouble(self.ask("GET", self.task).json)
            finally:
                os.mkdir(self.source)
            if answer.json["reason"] != "restart_failed":
                raise Refused(answer)
        self.await_run()

    def restart(self):
        if self.look()[1]:
            self.ask("POST", self.task + "/restart", {"timeout": 20})
        self.await_run()


def start_time(pid):
    """Field 22 of its stat; None when there is no such process."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[19]
    except OSError:
        return None


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

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon dies in the middle of restarts, and the machine is rebooted:
policies go on where they were, and every run has one exit."""
import re
import struct
import threading

from skifftest import *
from lib_picture import processes
from lib_streams import attach

needs("root", "runc", "skopeo", "docker-registry", "unshare")

N = "/v1/namespaces/default"
NO_FAULTS = {"SKIFF_FAILPOINTS": None}


def task_of(s, name):
    return s.get(N + "/tasks/" + name).json


def until_task(s, name, **fields):
    def looked():
        task = task_of(s, name)
        return task if all(task.get(k) == v for k, v in fields.items()) \
            else None
    return until(looked, "task %s with %s" % (name, fields))


def said(s, after, name):
    return [e["topic"].rpartition("/")[2] for e in s.events(after)
            if e["topic"].startswith("/tasks/")
            and e["event"].get("container_id") == name
            and not e["topic"].endswith("/update")]


def gone(s, name):
    s.delete(N + "/containers/%s?force=true" % name)


def fifo(name):
    path = scratch(name)
    if not os.path.exists(path):
        os.mkfifo(path)
    return path


def tell(path):
    """One line to whoever reads the fifo."""
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, b"go\n")
    os.close(fd)


def listens(s, name, path, **wishes):
    return s.run(name, image(s), ["sh", "-c", "read x </go; exit 42"],
                 mounts=[{"type": "bind", "source": path, "target": "/go"}],
                 **wishes)


@test
def a_daemon_that_dies_in_a_restart_goes_on_with_it():
    s = the_daemon()
    go = fifo("go1")
    image(s)
    # Of each the second is the restart's, but an exit comes first.
    for n, point in enumerate((
            "task.exit.before=crash", "task.exit.after=crash",
            "task.bundle.before=2*crash", "task.bundle.after=2*crash",
            "task.shim_spawn.after=2*crash", "task.shim_ready=2*crash",
            "task.start.before=2*crash", "task.start.after=2*crash")):
        name = "back%d" % n
        s.stop()
        s.start(env={"SKIFF_FAILPOINTS": point})
        start = s.revision()
        listens(s, name, go, restart_policy="always")
        tell(go)
        s.wait_end()
        s.start(env=NO_FAULTS)
        task = until_task(s, name, state="running", restart_count=1)
        os.kill(task["pid"], 0)
        equal(said(s, start, name),
              ["create", "start", "exit", "restart", "start"], point)
        gone(s, name)
    s.stop()
    equal(processes(s.root, s.state), {})
    s.start()


@test
def a_daemon_that_ends_in_a_restart_finishes_it():
    s = the_daemon()
    go = fifo("go4")
    trace = scratch("trace")
    s.stop()
    s.start(env={"SKIFF_FAILPOINTS": "task.start.after=2*delay(3000)",
                 "SKIFF_FAILPOINTS_TRACE": trace})
    start = s.revision()
    listens(s, "late", go, restart_policy="always")
    tell(go)
    until(lambda: os.path.exists(trace), "a restart at its end")
    s.stop()
    s.start(env=NO_FAULTS)
    task = until_task(s, "late", state="running", restart_count=1)
    os.kill(task["pid"], 0)
    equal(said(s, start, "late"),
          ["create", "start", "exit", "restart", "start"])
    gone(s, "late")


@test
def a_run_that_came_and_went_unrecorded_is_told_once():
    s = the_daemon()
    go = fifo("go2")
    s.stop()
    s.start(env={"SKIFF_FAILPOINTS": "task.start.after=2*crash"})
    start = s.revision()
    listens(s, "unsaid", go, restart_policy="on-failure:1")
    directory = os.path.join(s.root, "tasks/default/unsaid")
    tell(go)
    s.wait_end()
    tell(go)
    until(lambda: os.path.exists(directory + "/exit"), "the second exit")
    s.start(env=NO_FAULTS)
    equal(s.wait_task("unsaid")["exit_status"], 42)
    until_task(s, "unsaid", state="stopped", restart_count=1)
    equal(said(s, start, "unsaid"),
          ["create", "start", "exit", "restart", "start", "exit"])
    gone(s, "unsaid")


@test
def a_daemon_killed_again_and_again_tells_every_run_once():
    s = the_daemon()
    name = image(s)
    start = s.revision()
    names = ["loop%d" % n for n in range(4)]
    for task in names:
        s.run(task, name, ["sh", "-c", "exit 6"], restart_policy="always")
    for n in range(1, 6):
        s.wait_event("/tasks/restart", after=start,
                     container_id=names[n % 4], restart_count=n)
        s.kill9()
        s.start()
    for task in names:
        s.patch(N + "/containers/" + task, {"restart_policy": "no"})
    for task in names:
        until(lambda: "at" not in task_of(s, task).get("restart", {}) and
              task_of(s, task)["state"] == "stopped", "its last end")
        heard = " ".join(said(s, start, task))
        check(re.fullmatch("create start exit( restart start exit)*", heard),
              task, heard)
        equal(heard.count("restart"), task_of(s, task)["restart_count"])
        gone(s, task)


@test
def a_daemon_that_starts_brings_back_what_its_policy_says():
    s = the_daemon()
    name = image(s)
    policies = {"a": "always", "u": "unless-stopped", "f": "on-failure",
                "n": "no"}
    for task, policy in policies.items():
        s.run(task, name, ["sleep", "1000"], restart_policy=policy)
        s.post(N + "/tasks/%s/kill" % task, {"signal": "KILL"})
        s.wait_task(task)
    s.kill9()
    s.start()
    until_task(s, "a", state="running")
    for task in "ufn":
        equal(task_of(s, task)["state"], "stopped", policies[task])
        gone(s, task)
    # What nobody stopped comes back under either.
    s.run("u", name, ["sleep", "1000"], restart_policy="unless-stopped")
    pids = [task_of(s, task)["pid"] for task in "au"]
    s.kill9()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    s.start()
    for task, pid in zip("au", pids):
        now = until_task(s, task, state="running")
        check(now["pid"] != pid, now)
        gone(s, task)


@test
def a_wait_is_taken_up_again_after_a_restart():
    s = the_daemon()
    go = fifo("go3")
    listens(s, "awaited", go)
    waiting = UnixConnection(s.socket, DEADLINE)
    waiting.request("GET", N + "/tasks/awaited/wait")
    s.kill9()
    try:
        waiting.getresponse()
        raise Failed("an answer of a dead daemon")
    except (OSError, http.client.HTTPException):
        waiting.close()
    s.start()
    waiting.request("GET", N + "/tasks/awaited/wait")
    tell(go)
    equal(json.loads(waiting.getresponse().read())["exit_status"], 42)
    waiting.close()
    gone(s, "awaited")


# --- a hundred at once ----------------------------------------------------

# What it is told over its fifo; whoever is fed says what it was fed.
TOLD = """exec 3<>/ctl/$1; echo up
while read what n <&3; do case $what in
say) echo "said $n";; end) exit $n;; esac; done"""
FED = """echo up; while read x; do echo "<$x>"; done"""
# By its number's last digit, whatever else is merely running.
KINDS = {0: "ends", 1: "ends", 2: "over", 3: "fed", 4: "frozen",
         5: "created", 6: "heard"}
STATES = {"over": "stopped", "frozen": "paused", "created": "created"}


class Follower:
    """A client that follows a log, and goes on where it was cut off."""

    def __init__(self, s, name):
        self.s = s
        self.name = name
        self.data = b""
        self.open()

    def open(self):
        self.connection, self.raw = self.s.raw(
            "GET", N + "/tasks/%s/logs?follow=true&offset=%d" % (
                self.name, len(self.data)))
        equal(self.raw.status, 200)

    def read(self, what=None):
        """Until what was said, or to the end: of the task, or of whoever
        told of it."""
        try:
            while what is None or what not in self.data:
                piece = self.raw.read1(65536)
                self.data += piece
                if not piece:
                    break
        except (OSError, http.client.HTTPException):
            pass
        check(what is None or what in self.data, self.name, self.data)


class Crowd:
    """Tasks of every kind."""

    def __init__(self, s, size):
        self.s = s
        self.dir = scratch("ctl")
        os.mkdir(self.dir)
        self.names = ["t%d" % i for i in range(size)]
        self.kinds = {name: KINDS.get(int(name[-1]), "runs")
                      for name in self.names}
        image(s)
        for work in (self.make, self.settle):
            at_once(work, self.names)
        self.pids = {name: task_of(s, name)["pid"] for name in self.names}

    def of_kind(self, kind):
        return [name for name in self.names if self.kinds[name] == kind]

    def make(self, name):
        s = self.s
        os.mkfifo(os.path.join(self.dir, name))
        is_fed = self.kinds[name] == "fed"
        s.post(N + "/containers", {
            "id": name, "image": image(s), "stdio": {"stdin": is_fed},
            "args": ["sh", "-c", FED if is_fed else TOLD, "sh", name],
            "mounts": [{"type": "bind", "source": self.dir,
                        "target": "/ctl"}]}, expect=201)
        s.post(N + "/tasks", {"container": name}, expect=201)
        if self.kinds[name] != "created":
            s.post(N + "/tasks/%s/start" % name)

    def settle(self, name):
        """Into the state in which it is left alone."""
        kind = self.kinds[name]
        if kind == "over":
            self.tell(name, "end %d" % self.status(name))
            self.s.wait_task(name)
        elif kind == "frozen":
            self.s.post(N + "/tasks/%s/pause" % name)
        elif kind == "fed":
            self.s.post(N + "/tasks/%s/stdin" % name, b"before\n",
                        expect=204)

    def tell(self, name, line):
        fd = os.open(os.path.join(self.dir, name), os.O_WRONLY)
        os.write(fd, line.encode() + b"\n")
        os.close(fd)

    def end_some(self):
        """Without a daemon."""
        ends = self.of_kind("ends")
        for name in ends:
            self.tell(name, "end %d" % self.status(name))
        for name in ends:
            record = os.path.join(self.s.root, "tasks/default", name, "exit")
            until(lambda: os.path.exists(record), "exit record")

    @staticmethod
    def status(name):
        return 100 + int(name[1:])

    def is_known(self):
        """Whether all are in the states that they have to be in."""
        listed = {t["id"]: t for t in self.s.get(
            N + "/tasks?limit=1000").json["items"]}
        return all(listed[name]["state"] == STATES.get(
            kind, "stopped" if kind == "ends" else "running")
            for name, kind in self.kinds.items())

    def check_each(self, after):
        until(self.is_known, "all known")
        told = [e["event"] for e in self.s.events(after)
                if e["topic"] == "/tasks/exit"]
        ended = self.of_kind("ends") + self.of_kind("over")
        equal(sorted(e["container_id"] for e in told), sorted(ended))
        statuses = {e["container_id"]: e["exit_status"] for e in told}
        for name in self.names:
            task = task_of(self.s, name)
            equal(task["pid"], self.pids[name])
            if name in ended:
                equal((task["exit_status"], statuses[name]),
                      (self.status(name),) * 2, name)
            else:
                os.kill(task["pid"], 0)


def at_once(work, names):
    """Eight at a time."""
    left = iter(list(names))

    def take():
        for name in left:
            work(name)
    threads = [threading.Thread(target=take) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


@test
def a_hundred_tasks_are_as_they_were_for_the_next_daemon():
    with Daemon("hundred") as s:
        after = s.revision()
        crowd = Crowd(s, 20 if is_sanitized("skiffd") else 100)
        followers = [Follower(s, name) for name in crowd.of_kind("heard")]
        cut_off = [attach(s, name) for name in crowd.of_kind("fed")]
        for f in followers:
            crowd.tell(f.name, "say 1")
            f.read(b"said 1\n")
        s.kill9()
        earliest = timestamp()
        crowd.end_some()
        latest = timestamp()
        for f in followers:
            f.read()
            crowd.tell(f.name, "say 2")
        s.start()
        crowd.check_each(after)
        for name in crowd.of_kind("ends"):
            check(earliest < task_of(s, name)["exited_at"] < latest, name)
        for f in followers:
            f.open()
            crowd.tell(f.name, "say 3")
            f.read(b"said 3\n")
        for client, name in zip(cut_off, crowd.of_kind("fed")):
            client.close()
            with attach(s, name, "?offset=0") as client:
                client.read_until(b"<before>")
                client.send(b"after\n")
                client.read_until(b"<after>")
        # What is told is told: the next one adds nothing.
        s.kill9()
        s.start()
        crowd.check_each(after)
        for f in followers:
            f.open()
            crowd.tell(f.name, "end 3")
            f.read()
            equal(f.data, b"up\nsaid 1\nsaid 2\nsaid 3\n")
        at_once(lambda name: gone(s, name), crowd.names)
        equal([pid for pid in processes(s.root, s.state)
               if pid != s.process.pid], [])


def ask_shim(s, kind, body):
    """One frame to the only shim there is, and its answer: type, body."""
    (name,) = os.listdir(os.path.join(s.state, "s"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as shim:
        shim.settimeout(DEADLINE)
        shim.connect(os.path.join(s.state, "s", name))
        shim.send(struct.pack("<HHII", 1, kind, 7, len(body)) + body)
        answer = shim.recv(65536)
    version, kind, tag, length = struct.unpack("<HHII", answer[:12])
    equal((version, tag, length), (1, 7, len(answer) - 12))
    return kind, answer[12:]


@test
def daemon_and_shim_may_be_of_different_ages():
    s = the_daemon()
    image(s)
    # A shim that was installed before, and whose file is gone since.
    old = scratch("skiff-shim")
    shutil.copy(os.path.join(BUILD, "skiff-shim"), old)
    s.stop()
    s.args = ["--shim", old]
    s.start()
    task = s.run("old", image(s), ["sh", "-c", "echo 1; sleep 1000"])
    s.kill9()
    os.unlink(old)
    s.args = []
    s.start()
    equal(task_of(s, "old")["pid"], task["pid"])
    HELLO, STATE, REPLY, ERROR = 1, 2, 0x8000, 0xffff
    for lowest, highest in ((1, 1), (1, 99)):
        kind, body = ask_shim(s, HELLO, struct.pack("<II", lowest, highest))
        equal((kind, body), (HELLO + REPLY, struct.pack("<II", 1, 1)))
    kind, body = ask_shim(s, HELLO, struct.pack("<II", 2, 99))
    equal(kind, ERROR)
    check(b"unimplemented" in body, body)
    kind, body = ask_shim(s, 0x3fff, b"from the future")
    equal(kind, ERROR)
    check(b"unknown_request" in body, body)
    # What newer peers add to a body is passed over.
    equal(ask_shim(s, STATE, b"more")[0], STATE + REPLY)
    # Its next run has the shim of now.
    s.post(N + "/tasks/old/restart", {"timeout": 0})
    until(lambda: s.get(N + "/tasks/old/logs").text == "1\n1\n", "its word")
    gone(s, "old")


class Machine(Daemon):
    """A daemon for whom the machine can be booted again."""

    boots = 0

    def command(self):
        path = os.path.join(self.dir, "boot_id")
        with open(path, "w") as f:
            f.write("00000000-0000-0000-0000-%012d\n" % self.boots)
        return ["unshare", "--mount", "sh", "-c",
                'mount --bind "$0" /proc/sys/kernel/random/boot_id && '
                'exec "$@"', path] + super().command()

    def reboot(self, is_run_lost=True):
        """What ends with a machine: processes, and what /run holds, unless
        the state directory lies elsewhere."""
        self.kill9()
        until(lambda: not self.kill_all(), "the end of all processes")
        if is_run_lost:
            shutil.rmtree(self.state)
        self.boots += 1
        self.start()

    def kill_all(self):
        pids = processes(self.root, self.state)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return pids


@test
def a_reboot_of_the_machine_settles_tasks_and_policies_go_on():
    with Machine("m") as s:
        name = image(s)
        start = s.revision()
        s.run("plain", name, ["sh", "-c", "echo said; sleep 1000"])
        until(lambda: s.get(N + "/tasks/plain/logs").text == "said\n", "log")
        s.run("always", name, ["sleep", "1000"], restart_policy="always")
        s.run("lasting", name, ["sleep", "1000"],
              restart_policy="unless-stopped")
        s.run("failing", name, ["sleep", "1000"],
              restart_policy="on-failure")
        s.run("halted", name, ["sleep", "1000"],
              restart_policy="unless-stopped")
        s.post(N + "/tasks/halted/kill", {"signal": "KILL"})
        s.wait_task("halted")
        s.run("over", name, ["sh", "-c", "exit 5"])
        s.wait_task("over")
        s.post(N + "/containers", {"id": "made", "image": name,
                                   "args": ["true"],
                                   "restart_policy": "always"}, expect=201)
        s.post(N + "/tasks", {"container": "made"}, expect=201)
        s.reboot()
        equal(s.wait_task("plain")["reason"], "host_reboot")
        equal(s.get(N + "/tasks/plain/logs").text, "said\n")
        for task in ("always", "lasting", "failing"):
            until_task(s, task, state="running", restart_count=1)
            equal(said(s, start, task),
                  ["create", "start", "exit", "restart", "start"])
        exits = [e["event"] for e in s.events(start)
                 if e["topic"] == "/tasks/exit"]
        equal(sorted(e["container_id"] for e in exits),
              sorted(["plain", "always", "lasting", "failing", "halted",
                      "over", "made"]))
        equal({e["container_id"] for e in exits if "reason" in e},
              {"plain", "always", "lasting", "failing", "made"})
        equal(task_of(s, "over")["exit_status"], 5)
        # What never ran is not started, and what was stopped stays so.
        for task in ("halted", "made", "over", "plain"):
            equal(task_of(s, task)["state"], "stopped", task)
        for task in s.get(N + "/containers").json["items"]:
            gone(s, task["id"])
        s.stop()
        equal(processes(s.root, s.state), {})
        s.start()


@test
def a_state_directory_that_outlives_the_machine_brings_nothing_back():
    with Machine("m") as s:
        s.run("kept", image(s), ["sh", "-c", "echo said; sleep 1000"])
        until(lambda: s.get(N + "/tasks/kept/logs").text == "said\n", "log")
        s.reboot(is_run_lost=False)
        ended = s.wait_task("kept")
        equal((ended["exit_status"], ended["reason"]), (137, "host_reboot"))
        equal(s.get(N + "/tasks/kept/logs").text, "said\n")
        gone(s, "kept")
        equal(os.listdir(s.state + "/tasks"), [".dead"])


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Execs under the shim, with real runc."""
import atexit
import glob
import json
import os
import threading

from skifftest import check, equal, main, needs, test
from shim_lib import Task, remove_scratch, until

needs("root", "runc", "busybox")
atexit.register(remove_scratch)


class Host(Task):
    """A running task to exec in."""

    def __init__(self, *args, **more):
        super().__init__(*(args or ("sleep", "1000")), **more)

    def __enter__(self):
        self.spawn()
        self.call("start")
        return self

    def prepare(self, name, *args, terminal=False, **edit):
        with open(self.dir + "/run/bundle/config.json") as f:
            process = json.load(f)["process"]
        process.update(args=list(args), terminal=terminal, **edit)
        os.makedirs(self.place(name), 0o700)
        with open(self.place(name, "process.json"), "w") as f:
            json.dump(process, f)

    def place(self, name, *more):
        return os.path.join(self.dir, "execs", name, *more)

    def start(self, name, *args, options=(), **edit):
        self.prepare(name, *args, **edit)
        return self.call("exec-start", name, options=options)

    def record(self, name):
        """How it ended, once that is on disk."""
        until(lambda: os.path.exists(self.place(name, "exit")), "end of " +
              name)
        with open(self.place(name, "exit")) as f:
            return {k: int(v) for k, v in
                    (line.split() for line in f if line.strip())}

    def output(self, name=None):
        if name is None:
            return super().output()
        with open(self.place(name, "log"), "rb") as f:
            return f.read()

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.made["shim"]))


@test
def an_exec_runs_in_the_container_and_its_end_is_recorded():
    with Host() as t:
        made = t.start("e1", "sh", "-c", "echo out; echo err >&2; exit 3")
        end = t.record("e1")
        equal((end["status"], end["pid"], end["started"]),
              (3, made["pid"], 1))
        equal(sorted(t.output("e1").split()), [b"err", b"out"])
        equal(t.output(), b"", "the task's own log")
        equal(t.call("state")["phase"], "running")
        # The shim has forgotten it: the file says all.
        until(lambda: not t.run("exec-state", "e1")[0], "forgotten")
        equal(t.refused("exec-kill", "e1", 9)["code"], "not_found")
        equal(t.refused("exec-delete", "e1")["code"], "not_found")


@test
def the_end_is_told_to_who_listens():
    with Host() as t:
        t.prepare("e1", "sh", "-c", "exit 9")
        ok, out = t.run("exec-run", "e1")
        check(ok and out.startswith(b"exec e1 pid "), out)
        check(b" status 9 " in out, out)
        t.call("delete", "force")
        t.nothing_is_left()


@test
def a_signal_reaches_the_exec_alone():
    with Host() as t:
        made = t.start("e1", "sleep", "1000")
        equal(t.call("exec-state", "e1"), {"phase": 2, "pid": made["pid"]})
        equal(t.refused("exec-delete", "e1")["state"], "running")
        equal(t.refused("exec-start", "e1")["code"], "already_exists")
        equal(t.refused("exec-kill", "e1", 999)["code"], "invalid_argument")
        t.call("exec-kill", "e1", 15)
        equal(t.record("e1")["status"], 143)
        equal(t.call("state")["phase"], "running")


@test
def a_forced_delete_ends_it_and_tells_how():
    with Host() as t:
        t.start("e1", "sh", "-c", "trap '' TERM; echo up; "
                "while :; do sleep 1; done")
        until(lambda: t.output("e1") == b"up\n", "up")
        equal(t.call("exec-delete", "e1", "force")["status"], 137)
        equal(t.record("e1")["status"], 137)


@test
def what_cannot_be_run_is_told_and_nothing_is_left():
    with Host() as t:
        before = t.descriptors()
        t.prepare("e1", "/no/such")
        r = t.refused("exec-start", "e1")
        equal((r["code"], r["reason"]),
              ("failed_precondition", "executable_not_found"))
        check("/no/such" in r["text"], r["text"])
        t.prepare("e2", "true", cwd="/no/where")
        equal(t.refused("exec-start", "e2")["reason"], "cwd_not_found")
        r = t.refused("exec-start", "e3")
        check("execs/e3" in r["text"], r)
        for bad in ("../bundle", "a/b", "x" * 77):
            equal(t.refused("exec-start", bad)["code"], "invalid_argument")
        until(lambda: t.descriptors() <= before, "descriptors closed")
        check(not glob.glob(t.dir + "/runtime.*.log"))


@test
def a_terminal_and_an_input_of_its_own():
    with Host() as t:
        t.start("e1", "sh", "-c", "tty; test -t 1 && echo is a terminal",
                terminal=True, options=["--terminal"])
        t.record("e1")
        check(b"/dev/pts/0" in t.output("e1") and
              b"is a terminal" in t.output("e1"), t.output("e1"))
        check(not os.path.exists(t.place("e1", "console")))


@test
def execs_end_with_init_and_are_told_of_before_it():
    for pid_namespace in (True, False):
        with Host("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; "
                  "done", pid_namespace=pid_namespace) as t:
            for i in range(5):
                t.start("e%d" % i, "sleep", "1000")
            t.call("kill", 15)
            equal(t.wait()["status"], 5)
            for i in range(5):
                check(os.path.exists(t.place("e%d" % i, "exit")),
                      "init was told of before its execs")
                equal(t.record("e%d" % i)["status"], 137)
            t.prepare("late", "true")
            equal(t.refused("exec-start", "late")["state"], "stopped")
            t.call("delete")
            t.nothing_is_left()


@test
def many_at_once_answer_each_for_itself():
    with Host() as t:
        before = t.descriptors()
        for i in range(40):
            t.prepare("e%d" % i, "sh", "-c", "echo %d; exit %d" % (i, i))
        threads = [threading.Thread(target=t.run,
                                    args=("exec-start", "e%d" % i))
                   for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(40):
            equal(t.record("e%d" % i)["status"], i)
            equal(t.output("e%d" % i), b"%d\n" % i)
        until(lambda: t.descriptors() <= before, "descriptors closed")
        children = glob.glob("/proc/%d/task/*/children" % t.made["shim"])
        equal("".join(open(c).read() for c in children).split(),
              [str(t.made["init"])])


@test
def output_is_pumped_while_execs_start():
    with Host("sh", "-c", "while :; do echo tick; done") as t:
        def lines():
            return os.path.getsize(t.dir + "/log")
        for i in range(5):
            at = lines()
            t.start("e%d" % i, "true")
            until(lambda: lines() > at, "output goes on")


@test
def a_task_that_is_only_created_can_be_execed_in():
    with Task("sleep", "1000") as t:
        t.spawn()
        host = Host.__new__(Host)
        host.__dict__ = t.__dict__
        host.start("e1", "sh", "-c", "exit 4")
        equal(host.record("e1")["status"], 4)
        equal(t.call("state")["phase"], "created")
        t.call("start")
        t.call("delete", "force")
        t.nothing_is_left()


main("skiff-shim")

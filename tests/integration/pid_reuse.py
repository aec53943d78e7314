#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Numbers of processes that come again: nobody is taken for who had it.

All of this runs in a pid namespace of its own with a few hundred numbers
(kernel.pid_max, which a namespace has for itself since Linux 6.14), so that
a number comes again within moments. A canary is a process that is none of
Skiff's, with a number that was; it tells of any signal that reached it.
"""
import os
import sys

if os.environ.get("SKIFF_PIDS_OF_OUR_OWN") != "1" and \
        tuple(map(int, os.uname().release.split(".")[:2])) < (6, 14):
    print("1..0 # SKIP needs Linux 6.14, whose pid_max is a namespace's own")
    sys.exit(0)

from skifftest import *
from lib_tasks import N, image, remove, state, task, verbs

needs("root", "runc", "skopeo", "docker-registry", "unshare")

PID_MAX = 600
N_RESERVED = 300  # the kernel gives the first ones only once
FORKS_MAX = 5 * PID_MAX
N_SHORT = 10000  # processes of the churn: every number 30 times
SLEEP = ["sleep", "1000"]


def become_pid_1():
    """Again, as the first process of a pid namespace with its own /proc."""
    os.environ["SKIFF_PIDS_OF_OUR_OWN"] = "1"
    os.execvp("unshare", ["unshare", "--pid", "--fork", "--kill-child",
                          "--mount-proc", sys.executable] + sys.argv)


def few_pids():
    """The daemon with its image; from now on numbers are scarce."""
    s = the_daemon()
    image(s)
    with open("/proc/sys/kernel/pid_max", "w") as f:
        f.write(str(PID_MAX))
    while True:
        canary = Canary()
        check(canary.is_unhurt())
        if canary.pid >= N_RESERVED:
            return s


class Canary:
    """A process with this number, or with any."""

    def __init__(self, pid=None):
        for _ in range(FORKS_MAX):
            read_end, self.end = os.pipe()
            self.pid = os.fork()
            if self.pid == 0:
                self.sing(read_end, pid in (None, os.getpid()))
            os.close(read_end)
            if pid in (None, self.pid):
                return
            self.is_unhurt()
        raise Failed("no process got the number %d" % pid)

    @staticmethod
    def sing(end, is_wanted):
        """In the child: until the pipe ends; status 1 after a signal."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        os.closerange(3, end)
        os.closerange(end + 1, 1024)
        if is_wanted:
            os.read(end, 1)
        os._exit(1 if signal.sigpending() else 0)

    def is_unhurt(self):
        os.close(self.end)
        return os.waitpid(self.pid, 0)[1] == 0


def shim_of(s, name):
    with open(os.path.join(s.root, "tasks", "default", name, "run",
                           "shim")) as f:
        return int(dict(line.split() for line in f)["shim_pid"])


@test
def a_signal_does_not_reach_who_has_an_exec_s_number_now():
    s = few_pids()
    s.run("a", image(s), SLEEP)
    pid = s.post(task("a", "/execs?start=true"),
                 {"id": "e", "args": SLEEP}, expect=201).json["pid"]
    s.post(task("a", "/kill"), {"pid": pid, "signal": "KILL"})
    equal(s.get(task("a", "/execs/e/wait")).json["exit_status"], 137)
    canary = Canary(pid)
    problem = s.post(task("a", "/kill"), {"pid": pid, "signal": "KILL"},
                     expect=404).json
    equal(problem["reason"], "process_not_found")
    s.post(task("a", "/execs/e/kill"), {"signal": "KILL"}, expect=409)
    s.api("DELETE", task("a", "/execs/e?force=true"), expect=200)
    check(canary.is_unhurt(), "a stranger was hit")
    remove(s, "a")


@test
def nor_do_a_restart_and_a_deletion_reach_who_has_init_s():
    s = few_pids()
    pid = s.run("b", image(s), SLEEP)["pid"]
    s.post(task("b", "/stop"), {"timeout": 0})
    canary = Canary(pid)
    for body in ({"signal": "KILL"}, {"signal": "KILL", "pid": pid}):
        s.post(task("b", "/kill"), body, expect=409)
    s.post(task("b", "/stop"), {"timeout": 0})
    s.post(task("b", "/restart"), {"timeout": 0})
    check(s.get(task("b")).json["pid"] != pid)
    s.api("DELETE", task("b", "?force=true"), expect=200)
    check(canary.is_unhurt(), "a stranger was hit")
    remove(s, "b")


def lose_shim(s, name, with_init):
    """Daemon and shim are dead; the numbers of those that died."""
    pids = [shim_of(s, name)]
    if with_init:
        pids.append(s.get(task(name)).json["pid"])
    s.kill9()
    for pid in pids:
        # Its parent is dead: it is ours now, who are pid 1 here.
        os.kill(pid, signal.SIGKILL)
        equal(os.waitpid(pid, 0)[0], pid)
    return pids


@test
def a_new_daemon_does_not_take_a_stranger_for_its_shim():
    s = few_pids()
    for with_init in (False, True):
        start = s.revision()
        s.run("c", image(s), SLEEP)
        canaries = [Canary(pid) for pid in lose_shim(s, "c", with_init)]
        s.start()
        equal(s.wait_task("c")["exit_status"], 137)
        equal(s.get(task("c")).json["reason"], "shim_lost")
        equal(verbs(s, "c", start), ["create", "start", "exit"])
        remove(s, "c")
        check(all(c.is_unhurt() for c in canaries), "a stranger was hit")


def processes_of(s, name):
    answer = s.get(task(name, "/pids"), expect=None)
    return [p["pid"] for p in answer.json["processes"]] \
        if answer.status == 200 else []


@test
def in_a_crowd_of_short_lives_signals_find_the_task_s_alone():
    s = few_pids()
    s.run("crowd", image(s), [
        "sh", "-c", "i=0; while [ $i -lt %d ]; do busybox true; "
        "i=$((i + 1)); done; exit 3" % N_SHORT])
    seen = {}
    n_hit = n_missed = n_execs = 0
    while state(s, "crowd") == "running":
        canaries = [Canary() for _ in range(10)]
        seen.update(dict.fromkeys(processes_of(s, "crowd")))
        # Those of the task, those that were, and those that are now ours.
        for pid in list(seen)[-20:] + [c.pid for c in canaries]:
            status = s.post(task("crowd", "/kill"),
                            {"pid": pid, "signal": "URG"},
                            expect=None).status
            check(status in (200, 404, 409), status)
            n_hit += status == 200
            n_missed += status == 404
        run = s.post(task("crowd", "/execs?wait=true"),
                     {"args": ["sh", "-c", "exit 4"]}, expect=None)
        if run.status == 200 and not run.json.get("reason"):
            equal(run.json["exit_status"], 4)
            n_execs += 1
        check(all(c.is_unhurt() for c in canaries), "a stranger was hit")
    equal(s.wait_task("crowd")["exit_status"], 3)
    diagnose("%d signals hit, %d found nobody; %d execs" % (
        n_hit, n_missed, n_execs))
    check(n_hit and n_missed and n_execs)
    remove(s, "crowd")


@test
def the_daemon_is_as_well_as_before():
    s = the_daemon()
    equal(s.get(N + "/tasks").json["items"], [])


if os.getpid() != 1:
    become_pid_1()
main()

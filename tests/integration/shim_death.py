#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Deaths: of the daemon, of the shim, at every failpoint."""
import atexit
import os
import re
import socket
import struct
import subprocess
import sys

from skifftest import SRC, check, equal, main, needs, test
from lib_tasks import freeze, is_frozen
from shim_lib import Task, is_alive, kill, remove_scratch, until

needs("root", "runc", "busybox")
atexit.register(remove_scratch)


@test
def a_shim_outlives_the_daemon_and_is_found_again():
    # The driver that made the shim is gone when the next one connects.
    with Task("sh", "-c", "echo 1; read x; echo 2; exit 9", stdin=True) as t:
        t.spawn()
        t.call("start")
        until(lambda: t.output() == b"1\n", "first line")
        equal(t.call("state"), {"phase": "running", "lost": 0, **t.made})
        t.call("stdin", "x\n")
        until(lambda: os.path.exists(os.path.join(t.dir, "exit")), "record")
        equal(t.call("record")["status"], 9)
        equal(t.wait()["status"], 9)
        t.call("delete")
        t.nothing_is_left()


@test
def what_a_killed_shim_leaves_is_taken_down():
    for started in (False, True):
        with Task("sh", "-c", "sleep 1000 & sleep 1000") as t:
            t.spawn()
            if started:
                t.call("start")
            kill(t.made["shim"])
            r = t.refused("state")
            equal((r["code"], r["reason"]), ("not_found", "shim_gone"))
            equal(t.refused("record")["code"], "not_found")
            t.call("cleanup")
            t.nothing_is_left()
            check(not is_alive(t.made["init"]))
            t.call("cleanup")


def comm(pid):
    with open("/proc/%d/comm" % pid) as f:
        return f.read().strip()


@test
def cleanup_takes_down_a_living_shim_and_a_paused_container():
    with Task("sleep", "1000") as t:
        t.spawn()
        t.call("start")
        # In the midst of execve(2) the runtime's threads do not freeze.
        until(lambda: comm(t.made["init"]) == "sleep", "its program")
        freeze(t.made["init"], True)
        until(lambda: is_frozen(t.made["init"]), "frozen")
        t.call("cleanup")
        t.nothing_is_left()


def failpoints():
    with open(os.path.join(SRC, "server/base/fault_points.h")) as f:
        return re.findall(r'"((?:shim|task\.shim)[a-z_.]+)", "(\w+)"',
                          f.read())


def live(t, env):
    """One whole life; a step that fails ends it. What it reached."""
    for verb, args in (("spawn", ()), ("start", ()), ("kill", (9,)),
                       ("wait", ()), ("delete", ())):
        ok, _ = t.run(verb, *args, env=env)
        if not ok:
            return verb
    return "all"


# The life above has none of these: failpoints_walk.py and
# checkpoint_faults.py walk their points.
OF_OTHERS = ("checkpoint", "restore", "exec", "rotate")


def walk(action):
    points = [p for p in failpoints() if p[1] not in OF_OTHERS]
    check(len(points) >= 15, points)
    for name, scenario in points:
        with Task("sleep", "1000") as t:
            trace = os.path.join(t.dir, "trace")
            env = {"SKIFF_FAILPOINTS": "%s=%s" % (name, action),
                   "SKIFF_FAILPOINTS_TRACE": trace}
            try:
                live(t, env)
            except Exception:
                pass  # the daemon's side was killed
            check(os.path.exists(trace), name, "was not reached")
            if scenario == "create" and action != "crash":
                t.nothing_is_left()
            t.call("cleanup")
            t.nothing_is_left()


@test
def after_an_error_at_any_failpoint_nothing_is_left():
    walk("error(EIO)")


@test
def after_a_kill_at_any_failpoint_cleanup_leaves_nothing():
    walk("crash")


@test
def the_record_is_on_disk_before_the_end_is_told():
    with Task("sh", "-c", "exit 5") as t:
        t.spawn(env={"SKIFF_FAILPOINTS": "shim.notify=crash"})
        t.call("start")
        t.run("wait")
        until(lambda: not is_alive(t.made["shim"]), "shim")
        equal(t.call("record")["status"], 5)
        t.call("cleanup")
        t.nothing_is_left()


@test
def a_failed_record_is_told_all_the_same_and_written_later():
    with Task("sh", "-c", "exit 5") as t:
        t.spawn(env={"SKIFF_FAILPOINTS":
                     "shim.exit_record.before=1*error(ENOSPC)"})
        t.call("start")
        equal(t.wait()["status"], 5)
        until(lambda: os.path.exists(os.path.join(t.dir, "exit")), "record")
        equal(t.call("record")["status"], 5)


@test
def a_delete_that_failed_can_be_repeated():
    with Task("true") as t:
        t.spawn(env={"SKIFF_FAILPOINTS": "shim.delete.after=1*error(EIO)"})
        t.call("start")
        t.wait()
        t.refused("delete")
        equal(t.call("delete")["status"], 0)
        t.nothing_is_left()


# What an impostor does: takes the socket, and reports each packet that it
# gets; a shim's name it has already.
LISTEN = """
import ctypes, os, socket, sys
ctypes.CDLL(None).prctl(15, b"skiff-shim", 0, 0, 0)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
s.bind(sys.argv[1])
s.listen()
print("listens", flush=True)
while True:
    packet = s.accept()[0].recv(4096)
    if packet:
        print("got", packet, flush=True)
"""


class Impostor:
    """A process that looks like the shim of a task, and has its socket."""

    def __init__(self, task, shim_argv0):
        self.process = subprocess.Popen(
            [shim_argv0, "-c", LISTEN, task.socket],
            executable=sys.executable, stdout=subprocess.PIPE, text=True)
        equal(self.process.stdout.readline(), "listens\n")
        with open("/proc/%d/comm" % self.process.pid) as f:
            equal(f.read(), "skiff-shim\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def is_left_alone(self):
        """Neither killed, nor told anything."""
        if self.process.poll() is not None:
            return False
        self.process.kill()
        return self.process.communicate()[0] == ""


def argv0_of(pid):
    with open("/proc/%d/cmdline" % pid, "rb") as f:
        return f.read().split(b"\0")[0].decode()


def noted_shim(t, pid):
    """The task's state file names this process; the time stays."""
    path = os.path.join(t.run_dir, "shim")
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(re.sub(r"(?m)^shim_pid .*$", "shim_pid %d" % pid, text))
    check("shim_pid %d" % t.made["shim"] in text, text)


def a_dead_shim_stays_dead(has_its_number):
    with Task("sleep", "1000") as t:
        t.spawn()
        argv0 = argv0_of(t.made["shim"])
        kill(t.made["shim"])
        with Impostor(t, argv0) as impostor:
            if has_its_number:
                noted_shim(t, impostor.process.pid)
            r = t.refused("state")
            equal((r["code"], r["reason"]), ("not_found", "shim_gone"))
            t.call("cleanup")
            check(impostor.is_left_alone(), "the impostor was met")
        t.nothing_is_left()


@test
def who_has_a_dead_shim_s_name_and_socket_is_not_taken_for_it():
    a_dead_shim_stays_dead(has_its_number=False)


@test
def nor_is_who_has_its_number_too():
    a_dead_shim_stays_dead(has_its_number=True)


@test
def who_takes_a_living_shim_s_socket_hears_nothing():
    with Task("sleep", "1000") as t:
        t.spawn()
        with Impostor(t, argv0_of(t.made["shim"])) as impostor:
            equal(t.refused("state")["code"], "permission_denied")
            check(is_alive(t.made["shim"]))
            t.call("cleanup")
            check(impostor.is_left_alone(), "the impostor was met")
        t.nothing_is_left()


@test
def noise_on_the_socket_is_answered_or_hung_up_on():
    with Task("sleep", "1000") as t:
        t.spawn()
        for packet in (b"", b"x", b"\0" * 12, b"\xff" * 4096,
                       struct.pack("<HHII", 1, 77, 5, 0),
                       struct.pack("<HHII", 1, 4, 5, 0)):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.connect(t.socket)
            s.settimeout(5)
            s.send(packet)
            answer = s.recv(4096)
            check(answer == b"" or
                  struct.unpack_from("<HH", answer) == (1, 0xffff), answer)
            if len(packet) == 12 and packet[2] == 77:
                check(b"unimplemented" in answer and
                      struct.unpack_from("<I", answer, 4) == (5,), answer)
            s.close()
        idle = []
        for _ in range(40):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.connect(t.socket)
            idle.append(s)
        for s in idle:
            s.close()
        equal(t.call("state")["phase"], "created")


main("skiff-shim")

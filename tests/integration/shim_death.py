#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Deaths: of the daemon, of the shim, at every failpoint."""
import atexit
import os
import re
import socket
import struct

from skifftest import SRC, check, equal, main, needs, test
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


@test
def cleanup_takes_down_a_living_shim_and_a_paused_container():
    with Task("sleep", "1000") as t:
        t.spawn()
        t.call("start")
        freezer = "/sys/fs/cgroup/freezer" + t.cgroup + "/freezer.state"
        if os.path.exists(freezer):
            with open(freezer, "w") as f:
                f.write("FROZEN")
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


def walk(action):
    points = [p for p in failpoints()
              if p[1] not in ("checkpoint", "restore")]
    check(len(points) >= 15, points)
    for name, scenario in points:
        with Task("sleep", "1000") as t:
            env = {"SKIFF_FAILPOINTS": "%s=%s" % (name, action)}
            try:
                live(t, env)
            except Exception:
                pass  # the daemon's side was killed
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

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A task's life under its shim, with real runc."""
import atexit
import os
import signal
import time

from skifftest import *  # noqa: F403
from shim_lib import *  # noqa: F403
from shim_lib import Task, remove_scratch

needs("root", "runc")
atexit.register(remove_scratch)


@test
def a_task_is_created_started_and_its_status_recorded():
    with Task("sh", "-c", "echo hello; exit 7") as t:
        t.spawn()
        equal(t.call("state")["phase"], "created")
        before = time.time_ns()
        t.call("start")
        e = t.wait()
        equal((e["status"], e["started"], e["oom"], e["pid"]),
              (7, 1, 0, t.made["init"]))
        check(before < e["exited_ns"] < time.time_ns())
        equal(t.call("record"), e)
        equal(t.output(), b"hello\n")
        r = t.refused("start")
        equal((r["code"], r["state"]), ("failed_precondition", "stopped"))
        equal(t.refused("kill", 15)["state"], "stopped")
        equal(t.call("delete"), e)
        t.nothing_is_left()


main("skiff-shim")

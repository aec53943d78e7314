#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A task's life under its shim, with real runc."""
import atexit
import glob
import os
import time

from skifftest import check, equal, main, needs, test
from shim_lib import Task, find_cgroups, remove_scratch, until

needs("root", "runc", "busybox")
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


@test
def a_signal_ends_it_with_128_and_its_number():
    with Task("sleep", "1000") as t:
        t.spawn()
        t.call("start")
        equal(t.refused("delete")["state"], "running")
        equal(t.refused("start")["state"], "running")
        equal(t.refused("kill", 999)["code"], "invalid_argument")
        t.call("kill", 9)
        equal(t.wait()["status"], 137)
        t.call("delete")
        t.nothing_is_left()


@test
def init_that_ignores_sigterm_goes_on_and_a_forced_delete_ends_it():
    with Task("sh", "-c", "trap '' TERM; echo ready; "
              "while :; do sleep 1; done") as t:
        t.spawn()
        t.call("start")
        until(lambda: t.output() == b"ready\n", "ready")
        t.call("kill", 15)
        equal(t.call("state")["phase"], "running")
        equal(t.call("delete", "force")["status"], 137)
        t.nothing_is_left()


@test
def kill_all_reaches_every_process():
    with Task("sh", "-c", "trap 'echo init; exit 4' TERM; "
              "(trap 'echo child; exit' TERM; echo up; "
              "while :; do sleep 0.1; done) & wait; wait; exit 5") as t:
        t.spawn()
        t.call("start")
        until(lambda: t.output() == b"up\n", "child")
        t.call("kill", 15, "all")
        t.wait()
        check(b"init\n" in t.output(), t.output())


@test
def a_created_task_is_deleted_without_having_run():
    with Task("sh", "-c", "echo never") as t:
        t.spawn()
        e = t.call("delete")
        equal((e["status"], e["started"]), (137, 0))
        equal(t.output(), b"")
        t.nothing_is_left()


@test
def init_that_dies_before_the_start_does_not_hang_it():
    with Task("sleep", "1000") as t:
        t.spawn()
        os.kill(t.made["init"], 9)
        e = t.wait()
        equal((e["status"], e["started"]), (137, 0))
        equal(t.refused("start")["state"], "stopped")
        t.call("delete")
        t.nothing_is_left()


@test
def a_missing_entrypoint_gives_the_runtimes_words_and_leaves_nothing():
    with Task("/no/such/thing") as t:
        before = os.listdir(t.dir) + os.listdir(t.run_dir)
        r = t.refused("spawn")
        equal((r["code"], r["reason"]),
              ("failed_precondition", "executable_not_found"))
        check('exec: "/no/such/thing"' in r["text"], r["text"])
        t.nothing_is_left()
        left = {*os.listdir(t.dir), *os.listdir(t.run_dir)} - {*before}
        check(left <= {"log", "log.idx", "runtime.log"}, left)


@test
def a_missing_runtime_and_a_bad_bundle_are_told():
    with Task("true") as t:
        os.unlink(os.path.join(t.dir, "run/bundle/config.json"))
        r = t.refused("spawn")
        equal(r["reason"], "runtime_create_failed")
        check("config.json" in r["text"], r["text"])
        t.nothing_is_left()
    with Task("true") as t:
        r = t.refused("spawn", options=("--runtime", "/no/runc"))
        equal(r["code"], "not_found")
        t.nothing_is_left()


@test
def without_a_pid_namespace_the_rest_dies_with_init():
    with Task("sh", "-c", "sleep 987 & echo $!; exit 3",
              pid_namespace=False) as t:
        t.spawn()
        t.call("start")
        begin = time.monotonic()
        equal(t.wait()["status"], 3)
        check(time.monotonic() - begin < 5, "waited for a grandchild")
        pid = int(t.output())
        until(lambda: not os.path.exists("/proc/%d" % pid), "rest")
        t.call("delete")
        t.nothing_is_left()


@test
def zombies_of_the_container_are_reaped():
    with Task("sh", "-c", "for i in 1 2 3 4 5; do (sleep 0 &) ; done; "
              "sleep 0.1; exit 0", pid_namespace=False) as t:
        t.spawn()
        t.call("start")
        t.wait()
        children = glob.glob("/proc/%d/task/*/children" % t.made["shim"])
        equal("".join(open(c).read() for c in children), "")


@test
def want_of_memory_is_told():
    def limit(config):
        config["linux"]["resources"] = {"memory": {"limit": 16 << 20}}

    with Task("sh", "-c", "head -c 200000000 /dev/zero | tail -n 1",
              edit=limit) as t:
        t.spawn()
        t.call("start")
        equal(t.wait()["oom"], 1)
        t.call("delete")
        t.nothing_is_left()


@test
def stdin_is_given_and_closed():
    with Task("cat", stdin=True) as t:
        t.spawn()
        t.call("start")
        equal(t.call("stdin", "some words")["accepted"], 10)
        t.call("close-stdin")
        equal(t.wait()["status"], 0)
        equal(t.output(), b"some words")
        equal(t.refused("stdin", "more")["reason"], "stdin_closed")


@test
def a_terminal_is_logged_sized_and_typed_into():
    with Task("sh", "-c", "stty size; read x; stty size; echo got $x",
              terminal=True) as t:
        t.spawn()
        t.call("resize", 33, 77)
        t.call("start")
        until(lambda: b"33 77" in t.output(), "size")
        t.call("resize", 44, 88)
        t.call("stdin", "abc\n")
        equal(t.wait()["status"], 0)
        equal(t.output().replace(b"\r", b""), b"33 77\nabc\n44 88\ngot abc\n")
        equal(t.refused("resize", 1, 1)["reason"], "not_a_terminal")
        t.call("delete")
        t.nothing_is_left()


# Twice what docs/PERFORMANCE.md allows each of a hundred: what they share is
# divided by fifty here. The libraries of a build for tests are no part of it.
SMALL_KIB = 200 * os.sysconf("SC_PAGE_SIZE") // 4096


def is_static(pid):
    with open("/proc/%d/maps" % pid) as f:
        return ".so" not in f.read()


@test
def fifty_idle_shims_are_small():
    def memory(pid):
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return next(int(line.split()[1]) for line in f
                        if line.startswith("Pss:"))

    tasks = [Task("sleep", "1000") for _ in range(50)]
    try:
        for t in tasks:
            t.spawn()
            t.call("start")
        sizes = sorted(memory(t.made["shim"]) for t in tasks)
        print("# PSS of 50 idle shims: median %d KiB, largest %d KiB" %
              (sizes[25], sizes[-1]))
        check(not is_static(tasks[0].made["shim"]) or sizes[25] < SMALL_KIB,
              "shims of", sizes[25], "KiB")
        check(all(find_cgroups(t.id) for t in tasks[:1]))
    finally:
        for t in tasks:
            t.call("delete", "force")
            t.__exit__()
    tasks[-1].nothing_is_left()


main("skiff-shim")

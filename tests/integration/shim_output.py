#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a container writes, in the log: every byte, in order, by whom."""
import atexit
import hashlib
import os
import re
import subprocess
import tempfile

from skifftest import check, equal, main, needs, test
from shim_lib import Task, remove_scratch, until

needs("root", "runc", "busybox")
atexit.register(remove_scratch)


def finished(*args, **more):
    t = Task(*args, **more)
    t.spawn()
    t.call("start")
    t.status = t.wait()["status"]
    return t


@test
def both_streams_are_in_one_log_in_order():
    with finished("sh", "-c", "for i in 1 2 3; do echo out$i; usleep 20000; "
                  "echo err$i >&2; usleep 20000; done") as t:
        equal(t.output(), b"out1\nerr1\nout2\nerr2\nout3\nerr3\n")
        equal(t.output("--stream", "1"), b"out1\nout2\nout3\n")
        equal(t.output("--stream", "2"), b"err1\nerr2\nerr3\n")
        records = t.index()
        equal([r[3] for r in records], [1, 2] * 3)
        equal([r[0] for r in records], [5 * i for i in range(6)])
        check(all(a[1] <= b[1] for a, b in zip(records, records[1:])))


@test
def a_log_is_read_from_its_tail_an_offset_or_with_times():
    with finished("sh", "-c", "seq 1 100; printf tail") as t:
        equal(t.output("--tail", "3"), b"99\n100\ntail")
        equal(t.output("--tail", "0"), b"")
        equal(t.output("--tail", "1000"), t.output())
        equal(t.output("--offset", "4"), t.output()[4:])
        lines = t.output("--timestamps", "--tail", "2").split(b"\n")
        check(re.match(rb"\d{4}-\d\d-\d\dT[0-9:.]+Z 100$", lines[0]), lines)
        check(lines[1].endswith(b"Z tail"), lines)


@test
def a_hundred_million_bytes_arrive_exactly():
    n = 100_000_000
    with finished("sh", "-c", "yes 0123456789abcde | head -c %d" % n) as t:
        data = t.output()
        equal(len(data), n)
        equal(hashlib.sha256(data).digest(),
              hashlib.sha256(b"0123456789abcde\n" * (n // 16)).digest())
        equal(len(t.file("log")) + len(t.file("log.1")), n)
        over = len(t.file("log.1")) + len(t.file("log.1.idx")) - (64 << 20)
        check(0 <= over <= 48, over)


@test
def a_dead_daemon_does_not_hold_up_output():
    with finished("sh", "-c", "head -c 10000000 /dev/zero; echo done >&2") as t:
        equal(t.status, 0)
        equal(t.output("--stream", "2"), b"done\n")


@test
def no_log_discards():
    with finished("sh", "-c", "head -c 1000000 /dev/zero; exit 2",
                  log=False) as t:
        equal(t.status, 2)
        check(not os.path.exists(os.path.join(t.dir, "log")))
        equal(t.output(), b"")


@test
def a_full_disk_loses_output_and_says_so_but_blocks_nobody():
    small = tempfile.mkdtemp(prefix="skfull.")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small],
                   check=True)
    try:
        with Task("sh", "-c", "head -c 5000000 /dev/zero; echo said >&2; "
                  "read x; echo after; exit 6", stdin=True) as t:
            for name in ("log", "log.idx"):
                target = os.path.join(t.dir, name)
                open(target, "w").close()
                open(os.path.join(small, name), "w").close()
                subprocess.run(["mount", "--bind",
                                os.path.join(small, name), target],
                               check=True)
            t.spawn()
            for name in ("log", "log.idx"):
                subprocess.run(["umount", "-l", os.path.join(t.dir, name)],
                               check=True)
            t.call("start")
            # A MiB fits; the rest is discarded, and so nobody waits.
            until(lambda: t.call("state")["lost"] > 3_900_000, "loss")
            subprocess.run(["mount", "-o", "remount,size=64m", small],
                           check=True)
            t.call("stdin", "x\n")
            e = t.wait()
            equal(e["status"], 6)
            check(e["lost"] > 3_000_000, e)
            with open(os.path.join(small, "log.idx"), "rb") as f:
                data = f.read()
            check(len(data) % 24 == 0 and len(data) > 0)
            gaps = [i for i in range(0, len(data), 24) if data[i + 21] & 1]
            check(gaps, "no gap record")
            with open(os.path.join(small, "log"), "rb") as f:
                check(f.read().endswith(b"after\n"))
    finally:
        subprocess.run(["umount", "-l", small])
        os.rmdir(small)


main("skiff-shim")

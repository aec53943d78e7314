#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What skiffd and its shims weigh.

PSS from /proc/PID/smaps_rollup: what is shared counts for its share alone.
TASKS (default 100) containers run meanwhile, then each has a follower of its
output and a line to tell; at last SCALE (1000) run at once.
"""
from benchlib import *

needs("root", "runc", "skopeo", "docker-registry")

TASKS = int(os.environ.get("TASKS", "100"))
SCALE = int(os.environ.get("SCALE", "1000"))
TALKER = "while :; do sleep 1000; done & trap 'echo heard' USR1; "\
    "while :; do wait; done"


QUIET = 2  # seconds: what work needed is given back when it is done


def mib(size):
    return "%.2f" % (size / MIB)


def row(name, pid, limit=None):
    found = memory(pid)
    return [name, mib(found["Pss"]), mib(found["Rss"]),
            mib(found["Private_Dirty"]), limit or "-",
            ratio(found["Pss"] / MIB, limit) if limit else "-"]


def shim_row(d, limit=0.1):
    found = [memory(pid) for pid in shims(d)]
    return ["skiff-shim, each of %d" % len(found)] + [
        "%.3f" % (median([m[key] for m in found]) / MIB)
        for key in ("Pss", "Rss", "Private_Dirty")] + [
            limit, ratio(median([m["Pss"] for m in found]) / MIB, limit)]


def follow_all(d, n):
    """A follower of each task, each of which has got a line."""
    streams = [d.raw("GET", "%s/tasks/m%d/logs?follow=true" % (N, i))
               for i in range(n)]
    for i, (_, raw) in enumerate(streams):
        d.http("POST", "%s/tasks/m%d/kill" % (N, i), {"signal": "USR1"})
        equal(raw.readline(), b"heard\n")
    return streams


HEAD = ["", "PSS MiB", "RSS", "private dirty", "limit", "of limit"]


def weigh():
    rows = []
    with daemon("idle") as d:
        d.get("/v1/version")
        time.sleep(QUIET)
        rows.append(row("skiffd, just started", d.process.pid, 6.0))
    with daemon() as d:
        image = pull_busybox(d)
        time.sleep(QUIET)
        rows.append(row("skiffd, after a pull", d.process.pid))
        run_many(d, image, TASKS, ("sh", "-c", TALKER))
        time.sleep(QUIET)
        rows.append(row("skiffd, %d running" % TASKS, d.process.pid))
        rows.append(shim_row(d))
        streams = follow_all(d, TASKS)
        rows.append(row("skiffd, each of them followed, at once",
                        d.process.pid))
        time.sleep(QUIET)
        rows.append(row("skiffd, the same, quiet", d.process.pid, 8.0))
        for connection, raw in streams:
            raw.close()
            connection.close()
    table(HEAD, rows)


def scale():
    with daemon() as d:
        image = pull_busybox(d)
        begin = time.perf_counter()
        run_many(d, image, SCALE)
        seconds = time.perf_counter() - begin
        tasks = 0
        for _ in range(1 + SCALE // 1000):
            found = json.loads(d.http("GET", N + "/tasks?limit=1000"))
            tasks = [t["state"] for t in found["items"]].count("running")
        table(["%d running, started one by one in %.0f s" % (
            tasks, seconds)] + HEAD[1:], [
                row("skiffd", d.process.pid, 30.0), shim_row(d)])


def binaries():
    rows = []
    for name in ("skiffd", "skiff-shim"):
        path = os.path.join(BUILD, name)
        stripped = scratch(name)
        subprocess.run(["strip", "-o", stripped, path], check=True)
        rows.append([name, mib(os.path.getsize(stripped))])
    for peer in ("containerd", "containerd-shim-runc-v2", "runc"):
        if shutil.which(peer):
            rows.append([peer + " (Debian's)",
                         mib(os.path.getsize(shutil.which(peer)))])
    table(["binaries, stripped", "MiB"], rows)


def main():
    favour_bench()
    title("Memory")
    weigh()
    if SCALE:
        scale()
    binaries()


main()

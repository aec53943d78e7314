#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A container that writes as fast as it can: into the log, and through it
to followers. Beside it the same program writes into a file by itself."""
import threading

from benchlib import *

needs("root", "runc", "skopeo", "docker-registry")

MEGABYTES = int(os.environ.get("MEGABYTES", "512"))
ROUNDS = 4
WRITE = "dd if=/dev/zero bs=64k count=%d 2>/dev/null" % (MEGABYTES * 16)


def follow(d, name, counts):
    connection, raw = d.raw(
        "GET", "%s/tasks/%s/output?follow=true" % (N, name), timeout=120)
    n = 0
    while True:
        data = raw.read(1 << 20)
        if not data:
            break
        n += len(data)
    counts.append(n)
    connection.close()


def one(d, image, name, followers):
    """Seconds from the start to the exit, and to the followers' end."""
    # Nothing is rotated away before the slowest has read it.
    create_task(d.http, name, image, ["sh", "-c", WRITE],
                stdio={"log": {"max_size": MEGABYTES << 20}})
    counts = []
    threads = [threading.Thread(target=follow, args=(d, name, counts))
               for _ in range(followers)]
    for thread in threads:
        thread.start()
    start = time.perf_counter()
    start_task(d.http, name)
    d.http("GET", "%s/tasks/%s/wait" % (N, name))
    written = time.perf_counter() - start
    for thread in threads:
        thread.join()
    seen = time.perf_counter() - start
    remove(d.http, name)
    whole = [n == MEGABYTES << 20 for n in counts]
    return written, seen, whole.count(True)


def bare():
    path = scratch("bare.log")
    seconds = timed(program, ["/bin/busybox", "sh", "-c",
                              "%s | cat > %s" % (WRITE, path)])
    os.unlink(path)
    return seconds


def main():
    favour_bench()
    title("Output of a task")
    with daemon() as d:
        image = pull_busybox(d)
        create_task(d.http, "resident", image, ["sleep", "100000"])
        start_task(d.http, "resident")
        favour_tasks(d, "resident")
        found = {0: [], 1: [], 4: []}
        alone = []
        turns = [lambda name, n=n: found[n].append(one(d, image, name, n))
                 for n in found] + [lambda name: alone.append(bare())]
        # Whoever comes next has the memory that the one before gave back.
        for i in range(ROUNDS):
            for k in range(len(turns)):
                turns[(i + k) % len(turns)]("w%d-%d" % (i, k))
                os.sync()
        rate = MEGABYTES / median(alone)
        rows = [["dd | cat > file", "%.0f" % rate, "-", "-", "1"]]
        for followers, times in found.items():
            written = MEGABYTES / median([t[0] for t in times])
            rows.append([
                "task, %d followers" % followers, "%.0f" % written,
                "%.0f" % (MEGABYTES / median([t[1] for t in times]))
                if followers else "-",
                "%d/%d" % (sum(t[2] for t in times), followers * ROUNDS),
                ratio(written, rate)])
        table(["%d MiB of stdout" % MEGABYTES, "MiB/s to the log",
               "to followers", "complete", "ratio"], rows)


main()

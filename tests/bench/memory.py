#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What skiffd and its shims weigh.

PSS from /proc/PID/smaps_rollup: what is shared counts for its share alone.
TASKS (default 50) containers run meanwhile.
"""
from benchlib import *

needs("root", "runc", "skopeo", "docker-registry")

TASKS = int(os.environ.get("TASKS", "50"))


def mib(size):
    return "%.2f" % (size / MIB)


def row(name, pid, limit=None):
    found = memory(pid)
    return [name, mib(found["Pss"]), mib(found["Rss"]),
            mib(found["Private_Dirty"]), limit or "-",
            ratio(found["Pss"] / MIB, limit) if limit else "-"]


def shim_row(d):
    found = [memory(pid) for pid in shims(d)]
    return ["skiff-shim, each of %d" % len(found)] + [
        "%.3f" % (median([m[key] for m in found]) / MIB)
        for key in ("Pss", "Rss", "Private_Dirty")] + [
            0.15, ratio(median([m["Pss"] for m in found]) / MIB, 0.15)]


def weigh():
    rows = []
    with daemon("idle") as d:
        d.get("/v1/version")
        rows.append(row("skiffd, just started", d.process.pid, 6.0))
    with daemon() as d:
        image = pull_busybox(d)
        rows.append(row("skiffd, after a pull", d.process.pid))
        run_many(d, image, TASKS)
        rows.append(row("skiffd, %d running" % TASKS, d.process.pid))
        rows.append(shim_row(d))
        table(["", "PSS MiB", "RSS", "private dirty", "limit", "of limit"],
              rows)


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
    title("Memory")
    weigh()
    binaries()


main()

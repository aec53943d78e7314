#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Execs in one call over HTTP against bare `runc exec`, in turns, in the
same running container. PAIRS (default 30) pairs after a warm-up.
"""
from benchlib import *

needs("root", "runc", "skopeo", "docker-registry")

PAIRS = int(os.environ.get("PAIRS", "30"))
WARM_UP = 3
RUNC = shutil.which("runc")


def pairs(skiff, bare):
    times = ([], [])
    for i in range(WARM_UP + PAIRS):
        turns = [(0, skiff), (1, bare)]
        for which, call in turns if i % 2 else reversed(turns):
            took = timed(call)
            if i >= WARM_UP:
                times[which].append(took)
    return times


def one_call(d, args, body):
    def skiff():
        done = json.loads(d.http("POST", N + "/tasks/host/execs?wait=true",
                                 dict(body, args=args)))
        assert done["exit_status"] == 0, done

    def bare():
        program([RUNC, "--root", d.state + "/runtime/default", "exec",
                 "host"] + args)
    return pairs(skiff, bare)


def main():
    favour_bench()
    title("Execs")
    with daemon() as d:
        image = pull_busybox(d)
        create_task(d.http, "host", image, ["sleep", "100000"])
        start_task(d.http, "host")
        favour_tasks(d, "host")
        ours, theirs = one_call(d, ["true"], {})
        table(["`true`, to its end", "p50 ms", "p95", "least", "ratio"], [
            ["runc exec"] + spread(theirs) + ["1"],
            ["skiff: one call"] + spread(ours) +
            [ratio(median(ours), median(theirs))]])
        ours, theirs = one_call(d, ["sh", "-c", "echo out"], {})
        table(["`echo`, its output read", "p50 ms", "p95", "least", "ratio"],
              [["runc exec"] + spread(theirs) + ["1"],
               ["skiff: one call"] + spread(ours) +
               [ratio(median(ours), median(theirs))]])


main()

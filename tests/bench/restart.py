#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long the daemon's restart takes while containers run.

Killed and started again under TASKS (default 100) running containers: until
the API answers, until it has told of every task what became of it, until
one hears a signal. Peers, as measured elsewhere with 100 running: dockerd
340 ms, containerd 2.1 620 ms until they answer.
"""
from benchlib import *

needs("root", "runc", "skopeo", "docker-registry")

TASKS = int(os.environ.get("TASKS", "100"))
RESTARTS = 7
ANSWER_MS = 50
KNOWN_MS = 150


def answers(d):
    try:
        d.http = Http(d.socket)
        d.http("GET", "/readyz")
        return True
    except (OSError, RuntimeError):
        return False


def once(d):
    """Seconds until each of the three."""
    d.kill9()
    start = time.perf_counter()
    Daemon.start(d, wait=False)
    while not answers(d):
        time.sleep(0.0005)
    answered = time.perf_counter()
    tasks = json.loads(d.http("GET", N + "/tasks?limit=1000"))["items"]
    known = time.perf_counter()
    if [t["state"] for t in tasks].count("running") != TASKS:
        raise SystemExit("not all run: %s" % [
            (t["id"], t["state"], t.get("reason"), t.get("exit_status"))
            for t in tasks if t["state"] != "running"])
    d.http("POST", N + "/tasks/m0/kill", {"signal": "CONT"})
    return [t - start for t in (answered, known, time.perf_counter())]


def row(what, seconds, limit):
    found = median(seconds)
    return [what, ms(found), ms(max(seconds)), limit or "-",
            ratio(found * 1000, limit) if limit else "-"]


def main():
    favour_bench()
    title("Restart")
    with daemon() as d:
        run_many(d, pull_busybox(d), TASKS)
        answered, known, heard = zip(*(once(d) for _ in range(RESTARTS)))
        table(["kill -9 and start with %d running" % TASKS, "median ms",
               "most", "limit", "of limit"], [
            row("until the API answers", answered, ANSWER_MS),
            row("until all tasks are known", known, KNOWN_MS),
            row("until one has heard a signal", heard, None)])


main()

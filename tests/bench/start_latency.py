#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Starting containers: Skiff over HTTP against the bare runtime.

For each of its turns the bare runtime gets a fresh container of Skiff's:
its config.json, its files and its snapshot, mounted with the same options.
The making of all that is not in the runtime's time; it is in Skiff's.
PAIRS (default 30) pairs after a warm-up; MANY (100) starts at once.
"""
import threading

from lib_bare import *

needs("root", "runc", "crun", "skopeo", "docker-registry", "unshare")

PAIRS = int(os.environ.get("PAIRS", "30"))
WARM_UP = 3
SETTLE = 0.03  # what the turn before left is not this one's
AT_ONCE = 8
MANY = int(os.environ.get("MANY", "100"))
ROUNDS = 5
SLEEPER = ["sleep", "100000"]


def wishes(name, image, args, runtime):
    return {"id": name, "image": image, "args": args,
            "runtime": {"name": runtime}}


def create_start(http, name, image, args, runtime):
    """As a client of ours does it: in one request."""
    http("POST", N + "/containers?start=true",
         wishes(name, image, args, runtime))


def pairs(d, runtime, args, skiffs, bare):
    """Times of each, in turns that begin with another one each time, the
    first few thrown away."""
    def ours(skiff, name):
        seconds = timed(skiff, name)
        remove(d.http, name)
        return seconds

    def theirs(name):
        bundle = Bare(d, name, d.image, args, runtime)
        time.sleep(SETTLE)
        seconds = timed(bare, bundle)
        bundle.done()
        return seconds

    turns = [lambda name, s=s: ours(s, name) for s in skiffs] + [theirs]
    times = [[] for _ in turns]
    for i in range(WARM_UP + PAIRS):
        for k in range(len(turns)):
            which = (i + k) % len(turns)
            time.sleep(SETTLE)
            seconds = turns[which]("s%d-%d" % (i, k))
            if i >= WARM_UP:
                times[which].append(seconds)
    return times


def create_and_start(d, runtime):
    http = d.http

    def three(name):
        http("POST", N + "/containers", wishes(name, d.image, SLEEPER,
                                               runtime))
        http("POST", N + "/tasks", {"container": name})
        start_task(http, name)

    def one(name):
        create_start(http, name, d.image, SLEEPER, runtime)

    one_call, calls, bare = pairs(d, runtime, SLEEPER, [one, three],
                                  Bare.create_start)
    table(["create+start, " + runtime, "p50 ms", "p95", "least", "ratio",
           "of least"], [
        [runtime + " create + start"] + spread(bare) + ["1", "1"]] + [
        [name] + spread(times) + [ratio(median(times), median(bare)),
                                  ratio(min(times), min(bare))]
        for name, times in (
            ("skiff: one request", one_call),
            ("skiff: container, task, start: three", calls))])


def run_to_the_end(d, runtime):
    http = d.http

    def skiff(name):
        create_start(http, name, d.image, ["true"], runtime)
        http("GET", "%s/tasks/%s/wait" % (N, name))
        http("DELETE", "%s/tasks/%s" % (N, name))

    ours, theirs = pairs(d, runtime, ["true"], [skiff], Bare.run_to_the_end)
    table(["`true`, to its end and deleted", "p50 ms", "p95", "least",
           "ratio", "of least"],
          [[runtime + " run (waits and deletes)"] + spread(theirs) +
           ["1", "1"],
           ["skiff: create+start, wait, delete"] + spread(ours) +
           [ratio(median(ours), median(theirs)),
            ratio(min(ours), min(theirs))]])


def at_once(jobs):
    """Seconds that AT_ONCE threads take for all jobs."""
    todo = list(jobs)
    failed = []

    def work():
        while todo and not failed:
            try:
                todo.pop()()
            except Exception as why:  # told by the main thread
                failed.append(why)

    threads = [threading.Thread(target=work) for _ in range(AT_ONCE)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return time.perf_counter() - start


def many_at_once(d, runtime):
    connections = threading.local()

    def skiff(name):
        if not hasattr(connections, "http"):
            connections.http = Http(d.socket)
        create_start(connections.http, name, d.image, SLEEPER, runtime)

    rates = ([], [])
    for _ in range(ROUNDS):
        names = ["c%d" % i for i in range(MANY)]
        rates[0].append(MANY / at_once([lambda n=n: skiff(n)
                                        for n in names]))
        for name in names:
            remove(d.http, name)
        bares = [Bare(d, "b%d" % i, d.image, SLEEPER, runtime)
                 for i in range(MANY)]
        rates[1].append(MANY / at_once([b.create_start for b in bares]))
        for bare in bares:
            bare.done()
    table(["%d starts, %d at a time" % (MANY, AT_ONCE), "per second",
           "ratio"], [
        [runtime + " create + start", "%.0f" % median(rates[1]), "1"],
        ["skiff: create+start", "%.0f" % median(rates[0]),
         ratio(median(rates[0]), median(rates[1]))]])


def main():
    alone(__file__)
    favour_bench()
    title("Start of containers")
    with daemon() as d:
        d.image = pull_busybox(d)
        # As in use: the namespace's cgroups and directories are there.
        create_task(d.http, "resident", d.image, SLEEPER)
        start_task(d.http, "resident")
        favour_tasks(d, "resident")
        for runtime in ("runc", "crun"):
            create_and_start(d, runtime)
            run_to_the_end(d, runtime)
            many_at_once(d, runtime)


if __name__ == "__main__":
    main()

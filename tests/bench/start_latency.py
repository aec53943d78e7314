#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Starting containers: Skiff over HTTP against bare runc.

For each of its turns bare runc gets a fresh container of Skiff's: its
config.json, its files and its snapshot, mounted with the same options. The
making of all that is not in runc's time; it is in Skiff's. PAIRS (default 30) pairs after a warm-up.
"""
import threading

from benchlib import *

needs("root", "runc", "skopeo", "docker-registry")

PAIRS = int(os.environ.get("PAIRS", "30"))
WARM_UP = 3
AT_ONCE = 8
MANY = 32
RUNC = shutil.which("runc")


class Bare:
    """What Skiff would run, as a bundle for runc: a container of Skiff's
    that never gets a task, its snapshot mounted, its spec."""

    files = None  # hosts, hostname, resolv.conf: of a task of Skiff's

    def __init__(self, d, name, image, args):
        self.d = d
        self.name = name
        self.bundle = scratch("bare-" + name)
        self.root = scratch("bare-runc")
        made = json.loads(d.http("POST", N + "/containers", {
            "id": name, "image": image, "args": args}))
        if not Bare.files:
            Bare.files = scratch("bare-files")
            d.http("POST", N + "/tasks", {"container": name})
            shutil.copytree("%s/tasks/default/%s/bundle/etc" %
                            (d.root, name), Bare.files)
            d.http("DELETE", "%s/tasks/%s?force=true" % (N, name))
        os.makedirs(self.bundle + "/rootfs")
        shutil.copytree(Bare.files, self.bundle + "/etc")
        with open(self.bundle + "/config.json", "w") as f:
            json.dump(made["spec"], f, separators=(",", ":"))
        self._mount(made["snapshot_key"])

    def _mount(self, key):
        found = json.loads(self.d.http(
            "GET", "%s/snapshots/overlay/%s/mounts" % (N, quote(key))))
        for mount in found["mounts"]:
            subprocess.run(
                ["mount", "-t", mount["type"], "-o",
                 ",".join(mount["options"]), mount["source"],
                 self.bundle + "/rootfs"], check=True)

    def runc(self, *arguments):
        program([RUNC, "--root", self.root] + list(arguments))

    def create_start(self):
        self.runc("create", "--bundle", self.bundle, self.name)
        self.runc("start", self.name)

    def run_to_the_end(self):
        self.runc("run", "--bundle", self.bundle, self.name)

    def force_delete(self):
        self.runc("delete", "--force", self.name)

    def done(self):
        self.force_delete()
        subprocess.run(["umount", self.bundle + "/rootfs"], check=True)
        shutil.rmtree(self.bundle)
        remove(self.d.http, self.name)


def pairs(d, image, args, skiff, bare):
    """Times of each, in turns, the first few thrown away."""
    times = ([], [])
    for i in range(WARM_UP + PAIRS):
        ours = timed(skiff, "s%d" % i)
        remove(d.http, "s%d" % i)
        bundle = Bare(d, "b%d" % i, image, args)
        theirs = timed(bare, bundle)
        bundle.done()
        if i >= WARM_UP:
            times[0].append(ours)
            times[1].append(theirs)
    return times


def create_and_start(d, image):
    http = d.http
    sleeper = ["sleep", "100000"]
    task_only = []

    def skiff(name):
        http("POST", N + "/containers", {"id": name, "image": image,
                                         "args": sleeper})
        start = time.perf_counter()
        http("POST", N + "/tasks", {"container": name})
        start_task(http, name)
        task_only.append(time.perf_counter() - start)

    ours, theirs = pairs(d, image, sleeper, skiff, Bare.create_start)
    task_only = task_only[WARM_UP:]
    table(["create+start", "p50 ms", "p95", "least", "ratio"], [
        ["runc create + runc start"] + spread(theirs) + ["1"],
        ["skiff: task create + start"] + spread(task_only) +
        [ratio(median(task_only), median(theirs))],
        ["skiff: container + task + start"] + spread(ours) +
        [ratio(median(ours), median(theirs))]])


def run_to_the_end(d, image):
    http = d.http

    def skiff(name):
        create_task(http, name, image, ["true"])
        start_task(http, name)
        http("GET", "%s/tasks/%s/wait" % (N, name))
        http("DELETE", "%s/tasks/%s" % (N, name))

    ours, theirs = pairs(d, image, ["true"], skiff, Bare.run_to_the_end)
    table(["`true`, to its end and deleted", "p50 ms", "p95", "least",
           "ratio"],
          [["runc run (waits and deletes)"] + spread(theirs) + ["1"],
           ["skiff: container + task + start + wait + delete"] +
           spread(ours) + [ratio(median(ours), median(theirs))]])


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


def many_at_once(d, image):
    sleeper = ["sleep", "100000"]
    connections = threading.local()

    def skiff(name):
        if not hasattr(connections, "http"):
            connections.http = Http(d.socket)
        create_task(connections.http, name, image, sleeper)
        start_task(connections.http, name)

    rates = ([], [])
    for turn in range(3):
        names = ["c%d" % i for i in range(MANY)]
        rates[0].append(MANY / at_once([lambda n=n: skiff(n)
                                        for n in names]))
        for name in names:
            remove(d.http, name)
        bares = [Bare(d, "b%d" % i, image, sleeper) for i in range(MANY)]
        rates[1].append(MANY / at_once([b.create_start for b in bares]))
        for bare in bares:
            bare.done()
    table(["%d starts, %d at a time" % (MANY, AT_ONCE), "per second",
           "ratio"], [
        ["runc create + runc start", "%.0f" % median(rates[1]), "1"],
        ["skiff: container + task + start", "%.0f" % median(rates[0]),
         ratio(median(rates[0]), median(rates[1]))]])


def main():
    title("Start of containers")
    with daemon() as d:
        image = pull_busybox(d)
        # As in use: the namespace's cgroups and directories are there.
        create_task(d.http, "resident", image, ["sleep", "100000"])
        start_task(d.http, "resident")
        create_and_start(d, image)
        run_to_the_end(d, image)
        many_at_once(d, image)


main()

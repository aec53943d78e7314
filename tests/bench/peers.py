#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Skiff beside dockerd, containerd and podman, and bare runc and crun.

dockerd and podman (whose default crun is) over one kept HTTP connection,
containerd over ctr, a program a step, as it has no HTTP. PAIRS (default 15)
turns, TASKS (100) running and started at once, MEGABYTES (200) of output.
"""
import threading

from lib_bare import *
from lib_peers import *
from start_latency import AT_ONCE, at_once

needs("root", "skopeo", "docker-registry", "unshare")

PAIRS = int(os.environ.get("PAIRS", "15"))
TASKS = int(os.environ.get("TASKS", "100"))
MEGABYTES = int(os.environ.get("MEGABYTES", "200"))
RESTARTS = 3
SETTLE = 0.03


class Skiff:
    """With the same face as the peers."""

    def __init__(self, runtime):
        self.name = "skiff with " + runtime
        self.runtime = runtime
        self.d = BenchDaemon("skiff-" + runtime)
        self.d.start()

    def pull(self, ref):
        self.image = ref
        self.d.pull(ref)

    def connect(self):
        return Http(self.d.socket)

    def create_start(self, name, args=("sleep", "100000"), http=None):
        (http or self.d.http)("POST", N + "/containers?start=true", {
            "id": name, "image": self.image, "args": list(args),
            "runtime": {"name": self.runtime}})

    def run_true(self, name):
        self.create_start(name, ("true",))
        self.d.http("GET", "%s/tasks/%s/wait" % (N, name))
        self.remove(name)

    def exec_true(self, name, _i):
        found = json.loads(self.d.http(
            "POST", "%s/tasks/%s/execs?wait=true" % (N, name),
            {"args": ["true"]}))
        equal(found["exit_status"], 0)

    def remove(self, name):
        remove(self.d.http, name)

    def n_running(self):
        found = json.loads(self.d.http("GET", N + "/tasks?limit=1000"))
        return [t["state"] for t in found["items"]].count("running")

    def daemons(self):
        return [self.d.process.pid]

    def shims(self):
        return shims(self.d)

    def kill9(self):
        self.d.kill9()

    def start(self):
        Daemon.start(self.d, wait=False)

        def answers():
            try:
                self.d.http = Http(self.d.socket)
                self.d.http("GET", "/readyz")
                return True
            except (OSError, RuntimeError):
                return False
        until(answers, "skiffd", every=0.0005)

    def write(self, args):
        """Seconds from start to end, and the bytes in the log."""
        begin = time.perf_counter()
        self.create_start("writer", args)
        self.d.http("GET", "%s/tasks/writer/wait" % N)
        seconds = time.perf_counter() - begin
        size = sum(f.stat().st_size for f in os.scandir(
            self.d.root + "/tasks/default/writer") if "idx" not in f.name and
            f.name.startswith("log"))
        self.remove("writer")
        return seconds, size

    def end(self):
        self.d.stop()
        self.d.destroy()


class BareRuntime:
    def __init__(self, skiff):
        self.skiff = skiff
        self.name = "bare " + skiff.runtime
        self.made = {}

    def prepare(self, name, args=("sleep", "100000")):
        self.made[name] = Bare(self.skiff.d, name, self.skiff.image,
                               list(args), self.skiff.runtime)

    def create_start(self, name):
        self.made[name].create_start()

    def run_true(self, name):
        self.made[name].run_to_the_end()

    def exec_true(self, name, _i):
        self.made[name].exec_true()

    def remove(self, name):
        self.made.pop(name).done()


def turns(parties, act, after):
    """{party: seconds of each turn}, without the first two."""
    times = {p: [] for p in parties}
    for i in range(PAIRS + 2):
        for k in range(len(parties)):
            party = parties[(i + k) % len(parties)]
            name = "t%d" % i
            if isinstance(party, BareRuntime):
                party.prepare(name, ("true",) if after is None
                              else ("sleep", "100000"))
            time.sleep(SETTLE)
            seconds = timed(act, party, name)
            if after or isinstance(party, BareRuntime):
                party.remove(name)
            if i >= 2:
                times[party].append(seconds)
    return times


def show(what, times, base):
    table([what, "p50 ms", "p95", "least", "ratio"], [
        [party.name] + spread(values) +
        [ratio(median(values), median(times[base]))]
        for party, values in times.items()])


def latency(parties, base):
    show("create+start", turns(
        parties, lambda p, name: p.create_start(name), True), base)
    show("`true`, to its end and deleted", turns(
        parties, lambda p, name: p.run_true(name), None), base)
    names = {party: "e%d" % i for i, party in enumerate(parties)}
    for party, name in names.items():
        if isinstance(party, BareRuntime):
            party.prepare(name)
        party.create_start(name)
    times = {p: [] for p in parties}
    for i in range(PAIRS + 2):
        for party, name in names.items():
            seconds = timed(party.exec_true, name, i)
            if i >= 2:
                times[party].append(seconds)
    for party, name in names.items():
        party.remove(name)
    show("exec `true`", times, base)


def start_many(party, names):
    """Seconds for all of them, AT_ONCE at a time."""
    connections = threading.local()

    def one(name):
        if isinstance(party, (BareRuntime, Containerd)):
            party.create_start(name)
            return
        if not hasattr(connections, "http"):
            connections.http = party.connect()
        party.create_start(name, http=connections.http)

    return at_once([lambda n=n: one(n) for n in names])


def pss(pids):
    return sum(memory(pid)["Pss"] for pid in pids) / MIB


def fleet(parties, bare):
    """Starts at once, what all of it weighs then, and the restart."""
    names = ["f%d" % i for i in range(TASKS)]
    for name in names:
        bare.prepare(name)
    base = TASKS / start_many(bare, names)
    for name in names:
        bare.remove(name)
    rows = [[bare.name, "%.0f" % base, "1"] + ["-"] * 5]
    for party in parties:
        rate = TASKS / start_many(party, names)
        found = party.shims()
        row = [party.name, "%.0f" % rate, ratio(rate, base),
               "%.1f" % pss(party.daemons()),
               "%.3f" % (pss(found) / len(found)), len(found)]
        if isinstance(party, Podman):
            row += ["-", "-"]  # no daemon holds its containers
        else:
            answered, known = [], []
            for _ in range(RESTARTS):
                party.kill9()
                begin = time.perf_counter()
                party.start()
                answered.append(time.perf_counter() - begin)
                until(lambda: party.n_running() == TASKS, "all", every=0.001)
                known.append(time.perf_counter() - begin)
            row += [ms(median(answered)), ms(median(known))]
        rows.append(row)
        for name in names:
            party.remove(name)
    table(["%d starts, %d at a time; then" % (TASKS, AT_ONCE), "per second",
           "ratio", "daemons PSS MiB", "each shim", "shims",
           "restart: answers ms", "all known ms"], rows)


def docker_write(party, args):
    """json-file of dockerd, k8s-file of podman: their formats escape and
    split, so what is counted is what was written."""
    begin = time.perf_counter()
    party.create(party.http, "writer", args)
    party.http("POST", "/v1.40/containers/writer/start")
    party.http("POST", "/v1.40/containers/writer/wait")
    seconds = time.perf_counter() - begin
    party.remove("writer")
    return seconds


def output(skiff, dockerd, podman):
    """Lines of 1000 bytes, which all of these store."""
    args = ("sh", "-c", "yes %s | head -c %d" % ("x" * 999,
                                                 MEGABYTES * 1000000))
    times = {"skiff": [], "dockerd, json-file": [], "podman, k8s-file": []}
    for _ in range(3):
        seconds, size = skiff.write(args)
        equal(size, MEGABYTES * 1000000, "bytes in the log")
        times["skiff"].append(seconds)
        times["dockerd, json-file"].append(docker_write(dockerd, args))
        times["podman, k8s-file"].append(docker_write(podman, args))
    table(["%d MB in lines of 1000" % MEGABYTES, "MB/s", "ratio"], [
        [name, "%.0f" % (MEGABYTES / median(values)),
         ratio(median(times["skiff"]), median(values))]
        for name, values in times.items()])


def main():
    alone(os.path.abspath(__file__))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    favour_bench()
    title("Beside peers")
    ref = the_registry().push(busybox(), "bench/busybox:1")
    daemons = []
    try:
        for make in (lambda: Skiff("runc"), lambda: Skiff("crun"), Dockerd,
                     Containerd, Podman):
            daemons.append(make())
            daemons[-1].pull(ref)
            daemons[-1].create_start("resident")
        for skiff in daemons[:2]:
            favour_tasks(skiff.d, "resident")
        for peer in daemons[2:]:
            favour(cgroup_of(peer.name))
        for party in daemons:
            party.remove("resident")
        bare = [BareRuntime(skiff) for skiff in daemons[:2]]
        latency(bare + daemons, bare[0])
        fleet(daemons, bare[0])
        output(daemons[0], daemons[2], daemons[4])
    finally:
        for party in reversed(daemons):
            try:
                party.end()
            except Exception as why:  # the others end all the same
                print("# %s: %s" % (party.name, why))


main()

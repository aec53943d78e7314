#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pull and unpack from a registry on the loopback: Skiff against ctr.

Both start with an empty root each time; what an earlier round wrote is on
disk before the next begins, and is removed only at the end: a file system
that just lost files makes new ones slowly. Skiff's answer means that all is
on disk; containerd's does not. ROUNDS (default 5) pairs.
"""
import resource

from benchlib import *

needs("root", "runc", "skopeo", "docker-registry", "containerd", "ctr")

ROUNDS = int(os.environ.get("ROUNDS", "5"))
MEGABYTES = int(os.environ.get("MEGABYTES", "115"))

CONFIG = """\
version = 2
root = "%(dir)s/root"
state = "%(dir)s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "%(dir)s/sock"
"""


class Containerd:
    """Debian's, on directories of its own."""

    def __init__(self, name):
        self.dir = scratch(name)
        os.makedirs(self.dir)
        config = self.dir + "/config.toml"
        with open(config, "w") as f:
            f.write(CONFIG % {"dir": self.dir})
        with open(self.dir + "/log", "w") as log:
            self.process = subprocess.Popen(
                ["containerd", "--config", config], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL)
        until(lambda: subprocess.run(
            ["ctr", "--address", self.dir + "/sock", "version"],
            capture_output=True).returncode == 0, "containerd")

    def pull(self, ref):
        program([shutil.which("ctr"), "--address", self.dir + "/sock",
                 "images", "pull", "--plain-http", ref])

    def end(self):
        """Its peak of memory and its CPU seconds."""
        peak = peak_rss(self.process.pid)
        self.process.terminate()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.process.wait(10)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return peak, cpu(after) - cpu(before)


class Skiff:
    def __init__(self, name):
        self.daemon = BenchDaemon(name)
        self.daemon.start()

    def pull(self, ref):
        self.daemon.http("POST", N + "/images/pull?wait=true", {"ref": ref})

    def end(self):
        peak = peak_rss(self.daemon.process.pid)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.daemon.stop()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return peak, cpu(after) - cpu(before)


def cpu(usage):
    return usage.ru_utime + usage.ru_stime


def measure(make, name, ref):
    peer = make(name)
    os.sync()
    seconds = timed(peer.pull, ref)
    return (seconds,) + peer.end()


def main():
    title("Pull and unpack")
    layout = big_image(MEGABYTES)
    size = sum(os.path.getsize(os.path.join(layout, "blobs/sha256", name))
               for name in os.listdir(os.path.join(layout, "blobs/sha256")))
    ref = the_registry().push(layout, "bench/big:1")
    ours, theirs = [], []
    for i in range(-1, ROUNDS):  # the first warms the registry's cache
        a = measure(Skiff, "skiff%d" % i, ref)
        b = measure(Containerd, "ctr%d" % i, ref)
        if i >= 0:
            ours.append(a)
            theirs.append(b)

    def row(name, found):
        seconds = [f[0] for f in found]
        return [name, "%.2f" % median(seconds), "%.2f" % min(seconds),
                "%.2f" % max(seconds),
                "%.2f" % median([f[2] for f in found]),
                "%.0f" % (median([f[1] for f in found]) / MIB),
                ratio(median(seconds), median([f[0] for f in theirs]))]

    table(["%.0f MB compressed, 2 layers" % (size / 1e6), "median s", "least",
           "most", "CPU s", "peak RSS MiB", "ratio"],
          [row("ctr images pull", theirs), row("skiff pull", ours)])


main()

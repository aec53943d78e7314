# SPDX-License-Identifier: Apache-2.0
"""What the benches stand on: the daemon of the tests, clocks, tables.

A bench prints medians and ratios of one run, in which the peers took turns
(A B A B …): what else the machine does then weighs on both alike. Nothing
here ever fails for being slow.
"""
import atexit
import os
import platform
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

import skifftest  # noqa
from skifftest import *  # noqa

N = "/v1/namespaces/default"
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
MIB = 1024.0 * 1024.0


# --- tables ------------------------------------------------------------

def load():
    return "load %.1f %.1f %.1f" % os.getloadavg()


def title(text):
    print("\n%s  (%d cores, Linux %s, %s)" % (
        text, os.cpu_count(), platform.release(), load()))


def table(head, rows):
    """rows of strings or numbers; the first column is a name."""
    cells = [[str(c) for c in row] for row in [head] + rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        print("  " + "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths))))
    sys.stdout.flush()


def median(values):
    return statistics.median(values)


def p95(values):
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]


def ms(seconds):
    return "%.1f" % (seconds * 1e3)


def ratio(a, b):
    return "%.2fx" % (a / b) if b else "-"


def spread(values):
    """Median, 95th percentile, least: for one row of a table."""
    return [ms(median(values)), ms(p95(values)), ms(min(values))]


def timed(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


# --- a fair share, and a place of its own ------------------------------

def alone(script):
    """Runs the script again in a mount namespace of its own: mounts of the
    peers are gone with it, and crun, which refuses hybrid cgroups, finds
    those of version 1 only. All data go to a disk of its own."""
    if os.environ.get("SKIFF_BENCH_ALONE"):
        own_disk()
        return
    os.environ["SKIFF_BENCH_ALONE"] = "1"
    unified = "/sys/fs/cgroup/unified"
    os.execvp("unshare", [
        "unshare", "--mount", "--propagation", "private", "sh", "-c",
        "if mountpoint -q {0}; then umount {0}; "
        "mount -t tmpfs none {0}; fi; exec \"$@\"".format(unified),
        "sh", sys.executable, script])


DISK_SIZE = 8 * 1024 ** 3  # of which only what is written is taken


def own_disk():
    """The scratch directory on a new ext4 with a journal, as people have it.

    Without one, the kernel gives no inode that was deleted within the last
    minutes and walks by them all each time it makes a file: who makes more
    files waits for what earlier turns have deleted."""
    place = tempfile.mkdtemp(prefix="skt.", dir="/tmp")
    image = place + "/disk"
    with open(image, "wb") as f:
        f.truncate(DISK_SIZE)
    made = subprocess.run(
        ["sh", "-c", "mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0"
         " {0} && mount -o loop {0} {1}".format(image, place)],
        capture_output=True, text=True)
    if made.returncode != 0:
        print("no disk of its own: " + made.stderr.strip())
        shutil.rmtree(place)
        return
    skifftest.scratch_parent = place
    atexit.register(leave_disk, place)


def leave_disk(place):
    """After the scratch directory has been removed from it."""
    subprocess.run(["umount", "--lazy", place], check=False)
    shutil.rmtree(place, ignore_errors=True)


CPU = "/sys/fs/cgroup/cpu"
SHARES = "100000"


def favour(cgroup, *pids):
    """The others on this machine leave the CPU to a cgroup and these
    processes; measured against each other, all have the same."""
    path = os.path.join(CPU, cgroup)
    try:
        if pids:
            os.makedirs(path, exist_ok=True)
        with open(path + "/cpu.shares", "w") as f:
            f.write(SHARES)
        for pid in pids:
            with open(path + "/cgroup.procs", "w") as f:
                f.write(str(pid))
    except OSError:
        pass  # cgroup v2, or there is none: then it is as it is


def favour_bench():
    """And what it starts. The containers' cgroups are told apart."""
    favour("skiffbench", os.getpid())
    atexit.register(leave_favour)


def leave_favour():
    try:
        with open(CPU + "/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))
        os.rmdir(CPU + "/skiffbench")
    except OSError:
        pass  # another bench is in it


def favour_tasks(d, name):
    """All tasks of a daemon of ours, of which one is running."""
    task = json.loads(d.http("GET", "%s/tasks/%s" % (N, name)))
    with open("/proc/%d/cgroup" % task["pid"]) as f:
        for line in f:
            if ":cpu:" in line or ":cpu,cpuacct:" in line:
                favour(line.split(":")[2].strip().split("/")[1])


# --- HTTP with next to no cost of its own ------------------------------

class Http:
    """One keep-alive connection to a unix socket."""

    def __init__(self, path):
        self.path = path
        self._connect()

    def _connect(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect(self.path)
        self.left = b""

    def _was_hung_up(self):
        """As skiffd does with who has not asked for a while."""
        return select.select([self.socket], [], [], 0)[0] and \
            not self.socket.recv(1, socket.MSG_PEEK)

    def __call__(self, method, path, body=None, expect=(200, 201, 204),
                 until_end=False):
        """The answer's body, as bytes: to parse it may cost more than to
        make it."""
        data = b"" if body is None else json.dumps(body).encode()
        if self._was_hung_up():
            self._connect()
        self.socket.sendall((
            "%s %s HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (method, path, len(data))).encode() + data)
        head, status = self._head()
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if until_end:
            answer = self._rest()
        elif b"\r\ntransfer-encoding: chunked" in head.lower():
            answer = b"".join(iter(self._chunk, b""))
        else:
            answer = self._take(length)
        if status not in expect:
            raise RuntimeError("%s %s: %d %s" % (method, path, status,
                                                 answer.decode()))
        return answer

    def _take(self, length):
        while len(self.left) < length:
            self.left += self._receive()
        taken, self.left = self.left[:length], self.left[length:]
        return taken

    def _chunk(self):
        while b"\r\n" not in self.left:
            self.left += self._receive()
        size, self.left = self.left.split(b"\r\n", 1)
        return self._take(int(size, 16) + 2)[:-2]

    def _rest(self):
        parts = [self.left]
        while parts[-1] or len(parts) == 1:
            parts.append(self.socket.recv(262144))
        return b"".join(parts)

    def _receive(self):
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionError("skiffd hung up")
        return data

    def _head(self):
        while b"\r\n\r\n" not in self.left:
            self.left += self._receive()
        head, self.left = self.left.split(b"\r\n\r\n", 1)
        return head, int(head.split(b" ", 2)[1])


# --- the daemon and what it runs ---------------------------------------

def volatile(name):
    """A path in memory: as /run, where daemons keep what a reboot ends."""
    global _volatile
    if not _volatile:
        _volatile = tempfile.mkdtemp(prefix="skt.", dir="/dev/shm")
        atexit.register(shutil.rmtree, _volatile, ignore_errors=True)
    return os.path.join(_volatile, name)


_volatile = None


class BenchDaemon(Daemon):
    """As people run it: not at the log level of the tests, and its state
    directory in memory."""

    def __init__(self, name, **more):
        super().__init__(name, **more)
        self.state = volatile(name)

    def command(self):
        command = super().command()
        command[command.index("--log-level") + 1] = "warn"
        return command

    def start(self, *arguments, **more):
        super().start(*arguments, **more)
        self.http = Http(self.socket)
        return self


def daemon(name="bench", args=()):
    """Started; `with` ends it and what it runs."""
    return BenchDaemon(name, args=args)


def pull_busybox(d):
    ref = the_registry().push(busybox(), "bench/busybox:1")
    d.pull(ref)
    return ref


def create_task(http, name, image, args, **wishes):
    http("POST", N + "/containers", {"id": name, "image": image,
                                     "args": args})
    http("POST", N + "/tasks", dict(wishes, container=name))


def start_task(http, name):
    http("POST", "%s/tasks/%s/start" % (N, name))


def remove(http, name):
    http("DELETE", "%s/containers/%s?force=true" % (N, name))


def run_many(d, image, count, args=("sleep", "100000")):
    for i in range(count):
        create_task(d.http, "m%d" % i, image, list(args))
        start_task(d.http, "m%d" % i)


def program(argv, **more):
    """Runs a program to its end, which must be a good one."""
    pid = os.posix_spawn(argv[0], argv, ENV, file_actions=[
        (os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0)
        for fd in range(3)], **more)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise RuntimeError("%s: exit status %d" % (" ".join(argv), status))


# --- what a process weighs ---------------------------------------------

def memory(pid):
    """{"Pss": bytes, "Rss": …} of /proc/PID/smaps_rollup."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return {line.split(":")[0]: int(line.split()[1]) * 1024
                for line in f if line.rstrip().endswith("kB")}


def peak_rss(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def shims(d):
    """Pids of the daemon's shims: their argv names its root."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                argv = f.read().split(b"\0")
        except OSError:
            continue
        if argv[0].endswith(b"skiff-shim") and any(
                a.startswith(d.root.encode()) for a in argv):
            found.append(int(pid))
    return found

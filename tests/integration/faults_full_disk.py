#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A root directory on a disk that is full: 507 for what needs room, and
everything else as before; with room again the same requests succeed."""
from skifftest import *
from lib_faults import consistent, tiny_image

needs("root", "runc", "skopeo", "docker-registry", "mount")

N = "/v1/namespaces/default"
DISK_MIB = 64

_ref = None


def ref():
    global _ref
    if _ref is None:
        _ref = the_registry().push(tiny_image(), "t/tiny:1")
    return _ref


class Disk:
    """A tmpfs below a daemon's root, which can be filled to the brim."""

    def __init__(self, name):
        self.s = Daemon(name)
        os.makedirs(self.s.root)
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        "size=%dm,mode=700" % DISK_MIB, "tmpfs",
                        self.s.root], check=True)
        self.filling = os.path.join(self.s.root, "filling")

    def __enter__(self):
        self.s.start()
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            diagnose(self.s.log_tail())
        self.s.destroy()
        subprocess.run(["umount", "-l", self.s.root], capture_output=True)

    def fill(self):
        with open(self.filling, "ab", buffering=0) as f:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        f.write(bytes(size))
                except OSError:
                    pass
        equal(os.statvfs(self.s.root).f_bavail, 0, "free blocks")

    def free(self):
        os.unlink(self.filling)


def refused(s, path, body):
    problem = s.post(path, body, expect=507, timeout=60).json
    equal(problem["code"], "insufficient_storage")
    return problem


def without_cgroups(s):
    """Those of other tests come and go."""
    return {k: v for k, v in s.picture().items() if k != "cgroups"}


def lists_work(s):
    for kind in ("images", "content", "containers", "tasks", "operations",
                 "snapshots/default"):
        s.get(N + "/" + kind)
    s.get("/v1/namespaces")


@test
def an_image_too_large_for_the_disk_is_refused_and_leaves_nothing():
    big = the_registry().push(big_image(80), "t/big:1")
    with Disk("large") as disk:
        s = disk.s
        s.pull(ref())
        blobs = s.get(N + "/content").json["items"]
        refused(s, N + "/images/pull?wait=true", {"ref": big})
        s.get(N + "/images/" + quote(big), expect=404)
        lists_work(s)
        equal(os.listdir(os.path.join(s.root, "content", "ingests")), [])
        check(len(os.listdir(os.path.join(s.root, "snapshots", "overlay")))
              <= 2, "directories of layers that failed are gone")
        consistent(s.root)
        check(len(s.get(N + "/content").json["items"]) >= len(blobs))
        s.run("after", ref(), ["busybox", "true"])
        equal(s.wait_task("after")["exit_status"], 0)
        s.stop()


@test
def a_full_disk_refuses_what_is_new_and_serves_the_rest():
    with Disk("full") as disk:
        s = disk.s
        s.pull(ref())
        s.run("first", ref(), ["busybox", "true"])
        s.wait_task("first")
        s.delete(N + "/containers/first?force=true")
        before = without_cgroups(s)
        s.run("a", ref(), ["sh", "-c", "echo out; busybox sleep 1000"])
        disk.fill()
        refused(s, N + "/containers", {"id": "b", "image": ref(),
                                       "args": ["busybox", "true"]})
        refused(s, N + "/images/pull?wait=true",
                {"ref": ref(), "name": "again:1"})
        refused(s, "/v1/namespaces", {"name": "new"})
        lists_work(s)
        equal(s.get(N + "/tasks/a/logs").text, "out\n")
        consistent(s.root)
        s.get("/healthz")
        disk.free()
        s.post("/v1/namespaces", {"name": "new"}, expect=201)
        s.delete("/v1/namespaces/new")
        s.delete(N + "/containers/a?force=true")
        s.run("b", ref(), ["busybox", "true"])
        equal(s.wait_task("b")["exit_status"], 0)
        s.delete(N + "/containers/b?force=true")
        until(lambda: s.get("/readyz", expect=None).status == 200, "ready")
        equal(differences(before, without_cgroups(s)), [])
        consistent(s.root)
        s.stop()


@test
def an_exit_on_a_full_disk_is_told_when_there_is_room():
    with Disk("exit") as disk:
        s = disk.s
        s.pull(ref())
        fifo = scratch("go")
        os.mkfifo(fifo)
        start = s.revision()
        s.run("a", ref(), ["sh", "-c", "read x </go; exit 5"],
              mounts=[{"type": "bind", "source": fifo, "target": "/go"}])
        disk.fill()
        refused(s, "/v1/namespaces", {"name": "new"})
        disk.fill()  # the reserve, too
        with open(fifo, "w") as f:
            f.write("go\n")
        until(lambda: "trying again" in s.log_tail(), "failed attempt")
        disk.free()
        equal(s.wait_task("a")["exit_status"], 5)
        equal(len([e for e in s.events(start)
                   if e["topic"] == "/tasks/exit"]), 1)
        s.stop()


@test
def what_is_not_needed_can_be_deleted_from_a_full_disk():
    with Disk("delete") as disk:
        s = disk.s
        s.pull(ref())
        s.run("a", ref(), ["busybox", "true"])
        s.wait_task("a")
        disk.fill()
        refused(s, "/v1/namespaces", {"name": "new"})
        s.delete(N + "/tasks/a", expect=200)
        s.delete(N + "/containers/a")
        s.delete(N + "/images/" + quote(ref()))
        consistent(s.root)
        disk.free()
        s.pull(ref())
        s.stop()


class Counter:
    """A container that writes so many lines when it is told to, and says
    elsewhere, on another disk, when it has."""

    BASE = 1000000

    def __init__(self, s, name, **wishes):
        self.s = s
        self.path = N + "/tasks/" + name
        self.end = "\r\n" if wishes.get("terminal") else "\n"
        self.talk = os.path.join(s.dir, "talk")
        self.expected = ""
        self.n_said = 0
        os.mkdir(self.talk)
        os.mkfifo(os.path.join(self.talk, "orders"))
        s.run(name, ref(), [
            "sh", "-c", "exec 3<>/talk/orders; i=0; while read n <&3; do "
            "[ $n = end ] && exit 5; seq %d $((%d + n)); i=$((i + 1)); "
            ": >/talk/$i; done" % (self.BASE + 1, self.BASE)],
            mounts=[{"type": "bind", "source": self.talk,
                     "target": "/talk"}], **wishes)

    def order(self, text):
        with open(os.path.join(self.talk, "orders"), "w") as f:
            f.write("%s\n" % text)

    def write(self, n):
        """It has: nothing held it up."""
        self.order(n)
        self.n_said += 1
        until(lambda: os.path.exists(os.path.join(
            self.talk, str(self.n_said))), "%d lines" % n)
        self.expected += "".join("%d%s" % (self.BASE + i, self.end)
                                 for i in range(1, n + 1))

    def chunks(self):
        answer = self.s.get(self.path + "/logs",
                            headers={"Accept": "application/x-ndjson"})
        return [json.loads(line) for line in answer.text.splitlines()]

    def lost(self, chunks=None):
        """How much; None while not all is told. What is stored and what is
        lost is, in its order, what was written."""
        at = lost = 0
        for chunk in self.chunks() if chunks is None else chunks:
            n = chunk.get("lost") or len(chunk["text"])
            if "lost" in chunk:
                lost += n
            else:
                equal(chunk["text"], self.expected[at:at + n], "at", at)
            at += n
        return lost if at == len(self.expected) else None


def logs_lose_and_say_so(name, **wishes):
    with Disk(name) as disk:
        s = disk.s
        s.pull(ref())
        c = Counter(s, "log", **wishes)
        c.write(10)
        until(lambda: c.lost() == 0, "the first lines")
        with s.sse(c.path + "/logs?follow=true") as follower:
            events = [follower.next()]
            disk.fill()
            c.write(100000)
            s.get(c.path)
            lists_work(s)
            refused(s, c.path + "/execs?wait=true", {"args": ["sh"]})
            c.lost()
            disk.free()
            c.write(5000)
            until(lambda: c.lost(), "all that was written, or its loss")
            check(0 < c.lost() < 100000 * (7 + len(c.end)), c.lost())
            text = s.get(c.path + "/logs").text
            check("[%d bytes of output lost]\n" % c.lost() in text or
                  text.count("bytes of output lost") > 1, text[:2000])
            c.order("end")
            events += follower
        *heard, end = [json.loads(e["data"]) for e in events]
        equal(c.lost(heard), c.lost(), "lost, as a follower heard")
        equal((end["exit_status"], end["lost"]), (5, c.lost()))
        equal(s.wait_task("log")["exit_status"], 5)
        equal(s.get(c.path).json["lost_bytes"], c.lost())
        s.delete(N + "/containers/log?force=true")
        s.stop()


@test
def a_full_disk_under_a_log_loses_output_and_says_so():
    logs_lose_and_say_so("pipes")


@test
def so_it_does_under_one_that_would_be_rotated():
    logs_lose_and_say_so("rotated", stdio={"log": {"max_size": 65536,
                                                   "max_files": 1000}})


@test
def so_it_does_under_a_terminal_s():
    logs_lose_and_say_so("terminal", terminal=True)


def free_of(path):
    st = os.statvfs(path)
    return st.f_bavail * st.f_frsize


@test
def logs_leave_room_on_the_disk_for_the_rest():
    with Disk("greedy") as disk:
        s = disk.s
        s.pull(ref())
        floor = (DISK_MIB << 20) // 16
        greedy = {"log": {"max_size": 1 << 30, "max_files": 10}}
        for name, terminal in (("pipe", False), ("tty", True)):
            s.run(name, ref(), ["busybox", "yes"], stdio=greedy,
                  terminal=terminal)
        # Of each byte the index takes more than the log.
        s.run("tiny", ref(), ["sh", "-c", "while :; do echo; done"],
              stdio=greedy)
        until(lambda: free_of(s.root) < floor, "so much output")
        s.get(N + "/tasks/tiny")
        s.post(N + "/containers", {"id": "b", "image": ref(),
                                   "args": ["busybox", "true"]}, expect=201)
        s.post("/v1/namespaces", {"name": "new"}, expect=201)
        s.post(N + "/tasks/pipe/kill", {"signal": 9})
        s.wait_task("pipe")
        check(s.get(N + "/tasks/pipe").json["lost_bytes"] > 0)
        # Each looks four times a MiB.
        check(free_of(s.root) > floor - (2 << 20), free_of(s.root))
        s.delete(N + "/containers/tiny?force=true")
        check(free_of(s.root) > floor - (2 << 20), free_of(s.root))
        s.delete(N + "/containers/pipe?force=true")
        # There is room again, and the other's log goes on.
        log = "%s/tasks/default/tty/log" % s.root
        size = os.stat(log).st_size
        until(lambda: os.stat(log).st_size > size, "more of the log")
        s.delete(N + "/containers/tty?force=true")
        s.stop()


@test
def what_was_lost_to_the_very_end_is_told_by_the_exit():
    with Disk("end") as disk:
        s = disk.s
        s.pull(ref())
        c = Counter(s, "log")
        c.write(10)
        disk.fill()
        refused(s, "/v1/namespaces", {"name": "new"})
        disk.fill()  # the reserve, too
        start = s.revision()
        c.write(100000)
        c.order("end")
        until(lambda: "trying again" in s.log_tail(), "failed attempt")
        disk.free()
        equal(s.wait_task("log")["exit_status"], 5)
        lost = len(c.expected) - len(s.get(c.path + "/output").body)
        check(lost > 0 and c.lost() in (lost, None), lost, c.lost())
        equal(s.get(c.path).json["lost_bytes"], lost)
        event = s.wait_event("/tasks/exit", after=start, container_id="log")
        equal(event["event"]["lost_bytes"], lost)
        s.delete(N + "/containers/log?force=true")
        s.stop()


main()

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


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Root filesystems: what an image may not do, and how many layers fit."""
import atexit
import os
import shutil

from skifftest import check, equal, main, needs, test
from shim_lib import Task, make_rootfs, remove_scratch, scratch

needs("root", "runc", "busybox")
atexit.register(remove_scratch)


def listing(top):
    return sorted((os.path.join(d, n), os.lstat(os.path.join(d, n)).st_mtime_ns)
                  for d, names, files in os.walk(top) for n in names + files)


def hostile(name):
    top = os.path.join(scratch(), name)
    shutil.rmtree(top, ignore_errors=True)
    return make_rootfs(top)


@test
def a_system_directory_that_is_a_symlink_is_refused_before_the_runtime():
    victim = os.path.join(scratch(), "victim")
    os.makedirs(victim)
    with open(os.path.join(victim, "ptmx"), "w") as f:
        f.write("the host's")
    before = listing(victim)
    for name in ("dev", "proc", "sys", "run", "etc"):
        rootfs = hostile("hostile")
        os.rmdir(os.path.join(rootfs, name))
        os.symlink(victim, os.path.join(rootfs, name))
        with Task("true", rootfs=rootfs) as t:
            r = t.refused("spawn")
            equal((r["code"], r["reason"]),
                  ("failed_precondition", "image_invalid_rootfs"))
            check("/" + name in r["text"], r["text"])
            check(not os.path.exists(os.path.join(t.run_dir, "runtime.log")))
            t.nothing_is_left()
    equal(listing(victim), before)


@test
def a_system_directory_that_is_a_file_is_refused_and_an_absent_one_made():
    rootfs = hostile("hostile")
    os.rmdir(os.path.join(rootfs, "run"))
    os.rmdir(os.path.join(rootfs, "sys"))
    with Task("true", rootfs=rootfs) as t:
        t.spawn()
        t.call("start")
        equal(t.wait()["status"], 0)
    with open(os.path.join(rootfs, "run"), "w"):
        pass
    with Task("true", rootfs=rootfs) as t:
        equal(t.refused("spawn")["reason"], "image_invalid_rootfs")
        t.nothing_is_left()


@test
def mount_points_are_made_inside_the_root():
    victim = os.path.join(scratch(), "outside")
    os.makedirs(victim)
    rootfs = hostile("hostile")
    os.symlink(victim, os.path.join(rootfs, "out"))
    os.symlink("../run/there/resolv.conf",
               os.path.join(rootfs, "etc/resolv.conf"))
    with Task("ls", "-d", victim + "/deep", "/a/b/c", "/etc/resolv.conf",
              "/run/there/resolv.conf", rootfs=rootfs, mountpoints=[
                  ("d", "/a/b/c"), ("d", victim), ("d", "/out/deep"),
                  ("d", "/run/there"), ("f", "/etc/resolv.conf")]) as t:
        t.spawn()
        t.call("start")
        equal(t.wait()["status"], 0, t.output())
        equal(os.listdir(victim), [])
        equal(sorted(os.listdir(t.upper + "/fs/a/b")), ["c"])
    with Task("true", rootfs=rootfs, mountpoints=[("d", "/bin/sh/x")]) as t:
        equal(t.refused("spawn")["reason"], "image_invalid_rootfs")
        t.nothing_is_left()
    with Task("true", rootfs=rootfs, mountpoints=[("d", "/bin/sh")]) as t:
        equal(t.refused("spawn")["reason"], "image_invalid_rootfs")


@test
def a_hundred_and_twenty_eight_layers_fit():
    layers = os.path.join(scratch(), "a-rather-long-name-of-a-directory-" * 4)
    paths = []
    for i in range(127):
        path = os.path.join(layers, "%016x" % i, "fs")
        os.makedirs(path)
        with open(os.path.join(path, "layer%d" % i), "w"):
            pass
        paths.append(path)
    base = os.path.join(layers, "base", "fs")
    os.makedirs(os.path.dirname(base))
    make_rootfs(base)
    upper = os.path.join(layers, "top")
    os.makedirs(upper + "/fs")
    os.makedirs(upper + "/work")
    options = ["index=off", "workdir=%s/work" % upper,
               "upperdir=%s/fs" % upper,
               "lowerdir=" + ":".join(paths + [base])]
    with Task("sh", "-c", "ls -d /layer* | wc -l",
              mounts=[("overlay", "overlay", options)]) as t:
        t.spawn()
        t.call("start")
        equal(t.wait()["status"], 0)
        equal(t.output(), b"127\n")
        t.call("delete")
        t.nothing_is_left()


@test
def a_bind_mount_serves_too_and_a_bad_one_is_told():
    rootfs = hostile("bound")
    with Task("touch", "/here", mounts=[("bind", rootfs, ["rbind", "rw"])]) as t:
        t.spawn()
        t.call("start")
        equal(t.wait()["status"], 0)
        check(os.path.exists(rootfs + "/here"))
    with Task("touch", "/x", mounts=[("bind", rootfs, ["bind", "ro"])]) as t:
        t.spawn()
        t.call("start")
        equal(t.wait()["status"], 1)
        check(not os.path.exists(rootfs + "/x"))
    with Task("true", mounts=[("bind", "/no/such", ["bind"])]) as t:
        r = t.refused("spawn")
        equal(r["reason"], "mount_failed")
        check("/no/such" in r["text"])
        t.nothing_is_left()


main("skiff-shim")

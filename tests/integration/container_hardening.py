#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a container made from plain wishes may and may not do, under runc."""
import errno
import glob
import json
import os
import shutil
import subprocess
import tempfile

from skifftest import *  # noqa: F403
from skifftest import BUILD, HERE
from shim_lib import BUSYBOX, RUNC, make_rootfs

needs("root", "runc")

SCRATCH = tempfile.mkdtemp(prefix="skiff-spec.")
DRIVER = os.path.join(BUILD, "tests/integration/spec_driver")
ROOTFS = make_rootfs(os.path.join(SCRATCH, "rootfs"))
PASSWD = "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"
COUNT = 0

with open(os.path.join(ROOTFS, "etc/passwd"), "w") as f:
    f.write(PASSWD)
with open(os.path.join(ROOTFS, "etc/group"), "w") as f:
    f.write("root:x:0:\nstaff:x:50:app\n")
os.chmod(os.path.join(ROOTFS, "tmp"), 0o1777)
subprocess.run(os.environ.get("CC", "gcc").split() +
               ["-static", "-O1", "-o", ROOTFS + "/bin/probe",
                HERE + "/spec_probe.c", "-pthread"], check=True)


def bundle(*args, **wishes):
    """A task's directory whose root is a copy of the common one."""
    global COUNT
    COUNT += 1
    task = os.path.join(SCRATCH, "tasks/default/c%d" % COUNT)
    wishes = dict({"id": "c%d" % COUNT, "image": "x", "args": args}, **wishes)
    r = subprocess.run([DRIVER, ROOTFS, task, json.dumps(wishes)],
                       capture_output=True, text=True)
    equal(r.stderr, "")
    shutil.copytree(ROOTFS, task + "/run/bundle/rootfs", symlinks=True,
                    dirs_exist_ok=True)
    return task


def remove_cgroups(task):
    """The runtime removes the container's own, not those above."""
    with open(task + "/run/bundle/config.json") as f:
        path = json.load(f)["linux"]["cgroupsPath"]
    for top in ("/sys/fs/cgroup", *glob.glob("/sys/fs/cgroup/*/")):
        for part in (os.path.dirname(path),
                     os.path.dirname(os.path.dirname(path))):
            try:
                os.rmdir(os.path.join(top, part.lstrip("/")))
            except OSError:
                pass


def run(*args, **wishes):
    """Runs a command as a container; its output."""
    task = bundle(*args, **wishes)
    name = "skiff-%d-%s" % (os.getpid(), os.path.basename(task))
    try:
        r = subprocess.run([RUNC, "--root", SCRATCH + "/runc", "run",
                            "--bundle", task + "/run/bundle", name],
                           capture_output=True, text=True, timeout=60,
                           stdin=subprocess.DEVNULL)
    finally:
        subprocess.run([RUNC, "--root", SCRATCH + "/runc", "delete",
                        "--force", name], capture_output=True)
        remove_cgroups(task)
    equal((r.returncode, r.stderr), (0, ""))
    shutil.rmtree(task)
    shutil.rmtree(task + ".run")
    return r.stdout


def probe(**wishes):
    lines = run("/bin/probe", **wishes).splitlines()
    return {k: int(v) for k, v in (x.rsplit(" ", 1) for x in lines)}


def status(**wishes):
    lines = run("cat", "/proc/self/status", **wishes).splitlines()
    return {k: v.strip() for k, v in (x.split(":", 1) for x in lines)}


@test
def a_process_has_eleven_capabilities_and_gains_none():
    s = status()
    bits = sum(1 << n for n in (0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31))
    caps = "%016x" % bits
    equal((s["CapEff"], s["CapPrm"], s["CapBnd"]), (caps, caps, caps))
    equal((s["CapInh"], s["CapAmb"]), ("0" * 16, "0" * 16))
    equal((s["NoNewPrivs"], s["Seccomp"], s["Umask"]), ("1", "2", "0022"))
    equal(s["Groups"], "0")


@test
def another_user_has_no_capability_and_its_groups():
    s = status(user="app")
    equal(s["Uid"].split(), ["1000"] * 4)
    equal(s["Gid"].split(), ["1000"] * 4)
    equal(sorted(s["Groups"].split()), ["1000", "50"])
    equal((s["CapEff"], s["CapPrm"], s["CapInh"]), ("0" * 16,) * 3)


@test
def system_calls_that_reach_the_host_are_denied():
    p = probe()
    denied = ("unshare user", "unshare net", "clone user", "setns", "mount",
              "umount", "pivot_root", "open_tree", "sethostname", "keyctl",
              "add_key", "io_uring_setup", "userfaultfd", "bpf",
              "perf_event_open", "kexec_load", "init_module", "swapon",
              "move_pages", "open_by_handle_at", "syslog", "reboot",
              "personality shift", "socket alg", "socket vsock",
              "socket alg, high bit", "socket raw", "socket packet",
              "mknod block")
    equal({k: p[k] for k in denied}, {k: errno.EPERM for k in denied})
    equal(p["clone3"], errno.ENOSYS)
    allowed = ("thread", "fork", "mkfifo", "personality ask", "socket unix",
               "socket inet", "socket ping", "write /", "write /tmp",
               "write /etc/hosts")
    equal({k: p[k] for k in allowed}, {k: 0 for k in allowed})


@test
def read_only_paths_are_read_only():
    p = probe()
    for name in ("write /proc/sys/kernel/core_pattern",
                 "mkdir /sys/fs/cgroup/x"):
        equal((name, p[name]), (name, errno.EROFS))
    # Not every kernel and cgroup mode has these.
    for name in ("write /proc/sysrq-trigger",
                 "mkdir /sys/fs/cgroup/memory/x"):
        check(p[name] in (errno.EROFS, errno.ENOENT))


@test
def masked_paths_show_nothing():
    paths = ["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore",
             "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
             "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
             "/sys/firmware", "/sys/devices/virtual/powercap"]
    out = run("sh", "-c", "for p in %s; do if [ -d $p ]; then ls -A $p; "
              "elif [ -e $p ]; then head -c 10 $p; fi; done" %
              " ".join(paths))
    equal(out, "")


@test
def dev_holds_the_usual_and_no_more():
    out = run("ls", "/dev").split()
    equal(sorted(set(out) - {"core"}),
          ["fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm",
           "stderr", "stdin", "stdout", "tty", "urandom", "zero"])


@test
def mounts_have_their_options():
    options = {}
    for line in run("cat", "/proc/self/mountinfo").splitlines():
        words = line.split()
        options[words[4]] = set(words[5].split(","))
    for path, wanted in {
            "/proc": "nosuid nodev noexec", "/dev": "nosuid",
            "/dev/pts": "nosuid noexec",
            "/dev/shm": "nosuid nodev noexec",
            "/dev/mqueue": "nosuid nodev noexec",
            "/sys": "nosuid nodev noexec ro",
            "/sys/fs/cgroup": "nosuid nodev noexec ro",
            "/run": "nosuid nodev", "/etc/hosts": "nosuid nodev",
            "/etc/hostname": "nosuid nodev",
            "/etc/resolv.conf": "nosuid nodev",
            "/proc/sys": "ro"}.items():
        missing = set(wanted.split()) - options[path]
        equal((path, missing), (path, set()))


@test
def a_container_knows_its_name_and_nothing_of_the_host():
    out = run("sh", "-c", "hostname; cat /etc/hostname /etc/hosts; env; "
              "ls /proc/self/fd; ls /sys/class/net; ulimit -c; ulimit -n; "
              "echo $$; cat /proc/self/oom_score_adj", hostname="web")
    lines = out.splitlines()
    equal(lines[:2], ["web", "web"])
    check("127.0.1.1\tweb" in lines)
    check("HOME=/root" in lines)
    names = {x.split("=")[0] for x in lines if "=" in x}
    equal(names - {"PWD", "SHLVL"}, {"PATH", "HOME"})
    # The directory itself is open while it is listed.
    equal(lines[-9:-5], ["0", "1", "2", "3"])
    equal(lines[-5:-1], ["lo", "0", "1024", "1"])


@test
def limits_reach_the_cgroup():
    out = run("sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes "
              "/sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory.max "
              "/sys/fs/cgroup/pids.max 2>/dev/null; true",
              resources={"memory": 64 << 20, "pids": 32})
    equal(out.split(), [str(64 << 20), "32"])


@test
def a_read_only_root_leaves_tmp_to_write_to():
    p = probe(read_only=True)
    equal((p["write /"], p["write /tmp"]), (errno.EROFS, 0))
    equal(p["write /etc/hosts"], errno.EROFS)


@test
def added_capabilities_open_their_calls():
    p = probe(capabilities={"add": ["SYS_ADMIN", "NET_RAW"]})
    equal((p["unshare user"], p["unshare net"], p["socket raw"]), (0, 0, 0))
    equal((p["keyctl"], p["io_uring_setup"]), (errno.EPERM, errno.EPERM))


@test
def wished_mounts_are_there():
    source = os.path.join(SCRATCH, "source")
    os.makedirs(source, exist_ok=True)
    with open(source + "/file", "w") as f:
        f.write("from the host\n")
    os.makedirs(ROOTFS + "/mnt/a", exist_ok=True)
    os.makedirs(ROOTFS + "/mnt/b", exist_ok=True)
    out = run("sh", "-c", "cat /mnt/a/file; touch /mnt/a/x 2>&1 || true; "
              "touch /mnt/b/x && ls /mnt/b",
              mounts=[{"type": "bind", "source": source, "target": "/mnt/a",
                       "options": ["ro"]},
                      {"type": "tmpfs", "target": "/mnt/b"}])
    check("from the host" in out and "Read-only" in out)
    equal(out.splitlines()[-1], "x")
    equal(os.listdir(source), ["file"])


@test
def a_source_that_is_not_there_is_said():
    task = os.path.join(SCRATCH, "tasks/default/none")
    r = subprocess.run([DRIVER, ROOTFS, task, json.dumps(
        {"id": "none", "image": "x", "args": ["a"], "mounts": [
            {"type": "bind", "source": "/no/such", "target": "/a"}]})],
        capture_output=True, text=True)
    equal(r.returncode, 1)
    check("failed_precondition: mount source /no/such" in r.stderr)
    check(not os.path.exists(task))


try:
    main("tests/integration/spec_driver")
finally:
    shutil.rmtree(SCRATCH, ignore_errors=True)

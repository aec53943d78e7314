# SPDX-License-Identifier: Apache-2.0
"""Tasks for tests of the shim alone: a bundle, a shim, its daemon's side.

    with Task("sh", "-c", "exit 3") as t:
        t.spawn()
        t.call("start")
        equal(t.wait()["status"], 3)
        t.call("delete")
"""
import ctypes
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from skifftest import BUILD, Failed, check, equal  # noqa: F401

RUNC = shutil.which("runc") or "/usr/sbin/runc"
BUSYBOX = "/bin/busybox"
CGROUPS = "/sys/fs/cgroup"
DRIVER = os.path.join(BUILD, "tests/integration/shim_driver")
SHIM = os.path.join(BUILD, "skiff-shim")
PR_SET_CHILD_SUBREAPER = 36

# Shims whose "daemon" is gone become ours, so that none stays a zombie.
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed("not in time: " + what)
        reap()
        time.sleep(0.005)


def make_rootfs(top):
    for name in ("bin", "dev", "proc", "sys", "run", "etc", "tmp"):
        os.makedirs(os.path.join(top, name))
    shutil.copy(BUSYBOX, os.path.join(top, "bin/busybox"))
    for name in subprocess.run([BUSYBOX, "--list"], check=True, text=True,
                               capture_output=True).stdout.split():
        path = os.path.join(top, "bin", name)
        if not os.path.exists(path):
            os.symlink("busybox", path)
    return top


_scratch = None


def scratch():
    global _scratch
    if not _scratch:
        _scratch = tempfile.mkdtemp(prefix="skshim.")
        make_rootfs(os.path.join(_scratch, "rootfs"))
        os.mkdir(os.path.join(_scratch, "runtime"), 0o700)
    return _scratch


def remove_scratch():
    if _scratch:
        shutil.rmtree(_scratch, ignore_errors=True)
    for path in find_cgroups("skiff-test"):
        try:
            os.rmdir(path)
        except OSError:
            pass  # another test is at work beside us


def host_mounts():
    with open("/proc/self/mountinfo") as f:
        return sorted(line for line in f if scratch() in line)


def our_processes(word):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                line = f.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if word in line and int(pid) != os.getpid():
            found.append((int(pid), line))
    return found


def find_cgroups(name):
    return sorted(os.path.join(d, n) for d, names, _ in os.walk(CGROUPS)
                  for n in names if n == name)


class Task:
    count = 0

    def __init__(self, *args, terminal=False, stdin=False, log=True,
                 pid_namespace=True, rootfs=None, edit=None, mounts=None,
                 mountpoints=()):
        Task.count += 1
        self.id = "skt%d-%d" % (os.getpid(), Task.count)
        self.top = scratch()
        self.dir = os.path.join(self.top, "tasks", self.id)
        self.runtime_root = os.path.join(self.top, "runtime")
        self.socket = os.path.join(self.top, self.id + ".s")
        self.cgroup = "/skiff-test/" + self.id
        self.terminal, self.stdin, self.log = terminal, stdin, log
        self.run_dir = os.path.join(self.dir, "run")
        os.makedirs(os.path.join(self.run_dir, "bundle"), 0o700)
        lower = rootfs or os.path.join(self.top, "rootfs")
        self.upper = os.path.join(self.top, "upper", self.id)
        os.makedirs(self.upper + "/fs")
        os.makedirs(self.upper + "/work")
        self.mounts = mounts or [("overlay", "overlay", [
            "index=off", "workdir=%s/work" % self.upper,
            "upperdir=%s/fs" % self.upper, "lowerdir=" + lower])]
        self.mountpoints = mountpoints
        self.write_bundle(list(args), pid_namespace, edit)

    def write_bundle(self, args, pid_namespace, edit):
        bundle = os.path.join(self.run_dir, "bundle")
        subprocess.run([RUNC, "spec"], cwd=bundle, check=True)
        path = os.path.join(bundle, "config.json")
        with open(path) as f:
            config = json.load(f)
        config["process"]["args"] = args
        config["process"]["terminal"] = self.terminal
        config["process"].pop("rlimits", None)
        config["root"]["readonly"] = False
        config["linux"]["cgroupsPath"] = self.cgroup
        if not pid_namespace:
            config["linux"]["namespaces"] = [
                n for n in config["linux"]["namespaces"]
                if n["type"] != "pid"]
        if edit:
            edit(config)
        with open(path, "w") as f:
            json.dump(config, f)
        with open(os.path.join(self.run_dir, "mounts"), "wb") as f:
            for kind, source, options in self.mounts:
                f.write(b"".join(w.encode() + b"\0"
                                 for w in [kind, source] + options) + b"\0")
        with open(os.path.join(self.run_dir, "mountpoints"), "wb") as f:
            for kind, where in self.mountpoints:
                f.write((kind + where).encode() + b"\0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(self.command("cleanup"), capture_output=True)
        reap()
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.upper, ignore_errors=True)

    def command(self, verb, *args, options=()):
        command = [DRIVER, "--shim", SHIM, "--runtime", RUNC,
                   "--runtime-root", self.runtime_root, "--id", self.id,
                   "--socket", self.socket, "--cgroups-path", self.cgroup]
        command += ["--terminal"] if self.terminal else []
        command += ["--stdin"] if self.stdin else []
        command += [] if self.log else ["--no-log"]
        return command + list(options) + [verb, self.dir] + \
            [str(a) for a in args]

    def run(self, verb, *args, options=(), env=None):
        done = subprocess.run(self.command(verb, *args, options=options),
                              capture_output=True,
                              env=dict(os.environ, **(env or {})))
        if done.returncode not in (0, 1):
            raise Failed("%s: status %d: %s" % (verb, done.returncode,
                                                done.stderr.decode()))
        return done.returncode == 0, done.stdout

    def call(self, verb, *args, **more):
        ok, out = self.run(verb, *args, **more)
        check(ok, verb, out)
        words = out.decode().split()
        return {words[i]: int(words[i + 1]) if words[i + 1].isdigit()
                else words[i + 1] for i in range(0, len(words) - 1, 2)}

    def refused(self, verb, *args, **more):
        ok, out = self.run(verb, *args, **more)
        check(not ok, verb, "was not refused:", out)
        _, code, reason, state, text = out.decode().rstrip().split(" ", 4)
        return {"code": code, "reason": reason, "state": state, "text": text}

    def spawn(self, **more):
        self.made = self.call("spawn", **more)
        return self.made

    def wait(self):
        return self.call("wait")

    def output(self, *options):
        ok, out = self.run("log", options=options)
        check(ok, out)
        return out

    def file(self, name):
        with open(os.path.join(self.dir, name), "rb") as f:
            return f.read()

    def index(self):
        data = self.file("log.idx")
        return [struct.unpack_from("<QqIBB", data, i)
                for i in range(0, len(data) // 24 * 24, 24)]

    def nothing_is_left(self):
        reap()
        until(lambda: not our_processes(self.id), "processes end")
        equal(host_mounts(), [])
        equal(find_cgroups(self.id), [])
        check(not os.path.exists(os.path.join(self.runtime_root, self.id)))
        check(not os.path.exists(self.socket))


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    until(lambda: not os.path.exists("/proc/%d/exe" % pid) or
          not is_alive(pid), "process %d ends" % pid)


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What images and containers have been seen to do to their hosts."""
import hashlib
import re
import threading

from lib_images import Tar, busybox_tree
from skifftest import *

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"
STAY = ["sleep", "1000"]


def layered(name, layer=None, config=None):
    """busybox with a layer of its own."""
    layout = Layout(name)
    layers = [busybox_tree()] + ([layer.bytes()] if layer else [])
    return layout.tag(layout.image(layers, config))


def image(name="plain", layer=None, config=None):
    """The same, pulled once."""
    s = the_daemon()
    ref = "%s/t/%s:1" % (the_registry().host, name)
    if s.get(N + "/images/" + quote(ref), expect=None).status == 404:
        s.pull(the_registry().push(str(layered(name, layer, config)),
                                   "t/%s:1" % name))
    return ref


def log(name):
    return the_daemon().get(N + "/tasks/%s/logs" % name).text


def remove(name):
    the_daemon().delete(N + "/containers/%s?force=true" % name)


def output(args, ref=None, **wishes):
    """Of a container that ends well."""
    s = the_daemon()
    s.run("out", ref or image(), args, **wishes)
    ended = s.wait_task("out")
    text = log("out")
    remove("out")
    equal(ended["exit_status"], 0, text)
    return text


def execute(name, script, **wishes):
    return the_daemon().post(N + "/tasks/%s/execs?wait=true" % name,
                             dict(wishes, args=["sh", "-c", script])).json


def await_program(name):
    """A start is answered while the runtime's init becomes the program."""
    until(lambda: [p["name"] for p in the_daemon().get(
        N + "/tasks/%s/pids" % name).json["processes"]] == ["sleep"],
          "the program")


def file_digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


class Spoilable(Daemon):
    """One whose programs are copies, which a container may spoil."""

    def __init__(self, name):
        own = scratch("own")
        os.makedirs(own)
        self.programs = [shutil.copy(os.path.join(BUILD, program), own)
                         for program in ("skiffd", "skiff-shim",
                                         "skiff-init")]
        self.runtime = shutil.copy(shutil.which("runc"), own)
        super().__init__(name, args=["--shim", own + "/skiff-shim"])

    def command(self):
        return [self.programs[0]] + super().command()[1:]

    def digests(self):
        return {path: file_digest(path)
                for path in self.programs + [self.runtime]}


# Whatever is no busybox is opened to be read, which is allowed, and written
# to through the descriptor as soon as nobody runs it any more.
SPOIL = """echo up; while :; do for p in /proc/[0-9]*; do
case $(readlink $p/exe) in */busybox|"") ;; *)
(exec 4<$p/exe; echo opened; i=0; while [ $i -lt 20 ]; do
(echo spoilt >>/proc/self/fd/4); (echo spoilt >>$p/exe); i=$((i + 1))
done) 2>/dev/null;; esac; done; done"""
# The same of init, by all its names; what is deleted and replaced, too.
SPOIL_INIT = """for f in /proc/1/exe /dev/init /proc/1/root/dev/init; do
(echo spoilt >>$f); (echo spoilt >$f); (exec 4<$f; echo >>/proc/self/fd/4)
(exec 4<$f; echo spoilt >/proc/self/fd/4); chmod 777 $f; rm -f $f
cp /bin/busybox /tmp/mine; mv /tmp/mine $f; cp /bin/busybox $f
truncate -s 0 $f; dd if=/dev/zero of=$f count=1; done 2>/dev/null; exit 3"""
N_EXECS = 200


@test
def a_program_does_not_write_to_what_it_was_started_by():
    """CVE-2019-5736: through /proc/PID/exe of the runtime in the container,
    and of an exec that is the runtime again."""
    again = Tar({"bin": None})
    again.put("bin/again", b"#!/proc/self/exe\n", 0o755)
    with Spoilable("spoilable") as s:
        before = s.digests()
        ref = the_registry().push(str(layered("again", again)), "t/again:1")
        s.pull(ref)
        for name, wishes in (("writer", {}), ("inited", {"init": True})):
            s.run(name, ref, ["sh", "-c", SPOIL], runtime={
                "name": s.runtime}, capabilities={"add": ["SYS_PTRACE"]},
                **wishes)
            until(lambda: "up" in s.get(N + "/tasks/%s/logs" % name).text,
                  "the loop")
        n_run = spoil_by_execs(s, ("writer", "inited"))
        opened = [s.get(N + "/tasks/%s/logs" % name).text.count("opened")
                  for name in ("writer", "inited")]
        diagnose("%d of %d execs ran; opened for them: %s" % (
            n_run, N_EXECS, opened))
        check(all(opened), "nothing was attacked", opened)
        # Nor is an entrypoint the runtime again.
        answer = s.post(N + "/containers?start=true", {
            "id": "again", "image": ref, "args": ["/bin/again"],
            "runtime": {"name": s.runtime}}, expect=None)
        if answer.status == 201:
            check(s.wait_task("again")["exit_status"] != 0)
        equal(s.digests(), before)
        for name in ("writer", "inited", "again"):
            s.delete(N + "/containers/%s?force=true" % name, expect=None)


def spoil_by_execs(s, names):
    """How many of them ran; the runtime may refuse to run itself."""
    answers = []

    def work(name):
        script = SPOIL_INIT if name == "inited" else "exit 3"
        for i in range(N_EXECS // 4):
            how = ("sh", "self", "again")[i % 3]
            args = {"sh": ["sh", "-c", script], "self": ["/proc/self/exe"],
                    "again": ["/bin/again"]}[how]
            answer = s.post(N + "/tasks/%s/execs?wait=true" % name,
                            {"args": args}, expect=None)
            answers.append((how, answer.status, answer.json))
    threads = [threading.Thread(target=work, args=(name,))
               for name in names * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(len(answers), N_EXECS)
    for how, status, answer in answers:
        check(how != "sh" or
              (status, answer.get("exit_status")) == (200, 3), how, answer)
    return len([status for _, status, _ in answers if status == 200])


class Leaky(Daemon):
    """One that was started with a directory of the host open."""

    def command(self):
        return ["sh", "-c", "exec 9</etc; exec \"$@\"", "sh"] + \
            super().command()


@test
def no_descriptor_of_the_host_s_gets_inside():
    """CVE-2024-21626."""
    with Leaky("leaky") as s:
        ref = the_registry().push(busybox(), "t/leaky:1")
        s.pull(ref)
        link = os.readlink("/proc/%d/fd/9" % s.process.pid)
        equal(link, "/etc")
        s.run("fds", ref, ["sh", "-c", "ls /proc/self/fd; sleep 1000"])
        until(lambda: s.get(N + "/tasks/fds/logs").text.count("\n") >= 4,
              "the list")
        # The directory itself is open while it is listed.
        equal(s.get(N + "/tasks/fds/logs").text.split(), list("0123"))
        equal(s.post(N + "/tasks/fds/execs?wait=true", {
            "args": ["ls", "/proc/self/fd"]}).json["stdout"].split(),
            list("0123"))
        s.delete(N + "/containers/fds?force=true")


@test
def what_an_image_has_in_dev_is_not_used():
    """CVE-2025-31133, CVE-2025-52565: symlinks in the place of devices."""
    ref = image("dev", Tar({
        "dev": None, "dev/null": "/proc/sys/kernel/core_pattern",
        "dev/pts": "/proc", "dev/console": "/proc/sysrq-trigger",
        "dev/shm": "/etc"}))
    with open("/proc/sys/kernel/core_pattern") as f:
        before = f.read()
    script = ("for f in null pts console shm; do [ -L /dev/$f ] && exit 3; "
              "done; [ -c /dev/null ] && echo x >/dev/null && echo fine")
    equal(output(["sh", "-c", script], ref), "fine\n")
    equal(output(["sh", "-c", "[ -t 0 ] && " + script], ref, terminal=True,
                 stdio={"stdin": True}), "fine\r\n")
    with open("/proc/sys/kernel/core_pattern") as f:
        equal(f.read(), before)


@test
def nothing_is_mounted_inside_a_volume_that_others_write_to():
    """CVE-2024-45310, CVE-2021-30465: whoever writes to the volume could
    exchange the mount point for a symlink, and the runtime would follow."""
    s = the_daemon()
    volume = scratch("volume")
    os.makedirs(volume + "/a/deep")
    shared = {"type": "bind", "source": volume, "target": "/vol"}
    for target in ("/vol/a", "/vol/a/deep", "/vol/none", "/vol//a",
                   "/vol/a/"):
        for kind in ({"type": "tmpfs"}, {"type": "bind", "source": volume}):
            inner = dict(kind, target=target)
            for mounts, at in (([shared, inner], 1), ([inner, shared], 0)):
                problem = s.post(N + "/containers", {
                    "image": image(), "mounts": mounts}, expect=400).json
                equal(problem["field"], "/mounts/%d/target" % at, mounts)
    equal(os.listdir(volume), ["a"])


@test
def an_exec_has_no_more_than_its_container():
    """CVE-2021-20188, CVE-2022-24769, CVE-2026-30892."""
    s = the_daemon()
    s.run("user", image(), STAY, user="1000:1000")
    await_program("user")
    answer = execute("user", "cat /proc/self/status")
    found = dict(line.split(":\t", 1)
                 for line in answer["stdout"].splitlines() if ":\t" in line)
    for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        equal((name, int(found[name], 16)), (name, 0))
    equal((found["NoNewPrivs"], found["Seccomp"]), ("1", "2"))
    with open("/proc/%d/status" % s.get(
            N + "/tasks/user").json["pid"]) as f:
        bounding = next(x.split()[1] for x in f if x.startswith("CapBnd"))
    equal(found["CapBnd"], bounding)
    for user, ids in (("1", "1 0"), ("1:1", "1 1"), ("2:3", "2 3")):
        equal(execute("user", "echo $(id -u) $(id -g)", user=user)["stdout"],
              ids + "\n", user)
    for user in ("4294967296", "-1", "0x0", "1 ", "+1"):
        s.post(N + "/tasks/user/execs", {"args": ["id"], "user": user},
               expect=400)
    remove("user")


@test
def groups_that_may_not_read_do_not():
    """CVE-2022-36109, CVE-2023-25173: a file that all but a group may read;
    who is in that group has it, in execs as well."""
    layer = Tar({"etc": None,
                 "etc/passwd": b"root:x:0:0::/:\napp:x:1000:1000::/:\n"
                               b"other:x:1001:1001::/:\n",
                 "etc/group": b"root:x:0:\napp:x:1000:\nstaff:x:50:app\n"
                              b"other:x:1001:\n"})
    layer.put("secret", b"read\n", 0o604, 0, 50)
    ref = image("groups", layer)
    script = "id -G; cat /secret || true"
    for user, text in (("app", "1000 50\n"), ("other", "1001\nread\n")):
        lines = output(["sh", "-c", script], ref, user=user).splitlines()
        lines = [x for x in lines if "denied" not in x]
        equal("".join(x + "\n" for x in lines), text, user)
    s = the_daemon()
    s.run("g", ref, STAY, user="other")
    equal(execute("g", script, user="app")["stdout"], "1000 50\n")
    equal(execute("g", script)["stdout"], "1001\nread\n")
    remove("g")


@test
def labels_of_an_image_order_nothing():
    """CVE-2026-53488: they are the publisher's, and no labels of ours."""
    s = the_daemon()
    mark = scratch("mark")
    labels = {"containerd.io/restart.status": "running",
              "containerd.io/restart.policy": "always",
              "containerd.io/restart.loguri": "binary:///bin/touch?%s" % mark,
              "containerd.io/gc.root": "x", "containerd.io/gc.expire": "x",
              "skiff.restart": "always",
              "io.kubernetes.cri-o.Devices": "/dev/sda",
              "org.systemd.property.ExecStart": "/bin/true"}
    start = s.revision()
    ref = image("labels", None, {"Labels": labels})
    s.run("l", ref, ["sh", "-c", "exit 3"])
    equal(s.wait_task("l")["exit_status"], 3)
    container = s.get(N + "/containers/l").json
    equal(container.get("labels", {}), {})
    check(not set(labels) & set(container["spec"].get("annotations", {})),
          container["spec"].get("annotations"))
    check(not set(labels) & set(s.get(
        N + "/images/" + quote(ref)).json.get("labels", {})))
    s.restart()
    equal(s.get(N + "/tasks/l").json["state"], "stopped")
    check("/tasks/restart" not in [e["topic"] for e in s.events(start)])
    check(not os.path.exists(mark))
    remove("l")
    s.get(N + "/images/" + quote(ref))


def abstract_sockets(pids):
    """Names of those that one of the processes holds."""
    held = set()
    for pid in pids:
        for fd in os.listdir("/proc/%d/fd" % pid):
            try:
                found = re.match(r"socket:\[(\d+)\]", os.readlink(
                    "/proc/%d/fd/%s" % (pid, fd)))
            except OSError:
                continue
            if found:
                held.add(found.group(1))
    with open("/proc/net/unix") as f:
        rows = [line.split() for line in f]
    return [row[7] for row in rows
            if len(row) > 7 and row[7].startswith("@") and row[6] in held]


@test
def a_container_on_the_host_s_network_reaches_no_socket_of_ours():
    """CVE-2020-15257: abstract sockets are the network namespace's."""
    s = the_daemon()
    s.run("net", image(), STAY, network="host")
    pid = s.get(N + "/tasks/net").json["pid"]
    with open("/proc/%d/status" % pid) as f:
        shim = int(next(x.split()[1] for x in f if x.startswith("PPid")))
    equal(abstract_sockets([s.process.pid, shim]), [])
    equal(execute("net", "ls -d %s %s" % (s.socket, s.state))["stdout"], "")
    remove("net")


@test
def the_image_s_programs_are_not_asked_about_it():
    """CVE-2022-1227."""
    s = the_daemon()
    layer = Tar()
    for name in ("ps", "top", "id"):
        layer.put("bin/" + name, b"#!/bin/sh\n>/asked\n", 0o755)
    s.run("ps", image("ps", layer), STAY)
    await_program("ps")
    s.get(N + "/tasks/ps/processes")
    s.get(N + "/tasks/ps/metrics")
    equal(execute("ps", "ls /asked")["stdout"], "")
    remove("ps")


@test
def a_file_of_the_client_s_takes_the_place_of_a_generated_one():
    """CVE-2021-43816: and the host's own is as it was."""
    with open("/etc/resolv.conf", "rb") as f:
        before = f.read()
    mine = scratch("resolv")
    with open(mine, "w") as f:
        f.write("# mine\n")
    text = output(["sh", "-c", "cat /etc/resolv.conf; "
                   "echo more >>/etc/resolv.conf"],
                  mounts=[{"type": "bind", "source": mine,
                           "target": "/etc/resolv.conf"}])
    equal(text, "# mine\n")
    with open(mine) as f:
        equal(f.read(), "# mine\nmore\n")
    with open("/etc/resolv.conf", "rb") as f:
        equal(f.read(), before)


@test
def shared_memory_is_bounded():
    """CVE-2024-3056."""
    equal(output(["sh", "-c", "head -c 70000000 /dev/zero 2>/dev/null "
                  ">/dev/shm/x && exit 1; stat -c %s /dev/shm/x"]),
          "%d\n" % (64 << 20))


@test
def what_one_container_has_another_has_not():
    """CVE-2020-14370."""
    s = the_daemon()
    s.run("first", image(), STAY, env=["SECRET=1"],
          sysctls={"kernel.msgmax": "4096"})
    check("SECRET" not in output(["env"]))
    check(s.get(N + "/containers/first").json["spec"]["linux"]["sysctl"]
          .get("kernel.msgmax") == "4096")
    s.post(N + "/containers", {"id": "second", "image": image()}, expect=201)
    spec = s.get(N + "/containers/second").json["spec"]
    check("kernel.msgmax" not in spec["linux"]["sysctl"])
    remove("first")
    remove("second")


@test
def bad_programs_are_told_and_leave_nothing():
    layer = Tar()
    layer.put("bin/garbage", b"\x00\x01\x02garbage", 0o755)
    layer.put("bin/foreign", b"\x7fELF\x02\x01\x01" + bytes(9) +
              b"\x02\x00\xf3\x00" + bytes(100), 0o755)
    layer.put("bin/unreadable", b"#!/bin/sh\n", 0o000)
    layer.put("bin/orphan", b"#!/no/such/interpreter\n", 0o755)
    layer.put("bin/loop", "loop")
    ref = image("programs", layer)
    s = the_daemon()
    before = s.picture()
    for program in ("garbage", "foreign", "unreadable", "orphan", "loop",
                    "loop/x", "busybox/x"):
        answer = s.post(N + "/containers?start=true", {
            "id": "bad", "image": ref, "args": ["/bin/" + program]},
            expect=None)
        if answer.status == 201:  # what the kernel says comes later
            check(s.wait_task("bad")["exit_status"] != 0, program)
            check("/bin/" + program in log("bad"), log("bad"))
            remove("bad")
        else:
            equal((answer.status, answer.json["reason"]),
                  (409, "executable_not_found"), program)
    equal(differences(before, s.picture()), [])


@test
def the_daemon_is_as_well_as_before():
    s = the_daemon()
    equal(s.get(N + "/containers").json["items"], [])
    with open(s.log) as f:
        equal([line for line in f if " error " in line], [])


main()

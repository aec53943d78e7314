#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Containers with user namespaces: who they are on the host, whose their
files are, and what they cannot have."""
import stat

from skifftest import *
from lib_tasks import N, cgroup_value, remove, task, wait_ready

needs("root", "runc", "skopeo", "docker-registry", "busybox")

STAY = ["sh", "-c", "echo ready; sleep 1000"]
AUTO = {"userns": "auto"}
SNAPSHOTS = N + "/snapshots/overlay"
# The way to the root filesystem must be open to all.
os.chmod(scratch(), 0o711)


def can():
    """Skips where the kernel cannot, in the daemon's words."""
    s = the_daemon()
    # Of a test that failed.
    for left in s.get(N + "/containers").json["items"]:
        remove(s, left["id"])
    answer = s.api("POST", N + "/containers?dry_run=true",
                   dict(AUTO, image=image(s)))
    if answer.status == 501:
        raise Skip(answer.json["detail"])
    equal(answer.status, 200, answer)
    return s


def start(s, id, args=STAY, **wishes):
    s.run(id, wishes.pop("image", None) or image(s), args,
          **dict(AUTO, **wishes))
    if args == STAY:
        wait_ready(s, id)


def output(s, args, **wishes):
    """What a container of these wishes says, to its end."""
    start(s, "o", args, **wishes)
    status = s.wait_task("o")["exit_status"]
    text = s.get(task("o", "/logs")).text
    remove(s, "o")
    equal(status, 0, text)
    return text


def base_of(s, id, ns="default"):
    """The first id of its range, which users and groups share."""
    spec = s.get("/v1/namespaces/%s/containers/%s" % (ns, id)).json["spec"]
    [users] = spec["linux"]["uidMappings"]
    equal(spec["linux"]["gidMappings"], [users])
    equal((users["containerID"], users["size"]), (0, 65536))
    return users["hostID"]


def pid_of(s, id, ns="default"):
    return s.get("/v1/namespaces/%s/tasks/%s" % (ns, id)).json["pid"]


def shim_of(s, id):
    with open("%s/tasks/default/%s/run/shim" % (s.root, id)) as f:
        return int(dict(line.split() for line in f)["shim_pid"])


def ids_of(pid):
    """{user and group ids that the host sees}"""
    with open("/proc/%d/status" % pid) as f:
        rows = dict(line.rstrip("\n").split(":", 1) for line in f)
    return {key: {int(x) for x in rows[key].split()} for key in ("Uid", "Gid")}


def execute(s, id, args, **wishes):
    """The exit status of an exec, and what it says."""
    answer = s.post(task(id, "/execs?wait=true"),
                    dict(wishes, args=args)).json
    return answer["exit_status"], answer["stdout"] + answer["stderr"]


def upper_of(s, key):
    """The directory with what was written, as it is on the disk."""
    for mount in s.get("%s/%s/mounts" % (SNAPSHOTS, key)).json["mounts"]:
        for option in mount["options"]:
            if option.startswith("upperdir="):
                return option[len("upperdir="):]
    raise Failed("nothing can be written to " + key)


def owner(path):
    found = os.lstat(path)
    return found.st_uid, found.st_gid


# --- who it is ----------------------------------------------------------------

@test
def root_in_the_container_is_nobody_on_the_host():
    s = can()
    start(s, "a")
    base = base_of(s, "a")
    check(base >= 524288 and base % 65536 == 0, base)
    equal(ids_of(pid_of(s, "a")), {"Uid": {base}, "Gid": {base}})
    equal(execute(s, "a", ["cat", "/proc/self/uid_map"])[1].split(),
          ["0", str(base), "65536"])
    equal(execute(s, "a", ["cat", "/proc/self/gid_map"])[1].split(),
          ["0", str(base), "65536"])
    equal(execute(s, "a", ["id", "-u"]), (0, "0\n"))
    remove(s, "a")


@test
def without_the_wish_ids_are_the_hosts():
    s = the_daemon()
    for wish in ({}, {"userns": "host"}):
        s.run("h", image(s), STAY, **wish)
        equal(ids_of(pid_of(s, "h")), {"Uid": {0}, "Gid": {0}})
        check("uidMappings" not in
              s.get(N + "/containers/h").json["spec"]["linux"])
        remove(s, "h")


@test
def two_namespaces_have_no_id_in_common():
    s = can()
    s.pull(image(s), namespace="other")
    start(s, "a")
    start(s, "b")
    s.run("a", image(s), STAY, namespace="other", **AUTO)
    mine, others = base_of(s, "a"), base_of(s, "a", "other")
    equal(base_of(s, "b"), mine)
    check(abs(mine - others) >= 65536, mine, others)
    equal(ids_of(pid_of(s, "a", "other"))["Uid"], {others})
    s.delete("/v1/namespaces/other/containers/a?force=true")
    remove(s, "a")
    remove(s, "b")


@test
def other_users_and_groups_are_its_own_too():
    s = can()
    start(s, "a", user="alice", group_add=["4000"])
    base = base_of(s, "a")
    equal(ids_of(pid_of(s, "a")),
          {"Uid": {base + 1000}, "Gid": {base + 1000}})
    equal(set(execute(s, "a", ["id", "-G"])[1].split()),
          {"1000", "100", "4000"})
    remove(s, "a")
    start(s, "a")
    answer = s.post(task("a", "/execs?start=true"), {
        "args": ["sleep", "1000"], "user": "1000:100"}, expect=201).json
    equal(ids_of(answer["pid"]), {"Uid": {base + 1000}, "Gid": {base + 100}})
    equal(execute(s, "a", ["su", "alice", "-c", "id -u"]), (0, "1000\n"))
    problem = s.post(task("a", "/execs?wait=true"), {
        "args": ["id"], "user": "65536"}, expect=400).json
    equal(problem["field"], "/user")
    remove(s, "a")


@test
def all_capabilities_end_at_its_own_border():
    s = can()
    given = scratch("given")
    os.mkdir(given)
    wishes = {"capabilities": {"add": ["ALL"]}, "seccomp": "unconfined",
              "allow_new_privileges": True,
              "mounts": [{"type": "bind", "source": given, "target": "/given"}]}
    script = """for try in 'mknod /node c 1 3' 'touch /given/x' 'chmod 711 /given' \
        'mount -t tmpfs x /tmp'; do
            $try 2>/dev/null && echo yes || echo no
        done"""
    equal(output(s, ["sh", "-c", script], **wishes).split(),
          ["no", "no", "no", "yes"])
    equal(output(s, ["sh", "-c", script], userns="host", **wishes).split(),
          ["yes"] * 4)


# --- files --------------------------------------------------------------------

@test
def files_have_the_containers_ids_on_the_disk_and_the_hosts_outside():
    s = can()
    shared = scratch("shared")
    os.makedirs(shared, exist_ok=True)
    os.chmod(shared, 0o777)
    start(s, "a", mounts=[{"type": "bind", "source": shared,
                           "target": "/shared"}])
    base = base_of(s, "a")
    # Seen from within, the image's files are as the image has them.
    text = execute(s, "a", ["stat", "-c", "%n %u:%g", "/bin/busybox",
                            "/etc/passwd", "/home/alice", "/etc/hosts"])[1]
    equal(text.split(), ["/bin/busybox", "0:0", "/etc/passwd", "0:0",
                         "/home/alice", "1000:1000", "/etc/hosts", "0:0"])
    equal(execute(s, "a", ["sh", "-c", """
        touch /made /changed /shared/root && chown 1234:5678 /changed &&
        echo more >> /etc/passwd && echo 127.0.0.2 more >> /etc/hosts &&
        chown alice /bin/busybox && rm /etc/group"""]), (0, ""))
    equal(execute(s, "a", ["touch", "/shared/alice", "/home/alice/x"],
                  user="alice"), (0, ""))
    upper = upper_of(s, "a")
    for name, ids in {"made": (0, 0), "changed": (1234, 5678),
                      "etc/passwd": (0, 0), "bin/busybox": (1000, 0),
                      "home/alice/x": (1000, 1000), "": (0, 0),
                      "dev": (0, 0), "etc/hosts": (0, 0)}.items():
        equal(owner(os.path.join(upper, name)), ids, name)
    equal(owner(shared + "/root"), (base, base))
    equal(owner(shared + "/alice"), (base + 1000, base + 1000))
    # Its shim has taken away what showed it the layers.
    with open("/proc/%d/mountinfo" % shim_of(s, "a")) as f:
        points = [line.split()[4] for line in f]
    check(s.root + "/snapshots/overlay" not in points, points)
    check(any(x.endswith("/bundle/rootfs") for x in points), points)
    # What is not its own it cannot change.
    open(shared + "/hosts", "w").close()
    check(execute(s, "a", ["sh", "-c", "echo x > /shared/hosts"])[0] != 0)
    remove(s, "a")


@test
def a_snapshot_may_change_between_with_and_without():
    s = can()
    name = the_registry().push(layered_image(), "t/layered:1")
    s.pull(name)
    s.post(N + "/containers", dict(AUTO, id="a", image=name, args=[
        "sh", "-c", "cat /a/keep /d/new /over /link 2>/dev/null; echo; "
        "ls /a; ls /d; stat -c %u:%g /over /mine 2>/dev/null; "
        "rm -f /d/new; echo x >> /over; touch /mine; chown 7:8 /mine"]), expect=201)

    def once():
        s.post(N + "/tasks", {"container": "a"}, expect=201)
        s.post(task("a", "/start"))
        s.wait_task("a")
        text = s.get(task("a", "/logs")).text.split()
        s.delete(task("a"), expect=200)
        return text

    equal(once(), ["1222", "keep", "new", "0:0"])
    s.patch(N + "/containers/a", {"userns": "host"})
    check("user" not in [n["type"] for n in s.get(
        N + "/containers/a").json["spec"]["linux"]["namespaces"]])
    again = once()
    equal(again[-2:], ["0:0", "7:8"])
    check("new" not in again, again)
    s.patch(N + "/containers/a", {"userns": "auto"})
    equal(once()[-2:], ["0:0", "7:8"])
    equal(owner(upper_of(s, "a") + "/mine"), (7, 8))
    remove(s, "a")


@test
def what_is_committed_has_the_plain_ids():
    s = can()
    parent = [x["key"] for x in s.get(SNAPSHOTS).json["items"]
              if x["kind"] == "committed" and not x.get("parent")][0]
    s.post(SNAPSHOTS, {"key": "mine", "parent": parent, "labels": {
        "containerd.io/gc.root": "1"}}, expect=201)
    s.post(N + "/containers", dict(AUTO, id="a", snapshot_key="mine", args=[
        "sh", "-c", "echo x > /made; chown 3:4 /made"]), expect=201)
    s.post(N + "/tasks", {"container": "a"}, expect=201)
    s.post(task("a", "/start"))
    equal(s.wait_task("a")["exit_status"], 0)
    remove(s, "a")
    s.post(SNAPSHOTS + "/mine/commit", {"name": "done"})
    # Two layers that nobody can write to, then one above them.
    for key, kind in (("view", "view"), ("above", "active")):
        s.post(SNAPSHOTS, {"key": key, "parent": "done", "kind": kind},
               expect=201)
        for wish in ({}, AUTO):
            s.post(N + "/containers", dict(
                wish, id="b", snapshot_key=key, args=["stat", "-c", "%u:%g",
                                                      "/made", "/bin"]),
                expect=201)
            s.post(N + "/tasks", {"container": "b"}, expect=201)
            s.post(task("b", "/start"))
            s.wait_task("b")
            equal(s.get(task("b", "/logs")).text.split(), ["3:4", "0:0"], key)
            s.patch(SNAPSHOTS + "/" + key, {"labels": {
                "containerd.io/gc.root": "1"}})
            remove(s, "b")
        s.delete(SNAPSHOTS + "/" + key)
    s.delete(SNAPSHOTS + "/done")


@test
def a_snapshot_without_layers_below_is_mapped_too():
    s = can()
    made = s.post(SNAPSHOTS, {"key": "bare"}, expect=201).json["mounts"][0]
    equal(made["type"], "bind")
    for name in "bin", "etc":
        os.mkdir(os.path.join(made["source"], name))
    shutil.copy(shutil.which("busybox"), made["source"] + "/bin/busybox")
    os.symlink("busybox", made["source"] + "/bin/sh")
    s.post(N + "/containers", dict(AUTO, id="a", snapshot_key="bare", args=[
        "sh", "-c", "busybox stat -c %u:%g /bin; echo x > /made; "
        "busybox chown 5:6 /made"]), expect=201)
    s.post(N + "/tasks", {"container": "a"}, expect=201)
    s.post(task("a", "/start"))
    equal(s.wait_task("a")["exit_status"], 0, s.get(task("a", "/logs")).text)
    equal(s.get(task("a", "/logs")).text, "0:0\n")
    equal(owner(made["source"] + "/made"), (5, 6))
    remove(s, "a")


# --- what goes with it --------------------------------------------------------

@test
def limits_reach_the_cgroup_with_and_without():
    """CVE-2025-47291: of containers with user namespaces they did not."""
    s = can()
    for wish in ({"userns": "host"}, AUTO):
        start(s, "a", resources={"memory": 64 << 20, "pids": 32}, **wish)
        pid = pid_of(s, "a")
        equal(cgroup_value(pid, "memory.limit_in_bytes", "memory.max"),
              str(64 << 20), wish)
        equal(cgroup_value(pid, "pids.max"), "32", wish)
        remove(s, "a")


@test
def its_streams_can_be_opened_anew():
    s = can()
    text = output(s, ["sh", "-c", "echo out > /dev/stdout; "
                      "echo err > /proc/self/fd/2"])
    equal(sorted(text.split()), ["err", "out"])
    text = output(s, ["sh", "-c", "echo out > /dev/stdout"], user="alice")
    equal(text, "out\n")
    start(s, "a")
    equal(execute(s, "a", ["sh", "-c", "echo x > /dev/stderr"],
                  user="alice"), (0, "x\n"))
    remove(s, "a")


@test
def it_has_a_terminal():
    s = can()
    text = output(s, ["sh", "-c", "tty; stat -c %u /dev/console; "
                      "echo on > /dev/tty"], terminal=True)
    equal(text.split(), ["/dev/pts/0", "0", "on"])


@test
def init_mounts_and_sysctls_work():
    s = can()
    text = output(
        s, ["sh", "-c", "cat /proc/1/comm /proc/sys/kernel/msgmax "
            "/proc/sys/net/ipv4/ip_unprivileged_port_start; touch /t/x && "
            "stat -c %u /t /t/x; touch /x 2>&1 || echo read-only"], init=True,
        read_only=True, sysctls={
            "net.ipv4.ip_unprivileged_port_start": "80",
            "kernel.msgmax": "4000"},
        mounts=[{"type": "tmpfs", "target": "/t"}])
    equal(text.split()[:5], ["init", "4000", "80", "0", "0"], text)
    equal(text.split()[-1], "read-only")


@test
def a_device_that_is_open_to_all_is_had():
    s = can()
    path = "/dev/skt%d" % os.getpid()
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    try:
        problem = s.post(N + "/containers", dict(
            AUTO, image=image(s), devices=[{"path": path}]), expect=400).json
        equal(problem["field"], "/devices/0/path")
        os.chmod(path, 0o666)
        problem = s.post(N + "/containers", dict(
            AUTO, image=image(s), devices=[
                {"path": path, "container_path": "/dev/other"}]),
            expect=400).json
        equal(problem["field"], "/devices/0/container_path")
        equal(output(s, ["sh", "-c", "head -c 2 %s | wc -c" % path],
                     devices=[{"path": path}]), "2\n")
    finally:
        os.unlink(path)


@test
def processes_of_it_can_be_joined_but_not_its_memory():
    s = can()
    start(s, "a", ipc="shareable")
    equal(output(s, ["stat", "-c", "%u", "/proc/1"], userns="host",
                 pid="container:a"), "%d\n" % base_of(s, "a"))
    s.post(N + "/containers", {"id": "b", "image": image(s),
                               "ipc": "container:a"}, expect=201)
    problem = s.post(N + "/tasks", {"container": "b"}, expect=409).json
    equal(problem["reason"], "namespace_unavailable")
    check("user namespace" in problem["detail"], problem)
    remove(s, "b")
    remove(s, "a")


# --- lives and deaths ---------------------------------------------------------

@test
def it_outlives_the_daemon_and_leaves_nothing():
    can()
    with Daemon("life") as s:
        s.pull(the_registry().push(busybox(), "t/busybox:1"))
        start(s, "a")
        base = base_of(s, "a")
        remove(s, "a")
        before = s.picture()
        start(s, "a", restart_policy="always")
        s.kill9()
        s.start()
        equal(ids_of(pid_of(s, "a"))["Uid"], {base})
        equal(execute(s, "a", ["touch", "/x"]), (0, ""))
        equal(owner(upper_of(s, "a") + "/x"), (0, 0))
        # Another run, another mount.
        first = pid_of(s, "a")
        s.post(task("a", "/restart"))
        until(lambda: pid_of(s, "a") not in (first, None), "another run")
        equal(ids_of(pid_of(s, "a"))["Uid"], {base})
        equal(execute(s, "a", ["stat", "-c", "%u", "/x"]), (0, "0\n"))
        # Its shim dies, and takes the mounts along.
        second = pid_of(s, "a")
        os.kill(shim_of(s, "a"), signal.SIGKILL)
        until(lambda: pid_of(s, "a") not in (second, None), "a third run")
        equal(ids_of(pid_of(s, "a"))["Uid"], {base})
        remove(s, "a")
        equal(differences(before, s.picture()), [])
        # What let its root through does so no further than to the task.
        start(s, "a")
        modes = {path: stat.S_IMODE(os.stat(path).st_mode) for path in (
            s.root, s.state + "/tasks/default",
            s.state + "/tasks/default/a",
            s.state + "/tasks/default/a/bundle",
            s.state + "/tasks/default/a/bundle/config.json")}
        equal(list(modes.values()), [0o700, 0o711, 0o710, 0o710, 0o600])
        equal(owner(s.state + "/tasks/default/a/bundle"), (0, base))
        remove(s, "a")


@test
def a_state_directory_that_is_closed_is_named():
    can()
    os.mkdir(scratch("closed"), 0o700)
    with Daemon("closed/d") as s:
        s.pull(the_registry().push(busybox(), "t/busybox:1"))
        before = s.picture()
        s.post(N + "/containers", dict(AUTO, id="a", image=image(s)),
               expect=201)
        problem = s.post(N + "/tasks", {"container": "a"}, expect=409).json
        equal(problem["reason"], "state_unreachable")
        check(scratch("closed") in problem["detail"], problem)
        remove(s, "a")
        left = differences(before, s.picture())
        equal([x for x in left if "user_range" not in x], [])


@test
def where_the_kernel_cannot_it_is_said():
    """ramfs is a file system whose ids cannot be mapped."""
    os.mkdir(scratch("ram"))
    subprocess.run(["mount", "-t", "ramfs", "ramfs", scratch("ram")],
                   check=True)
    try:
        with Daemon("ram/d") as s:
            spec = {"ociVersion": "1.0.2", "root": {"path": "/usr"},
                    "process": {"args": ["a"], "cwd": "/"},
                    "linux": {"namespaces": [{"type": "mount"},
                                             {"type": "user"}]}}
            problem = s.post(N + "/containers", {"spec": spec},
                             expect=501).json
            equal((problem["code"], problem["reason"]),
                  ("unimplemented", "idmap_unsupported"))
            check("map the ids of" in problem["detail"], problem)
            check("Invalid argument" in problem["detail"], problem)
            overlay = s.get("/v1/plugins/snapshotter/overlay").json
            check("user-namespaces" not in overlay["capabilities"], overlay)
            spec["linux"]["namespaces"].pop()
            s.post(N + "/containers", {"spec": spec}, expect=201)
    finally:
        subprocess.run(["umount", "-l", scratch("ram")], check=True)


@test
def where_the_kernel_can_the_snapshotter_says_so():
    s = can()
    check("user-namespaces" in s.get(
        "/v1/plugins/snapshotter/overlay").json["capabilities"])


# --- refusals -----------------------------------------------------------------

@test
def what_cannot_be_together_is_refused_by_name():
    s = can()
    for wishes in ({"pid": "host"}, {"ipc": "host"}, {"uts": "host"},
                   {"network": "host"}, {"pid": "container:a"},
                   {"ipc": "container:a"}, {"privileged": True},
                   {"userns": "private"}, {"userns": ""}):
        problem = s.post(N + "/containers", dict(
            dict(AUTO, image=image(s)), **wishes), expect=400).json
        equal(problem.get("errors", [problem])[0]["field"], "/userns", wishes)
    problem = s.post(N + "/containers", dict(
        AUTO, image=image(s), user="65536"), expect=400).json
    equal(problem["field"], "/user")
    s.post(N + "/containers", dict(AUTO, spec={"ociVersion": "1.0.2"}),
           expect=400)


@test
def it_is_not_checkpointed():
    s = can()
    start(s, "a")
    problem = s.post(task("a", "/checkpoint"), {}, expect=501).json
    equal((problem["code"], problem["reason"]),
          ("unimplemented", "user_namespace"))
    remove(s, "a")


# --- a spec of one's own ------------------------------------------------------

def own_spec(s, *users, groups=None):
    """The generated spec, with a user namespace and these maps."""
    spec = s.post(N + "/containers?dry_run=true", dict(
        AUTO, id="x", image=image(s), args=[
            "sh", "-c", "cat /proc/self/uid_map; stat -c %u:%g /bin; "
            "touch /x"])).json["spec"]
    for key in "cgroupsPath", "sysctl", "uidMappings", "gidMappings":
        spec["linux"].pop(key)
    maps = [dict(zip(("containerID", "hostID", "size"), m)) for m in users]
    if maps:
        spec["linux"]["uidMappings"] = maps
        spec["linux"]["gidMappings"] = groups or maps
    return spec


def run_spec(s, spec):
    s.post(N + "/containers", {"id": "a", "image": image(s), "spec": spec},
           expect=201)
    s.post(N + "/tasks", {"container": "a"}, expect=201)
    s.post(task("a", "/start"))
    equal(s.wait_task("a")["exit_status"], 0, s.get(task("a", "/logs")).text)
    words = s.get(task("a", "/logs")).text.split()
    equal(owner(upper_of(s, "a") + "/x"), (0, 0))
    remove(s, "a")
    return words


@test
def a_spec_of_ones_own_has_the_files_as_well():
    s = can()
    equal(run_spec(s, own_spec(s, (0, 100000, 65536))),
          ["0", "100000", "65536", "0:0"])
    equal(run_spec(s, own_spec(s, (0, 300000, 1), (1, 200000, 999))),
          ["0", "300000", "1", "1", "200000", "999", "0:0"])
    # One that says nothing of ids has those of its namespace.
    words = run_spec(s, own_spec(s))
    check(int(words[1]) >= 524288, words)
    equal((words[0], words[2:]), ("0", ["65536", "0:0"]))


@test
def a_directory_of_ones_own_keeps_its_owners():
    s = can()
    own = scratch("own")
    os.makedirs(own + "/bin")
    shutil.copy(shutil.which("busybox"), own + "/bin/busybox")
    os.symlink("busybox", own + "/bin/sh")
    for path in own, own + "/bin", own + "/bin/busybox":
        os.chown(path, 100000, 100000)
    spec = own_spec(s, (0, 100000, 9))
    spec["root"]["path"] = own
    spec["process"]["args"] = ["sh", "-c", "busybox stat -c %u /bin && "
                               "busybox touch /x; echo on > /dev/stderr"]
    s.post(N + "/containers", {"id": "a", "spec": spec}, expect=201)
    s.post(N + "/tasks", {"container": "a"}, expect=201)
    s.post(task("a", "/start"))
    s.wait_task("a")
    equal(s.get(task("a", "/logs")).text.split(), ["0", "on"])
    remove(s, "a")
    for name in "bin", "x", "etc", "etc/hosts":
        equal(owner(os.path.join(own, name)), (100000, 100000), name)


@test
def ids_of_another_namespace_are_refused():
    s = can()
    s.pull(image(s), namespace="third")
    s.post("/v1/namespaces/third/containers",
           dict(AUTO, id="a", image=image(s)), expect=201)
    taken = base_of(s, "a", "third")
    for maps in ([(0, taken, 65536)], [(0, taken + 65535, 2)],
                 [(0, 100000, 1), (1, taken + 65535, 1)]):
        problem = s.post(N + "/containers", {
            "image": image(s), "spec": own_spec(s, *maps)}, expect=409).json
        equal(problem["reason"], "user_ids_in_use")
        check("namespace third" in problem["detail"], problem)
    problem = s.post(N + "/containers", {"image": image(s), "spec": own_spec(
        s, (0, 100000, 9), groups=[{"containerID": 0, "hostID": taken,
                                    "size": 9}])}, expect=409).json
    equal(problem["reason"], "user_ids_in_use")
    s.delete("/v1/namespaces/third/containers/a")


@test
def maps_that_are_none_are_refused_by_name():
    s = can()
    for maps, field in (
            ([(0, -1, 5)], "uidMappings/0"), ([(0, 5, 0)], "uidMappings/0"),
            ([(0, 4294967290, 6)], "uidMappings/0"),
            ([(1, 100000, 5)], "uidMappings"),
            ([(0, "5", 5)], "uidMappings/0")):
        problem = s.post(N + "/containers", {
            "image": image(s), "spec": own_spec(s, *maps)}, expect=400).json
        equal(problem["errors"][0]["field"], "/spec/linux/" + field, maps)
    spec = own_spec(s, (0, 100000, 5))
    spec["linux"].pop("gidMappings")
    problem = s.post(N + "/containers", {"image": image(s), "spec": spec},
                     expect=400).json
    equal(problem["field"], "/spec/linux/gidMappings")
    spec = own_spec(s, (0, 100000, 5))
    spec["linux"]["namespaces"] = [
        n for n in spec["linux"]["namespaces"] if n["type"] != "user"]
    problem = s.post(N + "/containers", {"image": image(s), "spec": spec},
                     expect=400).json
    equal(problem["field"], "/spec/linux/uidMappings")


class OtherHost(Daemon):
    """One on a host with other accounts: /etc/NAME is what files has."""

    files = {}

    def command(self):
        script = ""
        for name, text in self.files.items():
            path = os.path.join(self.dir, name)
            with open("/etc/" + name) as old, open(path, "w") as new:
                new.write(old.read() + text)
            script += "mount --bind %s /etc/%s && " % (path, name)
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                script + "exec \"$0\" \"$@\""] + super().command()


@test
def ids_of_the_host_s_people_are_not_given_to_containers():
    can()
    s = OtherHost("people", args=["--user-ids", "1310720-1703935"])
    s.files = {"passwd": "x:x:1310725:7::/:/bin/sh\n"
                         "y:x:7:1376256::/:/bin/sh\n:odd:\n",
               "subuid": "y: 1441792:131072\n" + "# a comment\n" * 9,
               "subgid": "y:1600000:1\nz:1703936:99999999999999999999\n"}
    with s:
        s.pull(the_registry().push(busybox(), "t/busybox:1"), "default")
        name = "%s/t/busybox:1" % the_registry().host
        body = dict(AUTO, id="c", image=name)
        # 1310720, 1376256, 1441792, 1507328 and 1572864 are somebody's.
        s.post(N + "/containers", body, expect=201)
        equal(base_of(s, "c"), 1638400)
        s.pull(name, "other")
        problem = s.post("/v1/namespaces/other/containers", body,
                         expect=429).json
        equal(problem["reason"], "user_ids_exhausted")
        s.delete(N + "/containers/c")
        # Who has a grant is nobody to whom a container's ids were given.
        s.stop()
        s.args = ["--user-ids", "2000000-3000000", "--grant", "1638405=a"]
        s.start(wait=False)
        check(s.wait_end() != 0)
        s.process = None
        check("namespace default" in s.log_tail(3), s.log_tail())


main()

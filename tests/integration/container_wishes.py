#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a container may share with the host or with another, and the init
that it may have."""
from skifftest import *
from lib_tasks import cgroup_value

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"
STAY = ["sleep", "1000"]


def remove(s, *ids):
    for id in ids:
        s.delete("%s/containers/%s?force=true" % (N, id), expect=None)


def log(s, id):
    return s.get("%s/tasks/%s/logs" % (N, id)).text


def output(s, args, **wishes):
    """Of a container that ends well."""
    s.run("out", image(s), args, **wishes)
    ended = s.wait_task("out")
    text = log(s, "out")
    remove(s, "out")
    equal(ended["exit_status"], 0, text)
    return text


def execute(s, id, args, **wishes):
    return s.post("%s/tasks/%s/execs?wait=true" % (N, id),
                  dict(wishes, args=args)).json


def namespace(pid, kind):
    return os.readlink("/proc/%s/ns/%s" % (pid, kind))


def pid_of(s, id):
    return s.get("%s/tasks/%s" % (N, id)).json["pid"]


# --- memory ---------------------------------------------------------------

@test
def memory_is_reserved_and_the_kill_score_is_as_wished():
    s = the_daemon()
    made = s.run("m", image(s), STAY, oom_score_adj=300,
                 resources={"memory_reservation": 16 << 20})
    with open("/proc/%d/oom_score_adj" % made["pid"]) as f:
        equal(f.read().strip(), "300")
    equal(cgroup_value(made["pid"], "memory.soft_limit_in_bytes",
                       "memory.low"), str(16 << 20))
    # An exec is no harder to kill than its container.
    equal(execute(s, "m", ["cat", "/proc/self/oom_score_adj"])["stdout"],
          "300\n")
    remove(s, "m")
    problem = s.post(N + "/containers", {
        "image": image(s), "args": STAY, "resources": {
            "memory": 16 << 20, "memory_reservation": 17 << 20}},
        expect=400).json
    equal(problem["field"], "/resources/memory_reservation")


@test
def what_cgroup_v1_alone_has_is_refused_elsewhere():
    s = the_daemon()
    limits = {"memory": 64 << 20, "memory_swappiness": 0,
              "oom_kill_disable": True}
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        problem = s.post(N + "/containers", {
            "image": image(s), "args": STAY, "resources": limits},
            expect=400).json
        equal([e["field"] for e in problem["errors"]],
              ["/resources/memory_swappiness", "/resources/oom_kill_disable"])
        check("cgroup v2" in problem["errors"][0]["detail"], problem)
        return
    pid = s.run("v1", image(s), STAY, resources=limits)["pid"]
    equal(cgroup_value(pid, "memory.swappiness"), "0")
    check("oom_kill_disable 1" in cgroup_value(pid, "memory.oom_control"))
    remove(s, "v1")


# --- init -----------------------------------------------------------------

@test
def init_is_the_first_process_and_passes_the_exit_status_on():
    s = the_daemon()
    text = output(s, ["sh", "-c", "echo $PPID; cat /proc/1/cmdline | tr '\\0' ' '"
                      "; touch /dev/init 2>&1; grep /dev/init /proc/mounts"],
                  init=True)
    check(text.startswith("1\n/dev/init -- sh -c"), text)
    check("Read-only file system" in text, text)
    s.run("status", image(s), ["sh", "-c", "exit 7"], init=True)
    equal(s.wait_task("status")["exit_status"], 7)
    remove(s, "status")
    s.run("signal", image(s), ["sh", "-c", "kill -9 $$"], init=True)
    equal(s.wait_task("signal")["exit_status"], 137)
    remove(s, "signal")


@test
def init_passes_signals_on_and_the_default_action_is_taken():
    """As the first process a program without handlers does not die of
    SIGTERM; as another it does."""
    s = the_daemon()
    s.run("term", image(s), ["sh", "-c", "echo up; exec sleep 1000"],
          init=True)
    until(lambda: "up" in log(s, "term"), "the program")
    s.post(N + "/tasks/term/kill", {"signal": "TERM"})
    equal(s.wait_task("term")["exit_status"], 143)
    remove(s, "term")
    s.run("caught", image(s), ["sh", "-c", "trap 'echo usr1; exit 3' USR1; "
                               "echo up; while :; do sleep 0.05; done"],
          init=True)
    until(lambda: "up" in log(s, "caught"), "the trap")
    s.post(N + "/tasks/caught/kill", {"signal": "USR1"})
    equal(s.wait_task("caught")["exit_status"], 3)
    equal(log(s, "caught").count("usr1"), 1)
    remove(s, "caught")


@test
def init_reaps_what_is_left_to_it():
    s = the_daemon()
    s.run("orphans", image(s), [
        "sh", "-c", "for i in 1 2 3 4 5; do (true & exec true); done; "
        "echo made; exec sleep 1000"], init=True)
    until(lambda: "made" in log(s, "orphans"), "orphans")

    def names():
        return sorted(p["name"] for p in s.get(
            N + "/tasks/orphans/pids").json["processes"])
    until(lambda: names() == ["init", "sleep"], "no zombies")
    remove(s, "orphans")


@test
def init_says_what_cannot_be_run():
    s = the_daemon()
    for args, status, word in ((["/no/such"], 127, "no such program"),
                               (["nosuch"], 127, "no such program"),
                               (["/etc"], 126, "permission denied")):
        s.run("bad", image(s), args, init=True)
        equal(s.wait_task("bad")["exit_status"], status, args)
        check(word in log(s, "bad"), log(s, "bad"))
        remove(s, "bad")


@test
def keys_typed_at_a_terminal_reach_the_program_once():
    s = the_daemon()
    s.run("tty", image(s), ["sh", "-c", "trap 'echo caught' INT; echo up; "
                            "read line; read line; echo \"$line\""],
          init=True, terminal=True, stdio={"stdin": True})
    until(lambda: "up" in log(s, "tty"), "the program")
    s.post(N + "/tasks/tty/stdin", "\x03", expect=None)
    until(lambda: "caught" in log(s, "tty"), "SIGINT")
    s.post(N + "/tasks/tty/stdin", "one\ntwo\nthree\n", expect=None)
    equal(s.wait_task("tty")["exit_status"], 0)
    equal(log(s, "tty").count("caught"), 1)
    remove(s, "tty")


# --- namespaces --------------------------------------------------------------

@test
def processes_of_the_host_are_seen_with_its_pid_namespace():
    s = the_daemon()
    s.run("host", image(s), ["sh", "-c", "sleep 1000 & exec sleep 1001"],
          pid="host", init=True)
    pid = pid_of(s, "host")
    equal(namespace(pid, "pid"), namespace("self", "pid"))
    seen = execute(s, "host", ["cat", "/proc/%d/comm" % os.getpid()])
    equal(seen["exit_status"], 0, seen)
    # The kernel does not end the rest with the first process; Skiff does.
    inside = [p["pid"] for p in s.get(N + "/tasks/host/pids").json["processes"]]
    check(len(inside) == 3, inside)
    s.post(N + "/tasks/host/kill", {"signal": "KILL"})
    s.wait_task("host")
    until(lambda: not any(os.path.exists("/proc/%d" % p) for p in inside))
    remove(s, "host")


@test
def a_container_sees_the_processes_of_another():
    s = the_daemon()
    # What b leaves is a's to reap.
    s.run("a", image(s), STAY, init=True)
    s.run("b", image(s), ["sh", "-c", "sleep 1000 & ps; exec sleep 1001"],
          pid="container:a")
    first, second = pid_of(s, "a"), pid_of(s, "b")
    equal(namespace(first, "pid"), namespace(second, "pid"))
    check(namespace(first, "mnt") != namespace(second, "mnt"))
    until(lambda: "sleep 1000" in log(s, "b"), "what ps says")
    namespaces = s.get(N + "/containers/b").json["spec"]["linux"]["namespaces"]
    equal(namespaces[0], {"type": "pid", "path": "container:a"})
    # It ends alone, and whole.
    inside = [p["pid"] for p in s.get(N + "/tasks/b/pids").json["processes"]]
    s.post(N + "/tasks/b/kill", {"signal": "KILL"})
    equal(s.wait_task("b")["exit_status"], 137)
    until(lambda: not any(os.path.exists("/proc/%d" % p) for p in inside))
    equal(s.get(N + "/tasks/a").json["state"], "running")
    # And with the one whose namespace it is.
    s.post(N + "/tasks/b/restart")
    s.post(N + "/tasks/a/kill", {"signal": "KILL"})
    equal(s.wait_task("b")["exit_status"], 137)
    remove(s, "a", "b")


@test
def only_a_container_that_runs_can_be_joined():
    s = the_daemon()

    def refused(why):
        problem = s.post(N + "/tasks", {"container": "j"}, expect=409).json
        equal(problem["reason"], "namespace_unavailable")
        equal(problem["object"], {"kind": "container", "id": "a", "namespace": "default"})
        check(why in problem["detail"], problem)
        s.get(N + "/tasks/j", expect=404)

    s.post(N + "/containers", {"id": "j", "image": image(s), "args": STAY,
                               "pid": "container:a"}, expect=201)
    refused("no task")
    s.post(N + "/containers", {"id": "a", "image": image(s), "args": ["true"]},
           expect=201)
    refused("no task")
    s.post(N + "/tasks", {"container": "a"}, expect=201)
    refused("created")
    s.post(N + "/tasks/a/start")
    s.wait_task("a")
    refused("stopped")
    remove(s, "a")
    # Another namespace's container of that name is another container.
    s.put("/v1/namespaces/other", {}, expect=None)
    s.pull("%s/t/busybox:1" % the_registry().host, namespace="other")
    s.run("a", image(s), STAY, namespace="other")
    refused("no task")
    s.delete("/v1/namespaces/other/containers/a?force=true")
    remove(s, "j")


@test
def ipc_and_name_are_the_host_s_if_wished():
    s = the_daemon()
    s.run("shared", image(s), STAY, ipc="host", uts="host")
    pid = pid_of(s, "shared")
    for kind in "ipc", "uts":
        equal(namespace(pid, kind), namespace("self", kind))
    name = "skiff-%d" % os.getpid()
    try:
        with open("/dev/shm/" + name, "w") as f:
            f.write("here\n")
        equal(execute(s, "shared", ["cat", "/dev/shm/" + name])["stdout"],
              "here\n")
    finally:
        os.unlink("/dev/shm/" + name)
    host = os.uname().nodename
    equal(execute(s, "shared", ["hostname"])["stdout"], host + "\n")
    equal(execute(s, "shared", ["cat", "/etc/hostname"])["stdout"],
          host + "\n")
    remove(s, "shared")
    s.run("own", image(s), STAY, ipc="private", uts="private", pid="private")
    pid = pid_of(s, "own")
    for kind in "ipc", "uts", "pid":
        check(namespace(pid, kind) != namespace("self", kind), kind)
    remove(s, "own")


@test
def shared_memory_is_shared_with_who_joins():
    s = the_daemon()
    s.run("a", image(s), ["sh", "-c", "echo begun > /dev/shm/x; sleep 1000"],
          ipc="shareable")
    s.run("b", image(s), STAY, ipc="container:a", read_only=True)
    first, second = pid_of(s, "a"), pid_of(s, "b")
    equal(namespace(first, "ipc"), namespace(second, "ipc"))
    check(namespace(first, "ipc") != namespace("self", "ipc"))
    until(lambda: execute(s, "b", ["cat", "/dev/shm/x"])["stdout"] ==
          "begun\n", "a's file")
    execute(s, "b", ["sh", "-c", "echo answer > /dev/shm/y"])
    equal(execute(s, "a", ["cat", "/dev/shm/y"])["stdout"], "answer\n")
    flags = execute(s, "b", ["grep", " /dev/shm ", "/proc/mounts"])["stdout"]
    for flag in "nosuid", "nodev", "noexec":
        check(flag in flags, flags)
    # It outlives the one that it came from; a third has another.
    s.post(N + "/tasks/a/kill", {"signal": "KILL"})
    s.wait_task("a")
    equal(execute(s, "b", ["cat", "/dev/shm/x"])["stdout"], "begun\n")
    remove(s, "a", "b")
    with open("/proc/mounts") as f:
        check(s.state not in f.read(), "a mount is left")


def is_not_joined(s, word):
    """What a shares: the refusal of b's task says why, with the word."""
    s.post(N + "/containers", {"id": "b", "image": image(s), "args": STAY,
                               "ipc": "container:a"}, expect=201)
    problem = s.post(N + "/tasks", {"container": "b"}, expect=409).json
    equal(problem["reason"], "namespace_unavailable")
    check(word in problem["detail"], problem)
    s.get(N + "/tasks/b", expect=404)
    remove(s, "a", "b")


@test
def what_is_private_is_not_joined():
    s = the_daemon()
    s.run("a", image(s), STAY)
    is_not_joined(s, "shareable")


@test
def links_in_the_container_that_is_joined_lead_nowhere():
    """A root that may mount has another /dev/shm than it was given."""
    s = the_daemon()
    secret = scratch("secret")
    os.mkdir(secret)
    s.run("a", image(s), ["sh", "-c", "umount /dev/shm && rmdir /dev/shm && "
                          "ln -s %s /dev/shm && echo ready; sleep 1000" %
                          secret], ipc="shareable", privileged=True)
    until(lambda: "ready" in log(s, "a"), "its link")
    is_not_joined(s, "/dev/shm")


@test
def groups_are_added_by_name_and_number():
    s = the_daemon()
    text = output(s, ["id", "-G"], user="1000:100",
                  group_add=["users", "4000", "4000"])
    equal(text.split(), ["100", "4000"])
    for bad, reason in ((["nosuch"], "group_not_found"), (["-1"], None),
                        (["4294967295"], None), (["a:b"], None)):
        problem = s.post(N + "/containers", {
            "image": image(s), "group_add": ["0"] + bad}, expect=400).json
        equal((problem["field"], problem.get("reason")),
              ("/group_add/1", reason), bad)


# --- refusals -----------------------------------------------------------------

@test
def what_cannot_be_is_refused_by_name():
    s = the_daemon()
    for wishes, field in (
            ({"init": "yes"}, "/init"), ({"pid": "ours"}, "/pid"),
            ({"pid": "container:"}, "/pid"),
            ({"pid": "container:../x"}, "/pid"),
            ({"id": "x", "pid": "container:x"}, "/pid"),
            ({"ipc": "container:"}, "/ipc"), ({"uts": "container:x"}, "/uts"),
            ({"ipc": "shared"}, "/ipc"), ({"uts": "shareable"}, "/uts"),
            ({"id": "x", "ipc": "container:x"}, "/ipc"),
            ({"ipc": "container:x", "sysctls": {"kernel.msgmax": "1"}},
             "/sysctls/kernel.msgmax"),
            ({"uts": "host", "hostname": "a"}, "/hostname"),
            ({"ipc": "host", "sysctls": {"kernel.msgmax": "1"}},
             "/sysctls/kernel.msgmax"),
            ({"group_add": [1]}, "/group_add/0"),
            ({"spec_patch": {"linux": {"namespaces": [
                {"type": "mount"}, {"type": "net", "path": "container:x"}]}}},
             "/spec_patch/linux/namespaces/1")):
        problem = s.post(N + "/containers", dict(wishes, image=image(s)),
                         expect=400).json
        equal(problem.get("errors", [problem])[0]["field"], field)
    s.post(N + "/containers", {
        "init": True, "spec": {"ociVersion": "1.0.2"}}, expect=400)


@test
def a_spec_that_was_got_can_be_sent_back():
    s = the_daemon()
    s.run("a", image(s), STAY)
    s.post(N + "/containers", {"id": "made", "image": image(s), "args": [
        "sh", "-c", "ps | grep -c sleep"], "init": True, "pid": "container:a"},
           expect=201)
    spec = s.get(N + "/containers/made").json["spec"]
    spec["linux"].pop("cgroupsPath")
    s.post(N + "/containers", {"id": "again", "image": image(s),
                               "spec": spec}, expect=201)
    s.post(N + "/tasks", {"container": "again"}, expect=201)
    s.post(N + "/tasks/again/start")
    equal(s.wait_task("again")["exit_status"], 0, log(s, "again"))
    remove(s, "a", "made", "again")


@test
def without_skiff_init_it_is_said():
    alone = scratch("alone")
    os.mkdir(alone)
    shim = shutil.copy(os.path.join(BUILD, "skiff-shim"), alone)
    with Daemon("alone", args=["--shim", shim]) as s:
        s.pull(the_registry().push(busybox(), "t/busybox:1"))
        s.post(N + "/containers", {"id": "i", "image": image(s), "init": True},
               expect=201)
        problem = s.post(N + "/tasks", {"container": "i"}, expect=409).json
        equal(problem["reason"], "init_not_found")
        check(alone + "/skiff-init" in problem["detail"], problem)
        remove(s, "i")


main()

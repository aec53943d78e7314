#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runtimes: crun beside runc, any other by its path, with options of their
own; what /v1/plugins says of them.

crun refuses the hybrid layout of cgroups where it sees it: Skiff's shims hide
it from crun, and a test that calls crun by hand has to do the same.
"""
import stat

from skifftest import *

needs("root", "runc", "crun", "unshare", "skopeo", "docker-registry")

N = "/v1/namespaces/default"


def remove(s, *ids):
    for id in ids:
        s.delete("%s/containers/%s?force=true" % (N, id))


def log(s, id):
    return s.get("%s/tasks/%s/logs" % (N, id)).text


UNIFIED = "/sys/fs/cgroup/unified"
LEAVE = "umount %s 2>/dev/null; exec \"$0\" \"$@\"" % UNIFIED


class PlainDaemon(Daemon):
    """One on a host that has v1 alone."""

    def command(self):
        return ["unshare", "--mount", "--propagation", "private",
                "sh", "-c", LEAVE] + super().command()


CRUN = {"name": "crun"}


@test
def crun_runs_a_container_from_create_to_delete():
    s = the_daemon()
    at = s.revision()
    task = s.run("c", image(s), ["sh", "-c", "echo out; echo err >&2; exit 3"],
                 runtime=CRUN)
    equal(task["state"], "running")
    equal(s.wait_task("c")["exit_status"], 3)
    equal(sorted(log(s, "c").split()), ["err", "out"])
    equal(s.delete(N + "/tasks/c", expect=200).json["exit_status"], 3)
    equal([e["topic"] for e in s.events(at) if e["topic"].startswith("/tasks")],
          ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"])
    equal(os.listdir(s.state + "/runtime/default"), [])
    remove(s, "c")


@test
def crun_runs_where_there_is_no_other_layout_than_v1():
    with PlainDaemon("plain") as s:
        s.run("v1", image(s), ["sh", "-c", "echo on; exit 2"], runtime=CRUN,
              resources={"pids": 50})
        equal(s.wait_task("v1")["exit_status"], 2)
        equal(log(s, "v1"), "on\n")
        remove(s, "v1")


@test
def under_crun_a_container_cannot_change_its_cgroups():
    s = the_daemon()
    s.run("ro", image(s), ["sh", "-c", """
        for d in /sys/fs/cgroup /sys/fs/cgroup/*; do
            mkdir $d/x 2>/dev/null && echo made $d/x
        done
        for f in /sys/fs/cgroup/memory.max \
            /sys/fs/cgroup/memory/memory.limit_in_bytes \
            /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max; do
            echo 1000000000 2>/dev/null >$f && echo wrote $f
        done 2>/dev/null; echo done"""],
          runtime=CRUN, resources={"memory": 64 << 20, "pids": 50})
    s.wait_task("ro")
    equal(log(s, "ro"), "done\n")
    remove(s, "ro")


@test
def what_crun_executes_is_as_hard_to_kill_as_its_container():
    s = the_daemon()
    s.run("score", image(s), ["sleep", "1000"], runtime=CRUN,
          oom_score_adj=300)
    for args, reason in ((["/etc"], "executable_not_found"),
                         (["/etc/passwd"], "executable_not_found"),
                         (["/etc/passwd/x"], "executable_not_found")):
        equal(s.post(N + "/tasks/score/execs?wait=true", {"args": args},
                     expect=409).json["reason"], reason, args)
    answer = s.post(N + "/tasks/score/execs?wait=true", {
        "args": ["cat", "/proc/self/oom_score_adj"]}).json
    equal(answer["stdout"], "300\n")
    remove(s, "score")


@test
def a_shim_of_crun_s_that_dies_takes_no_other_along():
    s = the_daemon()
    for id in "one", "two", "three":
        s.run(id, image(s), ["sleep", "1000"], runtime=CRUN if id != "three"
              else {"name": "runc"})
    with open("%s/tasks/default/one/run/shim" % s.root) as f:
        shim = int(dict(line.split() for line in f)["shim_pid"])
    at = s.revision()
    os.kill(shim, signal.SIGKILL)
    s.wait_event("/tasks/exit", at, container_id="one")
    s.post(N + "/tasks/two/kill", {"signal": 9, "all": True})
    equal(s.wait_task("two")["exit_status"], 137)
    equal(s.get(N + "/tasks/three").json["state"], "running")
    remove(s, "one", "two", "three")


@test
def a_created_task_of_crun_waits_for_its_start():
    s = the_daemon()
    s.post(N + "/containers", {"id": "w", "image": image(s), "runtime": CRUN,
                               "args": ["sh", "-c", "echo on; sleep 1000"]},
           expect=201)
    s.post(N + "/tasks", {"container": "w"}, expect=201)
    equal(log(s, "w"), "")
    s.post(N + "/tasks/w/start")
    until(lambda: log(s, "w") == "on\n", "its output")
    # crun itself takes it for running, and executes in it.
    answer = subprocess.run(
        ["unshare", "-m", "sh", "-c", LEAVE, "crun", "--root",
         s.state + "/runtime/default", "state", "w"],
        capture_output=True, text=True)
    equal(json.loads(answer.stdout)["status"], "running")
    s.post(N + "/tasks/w/kill", {"signal": "TERM"}, expect=None)
    s.post(N + "/tasks/w/kill", {"signal": "KILL"}, expect=None)
    equal(s.wait_task("w")["exit_status"] & 128, 128)
    remove(s, "w")


@test
def crun_is_started_through_its_fifo():
    """Without a program: it is told by a byte, and asked by nobody else."""
    s = the_daemon()
    os.mkdir(scratch("noting"))
    path, notes = scratch("noting/crun"), scratch("crun-notes")
    with open(path, "w") as f:
        f.write("#!/bin/sh\necho \"$@\" >>%s\nexec %s \"$@\"\n" % (
            notes, shutil.which("crun")))
    os.chmod(path, 0o755)
    s.post(N + "/containers", {"id": "fifo", "image": image(s),
                               "runtime": {"name": path},
                               "args": ["sh", "-c", "echo on; exit 4"]},
           expect=201)
    s.post(N + "/tasks", {"container": "fifo"}, expect=201)
    fifo = s.state + "/runtime/default/fifo/exec.fifo"
    check(stat.S_ISFIFO(os.stat(fifo).st_mode))
    s.post(N + "/tasks/fifo/start")
    check(not os.path.exists(fifo))
    equal(s.wait_task("fifo")["exit_status"], 4)
    equal(log(s, "fifo"), "on\n")
    remove(s, "fifo")

    def verbs():
        with open(notes) as f:
            return [next(w for w in line.split() if w in (
                "create", "start", "delete", "kill", "state", "exec"))
                for line in f]
    equal((verbs()[0], verbs().count("start")), ("create", 0))
    # Where the FIFO is gone its command says why.
    s.post(N + "/containers", {"id": "gone", "image": image(s),
                               "runtime": {"name": path}, "args": ["true"]},
           expect=201)
    s.post(N + "/tasks", {"container": "gone"}, expect=201)
    os.unlink(s.state + "/runtime/default/gone/exec.fifo")
    problem = s.post(N + "/tasks/gone/start", expect=None)
    check(problem.status >= 400, problem)
    equal(problem.json["reason"], "runtime_start_failed")
    equal(verbs().count("start"), 1)
    remove(s, "gone")


@test
def crun_executes_as_other_users():
    s = the_daemon()
    s.run("x", image(s), ["sleep", "1000"], runtime=CRUN)

    def told(args, **wishes):
        return s.post(N + "/tasks/x/execs?wait=true",
                      dict(wishes, args=args)).json
    show = ["sh", "-c", "id -u; id -g; id -G; echo $HOME; pwd; "
            "grep CapEff /proc/self/status; exit 5"]
    for user, wanted in (
            ("alice", ["1000", "1000", "1000", "100", "/home/alice"]),
            ("1000:7", ["1000", "7", "7", "/home/alice"]),
            ("4321", ["4321", "0", "0", "/"])):
        got = told(show, user=user, cwd="/tmp")
        equal((got["exit_status"], got["stdout"].split()),
              (5, wanted + ["/tmp", "CapEff:", "0" * 16]), user)
    got = told(["sh", "-c", "tty; id -u; exit 6"], user="alice",
               terminal=True)
    equal((got["exit_status"], got["stdout"].split()),
          (6, ["/dev/pts/0", "1000"]))
    # What only root may read, alice may not.
    got = told(["ls", "/root"], user="alice")
    equal(got["exit_status"], 1)
    check("Permission denied" in got["stderr"], got)
    got = s.post(N + "/tasks/x/execs?wait=true",
                 {"args": ["/no/such"], "user": "alice"}, expect=409).json
    equal(got["reason"], "executable_not_found")
    remove(s, "x")


@test
def crun_takes_the_wishes_for_init_and_namespaces():
    s = the_daemon()
    s.run("a", image(s), ["sh", "-c", "echo kept > /dev/shm/x; sleep 1000"],
          runtime=CRUN, init=True, ipc="shareable")
    s.run("b", image(s), ["sh", "-c", "echo $PPID; cat /proc/1/comm; id -G; "
                          "readlink /proc/self/ns/ipc; exit 9"],
          runtime=CRUN, init=True, pid="container:a", ipc="host",
          group_add=["7"])
    equal(s.wait_task("b")["exit_status"], 9)
    ppid, first, groups, ipc = log(s, "b").splitlines()
    check(ppid != "1", ppid)
    equal((first, groups, ipc), ("init", "0 7", os.readlink(
        "/proc/self/ns/ipc")))
    s.run("c", image(s), ["sh", "-c", "while ! cat /dev/shm/x; do :; done"],
          runtime=CRUN, ipc="container:a")
    equal(s.wait_task("c")["exit_status"], 0)
    check(log(s, "c").endswith("kept\n"))
    s.post(N + "/tasks/a/kill", {"signal": "TERM"})
    equal(s.wait_task("a")["exit_status"], 143)
    remove(s, "a", "b", "c")


@test
def crun_keeps_limits_terminals_and_users():
    s = the_daemon()
    s.run("l", image(s), ["sh", "-c", "id -u; tty; ulimit -n; "
                          "cat /sys/fs/cgroup/pids.max "
                          "/sys/fs/cgroup/pids/pids.max 2>/dev/null; "
                          "grep -E 'NoNew|Seccomp:' /proc/self/status"],
          runtime=CRUN, terminal=True, user="123",
          resources={"pids": 32, "memory": 64 << 20},
          rlimits=[{"type": "nofile", "soft": 100, "hard": 100}])
    equal(s.wait_task("l")["exit_status"], 0)
    equal(log(s, "l").split(), ["123", "/dev/pts/0", "100", "32",
                                "NoNewPrivs:", "1", "Seccomp:", "2"])
    remove(s, "l")


@test
def what_crun_cannot_run_is_told_as_with_runc():
    s = the_daemon()
    for runtime in ("runc", "crun"):
        s.post(N + "/containers", {"id": "bad", "image": image(s),
                                   "runtime": {"name": runtime},
                                   "args": ["/no/such/binary"]}, expect=201)
        problem = s.post(N + "/tasks", {"container": "bad"}, expect=409).json
        equal((runtime, problem["reason"]), (runtime, "executable_not_found"))
        check("/no/such/binary" in problem["detail"], problem)
        s.get(N + "/tasks/bad", expect=404)
        remove(s, "bad")


@test
def a_restarted_daemon_knows_the_tasks_of_crun():
    s = the_daemon()
    for id, runtime in (("r1", "crun"), ("r2", "runc"), ("r3", "crun")):
        s.run(id, image(s), ["sleep", "1000"], runtime={"name": runtime})
    pid = s.get(N + "/tasks/r3").json["pid"]
    s.kill9()
    os.kill(pid, signal.SIGKILL)
    s.start()
    equal(s.wait_task("r3")["exit_status"], 137)
    for id in ("r1", "r2"):
        equal(s.get(N + "/tasks/" + id).json["state"], "running")
        s.post(N + "/tasks/%s/kill" % id, {"signal": "KILL"})
        equal(s.wait_task(id)["exit_status"], 137)
    remove(s, "r1", "r2", "r3")


@test
def crun_gives_a_container_a_user_namespace():
    os.chmod(scratch(), 0o711)
    s = the_daemon()
    shared = scratch("shared")
    os.mkdir(shared)
    os.chmod(shared, 0o777)
    could = s.post(N + "/containers", {"id": "u0", "image": image(s),
                                       "args": ["true"], "userns": "auto"},
                   expect=None)
    if could.status == 501:
        raise Skip(could.json["detail"])
    remove(s, "u0")
    s.run("u", image(s), [
        "sh", "-c", "stat -c %u /bin /etc/hosts; touch /made /shared/made; "
        "chown 7:8 /made; echo on > /dev/stdout; echo x >> /etc/hosts; "
        "sleep 1000"], runtime=CRUN, userns="auto", init=True,
        resources={"pids": 32},
        mounts=[{"type": "bind", "source": shared, "target": "/shared"}])
    spec = s.get(N + "/containers/u").json["spec"]
    base = spec["linux"]["uidMappings"][0]["hostID"]
    until(lambda: "on" in log(s, "u").split(), "its output")
    equal(log(s, "u").split(), ["0", "0", "on"])
    pid = s.get(N + "/tasks/u").json["pid"]
    equal(os.stat("/proc/%d" % pid).st_uid, base)
    equal(os.stat(shared + "/made").st_uid, base)
    for option in s.get(N + "/snapshots/overlay/u/mounts").json["mounts"][0][
            "options"]:
        if option.startswith("upperdir="):
            made = os.stat(option[len("upperdir="):] + "/made")
            equal((made.st_uid, made.st_gid), (7, 8))
    answer = s.post(N + "/tasks/u/execs?wait=true", {
        "args": ["sh", "-c", "id -u; echo err > /dev/stderr; "
                 "cat /sys/fs/cgroup/pids.max "
                 "/sys/fs/cgroup/pids/pids.max 2>/dev/null"],
        "user": "1000:100"}).json
    equal((answer["stdout"], answer["stderr"]), ("1000\n32\n", "err\n"))
    remove(s, "u")
    s.run("u", image(s), ["sh", "-c", "tty"], runtime=CRUN, userns="auto",
          terminal=True)
    s.wait_task("u")
    equal(log(s, "u").split(), ["/dev/pts/0"])
    remove(s, "u")


def noting_runtime(name):
    """A script that notes how it is run, and runs runc; and its notes."""
    path, notes = scratch(name), scratch(name + "-notes")
    with open(path, "w") as f:
        f.write("#!/bin/sh\necho \"$@\" >>%s\nexec %s \"$@\"\n" % (
            notes, shutil.which("runc")))
    os.chmod(path, 0o755)
    return path, notes


@test
def any_runtime_may_be_named_by_its_path_with_options():
    s = the_daemon()
    path, notes = noting_runtime("runtime")
    wish = {"name": path, "options": {"args": ["--debug"]}}
    s.run("p", image(s), ["true"], runtime=wish)
    equal(s.wait_task("p")["exit_status"], 0)
    equal(s.get(N + "/containers/p").json["runtime"], wish)
    remove(s, "p")
    with open(notes) as f:
        lines = f.read().splitlines()
    check(all(line.startswith("--debug --root ") for line in lines), lines)
    verbs = [next(w for w in line.split() if w in (
        "create", "start", "delete", "kill", "state")) for line in lines]
    equal((verbs[:2], verbs[-1]), (["create", "start"], "delete"))
    problem = s.post(N + "/containers", {
        "image": image(s), "runtime": {"name": "/no/such/runtime"}},
        expect=400).json
    equal(problem["field"], "/runtime/name")
    os.chmod(path, stat.S_IRUSR)
    s.post(N + "/containers", {"image": image(s), "runtime": {"name": path}},
           expect=400)


@test
def a_task_has_options_in_place_of_its_containers():
    s = the_daemon()
    path, notes = noting_runtime("other-runtime")

    def starts():
        """With which options it was created, each time."""
        with open(notes) as f:
            return [line.split(" --root ")[0] if " --root " in line else ""
                    for line in f if " create " in line]
    s.post(N + "/containers", {
        "id": "o", "image": image(s), "args": ["sleep", "1000"],
        "runtime": {"name": path, "options": {"args": ["--debug"]}}},
        expect=201)
    own = {"args": ["--systemd-cgroup=false"]}
    made = s.post(N + "/tasks", {"container": "o", "options": own},
                  expect=201).json
    equal(made["options"], own)
    s.post(N + "/tasks/o/start")
    s.post(N + "/tasks/o/restart", {"timeout": 0})
    s.restart()
    equal(s.get(N + "/tasks/o").json["options"], own)
    s.post(N + "/tasks/o/restart", {"timeout": 0})
    equal(starts(), own["args"] * 3)
    # All that the runtime is run for, its execs and its end, has them.
    s.post(N + "/tasks/o/execs?wait=true", {"args": ["true"]})
    s.delete(N + "/tasks/o?force=true", expect=200)
    with open(notes) as f:
        check("--debug" not in f.read())
    # Those of the container again: the next task has none of its own.
    for options, wanted in ((None, "--debug"), ({}, "--debug"),
                            ({"args": []}, "")):
        body = {"container": "o"}
        if options is not None:
            body["options"] = options
        s.post(N + "/tasks", body, expect=201)
        equal(starts()[-1], wanted, options)
        s.delete(N + "/tasks/o", expect=200)
    remove(s, "o")


@test
def plugins_say_what_there_is():
    s = the_daemon()
    items = s.get("/v1/plugins").json["items"]
    by_name = {"%s/%s" % (p["type"], p["id"]): p for p in items}
    equal(len(by_name), len(items))
    for plugin in items:
        for other in plugin["requires"]:
            check(other in by_name, plugin)
    runc, crun = by_name["runtime/runc"], by_name["runtime/crun"]
    equal((runc["status"], crun["status"]), ("ok", "ok"))
    equal(runc["exports"]["path"], shutil.which("runc"))
    check(crun["exports"]["version"][0].isdigit(), crun)
    check("default" in runc["capabilities"], runc)
    check("seccomp" in crun["capabilities"], crun)
    one = s.get("/v1/plugins/runtime/runc").json
    knows = subprocess.run(["runc", "features"],
                           capture_output=True).returncode == 0
    equal("features" in one, knows)
    equal([p["id"] for p in
           s.get("/v1/plugins?type=runtime&status=ok").json["items"]],
          ["runc", "crun"])
    s.get("/v1/plugins?status=fine", expect=400)

    def named(*filters):
        query = "&".join("filter=" + quote(f) for f in filters)
        return ["%s/%s" % (p["type"], p["id"]) for p in
                s.get("/v1/plugins?" + query).json["items"]]

    equal(named("type==runtime,capabilities==default"), ["runtime/runc"])
    equal(named("id==crun", "type==shim"), ["runtime/crun", "shim/skiff"])
    equal(named('version=="%s"' % crun["exports"]["version"]),
          ["runtime/crun"])
    equal(named("exports.path==" + runc["exports"]["path"]), ["runtime/runc"])
    equal(named("status!=ok,requires==shim/skiff"), [])
    for bad in ("", "name", "name==x", "exports.==x"):
        s.get("/v1/plugins?filter=" + quote(bad), expect=400)
    s.get("/v1/plugins/runtime/none", expect=404)
    with open(s.log) as log_file:
        text = log_file.read()
    equal("warn runc" in text, "warning" in runc)


@test
def a_runtime_that_cannot_be_used_is_told_with_the_reason():
    with Daemon("alone", env={"PATH": "/nowhere"}) as alone:
        items = alone.get("/v1/plugins?type=runtime").json["items"]
        equal([p["status"] for p in items], ["skipped", "skipped"])
        check("no OCI runtime" not in items[0]["reason"], items)
        check("runtime: not found" in alone.get("/readyz").text)


try:
    main()
finally:
    for daemon in list(Daemon.all):
        daemon.destroy()

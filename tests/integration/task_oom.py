#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tasks that want too much: memory, processes; and children of nobody."""
from skifftest import *
from lib_tasks import *
from lib_picture import processes

needs("root", "runc", "skopeo", "docker-registry")

MIB = 1 << 20
# Twice as much as it may have, at once.
BOMB = "dd if=/dev/zero of=/dev/null bs=64M count=1"


def shims(s):
    return [c for c in processes(s.root, s.state).values()
            if "skiff-shim" in c]


@test
def a_memory_bomb_is_told_before_its_exit_and_spares_the_shim():
    s = the_daemon()
    before = s.revision()
    run(s, "bomb", ["sh", "-c", "exec " + BOMB],
        resources={"memory": 32 * MIB})
    equal(s.wait_task("bomb")["exit_status"], 137)
    stopped = s.get(task("bomb")).json
    equal((stopped["oom"], stopped["oom_kills"]), (True, 1))
    check("reason" not in stopped, stopped)
    equal(verbs(s, "bomb", before), ["create", "start", "oom", "exit"])
    equal(len(shims(s)), 1)
    remove(s, "bomb")


@test
def shims_have_a_cgroup_of_their_own_and_the_better_score():
    s = the_daemon()
    made = run(s, "apart")
    pids = [p for p, c in processes(s.root, s.state).items()
            if "skiff-shim" in c]
    equal(len(pids), 1)
    own = cgroups_of(pids[0])
    theirs = cgroups_of(made["pid"])
    for name in ("memory", "pids", "freezer", "cpu", ""):
        if name in theirs:
            check(own[name].endswith("/_shims"), name, own)
            equal(os.path.dirname(own[name]),
                  os.path.dirname(os.path.dirname(theirs[name])))

    def score(pid):
        with open("/proc/%d/oom_score_adj" % pid) as f:
            return int(f.read())

    check(score(pids[0]) <= score(s.process.pid) <= score(made["pid"]))
    remove(s, "apart")
    s.stop()
    equal([c for c in s.picture()["cgroups"]], [])
    s.start()


@test
def a_child_killed_for_want_of_memory_is_told_while_the_task_goes_on():
    s = the_daemon()
    before = s.revision()
    run(s, "parent", ["sh", "-c", BOMB + "; echo $?; sleep 1000"],
        resources={"memory": 32 * MIB})
    event = s.wait_event("/tasks/oom", before, container_id="parent")
    equal(event["event"]["oom_kills"], 1)
    found = s.get(task("parent")).json
    equal((found["state"], found["oom"], found["oom_kills"]),
          ("running", True, 1))
    until(lambda: "137" in s.get(task("parent", "/logs")).text, "status")
    equal(s.get(task("parent", "/metrics")).json["memory"]["oom_kills"], 1)
    # Its own end has another reason: nothing more is told.
    s.post(task("parent", "/stop"), {"timeout": 0})
    equal([v for v in verbs(s, "parent", before) if v == "oom"], ["oom"])
    remove(s, "parent")


@test
def a_kill_while_the_daemon_was_away_is_told_when_it_is_back():
    s = the_daemon()
    run(s, "away", ["sh", "-c", "trap 'dd if=/dev/zero of=/dev/null bs=64M "
                    "count=1; echo killed' USR1; echo ready; "
                    "while :; do sleep 1000 & wait; done"],
        resources={"memory": 32 * MIB})
    pid = s.get(task("away")).json["pid"]
    counter = cgroup_file(pid, "memory.oom_control", "memory.events")

    def kills():
        with open(counter) as f:
            return [l for l in f if l.startswith("oom_kill ")][0].split()[1]

    before = s.revision()
    s.kill9()
    os.kill(pid, 10)
    until(lambda: kills() == "1", "a kill")
    s.start()
    s.wait_event("/tasks/oom", before, container_id="away")
    s.restart()
    equal(s.get(task("away")).json["oom_kills"], 1)
    equal([v for v in verbs(s, "away", before) if v == "oom"], ["oom"])
    remove(s, "away")


@test
def a_fork_bomb_is_held_by_its_limit_and_ends_with_its_task():
    s = the_daemon()
    run(s, "first")
    remove(s, "first")
    clean = s.picture()
    run(s, "forks", ["sh", "-c", "(while :; do sleep 1000 & done); "
                     "exec sleep 1000"], resources={"pids": 40})

    def current():
        return s.get(task("forks", "/metrics")).json["pids"]

    until(lambda: current()["current"] >= 30, "many processes")
    check(current()["current"] <= current()["limit"] == 40, current())
    # The daemon and others are as quick as ever to answer.
    run(s, "beside", ["true"])
    equal(s.wait_task("beside")["exit_status"], 0)
    remove(s, "beside")
    s.post(task("forks", "/kill"), {"signal": "KILL", "all": True})
    equal(s.wait_task("forks")["exit_status"], 137)
    remove(s, "forks")
    equal(differences(clean, s.picture()), [])


@test
def zombies_and_orphans_keep_nobody_up():
    s = the_daemon()
    clean = s.picture()
    # An init that never waits, and grandchildren that lost their parents.
    run(s, "nobody", ["sh", "-c", "(sleep 1000 & sleep 1000 & true) & "
                      "(setsid sleep 1000 &) ; true & echo ready; "
                      "exec sleep 1000"])

    def listed():
        return s.get(task("nobody", "/pids")).json["processes"]

    until(lambda: len([p for p in listed() if p["name"] == "sleep"]) >= 4,
          "orphans")
    equal(s.post(task("nobody", "/stop"), {"timeout": 0})
          .json["exit_status"], 137)
    remove(s, "nobody")
    equal(differences(clean, s.picture()), [])


@test
def orphans_in_the_host_s_pid_namespace_end_with_init():
    s = the_daemon()
    clean = s.picture()
    s.post(N + "/containers", {
        "id": "hostpid", "image": image(s),
        "args": ["sh", "-c", "setsid sleep 1000 & exec sleep 1000"],
        "spec_patch": {"linux": {"namespaces": [
            {"type": "mount"}, {"type": "ipc"}, {"type": "uts"},
            {"type": "network"}]}}}, expect=201)
    s.post(N + "/tasks", {"container": "hostpid"}, expect=201)
    s.post(task("hostpid", "/start"))
    until(lambda: len(s.get(task("hostpid", "/pids")).json["processes"]) == 2,
          "an orphan")
    s.post(task("hostpid", "/kill"), {"signal": "KILL"})
    equal(s.wait_task("hostpid")["exit_status"], 137)
    remove(s, "hostpid")
    equal(differences(clean, s.picture()), [])


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon is killed and comes back: tasks are known again, exits that
happened meanwhile are told once, dead shims are settled."""
from skifftest import *
from lib_picture import processes
from lib_tasks import picture_at_rest

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"


def exits(s, after, container):
    return [e for e in s.events(after) if e["topic"] == "/tasks/exit"
            and e["event"]["container_id"] == container]


@test
def a_running_task_is_known_again_with_the_same_pid():
    s = the_daemon()
    task = s.run("lasting", image(s), ["sh", "-c", "echo before; sleep 1000"])
    s.kill9()
    os.kill(task["pid"], 0)
    s.start()
    again = s.get(N + "/tasks/lasting").json
    equal((again["state"], again["pid"]), ("running", task["pid"]))
    equal(s.get(N + "/tasks/lasting/logs").text, "before\n")
    s.post(N + "/tasks/lasting/kill", {"signal": "KILL"})
    equal(s.wait_task("lasting")["exit_status"], 137)
    s.delete(N + "/containers/lasting?force=true")


@test
def an_exit_while_the_daemon_was_away_is_told_once_with_its_status():
    s = the_daemon()
    fifo = scratch("go")
    os.mkfifo(fifo)
    before = s.revision()
    s.run("meanwhile", image(s), ["sh", "-c", "read x </go; exit 42"],
          mounts=[{"type": "bind", "source": fifo, "target": "/go"}])
    s.kill9()
    earliest = timestamp()
    pid = os.open(fifo, os.O_WRONLY)
    os.write(pid, b"go\n")
    os.close(pid)
    record = os.path.join(s.root, "tasks", "default", "meanwhile", "exit")
    until(lambda: os.path.exists(record), "exit record")
    latest = timestamp()
    s.start()
    task = s.get(N + "/tasks/meanwhile").json
    equal(task["exit_status"], 42)
    # When it ended, and not when that was found.
    check(earliest < task["exited_at"] < latest, earliest, task, latest)
    s.restart()
    (told,) = exits(s, before, "meanwhile")
    equal((told["event"]["exit_status"], told["event"]["exited_at"]),
          (42, task["exited_at"]))
    equal(s.get(N + "/tasks/meanwhile").json["exited_at"], task["exited_at"])
    s.delete(N + "/containers/meanwhile?force=true")


def shim_of(s, container):
    """The pid of the shim, by the task directory in its argv."""
    where = os.path.join(s.root, "tasks", "default", container)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                words = f.read().decode().split("\0")
        except OSError:
            continue
        if words[0].endswith("skiff-shim") and where in words:
            return int(pid)
    raise Failed("no shim of " + container)


@test
def a_shim_that_dies_takes_its_task_down_and_says_so():
    s = the_daemon()
    name = image(s)
    before = picture_at_rest(s)
    start = s.revision()
    s.run("orphan", name, ["sleep", "1000"])
    os.kill(shim_of(s, "orphan"), 9)
    event = s.wait_event("/tasks/exit", after=start, container_id="orphan")
    equal(event["event"]["reason"], "shim_lost")
    equal(s.get(N + "/tasks/orphan").json["state"], "stopped")
    s.delete(N + "/containers/orphan?force=true")
    equal(differences(before, s.picture()), [])


@test
def daemon_and_shim_dead_is_settled_at_the_next_start():
    s = the_daemon()
    name = image(s)
    before = picture_at_rest(s)
    start = s.revision()
    s.run("both", name, ["sleep", "1000"])
    shim = shim_of(s, "both")
    s.kill9()
    os.kill(shim, 9)
    s.start()
    equal(s.wait_task("both")["reason"], "shim_lost")
    equal(s.get(N + "/tasks/both").json["state"], "stopped")
    equal(len(exits(s, start, "both")), 1)
    s.delete(N + "/containers/both?force=true")
    equal(differences(before, s.picture()), [])


@test
def a_shim_that_is_only_slow_keeps_its_task():
    s = the_daemon()
    name = image(s)
    before = picture_at_rest(s)
    task = s.run("slow", name, ["sleep", "1000"])
    shim = shim_of(s, "slow")
    s.kill9()
    os.kill(shim, signal.SIGSTOP)
    s.start()
    equal(s.get(N + "/tasks/slow").json["state"], "running")
    s.post(N + "/tasks/slow/start", expect=409)
    equal(s.post(N + "/tasks/slow/kill", expect=504).json["reason"],
          "shim_silent")
    # It is asked again while the daemon runs.
    os.kill(shim, signal.SIGCONT)
    until(lambda: s.post(N + "/tasks/slow/kill", {"signal": "CONT"},
                         expect=None).status == 200, "an answer of the shim")
    equal(s.get(N + "/tasks/slow").json["pid"], task["pid"])
    s.post(N + "/tasks/slow/kill", {"signal": "KILL"})
    equal(s.wait_task("slow")["exit_status"], 137)
    s.delete(N + "/containers/slow?force=true")
    equal(differences(before, s.picture()), [])


@test
def a_shim_out_of_reach_can_be_deleted_by_force():
    s = the_daemon()
    name = image(s)
    before = picture_at_rest(s)
    s.run("stuck", name, ["sleep", "1000"])
    shim = shim_of(s, "stuck")
    s.kill9()
    os.kill(shim, signal.SIGSTOP)
    s.start()
    s.delete(N + "/containers/stuck?force=true")
    equal(differences(before, s.picture()), [])


@test
def sigterm_leaves_tasks_running():
    s = the_daemon()
    task = s.run("kept", image(s), ["sleep", "1000"])
    s.stop()
    os.kill(task["pid"], 0)
    s.start()
    equal(s.get(N + "/tasks/kept").json["state"], "running")
    s.delete(N + "/containers/kept?force=true")
    equal([p for p in processes(s.root, s.state) if p != s.process.pid], [])


@test
def a_second_daemon_on_the_same_root_refuses_to_start():
    s = the_daemon()
    other = subprocess.run(
        [os.path.join(BUILD, "skiffd"), "--root", s.root, "--state",
         scratch("state2"), "--listen", "unix:" + scratch("sock2")],
        capture_output=True, text=True, timeout=DEADLINE)
    equal(other.returncode, 1)
    check("another skiffd" in other.stderr, other.stderr)
    s.get("/readyz")


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The states of a task: which step each allows, and what the steps do."""
import threading

from skifftest import *
from lib_tasks import *

needs("root", "runc", "skopeo", "docker-registry")

# --- the table -----------------------------------------------------------

def bring(s, name, wanted):
    """A fresh task in a state, with a terminal that can be resized."""
    s.post(N + "/containers", {"id": name, "image": image(s),
                               "args": ["sleep", "1000"]}, expect=201)
    s.post(N + "/tasks", {"container": name, "terminal": True}, expect=201)
    if wanted != "created":
        s.post(task(name, "/start"))
    if wanted == "paused":
        s.post(task(name, "/pause"))
    if wanted == "pausing":
        threading.Thread(target=s.post, args=(task(name, "/pause"),),
                         kwargs={"expect": None}).start()
        until(lambda: state(s, name) == "pausing", "pausing")
    if wanted == "stopped":
        s.post(task(name, "/kill"), {"signal": "KILL"})
        s.wait_task(name)
    equal(state(s, name), wanted)


PATHS = {"wait": "/wait?timeout=0.01", "exec": "/execs?wait=true"}
BODIES = {"kill": {"signal": "KILL"}, "stop": {"timeout": 0},
          "restart": {"timeout": 0}, "exec": {"args": ["true"]},
          "resize": {"width": 80, "height": 24}}


def step(s, name, verb):
    if verb == "delete":
        return s.delete(task(name), expect=None)
    if verb == "update":
        return s.patch(task(name), {"resources": {"pids": 50}}, expect=None)
    path = task(name, PATHS.get(verb, "/" + verb))
    if verb in ("pids", "wait", "metrics", "processes"):
        return s.get(path, expect=None)
    return s.post(path, BODIES.get(verb), expect=None)


# What is not named is refused.
TABLE = {
    "created": "start kill stop restart update exec resize delete pids "
               "metrics processes wait",
    "running": "pause kill stop restart update exec resize checkpoint pids "
               "metrics processes wait",
    "pausing": "resume kill stop restart update resize pids metrics "
               "processes wait",
    "paused": "resume kill stop restart update resize checkpoint pids "
              "metrics processes wait",
    "stopped": "stop restart delete processes wait",
}
STEPS = ("start pause resume kill stop restart update exec resize checkpoint "
         "delete pids metrics processes wait").split()


def walk(s, wanted):
    for verb in STEPS:
        name = "%s-%s" % (wanted, verb)
        is_allowed = verb in TABLE[wanted].split()
        if verb == "checkpoint" and is_allowed:
            continue  # what comes of it needs criu: see checkpoint.py
        bring(s, name, wanted)
        answer = step(s, name, verb)
        if not is_allowed:
            equal(answer.status, 409, wanted, verb)
            problem = answer.json
            equal((problem["code"], problem["reason"], problem["state"]),
                  ("failed_precondition", "task_state", wanted), verb)
            equal(problem["object"], {"kind": "task", "id": name,
                                      "namespace": "default"})
            equal(state(s, name), wanted, "after", verb)
        elif verb == "wait" and wanted != "stopped":
            equal((answer.status, answer.json["state"]), (504, wanted))
        else:
            equal(answer.status, 204 if verb == "resize" else 200, wanted,
                  verb)
        if verb in ("kill", "stop") and wanted != "stopped":
            equal(s.wait_task(name)["exit_status"], 137, wanted, verb)
        if is_allowed and verb in ("update", "exec", "resize"):
            equal(state(s, name), wanted, "after", verb)
        if verb == "restart":
            equal(state(s, name), "running", wanted)
        remove(s, name)


@test
def every_step_in_every_state_is_as_the_table_says():
    s = the_daemon()
    run(s, "first")
    remove(s, "first")
    before = s.picture()
    for wanted in TABLE:
        if wanted != "pausing":
            walk(s, wanted)
    equal(differences(before, s.picture()), [])


@test
def a_task_that_does_not_freeze_is_pausing_and_can_do_without():
    # Every look at the freezer finds a process that is held up.
    with Daemon("held", env={"SKIFF_FAILPOINTS": "task.pausing=error(EIO)",
                             "SKIFF_FAILPOINTS_TRACE": "/dev/null"}) as s:
        before = s.revision()
        run(s, "held")
        answers = []
        pause = threading.Thread(target=lambda: answers.append(
            s.post(task("held", "/pause"), expect=504).json))
        pause.start()
        walk(s, "pausing")
        pause.join()
        equal((answers[0]["code"], answers[0]["reason"]),
              ("deadline_exceeded", "not_frozen"))
        equal(state(s, "held"), "running")
        equal(verbs(s, "held", before),
              ["create", "start", "update", "update"])
        equal(s.post(task("held", "/stop")).json["exit_status"], 7)
        remove(s, "held")


# --- pause ---------------------------------------------------------------

def ticks(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def told(s, name, before):
    """The verbs of its events, less that a freezer took its time, which it
    does on a busy machine."""
    found = verbs(s, name, before)
    return [verb for i, verb in enumerate(found)
            if found[i:i + 2] != ["update", "paused"]]


@test
def a_paused_task_stands_still_and_goes_on():
    s = the_daemon()
    before = s.revision()
    made = run(s, "busy", ["sh", "-c", "while :; do :; done"])
    until(lambda: ticks(made["pid"]) > 1, "time used")
    answer = s.post(task("busy", "/pause"))
    equal(answer.json["state"], "paused")
    check(answer.headers["ETag"])
    stood = ticks(made["pid"])
    # Whatever this takes, it takes in vain.
    for _ in range(20):
        s.get(task("busy", "/pids"))
    equal(ticks(made["pid"]), stood, "time used while paused")
    equal(s.post(task("busy", "/resume")).json["state"], "running")
    until(lambda: ticks(made["pid"]) > stood, "time used")
    equal(told(s, "busy", before), ["create", "start", "paused", "resumed"])
    remove(s, "busy")


@test
def a_paused_task_dies_of_sigkill_and_of_a_forced_deletion():
    s = the_daemon()
    clean = picture_at_rest(s)
    before = s.revision()
    for how in ("kill", "all", "stop", "force"):
        run(s, how)
        s.post(task(how, "/pause"))
        if how == "force":
            equal(s.delete(task(how) + "?force=true", expect=200)
                  .json["exit_status"], 137)
        elif how == "stop":
            equal(s.post(task(how, "/stop"), {"timeout": 0})
                  .json["exit_status"], 137)
        else:
            s.post(task(how, "/kill"), {"signal": 9, "all": how == "all"})
            equal(s.wait_task(how)["exit_status"], 137)
        equal(told(s, how, before)[:4],
              ["create", "start", "paused"] +
              (["update"] if how == "stop" else ["exit"]))
        remove(s, how)
    equal(differences(clean, s.picture()), [])


@test
def a_signal_waits_for_the_resume_and_a_stop_brings_it():
    s = the_daemon()
    run(s, "later")
    before = s.revision()
    s.post(task("later", "/pause"))
    s.post(task("later", "/kill"), {"signal": "TERM"})
    equal(state(s, "later"), "paused")
    s.post(task("later", "/resume"))
    equal(s.wait_task("later")["exit_status"], 7)
    remove(s, "later")

    run(s, "stops")
    before = s.revision()
    s.post(task("stops", "/pause"))
    ended = s.post(task("stops", "/stop")).json
    equal((ended["state"], ended["exit_status"]), ("stopped", 7))
    check("kill_at" not in ended and ended["stop_requested_at"])
    equal(told(s, "stops", before), ["paused", "update", "resumed", "exit"])
    remove(s, "stops")


@test
def a_daemon_that_comes_back_believes_the_freezer():
    s = the_daemon()
    run(s, "frozen")
    run(s, "thawed")
    before = s.revision()
    s.post(task("frozen", "/pause"))
    s.post(task("thawed", "/pause"))
    pid = s.get(task("thawed")).json["pid"]
    s.kill9()
    freeze(pid, False)
    s.start()
    equal((state(s, "frozen"), state(s, "thawed")), ("paused", "running"))
    equal(told(s, "frozen", before), ["paused"])
    equal(told(s, "thawed", before), ["paused", "resumed"])
    s.post(task("frozen", "/resume"))
    for name in ("frozen", "thawed"):
        equal(s.post(task(name, "/stop")).json["exit_status"], 7)
        remove(s, name)


@test
def a_pause_cut_short_by_a_crash_is_told_once():
    with Daemon("cut", env={}) as s:
        run(s, "cut")
        before = s.revision()
        for point, wanted in (("task.pause.after", "paused"),
                              ("task.resume.before", "paused"),
                              ("task.resume.after", "running")):
            s.restart(env={"SKIFF_FAILPOINTS": point + "=crash"})
            verb = "/pause" if "pause" in point else "/resume"
            try:
                s.post(task("cut", verb))
                raise Failed("no crash at " + point)
            except (OSError, http.client.HTTPException):
                pass
            s.process.wait(DEADLINE)
            s.process = None
            s.start(env={"SKIFF_FAILPOINTS": None})
            equal(state(s, "cut"), wanted, point)
        equal(told(s, "cut", before), ["paused", "resumed"])
        remove(s, "cut")


# --- stop ----------------------------------------------------------------

@test
def stop_sends_the_container_s_signal():
    s = the_daemon()
    run(s, "int", ["sh", "-c", "trap 'exit 5' INT; echo ready; "
                   "while :; do sleep 1000 & wait; done"],
        stop_signal="SIGINT")
    ended = s.post(task("int", "/stop")).json
    equal((ended["state"], ended["exit_status"]), ("stopped", 5))
    # Another one is welcome, and changes nothing.
    equal(s.post(task("int", "/stop"), {"signal": "sighup"})
          .json["exit_status"], 5)
    remove(s, "int")
    run(s, "given")
    equal(s.post(task("given", "/stop"), {"signal": 9}).json["exit_status"],
          137)
    remove(s, "given")


@test
def what_ignores_the_signal_is_killed_when_the_time_is_up():
    s = the_daemon()
    run(s, "deaf", STUBBORN)
    ended = s.post(task("deaf", "/stop"), {"timeout": "100ms"}).json
    equal((ended["state"], ended["exit_status"]), ("stopped", 137))
    remove(s, "deaf")


@test
def a_stop_goes_on_without_its_client_and_over_a_restart():
    s = the_daemon()
    run(s, "deaf", STUBBORN)
    before = s.revision()
    connection = UnixConnection(s.socket)
    connection.request("POST", task("deaf", "/stop"),
                       json.dumps({"timeout": 1000}),
                       {"Content-Type": "application/json"})
    s.wait_event("/tasks/update", before, container_id="deaf")
    connection.close()
    check(s.get(task("deaf")).json["kill_at"])
    s.kill9()
    s.start()
    equal(state(s, "deaf"), "running")
    # A later stop has the last word.
    before = s.revision()
    connection = UnixConnection(s.socket)
    connection.request("POST", task("deaf", "/stop"), b'{"timeout": 2}',
                       {"Content-Type": "application/json"})
    s.wait_event("/tasks/update", before, container_id="deaf")
    connection.close()
    s.kill9()
    s.start()
    equal(s.wait_task("deaf")["exit_status"], 137)
    remove(s, "deaf")


# --- kill ----------------------------------------------------------------

def pidfds(s):
    names = []
    for fd in os.listdir("/proc/%d/fd" % s.process.pid):
        try:
            names.append(os.readlink("/proc/%d/fd/%s" % (s.process.pid, fd)))
        except OSError:
            pass
    return len([name for name in names if "pidfd" in name])


@test
def a_task_that_has_changed_meanwhile_is_not_deleted():
    s = the_daemon()
    run(s, "seen", ["sleep", "1000"])
    seen = s.get(task("seen")).json
    s.patch(task("seen"), {"labels": {"a": "b"}})
    tag = {"If-Match": '"%d"' % seen["revision"]}
    for query in ("", "?force=true"):
        problem = s.delete(task("seen") + query, expect=412,
                           headers=tag).json
        equal(problem["code"], "aborted")
    now = s.get(task("seen")).json
    equal((now["state"], now["pid"]), ("running", seen["pid"]))
    tag = {"If-Match": '"%d"' % now["revision"]}
    equal(s.delete(task("seen") + "?force=true", expect=200,
                   headers=tag).json["exit_status"], 137)
    s.delete(task("seen"), expect=404, headers=tag)
    remove(s, "seen")


@test
def a_deleted_task_lets_go_of_its_shim():
    """Whatever the time that its stop would have had."""
    s = the_daemon()
    image(s)
    before = pidfds(s)
    run(s, "gone")
    s.post(task("gone", "/stop"), {"timeout": 3600})
    remove(s, "gone")
    until(lambda: pidfds(s) <= before, "descriptors closed")


def runtime_root(s):
    return os.path.join(s.state, "runtime", "default")


@test
def what_the_runtime_has_lost_is_killed_and_deleted_all_the_same():
    s = the_daemon()
    clean = picture_at_rest(s)
    before = s.revision()
    for how in ("kill", "stop", "force"):
        run(s, how)
        shutil.rmtree(os.path.join(runtime_root(s), how))
        # It runs on, and what needs no runtime is done.
        s.post(task(how, "/pause"))
        s.post(task(how, "/resume"))
        check(s.get(task(how, "/pids")).json["processes"])
        problem = s.post(task(how, "/execs?wait=true"), {"args": ["true"]},
                         expect=409).json
        equal(problem["reason"], "runtime_exec_failed")
        equal((state(s, how), s.get(task(how, "/execs")).json["items"]),
              ("running", []))
        if how == "kill":
            s.post(task(how, "/kill"), {"signal": "KILL"})
            equal(s.wait_task(how)["exit_status"], 137)
        elif how == "stop":
            equal(s.post(task(how, "/stop")).json["exit_status"], 7)
        gone = s.delete(task(how) + "?force=true", expect=200).json
        equal(gone["exit_status"], 7 if how == "stop" else 137)
        equal([v for v in verbs(s, how, before) if v in ("exit", "delete")],
              ["exit", "delete"])
        remove(s, how)
    equal(differences(clean, s.picture()), [])


@test
def what_the_runtime_was_made_to_delete_has_ended():
    s = the_daemon()
    clean = picture_at_rest(s)
    before = s.revision()
    run(s, "taken")
    subprocess.run(["runc", "--root", runtime_root(s), "delete", "--force",
                    "taken"], check=True)
    equal(s.wait_task("taken")["exit_status"], 137)
    equal(s.post(task("taken", "/kill"), expect=409).json["state"],
          "stopped")
    equal(s.delete(task("taken"), expect=200).json["exit_status"], 137)
    equal(verbs(s, "taken", before), ["create", "start", "exit", "delete"])
    remove(s, "taken")
    equal(differences(clean, s.picture()), [])


@test
def one_process_of_the_task_is_killed_by_its_pid():
    s = the_daemon()
    made = run(s, "pair", ["sh", "-c", "sleep 1000 & echo ready; wait; "
                           "exit 3"])

    def sleeper():
        listed = s.get(task("pair", "/pids")).json["processes"]
        return [p for p in listed if p["name"] == "sleep"]
    until(sleeper, "the shell's child")
    child = sleeper()[0]
    equal((child["ppid"], child["uid"]), (made["pid"], 0))
    # Our own is none of its processes, and 2^31-1 is nobody's.
    for stranger in (os.getpid(), 1, 2147483647):
        problem = s.post(task("pair", "/kill"),
                         {"signal": "KILL", "pid": stranger},
                         expect=404).json
        equal(problem["reason"], "process_not_found")
    s.post(task("pair", "/kill"), {"signal": "KILL", "pid": child["pid"]})
    equal(s.wait_task("pair")["exit_status"], 3)
    remove(s, "pair")


@test
def init_and_its_execs_are_listed_with_their_states():
    s = the_daemon()
    made = run(s, "host")
    for name, args, query in (("stays", ["sleep", "1000"], "?start=true"),
                              ("ended", ["false"], "?start=true"),
                              ("added", ["true"], "")):
        s.post(task("host", "/execs") + query,
               {"id": name, "args": args}, expect=201)
    s.get(task("host", "/execs/ended/wait"))
    found = s.get(task("host", "/processes")).json["processes"]
    init = found[0]
    equal(("exec_id" in init, init["pid"], init["state"], init["args"]),
          (False, made["pid"], "running", OBEDIENT))
    execs = {p["exec_id"]: p for p in found[1:]}
    equal({k: p["state"] for k, p in execs.items()},
          {"stays": "running", "ended": "stopped", "added": "created"})
    equal((execs["ended"]["exit_status"], execs["ended"]["args"]),
          (1, ["false"]))
    pids = {p.get("exec_id"): p
            for p in s.get(task("host", "/pids")).json["processes"]}
    equal((pids["stays"]["pid"], pids["stays"]["name"]),
          (execs["stays"]["pid"], "sleep"))
    check("ended" not in pids and "added" not in pids, pids)
    # The step of one is that of the other.
    s.post(task("host", "/kill"), {"signal": "KILL", "exec_id": "stays"})
    equal(s.get(task("host", "/execs/stays/wait")).json["exit_status"], 137)
    equal(state(s, "host"), "running")
    s.post(task("host", "/pause"))
    problem = s.post(task("host", "/execs"),
                     {"args": ["true"]}, expect=None)
    if problem.status == 201:
        problem = s.post(problem.headers["Location"] + "/start", expect=409)
    equal((problem.status, problem.json["state"]), (409, "paused"))
    s.post(task("host", "/stop"), {"timeout": 0})
    equal(s.get(task("host", "/processes")).json["processes"][0]["state"],
          "stopped")
    s.get(task("none", "/processes"), expect=404)
    remove(s, "host")


@test
def all_reaches_every_process():
    s = the_daemon()
    run(s, "many", ["sh", "-c", "for i in 1 2 3 4; do sleep 1000 & done; "
                    "wait; exit 4"])
    until(lambda: len(s.get(task("many", "/pids")).json["processes"]) == 5,
          "five processes")
    # Init has no handler for it, which for it means: ignored.
    s.post(task("many", "/kill"), {"signal": "SIGTERM", "all": True})
    equal(s.wait_task("many")["exit_status"], 4)
    remove(s, "many")


@test
def bad_bodies_are_told_by_field():
    s = the_daemon()
    run(s, "body", ["sleep", "1000"])
    for verb, body, field in (
            ("/kill", {"signal": "NOPE"}, "/signal"),
            ("/kill", {"signal": 0}, "/signal"),
            ("/kill", {"signal": 65}, "/signal"),
            ("/kill", {"signal": []}, "/signal"),
            ("/kill", {"all": 1}, "/all"),
            ("/kill", {"pid": 0}, "/pid"),
            ("/kill", {"pid": "1"}, "/pid"),
            ("/kill", {"pid": 5, "all": True}, "/pid"),
            ("/kill", {"sig": 9}, "/sig"),
            ("/stop", {"timeout": -1}, "/timeout"),
            ("/stop", {"timeout": "soon"}, "/timeout"),
            ("/stop", {"timeout": 1e18}, "/timeout"),
            ("/stop", {"timeout": None}, "/timeout"),
            ("/stop", {"signal": "SIGNOPE"}, "/signal"),
            ("/stop", {"force": True}, "/force"),
            ("/pause", {"x": 1}, "/x"),
            ("/resume", {"x": 1}, "/x")):
        problem = s.post(task("body", verb), body, expect=400).json
        equal(problem["field"], field, verb, body)
    equal(state(s, "body"), "running")
    remove(s, "body")


# --- wait ----------------------------------------------------------------

@test
def a_thousand_waiters_take_no_thread_each():
    s = the_daemon()
    run(s, "popular")
    before = s.threads()
    waiters = []
    request = ("GET %s HTTP/1.1\r\nHost: localhost\r\n"
               "Connection: close\r\n\r\n" % task("popular", "/wait")).encode()
    for _ in range(1000):
        waiter = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        waiter.settimeout(DEADLINE)
        waiter.connect(s.socket)
        waiter.sendall(request)
        waiters.append(waiter)
    until(lambda: s.threads() <= before, "no more threads")
    s.post(task("popular", "/stop"))
    for waiter in waiters:
        answer = b""
        while piece := waiter.recv(65536):
            answer += piece
        waiter.close()
        check(answer.startswith(b"HTTP/1.1 200 ") and
              b'"exit_status":7' in answer, answer)
    remove(s, "popular")


main()

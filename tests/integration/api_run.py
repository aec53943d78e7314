#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A pulled image is run: states, output, exit status, signals, limits."""
import threading

from skifftest import *

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"


def log(s, container, query=""):
    return s.get("%s/tasks/%s/logs%s" % (N, container, query)).text


def remove(s, container):
    s.delete("%s/containers/%s?force=true" % (N, container))


@test
def output_and_exit_status_come_back():
    s = the_daemon()
    task = s.run("hello", image(s), ["sh", "-c", "echo out; echo err >&2; "
                                     "exit 3"])
    equal(task["state"], "running")
    done = s.wait_task("hello")
    equal(done["exit_status"], 3)
    check("out\n" in log(s, "hello") and "err\n" in log(s, "hello"))
    equal(log(s, "hello", "?stream=stdout"), "out\n")
    equal(log(s, "hello", "?stream=stderr"), "err\n")
    equal(s.get(N + "/tasks/hello").json["state"], "stopped")
    equal(s.delete(N + "/tasks/hello", expect=200).json["exit_status"], 3)
    s.get(N + "/tasks/hello", expect=404)
    remove(s, "hello")


@test
def a_few_lines_among_many_of_the_other_stream_are_found():
    s = the_daemon()
    # Each write of its own, so that each is a record of the index.
    s.run("sparse", image(s), [
        "sh", "-c", "i=0; while [ $i -lt 9000 ]; do echo $i; i=$((i+1)); "
        "done; echo here >&2"])
    s.wait_task("sparse")
    equal(log(s, "sparse", "?stream=stderr"), "here\n")
    equal(log(s, "sparse", "?stream=stderr&follow=true"), "here\n")
    equal(log(s, "sparse", "?stream=stdout&tail=1"), "8999\n")
    remove(s, "sparse")


@test
def events_of_a_task_come_in_order():
    s = the_daemon()
    name = image(s)
    before = s.revision()
    s.run("ordered", name, ["true"])
    s.wait_task("ordered")
    s.delete(N + "/tasks/ordered", expect=200)
    remove(s, "ordered")
    topics = [e["topic"] for e in s.events(before)
              if e["topic"].startswith(("/tasks", "/containers"))]
    equal(topics, ["/containers/create", "/tasks/create", "/tasks/start",
                   "/tasks/exit", "/tasks/delete", "/containers/delete"])


@test
def a_task_that_ends_at_once_had_a_pid():
    s = the_daemon()
    name = image(s)
    for i in range(10):
        before = s.revision()
        task = s.run("short", name, ["true"])
        equal(s.wait_task("short")["exit_status"], 0)
        check(task["pid"] > 0, task)
        events = {e["topic"]: e["event"] for e in s.events(before)
                  if e["topic"].startswith("/tasks/")}
        equal({topic: events["/tasks/" + topic]["pid"]
               for topic in ("create", "start", "exit")},
              dict.fromkeys(("create", "start", "exit"), task["pid"]))
        remove(s, "short")


@test
def a_signal_that_kills_is_128_and_its_number():
    s = the_daemon()
    s.run("victim", image(s), ["sleep", "1000"])
    check(len(s.get(N + "/tasks/victim/pids").json["processes"]) == 1)
    s.post(N + "/tasks/victim/kill", {"signal": "KILL"})
    equal(s.wait_task("victim")["exit_status"], 137)
    problem = s.post(N + "/tasks/victim/kill", {"signal": 15},
                     expect=409).json
    equal((problem["code"], problem["state"]),
          ("failed_precondition", "stopped"))
    remove(s, "victim")


@test
def forbidden_steps_name_the_state():
    s = the_daemon()
    s.post(N + "/containers", {"id": "steps", "image": image(s),
                               "args": ["sleep", "1000"]}, expect=201)
    s.post(N + "/tasks/steps/start", expect=404)
    s.post(N + "/tasks", {"container": "steps"}, expect=201)
    equal(s.post(N + "/tasks", {"container": "steps"},
                 expect=409).json["code"], "already_exists")
    s.post(N + "/tasks/steps/start")
    equal(s.post(N + "/tasks/steps/start", expect=409).json["state"],
          "running")
    equal(s.delete(N + "/tasks/steps", expect=409).json["state"], "running")
    problem = s.delete(N + "/containers/steps", expect=409).json
    equal(problem["reason"], "task_exists")
    equal(s.delete(N + "/tasks/steps?force=true", expect=200)
          .json["exit_status"], 137)
    remove(s, "steps")


@test
def a_created_task_can_be_deleted_without_having_run():
    s = the_daemon()
    s.post(N + "/containers", {"id": "never", "image": image(s),
                               "args": ["true"]}, expect=201)
    s.post(N + "/tasks", {"container": "never"}, expect=201)
    equal(s.get(N + "/tasks/never").json["state"], "created")
    s.delete(N + "/tasks/never", expect=200)
    remove(s, "never")


@test
def wait_answers_when_the_task_ends_or_the_time_is_up():
    s = the_daemon()
    s.run("waited", image(s), ["sleep", "1000"])
    problem = s.get(N + "/tasks/waited/wait?timeout=50ms", expect=504).json
    equal((problem["code"], problem["state"]),
          ("deadline_exceeded", "running"))
    answers = []
    threads = [threading.Thread(
        target=lambda: answers.append(s.wait_task("waited")["exit_status"]))
        for _ in range(10)]
    for t in threads:
        t.start()
    s.post(N + "/tasks/waited/kill", {"signal": "SIGKILL"})
    for t in threads:
        t.join()
    equal(answers, [137] * 10)
    remove(s, "waited")


@test
def a_waiter_learns_the_exit_of_a_task_that_is_deleted_at_once():
    s = the_daemon()
    name = image(s)
    for _ in range(5):
        s.run("brief", name, ["sleep", "1000"])
        answers = []
        waiter = threading.Thread(
            target=lambda: answers.append(s.wait_task("brief")))
        waiter.start()
        # Both loops turn a few times, so the wait has been taken up.
        for _ in range(16):
            s.get("/v1/version")
        s.delete(N + "/tasks/brief?force=true", expect=200)
        s.post(N + "/tasks", {"container": "brief"}, expect=201)
        waiter.join()
        check(answers[0]["exit_status"] == 137, answers)
        remove(s, "brief")


@test
def the_snapshot_of_a_container_is_not_taken_from_under_it():
    s = the_daemon()
    s.post(N + "/containers", {"id": "stands", "image": image(s),
                               "args": ["true"]}, expect=201)
    problem = s.delete(N + "/snapshots/overlay/stands", expect=409).json
    equal(problem["reason"], "snapshot_in_use")
    remove(s, "stands")
    s.get(N + "/snapshots/overlay/stands", expect=404)


@test
def a_follower_of_the_log_gets_every_byte_until_the_end():
    s = the_daemon()
    s.run("writer", image(s),
          ["sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; "
           "i=$((i+1)); done"])
    text = log(s, "writer", "?follow=true")
    equal(text.splitlines(), ["line %d" % i for i in range(2000)])
    equal(log(s, "writer", "?tail=2"), "line 1998\nline 1999\n")
    equal(log(s, "writer", "?offset=%d" % (len(text) - 5)), text[-5:])
    remove(s, "writer")


@test
def an_entrypoint_that_is_not_there_leaves_nothing_behind():
    s = the_daemon()
    name = image(s)
    before = s.picture()
    s.post(N + "/containers", {"id": "missing", "image": name,
                               "args": ["/no/such/binary"]}, expect=201)
    problem = s.post(N + "/tasks", {"container": "missing"}, expect=409).json
    equal(problem["reason"], "executable_not_found")
    check("/no/such/binary" in problem["detail"], problem)
    s.get(N + "/tasks/missing", expect=404)
    remove(s, "missing")
    equal(differences(before, s.picture()), [])


@test
def a_shim_that_cannot_be_run_is_no_fault_of_the_client_s():
    shim = shutil.copy(os.path.join(BUILD, "skiff-shim"), scratch("shim"))
    with Daemon("lame", args=["--shim", shim]) as s:
        name = image(s)
        s.post(N + "/containers", {"id": "lame", "image": name}, expect=201)
        before = s.picture()
        for break_it in (lambda: os.chmod(shim, 0o644),
                         lambda: os.unlink(shim)):
            break_it()
            problem = s.post(N + "/tasks", {"container": "lame"},
                             expect=503).json
            equal(problem["reason"], "shim_not_found")
            check(shim in problem["detail"], problem)
        equal(differences(before, s.picture()), [])


@test
def the_container_is_what_was_wished_for():
    s = the_daemon()
    s.run("wishes", image(s),
          ["sh", "-c", "id -u; id -G; pwd; hostname; echo $A; "
           "grep CapEff /proc/self/status; cat /mnt/in; echo x >/mnt/in"],
          user="alice", cwd="/tmp", env=["A=b c"], hostname="box",
          mounts=[{"type": "bind", "source": shared_file(), "target":
                   "/mnt/in", "options": ["ro"]}])
    equal(s.wait_task("wishes")["exit_status"], 1)
    lines = log(s, "wishes", "?stream=stdout").splitlines()
    equal(lines, ["1000", "1000 100", "/tmp", "box", "b c",
                  "CapEff:\t0000000000000000", "shared"])
    remove(s, "wishes")


def shared_file():
    path = scratch("shared")
    with open(path, "w") as f:
        f.write("shared\n")
    return path


@test
def a_memory_limit_ends_the_task_and_says_oom():
    s = the_daemon()
    s.run("bomb", image(s), ["sh", "-c", "x=$(head -c 200000000 /dev/zero "
                             "| tr '\\0' x); echo ${#x}"],
          resources={"memory": 32 << 20})
    s.wait_task("bomb")
    task = s.get(N + "/tasks/bomb").json
    check(task["oom"], task)
    remove(s, "bomb")


@test
def two_racing_creates_give_one_201_and_one_409():
    s = the_daemon()
    name = image(s)
    before = s.picture()
    for path, body in ((N + "/containers", {"id": "race", "image": name,
                                            "args": ["true"]}),
                       (N + "/tasks", {"container": "race"})):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(
            s.post(path, body, expect=None).status)) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(sorted(answers), [201, 409, 409, 409], path)
    remove(s, "race")
    equal(differences(before, s.picture()), [])


@test
def a_container_needs_an_image_that_is_here():
    s = the_daemon()
    equal(s.post(N + "/containers", {"id": "x", "image": "no/such:1",
                                     "args": ["true"]},
                 expect=404).json["code"], "not_found")
    problem = s.post(N + "/containers",
                     {"id": "a/b", "image": "", "args": "x", "color": 1,
                      "env": ["novalue"], "cwd": "relative"},
                     expect=400).json
    fields = [e["field"] for e in problem["errors"]]
    for field in ("/args", "/color"):
        check(field in fields, problem)


@test
def a_task_and_its_container_leave_nothing_behind():
    s = the_daemon()
    name = image(s)
    before = s.picture()
    for i in range(3):
        s.run("clean", name, ["sh", "-c", "sleep 0.01; touch /file"])
        s.wait_task("clean")
        s.delete(N + "/tasks/clean", expect=200)
        s.delete(N + "/containers/clean")
    equal(differences(before, s.picture()), [])


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""POST N/tasks/{id}/restart: another run of the same task."""
import fcntl
import struct
import termios
import threading

from skifftest import *
from lib_tasks import picture_at_rest

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"


def said(s, after, name):
    return [e["topic"].rpartition("/")[2] for e in s.events(after)
            if e["topic"].startswith("/tasks/")
            and e["event"].get("container_id") == name
            and not e["topic"].endswith("/update")]


def gone(s, name):
    s.delete(N + "/containers/%s?force=true" % name)


SAYS_AND_STAYS = ["sh", "-c", "trap 'exit 9' TERM; echo up; sleep 1000 & wait"]


def waiter(s, path):
    """A request that the daemon has read, and that has no answer yet."""
    connection = UnixConnection(s.socket, DEADLINE)
    connection.request("GET", path)
    until(lambda: not unread(connection.sock), "a reader of the request")
    for _ in range(4):
        s.get("/v1/version")  # by whichever loop has it
    return connection


def unread(sock):
    """Bytes that the other side has not taken yet."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ,
                                          b"\0\0\0\0"))[0]


def up(s, name, times=1):
    until(lambda: s.get(N + "/tasks/%s/logs" % name).text == "up\n" * times,
          "its word")


@test
def a_restart_keeps_record_and_log_and_all_waiters_see_the_old_exit():
    s = the_daemon()
    before = picture_at_rest(s)
    start = s.revision()
    old = s.run("r", image(s), SAYS_AND_STAYS, labels={"a": "b"})
    up(s, "r")
    waiters = [waiter(s, N + "/tasks/r/wait") for _ in range(5)]
    new = s.post(N + "/tasks/r/restart", {"timeout": 20}).json
    equal((new["state"], new["restart_count"]), ("running", 1))
    check(new["pid"] != old["pid"], new)
    for field in ("exit_status", "exited_at", "restart",
                  "restart_requested_at", "kill_at"):
        check(field not in new, new)
    equal(new["created_at"], old["created_at"])
    up(s, "r", 2)
    equal(said(s, start, "r"),
          ["create", "start", "exit", "restart", "start"])
    event = s.wait_event("/tasks/restart", after=start, container_id="r")
    equal((event["event"]["reason"], event["event"]["pid"]),
          ("request", new["pid"]))
    # Once more by a stop signal of the request's own, and then SIGKILL.
    s.post(N + "/tasks/r/restart", {"signal": "USR1", "timeout": "50ms"})
    s.post(N + "/tasks/r/kill", {"signal": "KILL"})
    equal(s.wait_task("r")["exit_status"], 137)
    equal([json.loads(w.getresponse().read())["exit_status"]
           for w in waiters], [9] * 5)
    for w in waiters:
        w.close()
    gone(s, "r")
    equal(differences(before, s.picture()), [])


@test
def whatever_state_it_is_in():
    s = the_daemon()
    start = s.revision()
    s.post(N + "/containers", {"id": "any", "image": image(s),
                               "args": SAYS_AND_STAYS}, expect=201)
    s.post(N + "/tasks/any/restart", expect=404)
    s.post(N + "/tasks", {"container": "any"}, expect=201)
    s.post(N + "/tasks/any/restart")  # it was created only
    up(s, "any")
    s.post(N + "/tasks/any/pause")
    s.post(N + "/tasks/any/restart", {"timeout": 20})
    up(s, "any", 2)
    s.post(N + "/tasks/any/stop")
    task = s.post(N + "/tasks/any/restart").json
    check("stop_requested_at" not in task, task)
    equal(task["restart_count"], 3)
    kinds = said(s, start, "any")
    equal([k for k in kinds if k in ("exit", "restart", "start")],
          ["exit", "restart", "start"] * 3)
    gone(s, "any")


@test
def who_follows_the_log_goes_on_with_the_next_run():
    s = the_daemon()
    for policy in ("no", "on-failure:1"):
        s.run("f", image(s), ["sh", "-c", "echo up; exec sleep 1000"],
              restart_policy=policy)
        up(s, "f")
        with s.sse(N + "/tasks/f/logs?follow=true") as log:
            heard = [log.next()]
            if policy == "no":
                s.post(N + "/tasks/f/restart", {"timeout": 0})
            else:
                os.kill(s.get(N + "/tasks/f").json["pid"], signal.SIGKILL)
            heard.append(log.next())
            check(None not in heard, heard)
            equal([json.loads(e["data"])["text"] for e in heard],
                  ["up\n"] * 2)
            # And ends with the last of them.
            s.post(N + "/tasks/f/stop", {"timeout": 0})
            equal(log.next()["event"], "end")
            equal(log.next(), None)
        gone(s, "f")


@test
def execs_end_with_the_run_that_they_were_in():
    s = the_daemon()
    s.run("e", image(s), SAYS_AND_STAYS)
    up(s, "e")
    s.post(N + "/tasks/e/execs?start=true",
           {"id": "x", "args": ["sleep", "1000"]}, expect=201)
    equal(s.get(N + "/tasks/e").json["execs"], ["x"])
    equal(s.post(N + "/tasks/e/restart", {"timeout": 20}).json["execs"], [])
    s.get(N + "/tasks/e/execs/x", expect=404)
    up(s, "e", 2)
    equal(s.post(N + "/tasks/e/execs?wait=true",
                 {"id": "x", "args": ["echo", "hi"]},
                 expect=None).json["stdout"], "hi\n")
    gone(s, "e")


@test
def what_cannot_be_started_again_says_why():
    s = the_daemon()
    source = scratch("mounted")
    os.mkdir(source)
    s.run("lame", image(s), ["sleep", "1000"],
          mounts=[{"type": "bind", "source": source, "target": "/mnt"}])
    os.rmdir(source)
    answer = s.post(N + "/tasks/lame/restart", {"timeout": 0},
                    expect=409).json
    equal(answer["reason"], "restart_failed")
    check(source in answer["detail"], answer)
    task = s.get(N + "/tasks/lame").json
    equal((task["state"], task["reason"]), ("stopped", "restart_failed"))
    check("at" not in task["restart"], task)
    os.mkdir(source)
    equal(s.post(N + "/tasks/lame/restart").json["state"], "running")
    gone(s, "lame")


@test
def a_failure_that_cannot_be_recorded_is_told_by_the_next_one():
    source = scratch("fleeting")
    os.mkdir(source)
    with Daemon("eio", env={"SKIFF_FAILPOINTS":
                            "task.restart.failed.before=1*error(EIO)"}) as s:
        s.run("told", image(s), ["sleep", "1000"],
              mounts=[{"type": "bind", "source": source, "target": "/mnt"}])
        os.rmdir(source)
        answer = s.post(N + "/tasks/told/restart", {"timeout": 0},
                        expect=409).json
        equal(answer["reason"], "restart_failed")
        gone(s, "told")


@test
def a_restart_goes_on_when_the_daemon_dies():
    s = the_daemon()
    start = s.revision()
    s.run("asked", image(s), SAYS_AND_STAYS)
    up(s, "asked")
    s.stop()
    s.start(env={"SKIFF_FAILPOINTS": "task.exit.before=crash"})
    try:
        s.post(N + "/tasks/asked/restart")
        raise Failed("an answer of a dead daemon")
    except (OSError, http.client.HTTPException):
        s.wait_end()
    s.start(env={"SKIFF_FAILPOINTS": None})
    up(s, "asked", 2)
    until(lambda: s.get(N + "/tasks/asked").json["restart_count"] == 1,
          "the new run")
    equal(said(s, start, "asked"),
          ["create", "start", "exit", "restart", "start"])
    gone(s, "asked")


@test
def a_restart_is_not_taken_for_the_one_before():
    """It is asked for while one by the policy has yet to be recorded."""
    trace = scratch("trace")
    with Daemon("slow") as s:
        s.run("twice", image(s), ["sleep", "1000"], restart_policy="always")
        s.restart(env={"SKIFF_FAILPOINTS":
                       "task.restart.row.before=1*delay(500)",
                       "SKIFF_FAILPOINTS_TRACE": trace})
        os.kill(s.get(N + "/tasks/twice").json["pid"], signal.SIGKILL)
        until(lambda: os.path.exists(trace), "the first")
        task = s.post(N + "/tasks/twice/restart", {"timeout": 0}).json
        equal((task["state"], task["restart_count"]), ("running", 2))
        gone(s, "twice")


@test
def who_stops_it_meanwhile_has_the_last_word():
    s = the_daemon()
    s.run("torn", image(s), ["sh", "-c", "trap '' TERM; echo up; sleep 1000"])
    up(s, "torn")
    answers = []
    restart = threading.Thread(target=lambda: answers.append(
        s.post(N + "/tasks/torn/restart", {"timeout": 600}, expect=None)))
    restart.start()
    until(lambda: "restart_requested_at" in s.get(N + "/tasks/torn").json,
          "the wish")
    s.post(N + "/tasks/torn/stop", {"timeout": 0})
    restart.join(DEADLINE)
    equal((answers[0].status, answers[0].json["code"]), (412, "aborted"))
    equal(s.get(N + "/tasks/torn").json["state"], "stopped")
    gone(s, "torn")


main()

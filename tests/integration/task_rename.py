#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""POST N/containers/{id}/rename of a container that has a task."""
from skifftest import *
from lib_tasks import picture_at_rest

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"
SAYS = ["sh", "-c", "echo said; exit 3"]
STAYS = ["sh", "-c", "echo up; exec sleep 1000"]


def gone(s, *names):
    for name in names:
        s.delete(N + "/containers/%s?force=true" % name)


def rename(s, old, new, expect=200):
    return s.post(N + "/containers/%s/rename" % old, {"id": new},
                  expect=expect).json


def task(s, name):
    return s.get(N + "/tasks/" + name).json


def log(s, name):
    return s.get(N + "/tasks/%s/logs" % name).text


def ended(s, name):
    s.run(name, image(s), SAYS)
    equal(s.wait_task(name)["exit_status"], 3)
    until(lambda: task(s, name)["state"] == "stopped", "its end")
    return task(s, name)



@test
def a_stopped_task_goes_by_the_new_id_with_its_log_and_its_exit():
    s = the_daemon()
    before = picture_at_rest(s)
    was = ended(s, "old")
    at = s.revision()
    equal(rename(s, "old", "new")["id"], "new")
    s.get(N + "/tasks/old", expect=404)
    now = task(s, "new")
    same = ("state", "exit_status", "exited_at", "started_at", "created_at")
    equal([now[key] for key in same], [was[key] for key in same])
    equal((now["id"], now["container"]), ("new", "new"))
    equal(log(s, "new"), "said\n")
    equal(s.wait_task("new")["exit_status"], 3)
    equal([(e["topic"], e["event"].get("previous_id")) for e in s.events(at)],
          [("/containers/rename", "old"), ("/tasks/rename", "old")])
    s.restart()
    equal((task(s, "new"), log(s, "new")), (now, "said\n"))
    gone(s, "new")
    equal(differences(before, s.picture()), [])


@test
def both_ids_run_and_end_and_neither_knows_of_the_other():
    s = the_daemon()
    before = picture_at_rest(s)
    ended(s, "old")
    rename(s, "old", "new")
    s.run("old", image(s), STAYS)
    s.post(N + "/tasks/new/restart")
    equal(s.wait_task("new")["exit_status"], 3)
    until(lambda: log(s, "new") == "said\nsaid\n", "both runs in one log")
    pid = task(s, "old")["pid"]
    s.restart()
    gone(s, "new")
    equal((task(s, "old")["state"], task(s, "old")["pid"]), ("running", pid))
    os.kill(pid, 0)
    equal(log(s, "old"), "up\n")
    gone(s, "old")
    equal(differences(before, s.picture()), [])


@test
def what_has_not_ended_keeps_its_id():
    s = the_daemon()
    s.run("busy", image(s), STAYS)
    s.post(N + "/containers", {"id": "made", "image": image(s),
                               "args": STAYS}, expect=201)
    s.post(N + "/tasks", {"container": "made"}, expect=201)
    for name, state in ("busy", "running"), ("made", "created"):
        problem = rename(s, name, "other", expect=409)
        equal((problem["reason"], problem["state"]), ("task_state", state))
    s.post(N + "/tasks/busy/pause")
    equal(rename(s, "busy", "other", expect=409)["state"], "paused")
    s.run("again", image(s), ["false"], restart_policy="always")
    until(lambda: task(s, "again").get("restart", {}).get("at") and
          task(s, "again")["restart_count"] > 1, "a pause")
    problem = rename(s, "again", "other", expect=409)
    check(problem["reason"] == "task_state", problem)
    s.post(N + "/tasks/again/stop")
    rename(s, "again", "other")
    equal(task(s, "other")["state"], "stopped")
    gone(s, "busy", "made", "other")


@test
def an_id_that_somebody_has_is_refused_and_nothing_changes():
    s = the_daemon()
    ended(s, "one")
    s.run("two", image(s), STAYS)
    s.post(N + "/containers", {"id": "three", "image": image(s)}, expect=201)
    for name in "two", "three", "one":
        equal(rename(s, "one", name, expect=409)["code"], "already_exists")
    equal(log(s, "one"), "said\n")
    s.post(N + "/tasks/one/restart")
    equal(s.wait_task("one")["exit_status"], 3)
    equal(log(s, "two"), "up\n")
    gone(s, "one", "two", "three")


@test
def a_daemon_that_dies_in_it_leaves_the_task_by_one_of_the_ids():
    s = the_daemon()
    before = picture_at_rest(s)
    for point, name in (("task.rename.noted", "old"),
                        ("task.rename.committed", "new")):
        ended(s, "old")
        s.stop()
        s.start(env={"SKIFF_FAILPOINTS": point + "=1*crash"})
        try:
            rename(s, "old", "new")
            raise Failed("an answer of a dead daemon")
        except (OSError, http.client.HTTPException):
            s.wait_end()
        s.restart(env={"SKIFF_FAILPOINTS": None})
        equal([t["id"] for t in s.get(N + "/tasks").json["items"]], [name],
              point)
        equal((task(s, name)["exit_status"], log(s, name)), (3, "said\n"))
        s.post(N + "/tasks/%s/restart" % name)
        until(lambda: log(s, name) == "said\nsaid\n", "its next run")
        gone(s, name)
        equal(differences(before, s.picture()), [])


@test
def what_fails_in_it_is_as_before_or_mended_by_the_next_daemon():
    s = the_daemon()
    before = picture_at_rest(s)
    was = ended(s, "old")
    s.restart(env={"SKIFF_FAILPOINTS": "task.rename.noted=1*error(EIO);"
                                       "task.rename.committed=error(EIO)"})
    rename(s, "old", "new", expect=500)
    equal((task(s, "old"), log(s, "old")), (was, "said\n"))
    rename(s, "old", "new")
    s.restart(env={"SKIFF_FAILPOINTS": None})
    equal((task(s, "new")["exit_status"], log(s, "new")), (3, "said\n"))
    gone(s, "new")
    equal(differences(before, s.picture()), [])


main()

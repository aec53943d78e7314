#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Restart policies: who comes back, after which pause, and who does not."""
from skifftest import *
from lib_tasks import picture_at_rest

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"


def task_of(s, name):
    return s.get(N + "/tasks/" + name).json


def said(s, after, name):
    """The last parts of the topics of a task's events, in order."""
    return [e["topic"].rpartition("/")[2] for e in s.events(after)
            if e["topic"].startswith("/tasks/")
            and e["event"].get("container_id") == name
            and not e["topic"].endswith("/update")]


def until_task(s, name, **fields):
    def looked():
        task = task_of(s, name)
        return task if all(task.get(k) == v for k, v in fields.items()) \
            else None
    return until(looked, "task %s with %s" % (name, fields))


def crash(s, name):
    """Ends the running task as no person would by the API."""
    os.kill(task_of(s, name)["pid"], signal.SIGKILL)


def gone(s, name):
    s.delete(N + "/containers/%s?force=true" % name)


@test
def on_failure_comes_back_so_often_and_no_more():
    s = the_daemon()
    before = picture_at_rest(s)
    start = s.revision()
    s.run("fails", image(s), ["sh", "-c", "echo run; exit 3"],
          restart_policy="on-failure:2")
    task = until_task(s, "fails", restart_count=2, state="stopped")
    equal(task["exit_status"], 3)
    equal((task["restart"]["retries"], task["restart"]["delay"]), (2, 0.2))
    check("at" not in task["restart"], task)
    equal(said(s, start, "fails"), ["create", "start", "exit"] +
          ["restart", "start", "exit"] * 2)
    # One record, one directory, one log.
    equal(s.get(N + "/tasks/fails/logs").text, "run\n" * 3)
    equal(s.wait_task("fails")["exit_status"], 3)
    gone(s, "fails")
    equal(differences(before, s.picture()), [])


@test
def a_success_is_no_failure():
    s = the_daemon()
    s.run("fine", image(s), ["true"],
          restart_policy={"name": "on-failure", "max_retries": 5})
    s.wait_task("fine")
    task = task_of(s, "fine")
    equal((task["restart_count"], task.get("restart")), (0, None))
    gone(s, "fine")


@test
def always_comes_back_with_a_pause_that_doubles():
    s = the_daemon()
    start = s.revision()
    s.run("again", image(s), ["true"], restart_policy="always")
    s.wait_event("/tasks/restart", after=start, container_id="again",
                 restart_count=3, reason="policy")
    exits = [e for e in s.events(start) if e["topic"] == "/tasks/exit"
             and e["event"]["container_id"] == "again"]
    check("restart_at" in exits[0]["event"], exits[0])
    task = until_task(s, "again", restart_count=3)
    check(task["restart"]["delay"] >= 0.4, task)
    # Deleted while it waits, it is gone.
    s.delete(N + "/tasks/again?force=true", expect=200)
    gone(s, "again")
    s.get(N + "/tasks/again", expect=404)


@test
def what_a_person_ends_stays_so():
    s = the_daemon()
    start = s.revision()
    for policy in ("always", "unless-stopped", "on-failure"):
        s.run("ended", image(s), ["sleep", "1000"], restart_policy=policy)
        s.post(N + "/tasks/ended/kill", {"signal": "KILL"})
        equal(s.wait_task("ended")["exit_status"], 137)
        task = task_of(s, "ended")
        check("stop_requested_at" in task, task)
        check("at" not in task.get("restart", {}), task)
        gone(s, "ended")
    check("restart" not in said(s, start, "ended"))
    # A signal that does not ask for the end is no such wish.
    s.run("ended", image(s),
          ["sh", "-c", "trap 'exit 4' USR1; echo up; sleep 1000 & wait"],
          restart_policy="always")
    until(lambda: s.get(N + "/tasks/ended/logs").text, "its first word")
    s.post(N + "/tasks/ended/kill", {"signal": "USR1"})
    s.wait_event("/tasks/restart", after=start, container_id="ended")
    gone(s, "ended")


@test
def a_policy_that_was_changed_counts_as_it_is_then():
    s = the_daemon()
    before = picture_at_rest(s)
    start = s.revision()
    s.run("changed", image(s), ["sleep", "1000"], restart_policy="always")
    crash(s, "changed")
    s.wait_event("/tasks/start", after=s.wait_event(
        "/tasks/restart", after=start, container_id="changed")["id"],
        container_id="changed")
    s.patch(N + "/containers/changed", {"restart_policy": "no"})
    crash(s, "changed")
    s.wait_task("changed")
    task = task_of(s, "changed")
    check("at" not in task.get("restart", {}), task)
    equal(task["restart_count"], 1)
    gone(s, "changed")
    equal(differences(before, s.picture()), [])


@test
def a_restart_that_fails_says_why_and_goes_on():
    s = the_daemon()
    before = picture_at_rest(s)
    start = s.revision()
    source = scratch("mounted")
    os.mkdir(source)
    s.run("broken", image(s), ["sleep", "1000"], restart_policy="always",
          mounts=[{"type": "bind", "source": source, "target": "/mnt"}])
    os.rmdir(source)
    crash(s, "broken")
    failed = s.wait_event("/tasks/restart-failed", after=start,
                          container_id="broken")["event"]
    equal(failed["reason"], "restart_failed")
    equal(failed["error"]["reason"], "mount_source_not_found")
    check(source in failed["error"]["detail"], failed)
    check("restart_at" in failed, failed)
    task = task_of(s, "broken")
    equal((task["state"], task["reason"]), ("stopped", "restart_failed"))
    equal(task["restart"]["error"], failed["error"])
    os.mkdir(source)
    task = until_task(s, "broken", state="running", restart_count=1)
    check("error" not in task["restart"] and "reason" not in task, task)
    gone(s, "broken")
    equal(differences(before, s.picture()), [])


@test
def tries_that_fail_count_for_on_failure():
    s = the_daemon()
    source = scratch("mounted2")
    os.mkdir(source)
    s.run("counted", image(s), ["sleep", "1000"],
          restart_policy="on-failure:2",
          mounts=[{"type": "bind", "source": source, "target": "/mnt"}])
    os.rmdir(source)
    crash(s, "counted")
    task = until(lambda: (lambda t: t if "error" in t.get("restart", {})
                          and "at" not in t["restart"] else None)(
        task_of(s, "counted")), "the last try")
    equal((task["restart"]["retries"], task["restart_count"]), (2, 0))
    equal(task["reason"], "restart_failed")
    gone(s, "counted")


@test
def a_bad_policy_is_refused_by_its_field():
    s = the_daemon()
    name = image(s)
    for policy, field in (("sometimes", "/restart_policy"),
                          ("on-failure:x", "/restart_policy"),
                          ("on-failure:-1", "/restart_policy"),
                          (7, "/restart_policy"),
                          ({"name": "never"}, "/restart_policy/name"),
                          ({}, "/restart_policy/name"),
                          ({"name": "always", "max_retries": 1},
                           "/restart_policy/max_retries"),
                          ({"name": "on-failure", "times": 1},
                           "/restart_policy/times")):
        answer = s.post(N + "/containers", {
            "image": name, "restart_policy": policy}, expect=400).json
        equal(answer["errors"][0]["field"], field, policy)


main()

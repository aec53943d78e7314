#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""POST N/containers?start=true: made and started, all or nothing."""
from skifftest import *
from lib_tasks import picture_at_rest

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"
START = N + "/containers?start=true"


def gone(s, name):
    s.delete(N + "/containers/%s?force=true" % name)


def stays(s, name):
    """The next daemon, too, takes it for whole."""
    s.restart()
    equal(s.get(N + "/tasks/" + name).json["state"], "running")


def topics(s, after):
    return [e["topic"] for e in s.events(after)]


def wish(s, **wishes):
    return dict({"image": image(s), "args": ["sleep", "1000"]}, **wishes)


@test
def one_request_makes_and_starts():
    s = the_daemon()
    before = picture_at_rest(s)
    start = s.revision()
    answer = s.post(START, wish(s, id="one", labels={"a": "b"}), expect=201)
    equal(answer.headers["Location"], N + "/containers/one")
    made = answer.json
    equal(made["labels"], {"a": "b"})
    equal(s.get(N + "/containers/one").json, made)
    task = s.get(N + "/tasks/one").json
    equal(task["state"], "running")
    os.kill(task["pid"], 0)
    heard = [t for t in topics(s, start) if not t.startswith("/snapshots")]
    equal(heard, ["/containers/create", "/tasks/create", "/tasks/start"])
    # Whoever has the name has it.
    s.post(START, wish(s, id="one"), expect=409)
    equal(s.get(N + "/tasks/one").json["pid"], task["pid"])
    gone(s, "one")
    made = s.post(START, wish(s), expect=201).json
    stays(s, made["id"])
    gone(s, made["id"])
    equal(differences(before, s.picture()), [])


@test
def what_cannot_be_started_is_not_there_either():
    s = the_daemon()
    before = picture_at_rest(s)
    for wishes, reason in (
            ({"args": ["/no/such/program"]}, "executable_not_found"),
            ({"mounts": [{"type": "bind", "source": "/no/such/source",
                          "target": "/mnt"}]}, "mount_source_not_found")):
        answer = s.post(START, wish(s, id="none", **wishes), expect=409)
        equal(answer.json["reason"], reason)
        s.get(N + "/containers/none", expect=404)
        s.get(N + "/tasks/none", expect=404)
        equal(differences(before, s.picture()), [])
    s.post(START, wish(s, id="none", nonsense=1), expect=400)
    s.post(N + "/containers?start=perhaps", wish(s), expect=400)


@test
def a_daemon_that_dies_in_it_leaves_all_or_nothing():
    s = the_daemon()
    before = picture_at_rest(s)
    for point, is_whole in (("container.committed=crash", False),
                            ("task.shim_spawn.after=crash", False),
                            ("task.row.after=crash", False),
                            ("shim.start.after=crash", None),
                            ("task.start.after=crash", True)):
        s.stop()
        s.start(env={"SKIFF_FAILPOINTS": point})
        try:
            answer = s.post(START, wish(s, id="half"), expect=None)
            check(point.startswith("shim."), answer)
        except (OSError, http.client.HTTPException):
            s.wait_end()
        s.restart(env={"SKIFF_FAILPOINTS": None})
        there = [s.get(N + "/%s/half" % kind, expect=None).status
                 for kind in ("containers", "tasks")]
        check(there in ([200, 200], [404, 404]), point, there)
        if is_whole is not None:
            equal(there[0], 200 if is_whole else 404, point)
        if there[0] == 200:
            stays(s, "half")
            gone(s, "half")
    equal(differences(before, picture_at_rest(s)), [])


@test
def a_daemon_that_dies_at_any_commit_of_it_leaves_all_or_nothing():
    s = the_daemon()
    body = wish(s, id="cut")
    whole = []
    for n in range(1, 12):
        s.stop()
        try:
            s.start(env={"SKIFF_FAILPOINTS": "db.commit.before=%d*crash" % n})
            s.post(START, body, expect=201)
            has_died = False
        except (OSError, http.client.HTTPException, Failed):
            s.wait_end()  # perhaps before it served
            has_died = True
        s.restart(env={"SKIFF_FAILPOINTS": None})
        there = [s.get(N + "/%s/cut" % kind, expect=None).status
                 for kind in ("containers", "tasks")]
        check(there in ([200, 200], [404, 404]), n, there)
        whole.append(there[0] == 200)
        if whole[-1]:
            stays(s, "cut")
            gone(s, "cut")
        if not has_died:
            break
    # The first is nothing; what ran and was not recorded is all of it.
    equal((whole[0], whole[-2:]), (False, [True, True]), whole)


main()

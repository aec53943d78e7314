#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what: admins, users with namespaces of their own, strangers;
and what a user may not wish, since it reaches the host."""
import ast
import ctypes
import hashlib
import sys

from skifftest import *
from lib_clients import Client

sys.path.insert(0, os.path.join(SRC, "tests", "contract"))

from contract import Contract  # noqa

needs("root", "runc", "skopeo", "docker-registry", "busybox", "mount")

TEAM, OTHER, ADMIN = 424201, 424202, 424203
GROUP = 424210
N = "/v1/namespaces/team-a"
STAY = ["sh", "-c", "echo ready; sleep 1000"]
ROOTS = scratch("srv")


def make_roots():
    """A directory to bind from, as an admin sets it up, once."""
    if os.path.exists(ROOTS):
        return
    os.makedirs(OPEN)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "skt", OPEN],
                   check=True)
    atexit.register(lambda: [subprocess.run(["umount", "-l", place])
                             for place in (DATA + "/other", OPEN)
                             if os.path.ismount(place)])
    os.makedirs(DATA)
    os.chmod(DATA, 0o777)
    with open(os.path.join(DATA, "file"), "w") as f:
        f.write("of the team\n")
    os.symlink("/etc", os.path.join(OPEN, "out"))


OPEN = os.path.join(ROOTS, "open")
DATA = os.path.join(OPEN, "data")
WHO = ["--grant", "%d=team-*" % TEAM, "--grant", "@%d=shared" % GROUP,
       "--grant", "%d=other" % OTHER, "--admin", str(ADMIN)]
BINDS = ["--bind-root", OPEN + "/"]
_daemon = None


def start(name, env=None):
    make_roots()
    s = Daemon(name, env, WHO + BINDS).start()
    s.pull(the_registry().push(busybox(), "t/busybox:1"), "team-a")
    return s


def daemon():
    global _daemon
    if _daemon is None:
        _daemon = start("d")
    return _daemon


def team():
    return Client(daemon(), TEAM)


def his():
    """The same, for containers that run; or a skip, where the kernel can
    give them no ids of their own."""
    # Of a test that failed.
    for left in daemon().get(N + "/containers").json["items"]:
        remove(daemon(), left["id"])
    answer = team().api("POST", N + "/containers?dry_run=true", container())
    if answer.status == 501:
        raise Skip(answer.json["detail"])
    equal(answer.status, 200, answer)
    return team()


def swap(place):
    """What was a directory leads to /etc."""
    os.rmdir(place)
    os.symlink("/etc", place)


def reference():
    return "%s/t/busybox:1" % the_registry().host


def refused(answer, reason):
    """The problem of a refusal."""
    equal(answer.status, 403, answer)
    equal((answer.json["code"], answer.json["reason"]),
          ("permission_denied", reason), answer)
    return answer.json


def container(id="c", **wishes):
    return dict({"id": id, "image": reference(), "args": STAY}, **wishes)


def bind(source, target="/m", *options):
    return {"type": "bind", "source": source, "target": target,
            "options": list(options)}


def remove(s, id="c"):
    s.api("DELETE", "%s/containers/%s?force=true" % (N, id))


def output(client, args, **wishes):
    """What a container of a client's says, to its end."""
    client.post(N + "/containers?start=true",
                container("o", **dict(wishes, args=args)), expect=201)
    client.wait_task("o", "team-a")
    text = client.get(N + "/tasks/o/logs").text
    remove(client, "o")
    return text


# --- who -----------------------------------------------------------------

@test
def without_grants_all_who_may_open_the_socket_are_admins():
    with Daemon("plain") as s:
        somebody = Client(s, TEAM)
        answer = somebody.post("/v1/namespaces/x/containers?dry_run=true",
                               {"spec_patch": {}, "privileged": True,
                                "spec": {}, "id": "c"}, expect=None)
        equal(answer.status, 400, answer)
        somebody.get("/v1/events?after=0&follow=false")


@test
def root_and_those_named_are_admins():
    for uid in (0, ADMIN):
        admin = Client(daemon(), uid)
        admin.get("/v1/events?after=0&follow=false")
        admin.get("/v1/namespaces/other/containers")
        admin.post(N + "/containers?dry_run=true",
                   container(privileged=True))


@test
def a_user_has_the_namespaces_that_are_granted_to_him_and_no_other():
    team().get(N + "/containers")
    team().get("/v1/namespaces/team-b/images")
    for path in ("/v1/namespaces/default/containers", "/v1/namespaces/team",
                 "/v1/namespaces/other/events",
                 "/v1/namespaces/x%2Fteam-a/tasks"):
        problem = refused(team().api("GET", path), "not_granted")
        check(str(TEAM) in problem["detail"], problem)
    Client(daemon(), OTHER).get("/v1/namespaces/other/tasks")
    refused(Client(daemon(), OTHER).api("GET", N), "not_granted")


@test
def a_group_is_granted_to_whoever_is_in_it():
    path = "/v1/namespaces/shared/containers"
    many = list(range(424300, 424400))
    Client(daemon(), 424299, gid=GROUP).get(path)
    Client(daemon(), 424299, groups=[1, GROUP]).get(path)
    Client(daemon(), 424299, groups=many + [GROUP]).get(path)
    refused(Client(daemon(), 424299, groups=many).api("GET", path),
            "not_granted")
    # A group's number is no user's.
    refused(Client(daemon(), GROUP, gid=1).api("GET", path), "not_granted")
    refused(Client(daemon(), 424299, gid=TEAM).api("GET", N), "not_granted")


@test
def a_stranger_gets_what_is_public():
    stranger = Client(daemon(), 424299)
    for path in ("/", "/healthz", "/readyz", "/v1/version", "/openapi.json"):
        stranger.get(path)
    for path in ("/v1/namespaces", "/v1/plugins", "/v1/tasks", "/v1/events"):
        refused(stranger.api("GET", path), "admin_only")


def disguise(comm, words):
    """This process has another's name and command line from now on."""
    with open("/proc/self/comm", "w") as f:
        f.write(comm)
    with open("/proc/self/stat") as f:
        start, end = map(int, f.read().rpartition(")")[2].split()[45:47])
    room = end - start - 1
    ctypes.memmove(start, b"\0".join(words)[:room].ljust(room, b"\0"), room)
    with open("/proc/self/cmdline", "rb") as f:
        return f.read()


def asked_in_disguise(uid, comm, words, requests):
    """What a user's process looks like, and [(status, reason)] it gets."""
    s = daemon()
    os.chmod(scratch(), 0o711)
    group = os.stat(s.socket).st_gid
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            line = disguise(comm, words)
            os.setgroups([group])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            answers = []
            for method, path, body in requests:
                answer = s.api(method, path, body, record=False)
                answers.append((answer.status, answer.json.get("reason")))
            os.write(write_end, repr((line, answers)).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with open(read_end, "rb") as f:
        told = f.read()
    os.waitpid(pid, 0)
    return ast.literal_eval(told.decode())


@test
def who_looks_like_the_daemon_or_like_root_s_tools_is_who_he_is():
    """CVE-2025-54288: rights are a user's, and no name's."""
    requests = [("GET", N + "/containers", None),
                ("GET", "/v1/namespaces/other/containers", None),
                ("GET", "/v1/events?after=0&follow=false", None),
                ("POST", N + "/containers", container(privileged=True))]
    with open("/proc/%d/cmdline" % daemon().process.pid, "rb") as f:
        own = f.read().split(b"\0")
    for comm, words in (("skiffd", own), ("skiff", [b"skiff", b"ps"]),
                        ("skiff-shim", [b"skiff-shim"]),
                        ("runc", [b"/usr/sbin/runc"]),
                        ("systemd", [b"/sbin/init"]), ("sudo", [b"sudo"])):
        line, answers = asked_in_disguise(TEAM, comm, words, requests)
        check(line.startswith(words[0][:20]), line)
        equal(answers, [(200, None), (403, "not_granted"),
                        (403, "admin_only"), (403, "admin_only")], comm)
        line, answers = asked_in_disguise(424299, comm, words, requests)
        equal(answers, [(403, "not_granted"), (403, "not_granted"),
                        (403, "admin_only"), (403, "not_granted")], comm)


@test
def every_route_of_another_namespace_is_closed():
    n = 0
    for operation in Contract().operations:
        path = operation.path.replace("{ns}", "default")
        if path == operation.path:
            continue
        path = path.replace("{", "").replace("}", "")
        answer = team().api(operation.method, path)
        refused(answer, "not_granted")
        n += 1
    check(n > 50, n)


@test
def of_the_routes_without_a_namespace_few_are_a_users():
    closed = []
    for operation in Contract().operations:
        if "{ns}" in operation.path:
            continue
        path = operation.path.replace("{", "").replace("}", "")
        if team().api(operation.method, path).status == 403:
            closed.append(operation.id)
    equal(closed, ["events_all"])


@test
def a_user_sees_and_makes_namespaces_of_his_own():
    for name in ("team-b", "team-c", "zone"):
        daemon().api("POST", "/v1/namespaces", {"name": name})
    equal([i["name"] for i in team().get("/v1/namespaces").json["items"]],
          ["team-a", "team-b", "team-c"])
    # Nor does a cursor tell that there are others.
    check("cursor" not in team().get("/v1/namespaces?limit=3").json)
    seen, cursor = [], ""
    while cursor is not None:
        page = team().get("/v1/namespaces?limit=1" + cursor).json
        check(len(page["items"]) <= 1, page)
        seen += [i["name"] for i in page["items"]]
        cursor = "&cursor=" + page["cursor"] if "cursor" in page else None
    equal(seen, ["team-a", "team-b", "team-c"])
    team().post("/v1/namespaces", {"name": "team-d"}, expect=201)
    refused(team().api("POST", "/v1/namespaces", {"name": "mine"}),
            "not_granted")
    team().delete("/v1/namespaces/team-d")
    refused(team().api("DELETE", "/v1/namespaces/zone"), "not_granted")


@test
def what_there_is_in_other_namespaces_cannot_be_told():
    daemon().api("POST", "/v1/namespaces", {"name": "zone"})
    daemon().post("/v1/namespaces/zone/containers", {
        "id": "there", "spec_patch": {}, "args": ["x"]}, expect=None)

    def body(ns, rest=""):
        problem = refused(team().api("GET", "/v1/namespaces/%s%s" % (
            ns, rest)), "not_granted")
        return {k: v.replace(ns, "NS") if isinstance(v, str) else v
                for k, v in problem.items() if k != "request_id"}
    equal(body("zone"), body("none"))
    equal(body("zone", "/containers/there"), body("none", "/containers/there"))


@test
def a_large_body_is_looked_at_like_a_small_one():
    for size, status in ((1 << 20, 403), (3 << 20, 403), (4 << 20, 413)):
        body = container(privileged=True, extensions={"x": "a" * size})
        answer = team().api("POST", N + "/containers", body)
        equal(answer.status, status, answer)
    # What is not granted is not even read.
    answer = team().api("POST", "/v1/namespaces/zone/containers",
                        container(extensions={"x": "a" * (3 << 20)}))
    refused(answer, "not_granted")


@test
def an_upload_into_another_namespace_is_not_begun():
    data = b"of somebody else"
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    refused(team().api("PUT", "/v1/namespaces/other/content/" + digest, data),
            "not_granted")
    daemon().get("/v1/namespaces/other/content/" + digest, expect=404)
    team().put(N + "/content/" + digest, data, expect=201)
    team().delete(N + "/content/" + digest)


@test
def a_user_works_in_his_namespace_from_pull_to_delete():
    s = his()
    s.pull(reference(), "team-a")
    at = daemon().revision()
    s.post(N + "/containers?start=true", container(
        resources={"pids": 50}, capabilities={"add": ["KILL"]},
        seccomp="default", runtime={"name": "runc"}), expect=201)
    until(lambda: "ready" in s.get(N + "/tasks/c/logs").text, "output")
    answer = s.post(N + "/tasks/c/execs?wait=true", {"args": ["id", "-u"]})
    equal(answer.json["stdout"], "0\n")
    equal(s.get(N + "/containers/c").json["userns"], "auto")
    s.patch(N + "/containers/c", {"args": ["true"], "labels": {"a": "b"}})
    with s.sse(N + "/events?after=%d&follow=false" % at) as stream:
        topics = [e["event"] for e in stream if e.get("id")]
    check("/tasks/start" in topics and "/tasks/exec-started" in topics, topics)
    remove(s)


# --- what he may not wish --------------------------------------------------

HIS_WISHES_NOT = {
    "/spec_patch": {"spec_patch": {"hostname": "a"}},
    "/privileged": {"privileged": True},
    "/pid": {"pid": "host"},
    "/ipc": {"ipc": "host"},
    "/uts": {"uts": "host"},
    "/network": {"network": "host"},
    "/userns": {"userns": "host"},
    "/devices": {"devices": [{"path": "/dev/null"}]},
    "/capabilities/add": {"capabilities": {"add": ["SYS_ADMIN"]}},
    "/seccomp": {"seccomp": "unconfined"},
    "/runtime": {"runtime": {"name": "/usr/bin/env"}},
    "/stdio/mode": {"stdio": {"mode": "file", "stdout": "/x"}},
    "/mounts/0/source": {"mounts": [bind("/home")]},
}
ALSO_NOT = (
    {"runtime": {"name": "runc", "options": {"args": ["--debug"]}}},
    {"runtime": {"name": "true"}},
    {"capabilities": {"add": ["ALL"]}},
    {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}},
    {"stdio": {"mode": "fifo", "stdin": "/x"}},
    {"oom_score_adj": -1},
)


HIS_WISHES = {
    "allow_new_privileges", "annotations", "args", "cwd", "dns", "entrypoint",
    "env", "extensions", "group_add", "health", "hostname", "image", "init",
    "oom_score_adj", "platform", "ports", "read_only", "resources",
    "restart_policy", "rlimits", "snapshot_key", "snapshotter",
    "stop_signal", "stop_timeout", "sysctls", "terminal", "user",
}


@test
def every_wish_is_decided_upon():
    wishes = Contract().document["components"]["schemas"]["Wishes"]
    admins = {field.split("/")[1] for field in HIS_WISHES_NOT} | {"spec"}
    equal(HIS_WISHES & admins, set())
    # One that is new may reach the host.
    equal(set(wishes["properties"]), HIS_WISHES | admins)


@test
def what_reaches_the_host_is_an_admins_to_wish():
    for field, wish in HIS_WISHES_NOT.items():
        problem = refused(team().api("POST", N + "/containers",
                                     container(**wish)), "admin_only")
        equal(problem["field"], field, wish)
        daemon().post(N + "/containers?dry_run=true", container(**wish))
    for wish in ALSO_NOT:
        refused(team().api("POST", N + "/containers", container(**wish)),
                "admin_only")
    made = daemon().post(N + "/containers?dry_run=true", container()).json
    problem = refused(team().api("POST", N + "/containers", {
        "id": "c", "image": reference(),
        "spec": dict(made["spec"])}), "admin_only")
    equal(problem["field"], "/spec")
    equal(team().get(N + "/containers").json["items"], [])


@test
def limits_of_his_own_container_are_a_users():
    limits = {"memory": 64 << 20, "memory_reservation": 32 << 20, "pids": 50}
    if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        limits.update(memory_swappiness=10, oom_kill_disable=True)
    made = his().post(N + "/containers?start=true", container(
        resources=limits, oom_score_adj=500), expect=201).json
    equal((made["restricted"], made["resources"]), (True, limits))
    with open("/proc/%d/oom_score_adj" %
              team().get(N + "/tasks/c").json["pid"]) as f:
        equal(f.read().strip(), "500")
    refused(team().api("PATCH", N + "/containers/c", {"oom_score_adj": -1}),
            "admin_only")
    team().patch(N + "/tasks/c", {"resources": {
        "memory_reservation": 16 << 20}})
    remove(team())


@test
def all_that_is_refused_is_told_at_once():
    problem = refused(team().api("POST", N + "/containers?start=true",
                                 container(privileged=True, pid="host",
                                           mounts=[bind("/home")])),
                      "admin_only")
    equal([e["field"] for e in problem["errors"]],
          ["/privileged", "/pid", "/mounts/0/source"], problem)


@test
def nor_can_he_change_his_container_so():
    his().post(N + "/containers", container(), expect=201)
    path = N + "/containers/c"
    was = team().get(path).json
    check(was["restricted"] is True, was)
    for field, wish in HIS_WISHES_NOT.items():
        if field == "/runtime":
            continue  # cannot be changed by anybody
        refused(team().api("PATCH", path, wish), "admin_only")
        refused(team().api("PATCH", "%s?mask=%s" % (path, next(iter(wish))),
                           wish), "admin_only")
        whole = {k: v for k, v in was.items() if k != "userns"}
        refused(team().api("PUT", path, dict(whole, **wish)), "admin_only")
    spec = dict(was["spec"], hostname="b")
    refused(team().api("PATCH", path, {"spec": spec}), "admin_only")
    equal(team().patch(path, {"restricted": False}, expect=400)
          .json["field"], "/restricted")
    equal(team().get(path).json, was)
    remove(team())


@test
def of_a_container_that_only_an_admin_could_make_he_changes_labels():
    daemon().post(N + "/containers", container(mounts=[bind("/home")]),
                  expect=201)
    path = N + "/containers/c"
    check("restricted" not in team().get(path).json)
    team().patch(path, {"labels": {"a": "b"}})
    refused(team().api("PATCH", path, {"stop_timeout": 3}), "admin_only")
    refused(team().api("PATCH", path, {"args": ["true"]}), "admin_only")
    # Without what was the admin's it is one of his own.
    remove(team())
    his()
    daemon().post(N + "/containers", container(mounts=[bind("/home")]),
                  expect=201)
    made = team().patch(path, {"mounts": None}).json
    check(made["restricted"] is True and made["userns"] == "auto", made)
    remove(team())


@test
def an_admin_lifts_what_a_user_s_container_is_held_to_by_saying_so():
    his().post(N + "/containers", container(mounts=[bind(DATA)]), expect=201)
    path = N + "/containers/c"
    made = daemon().patch(path, {"stop_timeout": 3, "userns": None,
                                 "mounts": [bind("/home")],
                                 "privileged": True}).json
    check(made["restricted"] is True, made)
    for client in (daemon(), team()):
        refused(client.api("POST", N + "/tasks", {"container": "c"}),
                "restricted")
    refused(team().api("PATCH", path, {"restricted": False}), "admin_only")
    equal(daemon().patch(path, {"restricted": 0}, expect=400).json["field"],
          "/restricted")
    made = daemon().patch(path, {"restricted": False}).json
    check("restricted" not in made, made)
    equal(daemon().patch(path, {"restricted": True}, expect=400)
          .json["field"], "/restricted")
    daemon().post(N + "/tasks", {"container": "c"}, expect=201)
    remove(daemon())


@test
def a_whole_and_a_mask_lift_it_too():
    for kind in "put", "mask":
        his().post(N + "/containers", container(), expect=201)
        path = N + "/containers/c"
        was = daemon().get(path).json
        kept = {k: v for k, v in was.items() if k not in (
            "restricted", "revision", "created_at", "updated_at")}
        kept["stop_timeout"] = 9
        check(daemon().put(path, kept).json["restricted"] is True)
        if kind == "put":
            made = daemon().put(path, dict(kept, restricted=False)).json
        else:
            made = daemon().patch(path + "?mask=restricted", {}).json
        check("restricted" not in made, made)
        remove(daemon())


@test
def execs_tasks_and_checkpoints_are_held_to_the_same():
    his().post(N + "/containers?start=true", container(), expect=201)
    execs = N + "/tasks/c/execs?wait=true"
    for wish in ({"privileged": True}, {"stdio": {"mode": "file",
                                                  "stdout": "/x"}}):
        refused(team().api("POST", execs, dict(wish, args=["true"])),
                "admin_only")
    daemon().post(execs, {"privileged": True, "args": ["true"]})
    problem = refused(team().api("POST", N + "/tasks/c/checkpoint",
                                 {"image_path": scratch("dump")}),
                      "admin_only")
    equal(problem["field"], "/image_path")
    remove(team())
    his().post(N + "/containers", container(), expect=201)
    out = scratch("out")
    refused(team().api("POST", N + "/tasks", {
        "container": "c", "stdio": {"mode": "file", "stdout": out}}),
        "admin_only")
    check(not os.path.exists(out))
    for args in (["--debug"], []):
        problem = refused(team().api("POST", N + "/tasks", {
            "container": "c", "options": {"args": args}}), "admin_only")
        equal(problem["field"], "/options/args")
    team().post(N + "/tasks", {"container": "c", "options": {}}, expect=201)
    remove(team())


# --- what he may bind --------------------------------------------------------

@test
def binds_lie_below_a_bind_root():
    text = output(his(), ["sh", "-c", "cat /m/file; echo more > /m/new"],
                  mounts=[bind(DATA)])
    equal(text, "of the team\n")
    with open(os.path.join(DATA, "new")) as f:
        equal(f.read(), "more\n")
    equal(output(team(), ["cat", "/f"],
                 mounts=[bind(DATA + "/file", "/f", "ro")]), "of the team\n")
    check("data" in output(team(), ["ls", "/m"], mounts=[bind(OPEN)]))
    for source in ("/etc", "/etc/passwd", "/root", "/home", ROOTS, OPEN + "er",
                   scratch("d"), "/proc/self/root/etc", "/dev"):
        problem = refused(team().api("POST", N + "/containers",
                                     container(mounts=[bind(source)])),
                          "admin_only")
        equal(problem["field"], "/mounts/0/source")


@test
def crun_binds_them_as_well():
    if not shutil.which("crun"):
        raise Skip("no crun")
    text = output(his(), ["cat", "/m/file", "/f"],
                  mounts=[bind(DATA), bind(DATA + "/file", "/f")],
                  runtime={"name": "crun"})
    equal(text, "of the team\n" * 2)


@test
def a_link_in_a_bind_root_leads_nowhere():
    for source in ("/out", "/out/ssl", "/data/../out", "/./out"):
        answer = team().api("POST", N + "/containers",
                            container(mounts=[bind(OPEN + source)]))
        problem = refused(answer, "admin_only")
        check("symbolic link" in problem["detail"], problem)
    # An admin, too, means the place and not where somebody has it lead.
    daemon().post(N + "/containers", container(
        mounts=[bind(OPEN + "//out/ssl")]), expect=201)
    refused(daemon().api("POST", N + "/tasks", {"container": "c"}),
            "bind_not_allowed")
    remove(daemon())


@test
def nor_does_a_link_from_elsewhere_lead_there():
    place = os.path.join(OPEN, "by-alias")
    os.makedirs(place)
    os.symlink(OPEN, scratch("alias"))
    alias = scratch("alias") + "/by-alias"
    daemon().post(N + "/containers", container(mounts=[bind(alias)]),
                  expect=201)
    for _ in range(2):
        refused(daemon().api("POST", N + "/tasks", {"container": "c"}),
                "bind_not_allowed")
        if not os.path.islink(place):
            swap(place)
    made = daemon().post(N + "/containers?dry_run=true",
                         container("r")).json["spec"]
    for root in (alias, OPEN + "/data", scratch("alias")):
        made["root"]["path"] = root
        equal(daemon().post(N + "/containers", {"id": "r", "spec": made},
                            expect=400).json["field"], "/spec/root/path")
    remove(daemon())
    os.unlink(place)
    # What it leads to may lead out again.
    os.unlink(scratch("alias"))
    os.symlink(place, scratch("alias"))
    os.symlink(os.path.basename(scratch("alias")), scratch("alias2"))
    secret = scratch("secret")
    os.makedirs(secret)
    for link in scratch("alias"), scratch("alias2") + "/.":
        daemon().post(N + "/containers", container(mounts=[bind(link)]),
                      expect=201)
        os.symlink(secret, place)
        refused(daemon().api("POST", N + "/tasks", {"container": "c"}),
                "bind_not_allowed")
        equal(daemon().post(N + "/containers", {
            "id": "r", "spec": dict(made, root={"path": link})},
            expect=400).json["field"], "/spec/root/path")
        os.unlink(place)
        # Nor is a place that is not there yet the admin's.
        refused(daemon().api("POST", N + "/tasks", {"container": "c"}),
                "bind_not_allowed")
        remove(daemon())
    for name in ("alias", "alias2"):
        os.unlink(scratch(name))


@test
def what_is_no_path_is_told_as_before():
    for source in ("", "a", "a/b", ".", "x" * 5000):
        for ask in (lambda body: team().post(N + "/containers", body,
                                             expect=400),
                    lambda body: team().post(N + "/containers?dry_run=true",
                                             body, expect=400)):
            equal(ask(container(mounts=[bind(source)])).json["field"],
                  "/mounts/0/source")
    his().post(N + "/containers", container(), expect=201)
    for source in ("", "a"):
        for mask in ("", "?mask=mounts"):
            equal(team().patch(N + "/containers/c" + mask, {
                "mounts": [bind(source)]}, expect=400).json["field"],
                "/mounts/0/source")
    remove(team())


@test
def nor_does_one_that_was_put_there_later():
    place = os.path.join(OPEN, "later")
    os.makedirs(place)
    for maker in (his(), daemon()):
        maker.post(N + "/containers", container(mounts=[bind(place)]),
                   expect=201)
        swap(place)
        # That he changes what he may tells nothing of what is bound.
        daemon().patch(N + "/containers/c", {"stop_timeout": 3})
        for client in (team(), daemon()):
            refused(client.api("POST", N + "/tasks", {"container": "c"}),
                    "bind_not_allowed")
        os.unlink(place)
        answer = team().api("POST", N + "/tasks", {"container": "c"})
        equal((answer.status, answer.json["reason"]),
              (409, "mount_source_not_found"), answer)
        os.makedirs(place)
        team().post(N + "/tasks", {"container": "c"}, expect=201)
        remove(team())
    os.rmdir(place)


@test
def nor_one_that_is_there_when_it_is_restarted():
    place = os.path.join(OPEN, "again")
    os.makedirs(place)
    daemon().post(N + "/containers?start=true",
                  container(mounts=[bind(place)]), expect=201)
    swap(place)
    answer = team().api("POST", N + "/tasks/c/restart", {"timeout": 0})
    equal((answer.status, answer.json["reason"]), (403, "restart_failed"),
          answer)
    check("symbolic link" in answer.json["detail"], answer)
    remove(daemon())
    os.unlink(place)


@test
def nor_one_that_comes_while_the_task_is_made():
    place = os.path.join(OPEN, "swapped")
    trace = scratch("trace")
    his()
    os.makedirs(place)
    s = start("slow", {"SKIFF_FAILPOINTS": "shim.mount.before=delay(1500)",
                       "SKIFF_FAILPOINTS_TRACE": trace})
    client = Client(s, TEAM)
    client.post(N + "/containers", container(mounts=[bind(place)]),
                expect=201)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        client.api("POST", N + "/tasks", {"container": "c"})))
    thread.start()
    # The daemon has looked; the shim has not.
    until(lambda: os.path.exists(trace), "the shim")
    swap(place)
    thread.join()
    [answer] = answers
    equal((answer.status, answer.json["reason"]), (409, "mount_failed"),
          answer)
    os.unlink(place)
    remove(client)
    s.stop()


@test
def what_is_mounted_below_a_bind_root_stays_out():
    other = os.path.join(DATA, "other")
    os.makedirs(other, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "skt", other], check=True)
    try:
        problem = refused(team().api("POST", N + "/containers", container(
            mounts=[bind(other)])), "admin_only")
        check("another mount" in problem["detail"], problem)
        with open(os.path.join(other, "secret"), "w"):
            pass
        equal(output(his(), ["ls", "/m/other"],
                     mounts=[bind(DATA, "/m", "rbind")]), "")
    finally:
        subprocess.run(["umount", other], check=True)


@test
def nobody_in_his_container_is_anybody_of_the_host():
    s = his()
    s.post(N + "/containers?start=true", container(mounts=[bind(DATA)]),
           expect=201)
    execs = N + "/tasks/c/execs"
    s.post(execs + "?wait=true", {"args": ["sh", "-c", "cp /bin/busybox "
                                           "/m/su; chmod 4755 /m/su"]})
    check(os.stat(DATA + "/su").st_uid >= 524288)
    # To hand a file over to him he would have to be somebody of the host.
    equal(s.post(execs, {"args": ["id"], "user": str(TEAM)},
                 expect=400).json["field"], "/user")
    pids = [p["pid"] for p in s.get(
        N + "/tasks/c/pids").json["processes"]]
    check(pids)
    for pid in pids:
        with open("/proc/%d/status" % pid) as f:
            ids = [int(x) for line in f if line.startswith(("Uid", "Gid"))
                   for x in line.split()[1:]]
        check(min(ids) >= 524288, ids)
        done = subprocess.run(["ls", "/proc/%d/root/" % pid], user=TEAM,
                              group=TEAM, extra_groups=[],
                              capture_output=True, text=True)
        check("Permission denied" in done.stderr, done)
    remove(s)
    os.unlink(DATA + "/su")


@test
def a_bind_root_that_is_none_any_longer_binds_nothing():
    his()
    s = start("narrow")
    client = Client(s, TEAM)
    client.post(N + "/containers?start=true",
                container(mounts=[bind(DATA)], restart_policy="always"),
                expect=201)
    at = s.revision()
    s.args = WHO
    s.restart()
    task = client.get(N + "/tasks/c").json
    equal(task["state"], "running")
    os.kill(task["pid"], signal.SIGKILL)
    event = s.wait_event("/tasks/restart-failed", at, container_id="c")
    check("bind-root" in json.dumps(event), event)
    remove(client)
    s.stop()


# --- the flags -----------------------------------------------------------

@test
def what_is_wrong_with_the_flags_is_said():
    loose = scratch("loose")
    os.makedirs(loose + "/dir")
    os.symlink("/home", loose + "/link")
    os.chown(loose, TEAM, TEAM)
    for arguments, word in (
            (["--grant", "team"], "WHO=NAMESPACE"),
            (["--grant", "team="], "WHO=NAMESPACE"),
            (["--grant", "no-such-user=a"], "no-such-user"),
            (["--grant", "@no-such-group=a"], "no-such-group"),
            (["--grant", "4294967295=a"], "4294967295"),
            (["--admin", ""], "--admin"),
            (["--admin", "@"], "@"),
            (["--grant", "1=a", "--checkpoints", "any"], "--checkpoints"),
            (["--bind-root", "/"], "cannot be given away"),
            (["--grant", "600000=a"], "--user-ids"),
            (["--admin", "@1879048191"], "--user-ids"),
            (["--user-ids", "600000"], "FIRST-LAST"),
            (["--user-ids", "1-700000"], "FIRST-LAST"),
            (["--user-ids", "600000-700000"], "FIRST-LAST"),
            (["--user-ids", "600000-4294967295"], "FIRST-LAST"),
            (["--bind-root", "srv"], "absolute"),
            (["--bind-root", "/no/such"], "/no/such"),
            (["--bind-root", "/etc"], "cannot be given away"),
            (["--bind-root", loose + "/dir"], loose),
            (["--bind-root", loose + "/link"], "/link"),
            (sum((["--grant", "%d=a" % i] for i in range(64)), []), "63")):
        made = Daemon("flags", args=arguments)
        made.start(wait=False)
        check(made.wait_end() != 0, arguments)
        made.process = None
        check(word in made.log_tail(), arguments, made.log_tail())
        made.destroy()


@test
def names_of_users_and_groups_are_the_hosts():
    with Daemon("names", args=["--grant", "daemon=a",
                               "--grant", "@games=b"]) as s:
        import grp
        import pwd
        uid = pwd.getpwnam("daemon").pw_uid
        gid = grp.getgrnam("games").gr_gid
        Client(s, uid).get("/v1/namespaces/a/tasks")
        refused(Client(s, uid).api("GET", "/v1/namespaces/b/tasks"),
                "not_granted")
        Client(s, 424299, gid=gid).get("/v1/namespaces/b/tasks")


main()

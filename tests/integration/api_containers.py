#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Containers over HTTP: made, changed, renamed, removed, and what of it a
running task feels. Names of behaviours follow containerd's client suite."""
from skifftest import *

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"
C = N + "/containers"
SLEEP = ["sleep", "1000"]


def make(s, id, expect=201, **wishes):
    body = dict({"id": id, "image": image(s)}, **wishes)
    return s.post(C, body, expect=expect)


def remove(s, *ids):
    for id in ids:
        s.delete("%s/%s?force=true" % (C, id))


def output(s, id, args, **wishes):
    """What a container made, run and removed for it says."""
    s.run(id, image(s), args, **wishes)
    status = s.wait_task(id)["exit_status"]
    text = s.get("%s/tasks/%s/logs" % (N, id)).text
    remove(s, id)
    return status, text


def start(s, id):
    s.post(N + "/tasks", {"container": id}, expect=201)
    return s.post(N + "/tasks/%s/start" % id).json


def plain_spec(s):
    """A whole spec as a client would keep it: that of a dry run."""
    spec = s.post(C + "?dry_run=true",
                  {"id": "plain", "image": image(s), "args": SLEEP}).json["spec"]
    del spec["linux"]["cgroupsPath"]
    return spec


@test
def new_container():
    s = the_daemon()
    made = make(s, "new", labels={"a": "b"}, extensions={"x": {"y": [1]}})
    equal(made.headers["Location"], C + "/new")
    doc = made.json
    equal((doc["id"], doc["labels"], doc["extensions"], doc["spec_origin"]),
          ("new", {"a": "b"}, {"x": {"y": [1]}}, "wishes"))
    equal(doc["snapshot_key"], "new")
    equal(s.get(C + "/new").json, doc)
    make(s, "new", expect=409)
    remove(s, "new")


@test
def container_list():
    s = the_daemon()
    for id in ("l2", "l1", "l3"):
        make(s, id)
    equal([c["id"] for c in s.get(C).json["items"]], ["l1", "l2", "l3"])
    remove(s, "l1", "l2", "l3")
    equal(s.get("/v1/namespaces/nowhere/containers").json["items"], [])


@test
def container_update_by_mask_merge_patch_and_replacement():
    s = the_daemon()
    made = make(s, "up", labels={"a": "1", "b.c": "2"}, args=["true"]).json
    at = s.revision()
    doc = s.patch(C + "/up?mask=labels.b.c&mask=env,extensions.x",
                  {"labels": {"b.c": "3", "a": "9"}, "env": ["E=f"],
                   "extensions": {"x": 1, "z": 2}, "args": ["false"]}).json
    equal((doc["labels"], doc["extensions"], doc["args"]),
          ({"a": "1", "b.c": "3"}, {"x": 1}, ["true"]))
    check("E=f" in doc["spec"]["process"]["env"])
    event = s.wait_event("/containers/update", at, id="up")
    equal(event["event"]["labels"], doc["labels"])
    problem = s.patch(C + "/up?mask=image,runtime.name,args", {},
                      expect=400).json
    equal([e["field"] for e in problem["errors"]],
          ["/image", "/runtime/name"])
    check('"runtime.name" of container "up"' in problem["errors"][1]["detail"])
    doc = s.patch(C + "/up", {"args": ["false"], "env": None}).json
    equal(doc["spec"]["process"]["args"], ["false"])
    stale = {"If-Match": '"%d"' % made["revision"]}
    equal(s.patch(C + "/up", {"cwd": "/"}, expect=412, headers=dict(
        stale, **{"Content-Type": "application/json"})).json["code"],
        "aborted")
    s.put(C + "/up", dict(doc, cwd="/tmp"), expect=412, headers=stale)
    doc = s.put(C + "/up", dict(doc, cwd="/tmp", labels={}), headers={
        "If-Match": '"%d"' % doc["revision"]}).json
    equal((doc["spec"]["process"]["cwd"], doc["labels"]), ("/tmp", {}))
    equal(doc["created_at"], made["created_at"])
    remove(s, "up")


@test
def an_update_is_for_the_next_task():
    s = the_daemon()
    make(s, "next", args=["sh", "-c", "echo $V; sleep 1000"], env=["V=one"])
    start(s, "next")
    s.patch(C + "/next", {"env": ["V=two"], "resources": {"pids": 9}})
    until(lambda: s.get(N + "/tasks/next/logs").text == "one\n",
          "its output")
    equal(s.get(N + "/tasks/next").json["state"], "running")
    s.post(N + "/tasks/next/kill", {"signal": 9})
    s.wait_task("next")
    s.delete(N + "/tasks/next", expect=200)
    start(s, "next")
    until(lambda: s.get(N + "/tasks/next/logs").text == "two\n", "its output")
    remove(s, "next")


@test
def a_spec_that_was_changed_is_the_clients():
    s = the_daemon()
    make(s, "own", args=["true"])
    doc = s.patch(C + "/own?mask=spec", {"spec": dict(
        plain_spec(s), hostname="other")}).json
    equal((doc["spec"]["hostname"], doc["spec_origin"], "args" in doc),
          ("other", "client", False))
    check(doc["spec"]["linux"]["cgroupsPath"].endswith("/default/own"))
    equal(start(s, "own")["state"], "running")
    remove(s, "own")


@test
def generate_spec():
    s = the_daemon()
    spec = plain_spec(s)
    equal(spec["process"]["args"], SLEEP)
    check(len(spec["process"]["env"]) > 0)
    check({"type": "pid"} in spec["linux"]["namespaces"])
    tty = s.post(C + "?dry_run=true", {"image": image(s), "terminal": True})
    check(tty.json["spec"]["process"]["terminal"])
    check("TERM=xterm" in tty.json["spec"]["process"]["env"])


@test
def a_dry_run_answers_and_writes_nothing():
    s = the_daemon()
    image(s)
    before, events = s.picture(), s.revision()
    answer = s.post(C + "?dry_run=true", {"id": "dry", "image": image(s)})
    equal((answer.json["id"], answer.json["namespace"],
           "revision" in answer.json, answer.headers["ETag"]),
          ("dry", "default", False, None))
    equal((s.picture(), s.revision()), (before, events))
    s.get(C + "/dry", expect=404)
    s.post(C + "?dry_run=true", {"image": "none"}, expect=404)
    made = make(s, "wet", labels={"a": "b"}).json
    before = s.revision()
    there = C + "/wet"
    answer = s.patch(there + "?dry_run=true", {"cwd": "/tmp"}).json
    equal((answer["cwd"], answer["spec"]["process"]["cwd"]),
          ("/tmp", "/tmp"))
    s.put(there + "?dry_run=true", dict(made, labels={"c": "d"}))
    s.patch(there + "?dry_run=true", {"cwd": 1}, expect=400)
    answer = s.patch(there + "?dry_run=true", {
        "userns": "auto", "user": "70000"}, expect=None)
    check(answer.status == 501 or (answer.status, answer.json["field"]) ==
          (400, "/user"), answer)
    s.patch(there + "?dry_run=true", {"cwd": "/tmp"}, expect=412,
            headers={"If-Match": '"1"'})
    equal(s.get(there).json, made)
    equal(s.revision(), before)
    remove(s, "wet")


@test
def with_linux_namespace():
    """A client's own spec may share what it names with another."""
    s = the_daemon()
    make(s, "first", args=SLEEP)
    pid = start(s, "first")["pid"]
    spec = plain_spec(s)
    spec["process"]["args"] = ["readlink", "/proc/self/ns/ipc"]
    for space in spec["linux"]["namespaces"]:
        if space["type"] == "ipc":
            space["path"] = "/proc/%d/ns/ipc" % pid
    equal(s.post(C, {"id": "second", "image": image(s), "spec": spec},
                 expect=201).json["spec_origin"], "client")
    start(s, "second")
    s.wait_task("second")
    equal(s.get(N + "/tasks/second/logs").text.strip(),
          os.readlink("/proc/%d/ns/ipc" % pid))
    remove(s, "first", "second")


@test
def delete_running_container():
    s = the_daemon()
    doc = make(s, "busy", args=SLEEP).json
    start(s, "busy")
    problem = s.delete(C + "/busy", expect=409).json
    equal((problem["reason"], problem["state"]), ("task_exists", "running"))
    # What is refused in the end kills nothing first.
    s.delete(C + "/busy?force=true", expect=412,
             headers={"If-Match": '"%d"' % (doc["revision"] + 1)})
    equal(s.get(N + "/tasks/busy").json["state"], "running")
    at = s.revision()
    s.delete(C + "/busy?force=true",
             headers={"If-Match": '"%d"' % doc["revision"]})
    equal([e["topic"] for e in s.events(at)],
          ["/tasks/exit", "/tasks/delete", "/containers/delete",
           "/snapshots/remove"])
    s.delete(C + "/busy?force=true", expect=404)


@test
def a_container_is_renamed_with_all_it_has():
    s = the_daemon()
    made = make(s, "old", args=SLEEP, labels={"k": "v"}).json
    at = s.revision()
    s.post(C + "/old/rename", {"id": "a/b"}, expect=400)
    doc = s.post(C + "/old/rename", {"id": "new"}).json
    equal((doc["id"], doc["created_at"], doc["labels"], doc["snapshot_key"]),
          ("new", made["created_at"], {"k": "v"}, "old"))
    equal(doc["spec"]["hostname"], "new")
    event = s.wait_event("/containers/rename", at, id="new")
    equal(event["event"]["previous_id"], "old")
    s.get(C + "/old", expect=404)
    equal(s.get(C + "/new").json, doc)
    # Both names run at the same time, each on its own files and cgroup.
    make(s, "old", args=SLEEP)
    s.post(C + "/new/rename", {"id": "old"}, expect=409)
    start(s, "old")
    start(s, "new")
    remove(s, "old", "new")


@test
def only_one_task_runs_on_files_that_it_can_write():
    s = the_daemon()
    make(s, "probe")
    parent = s.get(N + "/snapshots/overlay/probe").json["parent"]
    remove(s, "probe")
    prepare = lambda **body: s.post(N + "/snapshots/overlay", body, expect=201)
    prepare(key="first", parent=parent,
            labels={"containerd.io/gc.root": "mine"})
    prepare(key="bare", parent=parent, kind="view")
    make(s, "maker", snapshot_key="first", args=["true"])
    start(s, "maker")
    equal(s.post(N + "/snapshots/overlay/first/commit", {"name": "full"},
                 expect=409).json["reason"], "snapshot_in_use")
    remove(s, "maker")
    # The label keeps it; now it has the directories of every container.
    s.post(N + "/snapshots/overlay/first/commit", {"name": "full"})
    prepare(key="rw", parent="full")
    prepare(key="ro", parent="full", kind="view")
    make(s, "nodirs", snapshot_key="bare", args=SLEEP)
    problem = s.post(N + "/tasks", {"container": "nodirs"}, expect=409).json
    equal(problem["reason"], "image_invalid_rootfs")
    remove(s, "nodirs")
    for id, key in (("w1", "rw"), ("w2", "rw"), ("r1", "ro"), ("r2", "ro")):
        make(s, id, snapshot_key=key, args=SLEEP)
    equal(s.post(C, {"id": "x", "image": image(s), "snapshot_key": "none"},
                 expect=404).json["object"]["kind"], "snapshot")
    equal(s.post(C, {"id": "x", "image": image(s), "snapshot_key": parent},
                 expect=400).json["field"], "/snapshot_key")
    start(s, "w1")
    problem = s.post(N + "/tasks", {"container": "w2"}, expect=409).json
    equal((problem["reason"], "w1" in problem["detail"]),
          ("rootfs_in_use", True))
    start(s, "r1")
    start(s, "r2")
    s.restart()
    s.post(N + "/tasks", {"container": "w2"}, expect=409)
    s.delete(N + "/tasks/w1?force=true", expect=200)
    start(s, "w2")
    # It goes with the last of its containers.
    remove(s, "w1", "r1")
    s.delete(N + "/snapshots/overlay/rw", expect=409)
    s.get(N + "/snapshots/overlay/ro")
    remove(s, "w2", "r2")
    for key in ("rw", "ro"):
        s.get(N + "/snapshots/overlay/" + key, expect=404)


@test
def a_directory_of_the_host_can_be_the_root():
    s = the_daemon()
    root = scratch("root")
    os.makedirs(root)
    make(s, "donor", args=SLEEP)
    pid = start(s, "donor")["pid"]
    subprocess.run(["cp", "-a", "/proc/%d/root/bin" % pid, root + "/bin"],
                   check=True)
    remove(s, "donor")
    spec = plain_spec(s)
    spec["process"]["args"] = ["sh", "-c", "echo hello >/file; ls /"]
    spec["root"] = {"path": root}
    s.post(C, {"id": "both", "image": image(s), "spec": spec}, expect=400)
    s.post(C, {"id": "dir", "spec": spec}, expect=201)
    start(s, "dir")
    equal(s.wait_task("dir")["exit_status"], 0)
    check("file" in s.get(N + "/tasks/dir/logs").text.split())
    remove(s, "dir")
    with open(root + "/file") as f:
        equal(f.read(), "hello\n")
    # Rule set R holds for it, too.
    os.rename(root + "/dev", root + "/dev.real")
    os.symlink("/tmp", root + "/dev")
    s.post(C, {"id": "dir", "spec": spec}, expect=201)
    equal(s.post(N + "/tasks", {"container": "dir"}, expect=409)
          .json["reason"], "image_invalid_rootfs")
    remove(s, "dir")


@test
def wishes_are_felt_inside():
    s = the_daemon()
    status, text = output(
        s, "felt", ["sh", "-c", "cat /etc/resolv.conf /proc/sys/kernel/sem; "
                    "ulimit -n; ulimit -Hn; ulimit -c; ls /dev/nil; "
                    "grep NoNew /proc/self/status; "
                    "cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes "
                    "2>/dev/null"],
        dns={"servers": ["192.0.2.1"], "options": ["ndots:3"]},
        sysctls={"kernel.sem": "32000 1024000000 500 32000"},
        rlimits=[{"type": "nofile", "soft": 100, "hard": 200},
                 {"type": "core", "soft": 5120}],
        devices=[{"path": "/dev/null", "container_path": "/dev/nil"}],
        allow_new_privileges=True, resources={
            "memory": 64 << 20, "memory_swap": 64 << 20} if os.path.exists(
                "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes") else {})
    lines = text.split("\n")
    equal(lines[:2], ["nameserver 192.0.2.1", "options ndots:3"])
    equal(lines[2].split(), ["32000", "1024000000", "500", "32000"])
    equal(lines[3:7], ["100", "200", "10", "/dev/nil"])
    equal(lines[7].split(), ["NoNewPrivs:", "0"])
    check(lines[8] in ("", str(64 << 20)))


@test
def a_privileged_container_mounts_and_sees_devices():
    s = the_daemon()
    status, text = output(
        s, "priv", ["sh", "-c", "mkdir -p /mnt; mount -t tmpfs x /mnt && echo mounted; "
                    "test -w /proc/sys/kernel/domainname && echo writable; "
                    "grep Seccomp: /proc/self/status"], privileged=True)
    equal((status, text.split()),
          (0, ["mounted", "writable", "Seccomp:", "0"]))


@test
def uid_without_gid_and_spec_patch():
    s = the_daemon()
    status, text = output(s, "uid", ["sh", "-c", "id -u; id -g; hostname"],
                          user="1234",
                          spec_patch={"hostname": "patched"})
    equal(text.split(), ["1234", "0", "patched"])


@test
def container_hook():
    """Hooks run on the host, as root: nobody brings one."""
    s = the_daemon()
    hooks = {"createRuntime": [{"path": "/bin/true"}]}
    spec = dict(plain_spec(s), hooks=hooks)
    equal(s.post(C, {"spec": spec}, expect=400).json["field"], "/spec/hooks")
    equal(make(s, "hooked", expect=400, spec_patch={"hooks": hooks})
          .json["field"], "/spec_patch/hooks")


main()

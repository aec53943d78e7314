#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints with the real criu: images made, restored, refused, undone."""
import hashlib
import io
import stat
import tarfile

from skifftest import *
from lib_checkpoint import *
from lib_clients import Client

needs("root", "runc", "skopeo", "docker-registry", "apt-get")

@test
def a_running_task_is_dumped_and_goes_on():
    s = daemon()
    before = s.revision()
    n = counting(s, "on", 3)
    done = checkpoint(s, "on", name="cp/on:1")
    equal(done["state"], "succeeded")
    equal(done["result"]["image"], "cp/on:1")
    counts_on(s, "on", n + 2)
    equal(s.get(N + "/tasks/on").json["state"], "running")
    target = s.get(N + "/images/" + quote("cp/on:1")).json["target"]
    equal(target["digest"], done["result"]["digest"])
    manifest = s.get("%s/content/%s" % (N, target["digest"])).json
    equal([layer["mediaType"] for layer in manifest["layers"]],
          ["application/vnd.containerd.container.criu.checkpoint.criu.tar",
           "application/vnd.oci.image.layer.v1.tar"])
    event = s.wait_event("/tasks/checkpointed", before, container_id="on")
    equal(event["event"]["checkpoint"], "cp/on:1")
    check(not os.path.exists(s.root + "/tasks/default/on/checkpoint"))
    remove(s, "on")


@test
def it_ends_after_the_checkpoint_and_goes_on_where_it_was():
    s = daemon()
    before = s.revision()
    counting(s, "exit", 3)
    checkpoint(s, "exit", name="cp/exit:1", exit=True)
    equal(s.wait_task("exit")["exit_status"], 137)
    n = count(s, "exit")
    s.delete(N + "/tasks/exit", expect=200)
    task = restore(s, "exit", "cp/exit:1")
    equal(task["state"], "running")
    check(task["pid"] > 0 and task["started_at"])
    counts_on(s, "exit", n + 2)
    first = s.get(N + "/tasks/exit/logs").text.split()[1]
    check(n - 2 <= int(first) <= n + 2, "first", first, "after", n)
    topics = [e["topic"] for e in s.events(before)
              if e["topic"].startswith("/tasks/")]
    equal(topics, ["/tasks/create", "/tasks/start", "/tasks/checkpointed",
                   "/tasks/exit", "/tasks/delete", "/tasks/create",
                   "/tasks/start"])
    remove(s, "exit")



# Tells now and then what its memory holds, which nothing else does.
MEMORY = ["sh", "-c", "v=$(head -c 3000000 /dev/urandom | base64); "
          "rm /etc/passwd; mkdir /made; echo kept > /made/file; "
          "while sleep 0.05; do echo sum $(echo \"$v\" | md5sum); done"]


def last_sum(s, container):
    text = s.get("%s/tasks/%s/logs?tail=1" % (N, container)).text
    return text.split()[1] if text.startswith("sum ") else None


@test
def memory_and_files_go_to_another_container_and_survive_a_restart():
    s = daemon()
    name = image(s)
    s.run("from", name, MEMORY)
    was = until(lambda: last_sum(s, "from"), "a sum")
    checkpoint(s, "from", name="cp/memory:1", exit=True)
    s.wait_task("from")
    remove(s, "from")
    s.restart()
    create(s, "to", name, ["never", "run"], hostname="other")
    restore(s, "to", "cp/memory:1")
    equal(until(lambda: last_sum(s, "to"), "a sum"), was)
    upper = s.get(N + "/snapshots/overlay/to/mounts").json["mounts"][0]
    fs = [o for o in upper["options"] if o.startswith("upperdir=")][0][9:]
    with open(fs + "/made/file") as f:
        equal(f.read(), "kept\n")
    check(stat.S_ISCHR(os.lstat(fs + "/etc/passwd").st_mode))
    # Its end is its own: nothing of the dumped one is waited for.
    s.post(N + "/tasks/to/kill", {"signal": "KILL"})
    equal(s.wait_task("to")["exit_status"], 137)
    remove(s, "to")


@test
def a_real_exit_status_comes_back_after_a_restore():
    s = daemon()
    name = image(s)
    s.run("status", name, ["sh", "-c", "trap 'exit 7' USR1; echo ready; "
                           "while sleep 0.05; do :; done"])
    until(lambda: "ready" in s.get(N + "/tasks/status/logs").text, "ready")
    put_aside(s, "status")
    restore(s, "status", "cp/status:1")
    s.post(N + "/tasks/status/kill", {"signal": "USR1"})
    equal(s.wait_task("status")["exit_status"], 7)
    remove(s, "status")


@test
def a_terminal_is_made_anew():
    s = daemon()
    counting(s, "tty", 2, terminal=True)
    n = put_aside(s, "tty")
    restore(s, "tty", "cp/tty:1")
    counts_on(s, "tty", n + 2)
    remove(s, "tty")


@test
def a_terminal_of_the_task_s_own_wish_is_made_anew():
    s = daemon()
    create(s, "wish", image(s))
    s.post(N + "/tasks", {"container": "wish", "terminal": True}, expect=201)
    s.post(N + "/tasks/wish/start")
    n = counts_on(s, "wish", 1)
    put_aside(s, "wish")
    problem = restore(s, "wish", "cp/wish:1", expect=409)
    check("with a terminal" in problem["detail"], problem["detail"])
    for _ in range(2):
        check(restore(s, "wish", "cp/wish:1", terminal=True)["terminal"])
        n = counts_on(s, "wish", n)
        s.delete(N + "/tasks/wish?force=true", expect=200)
    remove(s, "wish")
    made = s.post(N + "/containers?start=true", {"checkpoint": "cp/wish:1"},
                  expect=201).json
    check("terminal" not in made, made)
    check(s.get(N + "/tasks/wish").json["terminal"])
    counts_on(s, "wish", 1)
    remove(s, "wish")


@test
def input_goes_on_through_a_new_pipe():
    s = daemon()
    name = image(s)
    create(s, "in", name, ["cat"], stdio={"stdin": True})
    s.post(N + "/tasks", {"container": "in"}, expect=201)
    s.post(N + "/tasks/in/start")
    s.post(N + "/tasks/in/stdin", "before\n", expect=None)
    until(lambda: "before" in s.get(N + "/tasks/in/logs").text, "an echo")
    put_aside(s, "in")
    restore(s, "in", "cp/in:1")
    s.post(N + "/tasks/in/stdin?eof=true", "after\n", expect=None)
    equal(s.wait_task("in")["exit_status"], 0)
    equal(s.get(N + "/tasks/in/logs").text, "after\n")
    remove(s, "in")


@test
def a_terminal_that_a_path_fed_is_typed_at_afterwards():
    s = daemon()
    feed, out = scratch("feed"), scratch("out")
    with open(feed, "w") as f:
        f.write("before\n")
    create(s, "fed", image(s), ["cat"], terminal=True)
    s.post(N + "/tasks", {
        "container": "fed",
        "stdio": {"mode": "file", "stdin": feed, "stdout": out}}, expect=201)
    s.post(N + "/tasks/fed/start")
    until(lambda: open(out).read().count("before") == 2, "it, and its echo")
    checkpoint(s, "fed", name="cp/fed:1", exit=True)
    s.wait_task("fed")
    s.delete(N + "/tasks/fed", expect=200)
    restore(s, "fed", "cp/fed:1")
    s.post(N + "/tasks/fed/stdin", "after\n\x04", expect=204)
    equal(s.wait_task("fed")["exit_status"], 0)
    equal(s.get(N + "/tasks/fed/logs").text.count("after"), 2)
    remove(s, "fed")


@test
def a_paused_task_stays_paused():
    s = daemon()
    counting(s, "paused")
    s.post(N + "/tasks/paused/pause")
    checkpoint(s, "paused", name="cp/paused:1")
    equal(s.get(N + "/tasks/paused").json["state"], "paused")
    n = count(s, "paused")
    s.post(N + "/tasks/paused/resume")
    counts_on(s, "paused", n + 1)
    s.post(N + "/tasks/paused/pause")
    checkpoint(s, "paused", name="cp/paused:2", exit=True)
    equal(s.wait_task("paused")["exit_status"], 137)
    remove(s, "paused")


@test
def no_policy_brings_back_what_a_checkpoint_ended():
    s = daemon()
    counting(s, "policy", restart_policy={"name": "always"})
    checkpoint(s, "policy", exit=True)
    s.wait_task("policy")
    task = s.get(N + "/tasks/policy").json
    equal((task["state"], task["restart_count"]), ("stopped", 0))
    check(any(i["name"].startswith("checkpoint/policy:")
              for i in s.get(N + "/images").json["items"]), "a made-up name")
    remove(s, "policy")


@test
def what_was_put_into_the_container_must_have_ended():
    s = daemon()
    s.run("exec", image(s), COUNTER)
    path = N + "/tasks/exec/execs"
    s.post(path + "?start=true", {"id": "e", "args": ["sleep", "1000"]},
           expect=201)
    problem = checkpoint(s, "exec", expect=409)
    equal(problem["reason"], "execs_running")
    s.post(path + "/e/kill", {"signal": "KILL"})
    s.get(path + "/e/wait")
    checkpoint(s, "exec")
    remove(s, "exec")


@test
def criu_s_files_go_to_a_directory_if_asked():
    s = daemon()
    n = counting(s, "path")
    path = scratch("criu-files")
    done = checkpoint(s, "path", image_path=path)
    equal(done["result"], {"image_path": path})
    check("inventory.img" in os.listdir(path), os.listdir(path))
    counts_on(s, "path", n + 1)
    problem = checkpoint(s, "path", expect=409, image_path=path)
    check("File exists" in problem["detail"], problem)
    remove(s, "path")


@test
def what_criu_cannot_dump_is_told_in_its_words():
    s = daemon()
    s.run("tcp", image(s), [
        "sh", "-c", "nc -l -p 99 -e cat & "
        "while ! grep -q :0063 /proc/net/tcp*; do :; done; "
        "(echo linked; sleep 1000) | nc 127.0.0.1 99"])
    until(lambda: "linked" in s.get(N + "/tasks/tcp/logs").text, "a connection")
    problem = checkpoint(s, "tcp", expect=409, name="cp/tcp:1")
    equal(problem["reason"], "checkpoint_failed")
    check("tcp-established" in problem["detail"], problem["detail"])
    check("Error (" in problem["log"], problem["log"][-500:])
    operation = [o for o in s.get(N + "/operations").json["items"]
                 if o["kind"] == "checkpoint"][-1]
    equal((operation["state"], operation["error"]["log"]),
          ("failed", problem["log"]))
    s.get(N + "/images/" + quote("cp/tcp:1"), expect=404)
    equal(s.get(N + "/tasks/tcp").json["state"], "running")
    s.get(N + "/tasks/tcp/pids")
    remove(s, "tcp")


def talker():
    """A directory with a program whose two processes talk over TCP."""
    path = scratch("talk")
    if not os.path.exists(path):
        os.mkdir(path)
        subprocess.run(os.environ.get("CC", "gcc").split() +
                       ["-static", "-O1", "-o", path + "/talk",
                        HERE + "/tcp_talk.c"], check=True)
    return path


@test
def a_connection_is_kept_if_asked():
    with Daemon("sockets", args=["--criu", criu_for_sockets()]) as s:
        s.run("kept", image(s), ["/talk/talk"], mounts=[
            {"type": "bind", "source": talker(), "target": "/talk",
             "options": ["ro"]}])
        counts_on(s, "kept", 2)
        problem = checkpoint(s, "kept", expect=409, name="cp/kept:0")
        check("tcp-established" in problem["detail"], problem["detail"])
        # It goes on after the refusal, and after a dump that it survives.
        n = counts_on(s, "kept", count(s, "kept") + 2)
        checkpoint(s, "kept", name="cp/kept:1", tcp_established=True)
        counts_on(s, "kept", n + 2)
        checkpoint(s, "kept", name="cp/kept:2", tcp_established=True,
                   exit=True)
        s.wait_task("kept")
        n = count(s, "kept")
        remove(s, "kept")
        s.post(N + "/containers?start=true", {"checkpoint": "cp/kept:2"},
               expect=201)
        counts_on(s, "kept", n + 2)
        remove(s, "kept")


@test
def its_network_is_as_that_of_a_new_one():
    s = daemon()
    show = ["sh", "-c", "cat /sys/class/net/lo/flags; cd /proc/sys/net/ipv4; "
            "cat ping_group_range ip_forward; ls /sys/class/net"]

    def shown():
        return s.post(N + "/tasks/net/execs?wait=true",
                      {"args": show}).json["stdout"].split()
    s.run("net", image(s), COUNTER, sysctls={"net.ipv4.ip_forward": "1"})
    was = shown()
    check(int(was[0], 16) & 1 and was[3] == "1", was)
    put_aside(s, "net")
    restore(s, "net", "cp/net:1")
    equal(shown(), was)
    # What else is in the bundle of a restore is nobody's to ask for.
    spec = s.get(N + "/containers/net").json["spec"]
    check("hooks" not in spec, spec)
    remove(s, "net")


def config_of(s, name):
    """What a checkpoint says of the container."""
    target = s.get(N + "/images/" + quote(name)).json["target"]
    manifest = s.get("%s/content/%s" % (N, target["digest"])).json
    return s.get("%s/content/%s" % (N, manifest["config"]["digest"])).json


@test
def its_config_makes_a_container_that_it_fits():
    s = daemon()
    counting(s, "config")
    checkpoint(s, "config", name="cp/config:1", exit=True)
    s.wait_task("config")
    remove(s, "config")
    config = config_of(s, "cp/config:1")
    spec = config["spec"]
    spec["linux"].pop("cgroupsPath")
    s.post(N + "/containers", {"id": "made", "image": config["image"],
                               "spec": spec}, expect=201)
    restore(s, "made", "cp/config:1")
    counts_on(s, "made", 1)
    remove(s, "made")


@test
def the_container_is_made_like_the_checkpointed_one():
    s = daemon()
    n = counting(s, "like", 2, labels={"a": "b"}, stop_signal="SIGINT",
                 env=["X=y"], terminal=True, group_add=["users"],
                 resources={"pids": 64})
    checkpoint(s, "like", name="cp/like:1", exit=True)
    s.wait_task("like")
    was = s.get(N + "/containers/like").json
    # On another id, beside it.
    path = N + "/containers?start=true"
    at = s.revision()
    made = s.post(path, {"id": "like2", "checkpoint": "cp/like:1"},
                  expect=201).json
    for key in ("labels", "stop_signal", "env", "args", "image", "runtime",
                "resources", "group_add", "spec_origin"):
        equal((key, made[key]), (key, was[key]))
    equal(s.get(N + "/tasks/like2").json["state"], "running")
    counts_on(s, "like2", n)
    equal([e["topic"] for e in s.events(at)
           if e["topic"].startswith(("/tasks/", "/containers/"))],
          ["/containers/create", "/tasks/create", "/tasks/start"])
    # On its own, which must not be there.
    problem = s.post(path, {"checkpoint": "cp/like:1"}, expect=409).json
    equal((problem["code"], problem["object"]["id"]),
          ("already_exists", "like"))
    remove(s, "like", "like2")
    equal(s.post(path, {"checkpoint": "cp/like:1"}, expect=201).json["id"],
          "like")
    counts_on(s, "like", n)
    remove(s, "like")
    # Made alone it is a container like any other.
    plan = s.post(N + "/containers?dry_run=true",
                  {"checkpoint": "cp/like:1"}).json
    equal((plan["id"], plan["args"]), ("like", COUNTER))
    s.post(N + "/containers", {"checkpoint": "cp/like:1"}, expect=201)
    s.get(N + "/tasks/like", expect=404)
    restore(s, "like", "cp/like:1", terminal=True)
    remove(s, "like")


@test
def it_holds_what_its_run_was_made_from():
    s = daemon()
    n = counting(s, "patched", env=["X=old"], labels={"a": "old"})
    was = s.get(N + "/containers/patched").json
    # The next run's, and what counts for this one, too.
    s.patch(N + "/containers/patched", {
        "capabilities": {"drop": ["CHOWN"]}, "env": ["X=new"],
        "labels": {"a": "new"}, "stop_signal": "SIGINT"})
    put_aside(s, "patched")
    config = config_of(s, "cp/patched:1")
    equal(config["spec"], was["spec"])
    wishes = config["wishes"]
    equal((wishes["env"], wishes["labels"], wishes["stop_signal"]),
          (["X=old"], {"a": "new"}, "SIGINT"))
    check("capabilities" not in wishes, wishes)
    problem = restore(s, "patched", "cp/patched:1", expect=409)
    equal(problem["reason"], "checkpoint_mismatch")
    check("/process/capabilities" in problem["detail"], problem["detail"])
    remove(s, "patched")
    s.post(N + "/containers?start=true", {"checkpoint": "cp/patched:1"},
           expect=201)
    counts_on(s, "patched", n)
    remove(s, "patched")


@test
def a_container_of_a_spec_of_its_own_is_made_again_too():
    s = daemon()
    s.post(N + "/containers", {"id": "plan", "image": image(s),
                               "args": COUNTER}, expect=201)
    spec = s.get(N + "/containers/plan").json["spec"]
    remove(s, "plan")
    spec["linux"].pop("cgroupsPath")
    check(not spec["process"].pop("terminal"))  # the same, unsaid
    s.post(N + "/containers", {"id": "spec", "image": image(s), "spec": spec},
           expect=201)
    s.post(N + "/tasks", {"container": "spec"}, expect=201)
    s.post(N + "/tasks/spec/start")
    n = counts_on(s, "spec", 1)
    checkpoint(s, "spec", name="cp/spec:1", exit=True)
    s.wait_task("spec")
    remove(s, "spec")
    s.post(N + "/containers?start=true",
           {"id": "spec2", "checkpoint": "cp/spec:1"}, expect=201)
    counts_on(s, "spec2", n)
    cgroup = s.get(N + "/containers/spec2").json["spec"]["linux"]["cgroupsPath"]
    check(cgroup.endswith("/spec2"), cgroup)
    # And from that one again: how it was restored is not in the spec.
    n = put_aside(s, "spec2")
    remove(s, "spec2")
    s.post(N + "/containers?start=true", {"checkpoint": "cp/spec2:1"},
           expect=201)
    counts_on(s, "spec2", n)
    remove(s, "spec2")


def skiff(s, *args):
    return subprocess.run(
        [os.path.join(SRC, "client", "skiff"), *args], text=True,
        env=dict(os.environ, SKIFF_HOST="unix://" + s.socket),
        capture_output=True, timeout=DEADLINE * 2)


@test
def the_client_makes_what_is_not_there():
    s = daemon()
    n = counting(s, "shell")
    equal(skiff(s, "checkpoint", "--exit", "shell", "cp/shell:1").stdout,
          "cp/shell:1\n")
    s.wait_task("shell")
    def restored(name, *args):
        answer = skiff(s, "restore", "cp/shell:1", *args)
        equal((answer.stdout, answer.stderr), (name + "\n", ""))
        counts_on(s, name, n)

    restored("shell")  # which has ended
    restored("shell2", "shell2")
    answer = skiff(s, "restore", "cp/shell:1", "shell2")  # which runs
    equal((answer.returncode, answer.stdout), (1, ""))
    check("already exists" in answer.stderr, answer.stderr)
    remove(s, "shell")
    restored("shell")
    answer = skiff(s, "restore", "cp/none:1")
    check("skiff images" in answer.stderr, answer.stderr)
    # What criu is allowed and told reaches it, to the same end.
    answer = skiff(s, "checkpoint", "--exit", "--empty-ns", "network",
                   "--manage-cgroups-mode=soft", "--tcp-established",
                   "--file-locks", "shell2", "cp/shell:2")
    equal((answer.stdout, answer.stderr), ("cp/shell:2\n", ""))
    asked = [o["request"]["body"] for o in
             s.get(N + "/operations").json["items"]
             if o["request"].get("container") == "shell2"][-1]
    equal(asked, {"name": "cp/shell:2", "exit": True, "file_locks": True,
                  "empty_namespaces": ["network"], "cgroups_mode": "soft",
                  "tcp_established": True})
    s.wait_task("shell2")
    equal(skiff(s, "restore", "cp/shell:2").stdout, "shell2\n")
    counts_on(s, "shell2", n)
    remove(s, "shell", "shell2")


# --- refusals ----------------------------------------------------------


def refused(s, container, status, reason=None, **body):
    problem = checkpoint(s, container, expect=status, **body)
    equal(problem.get("reason"), reason)
    return problem


@test
def only_what_runs_can_be_checkpointed():
    s = daemon()
    create(s, "states", image(s), ["true"])
    refused(s, "states", 404)
    s.post(N + "/tasks", {"container": "states"}, expect=201)
    equal(refused(s, "states", 409, "task_state")["state"], "created")
    s.post(N + "/tasks/states/start")
    s.wait_task("states")
    equal(refused(s, "states", 409, "task_state")["state"], "stopped")
    remove(s, "states")


@test
def a_task_in_the_host_s_namespaces_stays_in_them():
    s = daemon()
    kinds = ("pid", "ipc", "uts", "net")
    counting(s, "hosts", pid="host", ipc="host", uts="host", network="host")
    n = put_aside(s, "hosts")
    restore(s, "hosts", "cp/hosts:1")
    s.post(N + "/tasks/hosts/start", expect=None)
    counts_on(s, "hosts", n)
    pid = s.get(N + "/tasks/hosts").json["pid"]
    equal([os.readlink("/proc/%d/ns/%s" % (pid, kind)) for kind in kinds],
          [os.readlink("/proc/self/ns/%s" % kind) for kind in kinds])
    remove(s, "hosts")


@test
def one_in_those_of_another_container_is_refused_and_goes_on():
    s = daemon()
    s.run("owner", image(s), ["sleep", "1000"], ipc="shareable")
    for kind in "pid", "ipc":
        n = counting(s, kind, **{kind: "container:owner"})
        refused(s, kind, 501, "joined_namespace")
        counts_on(s, kind, n)
        equal(s.get(N + "/tasks/" + kind).json["state"], "running")
    remove(s, "pid", "ipc", "owner")


@test
def a_wrong_wish_is_refused_before_anything_is_begun():
    s = daemon()
    s.run("wrong", image(s), COUNTER)
    for body, field in (
            ({"name": ""}, "/name"), ({"name": "pull"}, "/name"),
            ({"name": 1}, "/name"), ({"exit": "yes"}, "/exit"),
            ({"image_path": "relative"}, "/image_path"),
            ({"image_path": "/x", "name": "y"}, "/image_path"),
            ({"cgroups_mode": "odd"}, "/cgroups_mode"),
            ({"empty_namespaces": ["pid"]}, "/empty_namespaces"),
            ({"leave_running": True}, "/leave_running")):
        problem = refused(s, "wrong", 400, **body)
        equal(problem["errors"][0]["field"], field)
    problem = refused(s, "wrong", 409, name=image(s))
    equal(problem["code"], "already_exists")
    refused(s, "wrong", 404, parent="no/such:1")
    refused(s, "wrong", 409, "not_a_checkpoint", parent=image(s))
    equal([o for o in s.get(N + "/operations").json["items"]
           if o["request"].get("container") == "wrong"], [])
    remove(s, "wrong")


@test
def other_runtimes_than_runc_say_that_they_cannot():
    s = daemon()
    odd = scratch("odd-runtime")
    os.symlink(shutil.which("runc"), odd)
    s.run("odd", image(s), COUNTER, runtime={"name": odd})
    problem = refused(s, "odd", 501, "runtime_cannot_checkpoint")
    check("odd-runtime" in problem["detail"], problem["detail"])
    remove(s, "odd")


def tracks_memory():
    return subprocess.run([criu(), "check", "--feature", "mem_dirty_track"],
                          capture_output=True).returncode == 0


def state_size(s, name):
    """Of criu's files, without those that they build on."""
    digest = s.get(N + "/images/" + quote(name)).json["target"]["digest"]
    manifest = s.get("%s/content/%s" % (N, digest)).json
    return manifest["layers"][0]["size"]


@test
def an_incremental_one_needs_the_kernel_s_help():
    if tracks_memory():
        raise Skip("this kernel helps")
    s = daemon()
    counting(s, "parent")
    checkpoint(s, "parent", name="cp/parent:1")
    problem = refused(s, "parent", 501, "criu_unavailable",
                      parent="cp/parent:1")
    check("racking" in problem["detail"], problem["detail"])
    remove(s, "parent")


# Tells when asked what it keeps, and writes to little of it. What ticks is a
# process of its own: one that keeps much and forks is caught with two of it.
HOARD = ["sh", "-c", "trap 'echo sum $(echo \"$v\" | md5sum)' USR1; "
         "i=0; while sleep 0.05; do i=$((i+1)); echo tick $i; done & "
         "v=$(head -c 3000000 /dev/urandom | base64); echo kept; "
         "while :; do wait; done"]


def asked_sum(s, container):
    s.post("%s/tasks/%s/kill" % (N, container), {"signal": "USR1"})
    path = "%s/tasks/%s/logs" % (N, container)
    return until(lambda: [line for line in s.get(path).text.splitlines()
                          if line.startswith("sum ")], "a sum")[-1]


@test
def incremental_ones_hold_what_changed_and_restore_it_all():
    if not tracks_memory():
        raise Skip("this kernel does not track memory")
    s = daemon()
    s.run("child", image(s), HOARD)
    counts_on(s, "child", 1)
    was = asked_sum(s, "child")
    checkpoint(s, "child", name="cp/child:1")
    s.restart()
    checkpoint(s, "child", name="cp/child:2", parent="cp/child:1")
    full, small = state_size(s, "cp/child:1"), state_size(s, "cp/child:2")
    check(small < full / 2, small, "of", full)
    # What was written since another one is not known.
    refused(s, "child", 409, "not_the_last_checkpoint", parent="cp/child:1")
    n = count(s, "child")
    checkpoint(s, "child", name="cp/child:3", parent="cp/child:2", exit=True)
    s.wait_task("child")
    s.delete(N + "/tasks/child", expect=200)
    restore(s, "child", "cp/child:3")
    counts_on(s, "child", n)
    equal(asked_sum(s, "child"), was)
    # It is another run of the task.
    refused(s, "child", 409, "not_the_last_checkpoint", parent="cp/child:3")
    remove(s, "child")


@test
def without_a_criu_that_works_it_is_not_implemented():
    os.mkdir(scratch("bin"))
    broken = scratch("bin/criu")
    with open(broken, "w") as f:
        f.write("#!/bin/sh\necho 'Error (x.c:1): no such kernel'\nexit 1\n")
    os.chmod(broken, 0o755)
    ours = daemon().get("/v1/plugins/checkpoint/criu").json
    equal((ours["status"], ours["exports"]["path"]), ("ok", criu()))
    with Daemon("none", args=["--criu", broken]) as s:
        plugin = s.get("/v1/plugins/checkpoint/criu").json
        equal(plugin["status"], "skipped")
        check("no such kernel" in plugin["reason"], plugin)
        s.run("c", image(s), COUNTER)
        problem = refused(s, "c", 501, "criu_unavailable")
        check("no such kernel" in problem["detail"], problem["detail"])
        remove(s, "c")
    odd = Daemon("odd", args=["--criu", "/bin/true"])
    odd.start(wait=False)
    check(odd.wait_end() != 0, "a criu of another name")
    odd.destroy()


def odd_criu(name, script):
    """The real one, for what the script leaves to it."""
    os.mkdir(scratch(name))
    path = scratch(name + "/criu")
    with open(path, "w") as f:
        f.write("#!/bin/sh\n%s\nexec %s \"$@\"\n" % (script, criu()))
    os.chmod(path, 0o755)
    return path


@test
def a_criu_that_hangs_is_as_good_as_none():
    hangs = odd_criu("hangs", "[ $1 != dump ] || exec sleep 100")
    with Daemon("hangs", args=["--criu", hangs]) as s:
        s.run("c", image(s), COUNTER)
        problem = refused(s, "c", 501, "criu_unavailable")
        check("does not end" in problem["detail"], problem["detail"])
        remove(s, "c")


@test
def where_breakpoints_never_trap_it_does_without():
    # runc asks for "swrk", the trial for "dump".
    late = odd_criu("late", "case $1-$CRIU_FAULT in dump-) exec sleep 100;;"
                            "swrk-) exit 1;; esac")
    with Daemon("late", args=["--criu", late]) as s:
        counting(s, "c")
        checkpoint(s, "c", name="cp/late:1", exit=True)
        s.wait_task("c")
        s.delete(N + "/tasks/c", expect=200)
        restore(s, "c", "cp/late:1")
        remove(s, "c")


def put_blob(s, data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    s.put("%s/content/%s" % (N, digest), data, expect=None)
    return {"digest": digest, "size": len(data)}


def forge(s, name, change, seal=True):
    """An image like cp/forge:0, but for what change(manifest) did."""
    target = s.get(N + "/images/" + quote("cp/forge:0")).json["target"]
    manifest = s.get("%s/content/%s" % (N, target["digest"])).json
    change(manifest)
    if not seal:
        manifest["annotations"].pop("dev.skiff.checkpoint.seal")
    blob = put_blob(s, json.dumps(manifest).encode())
    s.post(N + "/images", {"name": name, "target": dict(
        blob, media_type=manifest["mediaType"])}, expect=201)


def nothing(manifest):
    pass


def tar_of(*members):
    """A tar of (TarInfo, bytes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for info, data in members:
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name, kind=tarfile.REGTYPE, target="", data=b""):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info, data


@test
def a_forged_checkpoint_is_not_restored():
    s = daemon()
    name = image(s)
    counting(s, "forge")
    checkpoint(s, "forge", name="cp/forge:0", exit=True)
    s.wait_task("forge")
    s.delete(N + "/tasks/forge", expect=200)
    forge(s, "cp/forge:unsealed", nothing, seal=False)
    odd = put_blob(s, tar_of(member("inventory.img")))
    forge(s, "cp/forge:changed",
          lambda m: m["layers"][0].update(odd))
    for forged in "cp/forge:unsealed", "cp/forge:changed":
        problem = restore(s, "forge", forged, expect=403)
        equal(problem["reason"], "checkpoint_foreign")
    problem = restore(s, "forge", name, expect=409)
    equal(problem["reason"], "not_a_checkpoint")
    restore(s, "forge", "cp/none:1", expect=404)
    s.get(N + "/tasks/forge", expect=404)
    # A copy under another name is the same image.
    forge(s, "cp/forge:copy", nothing)
    restore(s, "forge", "cp/forge:copy")
    remove(s, "forge")


@test
def nothing_is_left_of_a_container_that_cannot_be_restored():
    s = daemon()
    name = image(s)
    path = N + "/containers?start=true"
    problem = s.post(path, {"checkpoint": "cp/forge:unsealed"},
                     expect=403).json
    equal(problem["reason"], "checkpoint_foreign")
    equal(s.post(path, {"checkpoint": name}, expect=409).json["reason"],
          "not_a_checkpoint")
    s.post(path, {"checkpoint": "cp/none:1"}, expect=404)
    for body, field in (({"checkpoint": ""}, "/checkpoint"),
                        ({"checkpoint": 1}, "/checkpoint"),
                        ({"checkpoint": "cp/forge:0", "args": ["x"]}, "/args")):
        equal(s.post(path, body, expect=400).json["field"], field)
    s.get(N + "/containers/forge", expect=404)


USER = ["--grant", "424201=default"]


@test
def who_may_not_make_a_container_may_not_make_it_from_a_checkpoint():
    with Daemon("users", args=["--criu", criu()] + USER) as s:
        user = Client(s, 424201)
        counting(s, "admins", privileged=True)
        put_aside(s, "admins")
        for body in ({"id": "his"}, {}):
            problem = user.post(N + "/containers?start=true", dict(
                body, checkpoint="cp/admins:1"), expect=403).json
            equal((problem["reason"], problem["field"]),
                  ("admin_only", "/privileged"), problem)
        equal([c["id"] for c in user.get(N + "/containers").json["items"]],
              ["admins"])
        remove(s, "admins")


@test
def what_lies_below_a_bind_root_is_bound_again_after_a_restore():
    there = scratch("bound")
    os.makedirs(there)
    with open(there + "/file", "w") as f:
        f.write("his\n")
    with Daemon("binder", args=["--criu", criu(),
                                "--bind-root", there]) as s:
        counting(s, "c", mounts=[{"type": "bind", "source": there,
                                  "target": "/m"}])
        n = put_aside(s, "c")
        restore(s, "c", "cp/c:1")
        counts_on(s, "c", n)
        answer = s.post(N + "/tasks/c/execs?wait=true",
                        {"args": ["cat", "/m/file"]}).json
        equal(answer["stdout"], "his\n", answer)
        remove(s, "c")
        s.post(N + "/containers?start=true", {
            "id": "like", "checkpoint": "cp/c:1"}, expect=201)
        counts_on(s, "like", n)
        remove(s, "like")


def hostile_states():
    yield "link", member("x", tarfile.SYMTYPE, "/etc/passwd")
    yield "up", member("../x")
    yield "deep", member("a/b")
    yield "absolute", member("/etc/x")
    yield "hidden", member(".x")
    yield "hard", member("x", tarfile.LNKTYPE, "inventory.img")
    yield "device", member("x", tarfile.CHRTYPE)
    yield "option", member("--config")


@test
def a_trusting_daemon_still_checks_what_it_unpacks():
    trusting = Daemon("trusting", args=["--criu", criu(),
                                        "--checkpoints", "any"])
    with trusting as s:
        counting(s, "forge")
        checkpoint(s, "forge", name="cp/forge:0", exit=True)
        s.wait_task("forge")
        s.delete(N + "/tasks/forge", expect=200)
        for what, bad in hostile_states():
            blob = put_blob(s, tar_of(member("inventory.img"), bad))
            forge(s, "cp/" + what, lambda m: m["layers"][0].update(blob))
            problem = restore(s, "forge", "cp/" + what, expect=409)
            equal(problem["reason"], "checkpoint_invalid", what)
        config = json.dumps({"version": 1, "surprise": True}).encode()
        blob = put_blob(s, config)
        forge(s, "cp/config", lambda m: m["config"].update(blob))
        equal(restore(s, "forge", "cp/config", expect=409)["reason"],
              "checkpoint_invalid")
        forge(s, "cp/layers", lambda m: m["layers"].pop())
        equal(restore(s, "forge", "cp/layers", expect=409)["reason"],
              "checkpoint_invalid")
        # Sound, but nothing that criu can restore: its words, no trace.
        blob = put_blob(s, tar_of(member("inventory.img", data=b"odd")))
        forge(s, "cp/rubbish", lambda m: m["layers"][0].update(blob))
        problem = restore(s, "forge", "cp/rubbish", expect=409)
        equal(problem["reason"], "restore_failed")
        s.get(N + "/tasks/forge", expect=404)
        check(not os.path.exists(s.root + "/tasks/default/forge"))
        equal(sorted(os.listdir(s.root + "/snapshots/trash")), [])
        problem = s.post(N + "/containers?start=true", {
            "id": "other", "checkpoint": "cp/rubbish"}, expect=409).json
        equal(problem["reason"], "restore_failed")
        s.get(N + "/containers/other", expect=404)
        s.get(N + "/tasks/other", expect=404)
        forge(s, "cp/foreign", nothing, seal=False)
        restore(s, "forge", "cp/foreign")
        remove(s, "forge")


@test
def a_container_of_other_rights_does_not_take_it():
    s = daemon()
    name = image(s)
    counting(s, "rights")
    checkpoint(s, "rights", name="cp/rights:1")
    for n, (wishes, where) in enumerate((
            ({"capabilities": {"drop": ["CHOWN"]}}, "capabilities"),
            ({"user": "1000"}, "user"),
            ({"terminal": True}, "terminal"),
            ({"read_only": True}, "readonly"),
            ({"mounts": [{"type": "tmpfs", "target": "/mnt"}]},
             "mounts"))):
        container = "rights%d" % n
        got = s.post(N + "/containers", dict(
            wishes, id=container, image=name, args=["true"]), expect=None)
        check(got.status == 201, got)
        problem = restore(s, container, "cp/rights:1", expect=409)
        equal(problem["reason"], "checkpoint_mismatch")
        check(where in problem["detail"], problem["detail"])
        remove(s, container)
    remove(s, "rights")


main()

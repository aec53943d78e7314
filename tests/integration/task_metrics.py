#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What tasks use, as the kernel counts it: once, followed, all at once."""
import threading

from skifftest import *
from lib_tasks import *

needs("root", "runc", "skopeo", "docker-registry")

BUSY = ["sh", "-c", "while :; do :; done"]


def metrics(s, name):
    return s.get(task(name, "/metrics")).json


@test
def figures_are_those_of_the_kernel():
    s = the_daemon()
    made = run(s, "one", ["sh", "-c", "sleep 1000 & echo ready; wait"],
               resources={"memory": 64 << 20, "pids": 50, "cpus": 0.5})
    found = metrics(s, "one")
    equal((found["id"], found["namespace"]), ("one", "default"))
    equal(found["pids"], {"current": 2, "limit": 50})
    equal(found["memory"]["limit"], 64 << 20)
    check(0 < found["memory"]["usage"] <= found["memory"]["peak"], found)
    check(found["memory"]["working_set"] <= found["memory"]["usage"], found)
    equal(found["memory"]["oom_kills"], 0)
    usage = int(cgroup_value(made["pid"], "cpuacct.usage")) \
        if cgroup_file(made["pid"], "cpuacct.usage") else None
    if usage is not None:
        check(0 < found["cpu"]["usage_ns"] <= usage, found, usage)
    cpu = until(lambda: "percent" in metrics(s, "one")["cpu"] and
                metrics(s, "one")["cpu"], "percent")
    check(cpu["window_ns"] > 0, cpu)
    # What the runtime used before its start does not count.
    check(0 <= cpu["percent"] < 150 * os.cpu_count(), cpu)
    for key in ("read_bytes", "write_bytes", "reads", "writes"):
        check(found["io"][key] >= 0, key)
    remove(s, "one")


@test
def a_created_and_a_paused_task_have_figures_and_a_stopped_one_has_none():
    s = the_daemon()
    s.post(N + "/containers", {"id": "idle", "image": image(s),
                               "args": ["sleep", "1000"]}, expect=201)
    s.post(N + "/tasks", {"container": "idle"}, expect=201)
    check("percent" not in metrics(s, "idle")["cpu"])
    s.post(task("idle", "/start"))
    # Not in the midst of execve(2): the runtime's threads would stay.
    until(lambda: metrics(s, "idle")["pids"]["current"] == 1, "one thread")
    s.post(task("idle", "/pause"))
    equal(metrics(s, "idle")["pids"]["current"], 1)
    s.post(task("idle", "/stop"), {"timeout": 0})
    problem = s.get(task("idle", "/metrics"), expect=409).json
    equal((problem["code"], problem["state"]),
          ("failed_precondition", "stopped"))
    s.get(task("idle", "/metrics?interval=1s"), expect=409)
    s.get(task("none", "/metrics"), expect=404)
    equal(s.get(N + "/metrics").json["items"], [])
    remove(s, "idle")


@test
def the_first_answer_knows_how_busy_it_is():
    s = the_daemon()
    run(s, "busy", BUSY)
    # No other second is waited for; how much it gets is up to others.
    until(lambda: metrics(s, "busy")["cpu"].get("percent", 0) > 1, "percent")
    remove(s, "busy")


@test
def a_stream_tells_again_and_again_until_the_end():
    s = the_daemon()
    run(s, "told", BUSY)
    with s.sse(task("told", "/metrics?interval=1s")) as stream:
        told = [sse_data(stream.next()) for _ in range(3)]
        times = [t["timestamp"] for t in told]
        equal(times, sorted(set(times)))
        used = [t["cpu"]["usage_ns"] for t in told]
        check(used[0] < used[1] < used[2], used)
        check(told[2]["cpu"]["percent"] > 1, told[2])
        s.post(task("told", "/stop"), {"timeout": 0})
        rest = list(stream)
        check(len(rest) <= 2, rest)
    remove(s, "told")


@test
def many_readers_share_one_sampler():
    s = the_daemon()
    run(s, "shared")
    before = s.threads()
    streams = [s.sse(task("shared", "/metrics?interval=1s"))
               for _ in range(50)]
    first = [sse_data(stream.next())["timestamp"] for stream in streams]
    second = [sse_data(stream.next())["timestamp"] for stream in streams]
    until(lambda: s.threads() <= before, "no more threads")
    # Samples of their own they would have at 50 different times.
    check(len(set(second)) <= 5, len(set(second)), len(set(first)))
    for stream in streams:
        stream.close()
    remove(s, "shared")


@test
def all_tasks_at_once_and_those_that_a_filter_names():
    s = the_daemon()
    s.post(N + "/containers", {"id": "x", "image": image(s),
                               "args": ["sleep", "1000"]}, expect=201)
    remove(s, "x")
    for name in ("m1", "m2", "m3"):
        run(s, name, ["sleep", "1000"])
    s.patch(task("m2"), {"labels": {"app.kind": "web"}})
    s.post(task("m3", "/pause"))

    def listed(*filters):
        query = "&".join("filter=" + quote(f) for f in filters)
        return sorted(m["id"] for m in s.get(
            N + "/metrics" + ("?" + query if query else "")).json["items"])

    equal(listed(), ["m1", "m2", "m3"])
    equal(listed("id==m1"), ["m1"])
    equal(listed("id!=m1"), ["m2", "m3"])
    equal(listed("state==paused"), ["m3"])
    equal(listed("state==running,id==m3"), [])
    equal(listed("id==m1", "id==m3"), ["m1", "m3"])
    equal(listed('labels."app.kind"==web'), ["m2"])
    equal(listed('labels.app.kind=="web"'), ["m2"])
    equal(s.get("/v1/namespaces/none/metrics").json["items"], [])
    for bad in ("name", "==m1", "name==x", "labels.==x", "id==m1,", ""):
        problem = s.get(N + "/metrics?filter=" + quote(bad), expect=400).json
        equal(problem["code"], "invalid_argument", bad)
    for bad in ("0", "1ms", "2h", "soon"):
        s.get(task("m1", "/metrics?interval=" + bad), expect=400)
    for name in ("m1", "m2", "m3"):
        remove(s, name)


@test
def rounds_tell_all_tasks_that_there_are_again_and_again():
    s = the_daemon()
    run(s, "r1", BUSY)
    run(s, "r2", ["sleep", "1000"])
    s.patch(task("r2"), {"labels": {"kind": "still"}})
    still = s.sse(N + "/metrics?interval=1s&filter=labels.kind==still")
    with s.sse(N + "/metrics?interval=1s") as stream:
        def ids():
            return sorted(m["id"] for m in sse_data(stream.next())["items"])

        def next_with(what):
            until(lambda: ids() == what, what)

        first = sse_data(stream.next())["items"]
        equal(sorted(m["id"] for m in first), ["r1", "r2"])
        second = sse_data(stream.next())["items"]
        used = [{m["id"]: m["cpu"]["usage_ns"] for m in items}["r1"]
                for items in (first, second)]
        check(used[0] < used[1], used)
        run(s, "r3", ["sleep", "1000"])
        s.post(task("r1", "/stop"), {"timeout": 0})
        next_with(["r2", "r3"])
        for name in ("r1", "r2", "r3"):
            remove(s, name)
        # It is about the namespace: no task does not end it.
        next_with([])
        run(s, "r4", ["sleep", "1000"])
        next_with(["r4"])
    equal([m["id"] for m in sse_data(still.next())["items"]], ["r2"])
    until(lambda: sse_data(still.next())["items"] == [], "none is still")
    still.close()
    for bad in ("0", "1ms", "2h", "soon"):
        s.get(N + "/metrics?interval=" + bad, expect=400)
    s.get(N + "/metrics?interval=1s&filter=name==x", expect=400)
    remove(s, "r4")


@test
def questions_while_tasks_come_and_go_are_answered():
    s = the_daemon()
    name = image(s)
    is_over = threading.Event()
    odd = []

    def ask():
        while not is_over.is_set():
            for path in (N + "/metrics", task("brief", "/metrics")):
                answer = s.get(path, expect=None)
                if answer.status not in (200, 404, 409):
                    odd.append(answer)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for t in askers:
        t.start()
    for _ in range(5):
        s.run("brief", name, ["true"])
        s.wait_task("brief")
        remove(s, "brief")
    is_over.set()
    for t in askers:
        t.join()
    equal(odd, [])


main()

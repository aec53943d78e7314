#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of tasks: set while they run, lifted, refused, kept, checked."""
from skifftest import *
from lib_tasks import *

needs("root", "runc", "skopeo", "docker-registry")

MIB = 1 << 20


def limits(pid):
    """What the kernel says now."""
    quota = cgroup_value(pid, "cpu.cfs_quota_us", "cpu.max").split()[0]
    return {
        "memory": cgroup_value(pid, "memory.limit_in_bytes", "memory.max"),
        "pids": cgroup_value(pid, "pids.max"),
        "quota": quota,
        "cpuset": cgroup_value(pid, "cpuset.cpus"),
        "shares": cgroup_value(pid, "cpu.shares", "cpu.weight"),
    }


def is_none(text):
    return text in ("max", "-1") or int(text) > 1 << 60


@test
def limits_are_set_while_it_runs():
    s = the_daemon()
    made = run(s, "up", ["sleep", "1000"], resources={
        "memory": 64 * MIB, "pids": 50, "cpus": 0.5})
    pid = made["pid"]
    before = s.revision()
    answer = s.patch(task("up"), {"resources": {
        "memory": 128 * MIB, "pids": 20, "cpus": 1.5, "cpu_shares": 512,
        "cpuset_cpus": "0"}}).json
    equal(answer["resources"], {
        "memory": 128 * MIB, "pids": 20, "cpus": 1.5, "cpu_shares": 512,
        "cpuset_cpus": "0"})
    found = limits(pid)
    equal((found["memory"], found["pids"], found["quota"], found["cpuset"]),
          (str(128 * MIB), "20", "150000", "0"))
    check(found["shares"] in ("512", "20"), found)
    swap = cgroup_file(pid, "memory.memsw.limit_in_bytes")
    if swap:
        with open(swap) as f:
            equal(f.read().strip(), str(128 * MIB), "no swap on top")
    equal([e["topic"] for e in s.events(before)], ["/tasks/update"])
    equal(s.events(before)[0]["event"]["resources"]["pids"], 20)
    # One alone; the others stay.
    s.patch(task("up"), {"resources": {"memory": 32 * MIB}})
    found = limits(pid)
    equal((found["memory"], found["pids"]), (str(32 * MIB), "20"))
    remove(s, "up")


@test
def limits_and_labels_are_set_together_or_not_at_all():
    s = the_daemon()
    made = run(s, "pair", ["sleep", "1000"], resources={"pids": 50})
    s.patch(task("pair"), {"labels": {"old": "1"}})
    before = s.revision()
    answer = s.patch(task("pair"), {
        "resources": {"pids": 20},
        "labels": {"a": "b", "old": None, "no": ""}}).json
    equal((answer["labels"], answer["resources"]), ({"a": "b"}, {"pids": 20}))
    told = s.events(before)
    equal([(e["topic"], e["id"]) for e in told],
          [("/tasks/update", answer["revision"])])
    equal((told[0]["event"]["labels"], told[0]["event"]["resources"]),
          ({"a": "b"}, {"pids": 20}))
    equal(s.get(task("pair")).json, answer)
    # Neither goes through alone when the other does not.
    for body in ({"resources": {"pids": 10}, "labels": {"a": 1}},
                 {"resources": {"pids": 0}, "labels": {"a": "c"}}):
        s.patch(task("pair"), body, expect=400)
    s.patch(task("pair"), {"resources": {"pids": 10}, "labels": {"a": "c"}},
            expect=412, headers={"If-Match": '"1"'})
    equal(s.get(task("pair")).json, answer)
    equal(limits(made["pid"])["pids"], "20")
    remove(s, "pair")


@test
def a_limit_is_lifted_by_null_or_minus_one():
    s = the_daemon()
    made = run(s, "free", ["sleep", "1000"], resources={
        "memory": 64 * MIB, "pids": 50, "cpus": 0.5, "cpuset_cpus": "0"})
    had = limits(made["pid"])
    equal(had["cpuset"], "0")
    answer = s.patch(task("free"), {"resources": {
        "memory": None, "pids": -1, "cpus": None, "cpuset_cpus": None,
        "cpu_shares": None}}).json
    equal(answer["resources"], {"memory": -1, "pids": -1, "cpus": -1,
                                "cpuset_cpus": -1, "cpu_shares": -1})
    found = limits(made["pid"])
    for name in ("memory", "pids", "quota"):
        check(is_none(found[name]), name, found)
    check(found["shares"] in ("1024", "39", "100"), found)
    if os.cpu_count() > 1:
        check(found["cpuset"] != "0", found)
    remove(s, "free")


@test
def a_reservation_of_memory_is_set_and_lifted():
    s = the_daemon()
    pid = run(s, "soft", ["sleep", "1000"],
              resources={"memory": 64 * MIB})["pid"]

    def reserved():
        return cgroup_value(pid, "memory.soft_limit_in_bytes", "memory.low")
    unset = reserved()
    s.patch(task("soft"), {"resources": {"memory_reservation": 32 * MIB}})
    equal(reserved(), str(32 * MIB))
    s.patch(task("soft"), {"resources": {
        "memory": 16 * MIB, "memory_reservation": 17 * MIB}}, expect=400)
    equal(reserved(), str(32 * MIB))
    s.patch(task("soft"), {"resources": {"memory_reservation": None}})
    equal(reserved(), unset)
    remove(s, "soft")


WEIGHTS = ("blkio.weight", "blkio.bfq.weight", "io.bfq.weight", "io.weight")


@test
def a_weight_of_block_devices_is_set_where_the_host_has_one():
    s = the_daemon()
    pid = run(s, "weighty", ["sleep", "1000"],
              resources={"pids": 50})["pid"]
    body = {"resources": {"pids": 20, "blkio_weight": 300}}
    if not cgroup_file(pid, *WEIGHTS):
        problem = s.patch(task("weighty"), body, expect=409).json
        equal((problem["reason"], problem["field"]),
              ("limits_not_applied", "/resources/blkio_weight"))
        equal(limits(pid)["pids"], "50", "all or nothing")
        check("resources" not in s.get(task("weighty")).json)
    else:
        usual = cgroup_value(pid, *WEIGHTS)
        equal(s.patch(task("weighty"), body).json["resources"],
              body["resources"])
        check(cgroup_value(pid, *WEIGHTS).split()[-1] in ("300", "2930"))
        # What fails later gives it back.
        s.patch(task("weighty"), {"resources": {
            "blkio_weight": 500, "cpuset_cpus": "4000"}}, expect=409)
        check(cgroup_value(pid, *WEIGHTS).split()[-1] in ("300", "2930"))
        s.patch(task("weighty"), {"resources": {"blkio_weight": None}})
        equal(cgroup_value(pid, *WEIGHTS), usual)
    remove(s, "weighty")


@test
def less_than_is_in_use_is_refused_and_changes_nothing():
    s = the_daemon()
    made = run(s, "big", [
        "sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=24 && "
        "sleep 1000 & sleep 1000 & sleep 1000 & echo ready; wait"],
        resources={"memory": 64 * MIB, "pids": 50})
    pid = made["pid"]
    until(lambda: s.get(task("big", "/metrics")).json["memory"]["usage"] >
          20 * MIB, "memory in use")
    had = limits(pid)
    for body, field in (({"cpus": 0.25, "memory": 8 * MIB},
                         "/resources/memory"),
                        ({"memory": 128 * MIB, "pids": 2},
                         "/resources/pids")):
        problem = s.patch(task("big"), {"resources": body}, expect=409).json
        equal((problem["code"], problem["reason"], problem["field"]),
              ("failed_precondition", "limit_below_use", field))
        equal(limits(pid), had, "after a refusal")
    check("resources" not in s.get(task("big")).json)
    # The kernel refuses processors that there are not.
    problem = s.patch(task("big"), {"resources": {
        "pids": 40, "cpuset_cpus": "4000"}}, expect=409).json
    equal(problem["reason"], "limits_not_applied")
    equal(limits(pid), had, "after a refusal")
    remove(s, "big")


@test
def bad_limits_are_told_by_field():
    s = the_daemon()
    run(s, "bad", ["sleep", "1000"])
    for body, field in (
            ({"resources": 1}, "/resources"),
            ({"resources": {"memory": "1g"}}, "/resources/memory"),
            ({"resources": {"memory": 4096}}, "/resources/memory"),
            ({"resources": {"memory": 1.5}}, "/resources/memory"),
            ({"resources": {"pids": 0}}, "/resources/pids"),
            ({"resources": {"cpus": 0}}, "/resources/cpus"),
            ({"resources": {"cpus": "1"}}, "/resources/cpus"),
            ({"resources": {"cpu_shares": 1}}, "/resources/cpu_shares"),
            ({"resources": {"blkio_weight": 5}}, "/resources/blkio_weight"),
            ({"resources": {"cpuset_cpus": "a"}}, "/resources/cpuset_cpus"),
            ({"resources": {"memory_swap": 64 * MIB}},
             "/resources/memory_swap"),
            ({"resources": {"memory": 64 * MIB, "memory_swap": 32 * MIB}},
             "/resources/memory_swap"),
            ({"resources": {"hugetlb": {}}}, "/resources/hugetlb"),
            ({"resources": {"pids": 5}, "state": "x"}, "/state"),
            ({"resources": {"pids": 5}, "labels": 5}, "/labels")):
        problem = s.patch(task("bad"), body, expect=400).json
        equal(problem["field"], field, body)
    check("resources" not in s.get(task("bad")).json)
    remove(s, "bad")


@test
def labels_and_limits_go_together_and_apart():
    s = the_daemon()
    run(s, "both", ["sleep", "1000"])
    done = s.patch(task("both"), {"labels": {"a": "b"}}).json
    equal((done["labels"], "resources" in done), ({"a": "b"}, False))
    done = s.patch(task("both"), {"labels": {"c": "d"},
                                  "resources": {"pids": 40}}).json
    equal((done["labels"], done["resources"]),
          ({"a": "b", "c": "d"}, {"pids": 40}))
    pid = done["pid"]
    s.patch(task("both"), {"resources": {"pids": 30}}, expect=412,
            headers={"If-Match": '"1"',
                     "Content-Type": "application/merge-patch+json"})
    equal(limits(pid)["pids"], "40")
    s.post(task("both", "/pause"))
    s.patch(task("both"), {"resources": {"pids": 30}})
    equal(limits(pid)["pids"], "30")
    s.post(task("both", "/stop"), {"timeout": 0})
    problem = s.patch(task("both"), {"resources": {"pids": 20}},
                      expect=409).json
    equal(problem["state"], "stopped")
    s.patch(task("none"), {"resources": {"pids": 20}}, expect=404)
    remove(s, "both")


@test
def a_run_that_the_policy_makes_has_them_too():
    s = the_daemon()
    run(s, "again", ["sleep", "1000"], restart_policy="always",
        resources={"memory": 64 * MIB, "pids": 50})
    s.patch(task("again"), {"resources": {"pids": 40, "memory": None}})
    s.restart()
    pid = s.get(task("again")).json["pid"]
    equal(limits(pid)["pids"], "40")
    before = s.revision()
    os.kill(pid, 9)
    s.wait_event("/tasks/start", before, container_id="again")
    again = s.get(task("again")).json
    equal((again["restart_count"], again["resources"]),
          (1, {"pids": 40, "memory": -1}))
    found = limits(again["pid"])
    equal(found["pids"], "40")
    check(is_none(found["memory"]), found)
    # Who restarts it wants the container as it is.
    done = s.post(task("again", "/restart"), {"timeout": 0}).json
    check("resources" not in done, done)
    found = limits(done["pid"])
    equal((found["pids"], found["memory"]), ("50", str(64 * MIB)))
    remove(s, "again")


@test
def a_runtime_that_sets_no_limit_makes_no_task():
    s = the_daemon()
    run(s, "first", ["sleep", "1000"])
    remove(s, "first")
    before = s.picture()
    bad = os.path.join(s.dir, "runc-generous")
    with open(bad, "w") as f:
        f.write("""#!/bin/sh
%s "$@" || exit
case " $* " in *" create "*) ;; *) exit 0 ;; esac
while [ "$1" ]; do
	[ "$1" = --pid-file ] && pid=$(cat "$2")
	shift
done
sed -n 's/^[0-9]*:\\(pids\\|\\):\\(.*\\)/\\2/p' "/proc/$pid/cgroup" |
while read -r path; do
	for root in /sys/fs/cgroup/pids /sys/fs/cgroup; do
		[ ! -e "$root$path/pids.max" ] || echo max >"$root$path/pids.max"
	done
done
""" % shutil.which("runc"))
    os.chmod(bad, 0o755)
    s.post(N + "/containers", {"id": "generous", "image": image(s),
                               "args": ["true"], "runtime": {"name": bad},
                               "resources": {"pids": 10}}, expect=201)
    problem = s.post(N + "/tasks", {"container": "generous"},
                     expect=409).json
    equal((problem["reason"], problem["field"]),
          ("limits_not_applied", "/resources/pids"))
    s.get(task("generous"), expect=404)
    remove(s, "generous")
    equal(differences(before, s.picture()), [])


main()

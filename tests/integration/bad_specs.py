#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Wishes and specs that must not reach a runtime, each with the field that
the answer names; and what an image cannot do with its files."""
import copy

from lib_refusals import *

needs("root", "runc", "skopeo", "docker-registry")

C = N + "/containers"
BIG = "x" * (70 << 10)


def refused(body, *fields, path=C + "?dry_run=true", expect=400):
    problem = ask("POST", path, body, expect=expect)
    if fields:
        equal(sorted(pointers(problem)), sorted(fields), body)
    return problem


def wish(**wishes):
    return dict({"image": pulled_image(), "args": ["true"]}, **wishes)


def plain_spec():
    return the_daemon().post(C + "?dry_run=true",
                             wish(id="plain")).json["spec"]


def spoilt(pointer, value):
    """A whole spec with one place in it changed, added or removed."""
    spec = copy.deepcopy(plain_spec())
    *way, last = [int(p) if p.isdigit() else p.replace("~1", "/")
                  for p in pointer[1:].split("/")]
    at = spec
    for part in way:
        at = at.setdefault(part, {}) if isinstance(at, dict) else at[part]
    if value is None:
        del at[last]
    elif isinstance(at, list) and last == len(at):
        at.append(value)
    else:
        at[last] = value
    return {"spec": spec}


@test
def users_that_are_nobody_start_nothing():
    for user in ("4294967295", "4294967296", "18446744073709551616", "-1",
                 "+1", " 1", "1 ", "1:", ":1", "1:2:3", "0x0", "1e3",
                 "root\n", "nosuch", "u" * 300):
        problem = refused(wish(user=user))
        equal(problem["field"], "/user", user)


@test
def sysctls_of_the_host_are_refused():
    for name, value in (("kernel.core_pattern", "x"), ("vm.swappiness", "1"),
                        ("kernel.shm_rmid_forced",
                         "1+kernel.core_pattern=|/x"),
                        ("kernel.sem", "1 2\n3"), ("net.a/../b", "1"),
                        ("net..b", "1"), ("fs.file-max", "1"), ("net.x", ""),
                        ("net.x", "1" * 129), ("kernel.hostname", "x")):
        pointer = name.replace("~", "~0").replace("/", "~1")
        refused(wish(sysctls={name: value}), "/sysctls/" + pointer)
        refused(spoilt("/linux/sysctl/" + pointer, value),
                "/spec/linux/sysctl/" + pointer)
    refused(wish(network="host", sysctls={"net.ipv4.ip_forward": "1"}),
            "/sysctls/net.ipv4.ip_forward")
    spec = plain_spec()
    spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"]
                                   if n["type"] != "network"]
    refused({"spec": spec}, "/spec/linux/sysctl/net.ipv4.ping_group_range")


@test
def annotations_are_no_orders_to_a_runtime():
    for name in ("org.systemd.property.ExecStart", "run.oci.hooks.stdout",
                 "io.kubernetes.cri-o.Devices", "module.wasm.image/variant",
                 "org.criu.config"):
        pointer = name.replace("/", "~1")
        refused(wish(annotations={name: "x"}), "/annotations/" + pointer)
        refused(spoilt("/annotations/" + pointer, "x"),
                "/spec/annotations/" + pointer)
    refused(wish(annotations={"user.a": "x" * 5000}), "/annotations/user.a")
    refused(wish(annotations={"user.%d" % i: "" for i in range(65)}),
            "/annotations")


def host_s_own():
    """What nobody gets into a container, but by a root of his own."""
    s = the_daemon()
    return ["/", "/etc", "/proc", s.root, s.root + "/skiff.db",
            os.path.dirname(s.root), s.state, "/run/docker.sock",
            "/var/run/docker.sock", "/run", "/run/containerd",
            "/run/containerd/containerd.sock"]


@test
def mounts_stay_where_they_may_be():
    tmpfs = {"type": "tmpfs", "target": "/m"}
    for target in ("/proc", "/proc/sys", "/sys", "/sys/fs/cgroup", "/dev",
                   "/dev/null", "/dev/pts", "/", "//", "/a/../b", "rel", "",
                   BIG):
        problem = refused(wish(mounts=[dict(tmpfs, target=target)]))
        equal(problem["field"], "/mounts/0/target", target[:30])
    for source in host_s_own() + ["rel", "/a/..", BIG]:
        refused(wish(mounts=[{"type": "bind", "source": source,
                              "target": "/m"}]), "/mounts/0/source")
    link = scratch("link")
    os.symlink(the_daemon().root, link)
    refused(wish(mounts=[{"type": "bind", "source": link, "target": "/m"}]),
            "/mounts/0/source")
    refused(wish(mounts=[tmpfs] * 100000), "/mounts")
    mounts = plain_spec()["mounts"]
    for destination, kind in (("/proc", "tmpfs"), ("/proc/sys", "tmpfs"),
                              ("/dev", "bind"), ("/dev/null", "bind"),
                              ("/dev/pts", "bind"), ("/sys", "tmpfs"),
                              ("/a", "proc"), ("/", "bind"), (BIG, "tmpfs"),
                              ("/x/../proc", "tmpfs"), ("/./dev", "bind")):
        at = "/mounts/%d" % len(mounts)
        refused(spoilt(at, {"destination": destination, "type": kind,
                            "source": "/home"}),
                "/spec%s/destination" % at)
    hosts = [source for source in host_s_own()] + [
        link, "../mounts", "etc/../../mounts", "/a/../b", ""]
    for source in hosts:
        for bound in ({"type": "bind"}, {"options": ["rbind", "ro"]},
                      {"type": "none", "options": ["bind"]}):
            at = "/mounts/%d" % len(mounts)
            bad = dict(bound, destination="/m", source=source)
            refused(spoilt(at, bad), "/spec%s/source" % at)
            refused(wish(spec_patch={"mounts": mounts + [bad]}),
                    "/spec_patch%s/source" % at)
    spec = plain_spec()
    spec["mounts"] = [{"destination": "/m%d" % i} for i in range(40000)]
    check("/spec/mounts" in pointers(refused({"spec": spec})))


@test
def nothing_is_mounted_in_what_is_bound():
    there = scratch("bound")
    os.makedirs(there, exist_ok=True)
    outer = {"type": "bind", "source": there, "target": "/n"}
    for inner in ({"type": "tmpfs", "target": "/n/a"},
                  {"type": "bind", "source": there, "target": "/n/a/b"}):
        refused(wish(mounts=[outer, inner]), "/mounts/1/target")
        refused(wish(mounts=[inner, outer]), "/mounts/0/target")
    mounts = plain_spec()["mounts"]
    outer = {"destination": "/n", "source": there, "type": "bind"}
    for inner in ({"destination": "/n/a", "type": "tmpfs", "source": "a"},
                  {"destination": "/n/a", "source": there,
                   "options": ["rbind"]}):
        for order, at in (((outer, inner), 1), ((inner, outer), 0)):
            field = "/mounts/%d/destination" % (len(mounts) + at)
            spec = dict(plain_spec(), mounts=mounts + list(order))
            refused({"spec": spec}, "/spec" + field)
            refused(wish(spec_patch={"mounts": spec["mounts"]}),
                    "/spec_patch" + field)
    equal(os.listdir(there), [])


@test
def the_root_of_a_spec_is_nothing_of_the_host_s_own():
    for path in host_s_own():
        refused(spoilt("/root/path", path), "/spec/root/path")


@test
def the_cgroup_of_a_spec_is_the_daemon_s_to_choose():
    for path in ("/", "/system.slice", "/other"):
        spec = plain_spec()
        spec["linux"]["cgroupsPath"] = path
        made = the_daemon().post(C + "?dry_run=true",
                                 {"id": "cg", "spec": spec}).json["spec"]
        own = made["linux"]["cgroupsPath"]
        check(own.endswith("/default/cg") and own != path, own)
        made = the_daemon().post(C + "?dry_run=true", wish(
            id="cg", spec_patch={"linux": {"cgroupsPath": path}})).json
        equal(made["spec"]["linux"]["cgroupsPath"], own)


@test
def no_spec_makes_capabilities_inheritable():
    sets = {"inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}
    spec = plain_spec()
    spec["process"]["capabilities"].update(sets)
    for body in ({"id": "i", "spec": spec}, wish(
            id="i", spec_patch={"process": {"capabilities": sets}})):
        made = the_daemon().post(C + "?dry_run=true", body).json["spec"]
        caps = made["process"]["capabilities"]
        equal((caps["inheritable"], caps["ambient"]), ([], []))
        check("CAP_KILL" in caps["bounding"])


@test
def a_whole_spec_is_looked_at():
    for pointer, value in (
            ("/ociVersion", "2.0"), ("/hooks", {}), ("/hostname", "a b"),
            ("/process", None), ("/process/cwd", "rel"),
            ("/process/cwd", "/proc/self/fd/7"),
            ("/process/cwd", "//proc/self"), ("/process/cwd", "/./sys/x"),
            ("/process/args/0", 1),
            ("/process/args/0", "x" * 131072), ("/process/env/0", "novalue"),
            ("/process/user/uid", -1), ("/process/user/uid", 4294967295),
            ("/process/user/additionalGids/0", 1 << 32),
            ("/process/oomScoreAdj", 1001), ("/process/rlimits/0/hard", -1),
            ("/process/capabilities/bounding/0", "CAP_NOPE"),
            ("/linux/namespaces/0/type", "net"),
            ("/linux/namespaces/0/path", "rel"),
            ("/linux/maskedPaths/0", "../x"),
            ("/linux/readonlyPaths/0", 7),
            ("/linux/cgroupsPath", "../../other"),
            ("/linux/resources/pids/limit", 0),
            ("/linux/seccomp/listenerPath", "/run/x"),
            ("/root/path", "rel"), ("/root/path", "/")):
        problem = refused(spoilt(pointer, value))
        told = pointers(problem)[0]
        check(told and ("/spec" + pointer).startswith(told), pointer,
              problem)
    problem = refused(spoilt("/linux/devices", [{"path": "/etc/x"}]),
                      "/spec/linux/devices/0/path")
    spec = plain_spec()
    spec["linux"]["namespaces"] = []
    check("/spec/linux/namespaces" in pointers(refused({"spec": spec})))
    check("1.1" not in problem["detail"])


@test
def all_faults_are_told_at_once():
    problem = refused(
        wish(user="x" * 300, cwd="rel", hostname="a b", network="bridge",
             ports=["80"], env=["novalue"], stop_signal="NOPE",
             stop_timeout=-1, seccomp="strict",
             rlimits=[{"type": "nofile", "soft": 2, "hard": 1}],
             devices=[{"path": "/etc/passwd"}],
             dns={"servers": ["nowhere"]}, resources={"memory_swap": 1 << 30},
             capabilities={"add": ["CAP_NOPE"]},
             annotations={"run.oci.x": ""}, sysctls={"vm.x": "1"}))
    for field in ("/cwd", "/hostname", "/network", "/ports", "/env/0",
                  "/stop_signal", "/stop_timeout", "/seccomp", "/rlimits/0",
                  "/devices/0/path", "/dns/servers/0",
                  "/resources/memory_swap", "/capabilities/add/0",
                  "/annotations/run.oci.x", "/sysctls/vm.x"):
        check(field in pointers(problem), field, problem)


@test
def what_the_host_cannot_do_is_said_beforehand():
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with open("/proc/self/status") as f:
        caps = int(next(x for x in f if x.startswith("CapPrm")).split()[1],
                   16)
    if not caps >> 24 & 1 and hard != resource.RLIM_INFINITY:
        problem = refused(wish(rlimits=[
            {"type": "nofile", "soft": 1024, "hard": hard + 1}]), "/rlimits/0")
        check(str(hard) in problem["detail"], problem)
        refused(wish(rlimits=[{"type": "nofile", "soft": -1}]), "/rlimits/0")
        refused(spoilt("/process/oomScoreAdj", -500),
                "/spec/process/oomScoreAdj")
        refused(wish(capabilities={"add": ["SYS_RESOURCE"]}),
                "/capabilities/add/0")
    refused(wish(resources={"memory": 8 << 20, "hugetlb": {"3MB": 1}}),
            "/resources/hugetlb")
    refused(wish(devices=[{"path": "/dev/no-such-device"}]),
            "/devices/0/path")


@test
def arguments_have_the_size_that_the_kernel_bears():
    refused(wish(args=["x" * 131072]), "/args/0")
    problem = ask("POST", C + "?dry_run=true",
                  wish(args=["x" * 1000] * 1100), expect=413)
    equal(problem["code"], "too_large")
    s = the_daemon()
    s.run("large", pulled_image(), ["sh", "-c", "echo ${#0} $#", "y" * 131000]
          + ["x" * 1000] * 500)
    equal(s.wait_task("large")["exit_status"], 0)
    equal(s.get(N + "/tasks/large/logs").text, "131000 500\n")
    s.delete(C + "/large?force=true")


def evil_image(name, links):
    """busybox with symlinks in the place of directories."""
    ref = "t/%s:1" % name
    layout = Layout(name)
    the_daemon().pull(the_registry().push(str(layout.tag(layout.image(
        [busybox_tree(), Tar(links).bytes()]))), ref))
    return "%s/%s" % (the_registry().host, ref)


@test
def an_image_does_not_lead_the_runtime_to_the_host():
    s = the_daemon()
    victim = scratch("victim")
    os.makedirs(victim)
    with open(victim + "/ptmx", "w") as f:
        f.write("mine")
    for where in ("dev", "proc", "sys", "run", "etc"):
        image = evil_image("evil-" + where, {where: victim})
        s.post(C, {"id": "evil", "image": image, "args": ["true"],
                   "user": "0:0"}, expect=201)
        problem = s.post(N + "/tasks", {"container": "evil"}, expect=409).json
        equal((where, problem["reason"]), (where, "image_invalid_rootfs"))
        s.delete(C + "/evil")
        equal(os.listdir(victim), ["ptmx"])
        with open(victim + "/ptmx") as f:
            equal(f.read(), "mine")


@test
def the_daemon_is_as_well_as_before():
    daemon_is_well()


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Options of create and run: what each becomes in the container's document,
and, where it has an effect that a program sees, what that sees."""
import functools

from skifftest import *
from lib_images import multi_platform_image

needs("root", "runc", "skopeo", "docker-registry", "curl", "jq")

SKIFF = os.path.join(SRC, "client", "skiff")
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
IS_CGROUP_V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")


@functools.lru_cache()
def reference():
    return image(the_daemon())


def skiff(*args, expect=0):
    done = subprocess.run(
        [SKIFF, *args], text=True, capture_output=True, timeout=DEADLINE * 2,
        env=dict(os.environ, SKIFF_HOST="unix://" + the_daemon().socket))
    if expect is not None:
        equal(done.returncode, expect, args, done.stderr)
    return done


def create(*options, args=("sleep", "1000")):
    """Its name."""
    return skiff("create", *options, reference(), *args).stdout.strip()


def inspect(*names):
    return json.loads(skiff("inspect", *names).stdout)


def at(document, path):
    """"a.b.0" of {"a": {"b": [1]}} → 1."""
    for part in path.split("."):
        document = (document[int(part)] if isinstance(document, list)
                    else document.get(part))
    return document


def inside(*options, script):
    """What a shell in such a container prints."""
    return skiff("run", "--rm", *options, reference(), "sh", "-c",
                 script).stdout


# Options, and what of the document is then what.
ASKED = [
    ("--annotation user.a=b=c --annotation user.d=", "annotations",
     {"user.a": "b=c", "user.d": ""}),
    ("--blkio-weight 300", "resources.blkio_weight", 300),
    ("--cap-add NET_RAW --cap-add=CAP_SYS_NICE", "capabilities.add",
     ["NET_RAW", "CAP_SYS_NICE"]),
    ("--cap-drop ALL", "capabilities.drop", ["ALL"]),
    ("-c 512", "resources.cpu_shares", 512),
    ("--cpu-shares=513", "resources.cpu_shares", 513),
    ("--cpuset-cpus 0", "resources.cpuset_cpus", "0"),
    ("--cpuset-mems 0", "resources.cpuset_mems", "0"),
    ("--device /dev/null:/dev/nil:rm", "devices",
     [{"path": "/dev/null", "container_path": "/dev/nil",
       "permissions": "rm"}]),
    ("--device /dev/zero", "devices", [{"path": "/dev/zero"}]),
    ("--dns 192.0.2.1 --dns=2001:db8::1", "dns.servers",
     ["192.0.2.1", "2001:db8::1"]),
    ("--dns-search example.org", "dns.search", ["example.org"]),
    ("--dns-option ndots:3", "dns.options", ["ndots:3"]),
    ("--memory 64m --memory-swap 96m", "resources.memory_swap", 96 << 20),
    ("--memory 64m --memory-swap -1", "resources.memory_swap", -1),
    ("--memory 64m --memory-reservation 32m", "resources",
     {"memory": 64 << 20, "memory_reservation": 32 << 20}),
    ("--memory-swappiness -1", "resources", None),
    ("--oom-score-adj 300", "spec.process.oomScoreAdj", 300),
    ("--read-only", "read_only", True),
    ("--read-only=false", "spec.root.readonly", False),
    ("--stop-signal usr1", "stop_signal", "usr1"),
    ("--stop-timeout 3", "stop_timeout", 3),
    ("--health-cmd /check --health-start-period 2s "
     "--health-start-interval 1s --health-timeout 3s --health-interval 4s "
     "--health-retries 5", "health",
     {"args": ["/bin/sh", "-c", "/check"], "start_period": "2s",
      "start_interval": "1s", "timeout": "3s", "interval": "4s",
      "retries": 5}),
    ("--no-healthcheck", "health", False),
    ("--snapshotter overlay", "snapshotter", "overlay"),
]
if not IS_CGROUP_V2:
    ASKED += [
        ("--memory-swappiness 10", "resources.memory_swappiness", 10),
        ("--memory 64m --oom-kill-disable", "resources.oom_kill_disable",
         True),
    ]


@test
def the_document_says_what_was_asked_for():
    names = [create(*options.split()) for options, _, _ in ASKED]
    for document, (options, path, wanted) in zip(inspect(*names), ASKED):
        equal(at(document, path), wanted, (options, document))
    skiff("rm", *names)


@test
def what_cannot_be_is_refused_before_anything_is_made():
    for options in ("--blkio-weight 5", "--cap-add NOPE", "--cpuset-cpus x",
                    "--device /dev/none", "--device /etc/passwd",
                    "--dns nobody", "--oom-score-adj 1001",
                    "--memory 64m --memory-reservation 65m",
                    "--memory 64m --memory-swap 63m",
                    "--memory-swappiness 101", "--stop-signal none",
                    "--stop-timeout x", "--health-retries x",
                    "--health-timeout 1s", "--annotation x",
                    "--label-file /none", "--snapshotter none"):
        done = skiff("create", *options.split(), reference(), expect=None)
        check(done.returncode in (1, 2), options, done)
        check(done.stderr.startswith("skiff: "), options, done.stderr)
    if IS_CGROUP_V2:
        for option in ("--memory-swappiness=1", "--oom-kill-disable"):
            check("cgroup v2" in skiff("create", option, reference(),
                                       expect=1).stderr)
    equal(skiff("ps", "-aq").stdout, "")


def effective(*options):
    text = inside(*options, script="grep CapEff /proc/self/status")
    return int(text.split()[1], 16)


@test
def capabilities_are_added_and_dropped():
    net_raw, kill = 1 << 13, 1 << 5
    usual = effective()
    equal(usual & (net_raw | kill), kill)
    equal(effective("--cap-add", "NET_RAW"), usual | net_raw)
    equal(effective("--cap-drop", "CAP_KILL"), usual & ~kill)
    equal(effective("--cap-drop=ALL", "--cap-add=KILL"), kill)


@test
def a_device_is_there_under_its_name():
    equal(inside("--device", "/dev/kmsg", "--device", "/dev/null:/dev/nil:r",
                 script="test -c /dev/kmsg && cat /dev/nil && "
                 "ls -l /dev/nil | awk '{ print $1, $5, $6 }'"),
          "crw-rw-rw- 1, 3\n")


@test
def a_read_only_root_takes_nothing_and_mounts_do():
    equal(inside("--read-only", "--tmpfs", "/tmp",
                 script="touch /x 2>/dev/null || echo no; touch /tmp/x && "
                 "echo yes"), "no\nyes\n")


@test
def resolv_conf_and_the_processors_are_as_asked_for():
    text = inside("--dns=192.0.2.1", "--dns-search=example.org",
                  "--dns-option=ndots:3", "--cpuset-cpus=0",
                  "--oom-score-adj=300", script="cat /etc/resolv.conf; "
                  "grep Cpus_allowed_list /proc/self/status; "
                  "cat /proc/self/oom_score_adj")
    equal(text.split(), ["nameserver", "192.0.2.1", "search", "example.org",
                         "options", "ndots:3", "Cpus_allowed_list:", "0",
                         "300"])


@test
def stop_sends_the_signal_and_waits_as_long_as_was_said():
    name = create("--stop-signal=SIGUSR1", "--stop-timeout=100", args=(
        "sh", "-c", "trap 'exit 9' USR1; echo up; "
        "while :; do sleep 0.1; done"))
    skiff("start", name)
    until(lambda: "up" in skiff("logs", name).stdout, "its handler")
    skiff("stop", name)
    equal(skiff("wait", name).stdout, "9\n")
    skiff("rm", name)
    deaf = create("--stop-timeout=0", args=(
        "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"))
    skiff("start", deaf)
    until(lambda: "up" in skiff("logs", deaf).stdout, "its handler")
    skiff("stop", deaf)
    equal(skiff("wait", deaf).stdout, "137\n")
    skiff("rm", deaf)


@test
def labels_come_from_a_file_too():
    path = scratch("labels")
    with open(path, "w") as f:
        f.write("# what it is\n\na=of the file\n  b=c=d\n")
    name = create("--label-file", path, "-l", "a=later", "-l", "e=f")
    labels = inspect(name)[0]["labels"]
    equal(labels, {"a": "later", "b": "c=d", "e": "f"})
    skiff("rm", name)


@test
def the_name_is_written_to_a_file_that_is_not_there():
    path = scratch("cid")
    name = create("--cidfile", path)
    with open(path) as f:
        equal(f.read(), name + "\n")
    check("is there already" in skiff("create", "--cidfile", path,
                                      reference(), expect=1).stderr)
    equal(skiff("ps", "-aq").stdout, name + "\n")
    skiff("rm", name)


PLATFORMS = {"linux/arm64": "SCMP_ARCH_AARCH64",
             "linux/amd64": "SCMP_ARCH_X86_64"}


@test
def the_image_is_that_of_the_platform():
    ref = the_registry().push(multi_platform_image(), "t/options-index:1")

    def made_for(platform, *options):
        name = skiff("create", "--platform", platform, *options, ref,
                     "true").stdout.strip()
        document = inspect(name)[0]
        skiff("rm", name)
        equal((document["platform"],
               document["spec"]["linux"]["seccomp"]["architectures"][0]),
              (platform, PLATFORMS[platform]))
    for platform in PLATFORMS:
        skiff("create", "--pull=never", "--platform", platform, ref,
              expect=1)
        made_for(platform)  # pulls what is missing of it
    # Both are here now.
    for platform in PLATFORMS:
        made_for(platform, "--pull=never")
    done = skiff("create", "--platform", "linux/s390x", ref, expect=1)
    check("linux/s390x" in done.stderr, done.stderr)
    # One that says what it is for in its own words alone.
    other = "linux/arm64" if MACHINE == "amd64" else "linux/amd64"
    done = skiff("create", "--pull=never", "--platform", other, reference(),
                 expect=1)
    check("not for " + other in done.stderr, done.stderr)
    name = create("--platform", "linux/" + MACHINE)
    the_daemon().patch("/v1/namespaces/default/containers/" + name,
                       {"platform": other}, expect=400)
    skiff("rm", name)
    equal(skiff("ps", "-aq").stdout, "")


main()

# SPDX-License-Identifier: Apache-2.0
"""What tests of tasks share: containers at work, their paths."""
import json
import os

from skifftest import image, until

N = "/v1/namespaces/default"
# It says so when it is ready, so that signals find its trap.
OBEDIENT = ["sh", "-c", "trap 'exit 7' TERM; echo ready; "
                        "while :; do sleep 1000 & wait; done"]
STUBBORN = ["sh", "-c", "trap '' TERM; echo ready; "
                        "while :; do sleep 1000 & wait; done"]
CGROUPS = "/sys/fs/cgroup"


def task(name, step=""):
    return "%s/tasks/%s%s" % (N, name, step)


def run(s, name, args=OBEDIENT, **wishes):
    """A task; one that says that it is ready is."""
    made = s.run(name, image(s), args, **wishes)
    if "echo ready" in args[-1]:
        wait_ready(s, name)
    return made


def wait_ready(s, name):
    until(lambda: "ready" in s.get(task(name, "/logs")).text, "output")


def state(s, name):
    return s.get(task(name)).json["state"]


def remove(s, name):
    s.delete("%s/containers/%s?force=true" % (N, name))


def picture_at_rest(s):
    """What is there while nothing runs; what a namespace keeps, too."""
    s.run("first", image(s), ["true"])
    remove(s, "first")
    return s.picture()


def verbs(s, name, after):
    """What happened to a task, in order."""
    return [e["topic"][len("/tasks/"):] for e in s.events(after)
            if e["topic"].startswith("/tasks/") and
            e["event"]["container_id"] == name]


def cgroups_of(pid):
    """{controller, or "" for v2: directory} of a process."""
    found = {}
    with open("/proc/%d/cgroup" % pid) as f:
        for line in f:
            _, names, path = line.rstrip("\n").split(":", 2)
            for name in names.split(","):
                name = name.replace("name=", "")
                for below in (names, name, "unified", ""):
                    place = os.path.join(CGROUPS, below) + path
                    if os.path.isdir(place) and path != "/" and (
                            name or os.path.exists(
                                place + "/cgroup.freeze")):
                        found.setdefault(name, place)
    return found


def cgroup_file(pid, *names):
    """The path of the first of these files that one of its cgroups has."""
    for name in names:
        for place in cgroups_of(pid).values():
            if os.path.exists(os.path.join(place, name)):
                return os.path.join(place, name)
    return None


def cgroup_value(pid, *names):
    with open(cgroup_file(pid, *names)) as f:
        return f.read().strip()


def freeze(pid, wanted):
    """Freezes its cgroup or thaws it, without Skiff."""
    path = cgroup_file(pid, "freezer.state", "cgroup.freeze")
    words = ("THAWED", "FROZEN") if path.endswith("state") else "01"
    with open(path, "w") as f:
        f.write(words[wanted])


def is_frozen(pid):
    text = cgroup_value(pid, "freezer.state", "cgroup.events")
    return text == "FROZEN" or "frozen 1" in text


def sse_data(event):
    return json.loads(event["data"])

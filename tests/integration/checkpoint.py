#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints with the real criu: images made, restored, refused, undone."""
import threading

from skifftest import *

needs("root", "runc", "skopeo", "docker-registry", "apt-get")

N = "/v1/namespaces/default"
COUNTER = ["sh", "-c", "echo begun > /file; i=0; while sleep 0.05; do "
           "i=$((i+1)); echo tick $i; done"]
_criu = None


def criu():
    """A criu that works on this kernel, of a newer Debian; or a skip."""
    global _criu
    if _criu is None:
        got = subprocess.run(
            [os.path.join(SRC, "tests", "get_criu"),
             os.path.join(BUILD, "tests", "criu")],
            capture_output=True, text=True)
        _criu = got.stdout.strip()
        why = got.stderr.strip().splitlines()
        if got.returncode != 0:
            _criu = Skip(why[-1] if why else "no criu")
        else:
            good = subprocess.run([_criu, "check"], capture_output=True,
                                  text=True)
            if good.returncode != 0:
                _criu = Skip("criu check: " + good.stderr.strip()[-200:])
    if isinstance(_criu, Skip):
        raise _criu
    return _criu


_daemon = None


def daemon():
    global _daemon
    if _daemon is None:
        _daemon = Daemon("the", args=["--criu", criu()])
    if _daemon.process is None or _daemon.process.poll() is not None:
        _daemon.start()
    return _daemon


def image(s):
    name = "%s/t/busybox:1" % the_registry().host
    if s.get(N + "/images/" + quote(name), expect=None).status == 404:
        s.pull(the_registry().push(busybox(), "t/busybox:1"))
    return name


def count(s, container):
    """The last number that the counter has told."""
    text = s.get("%s/tasks/%s/logs?tail=1" % (N, container)).text
    return int(text.split()[1]) if text.startswith("tick ") else 0


def counts_on(s, container, beyond):
    return until(lambda: count(s, container) > beyond and
                 count(s, container), "%s above %d" % (container, beyond))


def checkpoint(s, container, expect=200, **body):
    return s.post("%s/tasks/%s/checkpoint?wait=true" % (N, container), body,
                  expect=expect).json


def remove(s, *containers):
    for container in containers:
        s.delete("%s/containers/%s?force=true" % (N, container), expect=None)


@test
def a_running_task_is_dumped_and_goes_on():
    s = daemon()
    before = s.revision()
    s.run("on", image(s), COUNTER)
    n = counts_on(s, "on", 3)
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


main()

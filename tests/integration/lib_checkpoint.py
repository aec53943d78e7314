# SPDX-License-Identifier: Apache-2.0
"""What the tests of checkpoints share: a criu that works, a daemon that
knows it, and a task that counts aloud."""
from skifftest import *

N = "/v1/namespaces/default"
COUNTER = ["sh", "-c", "echo begun > /file; i=0; while sleep 0.05; do "
           "i=$((i+1)); echo tick $i; done"]
_criu = None


def get_criu(directory, *suites):
    """Its path, or a Skip that says why there is none."""
    got = subprocess.run(
        [os.path.join(SRC, "tests", "get_criu"),
         os.path.join(BUILD, "tests", directory), *suites],
        capture_output=True, text=True)
    why = got.stderr.strip().splitlines()
    if got.returncode != 0:
        return Skip(why[-1] if why else "no criu")
    path = got.stdout.strip()
    good = subprocess.run([path, "check"], capture_output=True, text=True)
    if good.returncode != 0:
        return Skip("criu check: " + good.stderr.strip()[-200:])
    return path


def criu():
    """A criu that works on this kernel, of a newer Debian; or a skip."""
    global _criu
    if _criu is None:
        _criu = get_criu("criu")
    if isinstance(_criu, Skip):
        raise _criu
    return _criu


def criu_for_sockets():
    """From 6.16 on the kernel knows options of sockets no more that criu
    before 4.2 asks for."""
    with socket.socket(socket.AF_INET) as s:
        try:
            s.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED)
            return criu()
        except OSError:
            pass
    newer = get_criu("criu-sid", "sid")
    if isinstance(newer, Skip):
        raise newer
    return newer


def has_criu():
    try:
        return bool(criu())
    except Skip:
        return False


_daemon = None


def daemon():
    global _daemon
    if _daemon is None:
        _daemon = Daemon("criu", args=["--criu", criu()])
    if _daemon.process is None or _daemon.process.poll() is not None:
        _daemon.start()
    return _daemon


def count(s, container):
    """The last number that the counter has told."""
    text = s.get("%s/tasks/%s/logs?tail=1" % (N, container)).text
    return int(text.split()[1]) if text.startswith("tick ") else 0


def counts_on(s, container, beyond):
    return until(lambda: count(s, container) > beyond and
                 count(s, container), "%s above %d" % (container, beyond))


def counting(s, container, beyond=1, **wishes):
    """A counter that runs, and how far it has come."""
    s.run(container, image(s), COUNTER, **wishes)
    return counts_on(s, container, beyond)


def checkpoint(s, container, expect=200, **body):
    return s.post("%s/tasks/%s/checkpoint?wait=true" % (N, container), body,
                  expect=expect).json


def put_aside(s, container):
    """Dumps it as cp/CONTAINER:1 and ends it; how far it had come."""
    checkpoint(s, container, name="cp/%s:1" % container, exit=True)
    s.wait_task(container)
    n = count(s, container)
    s.delete(N + "/tasks/" + container, expect=200)
    return n


def remove(s, *containers):
    for container in containers:
        s.delete("%s/containers/%s?force=true" % (N, container), expect=None)


def create(s, container, name, args=COUNTER, **wishes):
    s.post(N + "/containers", dict(wishes, id=container, image=name,
                                   args=args), expect=201)


def restore(s, container, name, expect=201, **wishes):
    return s.post(N + "/tasks", dict(wishes, container=container,
                                     checkpoint=name), expect=expect).json


def ended(s, container):
    """The task's document, once it is stopped."""
    task = s.get("%s/tasks/%s" % (N, container)).json
    return task if task["state"] == "stopped" else None


def log_size(s, container):
    """What a task has written, without asking the daemon."""
    return os.path.getsize("%s/tasks/default/%s/log" % (s.root, container))


def forget(s, name):
    """Removes an image and the blobs that were made for it."""
    image_path = N + "/images/" + quote(name)
    answer = s.get(image_path, expect=None)
    if answer.status == 404:
        return
    digest = answer.json["target"]["digest"]
    manifest = s.get("%s/content/%s" % (N, digest)).json
    s.delete(image_path)
    for blob in [digest, manifest["config"]["digest"]] + [
            layer["digest"] for layer in manifest["layers"]]:
        s.delete("%s/content/%s" % (N, blob), expect=None)

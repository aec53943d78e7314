#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What tests of the running daemon stand on.

    #!/usr/bin/python3
    from skifftest import *

    needs("root", "runc")

    @test
    def a_pulled_image_runs():
        s = the_daemon()
        s.pull(the_registry().push(busybox(), "t/busybox:1"))
        s.post("/v1/namespaces/default/containers", {...}, expect=201)
        s.wait_event("/tasks/exit", container_id="a")

    main()

A test fails by an exception; check() reports where. Nothing sleeps: a wait
is a poll of a descriptor or of a condition, with a deadline. All that is
made lives in one scratch directory, and is gone when the process ends.
Environment: SKIFF_SRC, SKIFF_BUILD, SKIFF_RECORD (set by make check; the
last is a directory: every answer goes to a file in it that is named for the
test, and tests/contract holds it to openapi.yaml), SKIFF_TEST_KEEP (leaves
the scratch directory), SKIFF_TEST_SLOWNESS (how many times longer than usual
all may take, on an emulated machine).
"""
import atexit
import contextlib
import glob
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lib_images import (Layout, busybox, busybox_umoci, big_image,  # noqa
                        layered_image, multi_platform_image, as_schema2)
from lib_picture import picture, differences  # noqa
from lib_registry import Registry  # noqa

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.environ.get("SKIFF_SRC") or os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("SKIFF_BUILD") or SRC)
SLOWNESS = int(os.environ.get("SKIFF_TEST_SLOWNESS", "1"))
TEST_SECONDS = SLOWNESS * int(os.environ.get("SKIFF_TEST_SECONDS", "180"))
# The sanitizers and a busy machine are slow; a deadline is no measurement.
DEADLINE = 30.0 * SLOWNESS


def is_sanitized(program):
    """Whether it was built with a sanitizer, which takes memory itself."""
    with open(os.path.join(BUILD, program), "rb") as f:
        code = f.read()
    return b"__asan_init" in code or b"__tsan_init" in code


# --- TAP ---------------------------------------------------------------

class Skip(Exception):
    """Raised in a test: it cannot be run here."""


class Failed(AssertionError):
    pass


_tests = []


def test(function):
    """Marks a test; they run in the order of the file."""
    _tests.append(function)
    return function


def check(condition, *about):
    if not condition:
        raise Failed(" ".join(str(item) for item in about) or "not so")


def equal(actual, expected, *about):
    if actual != expected:
        raise Failed("%s: %r, not %r" % (
            " ".join(str(item) for item in about) or "value",
            actual, expected))


def needs(*things):
    """Skips the whole file unless all things (root, programs) are here."""
    for thing in things:
        missing = (os.geteuid() != 0 if thing == "root"
                   else not shutil.which(thing))
        if missing:
            print("1..0 # SKIP needs %s" % thing)
            sys.exit(0)


def diagnose(text):
    for line in text.splitlines():
        print("# " + line)


def _alarm(_signal, _frame):
    raise TimeoutError("test took longer than %d s" % TEST_SECONDS)


_in_threads = []  # what a test's threads have raised


def _heard(thread):
    _in_threads.append("".join(traceback.format_exception(
        thread.exc_type, thread.exc_value, thread.exc_traceback)))


def _run(function):
    """A thread of its that failed fails the test, too."""
    _in_threads.clear()
    function()
    if _in_threads:
        raise Failed("in a thread: " + "\n".join(_in_threads))


def main(program="skiffd"):
    """program: what must have been built for the tests to run."""
    if not os.access(os.path.join(BUILD, program), os.X_OK):
        print("1..0 # SKIP no %s in %s" % (program, BUILD))
        sys.exit(0)
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGALRM, _alarm)
    threading.excepthook = _heard
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = sys.argv[1:]
    tests = [t for t in _tests if not wanted or t.__name__ in wanted]
    print("1..%d" % len(tests))
    n_failed = 0
    for number, function in enumerate(tests, 1):
        signal.alarm(TEST_SECONDS)
        verdict = ""
        try:
            _run(function)
        except Skip as why:
            verdict = " # SKIP %s" % why
        except Exception:  # the next test still runs
            n_failed += 1
            diagnose(traceback.format_exc())
            for daemon in Daemon.all:
                diagnose(daemon.log_tail())
            print("not ok %d - %s" % (number, function.__name__))
            continue
        finally:
            signal.alarm(0)
        print("ok %d - %s%s" % (number, function.__name__, verdict))
    sys.exit(1 if n_failed or not _all_end_well() else 0)


def _all_end_well():
    """Whether every daemon ends with 0 and without a sanitizer's words."""
    try:
        for daemon in Daemon.all:
            if daemon.process:
                daemon.stop()
    except Exception:
        diagnose(traceback.format_exc() + daemon.log_tail(100))
        return False
    return True


# --- waiting -----------------------------------------------------------

def until(condition, what="condition", timeout=DEADLINE, every=0.02):
    """Polls condition() until it is true, and returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError("no %s within %g s" % (what, timeout))
        select.select([], [], [], every)


# --- scratch space -----------------------------------------------------

_scratch = None
scratch_parent = "/tmp"  # short: a socket's path holds 107 bytes


def scratch(name=None):
    """A path below this process's scratch directory."""
    global _scratch
    if _scratch is None:
        _scratch = tempfile.mkdtemp(prefix="skt.", dir=scratch_parent)
        atexit.register(_clean_up)
    return os.path.join(_scratch, name) if name else _scratch


def _clean_up():
    for thing in list(Daemon.all) + list(Registry.all):
        try:
            thing.destroy()
        except Exception as why:
            diagnose("clean-up: %s" % why)
    if os.environ.get("SKIFF_TEST_KEEP"):
        diagnose("kept: %s" % _scratch)
    else:
        shutil.rmtree(_scratch, ignore_errors=True)


# --- HTTP --------------------------------------------------------------

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=DEADLINE):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Response:
    def __init__(self, method, path, raw):
        self.method = method
        self.path = path
        self.status = raw.status
        self.headers = raw.headers
        self.body = raw.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def record(self):
        if len(self.body) < 1 << 20:
            kind = self.headers.get("Content-Type", "")
            record(self, self.text if "json" in kind else None)

    def __repr__(self):
        return "%s %s: %d %s" % (self.method, self.path, self.status,
                                 self.text[:500])


_record = None


def record_path():
    """The file of this test in the directory SKIFF_RECORD."""
    name = os.path.basename(sys.argv[0]).rsplit(".", 1)[0]
    return os.path.join(os.environ["SKIFF_RECORD"], name + ".jsonl")


def record(answer, body, sse=None):
    """Notes an answer, or one event of it, for the contract tests."""
    global _record
    if not os.environ.get("SKIFF_RECORD"):
        return
    if _record is None:
        os.makedirs(os.environ["SKIFF_RECORD"], exist_ok=True)
        _record = os.open(record_path(), os.O_WRONLY | os.O_APPEND |
                          os.O_CREAT | os.O_TRUNC, 0o644)
    line = {"method": answer.method, "path": answer.path,
            "status": answer.status,
            "content_type": answer.headers.get("Content-Type", ""),
            "headers": {k.lower(): v for k, v in answer.headers.items()},
            "body": body}
    if sse:
        line["sse"] = sse
    os.write(_record, (json.dumps(line) + "\n").encode())


class Sse:
    """A server-sent event stream; iterate, or next(timeout)."""

    def __init__(self, method, path, connection, raw):
        self.method = method
        self.path = path
        self.connection = connection
        self.raw = raw
        self.status = raw.status
        self.headers = raw.headers
        if self.status == 200:
            record(self, None)

    def next(self, timeout=DEADLINE):
        """The next event {event, id, data}, or None at the end."""
        end = time.monotonic() + timeout
        event = {}
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no event within %g s" % timeout)
            if self.connection.sock:
                self.connection.sock.settimeout(left)
            line = self.raw.readline()
            if not line:
                return None
            line = line.decode().rstrip("\r\n")
            if line == "":
                if "data" in event:
                    record(self, event["data"], event.get("event", "message"))
                    return event
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                if name == "data" and "data" in event:
                    value = event["data"] + "\n" + value
                event[name] = value

    def __iter__(self):
        while True:
            event = self.next()
            if event is None:
                return
            yield event

    def close(self):
        self.raw.close()
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def timestamp():
    """As the API writes times; as text, an earlier one is less."""
    seconds, ns = divmod(time.time_ns(), 10 ** 9)
    return time.strftime("%%Y-%%m-%%dT%%H:%%M:%%S.%09dZ" % ns,
                         time.gmtime(seconds))


def quote(name):
    """A name as one path segment."""
    return urllib.parse.quote(name, safe="")


class Daemon:
    """A skiffd on a root, a state directory and a socket of its own."""

    all = []

    def __init__(self, name="d", env=None, args=()):
        self.dir = scratch(name)
        self.root = os.path.join(self.dir, "root")
        self.state = os.path.join(self.dir, "state")
        self.socket = os.path.join(self.dir, "sock")
        self.log = os.path.join(self.dir, "skiffd.log")
        self.env = dict(env or {})
        self.args = list(args)
        self.process = None
        os.makedirs(self.dir, exist_ok=True)
        Daemon.all.append(self)

    # life

    def command(self):
        return [os.path.join(BUILD, "skiffd"), "--root", self.root,
                "--state", self.state, "--listen", "unix:" + self.socket,
                "--log-level", "debug"] + self.args

    def start(self, env=None, wait=True):
        """env is for this start alone; None for a value removes it."""
        environment = dict(os.environ, **self.env)
        environment.update(env or {})
        environment = {k: v for k, v in environment.items() if v is not None}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=environment, start_new_session=True)
        if wait:
            until(self.is_ready, "/readyz")
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise Failed("skiffd ended with %d\n%s" % (
                self.process.returncode, self.log_tail()))
        try:
            return self.api("GET", "/readyz", record=False).status == 200
        except OSError:
            return False

    def wait_end(self, timeout=DEADLINE):
        """The exit status of a daemon that ends by itself."""
        return self.process.wait(timeout)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            status = self.process.wait(DEADLINE)
            equal(status, 0, "exit status of skiffd")
        self.process = None
        with open(self.log, errors="replace") as log:
            text = log.read()
        for word in ("Sanitizer", "runtime error:"):
            check(word not in text, "sanitizer report in", self.log)

    def kill9(self):
        self.process.kill()
        self.process.wait(DEADLINE)
        self.process = None

    def restart(self, env=None):
        if self.process:
            self.stop()
        return self.start(env)

    def log_tail(self, lines=40):
        try:
            with open(self.log, errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError:
            return ""

    def destroy(self):
        """Ends whatever is left, containers too."""
        Daemon.all.remove(self)
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        from lib_picture import wipe
        wipe(self.root, self.state)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None and self.process:
            self.stop()
        if kind is not None:
            diagnose(self.log_tail())
        self.destroy()

    # requests

    def connection(self, timeout):
        return UnixConnection(self.socket, timeout)

    def raw(self, method, path, body=None, headers=None, timeout=DEADLINE):
        connection = self.connection(timeout)
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        elif isinstance(body, str):
            body = body.encode()
        try:
            connection.request(method, path, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the body was read: the answer is there
        return connection, connection.getresponse()

    def api(self, method, path, body=None, expect=None, headers=None,
            timeout=DEADLINE, record=True):
        connection, raw = self.raw(method, path, body, headers, timeout)
        try:
            response = Response(method, path, raw)
        finally:
            connection.close()
        if record:
            response.record()
        if expect is not None and response.status != expect:
            raise Failed("not %d: %r" % (expect, response))
        return response

    def get(self, path, expect=200, **more):
        return self.api("GET", path, expect=expect, **more)

    def post(self, path, body=None, expect=200, **more):
        return self.api("POST", path, body, expect=expect, **more)

    def put(self, path, body=None, expect=200, **more):
        return self.api("PUT", path, body, expect=expect, **more)

    def patch(self, path, body, expect=200, **more):
        more.setdefault("headers", {
            "Content-Type": "application/merge-patch+json"})
        return self.api("PATCH", path, body, expect=expect, **more)

    def delete(self, path, expect=204, **more):
        return self.api("DELETE", path, expect=expect, **more)

    def sse(self, path, method="GET", body=None, headers=None):
        headers = dict(headers or {}, Accept="text/event-stream")
        connection, raw = self.raw(method, path, body, headers)
        return Sse(method, path, connection, raw)

    # idioms

    def threads(self):
        """Its threads but those of pools, which have a fixed size that
        they grow to as they are needed. One that begins has no name yet."""
        names = []
        for path in glob.glob("/proc/%d/task/*/comm" % self.process.pid):
            with contextlib.suppress(FileNotFoundError), open(path) as f:
                names.append(f.read())
        return len([n for n in names if not n.startswith(
            ("worker-", "task-", "transfer-"))])

    def revision(self):
        """The id of the last event."""
        return self.get("/v1/namespaces").json["revision"]

    def events(self, after=0, namespace=None):
        """The history as a list of event objects."""
        path = ("/v1/namespaces/%s/events" % namespace if namespace
                else "/v1/events")
        with self.sse("%s?after=%d&follow=false" % (path, after)) as stream:
            return [json.loads(e["data"]) for e in stream if e.get("id")]

    def wait_event(self, topic, after=0, timeout=DEADLINE, **fields):
        """The first event after a revision with this topic and fields."""
        end = time.monotonic() + timeout
        with self.sse("/v1/events?after=%d" % after) as stream:
            while True:
                event = stream.next(max(0.001, end - time.monotonic()))
                if event is None:
                    raise Failed("event stream ended before %s" % topic)
                if not event.get("id"):
                    continue
                data = json.loads(event["data"])
                body = data.get("event", {})
                if data["topic"] == topic and all(
                        body.get(k) == v for k, v in fields.items()):
                    return data

    def pull(self, ref, namespace="default", expect=200, **wishes):
        """Pulls and waits; returns the answer's JSON."""
        return self.post("/v1/namespaces/%s/images/pull?wait=true" % namespace,
                         dict(wishes, ref=ref), expect=expect,
                         timeout=120).json

    def run(self, container, image, args, namespace="default", **wishes):
        """Creates and starts; returns the task."""
        base = "/v1/namespaces/%s" % namespace
        self.post(base + "/containers",
                  dict(wishes, id=container, image=image, args=args),
                  expect=201)
        self.post(base + "/tasks", {"container": container}, expect=201)
        return self.post(base + "/tasks/%s/start" % container).json

    def wait_task(self, container, namespace="default", timeout=DEADLINE):
        return self.get("/v1/namespaces/%s/tasks/%s/wait?timeout=%d" % (
            namespace, container, int(timeout)), timeout=timeout + 5).json

    def picture(self):
        """Once what deletions leave to a daemon that runs is gone."""
        if self.process:
            until(self.has_buried_all, "removal of what was deleted")
        return picture(self.root, self.state)

    def has_buried_all(self):
        dead = [os.path.join(top, "tasks", ".dead")
                for top in (self.root, self.state)]
        return not any(os.path.isdir(d) and os.listdir(d) for d in dead)


_the_daemon = None
_the_registry = None


def the_daemon():
    """One daemon for the whole file, started when first asked for."""
    global _the_daemon
    if _the_daemon is None:
        _the_daemon = Daemon("the").start()
    elif _the_daemon.process is None or _the_daemon.process.poll() is not None:
        _the_daemon.start()
    return _the_daemon


def the_registry():
    global _the_registry
    if _the_registry is None:
        _the_registry = Registry(scratch("registry")).start()
    return _the_registry


def image(s):
    """busybox, pulled into the daemon's default namespace once."""
    name = "%s/t/busybox:1" % the_registry().host
    if s.get("/v1/namespaces/default/images/" + quote(name),
             expect=None).status == 404:
        s.pull(the_registry().push(busybox(), "t/busybox:1"))
    return name

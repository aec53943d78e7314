#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The client at a terminal: what is typed, its size, signals, detaching,
and the terminal given back whatever happens."""
import functools
import hashlib
import itertools
import json
import re

from skifftest import *
from lib_pty import Terminal

needs("root", "runc", "skopeo", "docker-registry", "curl", "jq")

SKIFF = os.path.join(SRC, "client", "skiff")
LOOP = "while read line; do echo \"got $line\"; stty size; done"


@functools.lru_cache()
def reference():
    return the_registry().push(busybox(), "t/busybox:1")


def environment():
    return dict(os.environ, SKIFF_HOST="unix://" + the_daemon().socket)


def skiff(*args, **how):
    return subprocess.run([SKIFF, *args], env=environment(), text=True,
                          capture_output=True, timeout=DEADLINE * 2, **how)


def terminal(*args, **how):
    return Terminal([SKIFF, *args], env=environment(), **how)


def processes_of_clients():
    """What of this test's clients is still there."""
    wanted = ("SKIFF_HOST=unix://" + the_daemon().socket).encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                if wanted in f.read().split(b"\0"):
                    with open("/proc/%s/cmdline" % pid, "rb") as g:
                        found.append(g.read())
        except OSError:
            pass
    return found


def nothing_is_left():
    until(lambda: not processes_of_clients())
    equal(skiff("ps", "-aq").stdout, "")


@test
def a_shell_at_a_terminal():
    skiff("pull", reference(), check=True)
    with terminal("run", "-it", "--rm", reference(), "sh", "-c",
                  "stty size; " + LOOP + "; exit 5",
                  rows=33, columns=101) as t:
        t.expect(r"33 101\r\n")
        check(t.is_raw())
        t.type("one\r")
        t.expect(r"got one\r\n33 101\r\n")
        t.resize(44, 120)
        until(lambda: (t.type("two\r"), b"44 120" in
                       t.expect(r"got two\r\n\d+ \d+\r\n"))[1])
        t.type("\x04")
        equal(t.wait(), 5)
        check(t.is_restored())
    nothing_is_left()


@test
def a_second_shell_at_a_terminal():
    skiff("run", "-d", "--name", "box", reference(), "sleep", "600")
    with terminal("exec", "-it", "box", "sh", "-c", "stty size; " + LOOP,
                  rows=21, columns=71) as t:
        t.expect(r"21 71\r\n")
        check(t.is_raw())
        t.resize(22, 72)
        until(lambda: (t.type("two\r"), b"22 72" in
                       t.expect(r"got two\r\n\d+ \d+\r\n"))[1])
        t.type("\x10\x11")
        equal(t.wait(), 0)
        check(t.is_restored())
    equal(skiff("exec", "-t", "box", "tty", input="").stdout.strip(),
          "/dev/pts/1")
    skiff("rm", "-f", "box", check=True)
    nothing_is_left()


@test
def keys_are_the_containers():
    with terminal("run", "-it", "--rm", reference(), "sh", "-c",
                  "trap 'echo caught; exit 9' INT; echo ready; "
                  "while :; do sleep 0.1; done") as t:
        t.expect("ready")
        t.type("\x03")
        t.expect("caught")
        equal(t.wait(), 9)
        check(t.is_restored())
    nothing_is_left()


@test
def bytes_of_all_kinds_arrive():
    keys = bytes(b for b in range(1, 256) if b not in b"\n\r\x10\x11\x13\x1a")
    with terminal("run", "-it", "--rm", reference(), "sh", "-c",
                  "stty raw -echo; echo ready; head -c %d | od -An -tx1 -v; "
                  "exit 3" % (len(keys) + 5)) as t:
        t.expect("ready")
        t.type(keys + b"\0")
        t.type(b"\x10")  # what may be the first of the detach keys
        t.type(b"\x13\x11.")
        equal(t.wait(), 3)
        equal(bytes.fromhex(t.rest().decode()), keys + b"\0\x10\x13\x11.")
    nothing_is_left()


@test
def a_pasted_page_arrives_whole():
    lines = ["%04d %s" % (n, "x" * 70) for n in range(300)]
    with terminal("run", "-it", "--rm", reference(), "sh", "-c",
                  "stty -echo; echo ready; head -n 300 | md5sum") as t:
        t.expect("ready")
        t.type("\r".join(lines) + "\r")
        digest = t.expect(r"([0-9a-f]{32})").split()[-1].decode()
        equal(t.wait(), 0)
    equal(digest, hashlib.md5(("\n".join(lines) + "\n").encode()).hexdigest())


@test
def detached_and_attached_again():
    with terminal("run", "-it", "--name", "shell", reference(), "sh", "-c",
                  "echo ready; " + LOOP) as t:
        t.expect("ready")
        t.type("last\x10\x11")
        equal(t.wait(), 0)
        check(t.is_restored())
        check(b"detached" in t.rest(), t.rest())
    equal(skiff("inspect", "-f", ".task.state", "shell").stdout, "running\n")
    with terminal("attach", "--detach-keys", "ctrl-a,d", "shell",
                  rows=40, columns=90) as first, \
            terminal("attach", "--no-stdin", "shell") as second:
        until(first.is_raw)
        until(lambda: (first.type("\rx\r"), first.expect(r"\d+ \d+\r\n"))[1]
              == b"40 90\r\n" or b"40 90" in first.output)
        second.expect("got x")
        first.type("\x01d")
        equal(first.wait(), 0)
        check(first.is_restored())
        skiff("kill", "shell", check=True)
        equal(second.wait(), 137)
    skiff("rm", "shell", check=True)
    nothing_is_left()


@test
def a_prompt_is_shown_again_to_who_attaches():
    with terminal("run", "-it", "--name", "prompt", reference(), "sh") as t:
        t.expect("/ # ")
        t.type("\x10\x11")
        # What follows does not stand behind the prompt.
        t.expect(r"\r\nskiff: detached\r\n")
        equal(t.wait(), 0)
    with terminal("attach", "prompt", rows=31, columns=91) as t:
        t.expect("/ # ")
        t.type("stty size; exit 4\r")
        t.expect(r"\n31 91\r\n")
        equal(t.wait(), 4)
    skiff("rm", "prompt", check=True)


@test
def run_rm_that_is_detached_goes_away_in_the_end():
    with terminal("run", "-it", "--rm", "--name", "later", reference(),
                  "sh", "-c", "echo ready; exec cat") as t:
        t.expect("ready")
        t.type("\x10\x11")
        equal(t.wait(), 0)
    skiff("kill", "later", check=True)
    nothing_is_left()


@test
def the_terminal_comes_back_whatever_ends_the_client():
    def ends(how, status):
        with terminal("run", "-it", "--name", "held", reference(),
                      "sh", "-c", "echo ready; exec cat") as t:
            t.expect("ready")
            until(t.is_raw)
            how(t)
            equal(t.wait(), status, t.output)
            until(t.is_restored)
        until(lambda: not processes_of_clients())

    for how, status in (
            (lambda t: os.kill(t.process.pid, signal.SIGKILL), -9),
            (lambda t: os.kill(t.process.pid, signal.SIGTERM), 143),
            (lambda t: os.kill(t.process.pid, signal.SIGHUP), 129),
            (lambda t: os.kill(t.process.pid, signal.SIGQUIT), 131),
            (lambda t: kill_curl(b"/output"), 125)):
        try:
            ends(how, status)
        finally:
            skiff("rm", "-f", "held")


# Stands before the programs that the client starts: the one whose number is
# in AT sends the client a signal first, once they have been counted.
HOOK = """#!/bin/sh
n=1
set -C
while ! true 2>/dev/null >"$HOOK/$n"; do n=$((n + 1)); done
read -r _ _ _ _ _ session _ </proc/self/stat
[ "$n" != "$AT" ] || kill "-$HOW" "$session"
[ "${0##*/}" != dd ] || true 2>/dev/null >"$HOOK/all"
PATH=${PATH#*:} exec "${0##*/}" "$@"
"""


def hooked():
    """A directory of programs for PATH."""
    bin = scratch("hooked")
    if not os.path.isdir(bin):
        os.mkdir(bin)
        for name in ("cat", "curl", "dd", "jq", "mkfifo", "mktemp", "readlink",
                     "rm", "sed", "stty", "tail"):
            path = os.path.join(bin, name)
            with open(path, "w") as f:
                f.write(HOOK)
            os.chmod(path, 0o755)
    return bin


@test
def a_signal_ends_the_client_well_at_any_moment():
    """Before it has the terminal, while it starts what it starts, and in the
    midst of cleaning up."""
    ways = (("HUP", 129), ("TERM", 143), ("INT", 130), ("QUIT", 131))
    skiff("run", "-dit", "--name", "box", reference(), "cat", check=True)
    # At the first it has nothing yet, and heeds no signal.
    for moment in itertools.count(2, 2):
        name, status = ways[moment // 2 % len(ways)]
        about = "SIG%s at %d" % (name, moment)
        hook, home = scratch("hook-%d" % moment), scratch("home-%d" % moment)
        os.mkdir(hook)
        os.mkdir(home)
        with Terminal([SKIFF, "attach", "box"], env=dict(
                environment(), HOOK=hook, AT=str(moment), HOW=name,
                TMPDIR=home, PATH=hooked() + ":" + os.environ["PATH"])) as t:
            until(lambda: (t.read_more(0), t.process.poll() is not None or
                           os.path.exists(hook + "/all"))[1])
            t.type("\x10\x11")
            t.wait()
            # Who has detached is not held up any more.
            check(t.process.returncode == status or
                  t.process.returncode == 0 and b"detached" in t.output,
                  about, t.process.returncode, t.output)
            check(t.is_restored(), about)
        until(lambda: not processes_of_clients(), about)
        equal(os.listdir(home), [], about)
        if not os.path.exists("%s/%d" % (hook, moment)):
            break
    check(moment > 20, moment)
    skiff("rm", "-f", "box", check=True)
    nothing_is_left()


def kill_curl(what):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                words = f.read()
        except OSError:
            continue
        if words.startswith(b"curl") and what in words and \
                the_daemon().socket.encode() in words:
            os.kill(int(pid), signal.SIGKILL)


@test
def a_daemon_that_restarts_is_waited_for():
    with terminal("run", "-it", "--rm", reference(), "sh", "-c",
                  "echo ready; " + LOOP) as t:
        t.expect("ready")
        t.type("before\r")
        t.expect("got before")
        the_daemon().kill9()
        the_daemon()
        # The key that finds the connection gone may be lost.
        until(lambda: (t.type("after\r"),
                       t.read_more(0.2), b"got after" in t.output)[2])
        check(t.output.count(b"ready") == 1, t.output)
        t.type("\x04")
        equal(t.wait(), 0)
        check(t.is_restored())
    nothing_is_left()


def screen(data, columns):
    """What a terminal of that width shows in the end."""
    lines, row, column = [[]], 0, 0
    for part in re.findall(r"\x1b\[\d*[A-Z]|[^\x1b]", data):
        if part == "\n":
            row, column = row + 1, 0
        elif part == "\r":
            column = 0
        elif part.endswith("A") and len(part) > 2:
            row -= int(part[2:-1])
        elif part == "\x1b[J":
            lines[row:] = [lines[row][:column]]
        else:
            if column == columns:
                row, column = row + 1, 0
                lines += [[]] if row == len(lines) else []
            lines[row][column:column + 1] = [part]
            column += 1
        lines += [[] for _ in range(row + 1 - len(lines))]
    return "".join("".join(line) + "\n" for line in lines)


@test
def progress_is_drawn_in_place_whatever_the_width():
    def shown(rows, columns, n_layers):
        def at(offset):
            items = [{"kind": "manifest", "digest": "sha256:" + "a" * 64,
                      "state": "done", "total": 587}]
            items += [{"kind": "layer", "digest": "sha256:%064d" % n,
                       "state": "downloading", "offset": offset + n,
                       "total": 31700000} for n in range(n_layers)]
            return json.dumps({"progress": items})
        drawn = subprocess.run(
            ["jq", "-n", "-j", "--argjson", "rows", str(rows), "--argjson",
             "columns", str(columns), "-f",
             os.path.join(SRC, "client", "lib", "progress.jq")],
            input="\n".join(map(at, (0, 99, 2000000, 30000000))).encode(),
            capture_output=True, check=True).stdout
        return screen(drawn.decode(), columns)

    for columns in 40, 60, 80, 90, 100, 200:
        text = shown(24, columns, 2)
        equal((text.count("manifest"), text.count("layer")), (1, 2), text)
        check("30 MB" in text or columns == 40, text)
    # More than there is room for: those that are not done, one each.
    text = shown(6, 80, 40)
    equal((text.count("manifest"), text.count("layer")), (0, 5), text)


@test
def ctrl_c_and_signals_cancel_a_pull():
    """From a registry that takes the connection, and never says a word."""
    silent = socket.create_server(("127.0.0.1", 0))
    ref = "127.0.0.1:%d/t/never:1" % silent.getsockname()[1]
    for verb, how, status in (
            ("pull", lambda t: t.type("\x03"), 130),
            ("run", lambda t: t.type("\x03"), 130),
            ("pull", lambda t: os.kill(t.process.pid, signal.SIGTERM), 143),
            ("run", lambda t: os.kill(t.process.pid, signal.SIGHUP), 129)):
        with terminal(verb, ref) as t:
            t.expect("resolving " + ref)
            how(t)
            t.expect("the pull is cancelled")
            equal(t.wait(), status)
        until(lambda: not processes_of_clients())
    silent.close()

    def states():
        operations = the_daemon().get("/v1/namespaces/default/operations")
        return [o["state"] for o in operations.json["items"]
                if o["ref"] == ref]
    until(lambda: states() == ["cancelled"] * 4, "the end of all pulls")


@test
def a_terminal_needs_one():
    answer = skiff("run", "-it", "--rm", reference(), "true", input="")
    equal(answer.returncode, 125)
    check("no terminal" in answer.stderr, answer.stderr)
    equal(skiff("run", "-t", "--rm", reference(), "tty",
                input="").stdout.strip(), "/dev/pts/0")
    nothing_is_left()


main()

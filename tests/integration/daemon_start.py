#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How skiffd is started and ended: flags, file, sockets, several at once."""
import fcntl
import http.client
import stat

from skifftest import *

needs("root")

SKIFFD = os.path.join(BUILD, "skiffd")


def run_it(*arguments):
    return subprocess.run([SKIFFD] + list(arguments), capture_output=True,
                          text=True, timeout=DEADLINE)


@test
def help_and_version_are_printed():
    done = run_it("--help")
    equal(done.returncode, 0)
    for flag in ("--root", "--state", "--listen", "--config", "--log-level"):
        check(flag in done.stdout, flag)
    check(run_it("--version").stdout.startswith("skiffd "))
    points = run_it("--list-failpoints").stdout.splitlines()
    check(len(points) > 30 and all("\t" in p for p in points))


@test
def what_is_wrong_with_the_flags_is_said():
    for arguments, word in ((["--rooot", "/x"], "--rooot"),
                            (["--root"], "--root"),
                            (["stray"], "stray"),
                            (["--log-level", "loud"], "loud"),
                            (["--config", "/no/such/file"], "/no/such/file")):
        done = run_it(*arguments)
        equal(done.returncode, 2, arguments)
        check(word in done.stderr, done.stderr)
    done = run_it("--root", scratch("r1"), "--state", scratch("s1"),
                  "--listen", "ftp:x")
    equal(done.returncode, 1)
    check("ftp:x" in done.stderr, done.stderr)


@test
def a_socket_path_that_is_too_long_is_refused_at_start():
    # Of the two kinds of sockets a shim's has the longer path.
    for length in (90, 120):
        state = scratch("s2")
        done = run_it("--root", scratch("r2"), "--state",
                      state + "x" * (length - len(state)))
        equal(done.returncode, 1)
        check("107" in done.stderr, done.stderr)


@test
def the_file_gives_what_flags_do_not():
    path = scratch("skiffd.conf")
    with open(path, "w") as f:
        f.write("# a comment\nroot = %s\nlisten = unix:%s\nlisten = tcp:"
                "127.0.0.1:0\nlog-level = debug\n"
                % (scratch("file-root"), scratch("file-sock")))
    with Daemon("file", args=["--config", path]) as s:
        # Flags win: the harness gives root and listen.
        check(os.path.isdir(s.root))
        check(not os.path.exists(scratch("file-root")))
    with open(path, "a") as f:
        f.write("colour = red\n")
    done = run_it("--config", path)
    equal(done.returncode, 2)
    check(":6:" in done.stderr, done.stderr)


@test
def directories_and_the_socket_are_private():
    with Daemon("modes") as s:
        modes = {path: stat.S_IMODE(os.stat(path).st_mode) for path in (
            s.root, s.state, s.socket, os.path.join(s.root, "content"),
            os.path.join(s.root, "snapshots"), os.path.join(s.root, "tasks"),
            os.path.join(s.root, "skiff.db"), os.path.join(s.state, "s"))}
        equal(modes.pop(s.socket), 0o660)
        equal(modes.pop(s.state), 0o711)
        equal(modes.pop(os.path.join(s.root, "skiff.db")), 0o600)
        equal(set(modes.values()), {0o700}, modes)


@test
def daemons_with_different_roots_run_side_by_side():
    with Daemon("one") as one, Daemon("two") as two:
        one.post("/v1/namespaces", {"name": "only-here"}, expect=201)
        two.get("/v1/namespaces/only-here", expect=404)


@test
def a_lock_that_is_let_go_a_moment_later_is_waited_for():
    """By what a killed daemon was starting: that has it for so long."""
    s = Daemon("late")
    os.makedirs(s.root)
    last = os.open(s.root, os.O_RDONLY)
    fcntl.flock(last, fcntl.LOCK_EX)
    s.start(wait=False)

    def has_come_to_it():
        fds = "/proc/%d/fd" % s.process.pid
        try:
            return s.root in [os.readlink(os.path.join(fds, fd))
                              for fd in os.listdir(fds)]
        except FileNotFoundError:
            return False  # one was closed meanwhile
    until(has_come_to_it, "its open root")
    os.close(last)
    until(s.is_ready, "/readyz")
    s.stop()


@test
def a_stale_socket_is_replaced_and_a_live_one_is_not():
    s = Daemon("stale").start()
    s.kill9()
    check(os.path.exists(s.socket))
    s.start()
    other = run_it("--root", scratch("r3"), "--state", scratch("s3"),
                   "--listen", "unix:" + s.socket)
    equal(other.returncode, 1)
    s.get("/readyz")
    s.stop()
    check(not os.path.exists(s.socket), "the socket stayed")


@test
def on_tcp_only_public_paths_answer_and_only_to_known_hosts():
    with Daemon("tcp", args=["--listen", "tcp:127.0.0.1:0"]) as s:
        line = [x for x in s.log_tail().splitlines() if "tcp:127" in x][0]
        port = int(line.rpartition(":")[2])

        def ask(path, **headers):
            connection = http.client.HTTPConnection("127.0.0.1", port,
                                                    timeout=DEADLINE)
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, answer.headers, body
        for path in ("/", "/healthz", "/readyz", "/v1/version",
                     "/openapi.json"):
            equal(ask(path)[0], 200, path)
        status, headers, _ = ask("/v1/namespaces")
        equal((status, headers["WWW-Authenticate"]), (401, "Bearer"))
        equal(ask("/healthz", Host="evil.example")[0], 421)
        equal(ask("/healthz", Origin="http://evil.example")[0], 403)
    done = run_it("--root", scratch("r4"), "--state", scratch("s4"),
                  "--listen", "tcp:0.0.0.0:0")
    equal(done.returncode, 1)


main()

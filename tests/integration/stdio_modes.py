#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Output that leads to files and FIFOs of the host, and input from them."""
import hashlib
import os
import threading

from lib_streams import *

needs("root", "runc", "skopeo", "docker-registry")


def fifo(name):
    path = scratch(name)
    os.mkfifo(path)
    return path


def read_all(path, into):
    with open(path, "rb") as file:
        into.append(file.read())


@test
def files_are_appended_to():
    s = the_daemon()
    out, err, given = scratch("out"), scratch("err"), scratch("in")
    open(out, "w").write("before\n")
    open(given, "w").write("given\n")
    run(s, "file", "sh", "-c", "cat; echo two >&2",
        stdio={"mode": "file", "stdout": out, "stderr": err, "stdin": given})
    s.wait_task("file")
    equal(open(out).read(), "before\ngiven\n")
    equal(open(err).read(), "two\n")
    equal(s.get(of("file", "/output"), expect=409).json["reason"],
          "not_logged")
    remove(s, "file")
    run(s, "one", "sh", "-c", "echo a; echo b >&2",
        stdio={"mode": "file", "stdout": out})
    s.wait_task("one")
    equal(open(out).read(), "before\ngiven\na\nb\n")
    remove(s, "one")
    run(s, "term", "sh", "-c", "echo t", task={"terminal": True},
        stdio={"mode": "file", "stdout": out})
    s.wait_task("term")
    equal(open(out, newline="").read(), "before\ngiven\na\nb\nt\r\n")
    remove(s, "term")


@test
def fifos_are_fed_from_the_log_and_read_by_anyone():
    s = the_daemon()
    out, err, given = fifo("fo"), fifo("fe"), fifo("fi")
    stdio = {"mode": "fifo", "stdin": given, "stdout": out, "stderr": err}
    equal(create(s, "fifo", "sh", "-c", "cat; echo bad >&2",
                 stdio=stdio)["stdio"], stdio)
    start(s, "fifo")
    got_out, got_err = [], []
    threads = [threading.Thread(target=read_all, args=a) for a in
               ((out, got_out), (err, got_err))]
    for thread in threads:
        thread.start()
    with open(given, "wb") as file:
        file.write(b"by fifo\n")
    until(lambda: b"by fifo" in s.get(of("fifo", "/output")).body, "output")
    s.post(of("fifo", "/stdin"), b"by post\n", expect=204)
    s.post(of("fifo", "/close-stdin"), expect=204)
    s.wait_task("fifo")
    for thread in threads:
        thread.join(DEADLINE)
    equal((got_out, got_err), ([b"by fifo\nby post\n"], [b"bad\n"]))
    equal(s.get(of("fifo", "/output?stream=stderr")).body, b"bad\n")
    remove(s, "fifo")


@test
def a_fifo_that_nobody_reads_holds_up_nobody():
    s = the_daemon()
    out = fifo("late")
    n = 3_000_000
    run(s, "late", "sh", "-c", "yes 0123456789abcde | head -c %d" % n,
        stdio={"mode": "fifo", "stdout": out, "log": {"max_size": 1 << 20}})
    equal(s.wait_task("late")["exit_status"], 0)
    got = []
    thread = threading.Thread(target=read_all, args=(out, got))
    thread.start()
    thread.join(DEADLINE)
    # All of it, over the rotations that came meanwhile.
    equal(len(got[0]), n)
    equal(hashlib.sha256(got[0]).digest(), hashlib.sha256(
        b"0123456789abcde\n" * (n // 16)).digest())
    remove(s, "late")


@test
def paths_that_do_not_fit_are_refused():
    s = the_daemon()
    out = scratch("plain")
    open(out, "w").close()
    link = scratch("link")
    os.symlink(out, link)
    s.post(N + "/containers", {"id": "bad", "image": image(s),
                               "args": ["true"]}, expect=201)
    for stdio in ({"mode": "fifo", "stdout": out},
                  {"mode": "fifo", "stdout": scratch("missing")},
                  {"mode": "file", "stdout": link},
                  {"mode": "file", "stdout": "/dev/null"},
                  {"mode": "file", "stdout": scratch()},
                  {"mode": "file", "stdout": out, "stdin": "/none"},
                  {"mode": "log", "stdout": out}, {"mode": "file"},
                  {"mode": "fifo"}, {"mode": "file", "stdout": "x"},
                  {"stdin": "/x"}):
        s.post(N + "/tasks", {"container": "bad", "stdio": stdio}, expect=400)
    two = {"mode": "file", "stdout": out, "stderr": out}
    answer = s.post(N + "/tasks", {"container": "bad", "terminal": True,
                                   "stdio": two}, expect=400)
    equal(answer.json["field"], "/stdio/stderr")
    check("one output" in answer.json["detail"], answer.text)
    s.post(N + "/containers", {"id": "worse", "image": image(s),
                               "terminal": True, "stdio": two}, expect=400)
    s.post(N + "/tasks", {"container": "bad"}, expect=201)
    remove(s, "bad")


@test
def a_terminal_is_typed_at_from_a_path():
    s = the_daemon()
    given, out = scratch("typed"), scratch("said")
    # More than a terminal takes at once; a line at a time, as it does.
    lines = ["%04d " % i + "x" * 90 for i in range(300)]
    open(given, "w").write("\n".join(lines) + "\n\x04")
    run(s, "typed", "sh", "-c", "stty -echo; echo ready; cat",
        task={"terminal": True},
        stdio={"mode": "file", "stdin": given, "stdout": out})
    equal(s.wait_task("typed")["exit_status"], 0)
    said = open(out, newline="").read()
    # What came before the echo was off is told twice.
    check(said.endswith("\r\n".join(lines[-200:]) + "\r\n"), said[-300:])
    remove(s, "typed")
    given, out = fifo("ti"), fifo("to")
    run(s, "both", "sh", "-c", "stty -echo; echo ready; read x; echo \"<$x>\"; "
        "read x; echo \"<$x>\"", task={"terminal": True},
        stdio={"mode": "fifo", "stdin": given, "stdout": out})
    got = []
    thread = threading.Thread(target=read_all, args=(out, got))
    thread.start()
    until(lambda: b"ready" in s.get(of("both", "/output")).body, "ready")
    with open(given, "w") as file:
        file.write("by fifo\n")
    until(lambda: b"<by fifo>" in s.get(of("both", "/output")).body, "fifo")
    s.post(of("both", "/stdin"), b"by post\n", expect=204)
    s.wait_task("both")
    thread.join(DEADLINE)
    equal(got, [b"ready\r\n<by fifo>\r\n<by post>\r\n"])
    remove(s, "both")


@test
def a_container_can_wish_what_its_tasks_get():
    s = the_daemon()
    s.post(N + "/containers", {
        "id": "wish", "image": image(s), "args": ["cat"],
        "stdio": {"stdin": True, "log": {"max_files": 2}}}, expect=201)
    task = s.post(N + "/tasks", {"container": "wish"}, expect=201).json
    equal(task["stdio"], {"mode": "log", "stdin": True,
                          "log": {"max_files": 2}})
    start(s, "wish")
    s.post(of("wish", "/stdin?eof=true"), b"fed\n", expect=204)
    s.wait_task("wish")
    equal(s.get(of("wish", "/output")).body, b"fed\n")
    remove(s, "wish")
    s.post(N + "/containers", {
        "id": "no", "image": image(s), "args": ["cat"],
        "stdio": {"mode": "syslog"}}, expect=400)


main()

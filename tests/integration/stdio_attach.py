#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Attach: both ways on one upgraded connection."""
import os
import threading

from lib_streams import *

needs("root", "runc", "skopeo", "docker-registry")

ECHO = ("sh", "-c", "while read x; do echo \"<$x>\"; done; echo end >&2")


def facts(s):
    """What must not grow: descriptors and threads of the daemon, and its
    own memory in KiB."""
    with open("/proc/%d/smaps_rollup" % s.process.pid) as f:
        memory = next(int(line.split()[1]) for line in f
                      if line.startswith("Anonymous:"))
    return (len(os.listdir("/proc/%d/fd" % s.process.pid)), s.threads(),
            memory)


@test
def input_and_output_go_both_ways_in_frames():
    s = the_daemon()
    create(s, "both", *ECHO, stdio={"stdin": True})
    with attach(s, "both", "?eof=true", early=b"early\n") as client:
        check("Upgrade: skiff-stream" in client.head, client.head)
        check(FRAMED in client.head, client.head)
        start(s, "both")
        client.read_until(b"<early>")
        client.send(b"later\n")
        client.read_until(b"<later>")
        client.half_close()
        equal(frames(client.read_all()),
              ([(1, b"<early>\n"), (1, b"<later>\n"), (2, b"end\n")], b""))
    equal(s.wait_task("both")["exit_status"], 0)
    with attach(s, "both", "?offset=0&stream=stderr") as client:
        equal(frames(client.read_all())[0], [(2, b"end\n")])
    remove(s, "both")


@test
def a_terminal_is_raw_and_left_by_keys():
    s = the_daemon()
    run(s, "tty", "sh", "-c", "stty -echo; echo ready; while read x; do "
        "echo \"<$x>\"; done", task={"terminal": True})
    check(s.get(of("tty")).json["terminal"])
    with attach(s, "tty", "?offset=0&detach_keys=ctrl-p,ctrl-q") as client:
        check("raw-stream" in client.head, client.head)
        client.read_until(b"ready\r\n")
        client.send(b"a\x10b\n")
        client.read_until(b"<a\x10b>\r\n")
        client.send(b"x\x10")
        client.send(b"\x11never\n")
        client.read_all()
    equal(s.get(of("tty")).json["state"], "running")
    with attach(s, "tty") as client:
        client.send(b"y\n")
        # What was typed before the keys is still in the line.
        client.read_until(b"<xy>\r\n")
        check(b"never" not in client.data)
    remove(s, "tty")


@test
def a_window_has_its_size_before_and_after_the_start():
    s = the_daemon()
    create(s, "size", "sh", "-c", "trap 'stty size' WINCH; stty size; "
           "while :; do sleep 0.05; done", task={"terminal": True})
    s.post(of("size", "/resize"), {"width": 101, "height": 41}, expect=204)
    start(s, "size")
    with attach(s, "size", "?offset=0") as client:
        client.read_until(b"41 101\r\n")
        s.post(of("size", "/resize"), {"width": 300, "height": 50},
               expect=204)
        client.read_until(b"50 300\r\n")
    s.post(of("size", "/resize"), {"width": 65535, "height": 1}, expect=204)
    for body in ({"width": 0, "height": 1}, {"width": 1, "height": 65536},
                 {"width": -1, "height": 1}, {"width": 1.5, "height": 1},
                 {"width": "80", "height": 24}, {"width": 80}, {}, [],
                 {"width": 80, "height": 24, "depth": 3}):
        s.post(of("size", "/resize"), body, expect=400)
    remove(s, "size")
    run(s, "flat", "sleep", "1000")
    answer = s.post(of("flat", "/resize"), {"width": 80, "height": 24},
                    expect=409)
    equal(answer.json["reason"], "not_a_terminal")
    remove(s, "flat")


@test
def several_are_attached_and_each_sees_all():
    s = the_daemon()
    run(s, "several", *ECHO, stdio={"stdin": True})
    clients = [attach(s, "several") for _ in range(4)]
    for i, client in enumerate(clients):
        client.send(b"from %d\n" % i)
        for other in clients:
            other.read_until(b"<from %d>" % i)
    clients[0].reset()
    clients[1].half_close()
    clients[2].send(b"still\n")
    for client in clients[1:]:
        client.read_until(b"<still>")
    with attach(s, "several", "?stdin=false") as deaf:
        deaf.send(b"unheard\n")
        clients[2].send(b"last\n")
        deaf.read_until(b"<last>")
        check(b"unheard" not in deaf.data)
    s.post(of("several", "/close-stdin"), expect=204)
    for client in clients[1:]:
        client.read_until(b"end\n")
        client.read_all()
    answer = s.post(of("several", "/stdin"), b"x", expect=None)
    check(answer.status == 409, answer)
    s.wait_task("several")
    remove(s, "several")


@test
def it_needs_an_upgrade_and_good_wishes():
    s = the_daemon()
    run(s, "wish", "sleep", "1000")
    answer = s.get(of("wish", "/attach"), expect=426)
    equal(answer.headers["Upgrade"], "skiff-stream")
    up = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
    for query in ("?detach_keys=ctrl-", "?detach_keys=ctrl-p,",
                  "?detach_keys=alt-x", "?stdin=2", "?offset=7x",
                  "?detach_keys=" + ",".join("a" * 17), "?stream=none"):
        status, head, stream = open_stream(s, of("wish", "/attach" + query),
                                           up)
        equal(status, 400, query, head)
        stream.close()
    status, head, stream = open_stream(s, of("wish", "/attach?offset=1"), up)
    equal(status, 416, head)
    stream.close()
    status, head, stream = open_stream(s, of("none", "/attach"), up)
    equal(status, 404, head)
    stream.close()
    # A process that is not fed can be listened to.
    with attach(s, "wish") as client:
        client.send(b"forgotten\n")
    remove(s, "wish")


@test
def clients_that_vanish_leave_nothing():
    s = the_daemon()
    run(s, "many", *ECHO, stdio={"stdin": True})
    attach(s, "many").close()
    s.get("/readyz")
    before = facts(s)

    def come_and_go(n):
        for i in range(n):
            client = attach(s, "many")
            if i % 3 == 0:
                client.send(b"x\n")
            if i % 5 == 0:
                client.half_close()
            client.reset()

    threads = [threading.Thread(target=come_and_go, args=(250,))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    until(lambda: facts(s)[0] <= before[0] + 2, "descriptors back")
    until(lambda: facts(s)[1] <= before[1], "no more threads")
    # Two KiB for each that was there are no state and no buffer. The
    # sanitizers keep freed memory.
    if not is_sanitized("skiffd"):
        until(lambda: facts(s)[2] <= before[2] + 2000, "memory back")
    with attach(s, "many") as client:
        client.send(b"alive\n")
        client.read_until(b"<alive>")
    remove(s, "many")


@test
def one_that_is_stopped_is_let_go_when_it_dies():
    s = the_daemon()
    run(s, "flood", "sh", "-c", "while :; do head -c 1000000 /dev/zero; "
        "done", stdio={"log": {"max_size": 1 << 20, "max_files": 2}})
    s.get("/readyz")
    before = facts(s)[0]
    client = attach(s, "flood")
    client.read_until(lambda data: len(data) > 1000)
    # Rotation takes what it would read next: it is let go, and the disk
    # does not fill.
    client.read_all()
    until(lambda: facts(s)[0] <= before, "descriptors back")
    remove(s, "flood")


main()

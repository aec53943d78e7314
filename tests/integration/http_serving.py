#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Serving: many at once, keep-alive, streams, waits, uploads, the end."""
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time

from lib_http import Reader, Tap, Toy, request, wait_until

tap = Tap()


def many_at_once(toy, n, target):
    """n requests are sent before any answer is read: libmicrohttpd's own
    threads stall when a multiple of 128 connections is ready at once."""
    socks = [toy.connect() for _ in range(n)]
    for _ in range(5):
        for sock in socks:
            sock.sendall(request("GET", target))
        for sock in socks:
            if Reader(sock).answer().status != 200:
                return False
    for sock in socks:
        sock.close()
    return True


def serving(toy):
    for n in (128, 256):
        for target in ("/v1/version", "/v1/worker"):
            tap.check(many_at_once(toy, n, target),
                      "%d requests at once on %s" % (n, target))

    with toy.connect() as sock:
        sock.sendall(b"".join(request("GET", "/echo/%d" % i)
                              + request("POST", "/echo/w%d" % i, b"{}")
                              for i in range(50)))
        reader = Reader(sock)
        tap.equal([reader.answer().json()["name"] for _ in range(100)],
                  [x for i in range(50) for x in (str(i), "w%d" % i)],
                  "pipelined requests are answered in order")

    answer = toy.get("/v1/version", "HEAD")
    tap.equal((answer.status, int(answer.headers["content-length"]) > 0),
              (200, True), "HEAD tells the length")
    answer = toy.get("/echo/x", "OPTIONS")
    tap.equal((answer.status, answer.headers["allow"]),
              (204, "GET, HEAD, POST, OPTIONS"), "OPTIONS tells what goes")
    answer = toy.get("/echo/x", "DELETE")
    tap.equal((answer.status, answer.headers["allow"],
               answer.json()["code"]),
              (405, "GET, HEAD, POST, OPTIONS", "method_not_allowed"),
              "405 with Allow")
    answer = toy.get("/v1/nope")
    tap.equal(answer.status, 404, "404")
    tap.check("version" in answer.json()["detail"], "says what there is",
              answer.body)
    with toy.connect() as sock:
        sock.sendall(request("DELETE", "/slow", b"x" * 60000)
                     + request("POST", "/nope", b"x" * 60000)
                     + request("GET", "/v1/version"))
        reader = Reader(sock)
        tap.equal([reader.answer().status for _ in range(3)],
                  [405, 404, 200], "refused short bodies keep the connection")
    with toy.connect() as sock:
        sock.sendall(b"POST /nope HTTP/1.1\r\nHost: a\r\n"
                     b"Content-Length: 20000000\r\n\r\n")
        try:
            for _ in range(100):
                sock.sendall(b"x" * 20000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        reader = Reader(sock)
        tap.equal((reader.answer().status, reader.is_at_end()), (404, True),
                  "a refused long body is answered and closed")
    answer = toy.get("/faulty", "POST")
    problem = answer.json()
    tap.equal((answer.status, problem["code"], problem["field"],
               [e["field"] for e in problem["errors"]], problem["object"],
               answer.headers["retry-after"]),
              (400, "invalid_argument", "/a", ["/a", "/b"],
               {"kind": "thing", "id": "t1"}, "3"),
              "a problem holds all faults of the body")
    tap.equal(problem["request_id"], answer.headers["skiff-request-id"],
              "and the request id")
    tap.equal(toy.get("/broken").json()["code"], "internal", "500")
    tap.equal(toy.get("/echo/x", "POST", b"{").status, 400, "broken JSON")
    tap.equal(toy.get("/echo/x", "POST", b'{"a":1,"a":2}').status, 400,
              "duplicate keys")
    tap.equal(len(toy.get("/big?n=20000000").body), 20000000, "20 MB")
    body = toy.get("/file").body
    tap.equal((len(body), body[:3]), (1000000, b"abc"), "a piece of a file")
    tap.equal(toy.get("/file", "HEAD").headers["content-length"], "1000000",
              "HEAD of a file")
    tap.equal(toy.get("/list").body.count(b"\n"), 10000, "a streamed list")
    with toy.connect() as sock:
        sock.sendall(b"GET /list HTTP/1.0\r\n\r\n")
        reader = Reader(sock)
        reader.is_at_end()
        tap.check(reader.buf.endswith(b"000009999\n"),
                  "a stream in HTTP/1.0 ends with the connection",
                  reader.buf[-100:])
    freed = toy.counts()["freed"]
    for version in ("1.0", "1.1"):
        with toy.connect() as sock:
            sock.sendall(b"HEAD /ticks HTTP/%s\r\nHost: localhost\r\n\r\n" %
                         version.encode())
            reader = Reader(sock)
            answer = reader.answer("HEAD")
            tap.equal((answer.status, answer.headers["content-type"],
                       answer.headers.get("content-length")),
                      (200, "text/event-stream", None),
                      "HEAD of a stream tells no length")
            tap.check(reader.is_at_end() and not reader.buf,
                      "and has no body", reader.buf)
    tap.equal(toy.counts()["freed"], freed + 2,
              "HEAD of a stream does not start it")


def events(reader, n):
    """n events; heartbeats are skipped."""
    ids = []
    while len(ids) < n:
        ids += [int(line[4:]) for line in reader.chunk().split(b"\n")
                if line.startswith(b"id: ")]
    return ids


def streams(toy):
    for target in ("/ticks", "/worker-ticks"):
        socks = [toy.connect() for _ in range(100)]
        readers = [Reader(sock) for sock in socks]
        for sock in socks:
            sock.sendall(request("GET", target))
        for reader in readers:
            reader.head()
        threads = [threading.Thread(target=lambda: [
            toy.get("/tick", "POST") for _ in range(25)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        got = [events(reader, 100) for reader in readers]
        for thread in threads:
            thread.join()
        first = got[0][0]
        tap.check(all(ids == list(range(first, first + 100)) for ids in got),
                  "100 streams get 100 wake-ups of 4 threads: " + target)
        freed = toy.counts()["freed"]
        for sock in socks:
            sock.close()
        begin = time.monotonic()
        tap.check(wait_until(lambda: toy.counts()["freed"] == freed + 100)
                  and time.monotonic() - begin < 2,
                  "streams are freed when their clients hang up")

    for target in ("/wait", "/worker-wait"):
        freed = toy.counts()["freed"]
        sock = toy.connect()
        sock.sendall(request("GET", target))
        tap.check(not select.select([sock], [], [], 0.1)[0], "waits")
        sock.close()
        begin = time.monotonic()
        tap.check(wait_until(lambda: toy.counts()["freed"] == freed + 1)
                  and time.monotonic() - begin < 1,
                  "a hang-up ends the wait: " + target)
        begin = time.monotonic()
        answer = toy.get(target + "?timeout=0.2")
        tap.check(answer.status == 504
                  and 0.19 < time.monotonic() - begin < 1.5,
                  "the deadline ends the wait", answer.body)
        with toy.connect() as sock:
            sock.sendall(request("GET", target) + request("GET", "/smug"))
            reader = Reader(sock)
            while not select.select([sock], [], [], 0.05)[0]:
                toy.get("/tick", "POST")
            tap.equal([reader.answer().body, reader.answer().body],
                      [b"ticked\n", b"canary\n"],
                      "a wake-up ends the wait, and keep-alive holds")
    freed = toy.counts()["freed"]
    with toy.connect() as sock:
        for _ in range(2):
            sock.sendall(request("GET", "/finished-wait"))
            reader = Reader(sock)
            while not select.select([sock], [], [], 0.05)[0]:
                toy.get("/tick", "POST")
            answer = reader.answer().body
            tap.check(answer.startswith(b"worker"),
                      "a worker finishes what was waited for", answer)
    tap.equal(toy.counts()["freed"], freed + 2, "and the wait is freed once")
    # As many wake-ups between "nothing" and sleep as there can be.
    with toy.connect() as sock, toy.connect() as ticker:
        sock.sendall(request("GET", "/ticks"))
        reader = Reader(sock)
        reader.head()
        for i in range(300):
            ticker.sendall(request("POST", "/tick"))
            events(reader, 1)
            Reader(ticker).answer()
    tap.check(True, "no wake-up is lost")


def uploads(toy):
    data = os.urandom(1 << 20) * 8
    expected = 0
    for byte in data[:100000]:
        expected = (expected * 31 + byte) & (2**64 - 1)
    answer = toy.get("/sum/a", "PUT", data[:100000],
                     ["Content-Type: text/weird"])
    tap.equal((answer.status, answer.json()), (201, {
        "size": 100000, "hash": expected & (2**63 - 1),
        "type": "text/weird"}), "an upload arrives as it was sent")
    tap.equal(toy.get("/sum/a", "PUT", data).json()["size"], 8 << 20, "8 MiB")
    tap.equal(toy.get("/sum/a", "PUT", b"").json()["size"], 0, "no body")
    out = subprocess.run(
        ["curl", "-sS", "--unix-socket", toy.path, "-T", "-",
         "http://x/sum/a"], input=data, stdout=subprocess.PIPE, check=True)
    tap.check(b'"size":8388608' in out.stdout, "curl -T - in chunks")

    with toy.connect() as sock:
        sock.sendall(b"PUT /sum/refused HTTP/1.1\r\nHost: a\r\n"
                     b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        tap.equal(Reader(sock).head()[0], 423, "a refusal instead of 100")
    for size in (0, 5, 65536):
        with toy.connect() as sock:
            reader = Reader(sock)
            for _ in range(2):
                whole = request("PUT", "/sum/refused", data[:size])
                sock.sendall(whole[:len(whole) - size])
                time.sleep(0.02)  # time enough for open to refuse
                sock.sendall(data[:size])
                answer = reader.answer()
                tap.equal((answer.status, answer.headers.get("connection")),
                          (423, None), "refused, %d bytes drained" % size)
    with toy.connect() as sock:
        sock.sendall(b"PUT /sum/refused HTTP/1.1\r\nHost: a\r\n"
                     b"Content-Length: 65537\r\n\r\n")
        reader = Reader(sock)
        tap.equal(reader.answer().status, 423,
                  "a refusal does not wait for a big body")
        tap.check(reader.is_at_end(), "which ends the connection")
    with toy.connect() as sock:
        sock.sendall(b"PUT /sum/a HTTP/1.1\r\nHost: a\r\n"
                     b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        reader = Reader(sock)
        tap.equal(reader.head()[0], 100, "100, then the body")
        sock.sendall(b"abc")
        tap.equal(reader.answer().json()["size"], 3, "then the answer")

    for fail_at, size in ((1000, 2000), (1000, 8 << 20)):
        aborted = toy.counts()["aborted"]
        with toy.connect() as sock:
            try:
                sock.sendall(request("PUT", "/sum/a?fail_at=%d" % fail_at,
                                     data[:size]))
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = Reader(sock).answer()
            tap.equal((answer.status, toy.counts()["aborted"]),
                      (507, aborted + 1), "write fails within %d" % size)

    aborted = toy.counts()["aborted"]
    slow = [toy.connect() for _ in range(64)]
    for sock in slow:
        sock.sendall(b"PUT /sum/a HTTP/1.1\r\nHost: a\r\n"
                     b"Content-Length: 1000\r\n\r\nabc")
    begin = time.monotonic()
    tap.equal((toy.get("/sum/b", "PUT", data).json()["size"],
               toy.get("/v1/worker").status), (8 << 20, 200),
              "64 slow uploads hold no worker")
    tap.check(time.monotonic() - begin < 3, "nor delay others")
    for sock in slow[:32]:
        sock.sendall(b"x" * 997)
    tap.equal({Reader(sock).answer().json()["size"] for sock in slow[:32]},
              {1000}, "half of them end")
    for sock in slow:
        sock.close()
    tap.check(wait_until(lambda: toy.counts()["aborted"] == aborted + 32
                         and toy.counts()["open"] == 0),
              "the others are aborted, once each", toy.counts())


def limits():
    toy = Toy("head_ms=400", "body_ms=600", "write_ms=800",
              "keep_alive_ms=500", "heartbeat_ms=200", tcp=True)

    def closed_after(data, drip, tcp):
        with toy.connect(tcp) as sock:
            begin = time.monotonic()
            sock.sendall(data)
            while time.monotonic() - begin < 8:
                if select.select([sock], [], [], 0.05)[0]:
                    try:
                        if not sock.recv(65536):
                            break
                    except ConnectionResetError:
                        break
                try:
                    sock.sendall(drip)
                except (BrokenPipeError, ConnectionResetError):
                    break
            return time.monotonic() - begin

    for tcp in (False, True):
        for name, data, drip, low, high in (
                ("nothing sent", b"", b"", 0.35, 1.5),
                ("a byte at a time of the head", b"GET / HT", b"x",
                 0.35, 1.5),
                ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00", b"",
                 0.35, 1.5),
                ("a byte at a time of the body",
                 b"PUT /sum/a HTTP/1.1\r\nHost: localhost\r\n"
                 b"Content-Length: 99999\r\n\r\n"
                 if not tcp else
                 b"POST /echo/x HTTP/1.1\r\nHost: localhost\r\n"
                 b"Content-Length: 9999\r\n\r\n", b"x", 0.5, 1.9),
                ("idle after a request",
                 request("GET", "/v1/version"), b"", 0.45, 1.6)):
            took = closed_after(data, drip, tcp)
            tap.check(low < took < high, "%s: cut (tcp %s)" % (name, tcp),
                      "%.2f s" % took)
    tap.check(wait_until(lambda: toy.counts()["open"] == 0),
              "the upload of the slow body is aborted")

    with toy.connect() as sock:
        sock.sendall(request("GET", "/big?n=50000000"))
        begin = time.monotonic()
        hung_up = select.poll()
        hung_up.register(sock, select.POLLRDHUP)
        tap.check(hung_up.poll(5000) and 0.7 < time.monotonic() - begin < 3,
                  "who reads nothing is cut",
                  "%.2f s" % (time.monotonic() - begin))
    with toy.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.sendall(request("GET", "/big?n=4000000"))
        n = 0
        while n < 4000000:
            time.sleep(0.02)
            n += len(sock.recv(65536))
        tap.check(True, "who reads slowly is served")
    with toy.connect() as sock:
        sock.sendall(b"POST /stdin/a HTTP/1.1\r\nHost: a\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(8):
            time.sleep(0.2)
            sock.sendall(b"1\r\nx\r\n")
        sock.sendall(b"0\r\n\r\n")
        tap.equal(Reader(sock).answer().json()["size"], 8,
                  "a lasting body has no limit")
    with toy.connect() as sock:
        sock.sendall(request("GET", "/ticks"))
        reader = Reader(sock)
        reader.head()
        tap.equal([reader.chunk() for _ in range(4)], [b":\n\n"] * 4,
                  "heartbeats")
    with toy.connect() as sock:
        sock.sendall(request("GET", "/silent"))
        Reader(sock).head()
        time.sleep(0.4)
        before = toy.cpu_seconds()
        time.sleep(1)
        tap.check(toy.cpu_seconds() - before < 0.2,
                  "a stream that has no heartbeat sleeps on")
    tap.check("open 0" in (end := toy.stop()), "the server ends well", end)


def crowds():
    toy = Toy("max_tcp=20", "max_unix=50", tcp=True)
    idle = [toy.connect(tcp=True) for _ in range(60)]
    refused = [s for s in idle if select.select([s], [], [], 0.2)[0]]
    tap.equal(len(refused), 40, "connections over the limit")
    tap.equal(Reader(refused[0]).answer().status, 503, "are told so")
    tap.equal(toy.get("/v1/version").status, 200,
              "the unix socket does not notice")
    for sock in idle:
        sock.close()
    tap.check(wait_until(lambda: toy.get("/v1/version", tcp=True).status
                         == 200), "places come back")
    toy.stop()

    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    toy = Toy(preexec=few_files)
    idle = []
    for _ in range(80):
        idle.append(toy.connect())
    time.sleep(0.2)
    with open("/proc/%d/stat" % toy.process.pid, encoding="ascii") as f:
        before = sum(map(int, f.read().split()[13:15]))
    time.sleep(1)
    with open("/proc/%d/stat" % toy.process.pid, encoding="ascii") as f:
        after = sum(map(int, f.read().split()[13:15]))
    tap.check(after - before < 20, "out of descriptors: no spinning",
              "%d ticks in a second" % (after - before))
    for sock in idle:
        sock.close()
    tap.check(wait_until(lambda: toy.get("/v1/version").status == 200),
              "and it goes on after")
    tap.check("open 0" in (end := toy.stop()), "the server ends well", end)


def the_end():
    toy = Toy()
    stream, waiting, running, idle = [toy.connect() for _ in range(4)]
    stream.sendall(request("GET", "/ticks"))
    waiting.sendall(request("GET", "/wait"))
    running.sendall(request("GET", "/slow"))
    idle.sendall(request("GET", "/v1/version"))
    readers = [Reader(s) for s in (stream, waiting, running, idle)]
    readers[3].answer()
    readers[0].head()
    time.sleep(0.1)
    path = toy.path
    out = []
    thread = threading.Thread(target=lambda: out.append(toy.stop()))
    thread.start()
    tap.check(b"event: shutdown" in readers[0].chunk()
              and readers[0].chunk() == b"", "a stream says its last words")
    answer = readers[1].answer()
    tap.equal((answer.status, answer.headers["connection"]), (503, "close"),
              "a wait is told")
    tap.equal(readers[2].answer().body, b"slow\n", "what runs may end")
    tap.check(readers[3].is_at_end(), "the idle are closed")
    thread.join()
    tap.equal(out[0], "connections 0\nfreed 2 open 0\n",
              "nothing is left")
    tap.check(not os.path.exists(path), "nor the socket")

    toy = Toy()
    lasting = toy.connect()
    lasting.sendall(b"PUT /sum/a HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: 1000\r\n\r\nabc")
    wait_until(lambda: toy.counts()["open"] == 1)
    begin = time.monotonic()
    tap.check("open 0" in (end := toy.stop()), "the grace ends", end)
    tap.check(1.5 < time.monotonic() - begin < 6, "when it should")


def an_end_with_the_last_connection():
    """The one that ends as the server does is not waited for."""
    ends = []
    for _ in range(60):
        # No clock ends the wait, if there is one.
        toy = Toy(*("%s_ms=36000000" % clock for clock in (
            "grace", "head", "keep_alive", "write")))
        for _ in range(3):
            toy.get("/v1/version")
        ends.append(toy.stop())
        if "open 0" not in ends[-1]:
            break
    tap.check(all("open 0" in end for end in ends),
              "who has gone is not waited for", ends[-1])


whole = Toy()
serving(whole)
streams(whole)
uploads(whole)
tap.check("open 0" in (end := whole.stop()), "the server ends well", end)
limits()
crowds()
the_end()
an_end_with_the_last_connection()
tap.end()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Malformed and smuggled requests are refused, and nothing behind them runs.

What libmicrohttpd 0.9.75 keeps to itself, and so cannot be had:
* bare LF behind a chunk's size or data is taken (the library strips it
  before any of our code sees the body), and so is any length of chunk
  extension;
* a NUL directly before a bare LF is taken for a CR;
* what it refuses while it parses (bad Content-Length, HTTP/0.9, HTTP/2's
  preface, too large heads, bad chunk sizes, a space before the first
  header) is answered by it, in HTML and not as a problem, for a bad
  Content-Length even with its head twice (the connection ends, so nobody
  takes the rest for an answer); garbage without a line end is closed
  without an answer when the time limit comes.
"""
import json
import socket

from lib_http import Reader, Tap, Toy

H = b"Host: a\r\n"
SMUG = b"GET /smug HTTP/1.1\r\nHost: a\r\n\r\n"
P = b"POST /echo/x HTTP/1.1\r\n" + H


def get(target, more=b""):
    return b"GET " + target + b" HTTP/1.1\r\n" + H + more + b"\r\n"


# name, bytes, statuses that may come, closed after it
ROWS = [
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", [400], True),
    ("two Hosts", get(b"/", H), [400], True),
    ("length, then chunked", P + b"Content-Length: 4\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUG, [400], True),
    ("chunked, then length", P + b"Transfer-Encoding: chunked\r\n"
     b"Content-Length: 4\r\n\r\n0\r\n\r\n" + SMUG, [400], True),
    ("two lengths", P + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"
     + SMUG, [400], True),
    ("the same length twice", P + b"Content-Length: 4\r\n"
     b"Content-Length: 4\r\n\r\nabcd" + SMUG, [400], True),
    ("length +4", P + b"Content-Length: +4\r\n\r\nabcd" + SMUG, [400], True),
    ("length -1", P + b"Content-Length: -1\r\n\r\n" + SMUG, [400], True),
    ("length 4,4", P + b"Content-Length: 4,4\r\n\r\nabcd" + SMUG, [400], True),
    ("length 0x4", P + b"Content-Length: 0x4\r\n\r\nabcd" + SMUG, [400], True),
    ("length 4 5", P + b"Content-Length: 4 5\r\n\r\nabcd" + SMUG, [400], True),
    ("length of 23 digits", P + b"Content-Length: 99999999999999999999999"
     b"\r\n\r\n" + SMUG, [413], True),
    ("length 2^64-1", P + b"Content-Length: 18446744073709551615\r\n\r\n"
     + SMUG, [413], True),
    ("blank before the colon", P + b"Transfer-Encoding : chunked\r\n"
     b"Content-Length: 5\r\n\r\n0\r\n\r\n" + SMUG, [400], True),
    ("chunked, identity", P + b"Transfer-Encoding: chunked, identity\r\n\r\n"
     + SMUG, [501], True),
    ("xchunked", P + b"Transfer-Encoding: xchunked\r\n\r\n" + SMUG,
     [501], True),
    ("gzip, chunked", P + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + SMUG,
     [501], True),
    ("tab before chunked", P + b"Transfer-Encoding:\tchunked\r\n\r\n"
     b"2\r\n{}\r\n0\r\n\r\n", [200], False),
    ("bare LF everywhere", b"GET / HTTP/1.1\nHost: a\n\n", [400], True),
    ("bare LF behind the request line", b"GET / HTTP/1.1\n" + H + b"\r\n",
     [400], True),
    ("bare LF behind a header", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
     [400], True),
    ("bare LF behind the last header", b"GET / HTTP/1.1\r\nHost: a\n\r\n",
     [400], True),
    ("bare LF as the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\n",
     [400], True),
    ("bare CR in a value", b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
     [400], True),
    ("folded line", b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", [400], True),
    ("folded line among others",
     b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\nB: c\r\n\r\n",
     [400], True),
    ("space before the first header", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
     [400], True),
    ("NUL in a value", b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", [400], True),
    ("NUL in a middle value",
     b"GET / HTTP/1.1\r\nX: a\0b\r\nHost: a\r\n\r\n", [400], True),
    ("NUL in a name", b"GET / HTTP/1.1\r\nX\0Y: a\r\nHost: a\r\n\r\n",
     [400], True),
    ("NUL in the target", get(b"/\0x"), [400], True),
    ("%00 in the target", get(b"/echo/%00"), [400], True),
    ("..%2f in a segment", get(b"/echo/..%2f..%2fetc"), [200], False),
    ("%2e%2e as a segment", get(b"/echo/%2e%2e/x"), [400], True),
    ("..", get(b"/echo/../../etc"), [400], True),
    ("//", get(b"//"), [400], True),
    ("/./", get(b"/./echo"), [400], True),
    ("%zz", get(b"/echo/%zz"), [400], True),
    ("%4", get(b"/echo/%4"), [400], True),
    ("%u0041", get(b"/echo/%u0041"), [400], True),
    ("bad UTF-8", get(b"/echo/%ff"), [400], True),
    ("escaped line feed", get(b"/echo/a%0ab"), [400], True),
    ("absolute form", get(b"http://evil/x"), [400], True),
    ("CONNECT", b"CONNECT evil:80 HTTP/1.1\r\n" + H + b"\r\n", [405], True),
    ("space in the target", get(b"/echo/a b"), [400], True),
    ("two spaces", b"GET  / HTTP/1.1\r\n" + H + b"\r\n", [400], True),
    ("HTTP/0.9", b"GET /\r\n\r\n", [400], True),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\n" + H + b"\r\n", [505], True),
    ("HTTP/3.0", b"GET / HTTP/3.0\r\n" + H + b"\r\n", [505], True),
    ("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505], True),
    ("chunked in HTTP/1.0", b"POST /echo/x HTTP/1.0\r\n" + H
     + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
     [400], True),
    ("get in lower case", b"get / HTTP/1.1\r\n" + H + b"\r\n", [405], True),
    ("a header of 64 KiB", get(b"/", b"X: " + b"x" * 65536 + b"\r\n"),
     [431], True),
    ("a header of 20 KiB", get(b"/", b"X: " + b"x" * 20000 + b"\r\n"),
     [431], True),
    ("a header of 10 KiB", get(b"/", b"X: " + b"x" * 10240 + b"\r\n"),
     [200], False),
    ("5000 headers", get(b"/", b"X: y\r\n" * 5000), [431], True),
    ("65 headers", get(b"/", b"X: y\r\n" * 64), [431], True),
    ("64 headers", get(b"/", b"X: y\r\n" * 63), [200], False),
    ("a target of 64 KiB", get(b"/" + b"x" * 65536), [414], True),
    ("a target of 9 KiB", get(b"/" + b"x" * 9000), [414], True),
    ("chunk extension", P + b"Transfer-Encoding: chunked\r\n\r\n"
     b"2;a=b\r\n{}\r\n0\r\n\r\n", [200], False),
    ("chunk size with blank", P + b"Transfer-Encoding: chunked\r\n\r\n"
     b"2 \r\n{}\r\n0\r\n\r\n", [400], True),
    ("chunk size 0x2", P + b"Transfer-Encoding: chunked\r\n\r\n"
     b"0x2\r\n{}\r\n0\r\n\r\n", [400], True),
    ("chunk size -3", P + b"Transfer-Encoding: chunked\r\n\r\n-3\r\n{}\r\n",
     [400], True),
    ("no chunk size", P + b"Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n",
     [400], True),
    ("huge chunk size", P + b"Transfer-Encoding: chunked\r\n\r\n"
     b"ffffffffffffffff1\r\n{}\r\n", [413], True),
    ("trailers are ignored", P + b"Transfer-Encoding: chunked\r\n\r\n"
     b"2\r\n{}\r\n0\r\nContent-Length: 7\r\nHost: b\r\n\r\n", [200], False),
    ("Expect: foo", P + b"Expect: foo\r\nContent-Length: 2\r\n\r\n{}",
     [417], True),
    ("body on GET", get(b"/", b"Content-Length: 2\r\n") + b"{}" + SMUG,
     [400], True),
    ("chunked body on GET", get(b"/", b"Transfer-Encoding: chunked\r\n")
     + b"0\r\n\r\n", [400], True),
    ("empty body on GET", get(b"/", b"Content-Length: 0\r\n"), [200], False),
    ("?q=1&q=2", get(b"/echo/x?q=1&q=2"), [400], False),
    ("?filter=1&filter=2, which may be repeated",
     get(b"/echo/x?filter=1&filter=2"), [200], False),
    ("unknown query key", get(b"/echo/x?quux=1"), [400], False),
    ("broken escape in the query", get(b"/echo/x?q=%0"), [400], True),
    ("trailing slash", get(b"/v1/version/"), [400], True),
    ("other case", get(b"/V1/version"), [404], False),
    ("fragment", get(b"/v1/version#x"), [400], True),
    ("Origin", get(b"/", b"Origin: http://evil\r\n"), [403], False),
    ("Origin: null", get(b"/", b"Origin: null\r\n"), [403], False),
    ("JSON as text/plain", P + b"Content-Type: text/plain\r\n"
     b"Content-Length: 2\r\n\r\n{}", [415], False),
    ("JSON in UTF-16", P + b"Content-Type: application/json; charset=utf-16"
     b"\r\nContent-Length: 2\r\n\r\n{}", [415], False),
    ("JSON in UTF-8", P + b"Content-Type: application/json; charset=utf-8"
     b"\r\nContent-Length: 2\r\n\r\n{}", [200], False),
    ("empty Host on the unix socket", b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
     [200], False),
    ("HTTP/1.0 without Host", b"GET / HTTP/1.0\r\n\r\n", [200], True),
    ("body of 5 MiB, declared", P + b"Content-Length: 5242880\r\n\r\n",
     [413], True),
]

tap = Tap()
toy = Toy()
for name, data, statuses, is_closed in ROWS:
    with toy.connect(timeout=3) as sock:
        try:
            sock.sendall(data)
        except BrokenPipeError:
            pass
        reader = Reader(sock)
        try:
            answer = reader.answer()
        except (EOFError, ConnectionError, socket.timeout) as e:
            tap.check(False, name, "no answer: %r" % e)
            continue
        problem = ""
        if answer.status not in statuses:
            problem = "status %d %r" % (answer.status, answer.body[:300])
        elif "access-control-allow-origin" in answer.headers:
            problem = "lets other origins read"
        elif "problem+json" in answer.headers.get("content-type", ""):
            if json.loads(answer.body)["status"] != answer.status:
                problem = "status of the problem"
        if is_closed and not problem:
            if not reader.is_at_end():
                problem = "not closed"
            elif reader.buf and b"<html>" not in reader.buf \
                    and b"</html>" not in reader.buf:
                problem = "more came: %r" % reader.buf
        elif not problem:
            sock.sendall(get(b"/v1/version"))
            if reader.answer().status != 200:
                problem = "not alive"
        tap.check(not problem, name, problem)

tap.equal(toy.counts()["canary"], 0, "no smuggled request ever ran")

big = b"[" + b"0," * (5 << 19) + b"0]"
with toy.connect() as sock:
    sock.sendall(P + b"Transfer-Encoding: chunked\r\n\r\n")
    try:
        for i in range(0, len(big), 65536):
            piece = big[i:i + 65536]
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    except (BrokenPipeError, ConnectionResetError):
        pass
    tap.equal(Reader(sock).answer().status, 413, "body of 5 MiB in chunks")

# One-byte pieces, with a head that makes the library's buffer grow.
whole = get(b"/echo/a%2Fb/c?q=%C3%A4", b"X: " + b"y" * 3000 + b"\r\n"
            b"Skiff-Request-Id: mine-1\r\n")
with toy.connect() as sock:
    for i in range(len(whole)):
        sock.sendall(whole[i:i + 1])
    answer = Reader(sock).answer()
    tap.equal((answer.json()["name"], answer.json()["q"]), ("a/b/c", "\u00e4"),
              "one-byte pieces; a%2Fb is one segment")
    tap.equal(answer.headers["skiff-request-id"], "mine-1",
              "a request id is given back")

body = b'{"a": [1, 2]}'
whole = (P + b"Content-Length: %d\r\n\r\n" % len(body) + body
         + P + b"Transfer-Encoding: chunked\r\n\r\n"
         + b"".join(b"1\r\n%c\r\n" % c for c in body) + b"0\r\n\r\n")
with toy.connect() as sock:
    for i in range(len(whole)):
        sock.sendall(whole[i:i + 1])
    reader = Reader(sock)
    tap.equal([reader.answer().json()["body"] for _ in range(2)],
              [{"a": [1, 2]}] * 2, "bodies in one-byte pieces")

tap.check("freed" in (end := toy.stop()), "the server ends well", end)

toy = Toy(tcp=True)
for host, status in (("localhost", 200), ("127.0.0.1", 200), ("[::1]", 200),
                     ("LOCALHOST:%d" % toy.port, 200),
                     ("[::1]:%d" % toy.port, 200), ("127.0.0.1:9", 421),
                     ("evil.example", 421), ("localhost.evil", 421),
                     ("", 421), ("localhost:", 421), ("[::1", 421)):
    tap.equal(toy.get("/v1/version", headers=["Host: " + host],
                      tcp=True).status, status, "Host %r over TCP" % host)
for method, target, status in (
        ("GET", "/v1/version", 200), ("HEAD", "/v1/version", 200),
        ("OPTIONS", "/v1/version", 401), ("POST", "/v1/version", 401),
        ("GET", "/echo/x", 401), ("GET", "/nope", 401),
        ("POST", "/tick", 401)):
    answer = toy.get(target, method, tcp=True)
    tap.equal(answer.status, status, "%s %s over TCP" % (method, target))
    if status == 401:
        tap.equal(answer.headers.get("www-authenticate"), "Bearer",
                  "with WWW-Authenticate")
tap.equal(toy.get("/v1/version", headers=["Origin: http://localhost"],
                  tcp=True).status, 403, "Origin over TCP")
tap.check("freed" in (end := toy.stop()), "the server ends well", end)
tap.end()

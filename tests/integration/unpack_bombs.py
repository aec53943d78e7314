#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A layer that wants more than its limits is refused early and in little
memory."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib

from lib_layers import (OCI, TOOL, Layer, Outcome, equal, header, main,
                        test)
from skifftest import is_sanitized

RSS_MAX_KIB = 64 * 1024
# The sanitizers keep freed memory and shadows.
if is_sanitized(TOOL):
    RSS_MAX_KIB *= 8


def feed(case, media_type, chunks, *options):
    """Streams chunks into the tool; the outcome, its memory checked."""
    with tempfile.TemporaryFile() as answer:
        pid = subprocess.Popen([TOOL, media_type, case.root, *options],
                               stdin=subprocess.PIPE, stdout=answer)
        try:
            for chunk in chunks:
                pid.stdin.write(chunk)
            pid.stdin.close()
        except BrokenPipeError:
            pass
        _, status, usage = os.wait4(pid.pid, 0)
        pid.returncode = os.waitstatus_to_exitcode(status)
        answer.seek(0)
        outcome = Outcome(json.loads(answer.read()), b"")
    assert usage.ru_maxrss < RSS_MAX_KIB, usage.ru_maxrss
    return outcome


def zstd_zeros(n_bytes):
    """A frame of run-length blocks: 4 bytes for 128 KiB."""
    block = struct.pack("<I", 1 << 1 | (128 << 10) << 3)[:3] + b"\0"
    return (b"\x28\xb5\x2f\xfd\x00\x58" + block * (n_bytes >> 17)
            + b"\x01\0\0")


def gzip_chunks(chunks):
    maker = zlib.compressobj(1, zlib.DEFLATED, 31)
    for chunk in chunks:
        yield maker.compress(chunk)
    yield maker.flush()


@test
def a_small_stream_of_a_huge_file_stops_at_the_limit(case):
    size = 1 << 30
    start = header("f", b"0", size)
    feed(case, OCI + "+gzip",
         gzip_chunks([start] + [bytes(1 << 20)] * 1024),
         "max_bytes=100000000").limited("bytes")
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + struct.pack(
        "<I", 1 | len(start) << 3)[:3] + start
    feed(case, OCI + "+zstd", [frame, zstd_zeros(100 << 30)],
         "max_bytes=100000000").limited("bytes")
    equal(os.listdir(case.root), [])


@test
def what_is_skipped_counts_too(case):
    for name in (".wh.x", ".wh..wh.y"):
        start = header(name, b"0", (8 << 30) - 1)
        frame = b"\x28\xb5\x2f\xfd\x00\x58" + struct.pack(
            "<I", 1 | len(start) << 3)[:3] + start
        feed(case, OCI + "+zstd", [frame, zstd_zeros(8 << 30)],
             "max_bytes=100000000").limited("100000000 bytes")


@test
def sizes_add_up(case):
    layer = Layer()
    for n in range(100):
        layer.file("f%d" % n, bytes(10000))
    case.apply(layer, "max_bytes=500000").limited("500000 bytes")


@test
def padding_behind_the_end_has_a_limit(case):
    start = Layer().file("f").bytes()
    chunks = [start] + [bytes(1 << 20)] * 1000
    feed(case, OCI + "+gzip", gzip_chunks(chunks)).limited("behind the end")
    feed(case, OCI + "+zstd", [zstd_zeros(10 << 30)]).limited("behind the end")


@test
def entries_have_a_limit(case):
    block = b"".join(header("f%d" % n, b"1", target="f0")
                     for n in range(1, 1000))
    feed(case, OCI, [header("f0")] + [block] * 1100).limited("entries")


@test
def implied_directories_count(case):
    deep = "/".join(["d"] * 200)
    layer = Layer()
    for n in range(20):
        layer.file("%d/%s/f" % (n, deep))
    case.apply(layer, "max_entries=1000").limited("entries")


@test
def depth_has_a_limit(case):
    layer = Layer()
    for depth in range(1, 300):
        layer.dir("/".join(["d"] * depth))
    case.apply(layer).limited("256")
    case.apply(Layer().dir("/".join(["d"] * 5000))).limited()


@test
def sparse_maps_have_a_limit(case):
    pieces = b"".join(b"%d\n1\n" % (n * 1024) for n in range(20000))
    body = b"20000\n" + pieces
    body += bytes(-len(body) % 512) + b"x" * 20000
    case.apply(Layer().file("f", body, pax=[
        ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "f"),
        ("GNU.sparse.realsize", str(20000 * 1024))])).limited("pieces")
    lines = [b"1000000\n"] + [b"0\n0\n" * 65536] * 64
    size = sum(map(len, lines))
    records = Layer().file("g", pax=[
        ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "g"), ("GNU.sparse.realsize", "9")]).data
    start = bytes(records[:-512]) + header("g", b"0", size)
    feed(case, OCI, [start, *lines]).limited("sparse map")


sys.exit(main())

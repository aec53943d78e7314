# SPDX-License-Identifier: Apache-2.0
"""Layers made byte by byte, and their unpacking by layer_apply_tool.

    layer = Layer().file("a/b", b"text").symlink("c", "a")
    with Case() as case:
        case.apply(layer).refused("some rule")
        equal(case.tree()["a/b"].content, b"text")

Every case has a scratch directory of its own, holding root/ (unpacked
into) and out/ (the canary): leaving the case checks that the canary is as
it was, in bytes, modes, links, times and attributes.
"""
import collections
import hashlib
import json
import os
import shutil
import stat
import struct
import subprocess
import tempfile
import zlib

OCI = "application/vnd.oci.image.layer.v1.tar"
BUILD = os.path.abspath(os.environ.get("SKIFF_BUILD", "."))
TOOL = os.path.join(BUILD, "tests/unit/layer_apply_tool")


def raw(name):
    return name if isinstance(name, bytes) else os.fsencode(name)


def octal(value, width):
    """A number field: octal, or base-256 where that is too small."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    out = value.to_bytes(width, "big", signed=True)
    return bytes([out[0] | 0x80]) + out[1:]


def header(name, typeflag=b"0", size=0, mode=0o644, uid=0, gid=0, mtime=1,
           target=b"", device=(0, 0), magic=b"ustar\x0000", prefix=b""):
    block = struct.pack(
        "100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x", raw(name)[:100],
        octal(mode, 8), octal(uid, 8), octal(gid, 8), octal(size, 12),
        octal(mtime, 12), b" " * 8, typeflag, raw(target)[:100], magic,
        b"", b"", octal(device[0], 8), octal(device[1], 8), prefix)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padded(data):
    return data + bytes(-len(data) % 512)


def pax_record(key, value):
    body = b" " + raw(key) + b"=" + raw(value) + b"\n"
    size = len(body) + 1
    while len(b"%d" % size) + len(body) != size:
        size = len(b"%d" % size) + len(body)
    return b"%d" % size + body


class Layer:
    """A tar stream; each method adds an entry and returns the layer."""

    def __init__(self):
        self.data = bytearray()

    def add(self, name, typeflag=b"0", data=b"", pax=(), size=None, **more):
        records = [pax_record(k, v) for k, v in pax]
        if len(raw(name)) > 100:
            records.append(pax_record("path", name))
        if len(raw(more.get("target", b""))) > 100:
            records.append(pax_record("linkpath", more["target"]))
        if records:
            body = b"".join(records)
            self.data += header("pax", b"x", len(body)) + padded(body)
        self.data += header(name, typeflag,
                            len(data) if size is None else size, **more)
        self.data += padded(data)
        return self

    def file(self, name, data=b"", **more):
        return self.add(name, b"0", data, **more)

    def dir(self, name, mode=0o755, **more):
        return self.add(name, b"5", mode=mode, **more)

    def symlink(self, name, target, **more):
        return self.add(name, b"2", target=target, mode=0o777, **more)

    def link(self, name, target, **more):
        return self.add(name, b"1", target=target, **more)

    def device(self, name, kind, major, minor, **more):
        return self.add(name, b"3" if kind == "c" else b"4",
                        device=(major, minor), **more)

    def fifo(self, name, **more):
        return self.add(name, b"6", **more)

    def bytes(self, end=True):
        return bytes(self.data) + (bytes(1024) if end else b"")


def gzip(data):
    maker = zlib.compressobj(6, zlib.DEFLATED, 31)
    return maker.compress(data) + maker.flush()


def zstd(data):
    """Raw and run-length blocks, enough for a decoder (RFC 8878)."""
    out = [b"\x28\xb5\x2f\xfd\x00\x58"]  # window of 2 MiB, no checksum
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        if piece == piece[:1] * len(piece):
            out.append(struct.pack("<I", 1 << 1 | len(piece) << 3)[:3])
            out.append(piece[:1])
        else:
            out.append(struct.pack("<I", len(piece) << 3)[:3] + piece)
    return b"".join(out) + b"\x01\x00\x00"


ENCODINGS = {"": lambda data: data, "+gzip": gzip, "+zstd": zstd}

Node = collections.namedtuple(
    "Node", "kind mode uid gid nlink size mtime_ns content device xattrs")


def node_at(path):
    st = os.lstat(path)
    content = None
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            content = (f.read() if st.st_size < 1 << 20 else
                       hashlib.file_digest(f, "sha256").hexdigest())
    elif stat.S_ISLNK(st.st_mode):
        content = os.readlink(path)
    xattrs = {name: os.getxattr(path, name, follow_symlinks=False)
              for name in os.listxattr(path, follow_symlinks=False)}
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link",
             stat.S_IFCHR: "char", stat.S_IFBLK: "block",
             stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
    return Node(kinds[stat.S_IFMT(st.st_mode)], stat.S_IMODE(st.st_mode),
                st.st_uid, st.st_gid, st.st_nlink, st.st_size,
                st.st_mtime_ns, content,
                (os.major(st.st_rdev), os.minor(st.st_rdev)), xattrs)


def tree_at(top):
    """Relative path to Node, of everything below top, and of "." itself."""
    found = {".": node_at(top)}
    for here, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(here, name)
            found[os.path.relpath(path, top)] = node_at(path)
    return found


class Outcome:
    def __init__(self, answer, stderr):
        self.answer = answer
        self.stderr = stderr

    def __getattr__(self, name):
        return self.answer[name]

    def ok(self):
        assert "code" not in self.answer, self.answer
        return self

    def refused(self, *words, code="invalid_argument",
                reason="image_invalid_layer"):
        assert self.answer.get("code") == code, self.answer
        assert self.answer.get("reason") == reason, self.answer
        for word in words:
            assert word in self.answer["text"], (word, self.answer["text"])
        return self

    def limited(self, *words):
        return self.refused(*words, code="too_large", reason="layer_limit")


class Case:
    def __init__(self, encoding=""):
        self.encoding = encoding

    def __enter__(self):
        self.top = tempfile.mkdtemp(prefix="skiff-unpack-")
        self.root = os.path.join(self.top, "root")
        self.out = os.path.join(self.top, "out")
        os.mkdir(self.root)
        os.mkdir(self.out)
        victim = os.path.join(self.out, "victim")
        with open(victim, "wb") as f:
            f.write(b"precious")
        os.chmod(victim, 0o600)
        os.mkdir(os.path.join(self.out, "dir"), 0o700)
        os.setxattr(victim, "user.canary", b"1")
        self.canary = tree_at(self.out)
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                assert tree_at(self.out) == self.canary, "the canary changed"
                assert sorted(os.listdir(self.top)) == ["out", "root"]
        finally:
            shutil.rmtree(self.top)

    def run(self, data, media_type, *options, env=None):
        done = subprocess.run(
            [TOOL, media_type, self.root, *options], input=data,
            capture_output=True, timeout=120, check=False,
            env={**os.environ, **(env or {})})
        assert done.returncode in (0, 1), (done.returncode, done.stderr)
        return Outcome(json.loads(done.stdout), done.stderr)

    def apply(self, layer, *options, **more):
        data = layer if isinstance(layer, bytes) else layer.bytes()
        return self.run(ENCODINGS[self.encoding](data),
                        OCI + self.encoding, *options, **more)

    def tree(self):
        return tree_at(self.root)


def equal(actual, expected, *about):
    assert actual == expected, (*about, actual, "is not", expected)


_tests = []


def test(function):
    """A test of one case without compression."""
    _tests.append((function.__name__, lambda: _in_case(function, "")))
    return function


def test_encoded(function):
    """A test run with each encoding."""
    for encoding in ENCODINGS:
        _tests.append((function.__name__ + (encoding or "+plain"),
                       lambda e=encoding: _in_case(function, e)))
    return function


def _in_case(function, encoding):
    with Case(encoding) as case:
        function(case)


def main():
    import traceback
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root")
        return 0
    n_failed = 0
    print("1..%d" % len(_tests), flush=True)
    for number, (name, run) in enumerate(_tests, 1):
        try:
            run()
            print("ok %d - %s" % (number, name), flush=True)
        except Exception:
            n_failed += 1
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            print("not ok %d - %s" % (number, name), flush=True)
    return n_failed > 0

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Odd but legitimate layers unpack as tar and OCI mean them."""
import hashlib
import os
import subprocess
import sys
import time

from lib_layers import (Layer, equal, gzip, header, main, padded, test,
                        test_encoded, tree_at, zstd, OCI)

WHITEOUT = ("char", (0, 0))
CAPABILITY = b"\1\0\0\2\0\4\0\0" + bytes(12)


def kinds(tree):
    return {path: node.kind for path, node in tree.items() if path != "."}


@test_encoded
def an_empty_layer_is_a_layer(case):
    for data in b"", bytes(512), bytes(1024), bytes(10240):
        answer = case.apply(data).ok()
        equal(answer.entries, 0)
        equal(answer.diff_id, "sha256:" + hashlib.sha256(data).hexdigest())
    equal(kinds(case.tree()), {})


@test_encoded
def the_diff_id_covers_all_bytes(case):
    layer = Layer().file("f", b"x" * 100000)
    for data in (layer.bytes(), layer.bytes(end=False),
                 layer.bytes() + bytes(300000), layer.bytes() + b"tail"):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        answer = case.apply(data, "diff_id=" + digest).ok()
        equal((answer.diff_id, answer.stream_bytes), (digest, len(data)))


@test
def members_and_frames_may_follow_each_other(case):
    data = Layer().file("f", os.urandom(300000)).bytes()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    skippable = b"\x50\x2a\x4d\x18\4\0\0\0skip"
    for kind, stream in (
            ("+gzip", gzip(data[:1000]) + gzip(b"") + gzip(data[1000:])),
            ("+zstd", skippable + zstd(data[:1000]) + zstd(data[1000:]))):
        for chunk in 1 << 20, 4099, 7:
            answer = case.run(stream, OCI + kind, "chunk=%d" % chunk,
                              "diff_id=" + digest).ok()
            equal(answer.entries, 1)


@test_encoded
def parents_may_be_symlinks_inside(case):
    case.apply(Layer().dir("usr").dir("usr/lib").symlink("lib", "usr/lib")
               .symlink("lib64", "/usr/lib").file("lib/a", b"a")
               .file("lib64/sub/b", b"b").symlink("lib/up", "..")
               .file("lib/up/c", b"c").link("lib/up/d", "lib64/a")).ok()
    tree = case.tree()
    equal({p: n.content for p, n in tree.items() if n.kind == "file"},
          {"usr/lib/a": b"a", "usr/lib/sub/b": b"b", "usr/c": b"c",
           "usr/d": b"a"})
    equal(tree["usr/d"].nlink, 2)


@test_encoded
def hard_links_cross_directories(case):
    case.apply(Layer().file("a/f", b"x", mode=0o4755, uid=3, mtime=9)
               .link("b/c/g", "a/f").link("./h", "./b/c/g")
               .link("i", "/a/f")).ok()
    tree = case.tree()
    for name in "a/f", "b/c/g", "h", "i":
        equal((tree[name].nlink, tree[name].mode, tree[name].uid,
               tree[name].mtime_ns), (4, 0o4755, 3, 9 * 10 ** 9))


@test_encoded
def whiteouts_become_overlays(case):
    case.apply(Layer().dir("d").file("d/.wh.gone").file("deep/er/.wh.x")
               .dir("o", mtime=5).file("o/.wh..wh..opq").file("o/f")
               .file(".wh.top")).ok()
    tree = case.tree()
    for name in "d/gone", "deep/er/x", "top":
        equal((tree[name].kind, tree[name].device), WHITEOUT)
    equal(tree["o"].xattrs, {"trusted.overlay.opaque": b"y"})
    equal((tree["o/f"].kind, tree["o"].mtime_ns), ("file", 5 * 10 ** 9))
    equal(tree["d"].xattrs, {})


@test_encoded
def an_opaque_root_is_told(case):
    equal(case.apply(Layer().file("f").file(".wh..wh..opq")).ok().root_opaque,
          True)
    equal(sorted(case.tree()), [".", "f"])


@test_encoded
def whiteouts_speak_of_lower_layers_only(case):
    case.apply(Layer()
               .file(".wh.a").file("a", b"new").file("b", b"new")
               .file(".wh.b").file(".wh.c").dir("c").file("c/x")
               .dir("e").file("e/x").file(".wh.e").file(".wh.g")
               .file("g/x").file("h/x").file("h/.wh..wh..opq")
               .file(".wh.i").file(".wh.i")).ok()
    tree = case.tree()
    equal((tree["a"].content, tree["b"].content), (b"new", b"new"))
    for name in "c", "e", "g", "h":
        equal(tree[name].xattrs, {"trusted.overlay.opaque": b"y"}, name)
        equal(tree[name + "/x"].kind, "file")
    equal((tree["i"].kind, tree["i"].device), WHITEOUT)


@test_encoded
def the_last_entry_of_a_name_wins(case):
    case.apply(Layer().file("f", b"1").file("f", b"2").file("f/g", b"3")
               .dir("d").file("d/x").file("d", b"4")
               .dir("m", 0o700, mtime=3).file("m/x").dir("m", 0o750, mtime=4)
               .fifo("p").file("p", b"5")).ok()
    tree = case.tree()
    equal((tree["f"].kind, tree["f/g"].content, tree["d"].content,
           tree["p"].content), ("dir", b"3", b"4", b"5"))
    equal((tree["m"].mode, tree["m"].mtime_ns, tree["m/x"].kind),
          (0o750, 4 * 10 ** 9, "file"))


@test_encoded
def names_are_kept_byte_for_byte(case):
    names = [b"new\nline", b"\x01", b"latin1-\xe9", b"\xff\xfe",
             "e\u0301".encode(), "\u00e9".encode(), "n\u0303/o\u0308".encode(),
             ("\u00fc" * 127).encode(), b"x" * 255, b" ", b"a\\b", b'q"',
             "\u212b".encode(), b"b" * 200 + b"/" + b"c" * 200, b"-rf", b"..."]
    layer = Layer()
    for name in names:
        layer.file(name, name, pax=[("path", name)])
    layer.symlink("s", "x", pax=[("linkpath", "e\u0301\udcff")])
    layer.link("h", "x", pax=[("linkpath", "e\u0301")])
    layer.file(b"plain-e\xcc\x81\xff", b"ustar")
    case.apply(layer).ok()
    for name in names:
        with open(os.fsencode(case.root) + b"/" + name, "rb") as f:
            equal(f.read(), name)
    equal(os.readlink(case.root + "/s"), "e\u0301\udcff")
    equal(case.tree()["h"].content, "e\u0301".encode())
    equal(os.listdir(os.fsencode(case.root)).count(b"plain-e\xcc\x81\xff"), 1)


@test_encoded
def attributes_are_kept(case):
    pax = [("SCHILY.xattr.security.capability", CAPABILITY),
           ("SCHILY.xattr.user.binary", b"\0=\n\xff"),
           ("mtime", "1700000000.123456789")]
    case.apply(Layer().file("cap", mode=0o755, uid=7, gid=8, pax=pax)
               .dir("sticky", 0o1777).dir("setgid", 0o2775, gid=33)
               .file("setgid/f", gid=0).file("setgid/sub/g")
               .file("suid", mode=0o6755, uid=9)
               .symlink("s", "x", uid=5, gid=6, mtime=77)
               .fifo("p", mode=0o640, uid=4, mtime=78)
               .file("big", uid=4294967294, gid=2097152)).ok()
    tree = case.tree()
    equal(tree["cap"].xattrs, {"security.capability": CAPABILITY,
                               "user.binary": b"\0=\n\xff"})
    equal((tree["cap"].mode, tree["cap"].uid, tree["cap"].mtime_ns),
          (0o755, 7, 1700000000123456789))
    equal((tree["sticky"].mode, tree["setgid"].mode, tree["suid"].mode),
          (0o1777, 0o2775, 0o6755))
    equal((tree["setgid/f"].gid, tree["setgid/sub"].gid,
           tree["setgid/sub"].mode, tree["setgid/sub/g"].gid),
          (0, 0, 0o755, 0))
    equal((tree["s"].uid, tree["s"].gid, tree["s"].mtime_ns),
          (5, 6, 77 * 10 ** 9))
    equal((tree["p"].kind, tree["p"].mode, tree["p"].uid), ("fifo", 0o640, 4))
    equal((tree["big"].uid, tree["big"].gid), (4294967294, 2097152))


@test_encoded
def directory_times_are_those_of_the_archive(case):
    case.apply(Layer().dir("a", mtime=11).dir("a/b", mtime=12)
               .file("a/b/f").file("a/g").symlink("l", "a")
               .file("l/b/h").dir("./", mtime=13)).ok()
    tree = case.tree()
    equal([tree[p].mtime_ns // 10 ** 9 for p in ("a", "a/b", ".")],
          [11, 12, 13])


@test_encoded
def old_forms_of_tar_are_read(case):
    long = b"long/" + b"n" * 150
    data = (header("././@LongLink", b"L", len(long) + 1)
            + padded(long + b"\0") + header("cut", size=3) + padded(b"new")
            + header("././@LongLink", b"K", 121) + padded(b"t" * 120 + b"\0")
            + header("link", b"2", target="cut")
            + header("v7dir/", b"\0", magic=b"\0" * 8)
            + header("v7file", b"\0", 2, magic=b"\0" * 8) + padded(b"v7")
            + header("name", prefix=b"some/prefix")
            + header("contiguous", b"7", 1) + padded(b"7")
            + header("g", b"g", 0) + header("h", b"0"))
    case.apply(data + bytes(1024)).ok()
    tree = case.tree()
    equal(tree[long.decode()].content, b"new")
    equal(tree["link"].content, "t" * 120)
    equal((tree["v7dir"].kind, tree["v7file"].content), ("dir", b"v7"))
    equal((tree["some/prefix/name"].kind, tree["contiguous"].content),
          ("file", b"7"))


@test_encoded
def sparse_files_keep_holes(case):
    source = os.path.join(case.top, "sparse")
    with open(source, "wb") as f:
        for at in (0, 3 << 20, 5 << 20):
            f.seek(at)
            f.write(os.urandom(8192))
        f.truncate(64 << 20)
    want = tree_at(source)["."]
    for form in ("--format=gnu", "--format=pax --sparse-version=0.0",
                 "--format=pax --sparse-version=0.1",
                 "--format=pax --sparse-version=1.0"):
        tar = subprocess.run(
            ["tar", "-C", case.top, "-cS", *form.split(), "sparse"],
            stdout=subprocess.PIPE, check=True).stdout
        answer = case.apply(tar).ok()
        got = case.tree()["sparse"]
        equal((got.size, got.content), (want.size, want.content), form)
        assert answer.file_bytes < 1 << 20, answer.answer
        blocks = os.stat(case.root + "/sparse").st_blocks
        assert blocks < 4096, (form, blocks)
    os.unlink(source)


@test
def a_real_tree_comes_out_as_tar_packs_it(case):
    source = "/usr/lib/python3"
    tar = subprocess.run(["tar", "-C", source, "--format=pax", "-c", "."],
                         stdout=subprocess.PIPE, check=True).stdout
    case.apply(tar, "chunk=10007").ok()
    want, got = tree_at(source), case.tree()
    equal(sorted(want), sorted(got))
    for path, node in want.items():
        want_node, got_node = node, got[path]
        if node.kind == "dir":  # the size and links of one say nothing
            want_node = node._replace(size=0, nlink=0)
            got_node = got_node._replace(size=0, nlink=0)
        equal(got_node, want_node, path)


@test
def implied_directories_take_lower_attributes(case):
    lowers = []
    for n in range(3):
        lower = os.path.join(case.top, "lower%d" % n)
        os.mkdir(lower)
        lowers.append(lower)

    def make(lower, path, mode, uid):
        full = os.path.join(lowers[lower], path)
        os.makedirs(full, exist_ok=True)
        os.chmod(full, mode)
        os.chown(full, uid, uid)
        os.utime(full, (1000 + uid, 1000 + uid))

    make(2, "var/lib/x", 0o700, 42)
    make(2, "tmp", 0o1777, 0)
    make(2, "hidden/sub", 0o711, 9)
    make(2, "gone", 0o711, 9)
    make(1, "hidden", 0o750, 8)
    os.setxattr(lowers[1] + "/hidden", "trusted.overlay.opaque", b"y")
    os.mknod(lowers[1] + "/gone", 0o20000, 0)
    make(0, "var", 0o751, 3)
    os.setxattr(lowers[0] + "/var", "user.label", b"v")
    answer = case.apply(
        Layer().file("var/lib/x/f").file("tmp/f").file("hidden/sub/f")
        .file("gone/f").file("listed/f").dir("listed", 0o701)
        .file("own/.wh..wh..opq").file("own/f"),
        *("lower=" + lower for lower in lowers)).ok()
    equal(answer.implied, 8)
    tree = case.tree()
    look = {p: (n.mode, n.uid) for p, n in tree.items() if n.kind == "dir"}
    del look["."]
    equal(look, {"var": (0o751, 3), "var/lib": (0o755, 0),
                 "var/lib/x": (0o700, 42), "tmp": (0o1777, 0),
                 "hidden": (0o750, 8), "hidden/sub": (0o755, 0),
                 "gone": (0o755, 0), "listed": (0o701, 0),
                 "own": (0o755, 0)})
    equal(tree["var"].xattrs, {"user.label": b"v"})
    equal(tree["hidden"].xattrs, {})
    equal(tree["var/lib/x"].mtime_ns, 1042 * 10 ** 9)
    for lower in lowers:
        subprocess.run(["rm", "-rf", lower], check=True)


@test
def cancelling_stops_at_once(case):
    layer = Layer()
    for n in range(2000):
        layer.file("f%d" % n)
    # Asked once for the stream's first block, then for each entry.
    answer = case.apply(layer, "cancel=6").refused(code="cancelled",
                                                   reason=None)
    equal(len(case.tree()), 5, answer.answer)
    case.apply(Layer().file("big", bytes(8 << 20)), "cancel=6").refused(
        code="cancelled", reason=None)


@test
def failpoints_are_hit(case):
    layer = Layer().file("a").file("b").file("c")
    for point in "apply.entry=2*error(ENOSPC)", "apply.end=error(ENOSPC)":
        case.apply(layer, env={"SKIFF_FAILPOINTS": point}).refused(
            code="insufficient_storage", reason=None)


@test
def a_hundred_thousand_entries_unpack(case):
    layer = Layer()
    for n in range(100000):
        if n % 1000 == 0:
            layer.dir("d%03d" % (n // 1000))
        layer.data += header("d%03d/%d" % (n // 1000, n))
    start = time.monotonic()
    equal(case.apply(layer).ok().entries, 100100)
    print("# %.1f s" % (time.monotonic() - start))
    equal(sum(len(f) for _, _, f in os.walk(case.root)), 100000)


sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A hostile layer is refused, or unpacks inside its directory; what lies
outside stays as it was. One test a trick."""
import sys

from lib_layers import (Layer, equal, gzip, header, main, padded, test,
                        test_encoded, zstd, OCI)


@test_encoded
def an_absolute_name_lands_inside(case):
    case.apply(Layer().file(case.out + "/pwn", b"x")).ok()
    equal(case.tree()[case.out[1:] + "/pwn"].content, b"x")


@test_encoded
def a_name_with_dotdot_is_refused(case):
    for name in "../out/pwn", "a/../../out/pwn", "..", "a/..":
        case.apply(Layer().file(name, b"x")).refused('"' + name, '".."')
    case.apply(Layer().dir("../out/dir", 0o777)).refused('".."')
    case.apply(Layer().file("fine", pax=[("path", "../out/pwn")])).refused(
        '".."')


@test_encoded
def sparse_headers_cannot_escape_or_explode(case):
    tebi = str(1 << 40)
    case.apply(Layer().file("GNUSparseFile.0/x", b"0\n", pax=[
        ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "../out/pwn6"),
        ("GNU.sparse.realsize", "4")])).refused()
    case.apply(Layer().file("f", b"", pax=[
        ("GNU.sparse.map", "0,0"), ("GNU.sparse.size", tebi),
        ("GNU.sparse.numblocks", "1")])).limited()


@test_encoded
def symlinks_to_outside_resolve_inside(case):
    out = case.out[1:]
    case.apply(Layer()
               .symlink("a", case.out).file("a/one", b"1")
               .symlink("r", "../out").file("r/two", b"2")
               .dir("d").symlink("d/s", "../../../../" + out)
               .file("d/s/three", b"3")
               .symlink("e", case.out + "/victim").file("e", b"4")).ok()
    tree = case.tree()
    equal(tree[out + "/one"].content, b"1")
    equal(tree["out/two"].content, b"2")
    equal(tree[out + "/three"].content, b"3")
    equal(tree["e"].content, b"4")
    equal(tree["a"].content, case.out)


@test
def a_symlink_to_a_file_is_no_directory(case):
    case.apply(Layer().file("f").symlink("s", "f").file("s/x")).refused("s/x")
    case.apply(Layer().symlink("l", "l").file("l/x")).refused("symlinks")
    case.apply(Layer().symlink("l1", "l2").symlink("l2", "l1/y")
               .file("l1/x")).refused("symlinks")


@test_encoded
def hard_links_cannot_reach_outside(case):
    for target in (case.out + "/victim", "/etc/shadow", "nothing"):
        case.apply(Layer().link("h", target).file("h", b"x")).refused(
            "hard link")
    case.apply(Layer().link("h", "../out/victim")).refused('".."')
    case.apply(Layer().symlink("s", case.out).link("h2", "s/victim")).refused(
        "hard link")
    case.apply(Layer().dir("d").link("h3", "d")).refused("directory")
    case.apply(Layer().link("h4", "/")).refused("root")


@test_encoded
def a_link_to_a_symlink_is_the_symlink(case):
    case.apply(Layer().symlink("s", case.out + "/victim")
               .link("h", "s", mode=0o4777).link("k", "s")
               .file("h", b"mine")).ok()
    tree = case.tree()
    equal(tree["h"].content, b"mine")
    equal((tree["k"].kind, tree["k"].nlink), ("link", 2))


@test_encoded
def data_of_a_hard_link_is_ignored(case):
    # Without pax headers the data of a link can only be damage.
    case.apply(Layer().file("f", b"first").link("h", "f", data=b"second!")
               .file("behind", b"b")).refused()
    case.apply(Layer().file("f", b"first")
               .link("h", "f", data=b"second!", mode=0o7777,
                     pax=[("comment", "x")])
               .file("behind", b"b")).ok()
    tree = case.tree()
    equal((tree["f"].content, tree["f"].nlink, tree["f"].mode),
          (b"first", 2, 0o644))
    equal(tree["behind"].content, b"b")


@test
def a_hard_link_to_itself_changes_nothing(case):
    case.apply(Layer().file("f", b"x").link("f", "f")
               .link("g", "f").link("f", "g")).ok()
    equal(case.tree()["f"].content, b"x")


@test_encoded
def a_directory_replaces_a_symlink(case):
    case.apply(Layer().symlink("p", case.out).dir("p", 0o777)
               .file("p/x", b"x")).ok()
    tree = case.tree()
    equal((tree["p"].kind, tree["p"].mode), ("dir", 0o777))
    equal(tree["p"].xattrs["trusted.overlay.opaque"], b"y")


@test_encoded
def a_symlink_replaces_a_directory_and_its_late_times(case):
    case.apply(Layer().dir("q", 0o777, mtime=7).file("q/f")
               .symlink("q", case.out)
               .dir("r", mtime=7).symlink("r", "/x")).ok()
    equal(case.tree()["q"].kind, "link")


@test
def a_cached_directory_that_goes_is_forgotten(case):
    case.apply(Layer().dir("d/e/f").file("d/e/f/1", b"1")
               .file("d/e", b"file").file("d/e/f/2", b"2")
               .symlink("d/e/f", case.out).file("d/e/f/3", b"3")).ok()
    tree = case.tree()
    equal(tree["d/e"].kind, "dir")
    equal(tree[case.out[1:] + "/3"].content, b"3")
    case.apply(Layer().dir("z").symlink("z/l", ".").file("z/l/a", b"1")
               .file("z/l/l", b"2").file("z/l/b", b"3")).ok()
    equal(case.tree()["z/l/b"].content, b"3")


@test_encoded
def only_harmless_devices_are_made(case):
    answer = case.apply(
        Layer().device("dev/sda", "b", 8, 0, mode=0o666)
        .device("dev/mem", "c", 1, 1).device("dev/null", "c", 1, 3, mode=0o666)
        .device("x/tty", "c", 5, 0).device("dev/loop", "b", 1, 3)).ok()
    tree = case.tree()
    equal(answer.skipped_devices, 3)
    equal((tree["dev/null"].kind, tree["dev/null"].device,
           tree["dev/null"].mode), ("char", (1, 3), 0o666))
    equal(sorted(p for p in tree if p != "."),
          ["dev", "dev/null", "x", "x/tty"])
    case.apply(Layer().device("dev/w", "c", 0, 0)).refused("0:0")


@test_encoded
def overlay_attributes_cannot_be_smuggled(case):
    pax = [("SCHILY.xattr." + name, value) for name, value in (
        ("trusted.overlay.redirect", "/secret"),
        ("trusted.overlay.opaque", "y"), ("trusted.x", "1"),
        ("user.overlay.opaque", "y"), ("security.selinux", "x"),
        ("security.ima", "x"), ("security.evm", "x"),
        ("system.posix_acl_access", "x"), ("user.a", "kept"))]
    answer = case.apply(Layer().file("f", pax=pax).dir("d", pax=pax)
                        .symlink("s", "f", pax=pax)).ok()
    tree = case.tree()
    equal(tree["f"].xattrs, {"user.a": b"kept"})
    equal(tree["d"].xattrs, {"user.a": b"kept"})
    equal(answer.dropped_xattrs, 8 + 8 + 9)


@test
def a_faulty_capability_is_refused(case):
    for value in b"", b"x", b"\1\0\0\2" + bytes(15), b"\1\0\0\1" + bytes(8), \
            b"\1\0\0\3" + bytes(16), b"\2\0\0\2" + bytes(16), bytes(65536):
        case.apply(Layer().file("f", pax=[
            ("SCHILY.xattr.security.capability", value)])).refused(
                "security.capability")


@test
def large_attributes_are_refused(case):
    case.apply(Layer().file("f", pax=[
        ("SCHILY.xattr.user.big", b"x" * 65537)])).limited("64 KiB")
    case.apply(Layer().file("f", pax=[
        ("comment", b"x" * (1 << 20))])).limited("1 MiB")


@test_encoded
def whiteouts_of_no_name_are_refused(case):
    for name in ".wh...", "d/.wh.", "d/.wh...", ".wh.", ".wh..", "d/.wh..":
        case.apply(Layer().file(name)).refused("whiteout")
        case.apply(Layer().dir(name)).refused("whiteout")
    case.apply(Layer().file(".wh.a/b")).refused("whiteout")
    case.apply(Layer().file(".wh..wh..opq/b")).refused("whiteout")
    case.apply(Layer().symlink("s", ".wh.x").file("s/b")).refused("whiteout")


@test_encoded
def aufs_own_files_are_skipped(case):
    case.apply(Layer().dir(".wh..wh.plnk").file(".wh..wh.plnk/x", b"x")
               .file("d/.wh..wh.aufs").file("ok")).ok()
    equal(sorted(case.tree()), [".", "ok"])


@test
def whiteouts_through_a_symlink_stay_inside(case):
    case.apply(Layer().symlink("l", case.out).file("l/.wh.victim")
               .file("l/.wh..wh..opq")).ok()
    equal(case.tree()[case.out[1:] + "/victim"].device, (0, 0))


@test_encoded
def the_root_stays_a_directory(case):
    for name in ".", "./", "/", "//", "/.":
        case.apply(Layer().symlink(name, case.out).file("x")).refused("root")
        case.apply(Layer().file("f").link(name, "f")).refused()
    case.apply(Layer().device("/", "c", 1, 3)).refused("root")
    case.apply(Layer().dir("./", 0o711, uid=5, gid=6, mtime=99)).ok()
    root = case.tree()["."]
    equal((root.mode, root.uid, root.gid, root.mtime_ns),
          (0o711, 5, 6, 99 * 10 ** 9))


@test_encoded
def numbers_out_of_range_are_refused_or_clamped(case):
    layer = Layer()
    for n, mtime in enumerate(("100000000000000000000", "-5", "8589934593",
                               "12.5")):
        layer.file("m%d" % n, pax=[("mtime", mtime)])
    case.apply(layer.file("old", mtime=-7)).ok()
    tree = case.tree()
    equal([tree["m%d" % n].mtime_ns for n in range(4)],
          [2 ** 33 * 10 ** 9, 0, 2 ** 33 * 10 ** 9, 12500000000])
    equal(tree["old"].mtime_ns, 0)
    for pax in (("uid", "4294967295"), ("gid", "99999999999"),
                ("uid", "-1"), ("size", "-5"), ("uid", "x"),
                ("size", "9223372036854775807"), ("mtime", "noon")):
        answer = case.apply(Layer().file("n", mode=0o4755, pax=[pax])).answer
        assert answer.get("reason") in ("image_invalid_layer",
                                        "layer_limit"), answer
    for field in {"uid": -1}, {"gid": -1}, {"uid": 2 ** 32 - 1}:
        case.apply(Layer().file("n", **field)).refused("out of range")


@test
def long_names_are_refused_whole(case):
    case.apply(Layer().file("/".join(["x" * 200] * 30))).limited("4095")
    case.apply(Layer().file("x" * 256)).limited("255")
    case.apply(Layer().file("/".join(["x"] * 257))).limited("256")
    case.apply(Layer().symlink("s", "x" * 4096)).limited("4095")
    case.apply(Layer().symlink("s", "t/" * 300).file("s/x")).limited("deep")


@test_encoded
def names_are_shown_escaped(case):
    answer = case.apply(Layer().file(b"a\n\x01\xff/../b"))
    answer.refused("a\\x0a\\x01\\xff/../b")


@test
def unknown_kinds_of_entries_are_refused(case):
    for flag in b"V", b"M", b"N", b"D", b"A", b"X", b"8", b"s", b"\xff":
        case.apply(Layer().add("x", flag)).refused("unknown type")
        case.apply(Layer().file("f", b"x" * 262144).add("x", flag)).refused(
            "unknown type")
    case.apply(Layer().symlink("s", "")).refused()


@test
def faulty_pax_records_are_refused(case):
    for body in (b"8 path=x\n", b"99 path=x\n", b"x\n", b"10path=xy\n",
                 b"11 pathname\n", b"5 =x\n", b"0 path=x\n",
                 b"12 path=a\0bc\n", b"\0" * 20):
        data = header("p", b"x", len(body)) + padded(body) + header("f")
        case.apply(data + bytes(1024)).refused("pax")
    case.apply(Layer().file("f", pax=[("linkpath", "/etc/shadow")])).ok()
    equal((case.tree()["f"].kind, case.tree()["f"].nlink), ("file", 1))


@test_encoded
def a_cut_stream_is_refused(case):
    whole = Layer().file("a", b"x" * 5000).dir("d").file("d/b").bytes()
    for size in 100, 700, 3000, 5600, 6500:
        case.apply(whole[:size]).refused()


@test
def cut_or_faulty_compression_is_refused(case):
    whole = Layer().file("a", bytes(range(256)) * 4000).bytes()
    for name, coder in ("gzip", gzip), ("zstd", zstd):
        data = coder(whole)
        kind = OCI + "+" + name
        for tenth in range(10):
            case.run(data[:len(data) * tenth // 10], kind).refused("cut")
        case.run(data + b"junk", kind).refused(
            "junk" if name == "gzip" else "")
        case.run(data + b"\0" * 512, kind).refused()
        case.run(whole, kind).refused()
        case.run(data, OCI).refused()
    data = bytearray(gzip(whole))
    data[-6] ^= 1
    case.run(bytes(data), OCI + "+gzip").refused("checksum")
    # A frame that wants a window of 2 GiB.
    case.run(b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x01\0\0",
             OCI + "+zstd").refused("memory")


@test
def other_archives_are_refused(case):
    for data in (b"Rar!\x1a\x07\x01\0" + bytes(2000),
                 b"PK\x03\x04" + bytes(2000), b"7z\xbc\xaf\x27\x1c" * 400,
                 b"070701" + b"0" * 2000, b"#mtree\n./x type=link "
                 b"link=/etc\n" * 60, b"!<arch>\n" * 200,
                 bytes(32769) + b"CD001" + bytes(4000),
                 bytes(range(1, 256)) * 40):
        # zeros first are a tar's end: an empty layer, with a tail
        if data[:1] != b"\0":
            case.apply(data).refused()
    equal(list(case.tree()), ["."])


@test
def unknown_media_types_are_refused(case):
    for kind in ("", "text/plain", OCI + "+xz", OCI + "+gzip+encrypted",
                 OCI + " ", "application/x-tar"):
        case.run(b"", kind).refused(code="unsupported_media_type", reason=None)


@test_encoded
def a_wrong_diff_id_is_told_with_both(case):
    zero = "sha256:" + "0" * 64
    answer = case.apply(Layer().file("f", b"x"), "diff_id=" + zero)
    answer.refused(zero, code="data_loss", reason="digest_mismatch")


sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls from Debian's docker-registry, of images made by real tools."""
from skifftest import *
from lib_pull import Root

needs("root", "docker-registry", "skopeo", "umoci", "htpasswd")

_registry = []


def registry():
    if not _registry:
        os.makedirs(scratch("registry"))
        _registry.append(Registry(scratch("registry")).start())
    return _registry[0]


def snapshot_fs(root, chain_id):
    """The directories of a chain, top first, by what they hold."""
    return [root.path("snapshots/overlay", name, "fs")
            for name in os.listdir(root.path("snapshots/overlay"))]


def pulled(layout, name, **body):
    root = Root()
    op = root.pull(registry().push(layout, name), **body)
    equal(op["state"], "succeeded")
    root.check_clean()
    return root, op


@test
def an_image_made_by_umoci_is_pulled_and_unpacked():
    root, op = pulled(busybox_umoci(), "t/umoci:1")
    ref = "%s/t/umoci:1" % registry().host
    check(("default", ref) in root.records(root.IMAGE))
    check(all(item["state"] == "done" and item["offset"] == item["total"]
              for item in op["progress"]), op["progress"])
    check(any(os.path.exists(os.path.join(fs, "bin/busybox"))
              for fs in snapshot_fs(root, op["result"]["snapshots"][0])))


@test
def each_compression_and_dockers_media_types_are_taken():
    for how in ("gzip", "zstd", "plain"):
        pulled(busybox(how), "t/busybox:" + how)
    pulled(as_schema2(layered_image()), "t/schema2:1")


@test
def the_platform_of_an_index_is_chosen():
    root, op = pulled(multi_platform_image(), "t/multi:1",
                      platform="linux/arm64")
    marks = [os.path.join(fs, "platform") for fs in snapshot_fs(root, "")]
    found = [open(mark).read() for mark in marks if os.path.exists(mark)]
    equal(found, ["arm64"])
    equal(op["result"]["target"]["media_type"],
          "application/vnd.oci.image.index.v1+json")
    problem = Root().pull_fails(registry().host + "/t/multi:1",
                                platform="linux/riscv64")
    equal(problem["reason"], "platform_not_found")
    check("linux/arm64" in problem["detail"], problem)


@test
def all_platforms_are_fetched_and_one_is_unpacked():
    root, op = pulled(multi_platform_image(), "t/multi:1", all_platforms=True)
    kinds = [item["kind"] for item in op["progress"]]
    equal(sorted(kinds), sorted(["index"] + 2 * ["manifest", "config"] +
                                4 * ["layer"]))
    equal(len(op["result"]["snapshots"]), 1)


@test
def without_unpacking_there_are_only_blobs():
    root, op = pulled(layered_image(), "t/layered:1", unpack=False)
    equal(root.records(root.SNAPSHOT), {})
    equal(len(root.records(root.CONTENT)), 5)


@test
def a_second_namespace_requests_no_blob():
    root, _ = pulled(layered_image(), "t/layered:1")
    mark = registry().mark()
    root.pull(registry().host + "/t/layered:1", ns="other")
    equal(registry().requests(mark, "/blobs/"), [])
    equal(registry().requests(mark),
          ["HEAD /v2/t/layered/manifests/1"])
    for kind in (root.IMAGE, root.CONTENT, root.SNAPSHOT):
        keys = root.records(kind)
        equal({k for ns, k in keys if ns == "default"},
              {k for ns, k in keys if ns == "other"})
    equal(len(os.listdir(root.path("snapshots/overlay"))), 3)


@test
def the_same_pull_again_requests_no_blob():
    root, _ = pulled(layered_image(), "t/layered:1")
    mark = registry().mark()
    root.pull(registry().host + "/t/layered:1", name="another/name:1")
    equal(registry().requests(mark, "/blobs/"), [])
    check(("default", "another/name:1") in root.records(root.IMAGE))


@test
def pulls_at_once_fetch_each_blob_once():
    ref = registry().push(big_image(8), "t/big:1")
    root = Root()
    mark = registry().mark()
    process = root.start(*[("ns%d" % i, {"ref": ref}) for i in range(8)])
    ops = root.finish(process)
    equal([op["state"] for op in ops], ["succeeded"] * 8)
    blobs = registry().requests(mark, "GET .*/blobs/")
    equal(len(blobs), len(set(blobs)), "blob requests")
    equal(len(os.listdir(root.path("snapshots/overlay"))), 2)
    root.check_clean()


@test
def labels_are_those_that_containerd_sets():
    root, op = pulled(layered_image(), "t/layered:1")
    content = root.records(root.CONTENT)
    target = op["result"]["target"]["digest"]
    labels = content[("default", target)]["labels"]
    source = "containerd.io/distribution.source." + registry().host
    equal(labels[source], "t/layered")
    config = labels["containerd.io/gc.ref.content.config"]
    layers = [labels["containerd.io/gc.ref.content.l.%d" % i]
              for i in range(3)]
    equal(content[("default", config)]["labels"]
          ["containerd.io/gc.ref.snapshot.overlay"],
          op["result"]["snapshots"][0])
    with open(root.path("content/blobs/sha256", config[7:])) as f:
        diff_ids = json.load(f)["rootfs"]["diff_ids"]
    equal([content[("default", layer)]["labels"]
           ["containerd.io/uncompressed"] for layer in layers], diff_ids)
    root.pull(registry().push(layered_image(), "a/copy:1"))
    labels = root.records(root.CONTENT)[("default", target)]["labels"]
    equal(labels[source], "a/copy,t/layered")


@test
def a_password_opens_what_is_closed():
    os.makedirs(scratch("closed"))
    with Registry(scratch("closed"), "alice", "s3cret-w0rd") as closed:
        ref = closed.push(busybox(), "t/busybox:1")
        auth = {"username": "alice", "password": "s3cret-w0rd"}
        root = Root()
        op = root.pull(ref, auth=auth)
        equal(op["has_credentials"], True)
        for directory, _, files in os.walk(root.dir):
            for name in files:
                with open(os.path.join(directory, name), "rb") as f:
                    check(b"s3cret-w0rd" not in f.read(), name)
        check("s3cret-w0rd" not in root.errors)
        auth["password"] = "wrong"
        problem = Root().pull_fails(ref, auth=auth)
        equal((problem["code"], problem["upstream_status"]),
              ("unauthenticated", 401))
        check("UNAUTHORIZED" in problem["detail"], problem)
        problem = Root().pull_fails(ref)
        equal(problem["code"], "unauthenticated")
        check("asks for credentials" in problem["detail"], problem)


@test
def what_is_not_there_is_not_found_in_the_registrys_words():
    problem = Root().pull_fails(registry().host + "/t/nothing:1")
    equal((problem["code"], problem["upstream_status"]), ("not_found", 404))
    check("MANIFEST_UNKNOWN" in problem["detail"], problem)


@test
def a_registry_that_is_down_is_unavailable_within_ten_seconds():
    began = time.monotonic()
    problem = Root().pull_fails("127.0.0.1:9/t/a:1")
    check(time.monotonic() - began < 10)
    equal((problem["code"], problem["reason"]),
          ("unavailable", "registry_unreachable"))
    check("refused" in problem["detail"].lower(), problem)


@test
def a_pull_that_a_crash_cut_short_goes_on():
    ref = registry().push(layered_image(), "t/layered:1")
    for point in ("blob.commit", "layer.commit", "layer.committed",
                  "pull.image", "pull.recorded", "operation.end"):
        root = Root()
        process = root.start(("default", {"ref": ref}),
                             env={"SKIFF_FAILPOINTS": point + "=crash"})
        root.finish(process, -9)
        done = root.finish(root.start())
        equal([op["state"] for op in done], ["succeeded"], point)
        root.check_clean()


@test
def a_pull_with_a_password_ends_at_a_restart():
    root = Root()
    process = root.start(
        ("default", {"ref": registry().push(busybox(), "t/busybox:1"),
                     "auth": {"username": "a", "password": "b"}}),
        env={"SKIFF_FAILPOINTS": "pull.image=crash"})
    root.finish(process, -9)
    root.finish(root.start())
    [op] = root.records(root.OPERATION).values()
    equal((op["state"], op["error"]["reason"]),
          ("failed", "credentials_required"))


main("tests/unit/drive_pull")

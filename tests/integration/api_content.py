#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Content and images over HTTP: upload, download, ranges, labels; bytes
shared by namespaces, records not."""
import hashlib

from skifftest import *

needs("root")

DATA = b"some bytes " * 1000


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def upload(s, namespace, data, expect):
    return s.put("/v1/namespaces/%s/content/%s" % (namespace, digest_of(data)),
                 data, expect=expect)


def blob_files(s):
    top = os.path.join(s.root, "content", "blobs", "sha256")
    return sorted(os.listdir(top)) if os.path.isdir(top) else []


@test
def an_uploaded_blob_comes_back_whole_and_in_ranges():
    s = the_daemon()
    path = "/v1/namespaces/default/content/" + digest_of(DATA)
    made = upload(s, "default", DATA, 201).json
    equal((made["digest"], made["size"]), (digest_of(DATA), len(DATA)))
    equal(s.get(path).body, DATA)
    upload(s, "default", DATA, 200)
    part = s.get(path, expect=206, headers={"Range": "bytes=5-14"})
    equal(part.body, DATA[5:15])
    equal(part.headers["Content-Range"], "bytes 5-14/%d" % len(DATA))
    equal(s.get(path, expect=206, headers={"Range": "bytes=-7"}).body,
          DATA[-7:])
    equal(s.get(path, expect=416,
                headers={"Range": "bytes=999999-"}).json["code"],
          "out_of_range")
    record = s.get(path, headers={"Accept": "application/json"}).json
    equal(record["size"], len(DATA))
    head = s.api("HEAD", path, expect=200)
    equal((head.headers["Content-Length"], head.body), (str(len(DATA)), b""))


@test
def wrong_bytes_leave_nothing_behind():
    s = the_daemon()
    path = "/v1/namespaces/default/content/" + digest_of(b"expected")
    before = blob_files(s)
    problem = s.put(path, b"other", expect=409).json
    equal(problem["reason"], "digest_mismatch")
    s.get(path, expect=404)
    equal(blob_files(s), before)
    equal(os.listdir(os.path.join(s.root, "content", "ingests")), [])


@test
def bad_digests_are_refused():
    s = the_daemon()
    for digest in ("sha256:../../x", "sha256:" + "A" * 64, "md5:" + "0" * 32,
                   "sha256:" + "0" * 63):
        s.put("/v1/namespaces/default/content/" + quote(digest), b"x",
              expect=400)


@test
def namespaces_share_bytes_but_not_records():
    s = the_daemon()
    data = b"shared"
    name = digest_of(data).split(":")[1]
    upload(s, "one", data, 201)
    s.get("/v1/namespaces/two/content/" + digest_of(data), expect=404)
    upload(s, "two", data, 201)
    s.delete("/v1/namespaces/one/content/" + digest_of(data))
    check(name in blob_files(s), "bytes went with the first record")
    equal(s.get("/v1/namespaces/two/content/" + digest_of(data)).body, data)
    s.delete("/v1/namespaces/two/content/" + digest_of(data))
    check(name not in blob_files(s), "bytes outlived the last record")


@test
def labels_of_a_blob_are_merged_with_an_event():
    s = the_daemon()
    upload(s, "default", b"labelled", 201)
    path = "/v1/namespaces/default/content/" + digest_of(b"labelled")
    before = s.revision()
    equal(s.patch(path, {"labels": {"a": "1"}}).json["labels"], {"a": "1"})
    equal([e["topic"] for e in s.events(before)], ["/content/update"])
    problem = s.patch(path, {"size": 5}, expect=400).json
    check("/size" in [e["field"] for e in problem["errors"]], problem)


@test
def an_image_is_named_with_slashes_escaped_or_not():
    s = the_daemon()
    target = {"media_type": "application/vnd.oci.image.manifest.v1+json",
              "digest": "sha256:" + "1" * 64, "size": 5}
    name = "docker.io/library/redis:7"
    made = s.post("/v1/namespaces/default/images",
                  {"name": name, "target": target}, expect=201)
    equal(made.headers["Location"],
          "/v1/namespaces/default/images/" + quote(name))
    for path in (name, quote(name)):
        equal(s.get("/v1/namespaces/default/images/" + path).json["name"],
              name)
    s.post("/v1/namespaces/default/images", {"name": name, "target": target},
           expect=409)
    s.patch("/v1/namespaces/default/images/" + quote(name),
            {"labels": {"a": "b"}})
    s.delete("/v1/namespaces/default/images/" + name)
    s.get("/v1/namespaces/default/images/" + name, expect=404)


@test
def a_bad_image_is_refused_by_pointer():
    s = the_daemon()
    good = {"media_type": "a/b", "digest": "sha256:" + "1" * 64, "size": 5}
    for target, field in (
            (dict(good, size=0), "/target/size"),
            (dict(good, digest="sha256:zz"), "/target/digest"),
            (dict(good, media_type=""), "/target/media_type"),
            (dict(good, more=1), "/target/more")):
        problem = s.post("/v1/namespaces/default/images",
                         {"name": "x", "target": target}, expect=400).json
        equal([e["field"] for e in problem["errors"]], [field])
    s.post("/v1/namespaces/default/images", {"name": "pull", "target": good},
           expect=400)


@test
def removing_the_last_image_and_then_the_namespace_works_at_once():
    s = the_daemon()
    upload(s, "short", b"short lived", 201)
    s.post("/v1/namespaces/short/images", {"name": "x", "target": {
        "media_type": "a/b", "digest": digest_of(b"short lived"),
        "size": 11}}, expect=201)
    s.delete("/v1/namespaces/short", expect=409)
    s.delete("/v1/namespaces/short/images/x")
    before = s.revision()
    s.delete("/v1/namespaces/short")
    equal([e["topic"] for e in s.events(before)],
          ["/content/delete", "/namespaces/delete"])
    check(digest_of(b"short lived")[7:] not in blob_files(s), "bytes stayed")


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls from a registry that misbehaves."""
import hashlib

from skifftest import *
from lib_pull import Root

sys.path.insert(0, os.path.join(HERE, "..", "stubs"))
from registry import (FaultRegistry, challenge, hang, ignore_range,  # noqa
                      lie_about_range, more_bytes, redirect, status,
                      truncate, wrong_bytes)
from lib_images import INDEX as INDEX_TYPE, digest_of  # noqa

needs("root")


def stub(*arguments):
    return FaultRegistry(*arguments).start()


def layer_path(registry):
    return "/blobs/" + registry.layer["digest"]


@test
def a_broken_connection_resumes_where_it_ended():
    for n in (0, 1, 150000, -1):
        registry = stub()
        ref = registry.image("t/a:1")
        n = n if n >= 0 else registry.layer["size"] - 1
        registry.fault("GET", layer_path(registry), truncate(n), times=1)
        Root().pull(ref)
        ranges = [r[3] for r in registry.seen(layer_path(registry))]
        equal(ranges, [None, "bytes=%d-" % n if n else None])


@test
def a_short_body_with_an_honest_length_resumes_too():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", layer_path(registry),
                   truncate(1000, honest_length=True), times=1)
    Root().pull(ref)


@test
def a_server_that_ignores_range_sends_all_again():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", layer_path(registry), truncate(1000), times=1)
    registry.fault("GET", layer_path(registry), ignore_range)
    Root().pull(ref)


@test
def a_range_that_lies_is_asked_for_again():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", layer_path(registry), truncate(5), times=1)
    registry.fault("GET", layer_path(registry), lie_about_range, times=1)
    Root().pull(ref)


@test
def a_connection_that_always_breaks_is_given_up():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", layer_path(registry), truncate(0))
    problem = Root().pull_fails(ref)
    equal(problem["code"], "unavailable")
    check(registry.layer["digest"] in problem["detail"], problem)
    equal(len(registry.seen(layer_path(registry))), 5)


@test
def wrong_bytes_are_data_loss_and_not_kept():
    for part in ("manifest", "config", "layer"):
        for fault in (wrong_bytes, more_bytes):
            registry = stub()
            ref = registry.image("t/a:1")
            digest = getattr(registry, part)["digest"]
            registry.fault("GET", "/" + digest, fault)
            root = Root()
            problem = root.pull_fails(ref)
            equal(problem["code"], "data_loss", part)
            equal(problem["reason"], "digest_mismatch"
                  if fault == wrong_bytes else "size_mismatch")
            check(digest in problem["detail"], problem)
            check(("default", digest) not in root.records(root.CONTENT))
            equal(root.records(root.IMAGE), {})


@test
def a_digest_header_that_lies_is_data_loss():
    registry = stub()
    ref = registry.image("t/a:1")
    wrong = "sha256:" + "0" * 64

    def lie(handler, _):
        kind, data = registry.blobs[registry.manifest["digest"]]
        handler.answer(200, data, {"Content-Type": kind,
                                   "Docker-Content-Digest": wrong})
        return True
    registry.fault("HEAD|GET", "/manifests/", lie)
    by_digest = "%s/t/a@%s" % (registry.host, registry.manifest["digest"])
    problem = Root().pull_fails(by_digest)
    equal((problem["code"], problem["reason"]),
          ("data_loss", "digest_mismatch"))
    check(Root().pull_fails(ref)["code"] == "data_loss")


@test
def a_digest_of_another_algorithm_proves_nothing():
    registry = stub()
    registry.image("t/a:1")
    asked = registry.manifest["digest"]
    registry.image("t/b:1")
    kind, other = registry.blobs[registry.manifest["digest"]]
    name = "sha512:" + hashlib.sha512(other).hexdigest()
    registry.blobs[name] = (kind, other)

    def substitute(handler, _):
        handler.answer(200, other, {"Content-Type": kind,
                                    "Docker-Content-Digest": name})
        return True
    registry.fault("HEAD|GET", "/manifests/" + asked, substitute)
    problem = Root().pull_fails("%s/t/a@%s" % (registry.host, asked))
    equal((problem["code"], problem["reason"]),
          ("data_loss", "digest_mismatch"))


@test
def refusals_keep_their_class_and_words():
    for code, expect in ((401, "unauthenticated"), (403, "permission_denied"),
                         (404, "not_found"), (400, "registry_error")):
        registry = stub()
        ref = registry.image("t/a:1")
        registry.fault("GET|HEAD", "/manifests/", status(
            code, b'{"errors":[{"code":"DENIED","message":"my words"}]}'))
        problem = Root().pull_fails(ref)
        equal((problem["code"], problem["upstream_status"]), (expect, code))
        check("my words" in problem["detail"], problem)


@test
def a_server_in_trouble_is_asked_five_times():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", layer_path(registry), status(500, b"oops",
                                                       Content_Type="text/plain"))
    problem = Root().pull_fails(ref)
    equal((problem["code"], problem["status"], problem["upstream_status"]),
          ("registry_error", 502, 500))
    check("oops" in problem["detail"], problem)
    equal(len(registry.seen(layer_path(registry))), 5)


@test
def retry_after_is_honoured():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", layer_path(registry),
                   status(429, Retry_After="2"), times=1)
    began = time.monotonic()
    Root().pull(ref)
    check(time.monotonic() - began >= 2)


@test
def a_long_wait_can_be_cancelled():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET|HEAD", "/manifests/", status(503, Retry_After="3600"))
    root = Root()
    process = root.start(("default", {"ref": ref}), options=("--cancel",))
    began = time.monotonic()
    [op] = root.finish(process, 1)
    equal(op["state"], "cancelled")
    check(time.monotonic() - began < 4)
    equal(len(registry.requests), 2)


@test
def challenges_without_end_are_answered_twice_at_most():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", "/token", status(200, b'{"token":"abc"}'))
    registry.fault("GET|HEAD", "/v2/", challenge(
        'Bearer realm="http://%s/token",service="x"' % registry.host))
    problem = Root().pull_fails(ref)
    equal(problem["code"], "unauthenticated")
    check("authentication required" in problem["detail"], problem)
    check(len(registry.requests) < 10, registry.requests)


@test
def a_token_is_fetched_and_used():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", "/token",
                   status(200, b'{"access_token":"abc","expires_in":300}'))

    def want_token(handler, _):
        if handler.headers.get("Authorization") == "Bearer abc":
            return False
        return challenge('Bearer realm="http://%s/token",service="my x",'
                         'scope="repository:t/a:pull"'
                         % registry.host)(handler, _)
    registry.fault("GET|HEAD", "/v2/", want_token)
    Root().pull(ref, auth={"username": "u", "password": "p"})
    [token] = registry.seen("/token")
    equal(token[1],
          "/token?service=my%20x&scope=repository%3At%2Fa%3Apull")
    check(token[2].startswith("Basic "), token)


@test
def a_token_server_of_others_gets_no_password():
    registry, other = stub(), stub("127.0.0.2")
    ref = registry.image("t/a:1")
    other.fault("GET", "/token", status(401))
    registry.fault("GET|HEAD", "/v2/", challenge(
        'Bearer realm="http://%s/token"' % other.host))
    problem = Root().pull_fails(ref, auth={"username": "u", "password": "p"})
    equal(problem["code"], "unauthenticated")
    check(other.requests)
    equal([r[2] for r in other.requests if r[2]], [])


@test
def a_token_server_in_trouble_is_an_error_soon():
    for body in (b"<html>", b'{"token":"a\\nb"}', b'{"token":7}', b"[]",
                 b"x" * (2 << 20)):
        registry = stub()
        ref = registry.image("t/a:1")
        registry.fault("GET", "/token", status(200, body))
        registry.fault("GET|HEAD", "/v2/", challenge(
            'Bearer realm="http://%s/token"' % registry.host))
        problem = Root().pull_fails(ref)
        check(problem["code"] in ("registry_error", "too_large"), problem)
        check("token server" in problem["detail"], problem)


@test
def a_redirect_to_another_port_gets_no_credentials():
    registry, other = stub(), stub()
    ref = registry.image("t/a:1")
    other.blobs = registry.blobs

    def want_basic(handler, _):
        if handler.headers.get("Authorization"):
            return False
        return challenge("Basic realm=x")(handler, _)
    registry.fault("GET", layer_path(registry),
                   redirect("http://%s%%(path)s" % other.host))
    registry.fault("GET|HEAD", "/v2/", want_basic)
    Root().pull(ref, auth={"username": "u", "password": "p"})
    check(other.requests)
    equal([r[2] for r in other.requests], [None] * len(other.requests))
    check(registry.seen(layer_path(registry))[0][2])


@test
def redirects_to_forbidden_places_are_refused():
    for location in ("http://169.254.169.254/latest", "ftp://127.0.0.1/a",
                     "http://192.0.2.1/a",
                     "https://169.254.169.254/a"):
        registry = stub()
        ref = registry.image("t/a:1")
        registry.fault("GET", layer_path(registry), redirect(location))
        problem = Root().pull_fails(ref)
        equal((problem["code"], problem["reason"]),
              ("permission_denied", "address_not_allowed"), location)


@test
def a_redirect_to_a_file_is_refused():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", layer_path(registry), redirect("file:///etc/passwd"))
    problem = Root().pull_fails(ref)
    equal(problem["code"], "registry_error")
    check("redirect" in problem["detail"], problem)


@test
def a_redirect_in_circles_ends():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", layer_path(registry), redirect("%(path)s"))
    problem = Root().pull_fails(ref)
    check("redirects" in problem["detail"], problem)
    equal(len(registry.seen(layer_path(registry))), 6)


@test
def inner_addresses_are_no_registries():
    for host in ("169.254.169.254", "0.0.0.0:5000", "[::ffff:127.0.0.1]:80",
                 "127.0.0.1.:5000", "2130706433.:1"):
        root = Root()
        process = root.start(("default", {"ref": host + "/a/b:1"}))
        out, errors = process.communicate(timeout=60)
        check(process.returncode != 0, host)
        if out:
            equal(json.loads(out)["error"]["reason"], "address_not_allowed")


@test
def manifests_that_are_not_sound_are_refused():
    def both(m):
        m["manifests"] = []

    def other_type(m):
        m["mediaType"] = "application/vnd.oci.image.index.v1+json"

    def big(m):
        m["layers"][0]["size"] = 10 ** 18

    def negative(m):
        m["layers"][0]["size"] = -1

    def upper(m):
        m["layers"][0]["digest"] = "sha256:" + "A" * 64

    def dots(m):
        m["layers"][0]["digest"] = "sha256:../../../etc/passwd"

    def fewer(m):
        m["layers"] = []

    def many(m):
        m["layers"] = m["layers"] * 600

    def artifact(m):
        m["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"

    for change in (both, other_type, big, negative, upper, dots, fewer, many,
                   artifact):
        registry = stub()
        problem = Root().pull_fails(registry.image("t/a:1", change=change))
        equal((problem["code"], problem["reason"]),
              ("invalid_argument", "image_invalid_manifest"), change.__name__)


@test
def schema_1_is_refused_in_plain_words():
    registry = stub()
    body = registry.put(b'{"schemaVersion":1,"fsLayers":[],"history":[]}',
                        "application/vnd.docker.distribution.manifest"
                        ".v1+prettyjws")
    problem = Root().pull_fails(registry.tag("t/a:1", body))
    check("schema 1" in problem["detail"], problem)


@test
def indexes_deeper_than_four_are_refused():
    registry = stub()
    registry.image("t/a:1")
    entry = dict(registry.manifest,
                 platform={"os": "linux", "architecture": "amd64"})
    for depth in range(1, 6):
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE,
                           "manifests": [entry]}).encode()
        entry = dict(registry.put(body, INDEX_TYPE), platform={
            "os": "linux", "architecture": "amd64"})
        ref = registry.tag("t/deep:%d" % depth, entry)
        if depth <= 3:
            Root().pull(ref)
    problem = Root().pull_fails(ref)
    check("nested deeper" in problem["detail"], problem)


@test
def indexes_that_multiply_are_refused():
    registry = stub()
    registry.image("t/a:1")
    entry = registry.manifest
    for _ in range(3):
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE,
                           "manifests": [entry] * 1000}).encode()
        entry = registry.put(body, INDEX_TYPE)
    ref = registry.tag("t/many:1", entry)
    root = Root()
    done = root.finish(root.start(
        ("default", {"ref": ref, "all_platforms": True, "unpack": False})), 1)
    check("more than 4000" in done[-1]["error"]["detail"], done[-1]["error"])
    equal(root.records(root.IMAGE), {})


@test
def a_layer_that_rotted_on_the_disk_is_fetched_again():
    registry = stub()
    ref = registry.image("t/a:1")
    root = Root()
    root.pull(ref, unpack=False)
    blob = root.path("content/blobs/sha256", registry.layer["digest"][7:])
    with open(blob, "r+b") as file:
        file.seek(1000)
        file.write(bytes(500))
    root.pull(ref, ns="other")
    equal(len(registry.seen("GET .*" + layer_path(registry))), 2)
    with open(blob, "rb") as file:
        equal(digest_of(file.read()), registry.layer["digest"])
    root.check_clean()


@test
def urls_of_foreign_layers_are_never_asked():
    registry, other = stub(), stub()

    def foreign(m):
        m["layers"][0]["urls"] = ["http://%s/x" % other.host]
    Root().pull(registry.image("t/a:1", change=foreign))
    equal(other.requests, [])


@test
def a_layer_that_is_not_what_its_diff_id_says_is_refused():
    registry = stub()
    ref = registry.image("t/a:1")
    kind, text = registry.blobs[registry.config["digest"]]
    config = json.loads(text)
    config["rootfs"]["diff_ids"] = ["sha256:" + "1" * 64]
    changed = registry.put(json.dumps(config).encode(), kind)
    body = json.loads(registry.blobs[registry.manifest["digest"]][1])
    body["config"] = changed
    ref = registry.tag("t/a:2", registry.put(
        json.dumps(body).encode(), registry.manifest["mediaType"]))
    problem = Root().pull_fails(ref)
    equal((problem["code"], problem["reason"]),
          ("data_loss", "digest_mismatch"))


@test
def a_pull_that_hangs_is_cancelled_within_a_second_or_so():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", layer_path(registry), hang)
    root = Root()
    began = time.monotonic()
    [op] = root.finish(root.start(("default", {"ref": ref}),
                                  options=("--cancel",)), 1)
    equal((op["state"], op["error"]["code"]), ("cancelled", "cancelled"))
    check(time.monotonic() - began < 5)
    root.check_clean()


@test
def when_one_pull_fails_the_next_takes_over():
    registry = stub()
    ref = registry.image("t/a:1")
    registry.fault("GET", layer_path(registry), status(404), times=1)
    root = Root()
    process = root.start(("a", {"ref": ref}), ("b", {"ref": ref}))
    ops = root.finish(process, 1)
    equal(sorted(op["state"] for op in ops), ["failed", "succeeded"])
    root.check_clean()


main("tests/unit/drive_pull")

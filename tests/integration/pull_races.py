#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls against each other, and against whoever deletes what they bring."""
import itertools
import random
import sqlite3
import threading

from skifftest import *
from lib_pull import Root

sys.path.insert(0, os.path.join(HERE, "..", "stubs"))
from registry import FaultRegistry  # noqa
from lib_images import (CONFIG, LAYER, MANIFEST, Tar, compress,  # noqa
                        digest_of)

needs("root")


def layers_of(registry, n):
    """[(descriptor, diff id)]"""
    made = []
    for i in range(n):
        tar = Tar({"file%d" % i: os.urandom(100000)}).bytes()
        made.append((registry.put(compress(tar, "gzip"), LAYER + "+gzip"),
                     digest_of(tar)))
    return made


def image_of(registry, name, layers):
    config = registry.put(json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Env": [name]},
        "rootfs": {"type": "layers",
                   "diff_ids": [diff_id for _, diff_id in layers]}}).encode(),
        CONFIG)
    return registry.tag("t/%s:1" % name, registry.put(json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config,
        "layers": [layer for layer, _ in layers]}).encode(), MANIFEST))


def slowly(handler, _):
    time.sleep(0.2)
    return False


@test
def pulls_that_wait_for_each_others_layers_all_end():
    registry = FaultRegistry().start()
    registry.fault("GET", "/blobs/", slowly)
    layers = layers_of(registry, 3)
    # Each order of the same blobs; of each, a pull into two namespaces.
    refs = [image_of(registry, "order%d" % i, order)
            for i, order in enumerate(itertools.permutations(layers))]
    root = Root()
    done = root.finish(root.start(*[
        (ns, {"ref": ref}) for ref in refs for ns in ("a", "b")]))
    equal([op["state"] for op in done], ["succeeded"] * 12)
    for layer, _ in layers:
        equal(len(registry.seen("GET .*/blobs/" + layer["digest"])), 1)
    db = sqlite3.connect(root.path("skiff.db"))
    [[n_dirs]] = db.execute("SELECT count(DISTINCT dir) FROM snapshot")
    db.close()
    equal(n_dirs, 3 + 6 + 6)
    check_store(root.dir)


def check_store(root):
    """Each record has bytes, each snapshot a directory, and the reverse."""
    db = sqlite3.connect(os.path.join(root, "skiff.db"))
    named = {key for key, in db.execute(
        "SELECT key FROM record WHERE kind = ?", (Root.CONTENT,))}
    dirs = {str(number) for number, in db.execute("SELECT dir FROM snapshot")}
    db.close()
    blobs = os.listdir(os.path.join(root, "content/blobs/sha256"))
    equal({"sha256:" + name for name in blobs}, named)
    equal(set(os.listdir(os.path.join(root, "snapshots/overlay"))), dirs)
    for part in ("content/ingests", "content/trash", "snapshots/trash"):
        equal(os.listdir(os.path.join(root, part)), [])


def delete_some(daemon, ns, dice):
    base = "/v1/namespaces/%s" % ns
    for kind, key in (("images", "name"), ("content", "digest"),
                      ("snapshots/overlay", "key")):
        for item in daemon.get("%s/%s" % (base, kind),
                               record=False).json["items"]:
            if dice.random() < 0.5:
                daemon.api("DELETE", "%s/%s/%s" % (base, kind,
                                                   quote(item[key])),
                           record=False)
    daemon.api("DELETE", base, record=False)


@test
def deleting_what_a_pull_brings_leaves_nothing_dangling():
    registry = FaultRegistry().start()
    layers = layers_of(registry, 3)
    refs = [image_of(registry, "one", layers),
            image_of(registry, "two", layers[:2])]
    seen = []

    def pull(daemon, ns, stop):
        while not stop.is_set():
            for ref in refs:
                answer = daemon.api(
                    "POST", "/v1/namespaces/%s/images/pull?wait=true" % ns,
                    {"ref": ref}, timeout=60, record=False)
                seen.append(answer)

    with Daemon() as daemon:
        stop = threading.Event()
        threads = [threading.Thread(target=pull, args=(daemon, ns, stop))
                   for ns in ("a", "a", "b")]
        for thread in threads:
            thread.start()
        dice = random.Random(1)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            delete_some(daemon, dice.choice("ab"), dice)
        stop.set()
        for thread in threads:
            thread.join()
        # It was deleted under the pull's hands, or not.
        equal([a for a in seen if a.status not in (200, 404, 409)], [])
        check(any(a.status == 200 for a in seen), seen)
        for ns in "ab":
            for ref in refs:
                daemon.pull(ref, ns)
        daemon.stop()
        check_store(daemon.root)


main()

# SPDX-License-Identifier: Apache-2.0
"""OCI images for the tests, made of Debian's busybox-static.

busybox_umoci() is made by umoci, as people would; the others are written
here, since they need shapes that no tool makes on request.
"""
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile

BUSYBOX = "/bin/busybox"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

_cache = {}


def _scratch(name):
    base = os.environ.get("SKIFF_TEST_SCRATCH")
    if not base:
        import skifftest
        base = skifftest.scratch()
    os.makedirs(os.path.join(base, "images"), exist_ok=True)
    return tempfile.mkdtemp(prefix=name + ".",
                            dir=os.path.join(base, "images"))


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def compress(data, how):
    if how == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, check=True,
                              capture_output=True).stdout
    return data


class Tar:
    """A layer's tar: files are bytes, a str is a symlink, None a directory.

    Later entries may be any tarfile.TarInfo by way of add()."""

    def __init__(self, tree=None):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w",
                                format=tarfile.PAX_FORMAT)
        for name, content in (tree or {}).items():
            self.put(name, content)

    def put(self, name, content, mode=None, uid=0, gid=0):
        info = tarfile.TarInfo(name)
        info.uid, info.gid, info.mtime = uid, gid, 1600000000
        if content is None:
            info.type, info.mode = tarfile.DIRTYPE, mode or 0o755
            return self.add(info)
        if isinstance(content, str):
            info.type, info.linkname = tarfile.SYMTYPE, content
            info.mode = 0o777
            return self.add(info)
        info.mode = mode or 0o644
        return self.add(info, content)

    def add(self, info, content=b""):
        if info.isreg():
            info.size = len(content)
        self.tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
        return self

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


class Layout:
    """An OCI layout directory that is written blob by blob."""

    def __init__(self, name="image"):
        self.dir = _scratch(name)
        os.makedirs(os.path.join(self.dir, "blobs/sha256"))
        with open(os.path.join(self.dir, "oci-layout"), "w") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')
        self.entries = []

    def blob(self, data, media_type):
        digest = digest_of(data)
        path = os.path.join(self.dir, "blobs/sha256", digest[7:])
        with open(path, "wb") as f:
            f.write(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def json(self, value, media_type):
        return self.blob(json.dumps(value).encode(), media_type)

    def image(self, layers, config=None, architecture="amd64", how="gzip"):
        """layers: tars as bytes. Returns the manifest's descriptor."""
        suffix = "+" + how if how in ("gzip", "zstd") else ""
        descriptors = [self.blob(compress(tar, how), LAYER + suffix)
                       for tar in layers]
        image_config = self.json({
            "created": "2024-01-01T00:00:00Z",
            "architecture": architecture, "os": "linux",
            "config": dict({"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
                           **(config or {})),
            "rootfs": {"type": "layers",
                       "diff_ids": [digest_of(tar) for tar in layers]},
            "history": [{"created_by": "test"} for _ in layers],
        }, CONFIG)
        return self.json({"schemaVersion": 2, "mediaType": MANIFEST,
                          "config": image_config, "layers": descriptors},
                         MANIFEST)

    def tag(self, descriptor, tag="latest"):
        self.entries.append(dict(descriptor, annotations={
            "org.opencontainers.image.ref.name": tag}))
        with open(os.path.join(self.dir, "index.json"), "w") as f:
            json.dump({"schemaVersion": 2, "manifests": self.entries}, f)
        return self

    def __str__(self):
        return self.dir


def _cached(function):
    def once(*arguments):
        key = (function.__name__,) + arguments
        if key not in _cache:
            _cache[key] = function(*arguments)
        return _cache[key]
    return once


@_cached
def busybox_tree():
    applets = subprocess.run([BUSYBOX, "--list"], check=True,
                             capture_output=True, text=True).stdout.split()
    with open(BUSYBOX, "rb") as f:
        program = f.read()
    tar = Tar()
    for name, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700),
                       ("tmp", 0o1777), ("home", 0o755)):
        tar.put(name, None, mode)
    tar.put("home/alice", None, 0o750, 1000, 1000)
    tar.put("bin/busybox", program, 0o755)
    for applet in applets:
        if applet != "busybox":
            tar.put("bin/" + applet, "busybox")
    tar.put("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
            b"alice:x:1000:1000::/home/alice:/bin/sh\n")
    tar.put("etc/group", b"root:x:0:\nalice:x:1000:\nusers:x:100:alice\n")
    tar.put("etc/hostname", b"image\n")
    return tar.bytes()


@_cached
def busybox(how="gzip"):
    """One layer; how: gzip, zstd or plain."""
    layout = Layout("busybox")
    return str(layout.tag(layout.image([busybox_tree()], how=how)))


@_cached
def layered_image(how="gzip"):
    """Three layers above one another, with whiteouts and an opaque one.

    What must be seen: /a/keep "1", no /a/gone, /d with only "new",
    /over "2", /link to over."""
    first = Tar({"a": None, "a/keep": b"1", "a/gone": b"1", "d": None,
                 "d/old": b"1", "over": b"1", "link": "over"}).bytes()
    second = Tar({"a": None, "a/.wh.gone": b"", "d": None,
                  "d/.wh..wh..opq": b"", "d/new": b"2",
                  "over": b"2"}).bytes()
    layout = Layout("layered")
    return str(layout.tag(layout.image([busybox_tree(), first, second],
                                       how=how)))


@_cached
def big_image(megabytes=60, how="gzip"):
    """Files that compress to about a half: one large and many small."""
    source = random.Random(1)
    tar = Tar({"big": None})
    half = megabytes * 1024 * 1024 // 2
    tar.put("big/one", b"".join(
        source.randbytes(32768) + bytes(32768) for _ in range(half // 65536)))
    for i in range(half // 65536):
        tar.put("big/%04d" % i, source.randbytes(32768) + bytes(32768))
    layout = Layout("big")
    return str(layout.tag(layout.image([busybox_tree(), tar.bytes()],
                                       how=how)))


@_cached
def multi_platform_image():
    """An index of amd64 and arm64; /platform names the one chosen."""
    layout = Layout("index")
    manifests = []
    for architecture in ("arm64", "amd64"):
        mark = Tar({"platform": architecture.encode()}).bytes()
        manifests.append(dict(
            layout.image([busybox_tree(), mark], architecture=architecture),
            platform={"architecture": architecture, "os": "linux"}))
    index = layout.json({"schemaVersion": 2, "mediaType": INDEX,
                         "manifests": manifests}, INDEX)
    return str(layout.tag(index))


@_cached
def busybox_umoci():
    """The image as a person would make it, by umoci."""
    where = _scratch("umoci")
    layout = os.path.join(where, "layout")
    tar = os.path.join(where, "layer.tar")
    with open(tar, "wb") as f:
        f.write(busybox_tree())
    image = layout + ":latest"
    for command in (["init", "--layout", layout],
                    ["new", "--image", image],
                    ["raw", "add-layer", "--image", image, tar],
                    ["config", "--image", image, "--config.cmd", "/bin/sh",
                     "--config.env", "PATH=/bin"]):
        subprocess.run(["umoci"] + command, check=True, capture_output=True)
    return layout


@_cached
def as_schema2(layout):
    """The same image with Docker's media types, for Registry.push()."""
    where = _scratch("schema2")
    subprocess.run(["skopeo", "copy", "--quiet", "--format", "v2s2",
                    "oci:%s:latest" % layout, "dir:" + where], check=True,
                   capture_output=True)
    return "dir:" + where


if __name__ == "__main__":  # lib.sh: lib_images.py busybox [gzip]
    print(globals()[sys.argv[1]](*sys.argv[2:]))

# SPDX-License-Identifier: Apache-2.0
"""Debian's docker-registry on a free loopback port, with its access log."""
import http.client
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time

CONFIG = """\
version: 0.1
log:
  level: warn
  accesslog:
    disabled: false
storage:
  filesystem:
    rootdirectory: %(storage)s
  delete:
    enabled: true
http:
  addr: 127.0.0.1:%(port)d
%(auth)s"""

AUTH = """\
auth:
  htpasswd:
    realm: skiff
    path: %s
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Registry:
    all = []

    def __init__(self, directory, user=None, password=None):
        self.dir = directory
        self.user = user
        self.password = password
        self.log = os.path.join(directory, "access.log")
        self.process = None
        self.port = None
        Registry.all.append(self)

    @property
    def host(self):
        return "127.0.0.1:%d" % self.port

    def start(self):
        """A restarted registry keeps its port and its storage."""
        storage = os.path.join(self.dir, "storage")
        os.makedirs(storage, exist_ok=True)
        auth = ""
        if self.user:
            path = os.path.join(self.dir, "htpasswd")
            subprocess.run(["htpasswd", "-Bbc", path, self.user,
                            self.password], check=True, capture_output=True)
            auth = AUTH % path
        for _ in range(5):  # the free port may be taken meanwhile
            self.port = self.port or free_port()
            config = os.path.join(self.dir, "config.yml")
            with open(config, "w") as f:
                f.write(CONFIG % {"storage": storage, "port": self.port,
                                  "auth": auth})
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    ["docker-registry", "serve", config], stdout=log,
                    stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                    start_new_session=True)
            if self._wait():
                return self
            self.port = None
        raise RuntimeError("docker-registry does not start: see " + self.log)

    def _wait(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            try:
                connection = http.client.HTTPConnection(
                    "127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/v2/")
                connection.getresponse().read()
                connection.close()
                return True
            except OSError:
                select.select([], [], [], 0.02)
        return False

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def destroy(self):
        Registry.all.remove(self)
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.destroy()

    def push(self, layout, name, tag="latest", extra=()):
        """Pushes layout:tag of an OCI layout as name; returns its ref."""
        ref = "%s/%s" % (self.host, name)
        command = ["skopeo", "copy", "--quiet", "--all", "--preserve-digests",
                   "--dest-tls-verify=false"]
        if self.user:
            command += ["--dest-creds", "%s:%s" % (self.user, self.password)]
        source = (layout if layout.startswith("dir:")
                  else "oci:%s:%s" % (layout, tag))
        done = subprocess.run(
            command + list(extra) + [source, "docker://" + ref],
            capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError("skopeo: " + done.stderr)
        return ref

    def mark(self):
        """A place in the access log; see requests()."""
        return os.path.getsize(self.log)

    def requests(self, since=0, match="."):
        """["GET /v2/…", …] as the access log has them, since a mark."""
        with open(self.log, "rb") as log:
            log.seek(since)
            text = log.read().decode("utf-8", "replace")
        found = re.findall(r'"((?:GET|HEAD|PUT|POST|PATCH|DELETE) \S+) HTTP',
                           text)
        return [line for line in found if re.search(match, line)]


if __name__ == "__main__":  # lib.sh: lib_registry.py DIR, prints "PORT PID"
    started = Registry(sys.argv[1]).start()
    print(started.port, started.process.pid)

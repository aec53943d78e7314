# SPDX-License-Identifier: Apache-2.0
"""The runtime alone, with what Skiff would give it."""
from benchlib import *


class Bare:
    """What Skiff would run, as a bundle for runc: a container of Skiff's
    that never gets a task, its snapshot mounted, its spec."""

    files = None  # hosts, hostname, resolv.conf: of a task of Skiff's

    def __init__(self, d, name, image, args, runtime="runc"):
        self.d = d
        self.name = name
        self.runtime = shutil.which(runtime)
        self.bundle = volatile("%s-%s" % (runtime, name))
        self.root = d.state + "/bare"
        made = json.loads(d.http("POST", N + "/containers", {
            "id": name, "image": image, "args": args}))
        if not Bare.files:
            Bare.files = scratch("bare-files")
            d.http("POST", N + "/tasks", {"container": name})
            shutil.copytree("%s/tasks/default/%s/run/bundle/etc" %
                            (d.root, name), Bare.files)
            d.http("DELETE", "%s/tasks/%s?force=true" % (N, name))
        os.makedirs(self.bundle + "/rootfs")
        shutil.copytree(Bare.files, self.bundle + "/etc")
        with open(self.bundle + "/config.json", "w") as f:
            json.dump(made["spec"], f, separators=(",", ":"))
        self._mount(made["snapshot_key"])

    def _mount(self, key):
        found = json.loads(self.d.http(
            "GET", "%s/snapshots/overlay/%s/mounts" % (N, quote(key))))
        for mount in found["mounts"]:
            subprocess.run(
                ["mount", "-t", mount["type"], "-o",
                 ",".join(mount["options"]), mount["source"],
                 self.bundle + "/rootfs"], check=True)

    def run(self, *arguments):
        program([self.runtime, "--root", self.root] + list(arguments))

    def create_start(self):
        self.run("create", "--bundle", self.bundle, self.name)
        self.run("start", self.name)

    def run_to_the_end(self):
        self.run("run", "--bundle", self.bundle, self.name)

    def exec_true(self):
        self.run("exec", self.name, "true")

    def force_delete(self):
        self.run("delete", "--force", self.name)

    def done(self):
        self.force_delete()
        subprocess.run(["umount", self.bundle + "/rootfs"], check=True)
        shutil.rmtree(self.bundle)
        remove(self.d.http, self.name)

# SPDX-License-Identifier: Apache-2.0
"""Pulls without a daemon: drive_pull on a scratch root."""
import json
import os
import sqlite3
import subprocess
import tempfile

from skifftest import BUILD, Failed, check, scratch

DRIVER = os.path.join(BUILD, "tests/unit/drive_pull")


class Root:
    def __init__(self):
        scratch()
        self.dir = tempfile.mkdtemp(prefix="root.", dir=scratch())

    def start(self, *pairs, options=(), env=None):
        """pairs: (namespace, body), …"""
        arguments = []
        for ns, body in pairs:
            arguments += [ns, json.dumps(body)]
        return subprocess.Popen(
            [DRIVER, *options, self.dir, *arguments], text=True,
            env=dict(os.environ, **(env or {})),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self, process, expect=0):
        """The operations as they ended."""
        out, errors = process.communicate(timeout=120)
        for word in ("Sanitizer", "runtime error:"):
            check(word not in errors, errors)
        if process.returncode != expect:
            raise Failed("drive_pull: %d\n%s%s" % (process.returncode, out,
                                                   errors))
        self.errors = errors
        return [json.loads(line) for line in out.splitlines()]

    def pull(self, ref, ns="default", env=None, **body):
        done = self.finish(self.start((ns, dict(body, ref=ref)), env=env))
        return done[-1]

    def pull_fails(self, ref, ns="default", env=None, **body):
        """The problem with which it ended; nothing may be left behind."""
        done = self.finish(self.start((ns, dict(body, ref=ref)), env=env), 1)
        self.check_clean()
        return done[-1]["error"]

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def records(self, kind):
        """{(ns, key): document}"""
        db = sqlite3.connect(self.path("skiff.db"))
        try:
            rows = db.execute("SELECT ns, key, doc FROM record "
                              "WHERE kind = ?", (kind,)).fetchall()
        finally:
            db.close()
        return {(ns, key): json.loads(doc) for ns, key, doc in rows}

    IMAGE, CONTENT, SNAPSHOT, OPERATION = 2, 3, 4, 7

    def check_clean(self):
        """No bytes without a record, no record without bytes."""
        blobs = set(os.listdir(self.path("content/blobs/sha256")))
        named = {key[7:] for _, key in self.records(self.CONTENT)}
        check(blobs == named, "blobs", blobs ^ named)
        check(not os.listdir(self.path("content/ingests")), "ingests left")
        dirs = os.listdir(self.path("snapshots/overlay"))
        keys = {key for _, key in self.records(self.SNAPSHOT)}
        check(len(dirs) == len(keys), "snapshot directories", dirs, keys)

# SPDX-License-Identifier: Apache-2.0
"""All that a daemon has on the machine, as a comparable value.

    before = picture(root, state)
    …
    equal(differences(before, picture(root, state)), [])

Whatever names the root or the state directory is the daemon's: mounts of
any mount namespace, processes, sockets. Cgroups are found by the name that
the daemon makes of its root.
"""
import glob
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time

CGROUPS = "/sys/fs/cgroup"


def _read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _mounts(root, state, of="self"):
    return sorted(line.split()[4] for line in
                  _read("/proc/%s/mountinfo" % of).splitlines()
                  if root in line or state in line)


def processes(root, state):
    """{pid: command line} of daemon, shims and containers."""
    ours = os.readlink("/proc/self/ns/mnt")
    # What the host itself shows, every shim of other daemons shows, too.
    common = set(_mounts(root, state))
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        command = _read("/proc/%s/cmdline" % pid).replace("\0", " ").strip()
        if not command or int(pid) == os.getpid():
            continue
        mine = root in command or state in command
        if not mine:
            try:
                mine = (os.readlink("/proc/%s/ns/mnt" % pid) != ours and
                        not common.issuperset(_mounts(root, state, pid)))
            except OSError:
                mine = False
        if mine:
            found[int(pid)] = command
    return found


def cgroups():
    """Every cgroup directory that is named for Skiff, relative."""
    found = set()
    for directory, names, _ in os.walk(CGROUPS):
        depth = directory[len(CGROUPS):].count("/")
        for name in names:
            path = os.path.join(directory, name)[len(CGROUPS):]
            if "skiff" in path:
                found.add(path)
        if depth > 6:
            names[:] = []
    return sorted(found)


def _tree(top):
    """Directories and files, but neither the database nor its journal, nor
    what is inside a snapshot or a blob."""
    found = []
    for directory, names, files in os.walk(top):
        relative = os.path.relpath(directory, top)
        parts = relative.split(os.sep)
        if parts[0] == "snapshots" and len(parts) >= 3:
            names[:] = []
            continue
        found += [os.path.normpath(os.path.join(relative, name))
                  for name in names + files
                  if not name.startswith("skiff.db")]
    return sorted(found)


def sockets(state):
    found = []
    for directory, _, files in os.walk(state):
        for name in files:
            path = os.path.join(directory, name)
            try:
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    found.append(os.path.relpath(path, state))
            except OSError:
                pass
    return sorted(found)


def rows(root, but=("event", "sqlite_sequence", "sqlite_stat1")):
    """{table: number of rows}, read from a copy of the database."""
    database = os.path.join(root, "skiff.db")
    if not os.path.exists(database):
        return {}
    with tempfile.TemporaryDirectory(prefix="skt.db.") as copy:
        for suffix in ("", "-wal"):
            if os.path.exists(database + suffix):
                shutil.copy(database + suffix,
                            os.path.join(copy, "db" + suffix))
        connection = sqlite3.connect(os.path.join(copy, "db"))
        try:
            tables = [r[0] for r in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {t: connection.execute(
                'SELECT count(*) FROM "%s"' % t).fetchone()[0]
                for t in tables if t not in but}
        finally:
            connection.close()


def picture(root, state, but_tables=("event", "sqlite_sequence")):
    running = processes(root, state)
    return {
        "mounts": _mounts(root, state),
        # Without pids, and without the daemon itself: it may be restarted.
        "processes": sorted(c for c in running.values()
                            if os.path.basename(c.split()[0]) != "skiffd"),
        "cgroups": [c for c in cgroups() if _is_ours(c, root)],
        "sockets": sockets(state),
        "root": _tree(root),
        "state": _tree(state),
        "rows": rows(root, but_tables),
    }


def _cgroup_name(root):
    """A daemon names its cgroups for its root; others may run beside it."""
    return "skiff-" + hashlib.sha256(root.encode()).hexdigest()[:8]


def _is_ours(cgroup, root):
    return _cgroup_name(root) in cgroup.split("/")


def differences(before, after):
    """What came and went, as lines; empty when the two are alike."""
    lines = []
    for kind in before:
        old, new = before[kind], after[kind]
        if isinstance(old, dict):
            old = ["%s: %d rows" % item for item in sorted(old.items())]
            new = ["%s: %d rows" % item for item in sorted(new.items())]
        lines += ["%s: + %s" % (kind, x) for x in new if x not in old]
        lines += ["%s: - %s" % (kind, x) for x in old if x not in new]
    return lines


def _descendants(pids):
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        status = _read("/proc/%s/stat" % pid)
        if status:
            parents[int(pid)] = int(status.rpartition(")")[2].split()[1])
    found = set(pids)
    grown = True
    while grown:
        more = {p for p, parent in parents.items() if parent in found}
        grown = not more <= found
        found |= more
    return found


def wipe(root, state):
    """Ends and removes everything of a daemon that was stopped or killed."""
    for _ in range(50):
        left = processes(root, state)
        if not left:
            break
        for pid in _descendants(left) - {os.getpid()}:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.02)
    _remove_cgroups(root)
    for target in sorted(_mounts(root, state), reverse=True):
        subprocess.run(["umount", "-l", target], capture_output=True)
    shutil.rmtree(root, ignore_errors=True)
    shutil.rmtree(state, ignore_errors=True)


def _remove_cgroups(root):
    """In all hierarchies; what processes are in stays, and is seen. One that
    is ending has no command any more, and is in its cgroup for yet a while."""
    groups = [os.path.join(top, _cgroup_name(root))
              for top in [CGROUPS] + glob.glob(CGROUPS + "/*")]
    for _ in range(50):
        for group in groups:
            for directory, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    pass
        groups = [group for group in groups if os.path.exists(group)]
        if not groups:
            break
        time.sleep(0.02)


if __name__ == "__main__":  # lib.sh: lib_picture.py wipe|show ROOT STATE
    if sys.argv[1] == "wipe":
        wipe(*sys.argv[2:])
    else:
        print(json.dumps(picture(*sys.argv[2:]), indent=1))

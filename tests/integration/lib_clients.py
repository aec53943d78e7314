# SPDX-License-Identifier: Apache-2.0
"""Somebody else at the daemon's socket: Client(daemon, uid).get(path)…"""
from skifftest import *


def connect_as(path, uid, gid, groups):
    """A socket that somebody else has connected."""
    ours, his = socket.socketpair()
    # Who opens the socket is its group's, or root's.
    groups = list(groups) + [os.stat(path).st_gid]
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connected.connect(path)
            socket.send_fds(his, [b"x"], [connected.fileno()])
        finally:
            os._exit(0)
    his.close()
    with ours:
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(pid, 0)
    check(fds, uid, "cannot connect to", path)
    return socket.socket(fileno=fds[0])


class ConnectionAs(UnixConnection):
    def __init__(self, path, who, timeout):
        super().__init__(path, timeout)
        self.who = who

    def connect(self):
        self.sock = connect_as(self.path, *self.who)
        self.sock.settimeout(self.timeout)


class Client(Daemon):
    """A daemon, as it is seen by somebody."""

    def __init__(self, daemon, uid, gid=None, groups=()):
        # He must get to the socket.
        os.chmod(scratch(), 0o711)
        self.socket = daemon.socket
        self.who = (uid, uid if gid is None else gid, groups)

    def connection(self, timeout):
        return ConnectionAs(self.socket, self.who, timeout)

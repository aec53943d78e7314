# SPDX-License-Identifier: Apache-2.0
"""A terminal for programs that want one, driven by a test.

    with Terminal(["skiff", "run", "-it", …], rows=30, columns=100) as t:
        t.expect("$ ")
        t.type("exit 3\r")
        equal(t.wait(), 3)

The program is the leader of a session whose terminal this is, as in a
terminal's window. The test keeps the other side open, so that attributes()
says how the program left it.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

DEADLINE = 30.0


class Terminal:
    def __init__(self, argv, rows=24, columns=80, **how):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = self.attributes()
        self.output = b""
        self.seen = 0
        self.process = subprocess.Popen(
            argv, stdin=self.slave, stdout=self.slave, stderr=self.slave,
            preexec_fn=self._take, **how)

    def _take(self):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, rows, columns):
        """The program gets SIGWINCH."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def attributes(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        return not self.attributes()[3] & (termios.ICANON | termios.ECHO)

    def is_restored(self):
        return self.attributes() == self.before

    def type(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        while data:
            data = data[os.write(self.master, data):]

    def read_more(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.output += os.read(self.master, 65536)
        return True

    def expect(self, pattern, seconds=DEADLINE):
        """What came since the last match, up to the end of this one."""
        wanted = re.compile(pattern if isinstance(pattern, bytes)
                            else pattern.encode())
        end = time.monotonic() + seconds
        while True:
            match = wanted.search(self.output, self.seen)
            if match:
                text = self.output[self.seen:match.end()]
                self.seen = match.end()
                return text
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError("no %r in %r" % (
                    wanted.pattern, self.output[self.seen:][-2000:]))
            self.read_more(min(left, 1))

    def wait(self, seconds=DEADLINE):
        """The exit status; what the program writes meanwhile is kept."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError("does not end; last: %r"
                                     % self.output[-2000:])
            self.read_more(0.05)
        while self.read_more(0):
            pass
        return self.process.returncode

    def rest(self):
        return self.output[self.seen:]

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The README's tour, typed in, does what it prints.

Every "$" line of its console blocks runs in one bash, in order; what comes
must match the lines below it, in which "…" stands for anything, and alone
on a line for any lines.
"""
import re
import subprocess

from skifftest import *

needs("root", "runc", "skopeo", "umoci", "docker-registry", "bash")

PLACE = "/tmp/skiff-quickstart"
END = "--end-of-command--"


def tour():
    """[(command, [expected line])] of all console blocks of the tour."""
    with open(os.path.join(SRC, "README.md")) as f:
        text = f.read()
    section = re.search(r"^## A tour.*?(?=^## )", text, re.S | re.M).group()
    commands = []
    for block in re.findall(r"^```console\n(.*?)^```", section, re.S | re.M):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
    return commands


def pattern(lines):
    parts = []
    for line in lines:
        if line == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(r"\s*".join(
                r".*".join(re.escape(piece) for piece in word.split("…"))
                for word in line.split()) + r"\s*?\n")
    return "".join(parts)


class Shell:
    def __init__(self, env):
        self.process = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, cwd=SRC, env=env)

    def run(self, command):
        self.process.stdin.write("%s\necho %s\n" % (command, END))
        self.process.stdin.flush()
        output = ""
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise Failed("the shell ended in: " + command)
            if line.endswith(END + "\n"):
                return output + line[:-len(END) - 1]
            output += line


@test
def what_is_typed_in_gives_what_is_printed():
    place = scratch("tour")
    s = Daemon("tour")
    s.socket = os.path.join(place, "skiff.sock")
    registry = Registry(os.path.join(place, "r"))
    registry.log = os.path.join(place, "registry.log")
    s.start()
    registry.start()
    with open(os.path.join(place, "port"), "w") as f:
        f.write("%d\n" % registry.port)
    registry.push(busybox_umoci(), "demo/busybox:1")
    s.pull(registry.host + "/demo/busybox:1")
    environment = dict(os.environ, TERM="dumb")
    for name in ("SKIFF_HOST", "SKIFF_NAMESPACE"):
        environment.pop(name, None)
    shell = Shell(environment)
    for command, expected in tour():
        output = shell.run(command.replace(PLACE, place))
        check(re.fullmatch(pattern(expected), output),
              "\n$ %s\nprints\n%s\nnot as said\n%s" % (
                  command, output, "\n".join(expected)))
    equal(s.get("/v1/namespaces/default/containers").json["items"], [])
    shell.process.stdin.close()
    shell.process.wait(10)


main()

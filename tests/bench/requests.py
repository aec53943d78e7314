#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Small answers a second: wrk over TCP, keep-alive.

Over TCP only the public routes answer without a token, so lists are asked
for over the unix socket, by the one connection of this script. SECONDS
(default 3) for each figure; wrk runs on the same cores.
"""
import re

from benchlib import *
from lib_registry import free_port

needs("root", "runc", "wrk", "skopeo", "docker-registry")

SECONDS = int(os.environ.get("SECONDS_EACH", "3"))
ROUNDS = 3
CONNECTIONS = (1, 16, 64, 128, 256)
LIMIT = 40000
LISTED = 100


def wrk(url, connections):
    """(requests a second, p99 as wrk says it, errors)."""
    out = subprocess.run(
        ["wrk", "-t1", "-c%d" % connections, "-d%ds" % SECONDS,
         "--latency", url], capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    p99 = re.search(r"99%\s+(\S+)", out).group(1)
    errors = re.findall(r"(Socket errors.*|Non-2xx.*)", out)
    return rate, p99, "; ".join(errors) or "none"


def small(port):
    rates = {n: [] for n in CONNECTIONS}
    last = {}
    for _ in range(ROUNDS):
        for n in CONNECTIONS:
            found = wrk("http://127.0.0.1:%d/v1/version" % port, n)
            rates[n].append(found[0])
            last[n] = found
    table(["GET /v1/version, connections", "per second", "least", "p99",
           "errors", "of %d" % LIMIT],
          [[n, "%.0f" % median(rates[n]), "%.0f" % min(rates[n]), last[n][1],
            last[n][2], ratio(median(rates[n]), LIMIT)]
           for n in CONNECTIONS])


def lists(d):
    image = pull_busybox(d)
    d.http = Http(d.socket)  # the one before had been idle for too long
    for i in range(LISTED):
        d.http("POST", N + "/containers",
               {"id": "l%d" % i, "image": image, "args": ["true"]})
    path = N + "/containers?limit=1000"
    size = len(d.http("GET", path))
    version = [timed(d.http, "GET", "/v1/version") for _ in range(2000)]
    listed = [timed(d.http, "GET", path) for _ in range(500)]
    table(["one unix connection, python", "p50 ms", "p95", "bytes"], [
        ["GET /v1/version", "%.3f" % (median(version) * 1e3),
         "%.3f" % (p95(version) * 1e3), "-"],
        ["GET %d containers" % LISTED, "%.3f" % (median(listed) * 1e3),
         "%.3f" % (p95(listed) * 1e3), size]])


def main():
    title("Requests")
    port = free_port()
    with daemon(args=["--listen", "tcp:127.0.0.1:%d" % port]) as d:
        small(port)
        lists(d)


main()

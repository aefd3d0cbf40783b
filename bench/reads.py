#!/usr/bin/env python3
"""DynamoDB reads against an nginx floor that is sent the same bytes. See bench/README.md.

    bench/reads.py [NAME ...]   only those whose name begins so: GetItem, Query, BatchGetItem; off, on (signature checks)
"""
import json
import pathlib
import sys
import tempfile
import time
import urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from harness import BINARY, THREADS, Platform, compare, nginx, serve

REGION, TABLE, ITEM_BYTES, BATCH, QUERY = "us-east-1", "bench", 400, 100, 20
WORKLOADS = {
    "GetItem": {"TableName": TABLE, "Key": {"p": {"S": "many"}, "s": {"N": "7"}}},
    "Query": {"TableName": TABLE, "KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": "many"}}, "Limit": QUERY},
    "BatchGetItem": {"RequestItems": {TABLE: {"Keys": [{"p": {"S": "many"}, "s": {"N": str(n)}} for n in range(BATCH)]}}},
}


def fill(url, key, secret):
    client = boto3.client("dynamodb", endpoint_url=url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret)
    client.create_table(TableName=TABLE, BillingMode="PAY_PER_REQUEST",
                        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
                        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "N"}])
    for n in range(BATCH):
        client.put_item(TableName=TABLE, Item={"p": {"S": "many"}, "s": {"N": str(n)}, "text": {"S": "x" * (ITEM_BYTES - 20)}})


def signed(url, operation, key, secret):
    """The request as botocore signs it, valid for 15 minutes: its headers and body."""
    body = json.dumps(WORKLOADS[operation], separators=(",", ":"))
    request = AWSRequest("POST", url + "/", data=body, headers={
        "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"DynamoDB_20120810.{operation}"})
    SigV4Auth(Credentials(key, secret), "dynamodb", REGION).add_auth(request)
    headers = dict(request.headers.items())
    check = urllib.request.Request(url + "/", data=body.encode(), headers=headers)
    answer = json.load(urllib.request.urlopen(check))
    assert {"GetItem": lambda: "Item" in answer, "Query": lambda: answer["Count"] == QUERY,
            "BatchGetItem": lambda: len(answer["Responses"][TABLE]) == BATCH}[operation](), answer
    return headers, body


def script(folder, operation, headers, body):
    path = pathlib.Path(folder) / f"{operation}-{len(list(pathlib.Path(folder).glob('*.lua')))}.lua"
    lines = [f'wrk.headers["{name}"]="{value}"' for name, value in headers.items()]
    path.write_text("\n".join(['wrk.method="POST"', *lines, f"wrk.body=[[{body}]]"]))
    return path


def measure(folder, mode, url, pid, key, secret, floor, wanted):
    fill(url, key, secret)
    items = {}
    for operation in WORKLOADS:
        if wanted and operation not in wanted:
            continue
        lua = script(folder, operation, *signed(url, operation, key, secret))
        for connections in (1, 32) if operation == "GetItem" else (32,):
            rate = compare(f"{operation}, signatures {mode}", (url, lua, [pid]), (floor[0], lua, floor[1]), connections)
            items[operation] = (rate or 0) * {"GetItem": 1, "Query": QUERY, "BatchGetItem": BATCH}[operation]
    if {"GetItem", "BatchGetItem"} <= items.keys() and items["GetItem"]:
        print(f"BatchGetItem of {BATCH}, signatures {mode}: {items['BatchGetItem'] / items['GetItem']:.1f}x GetItem's items a second")


def main():
    wanted = set(sys.argv[1:]) & set(WORKLOADS)
    modes = set(sys.argv[1:]) & {"off", "on"} or {"off", "on"}
    print(f"items of {ITEM_BYTES} bytes, {BATCH} in one partition; {THREADS} I/O threads and nginx workers; reads only, writes relaxed")
    with tempfile.TemporaryDirectory() as folder, nginx(folder) as floor:
        if "off" in modes:
            platform = Platform(BINARY, pathlib.Path(folder) / "dev", "--empty", "--threads", str(THREADS))
            try:
                time.sleep(1)
                measure(folder, "off", platform.url, platform.process.pid, "000000000000", "any", floor, wanted)
            finally:
                platform.stop()
        if "on" in modes:
            with serve(pathlib.Path(folder) / "serve") as (url, pid, key, secret):
                time.sleep(1)
                measure(folder, "on", url, pid, key, secret, floor, wanted)


main()

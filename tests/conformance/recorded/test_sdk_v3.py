"""The AWS SDK for JavaScript v3, from outside the platform: lambda, s3, dynamodb with its DocumentClient, sts, cloudformation, logs."""
import json

import clients
from conftest import Platform


def test_everyday_use(binary, tmp_path):
    clients.prepare(tmp_path)
    platform = Platform(binary, tmp_path / "data", "--empty")
    try:
        out = json.loads(clients.run_sdk_v3(tmp_path, platform.url))
    finally:
        platform.stop()
    assert out == {
        "account": "111122223333",
        "updated": {"n": 6}, "item": {"p": "a", "s": 1, "list": [1, "b", None, {"c": True}], "set": ["x", "y"]}, "query": [3, 2], "batch": [{"p": "b", "s": 1}],
        "scanned": 4, "condition": "ConditionalCheckFailedException",
        "head": [5, "text/plain", "red"], "object": "hello", "range": "el", "listed": ["folder/a b.txt"], "missing": "NoSuchKey",
        "invoked": {"text": "hello ada"}, "logged": True, "failed": "Unhandled", "updatedFunction": {"text": "good day bob"}, "runtime": "nodejs22.x",
        "functions": ["sdk-v3"],
        "stack": ["CREATE_COMPLETE", ["Table"]], "resources": ["AWS::DynamoDB::Table", "AWS::IAM::Role"],
        "streams": ["one"], "events": ["first line", "second"], "filtered": ["second"],
    }

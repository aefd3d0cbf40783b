"""Requests that no SDK sends: other methods, content types, targets; and the checksum of answers; runs against any DynamoDB endpoint
with --endpoint. Source: dynalite's test/connection.js, which compares with the service."""
import binascii
import http.client  # adds no content type of its own
import json
import urllib.parse

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

JSON, TARGET = {"Content-Type": "application/x-amz-json-1.0"}, {"X-Amz-Target": "DynamoDB_20120810.ListTables"}
UNKNOWN, SERIALIZATION = "com.amazon.coral.service#UnknownOperationException", "com.amazon.coral.service#SerializationException"


@pytest.fixture
def send(client):
    """send(method, headers, body): status, headers and body of what a signed request is answered."""
    dynamodb = client("dynamodb")
    signer = SigV4Auth(dynamodb._request_signer._credentials, "dynamodb", dynamodb.meta.region_name)

    def call(method, headers, body):
        request = AWSRequest(method, dynamodb.meta.endpoint_url + "/", headers=headers, data=body)
        signer.add_auth(request)
        target = urllib.parse.urlparse(dynamodb.meta.endpoint_url)
        connection = (http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection)(target.netloc, timeout=30)
        connection.request(method, "/", body, dict(request.headers.items()))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    return call


@pytest.mark.parametrize("method, headers, body", [
    ("GET", {}, b""), ("PUT", {}, b""), ("DELETE", {}, b""), ("GET", {**JSON, **TARGET}, b""), ("PUT", {**JSON, **TARGET}, b"{}"),
    ("POST", {}, b"hi"), ("POST", TARGET, b"{}"), ("POST", {**TARGET, "Content-Type": "text/plain"}, b"{}"),
    ("POST", {**TARGET, "Content-Type": "application/x-amz-json-1.1"}, b"{}"), ("POST", {"Content-Type": "whatever"}, b"hi")])
def test_what_is_no_json_post(send, method, headers, body):
    assert send(method, headers, body)[0] == 404


@pytest.mark.parametrize("headers, body, kind", [
    (JSON, b"hi", SERIALIZATION), ({"Content-Type": "application/json"}, b"hi", SERIALIZATION), (JSON, b"{}", UNKNOWN),
    ({**JSON, "X-Amz-Target": "whatever"}, b"{}", UNKNOWN), ({**JSON, "X-Amz-Target": "DynamoDB_20120810.ListTable"}, b"{}", UNKNOWN),
    ({**JSON, "X-Amz-Target": "DynamoDB_20120810."}, b"{}", UNKNOWN), ({**JSON, **TARGET}, b"{", SERIALIZATION), ({**JSON, **TARGET}, b"[]", SERIALIZATION),
    ({**JSON, **TARGET}, b'{"Limit":"x"}', SERIALIZATION)])
def test_json_that_is_no_request(send, headers, body, kind):
    status, answered, text = send("POST", headers, body)
    assert (status, json.loads(text)["__type"]) == (400, kind)
    assert answered["X-Amz-Crc32"] == str(binascii.crc32(text))


def test_checksum_of_answers_and_errors(send, table):
    for body in (b"{}", json.dumps({"TableName": table}).encode(), b'{"TableName":"no-such-table"}', b'{"TableName":"a"}'):
        status, answered, text = send("POST", {**JSON, "X-Amz-Target": "DynamoDB_20120810.DescribeTable"}, body)
        assert answered["X-Amz-Crc32"] == str(binascii.crc32(text)) and status in (200, 400)
        assert answered["Content-Type"] == "application/x-amz-json-1.0" and len(answered["x-amzn-RequestId"]) == 52


def test_a_character_set_makes_no_difference(send):
    assert send("POST", {**TARGET, "Content-Type": "application/x-amz-json-1.0; charset=UTF-8"}, b"{}")[0] == 200

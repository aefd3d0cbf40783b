"""Every listed operation's minimal and maximal input through stock botocore: its serializer makes the request, our
interpreter must read back the same members; a maximal output through our writer, botocore's parser must read the same.

Run: PARVIS_PROBE=build/<preset>/src/aws/parvis_protocol_probe pytest tests/conformance/protocols
(parvis_protocol_probe_small takes src/aws/testing/operations.json with PARVIS_LISTS). Needs no network and no server.
"""
import base64
import datetime
import glob
import hashlib
import json
import os
import subprocess

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize
import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
PROBE = os.environ.get("PARVIS_PROBE")
LISTS = os.environ.get("PARVIS_LISTS")
LOADER = botocore.loaders.Loader(include_default_extras=False)  # the models alone, as the generator reads them
TIME = datetime.datetime(2026, 11, 23, 10, 0, 0, tzinfo=datetime.timezone.utc)


def listed():
    for path in [LISTS] if LISTS else sorted(glob.glob(f"{ROOT}/src/services/*/operations.json")):
        with open(path) as file:
            specs = json.load(file)
        for spec in specs if isinstance(specs, list) else [specs]:
            for operation in spec["operations"]:
                yield spec["model"], operation


@pytest.fixture(scope="module")
def probe():
    if not PROBE:
        pytest.skip("PARVIS_PROBE names no program")
    process = subprocess.Popen([PROBE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(message):
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield ask
    process.stdin.close()
    assert process.wait(10) == 0


def text_for(shape):
    """A string that keeps the shape's constraints, as far as a simple rule finds one."""
    if shape.enum:
        return shape.enum[0]
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 2**31)
    account = "123456789012"
    for text in ("travel", "a", "arn:aws:iam::123456789012:role/travel", "/", "/travel/", account, "1", "$LATEST", "nodejs22.x",
                 "index.handler", "arn:aws:lambda:us-east-1:123456789012:function:travel", "lambda:InvokeFunction",
                 "arn:aws:lambda:us-east-1:123456789012:layer:travel:1", "arn:aws:sqs:us-east-1:123456789012:travel",
                 "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-01234567890123456", "/mnt/travel",
                 "arn:aws:kms:us-east-1:123456789012:key/1", "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-01234567890123456",
                 "sg-0", "vpc-0", "subnet-0", "o-0123456789", "apigateway.amazonaws.com", "https://travel.test/", "GET", "x" * 40,
                 "x" * 70, "arn:aws:s3files:us-east-1:123456789012:file-system/fs-01234567890123456/access-point/fsap-01234567890123456",
                 "arn:aws:lambda:us-east-1:123456789012:capacity-provider:travel", "arn:aws:secretsmanager:us-east-1:123456789012:secret:a"):
        if low <= len(text) <= high and matches(shape.metadata.get("pattern"), text):
            return text
    return None


def matches(pattern, text):
    import re
    if not pattern:
        return True
    try:
        return re.fullmatch(pattern.replace("\\p{L}\\p{Z}\\p{N}", "\\w "), text) is not None
    except re.error:
        return True


def sample(shape, full, depth=0):
    """(python value for botocore, the same as our probe prints it); None when the shape has no simple sample."""
    kind = shape.type_name
    if shape.name == "AttributeValue":  # a union in all but name
        return ({"M": {"a": {"L": [{"N": "1"}, {"BOOL": True}, {"SS": ["x"]}]}}},) * 2 if full else ({"S": "travel"},) * 2
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return {"a": 1}, {"a": 1}
        value, wire = {}, {}
        names = list(shape.members)
        if getattr(shape, "is_tagged_union", False):
            names = names[:1]
        for name in names:
            required = name in shape.required_members or getattr(shape, "is_tagged_union", False)
            if not required and (not full or depth > 4):
                continue
            if getattr(shape.members[name], "event_stream_name", None):
                continue
            item = sample(shape.members[name], full, depth + 1)
            if item is None:
                if required:
                    return None
                continue
            value[name], wire[name] = item
        return value, wire
    if kind == "list":
        item = sample(shape.member, full, depth + 1)
        count = max(1, shape.metadata.get("min", 1))
        return None if item is None else ([item[0]] * count, [item[1]] * count)
    if kind == "map":
        key, item = sample(shape.key, full, depth + 1), sample(shape.value, full, depth + 1)
        return None if key is None or item is None or shape.metadata.get("min", 0) > 1 else ({key[0]: item[0]}, {key[1]: item[1]})
    if kind in ("string", "character"):
        text = text_for(shape)
        return None if text is None else (text, text)
    if kind == "blob":
        return b"\x00ab", base64.b64encode(b"\x00ab").decode()
    if kind in ("integer", "long"):
        number = int(max(shape.metadata.get("min", 3), 1))
        return number, number
    if kind in ("double", "float"):
        number = float(shape.metadata.get("min", 1.5))
        return number, number
    if kind == "boolean":
        return True, True
    if kind == "timestamp":
        return TIME, TIME.timestamp()
    return None


def equal(want, got, path=""):
    """As ==, but a timestamp may be spelled in any of the three formats."""
    if isinstance(want, dict):
        assert isinstance(got, dict) and set(want) == set(got), f"{path}: {sorted(want)} != {sorted(got)}"
        for key in want:
            equal(want[key], got[key], f"{path}.{key}")
    elif isinstance(want, list):
        assert len(want) == len(got), path
        for i, (a, b) in enumerate(zip(want, got)):
            equal(a, b, f"{path}[{i}]")
    elif want == TIME.timestamp() and isinstance(got, str):
        assert got in ("2026-11-23T10:00:00Z", "Mon, 23 Nov 2026 10:00:00 GMT"), path
    else:
        if isinstance(want, bytes) and isinstance(got, str):  # botocore reads a payload as text where it can
            got = got.encode()
        assert want == got, f"{path}: {want!r} != {got!r}"


@pytest.mark.parametrize("full", [False, True], ids=["minimal", "maximal"])
@pytest.mark.parametrize("model,name", list(listed()))
def test_round_trip(probe, model, name, full):
    service = botocore.model.ServiceModel(LOADER.load_service_model(model, "service-2"), model)
    operation = service.operation_model(name)
    wanted_in = sample(operation.input_shape, full) if operation.input_shape else ({}, {})
    if wanted_in is None:
        pytest.skip("a required member has a pattern that no sample matches")
    wanted_out = sample(operation.output_shape, full) if operation.output_shape else ({}, {})
    if wanted_out is None:
        wanted_out = ({}, {})
    serializer = botocore.serialize.create_serializer(service.protocol, include_validation=True)
    request = serializer.serialize_to_request(wanted_in[0], operation)
    body = request["body"]
    if isinstance(body, dict):
        import urllib.parse
        body = urllib.parse.urlencode(body, doseq=True)
    body = body.encode() if isinstance(body, str) else body
    headers = {k: str(v) for k, v in request["headers"].items()}
    if "Content-MD5" in headers and not operation.has_streaming_input:  # of a document it must be the right one
        headers["Content-MD5"] = wanted_in[1]["ContentMD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
    signing = service.signing_name
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential=123456789012/20261123/us-east-1/{signing}/aws4_request, Signature=0"
    query = request.get("query_string") or {}
    target = request["url_path"]
    if query:
        import urllib.parse
        text = query if isinstance(query, str) else urllib.parse.urlencode(query, doseq=True)
        target += ("&" if "?" in target else "?") + text
    reply = probe({"method": request["method"], "target": target, "headers": headers,
                   "body": base64.b64encode(body).decode(), "output": wanted_out[1]})
    answer = base64.b64decode(reply["body"])
    assert reply["operation"] == name, (reply["status"], answer[:500])
    assert reply["ignored"] == []
    got = {k: v for k, v in reply["input"].items() if v != "" or k in wanted_in[1]}  # a stream is there also when empty
    equal(wanted_in[1], got)

    if (model, name) == ("s3", "GetBucketLocation"):
        # botocore mends this answer outside of its parser: the text of the root is the only member.
        assert b"<LocationConstraint" in answer and b"</LocationConstraint></" not in answer
        return
    parser = botocore.parsers.create_parser(service.protocol)
    # Events are read as they come, so they are no part of an answer's head; tests of the service read them.
    stream = operation.get_event_stream_output().name if operation.has_event_stream_output else None
    wanted_out[0].pop(next((n for n, m in operation.output_shape.members.items() if m.name == stream), None) if stream else None, None)
    parsed = parser.parse({"context": {"operation_name": name}, "status_code": reply["status"], "headers": botocore.compat.HTTPHeaders.from_dict(reply["headers"])
                           if hasattr(botocore.compat.HTTPHeaders, "from_dict") else reply["headers"],
                           "body": answer}, operation.output_shape)
    parsed.pop("ResponseMetadata", None)
    if stream:
        parsed = {n: v for n, v in parsed.items() if operation.output_shape.members[n].name != stream}
    # What every answer of the protocol has, wanted or not: a status, a content type, an empty body.
    for name in set(parsed) - set(wanted_out[0]):
        member = operation.output_shape.members[name] if operation.output_shape else None
        text = stripped(parsed[name])
        if text in ("", b"") or member.serialization.get("location") == "statusCode" or member.serialization.get("name") == "Content-Type":
            del parsed[name]
    equal(stripped(wanted_out[0]), stripped(parsed))


def stripped(value):
    """Without what no wire can carry: empty members, as XML has no spelling for an empty list."""
    if isinstance(value, dict):
        return {k: stripped(v) for k, v in value.items() if v not in ({}, [], None)}
    if isinstance(value, list):
        return [stripped(v) for v in value]
    if hasattr(value, "read"):
        return value.read()
    return value

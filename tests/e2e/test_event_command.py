"""`parvis event`: events of every source, in the shapes that AWS gives them. SAM CLI's own samples say which members there must be."""
import base64
import glob
import gzip
import hashlib
import json
import re
import subprocess

import pytest

from conftest import ROOT, Platform
from project import call, make_project, wait_for

SAMPLES = glob.glob(str(ROOT / "build/tools/sam/lib/python3*/site-packages/samcli/lib/generated_sample_events"))
# Containers whose members are the sender's own: their names say nothing about the source.
FREE = {"headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "userAttributes", "detail", "Keys", "NewImage", "OldImage",
        "messageAttributes", "MessageAttributes", "datasetRecords", "ResourceProperties", "arguments", "claims", "variables", "source"}
# What the samples have beyond what the service sends to every function, with the reason.
LEFT_OUT = {
    ("apigateway", "aws-proxy"): {"requestContext.authorizer"},  # routes without an authorizer have none
    ("apigateway", "http-api-proxy"): {"requestContext.authentication", "requestContext.authorizer", "stageVariables"},  # routes with client certificates, with authorizers; stages with variables
    ("apigateway", "request-authorizer"): {"requestContext.identity.clientCert"},  # APIs with mutual TLS
}


def parvis(binary, *arguments):
    return subprocess.run([binary, "event", *arguments], capture_output=True, text=True, timeout=20)


def event(binary, *arguments):
    done = parvis(binary, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def paths(value, at=""):
    """Where members are; all elements of a list count as one."""
    if isinstance(value, list):
        return set().union(*(paths(element, at) for element in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    out = set()
    for name, below in value.items():
        here = f"{at}.{name}" if at else name
        out |= {here} | (set() if name in FREE else paths(below, here))
    return out


def kinds(binary):
    return [tuple(line.split()[:2]) for line in parvis(binary).stdout.split("\n\n")[0].splitlines()]


def test_all_events_of_the_list_are_printed(binary):
    listed = kinds(binary)
    assert len(listed) == len(set(listed)) > 40
    for source, kind in listed:
        printed = parvis(binary, source, kind).stdout
        assert json.loads(printed) and "${" not in printed, (source, kind)


@pytest.mark.skipif(not SAMPLES, reason="the SAM CLI is not installed")
def test_members_are_those_of_sams_samples(binary):
    with open(f"{SAMPLES[0]}/event-mapping.json") as mapping:
        known = json.load(mapping)
    compared, missing = 0, {}
    for source, kind in kinds(binary):
        sample = known.get(source, {}).get(kind)
        if not sample:
            continue
        with open(f"{SAMPLES[0]}/events/{source}/{sample['filename']}.json") as text:
            theirs = json.loads(re.sub(r"\{\{\{?[^}]*\}?\}\}", "0", text.read()))
        lacking = paths(theirs) - paths(event(binary, source, kind)) - LEFT_OUT.get((source, kind), set())
        lacking = {path for path in lacking if not any(path.startswith(out + ".") for out in LEFT_OUT.get((source, kind), set()))}
        compared += 1
        if lacking:
            missing[source, kind] = sorted(lacking)
    assert not missing
    assert compared >= 20


def test_options_stand_where_they_belong(binary):
    put = event(binary, "s3", "put", "--bucket=mine", "--key=a b/ü.jpg", "--size=7", "--region=eu-west-1")["Records"][0]
    assert put["s3"]["bucket"] == {"name": "mine", "ownerIdentity": put["s3"]["bucket"]["ownerIdentity"], "arn": "arn:aws:s3:::mine"}
    assert (put["s3"]["object"]["key"], put["s3"]["object"]["size"], put["awsRegion"]) == ("a+b/%C3%BC.jpg", 7, "eu-west-1")
    message = event(binary, "sqs", "--body=hello")["Records"][0]
    assert (message["body"], message["md5OfBody"]) == ("hello", hashlib.md5(b"hello").hexdigest())
    record = event(binary, "kinesis", "get-records", "--data=hello")["Records"][0]
    assert base64.b64decode(record["kinesis"]["data"]) == b"hello"
    logs = event(binary, "cloudwatch", "logs", '--message=say "no"')
    inner = json.loads(gzip.decompress(base64.b64decode(logs["awslogs"]["data"])))
    assert (inner["messageType"], inner["logEvents"][0]["message"]) == ("DATA_MESSAGE", 'say "no"')
    rule = event(binary, "eventbridge", "rule", '--detail={"a": [1]}', "--source=mine")
    assert (rule["source"], rule["detail"]) == ("mine", {"a": [1]})
    request = event(binary, "apigateway", "aws-proxy", "--query=a=1&a=2&b=", "--body=")
    assert (request["queryStringParameters"], request["multiValueQueryStringParameters"], request["body"]) == ({"a": "2", "b": ""}, {"a": ["1", "2"], "b": [""]}, "")
    assert event(binary, "cognito", "pre-token-generation", "--username=eve")["triggerSource"] == "TokenGeneration_Authentication"


@pytest.mark.parametrize("arguments,said", [
    (["ftp"], "there is no event source ftp; there are apigateway"), (["s3", "get"], "s3 has no event get; it has put, delete"),
    (["s3", "put", "--bukket=a"], "this event has no --bukket; it has"), (["s3", "put", "--bucket"], "write options as --name=value"),
    (["s3", "put", "--size=big"], "--size=big: write a whole number"), (["eventbridge", "rule", "--detail={"], "--detail={: write it as JSON"),
])
def test_mistakes_are_named(binary, arguments, said):
    done = parvis(binary, *arguments)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr


def test_events_reach_functions_and_look_as_those_of_the_platform(binary, tmp_path):
    project = make_project(tmp_path / "project")
    (project / "src/hello.ts").write_text("export const handler = async (event: any) => ({ statusCode: 200, body: JSON.stringify(event) });\n")
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("      Timeout: 5\n", "      Timeout: 5\n      FunctionUrlConfig: {AuthType: NONE}\n").replace(
        "      Events:\n", "      Events:\n        Rest: {Type: Api, Properties: {Path: \"/notes/{id}\", Method: put}}\n"))
    platform = Platform(binary, tmp_path / "data", str(project))
    try:
        urls = wait_for(lambda: re.findall(r"function  (http://\S+)", platform.output()))
        rest, http = (next(found) for found in (re.finditer(rf"\({kind} API, stage \S+\)\n(?:\s+[A-Z]+ +http\S+\n)*?\s+PUT +(http://[^/]+)", platform.output()) for kind in ("REST", "HTTP")))
        for url, made in ((rest[1] + "/notes/7", ("apigateway", "aws-proxy")), (urls[0].rstrip("/") + "/notes/7", ("function-url", "request"))):
            _, real = call(url + "?lang=en", "PUT", "text", {"Cookie": "session=abc"})
            assert paths(event(binary, *made)) == paths(real), made
        _, real = call(f"{http[1]}/notes/7?lang=en", "PUT", "text", {"Cookie": "session=abc"})
        made = parvis(binary, "apigateway", "http-api-proxy").stdout
        assert paths(json.loads(made)) == paths(real)
        done = subprocess.run([binary, "invoke", "Hello", "-e", "-", "--endpoint-url", f"http://127.0.0.1:{platform.port}"], input=made, capture_output=True, text=True, timeout=30)
        assert json.loads(json.loads(done.stdout)["body"]) == json.loads(made), done.stderr
    finally:
        platform.stop()

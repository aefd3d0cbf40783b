"""Function URLs: configuration, events, answers, CORS, signatures, streaming."""
import http.client
import json
import time
import urllib.parse

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from lambda_support import answer, fails, make, package

ORIGIN = "https://shop.example.com"
ECHO = """exports.handler = async (event) => {
  if (event.rawPath === '/fails') throw new Error('boom');
  if (event.rawPath === '/plain') return { a: 1 };
  if (event.rawPath === '/odd') return { statusCode: 'many' };
  return { statusCode: 201, headers: { 'x-one': 'a', 'access-control-allow-origin': 'nobody' }, cookies: ['c=1'],
           body: Buffer.from(JSON.stringify(event)).toString('base64'), isBase64Encoded: true };
};"""
STREAM = """exports.handler = awslambda.streamifyResponse(async (event, out) => {
  out = awslambda.HttpResponseStream.from(out, { statusCode: 202, headers: { 'content-type': 'text/x-parts', 'x-two': 'b' } });
  out.write('first ');
  await new Promise((go) => setTimeout(go, 400));
  out.write('second');
  out.end();
});"""


@pytest.fixture
def functions(client):
    return client("lambda")


@pytest.fixture(scope="module")
def shared(client):
    functions = client("lambda")
    make(functions, "url-echo", package(ECHO))
    functions.add_permission(FunctionName="url-echo", StatementId="all", Action="lambda:InvokeFunctionUrl", Principal="*", FunctionUrlAuthType="NONE")
    url = functions.create_function_url_config(
        FunctionName="url-echo", AuthType="NONE",
        Cors={"AllowOrigins": [ORIGIN], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["x-a"], "ExposeHeaders": ["x-one"], "MaxAge": 60, "AllowCredentials": True})
    yield url["FunctionUrl"]
    functions.delete_function(FunctionName="url-echo")


def request(url, method="GET", path="", body=None, headers=None):
    at = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
    connection = kind(at.hostname, at.port, timeout=20)
    connection.request(method, at.path.rstrip("/") + (path or "/"), body=body, headers=headers or {})
    return connection.getresponse()


def test_configuration(functions):
    make(functions, "url-config", answer("x"), Publish=True)
    functions.create_alias(FunctionName="url-config", Name="live", FunctionVersion="1")
    name = {"FunctionName": "url-config"}
    fails(functions.get_function_url_config, "ResourceNotFoundException", "does not exist", **name)
    made = functions.create_function_url_config(AuthType="AWS_IAM", **name)
    assert made["AuthType"] == "AWS_IAM" and made["InvokeMode"] == "BUFFERED" and made["FunctionArn"].endswith(":url-config")
    fails(functions.create_function_url_config, "ResourceConflictException", "FunctionUrlConfig exists", AuthType="NONE", **name)
    fails(functions.create_function_url_config, "ValidationException", "", AuthType="NONE", Qualifier="$LATEST", **name)
    fails(functions.create_function_url_config, "ResourceNotFoundException", "Function does not exist", AuthType="NONE", Qualifier="none", **name)
    alias = functions.create_function_url_config(AuthType="NONE", Qualifier="live", InvokeMode="RESPONSE_STREAM", **name)
    assert alias["FunctionArn"].endswith(":url-config:live") and alias["FunctionUrl"] != made["FunctionUrl"]
    changed = functions.update_function_url_config(AuthType="NONE", Cors={"AllowOrigins": ["*"]}, **name)
    assert changed["AuthType"] == "NONE" and changed["FunctionUrl"] == made["FunctionUrl"] and changed["Cors"] == {"AllowOrigins": ["*"]}
    listed = functions.list_function_url_configs(**name)["FunctionUrlConfigs"]
    assert sorted(u["FunctionArn"].rsplit(":", 1)[1] for u in listed) == ["live", "url-config"]
    functions.delete_function_url_config(Qualifier="live", **name)
    fails(functions.get_function_url_config, "ResourceNotFoundException", "", Qualifier="live", **name)
    assert request(alias["FunctionUrl"]).status in (403, 404)
    functions.delete_function(**name)
    assert request(made["FunctionUrl"]).status in (403, 404)


def test_the_event(shared):
    got = request(shared, "POST", "/a%20b/c?x=1&x=2&y=%C3%A4", b'{"n":1}', {"Content-Type": "application/json", "X-A": "v", "Cookie": "k=1; l=2"})
    assert got.status == 201 and got.getheader("x-one") == "a" and got.getheader("set-cookie") == "c=1"
    event = json.loads(got.read())
    assert event["version"] == "2.0" and event["routeKey"] == "$default" and event["rawPath"] == "/a%20b/c" and event["rawQueryString"] == "x=1&x=2&y=%C3%A4"
    assert event["queryStringParameters"] == {"x": "1,2", "y": "ä"} and event["cookies"] == ["k=1", "l=2"] and event["headers"]["x-a"] == "v"
    assert event["body"] == '{"n":1}' and event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["accountId"] == "anonymous" and context["http"]["method"] == "POST" and context["stage"] == "$default" and "authorizer" not in context
    assert context["domainName"].startswith(context["domainPrefix"] + ".lambda-url.") and context["apiId"] == context["domainPrefix"]
    binary = json.loads(request(shared, "POST", "/", b"\xff\x00", {"Content-Type": "application/octet-stream"}).read())
    assert (binary["body"], binary["isBase64Encoded"]) == ("/wA=", True)


def test_answers(shared):
    plain = request(shared, path="/plain")
    assert plain.status == 200 and plain.getheader("content-type") == "application/json" and json.loads(plain.read()) == {"a": 1}
    for path in ("/fails", "/odd"):
        assert request(shared, path=path).status == 502


def test_cors(shared):
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-a"}
    got = request(shared, "OPTIONS", headers=asked)
    assert got.status == 200 and got.getheader("access-control-allow-origin") == ORIGIN and got.getheader("access-control-max-age") == "60"
    assert "POST" in got.getheader("access-control-allow-methods") and got.getheader("access-control-allow-headers") == "x-a"
    assert request(shared, "OPTIONS", headers={**asked, "Origin": "https://evil.example.com"}).getheader("access-control-allow-origin") is None
    plain = request(shared, headers={"Origin": ORIGIN})
    assert plain.getheader("access-control-allow-origin") == ORIGIN and plain.getheader("access-control-allow-credentials") == "true"
    assert plain.getheader("access-control-expose-headers") == "x-one"
    assert request(shared, headers={"Origin": "https://evil.example.com"}).getheader("access-control-allow-origin") is None


def test_signatures(functions):
    make(functions, "url-signed", package(ECHO))
    url = functions.create_function_url_config(FunctionName="url-signed", AuthType="AWS_IAM")["FunctionUrl"]
    assert request(url).status == 403
    credentials = functions._request_signer._credentials
    signed = AWSRequest("GET", url + "x", headers={})
    SigV4Auth(credentials, "lambda", functions.meta.region_name).add_auth(signed)
    got = request(url, path="/x", headers=dict(signed.headers))
    assert got.status == 201
    assert json.loads(got.read())["requestContext"]["authorizer"]["iam"]["accessKey"] == credentials.access_key
    functions.delete_function(FunctionName="url-signed")


def test_streaming(functions):
    make(functions, "url-stream", package(STREAM))
    url = functions.create_function_url_config(FunctionName="url-stream", AuthType="NONE", InvokeMode="RESPONSE_STREAM")["FunctionUrl"]
    request(url).read()  # warm
    start = time.monotonic()
    got = request(url)
    first = got.read(6)
    early = time.monotonic() - start
    assert (got.status, got.getheader("content-type"), got.getheader("x-two")) == (202, "text/x-parts", "b")
    assert first == b"first " and got.read() == b"second"
    assert early < 0.35 < time.monotonic() - start, "the first part comes before the function ends"
    functions.delete_function(FunctionName="url-stream")


def test_the_stream_of_the_api(functions):
    make(functions, "api-stream", package("""exports.handler = awslambda.streamifyResponse(async (event, out) => {
      console.log('seen'); out.write('one'); if (event.fail) throw new Error('boom'); out.write(event.text); out.end(); });"""))
    out = functions.invoke_with_response_stream(FunctionName="api-stream", Payload=b'{"text":"two"}', LogType="Tail")
    assert out["StatusCode"] == 200 and out["ExecutedVersion"] == "$LATEST"
    events = list(out["EventStream"])
    assert b"".join(e["PayloadChunk"]["Payload"] for e in events if "PayloadChunk" in e) == b"onetwo"
    complete = events[-1]["InvokeComplete"]
    assert "ErrorCode" not in complete and complete["LogResult"]
    failed = list(functions.invoke_with_response_stream(FunctionName="api-stream", Payload=b'{"fail":true}')["EventStream"])[-1]["InvokeComplete"]
    assert failed["ErrorCode"] and "boom" in failed["ErrorDetails"]
    fails(functions.invoke_with_response_stream, "ResourceNotFoundException", "Function not found", FunctionName="none")
    make(functions, "api-buffered", answer("x"))
    events = list(functions.invoke_with_response_stream(FunctionName="api-buffered")["EventStream"])
    assert json.loads(b"".join(e["PayloadChunk"]["Payload"] for e in events if "PayloadChunk" in e))["text"] == "x"
    for name in ("api-stream", "api-buffered"):
        functions.delete_function(FunctionName=name)

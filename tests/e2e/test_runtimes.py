"""Functions of runtimes other than Node.js, deployed and called with stock boto3."""
import json
import os
import pathlib

import pytest
from packages import zip_of

BOOTSTRAP = """#!/usr/bin/python3
import http.client, os
api = os.environ['AWS_LAMBDA_RUNTIME_API']
while True:
    connection = http.client.HTTPConnection(api)
    connection.request('GET', '/2018-06-01/runtime/invocation/next')
    call = connection.getresponse()
    body = call.read()
    connection.request('POST', f"/2018-06-01/runtime/invocation/{call.headers['Lambda-Runtime-Aws-Request-Id']}/response", b'{"got":' + body + b'}')
    connection.getresponse().read()
"""


@pytest.mark.parametrize("runtime, handler, file, text", [
    ("python3.12", "app.handler", "app.py", "def handler(event, context):\n    return {'got': event}\n"),
    ("provided.al2023", "unused", "bootstrap", BOOTSTRAP)])
def test_a_function_answers(empty, runtime, handler, file, text):
    functions = empty.client("lambda")
    name = "runtime-" + runtime.replace(".", "-")
    functions.create_function(FunctionName=name, Runtime=runtime, Handler=handler, Role="arn:aws:iam::111122223333:role/any",
                              Code={"ZipFile": zip_of({file: text})})
    for number in range(2):
        answer = functions.invoke(FunctionName=name, Payload=json.dumps({"n": number}))
        assert json.load(answer["Payload"]) == {"got": {"n": number}}
        assert "FunctionError" not in answer


@pytest.mark.parametrize("major", [18, 20, 22, 24])
def test_node_runs_on_its_own_major_version(empty, binary, major):
    """CommonJS, ES modules with top-level await, and the SDK of the platform, on each Node.js that script/setup --runtimes installs."""
    tools = pathlib.Path(os.environ.get("PARVIS_TOOLS") or pathlib.Path(__file__).resolve().parents[2] / "build/tools")
    if major != 22 and not (tools / f"runtimes/node_modules/node{major}/bin/node").exists():
        pytest.skip(f"Node.js {major} is not installed (script/setup --runtimes)")
    functions = empty.client("lambda")
    for kind, file, text in (("cjs", "index.js", "const sdk = require('@aws-sdk/client-dynamodb');\nexports.handler = async () => [process.versions.node, typeof sdk.DynamoDBClient];"),
                             ("esm", "index.mjs", "const start = await Promise.resolve(process.versions.node);\nexport const handler = async () => [start, 'function'];")):
        name = f"node-{major}-{kind}"
        functions.create_function(FunctionName=name, Runtime=f"nodejs{major}.x", Handler="index.handler", Role="arn:aws:iam::111122223333:role/any", Timeout=10, Code={"ZipFile": zip_of({file: text})})
        answer = json.load(functions.invoke(FunctionName=name)["Payload"])
        assert answer[0].split(".")[0] == str(major) and answer[1] == "function", answer


@pytest.mark.parametrize("runtime, part", [("dotnet8", "provided.al2023"), ("ruby3.3", "provided.al2023"), ("nodejs16.x", "no longer supported")])
def test_a_runtime_that_cannot_be_had_is_refused_by_name(empty, runtime, part):
    functions = empty.client("lambda")
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match=part) as refused:
        functions.create_function(FunctionName="missing-" + runtime.replace(".", "-"), Runtime=runtime, Handler="example.Handler", Role="arn:aws:iam::111122223333:role/any", Code={"ZipFile": zip_of({"x": ""})})
    assert runtime in str(refused.value)

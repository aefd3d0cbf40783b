"""Functions of runtimes other than Node.js, deployed and called with stock boto3."""
import io
import json
import zipfile

import pytest

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


def archive(name, text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o755 << 16
        file.writestr(entry, text)
    return out.getvalue()


@pytest.mark.parametrize("runtime, handler, file, text", [
    ("python3.12", "app.handler", "app.py", "def handler(event, context):\n    return {'got': event}\n"),
    ("provided.al2023", "unused", "bootstrap", BOOTSTRAP)])
def test_a_function_answers(empty, runtime, handler, file, text):
    functions = empty.client("lambda")
    name = "runtime-" + runtime.replace(".", "-")
    functions.create_function(FunctionName=name, Runtime=runtime, Handler=handler, Role="arn:aws:iam::111122223333:role/any",
                              Code={"ZipFile": archive(file, text)})
    for number in range(2):
        answer = functions.invoke(FunctionName=name, Payload=json.dumps({"n": number}))
        assert json.load(answer["Payload"]) == {"got": {"n": number}}
        assert "FunctionError" not in answer

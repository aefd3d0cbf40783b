"""The Extensions and Telemetry APIs: an extension of a layer beside a function of each kind of runtime. The extension is a script whose steps the test writes; it
tells what it saw in files of the test, so these tests run without a sandbox (tests/e2e/test_sandbox_runtimes.py has one with)."""
import json
import time

import pytest
from lambda_support import ROLE
from packages import zip_of
from project import wait_for

HTTP = """#!/usr/bin/python3
import http.client, json, os, sys, time
api = os.environ['AWS_LAMBDA_RUNTIME_API']
def request(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(api)
    connection.request(method, path, body, headers)
    got = connection.getresponse()
    text = got.read().decode()
    return got.status, json.loads(text) if text[:1] in '{["' else text, got.headers
"""
BOOTSTRAP = HTTP + """
while True:
    _, event, headers = request('GET', '/2018-06-01/runtime/invocation/next')
    print('working', flush=True)
    request('POST', f"/2018-06-01/runtime/invocation/{headers['Lambda-Runtime-Aws-Request-Id']}/response", json.dumps(event))
"""
NODE = "exports.handler = async (event) => { console.log('working'); return event; };"
PYTHON = "def handler(event, context):\n    print('working')\n    return event\n"
CODE = {"provided.al2023": {"bootstrap": BOOTSTRAP}, "nodejs22.x": {"hand.js": NODE}, "python3.12": {"hand.py": PYTHON}}
each_runtime = pytest.mark.parametrize("runtime", CODE)
EXTENSION = HTTP + """
FOLDER = FOLDER_HERE
def tell(what):
    with open(FOLDER + '/seen', 'a') as file: file.write(json.dumps(what) + '\\n')
def register(events, name=os.path.basename(sys.argv[0]), **more):
    status, body, headers = request('POST', '/2020-01-01/extension/register', json.dumps({'events': events}), {'Lambda-Extension-Name': name, **more})
    return status, body, {'Lambda-Extension-Identifier': headers.get('Lambda-Extension-Identifier') or ''}
def next_event(who): return request('GET', '/2020-01-01/extension/event/next', None, who)[:2]
STEPS_HERE
"""


@pytest.fixture
def deploy(empty, tmp_path):
    functions = empty.client("lambda", read_timeout=60)
    made = []

    def make(runtime="provided.al2023", **extensions):
        name = f"extended-{len(made)}-{time.time_ns()}"
        text = {f"extensions/{key}": EXTENSION.replace("FOLDER_HERE", repr(str(tmp_path))).replace("STEPS_HERE", steps) for key, steps in extensions.items()}
        layer = functions.publish_layer_version(LayerName=name, Content={"ZipFile": zip_of(text)})["LayerVersionArn"]
        functions.create_function(FunctionName=name, Runtime=runtime, Handler="hand.handler", Role=ROLE, Timeout=5, Layers=[layer], Code={"ZipFile": zip_of(CODE[runtime])})
        made.append(name)

        def call(event):
            got = functions.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
            return json.loads(got["Payload"].read()), got
        call.name = name
        call.delete = lambda: functions.delete_function(FunctionName=made.pop(made.index(name)))
        call.seen = lambda: [json.loads(line) for line in (tmp_path / "seen").read_text().splitlines()] if (tmp_path / "seen").exists() else []
        return call
    make.client = functions
    yield make
    for name in made:
        functions.delete_function(FunctionName=name)


@each_runtime
def test_an_extension_is_told_of_calls_and_of_the_end(deploy, runtime):
    call = deploy(runtime, watcher="""
status, body, who = register(['INVOKE', 'SHUTDOWN'], **{'Lambda-Extension-Accept-Feature': 'accountId'})
tell(['registered', status, body])
while True:
    status, event = next_event(who)
    tell(['event', status, event])
    if event['eventType'] == 'SHUTDOWN':
        time.sleep(0.2); tell(['bye']); break
""")
    assert call({"n": 1})[0] == {"n": 1} and call({"n": 2})[0] == {"n": 2}
    assert wait_for(lambda: len(call.seen()) == 3, 6), call.seen()  # the answer does not wait for it
    seen = call.seen()
    assert seen[0] == ["registered", 200, {"functionName": call.name, "functionVersion": "$LATEST", "handler": "hand.handler", "accountId": "111122223333"}]
    events = [entry[2] for entry in seen[1:]]
    assert [event["eventType"] for event in events] == ["INVOKE", "INVOKE"]
    first = events[0]
    assert first["invokedFunctionArn"].endswith(":function:" + call.name) and len(first["requestId"]) == 36
    assert first["tracing"]["type"] == "X-Amzn-Trace-Id" and first["tracing"]["value"].startswith("Root=1-")
    assert 0 < first["deadlineMs"] - time.time() * 1000 <= 5000
    call.delete()
    assert wait_for(lambda: ["bye"] in call.seen(), 6), call.seen()
    last = call.seen()[-2][2]
    assert last["eventType"] == "SHUTDOWN" and last["shutdownReason"] == "spindown" and 0 < last["deadlineMs"] - time.time() * 1000 + 1000 <= 3000


@each_runtime
def test_the_environment_is_used_again_when_the_extension_is_done(deploy, runtime):
    """The answer does not wait for the extension; the next call of this environment does, or another environment takes it."""
    call = deploy(runtime, slow="""
status, body, who = register(['INVOKE'])
tell(['up'])
while True:
    next_event(who); time.sleep(0.5); tell(['worked'])
""")
    call({})
    assert call.seen() == [["up"]]
    call({})
    seen = call.seen()
    assert ["worked"] in seen or seen == [["up"], ["up"]]
    assert wait_for(lambda: call.seen().count(["worked"]) == 2, 6)
    time.sleep(0.1)
    start = time.monotonic()
    call({})
    assert time.monotonic() - start < 0.3


@pytest.mark.parametrize("name, step, want", [
    ("no_name", "request('POST', '/2020-01-01/extension/register', '{}')[:2]", [403, "Extension.InvalidExtensionName"]),
    ("no_json", "request('POST', '/2020-01-01/extension/register', 'x', {'Lambda-Extension-Name': 'other'})[:2]", [403, "InvalidRequestFormat"]),
    ("unknown_event", "register(['DANCE'], name='other')[:2]", [403, "Extension.InvalidEventType"]),
    ("shutdown_of_an_internal_one", "register(['SHUTDOWN'], name='other')[:2]", [403, "Extension.InvalidEventType"]),
    ("twice", "register(['INVOKE'])[:2]", [403, "Extension.InvalidExtensionState"]),
    ("no_identifier", "next_event({})", [403, "Extension.MissingExtensionIdentifier"]),
    ("foreign_identifier", "next_event({'Lambda-Extension-Identifier': '7e9b2d3c-0000-4000-8000-000000000000'})", [403, "Extension.UnknownExtensionIdentifier"]),
    ("error_without_type", "request('POST', '/2020-01-01/extension/exit/error', '{}', who)[:2]", [403, "Extension.MissingHeader"]),
    ("logs_api", "request('PUT', '/2020-08-15/logs', '{}', who)[:2]", [403, "Logs.NotSupported"]),
    ("telemetry_schema", "request('PUT', '/2022-07-01/telemetry', json.dumps({'schemaVersion': '1'}), who)[:2]", [400, "ValidationError"]),
    ("telemetry_elsewhere", "request('PUT', '/2022-07-01/telemetry', json.dumps({'schemaVersion': '2022-12-13', 'types': ['platform'], 'destination': {'protocol': 'HTTP', 'URI': 'http://169.254.169.254:80'}}), who)[:2]", [400, "ValidationError"]),
    ("telemetry_user_info", "request('PUT', '/2022-07-01/telemetry', json.dumps({'schemaVersion': '2022-12-13', 'types': ['platform'], 'destination': {'protocol': 'HTTP', 'URI': 'http://localhost:80@evil/'}}), who)[:2]", [400, "ValidationError"]),
    ("telemetry_tcp", "request('PUT', '/2022-07-01/telemetry', json.dumps({'schemaVersion': '2022-12-13', 'types': ['platform'], 'destination': {'protocol': 'TCP', 'port': 80}}), who)[:2]", [400, "ValidationError"]),
    ("telemetry_buffering", "request('PUT', '/2022-07-01/telemetry', json.dumps({'schemaVersion': '2022-12-13', 'types': ['platform'], 'buffering': {'timeoutMs': 1}, 'destination': {'protocol': 'HTTP', 'URI': 'http://sandbox:4243'}}), who)[:2]", [400, "ValidationError"]),
    ("no_such_path", "[request('GET', '/2020-01-01/extension/elsewhere', None, who)[0], {}]", [404, None])])
def test_what_does_not_fit_is_refused_and_the_call_goes_on(deploy, name, step, want):
    call = deploy(odd=f"""
_, _, who = register(['INVOKE'])
status, body = {step}
tell([status, body.get('errorType') if isinstance(body, dict) else body])
while True: next_event(who)
""")
    assert call({"n": 1})[0] == {"n": 1}
    assert call.seen() == [want]


def test_registration_is_closed_after_init(deploy):
    call = deploy(late="""
_, _, who = register(['INVOKE'])
next_event(who)
status, body, _ = register(['INVOKE'], name='later')
tell([status, body['errorType']])
status, body, _ = request('PUT', '/2022-07-01/telemetry', json.dumps({}), who)
tell([status, body['errorType']])
while True: next_event(who)
""")
    call({})
    assert wait_for(lambda: len(call.seen()) == 2, 6) and call.seen() == [[403, "Extension.RegistrationClosed"], [403, "Telemetry.SubscriptionClosed"]]


@each_runtime
@pytest.mark.parametrize("steps, kind, part", [
    ("_, _, who = register(['INVOKE']); request('POST', '/2020-01-01/extension/init/error', '{}', {**who, 'Lambda-Extension-Function-Error-Type': 'My.Reason'}); time.sleep(9)", "My.Reason", "bad failed to initialize"),
    ("sys.exit(3)", "Extension.Crash", "extension bad exited with status 3")])
def test_an_extension_that_fails_at_init_fails_the_call(deploy, runtime, steps, kind, part):
    call = deploy(runtime, bad=steps)
    for _ in range(2):
        answer, got = call({})
        assert got["FunctionError"] == "Unhandled" and answer["errorType"] == kind and part in answer["errorMessage"], answer


@each_runtime
def test_an_extension_that_ends_takes_the_environment_with_it(deploy, runtime):
    call = deploy(runtime, bad="_, _, who = register(['INVOKE'])\ntell(['started'])\nnext_event(who)\nif len(open(FOLDER + '/seen').readlines()) == 1: sys.exit(4)\nwhile True: next_event(who)")
    call({})  # it ends while this call runs, or right after
    assert wait_for(lambda: call({"n": 1})[0] == {"n": 1}, 6) and call.seen() == [["started"], ["started"]]


@each_runtime
def test_telemetry_is_posted_in_batches(deploy, runtime):
    call = deploy(runtime, reader="""
import http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        for record in json.loads(self.rfile.read(int(self.headers['Content-Length']))): tell(record)
        self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
_, _, who = register(['INVOKE'])
status, body, _ = request('PUT', '/2022-07-01/telemetry', json.dumps({'schemaVersion': '2022-12-13', 'types': ['platform', 'function', 'extension'], 'buffering': {'timeoutMs': 25, 'maxItems': 1000, 'maxBytes': 262144},
  'destination': {'protocol': 'HTTP', 'URI': f'http://sandbox.localdomain:{server.server_port}/here'}}), who)
assert (status, body) == (200, 'OK'), body
print('extension speaks', flush=True)
while True: next_event(who)
""")
    _, got = call({"n": 1})
    records = lambda: {record["type"]: record for record in call.seen()}  # noqa: E731
    assert wait_for(lambda: "platform.report" in records(), 6), call.seen()
    seen = records()
    assert list(seen)[:2] == ["platform.initStart", "platform.telemetrySubscription"]
    assert {"platform.initRuntimeDone", "platform.start", "platform.runtimeDone", "platform.report", "function", "extension"} <= set(seen)
    assert seen["function"]["record"].strip().endswith("working") and seen["extension"]["record"] == "extension speaks" and seen["function"]["time"].endswith("Z")
    report = seen["platform.report"]["record"]
    assert report["status"] == "success" and report["requestId"] == seen["platform.start"]["record"]["requestId"] and report["metrics"]["memorySizeMB"] == 128
    import base64
    log = base64.b64decode(got["LogResult"]).decode()
    assert "working" in log and "extension speaks" in log and "\x01" not in log


WRAPPER = """#!/bin/bash
export FROM_WRAPPER=yes _HANDLER=hand.other
export RECEIVED="$*"
exec "$@"
"""


@pytest.mark.parametrize("runtime, file, code", [
    ("nodejs22.x", "hand.js", "exports.other = async (event) => ({ event, set: process.env.FROM_WRAPPER, given: process.env.RECEIVED, api: process.env.AWS_LAMBDA_RUNTIME_API, hidden: Object.keys(process.env).filter((n) => n.includes('PARVIS')) });"),
    ("python3.12", "hand.py", "import os\ndef other(event, context):\n    return {'event': event, 'set': os.environ['FROM_WRAPPER'], 'given': os.environ['RECEIVED'], 'api': os.environ['AWS_LAMBDA_RUNTIME_API'], 'hidden': [n for n in os.environ if 'PARVIS' in n]}\n")])
def test_a_wrapper_script_starts_the_runtime(empty, runtime, file, code):
    functions, name = empty.client("lambda"), f"wrapped-{time.time_ns()}"
    functions.create_function(FunctionName=name, Runtime=runtime, Handler="hand.handler", Role=ROLE, Timeout=5, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/start"}},
                              Code={"ZipFile": zip_of({file: code, "start": WRAPPER})})
    try:
        for n in range(2):
            got = functions.invoke(FunctionName=name, Payload=json.dumps(n))
            answer = json.load(got["Payload"])
            assert "FunctionError" not in got and answer["event"] == n and answer["set"] == "yes" and answer["hidden"] == [], answer
        program, *rest = answer["given"].split()
        assert program.startswith("/") and "client" in rest[-1] and answer["api"].startswith("127.0.0.1:"), answer
    finally:
        functions.delete_function(FunctionName=name)


def test_a_wrapper_that_is_not_there_fails_the_call(empty):
    functions, name = empty.client("lambda"), f"wrapped-{time.time_ns()}"
    functions.create_function(FunctionName=name, Runtime="nodejs22.x", Handler="hand.handler", Role=ROLE, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/missing"}}, Code={"ZipFile": zip_of({"hand.js": NODE})})
    got = functions.invoke(FunctionName=name, Payload="{}")
    answer = json.load(got["Payload"])
    functions.delete_function(FunctionName=name)
    assert got["FunctionError"] == "Unhandled" and answer["errorType"] == "Runtime.InvalidEntrypoint" and "/opt/missing" in answer["errorMessage"], answer

"""Extensions, wrapper scripts and Java inside the cells of functions, which have networks of their own: serve, as it runs by default."""
import json
import time

import pytest
from conftest import needs_namespaces
from java_code import java_package
from packages import zip_of
from test_sandbox import EXTENSION_CALLS, deploy_and_call, serve  # noqa: F401 (a fixture)

EXTENSION = EXTENSION_CALLS + """import http.server, threading
seen = []
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        seen.extend(record['type'] for record in json.loads(self.rfile.read(int(self.headers['Content-Length']))))
        self.send_response(200); self.end_headers()
        with open('/tmp/new', 'w') as file: json.dump({'types': seen, 'uid': os.getuid(), 'fds': sorted(os.listdir('/proc/self/fd'))}, file)
        os.replace('/tmp/new', '/tmp/seen')
    def log_message(self, *a): pass
_, _, headers = request('POST', '/2020-01-01/extension/register', '{"events":["INVOKE"]}', {'Lambda-Extension-Name': 'seer'})
who = {'Lambda-Extension-Identifier': headers['Lambda-Extension-Identifier']}
server = http.server.HTTPServer(('0.0.0.0', 4243), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
status, body, _ = request('PUT', '/2022-07-01/telemetry', json.dumps({'schemaVersion': '2022-12-13', 'types': ['platform', 'function'], 'buffering': {'timeoutMs': 25, 'maxItems': 1000, 'maxBytes': 262144},
  'destination': {'protocol': 'HTTP', 'URI': 'http://sandbox.localdomain:4243'}}), who)
assert status == 200, body
while True: request('GET', '/2020-01-01/extension/event/next', None, who)
"""
NODE = "const fs = require('fs'); exports.handler = async () => { console.log('working'); return fs.existsSync('/tmp/seen') ? JSON.parse(fs.readFileSync('/tmp/seen')) : { types: [] }; };"
PYTHON = "import json, os\ndef handler(event, context):\n    print('working')\n    return json.load(open('/tmp/seen')) if os.path.exists('/tmp/seen') else {'types': []}\n"


def until(call, holds):
    end = time.monotonic() + 10
    while not holds(answer := call()) and time.monotonic() < end:
        time.sleep(0.1)
    assert holds(answer), answer
    return answer


@needs_namespaces
@pytest.mark.parametrize("runtime, files", [("nodejs22.x", {"app.js": NODE}), ("python3.12", {"app.py": PYTHON})])
def test_an_extension_gets_telemetry_in_its_functions_own_network(serve, runtime, files):  # noqa: F811
    functions, name = serve.client("lambda"), f"told-{runtime[:4]}"
    layer = functions.publish_layer_version(LayerName=name, Content={"ZipFile": zip_of({"extensions/seer": EXTENSION})})["LayerVersionArn"]
    answer, failed = deploy_and_call(serve, name, files, None, Runtime=runtime, Handler="app.handler", Layers=[layer])
    assert failed is None, answer
    answer = until(lambda: json.load(functions.invoke(FunctionName=name)["Payload"]), lambda got: "platform.report" in got["types"] and "function" in got["types"])
    assert answer["uid"] == 993 and not {"8", "9"} & set(answer["fds"]), answer


WRAPPER = """#!/bin/bash
export SEEN_BY_WRAPPER=$(ls -d /opt/start /var/task/app.* | tr '\\n' ' ')
exec "$@"
"""


@needs_namespaces
@pytest.mark.parametrize("runtime, files", [
    ("nodejs22.x", {"app.js": "exports.handler = async () => [process.env.SEEN_BY_WRAPPER, process.argv[0]];"}),
    ("python3.12", {"app.py": "import os, sys\ndef handler(event, context): return [os.environ['SEEN_BY_WRAPPER'], sys.executable]\n"})])
def test_a_wrapper_script_of_a_layer_starts_the_runtime(serve, runtime, files):  # noqa: F811
    layer = serve.client("lambda").publish_layer_version(LayerName="wrapper", Content={"ZipFile": zip_of({"start": WRAPPER})})["LayerVersionArn"]
    answer, failed = deploy_and_call(serve, f"wrapped-{runtime[:4]}", files, None, Runtime=runtime, Handler="app.handler", Layers=[layer], Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/start"}})
    assert failed is None and answer[0].split() == ["/opt/start", *(f"/var/task/{name}" for name in files)], answer


@needs_namespaces
def test_a_flag_that_names_a_layers_file_finds_it(serve):  # noqa: F811
    layer = serve.client("lambda").publish_layer_version(LayerName="early", Content={"ZipFile": zip_of({"early.js": "globalThis.early = true;"})})["LayerVersionArn"]
    answer, failed = deploy_and_call(serve, "early", {"app.js": "exports.handler = async () => globalThis.early;"}, None, Runtime="nodejs22.x", Handler="app.handler", Layers=[layer],
                                     Environment={"Variables": {"NODE_OPTIONS": "--require /opt/early.js"}})
    assert (answer, failed) == (True, None)


@needs_namespaces
@pytest.mark.parametrize("runtime, files, flags", [
    ("nodejs22.x", {"app.js": "const fs = require('fs'); exports.handler = async (mb) => { const got = fs.statfsSync('/tmp'); return got.blocks * got.bsize / 2 ** 20; };"}, {}),
    ("nodejs22.x", {"app.js": "const fs = require('fs'); exports.handler = async (mb) => { const got = fs.statfsSync('/tmp'); return got.blocks * got.bsize / 2 ** 20; };"}, {"NODE_OPTIONS": "--no-warnings"}),
    ("python3.12", {"app.py": "import os\ndef handler(event, context):\n    got = os.statvfs('/tmp')\n    return got.f_blocks * got.f_bsize / 2 ** 20\n"}, {})], ids=["pre-booted", "cold", "forked"])
def test_tmp_is_as_large_as_the_function_says(serve, runtime, files, flags):  # noqa: F811
    for number, size in enumerate((512, 1024)):
        answer, failed = deploy_and_call(serve, f"tmp-{runtime[:4]}-{len(flags)}-{number}", files, None, Runtime=runtime, Handler="app.handler", EphemeralStorage={"Size": size}, Environment={"Variables": flags})
        assert (answer, failed) == (size, None)


def test_java_runs_in_a_cell(serve):  # noqa: F811
    functions = serve.client("lambda")
    functions.create_function(FunctionName="java-cell", Runtime="java17", Handler="app.Handlers$Interface::handleRequest", Role=serve.role, MemorySize=256, Timeout=10,
                              Code={"ZipFile": java_package()})
    got = functions.invoke(FunctionName="java-cell", Payload=b'{"n":1}')
    answer = json.load(got["Payload"])
    assert "FunctionError" not in got and answer["n"] == 1 and answer["task"] == "/var/task" and answer["home"] == "/var/lang", answer

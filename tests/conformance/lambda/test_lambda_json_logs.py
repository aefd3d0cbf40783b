"""LoggingConfig: JSON logs of Node.js, Python and bootstraps, and their levels."""
import base64
import json

import pytest
from lambda_support import ROLE, fails, package

NODE = """console.info('loading');
exports.handler = async (event) => {
  if (event.fail) throw new TypeError('no good');
  console.debug('fine'); console.log('hello %s', 'world'); console.warn({ table: 'trips', n: 1 }); console.error('failed:', new RangeError('far'));
  process.stdout.write('plain\\n'); process.stdout.write('{"level":"debug","msg":"own"}\\n'); process.stdout.write('{"level":"error","msg":"own"}\\n');
  return process.env.AWS_LAMBDA_LOG_FORMAT + ' ' + process.env.AWS_LAMBDA_LOG_LEVEL;
};"""
PYTHON = """import logging, os
log = logging.getLogger('trips')
log.info('loading')
def handler(event, context):
    if event.get('fail'): raise TypeError('no good')
    log.debug('fine'); log.info('hello %s', 'world', extra={'order': 7}); log.warning({'table': 'trips', 'n': 1})
    try: raise ValueError('far')
    except ValueError: log.exception('failed:')
    print('plain'); print('{"level":"debug","msg":"own"}'); print('{"level":"error","msg":"own"}')
    return os.environ['AWS_LAMBDA_LOG_FORMAT'] + ' ' + os.environ['AWS_LAMBDA_LOG_LEVEL']
"""
RUNTIMES = {"node": ("nodejs22.x", "index.handler", package(NODE)), "python": ("python3.12", "app.handler", package(PYTHON, "app.py"))}


@pytest.fixture(params=RUNTIMES)
def deploy(request, empty):
    functions = empty.client("lambda", read_timeout=60)
    runtime, handler, code = RUNTIMES[request.param]
    made = []

    def make(**logging):
        made.append(f"logs-{request.param}-{len(made)}")
        functions.create_function(FunctionName=made[-1], Runtime=runtime, Role=ROLE, Handler=handler, Code={"ZipFile": code}, LoggingConfig=logging)

        def call(event):
            got = functions.invoke(FunctionName=made[-1], Payload=json.dumps(event), LogType="Tail")
            lines = base64.b64decode(got["LogResult"]).decode().splitlines()
            return json.loads(got["Payload"].read()), [json.loads(line) if line.startswith("{") else line for line in lines]
        call.name = made[-1]
        return call
    make.client, make.kind = functions, request.param
    yield make
    for name in made:
        functions.delete_function(FunctionName=name)


def messages(lines):
    return [line if isinstance(line, str) else line.get("message", line.get("msg")) for line in lines if isinstance(line, str) or "type" not in line]


def test_lines_are_json_with_level_and_request(deploy):
    call = deploy(LogFormat="JSON")
    answer, lines = call({})
    assert answer == "JSON INFO"
    assert messages(lines) == ["loading", "hello world", {"table": "trips", "n": 1}, lines[5]["message"], "plain", "own"], lines
    assert lines[5]["message"].startswith("failed:")
    start = next(line for line in lines if line.get("type") == "platform.start")
    request = start["record"]["requestId"]
    hello, warned, failed = lines[3:6]
    assert [(line["level"], line["requestId"]) for line in (hello, failed)] == [("INFO", request), ("ERROR", request)]
    assert warned["level"] in ("WARN", "WARNING") and hello["timestamp"].endswith("Z")
    assert (failed["errorType"], failed["errorMessage"]) == ({"node": "RangeError", "python": "ValueError"}[deploy.kind], "far") and isinstance(failed["stackTrace"], list)
    if deploy.kind == "python":
        assert hello["logger"] == "trips" and hello["order"] == 7


def test_the_platforms_records(deploy):
    call = deploy(LogFormat="JSON")
    _, lines = call({})
    records = [line for line in lines if isinstance(line, dict) and "type" in line]
    assert [line["type"] for line in records] == ["platform.initStart", "platform.start", "platform.report"]
    assert lines[0]["type"] == "platform.initStart" and lines[0]["record"]["functionName"] == call.name
    report = records[2]["record"]
    assert report["status"] == "success" and report["metrics"]["memorySizeMB"] == 128 and report["metrics"]["initDurationMs"] > 0 and report["metrics"]["billedDurationMs"] >= 1
    assert records[1]["record"]["version"] == "$LATEST" and records[1]["time"] <= records[2]["time"]
    _, again = call({})
    assert "platform.initStart" not in str(again) and "initDurationMs" not in str(again)


@pytest.mark.parametrize("level, kept", [("TRACE", 7), ("DEBUG", 7), ("INFO", 5), ("WARN", 3), ("ERROR", 2), ("FATAL", 0)])
def test_the_application_level_filters(deploy, level, kept):
    call = deploy(LogFormat="JSON", ApplicationLogLevel=level)
    call({})
    answer, lines = call({})
    assert answer == "JSON " + level and len(messages(lines)) == kept, lines


@pytest.mark.parametrize("level, kept", [("DEBUG", ["platform.initStart", "platform.start", "platform.runtimeDone", "platform.report"]), ("WARN", [])])
def test_the_system_level_filters(deploy, level, kept):
    _, lines = deploy(LogFormat="JSON", SystemLogLevel=level)({})
    assert [line["type"] for line in lines if isinstance(line, dict) and "type" in line] == kept


def test_an_error_is_one_json_line(deploy):
    call = deploy(LogFormat="JSON", ApplicationLogLevel="ERROR")
    answer, lines = call({"fail": True})
    assert answer["errorType"] == "TypeError"
    own = [line for line in lines if "type" not in line]
    assert len(own) == 1 and own[0]["level"] == "ERROR"
    shown = own[0]["message"] if deploy.kind == "node" else own[0]
    assert (shown["errorType"], shown["errorMessage"]) == ("TypeError", "no good") and shown["stackTrace"]


def test_configuration_round_trip(deploy):
    name, functions = deploy(LogFormat="JSON", ApplicationLogLevel="DEBUG").name, deploy.client

    def config():
        return {key: value for key, value in functions.get_function_configuration(FunctionName=name)["LoggingConfig"].items() if key != "LogGroup"}
    assert config() == {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO"}
    functions.update_function_configuration(FunctionName=name, LoggingConfig={"SystemLogLevel": "WARN"})
    assert config() == {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN"}
    functions.update_function_configuration(FunctionName=name, LoggingConfig={"LogFormat": "Text"})
    assert config() == {"LogFormat": "Text"}
    answer = base64.b64decode(functions.invoke(FunctionName=name, LogType="Tail", Payload='{"fail":true}')["LogResult"]).decode()
    assert "START RequestId" in answer and "REPORT RequestId" in answer
    fails(functions.update_function_configuration, "InvalidParameterValueException", 'LogLevel is not supported when LogFormat is set to "Text"', FunctionName=name, LoggingConfig={"ApplicationLogLevel": "INFO"})

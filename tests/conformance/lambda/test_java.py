"""Java functions: Lambda's open runtime interface client on the host's Java, over the public Runtime API."""
import base64
import json
import time

import pytest
from java_code import java_package
from lambda_support import ROLE, fails


@pytest.fixture
def java(client):
    functions, made = client("lambda"), []

    def make(handler, runtime="java17", **more):
        name, package = f"java-{len(made)}-{time.time_ns()}", java_package()
        made.append(name)
        functions.create_function(FunctionName=name, Runtime=runtime, Handler=handler, Role=ROLE, Code={"ZipFile": package}, **{"MemorySize": 256, "Timeout": 10, **more})

        def call(event, **how):
            got = functions.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", **how)
            return json.loads(got["Payload"].read()), got.get("FunctionError"), base64.b64decode(got["LogResult"]).decode()
        call.name = name
        return call
    yield make
    for name in made:
        functions.delete_function(FunctionName=name)


def test_a_method_with_plain_classes_has_context_and_log(java):
    call = java("app.Handlers::pojo")
    answer, failed, log = call({"city": "Lisbon", "nights": 3})
    assert failed is None, answer
    assert answer["text"] == "Lisbon for 3" and answer["time"] and answer["memory"] == 256 and answer["name"] == call.name and answer["arn"].endswith(":function:" + call.name)
    lines = log.splitlines()
    start = lines.index(f"START RequestId: {answer['id']} Version: $LATEST")
    assert "class loads" in lines[:start] and {"printed line", "logged line"} <= set(lines[start:]) and any(line.startswith("REPORT ") and "Init Duration" in line for line in lines), log
    again, _, log = call({"city": "Porto", "nights": 1})
    assert again["text"] == "Porto for 1" and "class loads" not in log and "Init Duration" not in log


def test_streams_and_interfaces_are_handlers(java):
    assert java("app.Handlers$Streams")({"a": [1, "ü"]})[0] == {"a": [1, "ü"]}
    context = base64.b64encode(b'{"custom":{"a":"b"}}').decode()
    answer, failed, log = java("app.Handlers$Interface::handleRequest", Environment={"Variables": {"JAVA_TOOL_OPTIONS": "-Dfrom.tool.options=yes"}})({"n": 1}, ClientContext=context)
    assert failed is None and answer["n"] == 1 and answer["option"] == "yes" and answer["custom"] == "b" and int(answer["java"].split(".")[0]) >= 17, answer
    assert 0.7 * 256 <= answer["heap"] / 2**20 <= 0.85 * 256 and "Picked up JAVA_TOOL_OPTIONS" in log and answer["trace"].startswith("Root=1-")


@pytest.mark.parametrize("handler, kind, part", [
    ("app.Handlers::fails", "java.lang.IllegalStateException", "no seats left"),
    ("app.Handlers::exits", "Runtime.ExitError", "exit status 3"),
    ("app.Handlers::missing", None, "No public method named missing with appropriate method signature"),
    ("app.Nowhere::handle", "java.lang.ClassNotFoundException", "app.Nowhere"),
    ("app.Handlers$Broken::handle", "java.lang.ExceptionInInitializerError", ""),
    ("app.Handlers::hungry", "java.lang.OutOfMemoryError", "Java heap space")])
def test_what_goes_wrong_has_javas_shape(java, handler, kind, part):
    answer, failed, log = java(handler)({})
    assert failed == "Unhandled" and answer.get("errorType") == kind and part in answer["errorMessage"], (answer, log)
    if handler.endswith("fails"):
        assert answer["stackTrace"][0].startswith("app.Handlers.fails(Handlers.java:"), answer


def test_a_call_past_its_time_is_ended(java):
    call = java("app.Handlers::sleeps", Timeout=1)
    answer, failed, _ = call({})
    assert failed == "Unhandled" and "Task timed out after 1.00 seconds" in answer["errorMessage"]


def test_names_of_other_versions_run_on_what_is_there(java):
    """The oldest Java of this machine that is new enough, with the least memory; what the JVM has to say of its flags is not in the log."""
    answer, failed, log = java("app.Handlers$Interface::handleRequest", "java11", MemorySize=128)({"n": 1})
    assert failed is None and int(answer["java"].split(".")[0]) >= 11 and "WARNING" not in log, (answer, log)


def test_a_java_that_is_not_there_is_named(client):
    """Which Java there is depends on the machine; every name is accepted, and a call says what is missing."""
    functions = client("lambda")
    fails(functions.create_function, "InvalidParameterValueException", "no longer supported", FunctionName="java8", Runtime="java8", Handler="a.B::c", Role=ROLE, Code={"ZipFile": java_package()})

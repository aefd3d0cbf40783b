"""/_parvis/events: everything that happens, with one trace id from the front door to the table. docs/events.md lists the members."""
import datetime
import re
import urllib.request

import boto3
import pytest

from conftest import ROOT, Platform
from project import Events, call, make_project, wait_for

TRACE = "1-6745c5a0-0123456789abcdef01234567"


@pytest.fixture(scope="module")
def notes(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    platform = Platform(binary, folder, str(make_project(folder / "project")))
    yield platform
    platform.stop()


@pytest.fixture
def events(notes):
    return Events(notes.url)


def test_one_trace_id_from_the_request_to_the_table(notes, events):
    status, answer = call(notes.api() + "/notes/a", "PUT", "text", {"X-Custom": "kept"})
    assert (status, answer["text"], answer["custom"]) == (200, "text", "kept")
    trace = re.match(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24})", answer["trace"])[1]
    request = events.wait("request", traceId=trace)
    invocation = events.wait("invocation", traceId=trace)
    put = events.wait("call", traceId=trace, operation="PutItem")
    get = events.wait("call", traceId=trace, operation="GetItem")
    log = events.wait("log", traceId=trace, requestId=invocation["requestId"])
    assert (request["method"], request["route"], request["status"]) == ("PUT", "PUT /notes/{id}", 200)
    assert (invocation["outcome"], invocation["memoryMb"]) == ("ok", 128)
    assert invocation["functionArn"].startswith(request["functionArn"])
    assert invocation["memoryPeakBytes"] > 0 and invocation["bytesIn"] > 0 and invocation["bytesOut"] > 0
    assert (put["service"], put["status"], put["error"]) == ("dynamodb", 200, "")
    assert log["source"] == invocation["function"] and log["line"]
    at = datetime.datetime.fromisoformat
    for event in (request, invocation, put, get):
        assert event["durationMs"] >= 0 and at(event["start"]) <= at(event["time"])
    assert at(request["start"]) <= at(put["start"]) and request["durationMs"] >= put["durationMs"] + get["durationMs"]


def test_a_clients_trace_id_is_taken_over(notes, events):
    _, answer = call(notes.api() + "/notes/b", headers={"X-Amzn-Trace-Id": f"Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1"})
    assert answer["trace"].startswith(f"Root={TRACE}")
    for wanted in ({"type": "request"}, {"type": "invocation"}, {"type": "call", "operation": "GetItem"}):
        events.wait(traceId=TRACE, **wanted)


def test_a_malformed_trace_id_is_replaced(notes, events):
    _, answer = call(notes.api() + "/notes/c", headers={"X-Amzn-Trace-Id": "Root=mine"})
    assert re.match(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", answer["trace"])


def test_a_failed_invocation_says_how_it_ended(notes, events):
    # The stack is of the default account.
    client = boto3.client("lambda", endpoint_url=notes.url, region_name="us-east-1", aws_access_key_id="000000000000", aws_secret_access_key="any")
    name = next(f["FunctionName"] for f in client.list_functions()["Functions"] if "Hello" in f["FunctionName"])
    answer = client.invoke(FunctionName=name, Payload=b"{}")  # no pathParameters: it throws
    assert answer["FunctionError"] == "Unhandled"
    event = events.wait("invocation", outcome="functionError")
    assert event["function"] == name and event["requestId"] == answer["ResponseMetadata"]["RequestId"]


def test_the_log_shows_a_line_per_request_and_the_output_under_it(notes):
    call(notes.api() + "/notes/under")
    found = wait_for(lambda: re.search(r"(200 GET    /notes/under  [\d.]+ ms  (?:warm|cold, init [\d.]+ ms))\n +(\S+ .*looking for under)", notes.output()))
    assert found, notes.output()
    found = wait_for(lambda: re.search(r"functionError invoke \S+  [\d.]+ ms  warm\n", notes.output()))
    assert found, notes.output()


def test_every_event_is_documented(notes, events):
    call(notes.api() + "/notes/d")
    wait_for(lambda: {"request", "invocation", "call", "log"} <= {event["type"] for event in events.seen})
    documented = {}
    for line in (ROOT / "docs/events.md").read_text().splitlines():
        if line.startswith("| `"):
            types, members = line.split("|")[1:3]
            for type in re.findall(r"`(\w+)`", types):
                documented[type] = set(re.findall(r"`(\w+)`", members))
    for event in events.seen:
        undocumented = set(event) - documented[event["type"]] - {"type", "time", "start", "dropped"}
        assert not undocumented, (event["type"], undocumented)


def test_a_reader_that_goes_away_costs_nothing(notes):
    for _ in range(20):
        urllib.request.urlopen(f"{notes.url}/_parvis/events", timeout=5).close()
    assert call(notes.api() + "/notes/e")[0] == 200

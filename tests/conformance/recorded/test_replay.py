"""What stock clients were recorded to send is understood: no member that is not known, no 501, no 500, the answer of the day of recording."""
import json
import pathlib
import sys
import time

import pytest

from conftest import Platform

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "compatibility")]
from events import events_of  # noqa: E402
from exchange import Replay, to_file  # noqa: E402

FILES = sorted(HERE.glob("*/*.json"))
# What clients ask for to see whether it is there.
REFUSALS = {("cloudformation:DescribeStacks", 400), ("s3:HeadBucket", 404), ("s3:HeadObject", 404), ("s3:GetObject", 404), ("dynamodb:PutItem", 400)}


@pytest.fixture
def fresh(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty")
    yield platform
    platform.stop()


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}-{path.stem}" for path in FILES])
def test_recorded_requests_are_understood(fresh, path):
    recorded = json.loads(path.read_text())
    assert recorded["version"] and recorded["recorded"] and recorded["origin"]
    replay = Replay(fresh.port, recorded["requests"])
    with events_of(fresh) as events:
        for number, request in enumerate(recorded["requests"]):
            status, name = replay.send(number), request["operation"]
            deadline = time.monotonic() + 15
            while status != request["status"] and status < 500 and time.monotonic() < deadline:
                time.sleep(0.1)  # the client waited, too, until a stack was done
                status = replay.send(number)
            assert status == request["status"], (number, name, replay.answers[number][:500])
            assert status < 400 or (name, status) in REFUSALS, (number, name)
        last = recorded["requests"][-1]["operation"].split(":")[1]
        events.first(lambda event: event["type"] == "call" and event["operation"] == last)
        calls = [event for event in events.seen if event["type"] == "call"]
        assert {f"{event['service']}:{event['operation']}" for event in calls} >= {request["operation"] for request in recorded["requests"]}
        assert [(event["operation"], event["ignored"]) for event in calls if event["ignored"]] == []


def test_every_client_is_there():
    assert {path.parent.name for path in FILES} == {"aws-cli", "boto3", "sam", "sdk-v3"}


def test_a_value_of_an_earlier_answer_is_a_place_in_later_requests():
    one = {"operation": "s3:X", "method": "GET", "scope": "", "status": 200, "body": b"", "headers": [("Authorization", "secret"), ("Accept", "*/*")]}
    written = to_file([dict(one, target="/a", answer=b"<R><UploadId>abcdefgh1</UploadId></R>"), dict(one, target="/a?uploadId=abcdefgh1&X-Amz-Signature=0", answer=b"")],
                      "c", "1", [], "2026-01-01")["requests"]
    assert written[1]["target"] == "/a?uploadId={{0|.UploadId[1]|plain}}&X-Amz-Signature=removed"
    assert written[0]["headers"] == {"Accept": "*/*"}

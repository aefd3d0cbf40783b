"""Log groups with retention and tags, streams by their last event, following a group as `aws logs tail --follow` does, with stock boto3."""
import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from conftest import Platform

FAST = {"Delay": 0.1, "MaxAttempts": 300}


@pytest.fixture
def logs(client):
    return client("logs")


@pytest.fixture
def group(logs):
    name = "/t/" + uuid.uuid4().hex[:10]
    logs.create_log_group(logGroupName=name, tags={"team": "web"})
    yield name
    try:
        logs.delete_log_group(logGroupName=name)
    except logs.exceptions.ResourceNotFoundException:
        pass


def now():
    return int(time.time() * 1000)


def described(logs, group):
    return next(g for g in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] if g["logGroupName"] == group)


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_retention(logs, group):
    assert "retentionInDays" not in described(logs, group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    assert described(logs, group)["retentionInDays"] == 7
    code, message = refusal(logs.put_retention_policy, logGroupName=group, retentionInDays=8)
    assert code == "InvalidParameterException" and "Value '8' at 'retentionInDays'" in message
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in described(logs, group)
    assert refusal(logs.put_retention_policy, logGroupName=group + "x", retentionInDays=7)[0] == "ResourceNotFoundException"


def test_tags(logs, group):
    arn = described(logs, group)["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"a": "1"})
    logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "1"}
    logs.tag_log_group(logGroupName=group, tags={"b": "2"})
    logs.untag_log_group(logGroupName=group, tags=["a"])
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"b": "2"}


def test_streams_in_the_order_of_their_last_events(logs, group):
    at = now()
    for name, ago in (("old", 3000), ("new", 1000), ("middle", 2000), ("empty", None)):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        if ago:
            logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=[{"timestamp": at - ago, "message": name}, {"timestamp": at - ago + 5, "message": name}])
    streams = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True)["logStreams"]
    assert [s["logStreamName"] for s in streams] == ["new", "middle", "old", "empty"]
    assert (streams[0]["firstEventTimestamp"], streams[0]["lastEventTimestamp"]) == (at - 1000, at - 995)
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group, orderBy="LastEventTime", descending=True, PaginationConfig={"PageSize": 1})
    assert [s["logStreamName"] for page in pages for s in page["logStreams"]] == ["new", "middle", "old", "empty"]
    assert [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group, descending=True, limit=2)["logStreams"]] == ["old", "new"]
    assert refusal(logs.describe_log_streams, logGroupName=group, orderBy="LastEventTime", logStreamNamePrefix="o")[0] == "InvalidParameterException"
    logs.delete_log_stream(logGroupName=group, logStreamName="old")
    assert [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group)["logStreams"]] == ["empty", "middle", "new"]
    assert refusal(logs.delete_log_stream, logGroupName=group, logStreamName="old")[0] == "ResourceNotFoundException"


def test_following_a_group(logs, group):
    """The calls of `aws logs tail --follow` of the AWS CLI 2: FilterLogEvents again and again, from the last event on."""
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    seen, start = [], now() - 1000
    for i in range(5):
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[{"timestamp": now(), "message": f"line {i}"}])
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group, interleaved=True, startTime=start):
            for event in page["events"]:
                if event["eventId"] not in [e["eventId"] for e in seen]:
                    seen.append(event)
        start = seen[-1]["timestamp"]
    assert [e["message"] for e in seen] == [f"line {i}" for i in range(5)]


def test_a_template_makes_a_group(empty, logs):
    stacks, name = empty.client("cloudformation"), "lg" + uuid.uuid4().hex[:8]

    def template(**more):
        return json.dumps({"Resources": {"G": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/t/" + name, **more}}},
                           "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["G", "Arn"]}}, "Ref": {"Value": {"Ref": "G"}}}})

    stacks.create_stack(StackName=name, TemplateBody=template(RetentionInDays=14, Tags=[{"Key": "a", "Value": "1"}]))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    out = {o["OutputKey"]: o["OutputValue"] for o in stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}
    assert out["Ref"] == "/t/" + name and out["Arn"].endswith(f":log-group:/t/{name}:*")
    assert described(logs, "/t/" + name)["retentionInDays"] == 14
    stacks.update_stack(StackName=name, TemplateBody=template())
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    assert "retentionInDays" not in described(logs, "/t/" + name)
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=FAST)
    assert not logs.describe_log_groups(logGroupNamePrefix="/t/" + name)["logGroups"]


def test_kill_9_keeps_retention_and_tags(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty")
    try:
        logs = platform.client("logs")
        logs.create_log_group(logGroupName="g", tags={"a": "1"})
        logs.put_retention_policy(logGroupName="g", retentionInDays=3)
        platform.kill()
        platform.start()
        logs = platform.client("logs")
        assert described(logs, "g")["retentionInDays"] == 3 and logs.list_tags_log_group(logGroupName="g")["tags"] == {"a": "1"}
    finally:
        platform.stop()

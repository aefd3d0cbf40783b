"""Custom resources behind inline Lambda functions, with stock boto3; kill -9 in the middle."""
import json
import time
import urllib.error
import urllib.request
import uuid

import pytest

from conftest import Platform

FAST = {"Delay": 0.1, "MaxAttempts": 300}
ROLE = "arn:aws:iam::111122223333:role/any"

# Answers as the properties say, and tells a table what it was asked.
CODE = """
const response = require('cfn-response');
const { DynamoDBClient, PutItemCommand } = require('@aws-sdk/client-dynamodb');
exports.handler = async (event, context) => {
  const p = event.ResourceProperties;
  if (p.Table) await new DynamoDBClient({}).send(new PutItemCommand({ TableName: p.Table, Item: {
    id: { S: event.RequestId + event.RequestType }, what: { S: event.RequestType }, physical: { S: event.PhysicalResourceId ?? '-' }, event: { S: JSON.stringify(event) } } }));
  if (p.Crash === event.RequestType) throw new TypeError('it broke');
  if (p.Silent === event.RequestType) return;
  if (p.Slow === event.RequestType) await new Promise((r) => setTimeout(r, 3000));
  if (p.Fail === event.RequestType) return response.send(event, context, response.FAILED, {}, 'half-made');
  await response.send(event, context, response.SUCCESS, { Greeting: 'hello ' + p.Name, Nested: { Deep: 7 } }, p.Id, false);
};
"""


def template(table, kind="Custom::Greeter", outputs=True, **properties):
    out = {"Resources": {
        "Maker": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "nodejs22.x", "Handler": "index.handler", "Role": ROLE, "Timeout": 20, "Code": {"ZipFile": CODE}}},
        "Thing": {"Type": kind, "Properties": {"ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]}, "Table": table, "Id": "thing-1", **properties}}}}
    if outputs:
        out["Outputs"] = {"G": {"Value": {"Fn::GetAtt": ["Thing", "Greeting"]}}, "D": {"Value": {"Fn::GetAtt": ["Thing", "Nested.Deep"]}}, "R": {"Value": {"Ref": "Thing"}}}
    return json.dumps(out)


def make_table(platform):
    dynamodb, name = platform.client("dynamodb"), "asked-" + uuid.uuid4().hex[:8]
    dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                          KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])
    return name


def asked(platform, table):
    items = platform.client("dynamodb").scan(TableName=table)["Items"]
    return [(i["what"]["S"], i["physical"]["S"]) for i in sorted(items, key=lambda i: json.loads(i["event"]["S"])["RequestType"])]


@pytest.fixture
def stacks(empty):
    return empty.client("cloudformation")


@pytest.fixture
def asks(empty):
    return make_table(empty)


@pytest.fixture
def name(stacks):
    name = "c" + uuid.uuid4().hex[:10]
    yield name
    stacks.delete_stack(StackName=name)


def created(stacks, name, body):
    stacks.create_stack(StackName=name, TemplateBody=body)
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)


def outputs(stacks, name):
    return {o["OutputKey"]: o["OutputValue"] for o in stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}


def until(stacks, name, *statuses, seconds=40):
    for _ in range(seconds * 20):
        if (now := stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]) in statuses:
            return now
        time.sleep(0.05)
    assert now in statuses


def reason(stacks, stack_id, status="CREATE_FAILED"):
    return next(e["ResourceStatusReason"] for e in stacks.describe_stack_events(StackName=stack_id)["StackEvents"]
                if e["ResourceStatus"] == status and e["LogicalResourceId"] == "Thing")


def test_create_update_replace_delete(empty, stacks, asks, name):
    created(stacks, name, template(asks, Name="Ann", Number=5, Flag=True))
    assert outputs(stacks, name) == {"G": "hello Ann", "D": "7", "R": "thing-1"}
    (item,) = empty.client("dynamodb").scan(TableName=asks)["Items"]
    event = json.loads(item["event"]["S"])
    assert event["ResourceType"] == "Custom::Greeter" and event["LogicalResourceId"] == "Thing" and "PhysicalResourceId" not in event
    assert (event["ResourceProperties"]["Number"], event["ResourceProperties"]["Flag"]) == ("5", "true")
    stacks.update_stack(StackName=name, TemplateBody=template(asks, Name="Bob"))
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    assert outputs(stacks, name)["G"] == "hello Bob"
    assert asked(empty, asks) == [("Create", "-"), ("Update", "thing-1")]
    stacks.update_stack(StackName=name, TemplateBody=template(asks, Name="Bob").replace("thing-1", "thing-2"))
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    assert outputs(stacks, name)["R"] == "thing-2"
    assert asked(empty, asks) == [("Create", "-"), ("Delete", "thing-1"), ("Update", "thing-1"), ("Update", "thing-1")]
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=FAST)
    assert ("Delete", "thing-2") in asked(empty, asks)


def test_a_failure_is_told_and_what_was_half_made_is_deleted(empty, stacks, asks, name):
    stack_id = stacks.create_stack(StackName=name, TemplateBody=template(asks, kind="AWS::CloudFormation::CustomResource", Fail="Create", outputs=False))["StackId"]
    until(stacks, stack_id, "ROLLBACK_COMPLETE")
    assert "Received response status [FAILED] from custom resource. Message returned: See the details in CloudWatch Log Stream: " in reason(stacks, stack_id)
    assert asked(empty, asks) == [("Create", "-"), ("Delete", "half-made")]


@pytest.mark.parametrize("properties, says, seconds", [({"Crash": "Create"}, "ended without an answer, in an error: TypeError: it broke", 10),
                                                       ({"Silent": "Create", "ServiceTimeout": 2}, "CloudFormation did not receive a response from your Custom Resource", 10),
                                                       ({"Silent": "Create"}, "sent no answer to its ResponseURL within", 30),
                                                       ({"ServiceTimeout": 4000}, "ServiceTimeout must be a number of seconds between 1 and 3600", 10)])
def test_a_function_that_does_not_answer_hangs_no_stack(stacks, asks, name, properties, says, seconds):
    start = time.monotonic()
    stack_id = stacks.create_stack(StackName=name, TemplateBody=template(asks, outputs=False, **properties))["StackId"]
    until(stacks, stack_id, "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
    assert says in reason(stacks, stack_id) and time.monotonic() - start < seconds


def test_no_function(stacks, name):
    thing = {"Type": "Custom::Thing", "Properties": {"ServiceToken": "arn:aws:sns:eu-west-1:111122223333:topic"}}
    stack_id = stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Thing": thing}}))["StackId"]
    until(stacks, stack_id, "ROLLBACK_COMPLETE")
    assert "is not the ARN of a Lambda function" in reason(stacks, stack_id)


def test_an_update_that_fails_goes_back(empty, stacks, asks, name):
    created(stacks, name, template(asks, Name="Ann"))
    stacks.update_stack(StackName=name, TemplateBody=template(asks, Name="Bob", Fail="Update"))
    until(stacks, name, "UPDATE_ROLLBACK_COMPLETE")
    assert outputs(stacks, name)["G"] == "hello Ann"


def put(url, body):
    try:
        return urllib.request.urlopen(urllib.request.Request(url, body, method="PUT"), timeout=5).status
    except urllib.error.HTTPError as error:
        return error.code


def test_answers_from_elsewhere(empty, stacks, asks, name):
    """The function says nothing; whoever has the URL answers, once, and only with the right secret."""
    stack_id = stacks.create_stack(StackName=name, TemplateBody=template(asks, Silent="Create", ServiceTimeout=30))["StackId"]
    for _ in range(200):
        if items := empty.client("dynamodb").scan(TableName=asks)["Items"]:
            break
        time.sleep(0.05)
    event = json.loads(items[0]["event"]["S"])
    good = {**{k: event[k] for k in ("StackId", "RequestId", "LogicalResourceId")}, "Status": "SUCCESS", "PhysicalResourceId": "p", "Data": {"Greeting": "g", "Nested": {"Deep": 1}}}
    assert put(event["ResponseURL"][:-4] + "aaaa", json.dumps(good).encode()) == 403
    assert put(event["ResponseURL"], json.dumps(good).encode()) == 200
    assert put(event["ResponseURL"], json.dumps(good).encode()) == 200
    assert put(event["ResponseURL"], json.dumps({**good, "Status": "FAILED"}).encode()) == 409
    assert until(stacks, stack_id, "CREATE_COMPLETE", "ROLLBACK_COMPLETE") == "CREATE_COMPLETE"
    assert outputs(stacks, name)["R"] == "p"


@pytest.mark.parametrize("answer, says", [({"Data": {"x": "y" * 5000}}, "Response object is too long."), ({"StackId": "other"}, "Value of property StackId"),
                                          ({"Status": "MAYBE"}, "must be SUCCESS or FAILED"), ({"PhysicalResourceId": ""}, "Invalid PhysicalResourceId")])
def test_wrong_answers(empty, stacks, asks, name, answer, says):
    stack_id = stacks.create_stack(StackName=name, TemplateBody=template(asks, Silent="Create", ServiceTimeout=30, outputs=False))["StackId"]
    for _ in range(200):
        if items := empty.client("dynamodb").scan(TableName=asks)["Items"]:
            break
        time.sleep(0.05)
    event = json.loads(items[0]["event"]["S"])
    good = {**{k: event[k] for k in ("StackId", "RequestId", "LogicalResourceId")}, "Status": "SUCCESS", "PhysicalResourceId": "p"}
    assert put(event["ResponseURL"], json.dumps({**good, **answer}).encode()) == 200
    until(stacks, stack_id, "ROLLBACK_COMPLETE")
    assert says in reason(stacks, stack_id)


@pytest.mark.parametrize("wait", [0.5, 1.5])
def test_kill_9_in_the_middle_is_settled_at_the_next_start(binary, tmp_path, wait):
    platform = Platform(binary, tmp_path, "--empty")
    try:
        table = make_table(platform)
        stacks = platform.client("cloudformation")
        stacks.create_stack(StackName="cut", TemplateBody=template(table, Slow="Create", outputs=False))
        time.sleep(wait)
        platform.kill()
        platform.start(timeout=60)
        stacks = platform.client("cloudformation")
        until(stacks, "cut", "ROLLBACK_COMPLETE")
        told = asked(platform, table)
        assert not told or (told[0][0], told[-1]) == ("Create", ("Delete", "thing-1")), told  # what was made was deleted
    finally:
        platform.stop()

"""A template's table gets its stream, time to live, recovery and policy, and follows the template when it is edited."""
import json
import time

import boto3

from conftest import Platform

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Sessions:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: sessions
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
%s
  Copy:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: copy
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      Tags: [{Key: of, Value: %s}]
"""
BEFORE = """      StreamSpecification: {StreamViewType: KEYS_ONLY}
      TimeToLiveSpecification: {AttributeName: expires, Enabled: true}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: "true", RecoveryPeriodInDays: "9"}
      ResourcePolicy: {PolicyDocument: {Version: "2012-10-17", Statement: []}}"""
AFTER = "      StreamSpecification: {StreamViewType: NEW_IMAGE}"


def recovery(client):
    backups = client.describe_continuous_backups(TableName="sessions")["ContinuousBackupsDescription"]
    description = backups["PointInTimeRecoveryDescription"]
    return description["PointInTimeRecoveryStatus"], description.get("RecoveryPeriodInDays")


def test_stream_and_expiry_follow_the_template(binary, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "template.yaml").write_text(TEMPLATE % (BEFORE, "!GetAtt Sessions.StreamArn"))
    platform = Platform(binary, tmp_path, str(project))
    try:
        client = boto3.client("dynamodb", endpoint_url=platform.url, region_name="us-east-1", aws_access_key_id="any",
                              aws_secret_access_key="any")
        table = client.describe_table(TableName="sessions")["Table"]
        assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        copy = client.describe_table(TableName="copy")["Table"]["TableArn"]
        tags = {tag["Key"]: tag["Value"] for tag in client.list_tags_of_resource(ResourceArn=copy)["Tags"]}
        assert tags["of"] == table["LatestStreamArn"]
        expiry = client.describe_time_to_live(TableName="sessions")["TimeToLiveDescription"]
        assert expiry["AttributeName"] == "expires"
        assert json.loads(client.get_resource_policy(ResourceArn=table["TableArn"])["Policy"])["Statement"] == []
        assert recovery(client) == ("ENABLED", 9)
        (project / "template.yaml").write_text(TEMPLATE % (AFTER, "nothing"))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            table = client.describe_table(TableName="sessions")["Table"]
            expiry = client.describe_time_to_live(TableName="sessions")["TimeToLiveDescription"]
            if table.get("StreamSpecification", {}).get("StreamViewType") == "NEW_IMAGE" and "AttributeName" not in expiry:
                break
            time.sleep(0.05)
        assert table["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE", platform.output()
        assert expiry == {"TimeToLiveStatus": "DISABLED"}, platform.output()
        while recovery(client)[0] == "ENABLED" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert recovery(client) == ("DISABLED", None), platform.output()
    finally:
        platform.stop()


CAPACITY = """
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders-with-capacity
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}, {AttributeName: kind, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      %s
      GlobalSecondaryIndexes:
        - {IndexName: byKind, KeySchema: [{AttributeName: kind, KeyType: HASH}], Projection: {ProjectionType: ALL}%s}
"""


def test_maxima_and_warm_throughput_follow_the_template(empty):
    stacks, tables = empty.client("cloudformation"), empty.client("dynamodb")

    def described(table, index, call=stacks.update_stack, waiter="stack_update_complete"):
        call(StackName="capacity", TemplateBody=CAPACITY % (table, index))
        stacks.get_waiter(waiter).wait(StackName="capacity", WaiterConfig={"Delay": 1})
        found = tables.describe_table(TableName="orders-with-capacity")["Table"]
        return [(part.get("OnDemandThroughput"), part["WarmThroughput"]["ReadUnitsPerSecond"]) for part in (found, found["GlobalSecondaryIndexes"][0])]

    maximum = "OnDemandThroughput: {MaxReadRequestUnits: %s}"
    assert described(f"{maximum % 100}\n      WarmThroughput: {{ReadUnitsPerSecond: 13000}}",
                     f", {maximum % 7}, WarmThroughput: {{ReadUnitsPerSecond: '14000'}}", stacks.create_stack, "stack_create_complete") == [
        ({"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": -1}, 13000), ({"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": -1}, 14000)]
    assert described("WarmThroughput: {ReadUnitsPerSecond: 15000}", f", {maximum % 8}, WarmThroughput: {{ReadUnitsPerSecond: 16000}}") == [
        (None, 15000), ({"MaxReadRequestUnits": 8, "MaxWriteRequestUnits": -1}, 16000)]
    # What is not named any more has no maximum; what was warmed stays warm.
    assert described("DeletionProtectionEnabled: false", "") == [(None, 15000), (None, 16000)]
    stacks.delete_stack(StackName="capacity")
    stacks.get_waiter("stack_delete_complete").wait(StackName="capacity", WaiterConfig={"Delay": 1})

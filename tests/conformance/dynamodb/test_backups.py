"""On-demand backups through stock boto3; runs against any endpoint with --endpoint (minutes on AWS)."""
import time
import uuid

import pytest
from botocore.exceptions import ClientError


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def until(look, seconds=900):
    deadline = time.monotonic() + seconds
    while not look() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert look()


def test_a_backup_is_made_listed_restored_and_deleted(client, table):
    dynamodb = client("dynamodb")
    for s in range(30):
        dynamodb.put_item(TableName=table, Item={"p": {"S": "a"}, "s": {"N": str(s)}, "kind": {"S": "k"}})
    details = dynamodb.create_backup(TableName=table, BackupName="nightly")["BackupDetails"]
    arn = details["BackupArn"]
    assert details["BackupType"] == "USER" and details["BackupName"] == "nightly"
    until(lambda: dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "AVAILABLE")
    dynamodb.put_item(TableName=table, Item={"p": {"S": "later"}, "s": {"N": "1"}})
    description = dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]
    assert description["SourceTableDetails"]["TableName"] == table
    assert [i["IndexName"] for i in description["SourceTableFeatureDetails"]["GlobalSecondaryIndexes"]] == ["byKind"]
    assert [b["BackupArn"] for b in dynamodb.list_backups(TableName=table)["BackupSummaries"]] == [arn]
    target = f"restored-{uuid.uuid4().hex[:8]}"
    assert error_of(dynamodb.restore_table_from_backup, TargetTableName=table, BackupArn=arn) == "TableAlreadyExistsException"
    dynamodb.restore_table_from_backup(TargetTableName=target, BackupArn=arn)
    try:
        until(lambda: dynamodb.describe_table(TableName=target)["Table"]["TableStatus"] == "ACTIVE")
        assert dynamodb.describe_table(TableName=target)["Table"]["RestoreSummary"]["SourceBackupArn"] == arn
        assert dynamodb.scan(TableName=target)["Count"] == 30
        query = {"KeyConditionExpression": "kind = :k", "ExpressionAttributeValues": {":k": {"S": "k"}}}
        assert dynamodb.query(TableName=target, IndexName="byKind", **query)["Count"] == 30
    finally:
        dynamodb.delete_table(TableName=target)
    assert dynamodb.delete_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "DELETED"
    assert error_of(dynamodb.describe_backup, BackupArn=arn) == "BackupNotFoundException"


def test_missing_tables_and_backups(client, table):
    dynamodb = client("dynamodb")
    assert error_of(dynamodb.create_backup, TableName="nothing-here", BackupName="abc") == "TableNotFoundException"
    arn = f"{dynamodb.describe_table(TableName=table)['Table']['TableArn']}/backup/01489602797149-73d8d5bc"
    assert error_of(dynamodb.describe_backup, BackupArn=arn) == "BackupNotFoundException"
    assert error_of(dynamodb.delete_backup, BackupArn=arn) == "BackupNotFoundException"
    assert error_of(dynamodb.restore_table_from_backup, TargetTableName="new-table", BackupArn=arn) == "BackupNotFoundException"
    assert dynamodb.list_backups(TableName=table, BackupType="SYSTEM")["BackupSummaries"] == []


def test_a_table_comes_back_as_it_was(client, table):
    dynamodb = client("dynamodb")
    def recovery():
        return dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert recovery()["ContinuousBackupsStatus"] == "ENABLED"
    assert recovery()["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    target = f"restored-{uuid.uuid4().hex[:8]}"
    restore = {"SourceTableName": table, "TargetTableName": target}
    assert error_of(dynamodb.restore_table_to_point_in_time, **restore,
                    UseLatestRestorableTime=True) == "PointInTimeRecoveryUnavailableException"
    dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7})
    assert recovery()["PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"] == 7
    key = {"p": {"S": "a"}, "s": {"N": "1"}}
    dynamodb.put_item(TableName=table, Item={**key, "v": {"S": "right"}, "kind": {"S": "k"}})
    until(lambda: recovery()["PointInTimeRecoveryDescription"]["LatestRestorableDateTime"].timestamp() > time.time() - 5)
    time.sleep(0.05)  # what follows is later, also on a clock of milliseconds
    moment = recovery()["PointInTimeRecoveryDescription"]["LatestRestorableDateTime"]
    time.sleep(0.05)
    dynamodb.put_item(TableName=table, Item={**key, "v": {"S": "wrong"}})
    dynamodb.put_item(TableName=table, Item={**key, "s": {"N": "2"}})
    assert error_of(dynamodb.restore_table_to_point_in_time, **restore, RestoreDateTime=1) == "InvalidRestoreTimeException"
    dynamodb.restore_table_to_point_in_time(**restore, RestoreDateTime=moment)
    try:
        until(lambda: dynamodb.describe_table(TableName=target)["Table"]["TableStatus"] == "ACTIVE")
        assert [item["v"]["S"] for item in dynamodb.scan(TableName=target)["Items"]] == ["right"]
        assert dynamodb.scan(TableName=target, IndexName="byKind")["Count"] == 1
        assert dynamodb.describe_table(TableName=target)["Table"]["RestoreSummary"]["SourceTableArn"].endswith(table)
    finally:
        dynamodb.delete_table(TableName=target)


def test_indexes_of_a_restored_table_are_those_of_the_backup(client, table):
    dynamodb = client("dynamodb")
    arn = dynamodb.create_backup(TableName=table, BackupName="indexes")["BackupDetails"]["BackupArn"]
    until(lambda: dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "AVAILABLE")
    index = {"IndexName": "byKind", "Projection": {"ProjectionType": "ALL"},
             "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}]}
    capacity = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    target = f"restored-{uuid.uuid4().hex[:8]}"
    for changed in ({"Projection": {"ProjectionType": "KEYS_ONLY"}}, {"KeySchema": index["KeySchema"][:1]}, {"IndexName": "other"},
                    {"ProvisionedThroughput": capacity}):  # the table is on demand
        code = error_of(dynamodb.restore_table_from_backup, TargetTableName=target, BackupArn=arn, GlobalSecondaryIndexOverride=[dict(index, **changed)])
        assert code == "ValidationException", changed
    provisioned = dict(TargetTableName=target, BackupArn=arn, BillingModeOverride="PROVISIONED", ProvisionedThroughputOverride=capacity)
    assert error_of(dynamodb.restore_table_from_backup, **provisioned) == "ValidationException"  # the index has no capacity
    dynamodb.restore_table_from_backup(**provisioned, GlobalSecondaryIndexOverride=[dict(index, ProvisionedThroughput=capacity)])
    until(lambda: dynamodb.describe_table(TableName=target)["Table"]["TableStatus"] == "ACTIVE")
    restored = dynamodb.describe_table(TableName=target)["Table"]["GlobalSecondaryIndexes"][0]
    assert {name: restored["ProvisionedThroughput"][name] for name in capacity} == capacity
    dynamodb.delete_table(TableName=target)
    dynamodb.delete_backup(BackupArn=arn)

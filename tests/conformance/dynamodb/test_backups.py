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

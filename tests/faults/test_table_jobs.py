"""What a table does in the background goes on after kill -9: expiry, backups, restores; counts are right again."""
import time

from conftest import Platform

ITEMS = 1500


def until(look, seconds=60):
    deadline = time.monotonic() + seconds
    while not look() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert look()


def records_of(platform, table):
    streams = platform.client("dynamodbstreams")
    arn = streams.list_streams(TableName=table)["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    records = []
    while True:
        answer = streams.get_records(ShardIterator=iterator)
        if not answer["Records"]:
            return records
        records, iterator = records + answer["Records"], answer["NextShardIterator"]


def test_background_work_goes_on_after_kill(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty", "--sync", "always")
    try:
        dynamodb = platform.client("dynamodb")
        dynamodb.create_table(
            TableName="work", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
        past = str(int(time.time()) - 60)
        for first in range(0, ITEMS, 25):
            dynamodb.batch_write_item(RequestItems={"work": [
                {"PutRequest": {"Item": {"p": {"S": str(i)}, "v": {"S": "x" * 200}, **({"due": {"N": past}} if i % 2 else {})}}}
                for i in range(first, first + 25)]})
        dynamodb.describe_table(TableName="work")
        backup = dynamodb.create_backup(TableName="work", BackupName="before")["BackupDetails"]["BackupArn"]
        platform.kill()
        platform.start()
        dynamodb = platform.client("dynamodb")
        until(lambda: dynamodb.describe_backup(BackupArn=backup)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "AVAILABLE")
        dynamodb.restore_table_from_backup(TargetTableName="again", BackupArn=backup)
        dynamodb.update_time_to_live(TableName="work", TimeToLiveSpecification={"Enabled": True, "AttributeName": "due"})
        platform.kill()
        platform.start()
        dynamodb = platform.client("dynamodb")
        until(lambda: dynamodb.describe_table(TableName="again")["Table"]["TableStatus"] == "ACTIVE")
        assert dynamodb.scan(TableName="again", Select="COUNT")["Count"] == ITEMS
        until(lambda: dynamodb.scan(TableName="work", Select="COUNT")["Count"] < ITEMS)
        platform.kill()  # while items are being deleted
        platform.start()
        dynamodb = platform.client("dynamodb")
        until(lambda: dynamodb.scan(TableName="work", Select="COUNT")["Count"] == ITEMS // 2)
        until(lambda: dynamodb.describe_table(TableName="work")["Table"]["ItemCount"] == ITEMS // 2)
        expired = [r["dynamodb"]["Keys"]["p"]["S"] for r in records_of(platform, "work") if r["eventName"] == "REMOVE"
                   and r["userIdentity"]["PrincipalId"] == "dynamodb.amazonaws.com"]
        assert sorted(expired) == sorted(str(i) for i in range(1, ITEMS, 2))
    finally:
        platform.stop()


def test_exports_and_imports_go_on_after_kill(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty", "--sync", "always")
    try:
        dynamodb, s3 = platform.client("dynamodb"), platform.client("s3")
        s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        schema = {"TableName": "source", "BillingMode": "PAY_PER_REQUEST",
                  "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}]}
        arn = dynamodb.create_table(**schema)["TableDescription"]["TableArn"]
        dynamodb.update_continuous_backups(TableName="source", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
        for first in range(0, ITEMS, 25):
            dynamodb.batch_write_item(RequestItems={"source": [
                {"PutRequest": {"Item": {"p": {"S": str(i)}, "v": {"S": "x" * 2000}}}} for i in range(first, first + 25)]})
        export = dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket="files")["ExportDescription"]["ExportArn"]
        dynamodb.put_item(TableName="source", Item={"p": {"S": "later"}})  # the export is of before
        platform.kill()
        platform.start()
        dynamodb = platform.client("dynamodb")
        describe_export = lambda: dynamodb.describe_export(ExportArn=export)["ExportDescription"]
        until(lambda: describe_export()["ExportStatus"] != "IN_PROGRESS")
        assert (describe_export()["ExportStatus"], describe_export()["ItemCount"]) == ("COMPLETED", ITEMS)
        folder = describe_export()["ExportManifest"].rsplit("/", 1)[0]
        started = dynamodb.import_table(S3BucketSource={"S3Bucket": "files", "S3KeyPrefix": folder + "/data/"}, InputFormat="DYNAMODB_JSON",
                                        InputCompressionType="GZIP", TableCreationParameters={**schema, "TableName": "target"})
        platform.kill()
        platform.start()
        dynamodb = platform.client("dynamodb")
        describe_import = lambda: dynamodb.describe_import(ImportArn=started["ImportTableDescription"]["ImportArn"])["ImportTableDescription"]
        until(lambda: describe_import()["ImportStatus"] != "IN_PROGRESS")
        assert (describe_import()["ImportStatus"], describe_import()["ImportedItemCount"]) == ("COMPLETED", ITEMS)
        until(lambda: dynamodb.describe_table(TableName="target")["Table"]["ItemCount"] == ITEMS)
    finally:
        platform.stop()

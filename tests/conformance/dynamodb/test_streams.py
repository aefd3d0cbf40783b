"""Streams, time to live, counts and UpdateTable through stock boto3; runs against any endpoint with --endpoint."""
import time

import pytest
from botocore.exceptions import ClientError


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


def item(p="a", s=1, **attributes):
    return {"p": {"S": p}, "s": {"N": str(s)}, **attributes}


def enable(client, table, view="NEW_AND_OLD_IMAGES"):
    client("dynamodb").update_table(TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
    return client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]


def shard_of(client, arn):
    return client("dynamodbstreams").describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]


def iterator_of(client, arn, kind="TRIM_HORIZON", **more):
    return client("dynamodbstreams").get_shard_iterator(StreamArn=arn, ShardId=shard_of(client, arn), ShardIteratorType=kind,
                                                        **more)["ShardIterator"]


def read(client, iterator, want, seconds=20):
    """Reads until `want` records are there; gives them and the next iterator."""
    records, deadline = [], time.monotonic() + seconds
    while iterator and len(records) < want and time.monotonic() < deadline:
        answer = client("dynamodbstreams").get_records(ShardIterator=iterator)
        records, iterator = records + answer["Records"], answer.get("NextShardIterator")
    return records, iterator


def test_changes_come_once_in_order_with_their_images(client, table):
    dynamodb, arn = client("dynamodb"), enable(client, table)
    dynamodb.put_item(TableName=table, Item=item(v={"S": "1"}))
    dynamodb.put_item(TableName=table, Item=item(v={"S": "1"}))  # changes nothing: no record
    dynamodb.update_item(TableName=table, Key=item(), UpdateExpression="SET v = :v", ExpressionAttributeValues={":v": {"S": "2"}})
    dynamodb.transact_write_items(TransactItems=[{"Delete": {"TableName": table, "Key": item()}},
                                                 {"Put": {"TableName": table, "Item": item("b")}}])
    records, iterator = read(client, iterator_of(client, arn), 4)
    assert sorted(r["eventName"] for r in records[2:]) == ["INSERT", "REMOVE"]
    assert [r["eventName"] for r in records[:2]] == ["INSERT", "MODIFY"]
    body = records[1]["dynamodb"]
    assert body["Keys"] == item() and body["OldImage"] == item(v={"S": "1"}) and body["NewImage"] == item(v={"S": "2"})
    assert body["StreamViewType"] == "NEW_AND_OLD_IMAGES" and body["SizeBytes"] > 0
    assert len({r["eventID"] for r in records}) == 4 and records[0]["eventSource"] == "aws:dynamodb"
    assert "userIdentity" not in records[3]
    assert client("dynamodbstreams").get_records(ShardIterator=iterator)["Records"] == []


@pytest.mark.parametrize("view,images", [("KEYS_ONLY", set()), ("NEW_IMAGE", {"NewImage"}), ("OLD_IMAGE", {"OldImage"})])
def test_view_types(client, table, view, images):
    arn = enable(client, table, view)
    client("dynamodb").put_item(TableName=table, Item=item(v={"N": "1"}))
    client("dynamodb").put_item(TableName=table, Item=item(v={"N": "2"}))
    records, _ = read(client, iterator_of(client, arn), 2)
    assert {"NewImage", "OldImage"} & set(records[1]["dynamodb"]) == images


def test_iterators_of_every_kind(client, table):
    arn = enable(client, table)
    put = client("dynamodb").put_item
    for s in range(3):
        put(TableName=table, Item=item(s=s))
    records, _ = read(client, iterator_of(client, arn), 3)
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    latest = iterator_of(client, arn, "LATEST")
    put(TableName=table, Item=item(s=9))
    assert [r["dynamodb"]["Keys"]["s"]["N"] for r in read(client, latest, 1)[0]] == ["9"]
    at, _ = read(client, iterator_of(client, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=numbers[1]), 3)
    after, _ = read(client, iterator_of(client, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=numbers[1]), 2)
    assert at[0]["dynamodb"]["SequenceNumber"] == numbers[1] and after[0]["dynamodb"]["SequenceNumber"] == numbers[2]
    limited = client("dynamodbstreams").get_records(ShardIterator=iterator_of(client, arn), Limit=1)
    assert [r["dynamodb"]["SequenceNumber"] for r in limited["Records"]] == numbers[:1]


def test_a_disabled_stream_stays_readable_and_ends(client, table):
    dynamodb, streams, arn = client("dynamodb"), client("dynamodbstreams"), enable(client, table)
    again = error_of(dynamodb.update_table, TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    assert again == {**again, "Code": "ValidationException", "Message": f"Table already has an enabled stream: TableName: {table}"}
    dynamodb.put_item(TableName=table, Item=item())
    dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    dynamodb.put_item(TableName=table, Item=item("later"))
    description = streams.describe_stream(StreamArn=arn)["StreamDescription"]
    assert description["StreamStatus"] == "DISABLED" and "EndingSequenceNumber" in description["Shards"][0]["SequenceNumberRange"]
    records, iterator = read(client, iterator_of(client, arn), 2)
    assert len(records) == 1 and iterator is None
    none = error_of(dynamodb.update_table, TableName=table, StreamSpecification={"StreamEnabled": False})
    assert none["Message"] == f"Table has no stream to disable: TableName: {table}"
    second = enable(client, table)
    listed = [s["StreamArn"] for s in streams.list_streams(TableName=table)["Streams"]]
    assert listed == [arn, second]
    page = streams.list_streams(TableName=table, Limit=1)
    assert page["LastEvaluatedStreamArn"] == arn
    assert streams.list_streams(TableName=table, ExclusiveStartStreamArn=arn)["Streams"][0]["StreamArn"] == second


def test_hostile_stream_calls_get_their_errors(client, table):
    streams, arn = client("dynamodbstreams"), enable(client, table)
    missing = arn[:-4] + "9999"
    assert error_of(streams.describe_stream, StreamArn=missing)["Code"] == "ResourceNotFoundException"
    assert error_of(streams.describe_stream, StreamArn="x" * 40)["Code"] == "ValidationException"
    foreign = arn.replace("111122223333", "999999999999")
    assert error_of(streams.describe_stream, StreamArn=foreign)["Code"] == "ResourceNotFoundException"
    assert error_of(streams.get_records, ShardIterator="nothing")["Code"] == "ValidationException"
    assert error_of(streams.get_records, ShardIterator=iterator_of(client, arn), Limit=1001)["Code"] == "ValidationException"
    call = {"StreamArn": arn, "ShardId": shard_of(client, arn)}
    assert error_of(streams.get_shard_iterator, **call, ShardIteratorType="AT_SEQUENCE_NUMBER")["Code"] == "ValidationException"
    assert error_of(streams.get_shard_iterator, **call, ShardIteratorType="AT_SEQUENCE_NUMBER",
                    SequenceNumber="0" * 25)["Code"] == "ValidationException"
    unknown = {**call, "ShardId": "shardId-" + "0" * 20 + "-00000000", "ShardIteratorType": "LATEST"}
    assert error_of(streams.get_shard_iterator, **unknown)["Code"] == "ResourceNotFoundException"


def test_time_to_live_deletes_and_marks_the_record(client, table):
    dynamodb, arn = client("dynamodb"), enable(client, table)
    now = int(time.time())
    dynamodb.put_item(TableName=table, Item=item("old", expires={"N": str(now - 10)}))
    dynamodb.put_item(TableName=table, Item=item("kept", expires={"N": str(now + 3600)}))
    dynamodb.put_item(TableName=table, Item=item("text", expires={"S": str(now - 10)}))
    enabled = {"Enabled": True, "AttributeName": "expires"}
    assert dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=enabled)["TimeToLiveSpecification"] == enabled
    description = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert description["AttributeName"] == "expires" and description["TimeToLiveStatus"] in ("ENABLING", "ENABLED")
    again = error_of(dynamodb.update_time_to_live, TableName=table, TimeToLiveSpecification=enabled)
    assert again["Message"] == "TimeToLive is already enabled"
    other = error_of(dynamodb.update_time_to_live, TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "x"})
    assert other["Message"] == "TimeToLive is active on a different AttributeName: current AttributeName is expires"
    records, _ = read(client, iterator_of(client, arn), 4)
    removed = records[3]
    assert removed["eventName"] == "REMOVE" and removed["dynamodb"]["Keys"] == item("old")
    assert removed["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert {i["p"]["S"] for i in dynamodb.scan(TableName=table)["Items"]} == {"kept", "text"}
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires"})
    assert dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"


def test_update_table_is_all_or_nothing(client, table):
    dynamodb = client("dynamodb")
    definitions = [{"AttributeName": "z", "AttributeType": "S"}]
    create = {"Create": {"IndexName": "byZ", "KeySchema": [{"AttributeName": "z", "KeyType": "HASH"}],
                         "Projection": {"ProjectionType": "ALL"}}}
    assert "is required" in error_of(dynamodb.update_table, TableName=table)["Message"]
    both = {**create, "Delete": {"IndexName": "byKind"}}
    assert error_of(dynamodb.update_table, TableName=table, AttributeDefinitions=definitions,
                    GlobalSecondaryIndexUpdates=[both])["Code"] == "ValidationException"
    assert error_of(dynamodb.update_table, TableName=table, AttributeDefinitions=definitions,
                    GlobalSecondaryIndexUpdates=[create, {"Delete": {"IndexName": "byKind"}}])["Code"] == "LimitExceededException"
    capped = {"Update": {"IndexName": "byKind", "OnDemandThroughput": {"MaxReadRequestUnits": 5}}}
    assert error_of(dynamodb.update_table, TableName=table, GlobalSecondaryIndexUpdates=[
        capped, {"Delete": {"IndexName": "nothing"}}])["Code"] == "ResourceNotFoundException"
    description = dynamodb.describe_table(TableName=table)["Table"]
    assert "OnDemandThroughput" not in description["GlobalSecondaryIndexes"][0]
    assert [index["IndexName"] for index in description["GlobalSecondaryIndexes"]] == ["byKind"]


def test_counts_follow_the_items(client, table):
    dynamodb = client("dynamodb")
    dynamodb.describe_table(TableName=table)
    dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item(s=s, kind={"S": "k"})}} for s in range(10)]})
    dynamodb.delete_item(TableName=table, Key=item(s=0))
    dynamodb.update_item(TableName=table, Key=item(s=1), UpdateExpression="REMOVE kind")
    description = dynamodb.describe_table(TableName=table)["Table"]
    assert description["ItemCount"] == 9 and description["GlobalSecondaryIndexes"][0]["ItemCount"] == 8
    assert description["TableSizeBytes"] > description["GlobalSecondaryIndexes"][0]["IndexSizeBytes"] > 0


def test_resource_policies_are_kept_with_their_revision(client, table):
    dynamodb = client("dynamodb")
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    assert error_of(dynamodb.get_resource_policy, ResourceArn=arn)["Code"] == "PolicyNotFoundException"
    assert error_of(dynamodb.put_resource_policy, ResourceArn=arn, Policy="no json")["Code"] == "ValidationException"
    policy = '{"Version": "2012-10-17", "Statement": []}'
    first = dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy, ExpectedRevisionId="NO_POLICY")["RevisionId"]
    assert dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy)["RevisionId"] == first
    assert error_of(dynamodb.put_resource_policy, ResourceArn=arn, Policy=policy,
                    ExpectedRevisionId="1")["Code"] == "PolicyNotFoundException"
    got = dynamodb.get_resource_policy(ResourceArn=arn)
    assert (got["Policy"], got["RevisionId"]) == (policy, first)
    assert dynamodb.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=first)["RevisionId"] == first
    assert "RevisionId" not in dynamodb.delete_resource_policy(ResourceArn=arn)

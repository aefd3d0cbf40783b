"""Reads in pages: 1 MB, Limit and filters, Select, segments, local indexes of every projection, batches beyond 16 MB; runs
against any DynamoDB endpoint with --endpoint."""
import uuid

import pytest
from botocore.exceptions import ClientError

BIG = "x" * 100_000


def fill(dynamodb, table, items):
    for first in range(0, len(items), 5):
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": each}} for each in items[first:first + 5]]})


def rows(count, p="a", **more):
    return [{"p": {"S": p}, "s": {"N": str(s)}, **more} for s in range(count)]


def pages(call, **arguments):
    out, start = [], {}
    while True:
        out.append(call(**arguments, **start))
        if "LastEvaluatedKey" not in out[-1]:
            return out
        start = {"ExclusiveStartKey": out[-1]["LastEvaluatedKey"]}


def numbers(answers):
    return [int(item["s"]["N"]) for answer in answers for item in answer["Items"]]


def test_a_page_ends_at_a_megabyte(client, table):
    dynamodb = client("dynamodb")
    fill(dynamodb, table, rows(25, v={"S": BIG}))
    query = {"TableName": table, "KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}
    for forward in (True, False):
        answers = pages(dynamodb.query, **query, ScanIndexForward=forward)
        assert [answer["Count"] for answer in answers] == [11, 11, 3]  # the item that passes 1 MB is the page's last
        assert numbers(answers) == (list(range(25)) if forward else list(range(24, -1, -1)))
    # What is left out by filter or projection was read all the same.
    counted = pages(dynamodb.query, **query, Select="COUNT", ReturnConsumedCapacity="TOTAL")
    assert [answer["Count"] for answer in counted] == [11, 11, 3] and all("Items" not in answer for answer in counted)
    assert counted[0]["ConsumedCapacity"]["CapacityUnits"] == pytest.approx(11 * 100_000 / 4096 / 2, rel=0.02)
    narrow = pages(dynamodb.scan, TableName=table, ProjectionExpression="s")
    assert [answer["Count"] for answer in narrow] == [11, 11, 3] and set(narrow[0]["Items"][0]) == {"s"}


def test_limit_counts_before_the_filter(client, table):
    dynamodb = client("dynamodb")
    fill(dynamodb, table, rows(10) + [{**each, "odd": {"BOOL": True}} for each in rows(10, p="b")[1::2]])
    query = {"TableName": table, "KeyConditionExpression": "p = :p", "FilterExpression": "attribute_exists(odd)", "Limit": 2}
    none = dynamodb.query(**query, ExpressionAttributeValues={":p": {"S": "a"}})
    assert (none["Count"], none["ScannedCount"], none["LastEvaluatedKey"]["s"]) == (0, 2, {"N": "1"})
    answers = pages(dynamodb.query, **query, ExpressionAttributeValues={":p": {"S": "b"}})
    assert sum(answer["ScannedCount"] for answer in answers) == 5 and numbers(answers) == [1, 3, 5, 7, 9]
    # A page that ends with the last item still says so: only the next one is known to be empty.
    exact = dynamodb.query(TableName=table, KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": {"S": "a"}}, Limit=10)
    assert exact["Count"] == 10 and exact["LastEvaluatedKey"] == {"p": {"S": "a"}, "s": {"N": "9"}}


@pytest.mark.parametrize("total", [1, 3, 16])
def test_segments_part_the_table(client, table, total):
    dynamodb = client("dynamodb")
    fill(dynamodb, table, [{"p": {"S": f"p{n}"}, "s": {"N": str(n)}} for n in range(60)])
    parts = [numbers(pages(dynamodb.scan, TableName=table, Segment=segment, TotalSegments=total, Limit=7)) for segment in range(total)]
    assert sorted(sum(parts, [])) == list(range(60))
    if total > 1:
        assert sum(1 for part in parts if part) > 1
        start = dynamodb.scan(TableName=table, Segment=0, TotalSegments=total, Limit=1)["LastEvaluatedKey"]
        with pytest.raises(ClientError) as caught:
            dynamodb.scan(TableName=table, Segment=total - 1, TotalSegments=total, ExclusiveStartKey=start)
        assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.fixture
def local(client):
    """A table with local indexes `all`, `keys` and `some` (with `in`), all sorted by `l`."""
    dynamodb, name = client("dynamodb"), f"local-{uuid.uuid4().hex[:8]}"
    keys = [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}]
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in "psl"],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[{"IndexName": index, "KeySchema": keys, "Projection": projection} for index, projection in (
            ("all", {"ProjectionType": "ALL"}), ("keys", {"ProjectionType": "KEYS_ONLY"}),
            ("some", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["in"]}))])
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    yield name
    dynamodb.delete_table(TableName=name)


def test_local_indexes_of_every_projection(client, local):
    dynamodb = client("dynamodb")
    whole = {name: {"S": name} for name in ("p", "s", "l", "in", "out")}
    dynamodb.put_item(TableName=local, Item=whole)
    dynamodb.put_item(TableName=local, Item={"p": {"S": "p"}, "s": {"S": "not in the indexes"}})

    def query(index, **more):
        return dynamodb.query(TableName=local, IndexName=index, KeyConditionExpression="p = :p", ReturnConsumedCapacity="INDEXES",
                              ExpressionAttributeValues={":p": {"S": "p"}}, ConsistentRead=True, **more)
    for index, names in (("all", set(whole)), ("keys", {"p", "s", "l"}), ("some", {"p", "s", "l", "in"})):
        answer = query(index)
        assert [set(item) for item in answer["Items"]] == [names]
        # What an index lacks is fetched from the table, and paid for there.
        fetched = query(index, Select="ALL_ATTRIBUTES")
        assert fetched["Items"] == [whole]
        assert answer["ConsumedCapacity"]["LocalSecondaryIndexes"] == {index: {"CapacityUnits": 1.0}}
        assert fetched["ConsumedCapacity"]["CapacityUnits"] == (1.0 if index == "all" else 2.0)
    assert query("keys", ProjectionExpression="#o", ExpressionAttributeNames={"#o": "out"})["Items"] == [{"out": {"S": "out"}}]
    dynamodb.update_item(TableName=local, Key={"p": {"S": "p"}, "s": {"S": "s"}}, UpdateExpression="REMOVE l")
    assert query("all")["Count"] == 0


def test_a_batch_answers_up_to_16_megabytes(client, table):
    dynamodb = client("dynamodb")
    items = rows(45, v={"S": "x" * 390_000})
    for first in range(0, 45, 5):
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": each}} for each in items[first:first + 5]]})
    keys, seen, rounds = [{"p": each["p"], "s": each["s"]} for each in items], [], 0
    while keys:
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ProjectionExpression": "s"}})
        seen += [int(item["s"]["N"]) for item in answer["Responses"][table]]
        keys = answer["UnprocessedKeys"].get(table, {}).get("Keys", [])
        if keys:
            assert answer["UnprocessedKeys"][table]["ProjectionExpression"] == "s"
        rounds += 1
    assert sorted(seen) == list(range(45)) and rounds == 2


def test_transactions_hold_4_megabytes(client, table):
    dynamodb = client("dynamodb")
    puts = [{"Put": {"TableName": table, "Item": each}} for each in rows(11, v={"S": "x" * 390_000})]
    dynamodb.transact_write_items(TransactItems=puts[:10])
    with pytest.raises(ClientError) as caught:
        dynamodb.transact_write_items(TransactItems=puts)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    gets = [{"Get": {"TableName": table, "Key": {"p": {"S": "a"}, "s": {"N": str(s)}}}} for s in range(10)]
    assert len(dynamodb.transact_get_items(TransactItems=gets)["Responses"]) == 10

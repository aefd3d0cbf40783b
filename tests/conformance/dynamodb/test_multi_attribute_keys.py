"""Global indexes whose key has several attributes per part: what may be created, read, paged; runs against any DynamoDB endpoint
with --endpoint. Source: Developer Guide, "Multi-attribute keys pattern"; messages as public probes of the service recorded them."""
import time
import uuid

import pytest
from botocore.exceptions import ClientError

INVALID = "One or more parameter values were invalid: "
# Partition: team, year (S, N); sort: state, due, code (S, N, B).
TYPES = {"p": "S", "team": "S", "year": "N", "state": "S", "due": "N", "code": "B"}
INDEX_KEYS = [("team", "HASH"), ("year", "HASH"), ("state", "RANGE"), ("due", "RANGE"), ("code", "RANGE")]
GAP = "RANGE key attributes %s must have equality conditions specified in the query because a condition is present on key attribute %s"


def elements(keys):
    return [{"AttributeName": name, "KeyType": kind} for name, kind in keys]


def gsi(keys, **more):
    return {"IndexName": "multi", "KeySchema": elements(keys), "Projection": {"ProjectionType": "KEYS_ONLY"}, **more}


def definitions(names):
    return [{"AttributeName": name, "AttributeType": TYPES.get(name, "S")} for name in names]


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


def item(p, team="a", year=1, state="done", due=1, code=b"x", **more):
    return {"p": {"S": p}, "team": {"S": team}, "year": {"N": str(year)}, "state": {"S": state}, "due": {"N": str(due)}, "code": {"B": code}, **more}


def wait_for_index(dynamodb, name):
    for _ in range(600):
        if dynamodb.describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE":
            return
        time.sleep(0.05)
    raise TimeoutError(name)


@pytest.fixture(scope="module", params=["created", "added"])
def indexed(request, client):
    """A table with such an index: from the start, or added to items that are there."""
    dynamodb, name = client("dynamodb"), f"multi-{uuid.uuid4().hex[:8]}"
    from_start = request.param == "created"
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=elements([("p", "HASH")]),
        AttributeDefinitions=definitions(TYPES if from_start else "p"), **({"GlobalSecondaryIndexes": [gsi(INDEX_KEYS)]} if from_start else {}))
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    items = [item("1", due=2), item("2", due=10), item("3", due=-3), item("4", state="open"), item("5", code=b"\xff"), item("6", code=b"\x00"),
             item("7", year=2), item("8", team="ab"), {k: v for k, v in item("9").items() if k != "due"}]
    for each in items:
        dynamodb.put_item(TableName=name, Item=each)
    if not from_start:
        dynamodb.update_table(TableName=name, AttributeDefinitions=definitions(TYPES), GlobalSecondaryIndexUpdates=[{"Create": gsi(INDEX_KEYS)}])
    wait_for_index(dynamodb, name)
    yield name
    dynamodb.delete_table(TableName=name)


def query(client, name, condition, values, **more):
    typed = {":t": {"S": "a"}, ":y": {"N": "1"}, ":s": {"S": "done"}, ":d": {"N": "1"}, ":c": {"B": b"x"}, ":e": {"N": "5"}}
    names = {short: full for short, full in (("#y", "year"), ("#s", "state")) if short in condition}
    return client("dynamodb").query(
        TableName=name, IndexName="multi", KeyConditionExpression=condition, ExpressionAttributeValues={f":{v}": typed[f":{v}"] for v in values},
        **({"ExpressionAttributeNames": names} if names else {}), **more)


BASE = "team = :t AND #y = :y"


@pytest.mark.parametrize("condition, values, found", [
    (BASE, "ty", "365124"), (f"{BASE} AND #s = :s", "tys", "36512"), (f"#s = :s AND {BASE}", "tys", "36512"), (f"{BASE} AND begins_with(#s, :s)", "tys", "36512"),
    (f"{BASE} AND #s > :s", "tys", "4"), (f"{BASE} AND #s = :s AND due > :d", "tysd", "12"), (f"{BASE} AND #s = :s AND due BETWEEN :d AND :e", "tysde", "651"),
    (f"{BASE} AND #s = :s AND due = :d AND code >= :c", "tysdc", "5"), (f"{BASE} AND #s = :s AND due = :d AND code = :c", "tysdc", ""),
])
def test_conditions(client, indexed, condition, values, found):
    assert "".join(i["p"]["S"] for i in query(client, indexed, condition, values)["Items"]) == found
    assert "".join(i["p"]["S"] for i in query(client, indexed, condition, values, ScanIndexForward=False)["Items"]) == found[::-1]


@pytest.mark.parametrize("condition, values, message", [
    ("team = :t", "t", "Query condition missed key schema element: year"), (f"{BASE} AND due = :d", "tyd", GAP % ("state", "due")),
    (f"{BASE} AND #s > :s AND due = :d", "tysd", GAP % ("state", "due")), (f"{BASE} AND code = :c", "tyc", GAP % ("state, due", "code")),
    ("team = :t AND #y > :y", "ty", "Query key condition not supported"),
    (f"{BASE} AND #s = :y", "ty", INVALID + "Condition parameter type does not match schema type"),
])
def test_conditions_that_are_refused(client, indexed, condition, values, message):
    with pytest.raises(ClientError) as caught:
        query(client, indexed, condition, values)
    assert caught.value.response["Error"] == {"Code": "ValidationException", "Message": message}


def test_legacy_key_conditions(client, indexed):
    def equals(value):
        return {"ComparisonOperator": "EQ", "AttributeValueList": [value]}
    conditions = {"team": equals({"S": "a"}), "year": equals({"N": "1"}), "state": equals({"S": "done"}),
                  "due": {"ComparisonOperator": "LT", "AttributeValueList": [{"N": "2"}]}}
    found = client("dynamodb").query(TableName=indexed, IndexName="multi", KeyConditions=conditions)["Items"]
    assert [i["p"]["S"] for i in found] == ["3", "6", "5"]


@pytest.mark.parametrize("forward", [True, False])
def test_pages(client, indexed, forward):
    found, start = [], {}
    while True:
        page = query(client, indexed, BASE, "ty", Limit=2, ScanIndexForward=forward, **start)
        found += [i["p"]["S"] for i in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        assert set(page["LastEvaluatedKey"]) == set(TYPES)
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert "".join(found) == ("365124" if forward else "421563")
    incomplete = {k: v for k, v in item("1").items() if k != "due"}
    with pytest.raises(ClientError, match="The provided starting key is invalid"):
        query(client, indexed, BASE, "ty", ExclusiveStartKey=incomplete)


def test_entries_follow_their_items(client, indexed):
    dynamodb = client("dynamodb")
    assert dynamodb.scan(TableName=indexed, IndexName="multi")["Count"] == 8  # without the item that lacks `due`
    key = {"p": {"S": "10"}}
    dynamodb.put_item(TableName=indexed, Item=item("10", team="z"))
    dynamodb.update_item(TableName=indexed, Key=key, UpdateExpression="SET due = :d", ExpressionAttributeValues={":d": {"N": "7"}})
    entry = [i for i in dynamodb.scan(TableName=indexed, IndexName="multi")["Items"] if i["p"]["S"] == "10"]
    assert [i["due"] for i in entry] == [{"N": "7"}]
    dynamodb.update_item(TableName=indexed, Key=key, UpdateExpression="REMOVE due")
    assert dynamodb.scan(TableName=indexed, IndexName="multi")["Count"] == 8
    dynamodb.delete_item(TableName=indexed, Key=key)
    assert error_of(dynamodb.put_item, TableName=indexed, Item=item("11", state=""))["Code"] == "ValidationException"
    assert "Aggregated size of all range keys" in error_of(
        dynamodb.put_item, TableName=indexed, Item=item("11", state="x" * 600, code=b"x" * 600))["Message"]


def test_description(client, indexed):
    index = client("dynamodb").describe_table(TableName=indexed)["Table"]["GlobalSecondaryIndexes"][0]
    assert index["KeySchema"] == elements(INDEX_KEYS)


def test_partiql_cannot_read_it(client, indexed):
    dynamodb = client("dynamodb")
    refused = "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys."
    select = f"SELECT * FROM \"{indexed}\".\"multi\" WHERE team = 'a'"
    assert error_of(dynamodb.execute_statement, Statement=select) == {"Code": "ValidationException", "Message": refused}
    batch = dynamodb.batch_execute_statement(Statements=[{"Statement": select}, {"Statement": f"SELECT p FROM \"{indexed}\" WHERE p = '1'"}])["Responses"]
    assert batch[0]["Error"] == {"Code": "ValidationError", "Message": refused} and batch[1]["Item"] == {"p": {"S": "1"}}


HASHES, RANGES = [(f"h{i}", "HASH") for i in range(5)], [(f"r{i}", "RANGE") for i in range(5)]


@pytest.mark.parametrize("keys, message", [
    (HASHES, INVALID + "The KeySchema exceeds the maximum allowed number of HASH key attributes"),
    (HASHES[:1] + RANGES, INVALID + "The KeySchema exceeds the maximum allowed number of RANGE key attributes"),
    ([HASHES[0], RANGES[0], HASHES[1]], INVALID + "All HASH key attributes must precede RANGE key attributes in the KeySchema"),
    ([HASHES[0], HASHES[0]], "The KeySchema contains multiple key attributes with the same name"),
    (RANGES[:3], "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
])
def test_schemas_that_are_refused(client, keys, message):
    names = ["p", *dict.fromkeys(name for name, _ in keys)]
    assert error_of(client("dynamodb").create_table, TableName="refused", BillingMode="PAY_PER_REQUEST", KeySchema=elements([("p", "HASH")]),
                    AttributeDefinitions=definitions(names), GlobalSecondaryIndexes=[gsi(keys)]) == {"Code": "ValidationException", "Message": message}


@pytest.mark.parametrize("local", [False, True])
def test_tables_and_local_indexes_have_one_attribute_per_part(client, local):
    three, two = [("p", "HASH"), ("q", "RANGE"), ("r", "RANGE")], [("p", "HASH"), ("q", "RANGE")]
    refused = error_of(client("dynamodb").create_table, TableName="refused", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=definitions("pqr"),
                       KeySchema=elements(two if local else three), **({"LocalSecondaryIndexes": [gsi(three)]} if local else {}))
    assert refused["Code"] == "ValidationException" and "Member must have length less than or equal to 2" in refused["Message"]


def test_largest_schema(client):
    dynamodb, name, keys = client("dynamodb"), f"multi-{uuid.uuid4().hex[:8]}", HASHES[:4] + RANGES[:4]
    described = dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=elements([("p", "HASH")]), GlobalSecondaryIndexes=[gsi(keys)],
        AttributeDefinitions=definitions(["p", *(key for key, _ in keys)]))["TableDescription"]
    assert described["GlobalSecondaryIndexes"][0]["KeySchema"] == elements(keys)
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    dynamodb.delete_table(TableName=name)

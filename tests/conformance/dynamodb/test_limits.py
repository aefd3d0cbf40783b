"""Limits of items, keys and expressions, and what answers say besides items; runs against any DynamoDB endpoint with --endpoint."""
import json
import zlib

import pytest
from botocore.exceptions import ClientError

INVALID = "One or more parameter values were invalid: "


def item(p="a", s=1, **attributes):
    return {"p": {"S": p}, "s": {"N": str(s)}, **attributes}


def key(p="a", s=1):
    return {"p": {"S": p}, "s": {"N": str(s)}}


def validation(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException", error
    return error["Message"]


def nested(depth):
    value = {"S": "x"}
    for _ in range(depth):
        value = {"L": [value]}
    return value


@pytest.mark.parametrize("text, stored", [
    ("1" * 38, "1" * 38), ("0.1000", "0.1"), ("-0", "0"), ("1E+2", "100"), ("15e-1", "1.5"), ("+7", "7"), ("007", "7"),
    ("9.9999999999999999999999999999999999999E+125", "9" * 38 + "0" * 88), ("1E-130", "0." + "0" * 129 + "1"),
])
def test_numbers_are_stored_exactly(client, table, text, stored):
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item(n={"N": text}))
    assert dynamodb.get_item(TableName=table, Key=key())["Item"]["n"] == {"N": stored}


@pytest.mark.parametrize("text, message", [
    ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
    ("1E126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
    ("1E-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
    *((bad, f"The parameter cannot be converted to a numeric value: {bad}") for bad in ("abc", "1 ", "NaN", "0x1", "1e", "--1")),
    ("", "1 validation error detected: The parameter cannot be converted to a numeric value: "),
])
def test_numbers_out_of_range(client, table, text, message):
    assert message in validation(client("dynamodb").put_item, TableName=table, Item=item(n={"N": text}))


def test_sum_beyond_the_range_changes_nothing(client, table):
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item(n={"N": "9E125"}))
    validation(dynamodb.update_item, TableName=table, Key=key(), UpdateExpression="ADD n :n", ExpressionAttributeValues={":n": {"N": "9E125"}})
    assert dynamodb.get_item(TableName=table, Key=key())["Item"]["n"]["N"].startswith("9000")


ONE = "1 validation error detected: "


@pytest.mark.parametrize("value, message", [
    ({"SS": []}, INVALID + "An string set  may not be empty"),
    ({"NS": []}, INVALID + "An number set  may not be empty"),
    ({"BS": []}, INVALID + "Binary sets should not be empty"),
    ({"SS": ["a", "b", "a"]}, ONE + INVALID + 'Input collection ["a", "b", "a"] contains duplicates.'),
    ({"BS": [b"\xff", b"\0", b"\0"]}, ONE + INVALID + 'Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.'),
    ({"NS": ["1", "1.0"]}, ONE + INVALID + "Input collection contains duplicates."),
    ({"NULL": False}, INVALID + "Null attribute value types must have the value of true"),
    ({}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
    (nested(32), "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"),
])
def test_values_that_are_refused(client, table, value, message):
    assert message in validation(client("dynamodb").put_item, TableName=table, Item=item(v=value))


DUPLICATES = [(INVALID + 'Input collection ["a", "b", "b"] contains duplicates.', INVALID + "Input collection [b, a, b] contains duplicates.", {"SS": ["b", "a", "b"]}),
              (INVALID + "Input collection contains duplicates.", "Input collection contains duplicates", {"NS": ["2", "1", "2"]}),
              ("The parameter cannot be converted to a numeric value: abc",) * 2 + ({"N": "abc"},),
              ("The parameter cannot be converted to a numeric value: ", "The parameter cannot be converted to a numeric value", {"N": ""})]


@pytest.mark.parametrize("newer, older, value", DUPLICATES)
def test_operations_say_it_in_their_words(client, table, newer, older, value):
    """PutItem, UpdateItem and DeleteItem in an envelope, other reads bare; batches of writes, and transactions in most Regions, in older words."""
    dynamodb, bad_key, values = client("dynamodb"), {"p": value, "s": {"N": "1"}}, {"ExpressionAttributeValues": {":v": value}}
    assert validation(dynamodb.put_item, TableName=table, Item=item(v=value)) == ONE + newer
    assert validation(dynamodb.update_item, TableName=table, Key=key(), UpdateExpression="SET v = :v", **values) == ONE + newer
    assert validation(dynamodb.delete_item, TableName=table, Key=key(), ConditionExpression="v = :v", **values) == ONE + newer
    assert validation(dynamodb.get_item, TableName=table, Key=bad_key) == newer
    assert validation(dynamodb.batch_get_item, RequestItems={table: {"Keys": [bad_key]}}) == newer
    assert validation(dynamodb.query, TableName=table, KeyConditionExpression="p = :v", **values) == newer
    assert validation(dynamodb.batch_write_item, RequestItems={table: [{"PutRequest": {"Item": item(v=value)}}]}) == older
    assert validation(dynamodb.transact_write_items, TransactItems=[{"Put": {"TableName": table, "Item": item(v=value)}}]) in (older, newer)


def test_nesting_to_the_limit_and_empty_values(client, table):
    dynamodb = client("dynamodb")
    whole = item(deep=nested(31), text={"S": ""}, bytes={"B": b""}, list={"L": []}, map={"M": {}}, words={"SS": [""]})
    dynamodb.put_item(TableName=table, Item=whole)
    assert dynamodb.get_item(TableName=table, Key=key())["Item"] == whole


def test_items_end_at_400_kb(client, table):
    dynamodb = client("dynamodb")
    base = len("p") + len("a") + len("s") + 2 + len("v")
    dynamodb.put_item(TableName=table, Item=item(v={"S": "x" * (400 * 1024 - base)}))
    assert validation(dynamodb.put_item, TableName=table, Item=item(v={"S": "x" * (400 * 1024 - base + 1)})) == (
        "Item size has exceeded the maximum allowed size")
    assert validation(dynamodb.update_item, TableName=table, Key=key(), UpdateExpression="SET w = :w",
                      ExpressionAttributeValues={":w": {"S": "x"}}) == "Item size to update has exceeded the maximum allowed size"


@pytest.mark.parametrize("arguments, message", [
    ({"p": {"S": ""}, "s": {"N": "1"}}, "The AttributeValue for a key attribute cannot contain an empty string value. Key: p"),
    ({"p": {"S": "x" * 2049}, "s": {"N": "1"}},
     INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
    ({"p": {"S": "a"}}, "The provided key element does not match the schema"),
    ({"p": {"S": "a"}, "s": {"S": "1"}}, "The provided key element does not match the schema"),
    ({"p": {"S": "a"}, "s": {"N": "1"}, "x": {"N": "1"}}, "The provided key element does not match the schema"),
])
def test_keys_that_are_refused(client, table, arguments, message):
    assert message in validation(client("dynamodb").get_item, TableName=table, Key=arguments)


def test_items_without_their_key(client, table):
    dynamodb = client("dynamodb")
    assert validation(dynamodb.put_item, TableName=table, Item={"p": {"S": "a"}}) == INVALID + "Missing the key s in the item"
    assert validation(dynamodb.put_item, TableName=table, Item={"p": {"S": "a"}, "s": {"S": "1"}}) == (
        INVALID + "Type mismatch for key s expected: N actual: S")


@pytest.mark.parametrize("expression, values, message", [
    ("SET name = :v", 1, "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: name"),
    ("SET a = :v, a = :v", 1, "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of "
     "these paths; path one: [a], path two: [a]"),
    ("SET a.b = :v, a[1] = :v", 1, "Invalid UpdateExpression: Two document paths conflict with each other; must remove or rewrite one of "
     "these paths; path one: [a, b], path two: [a, [1]]"),
    ("SET a = :absent", 0, "Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :absent"),
    ("SET #a = :v", 1, "Invalid UpdateExpression: An expression attribute name used in the document path is not defined; attribute name: #a"),
    ("SET a = :v SET b = :v", 1, "Invalid UpdateExpression: The \"SET\" section can only be used once in an update expression;"),
    ("SET a = size(b)", 0, "Invalid UpdateExpression: The function is not allowed in an update expression; function: size"),
    ("ADD a :v", 1, "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING"),
    ("REMOVE a", 1, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"),
    ("SET p = :v", 1, INVALID + "Cannot update attribute p. This attribute is part of the key"),
    ("", 0, "Invalid UpdateExpression: The expression can not be empty;"),
    ("SET a = :v AND", 1, "Invalid UpdateExpression: Syntax error; token: \"AND\", near: \":v AND\""),
])
def test_update_expressions_that_are_refused(client, table, expression, values, message):
    arguments = {"ExpressionAttributeValues": {":v": {"S": "x"}}} if values else {}
    assert validation(client("dynamodb").update_item, TableName=table, Key=key(), UpdateExpression=expression, **arguments) == (
        message if "part of the key" in message else ONE + message)


@pytest.mark.parametrize("arguments", [
    {"UpdateExpression": "REMOVE a"}, {"AttributeUpdates": {"a": {"Action": "DELETE"}}},
    {"UpdateExpression": "DELETE a :v", "ExpressionAttributeValues": {":v": {"SS": ["x"]}}},
])
def test_an_update_that_only_removes_makes_no_item(client, table, arguments):
    dynamodb = client("dynamodb")
    answer = dynamodb.update_item(TableName=table, Key=key(), ReturnValues="ALL_NEW", **arguments)
    assert "Attributes" not in answer
    assert "Item" not in dynamodb.get_item(TableName=table, Key=key())
    dynamodb.update_item(TableName=table, Key=key())  # an update without changes does make it
    assert dynamodb.get_item(TableName=table, Key=key())["Item"] == key()


def test_expressions_have_an_end(client, table):
    dynamodb = client("dynamodb")
    long = "attribute_exists(" + "a" * 4096 + ")"
    assert validation(dynamodb.put_item, TableName=table, Item=item(), ConditionExpression=long) == (
        ONE + f"Invalid ConditionExpression: Expression size has exceeded the maximum allowed size; expression size: {len(long)}")
    assert validation(dynamodb.update_item, TableName=table, Key=key(), UpdateExpression="REMOVE " + "a" * 4096) == (
        ONE + "Invalid UpdateExpression: Expression size has exceeded the maximum allowed size;")
    validation(dynamodb.put_item, TableName=table, Item=item(), ConditionExpression="(" * 4000)
    validation(dynamodb.put_item, TableName=table, Item=item(), ConditionExpression="a" * 1_000_000)
    names = {f":v{i}": {"N": "1"} for i in range(101)}
    validation(dynamodb.put_item, TableName=table, Item=item(), ConditionExpression=f"a IN ({', '.join(names)})",
               ExpressionAttributeValues=names)


def test_errors_come_in_the_services_order(client, table):
    dynamodb = client("dynamodb")
    # The shape of the request, then expressions, then whether there is a table, then the key.
    assert validation(dynamodb.get_item, TableName="no-such-table", Key=key(), ProjectionExpression="a..b").startswith("Invalid ProjectionExpression")
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.get_item(TableName="no-such-table", Key={"wrong": {"S": "x"}})
    assert validation(dynamodb.query, TableName=table, KeyConditionExpression="s = :s", FilterExpression="a = :absent",
                      ExpressionAttributeValues={":s": {"N": "1"}}).startswith("Invalid FilterExpression")


def test_consumed_capacity(client, table):
    dynamodb = client("dynamodb")
    put = dynamodb.put_item(TableName=table, Item=item(v={"S": "x" * 1500}), ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 2.0}
    def read(**arguments):
        return dynamodb.get_item(TableName=table, Key=key(), ReturnConsumedCapacity="INDEXES", **arguments)["ConsumedCapacity"]
    assert read() == {"TableName": table, "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}}
    assert read(ConsistentRead=True)["CapacityUnits"] == 1.0
    done = dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": item()}}], ReturnConsumedCapacity="TOTAL")
    assert done["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}]


def test_answers_name_their_checksum(client, table):
    bodies = []
    dynamodb = client("dynamodb")
    dynamodb.meta.events.register("after-call.dynamodb", lambda http_response, **_: bodies.append(http_response))
    dynamodb.put_item(TableName=table, Item=item())
    dynamodb.get_item(TableName=table, Key=key())
    validation(dynamodb.get_item, TableName=table, Key={"p": {"S": "a"}})
    assert len(bodies) == 3
    for each in bodies:
        assert int(each.headers["x-amz-crc32"]) == zlib.crc32(each.content)
        json.loads(each.content)


def test_an_arn_in_place_of_the_name(client, table):
    dynamodb = client("dynamodb")
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    dynamodb.put_item(TableName=arn, Item=item())
    assert dynamodb.get_item(TableName=arn, Key=key())["Item"] == item()
    assert dynamodb.query(TableName=arn, KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": {"S": "a"}})["Count"] == 1
    answer = dynamodb.batch_get_item(RequestItems={arn: {"Keys": [key()]}})
    assert answer["Responses"] == {arn: [item()]}


def test_collection_metrics(client, table):
    dynamodb = client("dynamodb")
    # Without a local index there are no item collections to report.
    assert "ItemCollectionMetrics" not in dynamodb.put_item(TableName=table, Item=item(), ReturnItemCollectionMetrics="SIZE")
    name = table + "-local"
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in "psl"],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[{"IndexName": "by_l", "Projection": {"ProjectionType": "ALL"}, "KeySchema": [
            {"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}]}])
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    try:
        whole = {"p": {"S": "a"}, "s": {"S": "x"}, "l": {"S": "y"}}
        want = {"ItemCollectionKey": {"p": {"S": "a"}}, "SizeEstimateRangeGB": [0.0, 1.0]}
        put = dynamodb.put_item(TableName=name, Item=whole, ReturnItemCollectionMetrics="SIZE")
        assert put["ItemCollectionMetrics"] == want
        batch = dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": whole}}, {"PutRequest": {"Item": {**whole, "s": {"S": "z"}}}}]},
                                          ReturnItemCollectionMetrics="SIZE")
        assert batch["ItemCollectionMetrics"] == {name: [want]}
        gone = dynamodb.delete_item(TableName=name, Key={"p": {"S": "a"}, "s": {"S": "x"}}, ReturnItemCollectionMetrics="SIZE")
        assert gone["ItemCollectionMetrics"] == want
    finally:
        dynamodb.delete_table(TableName=name)


def test_failed_transactions_give_items_when_asked(client, table):
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item(v={"N": "1"}))
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(TransactItems=[
            {"Put": {"TableName": table, "Item": item(p="b")}},
            {"ConditionCheck": {"TableName": table, "Key": key(), "ConditionExpression": "attribute_not_exists(p)",
                                "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}])
    reasons = caught.value.response["CancellationReasons"]
    assert reasons == [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed",
                                          "Item": item(v={"N": "1"})}]
    assert caught.value.response["Error"]["Message"] == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]")

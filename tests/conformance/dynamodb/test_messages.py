"""What item operations refuse, word by word; runs against any DynamoDB endpoint with --endpoint. The messages are those that
peers' test suites recorded from the service. PutItem, UpdateItem and DeleteItem put what is wrong with the request itself in the envelope of model validation."""
import pytest
from botocore.exceptions import ClientError

ONE = "1 validation error detected: "
INVALID = "One or more parameter values were invalid: "
KEY = {"p": {"S": "a"}, "s": {"N": "1"}}
A, N = {":a": {"S": "a"}}, {":n": {"N": "1"}}
MIXED = "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {%s} Expression parameters: {%s}"
NO_VALUES = "ExpressionAttributeValues can only be specified when using expressions"
P = {"KeyConditionExpression": "p = :a", "ExpressionAttributeValues": A}


def nested(depth):
    value = {"S": "leaf"}
    for _ in range(depth):
        value = {"M": {"n": value}}
    return value


TOO_DEEP = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"


def condition(text, names=None, values=None):
    more = {"ExpressionAttributeNames": names} if names is not None else {}
    return {"Item": KEY, "ConditionExpression": text, **more, **({"ExpressionAttributeValues": values} if values is not None else {})}


def key_condition(text, **values):
    return {"KeyConditionExpression": text, **({"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {})}


ROWS = [
    ("put_item", {"Item": KEY, "ReturnValues": "ALL_NEW"}, ONE + "ReturnValues can only be ALL_OLD or NONE"),
    ("delete_item", {"Key": KEY, "ReturnValues": "UPDATED_OLD"}, ONE + "ReturnValues can only be ALL_OLD or NONE"),
    ("put_item", {"Item": KEY, "Expected": {"a": {"Exists": False}}, "ConditionExpression": "a = b"}, ONE + MIXED % ("Expected", "ConditionExpression")),
    ("put_item", {"Item": KEY, "ExpressionAttributeNames": {"#a": "a"}}, ONE + "ExpressionAttributeNames can only be specified when using expressions"),
    ("put_item", {"Item": KEY, "ExpressionAttributeValues": A}, ONE + NO_VALUES),
    ("put_item", condition(""), ONE + "Invalid ConditionExpression: The expression can not be empty;"),
    ("put_item", condition("a = :a", names={}), ONE + "ExpressionAttributeNames must not be empty"),
    ("put_item", condition("a = :a", names={"a": "b"}), ONE + 'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"'),
    ("put_item", condition("a = :a", values={}), ONE + "ExpressionAttributeValues must not be empty"),
    ("put_item", condition("a = :a", values={"a": {"S": "b"}}), ONE + 'ExpressionAttributeValues contains invalid key: Syntax error; key: "a"'),
    ("put_item", condition("a = :b", values=A),
     ONE + "Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :b"),
    ("put_item", condition("#b = :a", values=A),
     ONE + "Invalid ConditionExpression: An expression attribute name used in the document path is not defined; attribute name: #b"),
    ("put_item", condition("a = :a", values={**A, ":b": {"S": "b"}}), ONE + "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}"),
    ("put_item", condition("a = b", names={"#a": "a"}), ONE + "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}"),
    ("get_item", {"Key": KEY, "AttributesToGet": ["a"], "ProjectionExpression": "b"}, MIXED % ("AttributesToGet", "ProjectionExpression")),
    ("get_item", {"Key": KEY, "AttributesToGet": ["a", "a"]}, INVALID + "Duplicate value in attribute name: a"),
    ("get_item", {"Key": KEY, "ProjectionExpression": "a,"}, 'Invalid ProjectionExpression: Syntax error; token: "<EOF>", near: ","'),
    ("get_item", {"Key": KEY, "ProjectionExpression": "a b"}, 'Invalid ProjectionExpression: Syntax error; token: "b", near: "a b"'),
    ("update_item", {"Key": KEY, "ExpressionAttributeValues": A}, ONE + NO_VALUES),
    ("update_item", {"Key": KEY, "UpdateExpression": "SET a = b", "AttributeUpdates": {}}, ONE + MIXED % ("AttributeUpdates", "UpdateExpression")),
    ("update_item", {"Key": KEY, "UpdateExpression": "SET a = b"}, "The provided expression refers to an attribute that does not exist in the item"),
    ("update_item", {"Key": KEY, "UpdateExpression": "SET a.b = :a", "ExpressionAttributeValues": A},
     "The document path provided in the update expression is invalid for update"),
    ("update_item", {"Key": KEY, "UpdateExpression": "SET a = :a + :n", "ExpressionAttributeValues": {**A, **N}},
     ONE + "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S"),
    ("update_item", {"Key": KEY, "UpdateExpression": "SET a = list_append(b)"},
     ONE + "Invalid UpdateExpression: Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 1"),
    ("update_item", {"Key": KEY, "UpdateExpression": "SET a = nothing(b)"}, ONE + "Invalid UpdateExpression: Invalid function name; function: nothing"),
    ("update_item", {"Key": KEY, "UpdateExpression": "SET a = :a", "ConditionExpression": "d = :d", "ExpressionAttributeValues": {**A, ":d": nested(32)}}, ONE + TOO_DEEP),
    ("query", {}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
    ("query", {"KeyConditions": {}}, "Conditions can be of length 1 or 2 only"),
    ("query", key_condition("s = :n", n={"N": "1"}), "Query condition missed key schema element: p"),
    ("query", key_condition("p = :n", n={"N": "1"}), INVALID + "Condition parameter type does not match schema type"),
    ("query", key_condition("p > :a", a={"S": "a"}), "Query key condition not supported"),
    ("query", key_condition("p = :a OR s = :a", a={"S": "a"}), "Invalid operator used in KeyConditionExpression: OR"),
    ("query", key_condition("p <> :a", a={"S": "a"}), "Invalid operator used in KeyConditionExpression: <>"),
    ("query", key_condition("attribute_exists(p)"), "Invalid operator used in KeyConditionExpression: attribute_exists"),
    ("query", key_condition("p.x = :a", a={"S": "a"}), "KeyConditionExpressions cannot have conditions on nested attributes"),
    ("query", key_condition("p = :a AND p = :a", a={"S": "a"}), "KeyConditionExpressions must only contain one condition per key"),
    ("query", {**P, "QueryFilter": {}}, MIXED % ("QueryFilter", "KeyConditionExpression")),
    ("query", {**P, "FilterExpression": "s = :a"}, "Filter Expression can only contain non-primary key attributes: Primary key attribute: s"),
    ("query", {**P, "Select": "COUNT", "ProjectionExpression": "a"}, ONE + "Cannot specify the ProjectionExpression when choosing to get only the Count"),
    ("query", {**P, "Select": "ALL_ATTRIBUTES", "ProjectionExpression": "a"},
     ONE + "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES"),
    ("query", {**P, "Select": "SPECIFIC_ATTRIBUTES"},
     ONE + "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"),
    ("query", {**P, "IndexName": "whatever"}, "The table does not have the specified index: whatever"),
    ("query", {**key_condition("kind = :a", a={"S": "a"}), "IndexName": "byKind", "ConsistentRead": True},
     "Consistent reads are not supported on global secondary indexes"),
    ("query", {**P, "ExclusiveStartKey": {"p": {"S": "a"}}},
     "The provided starting key is invalid: The provided key element does not match the schema"),
    ("query", {**P, "ExclusiveStartKey": {**KEY, "p": {"S": "b"}}},
     "The provided starting key is outside query boundaries based on provided conditions"),
    ("scan", {"ExpressionAttributeValues": A, "ProjectionExpression": "a"}, NO_VALUES + ": FilterExpression is null"),
    ("scan", {"IndexName": "byKind", "ConsistentRead": True}, "Consistent reads are not supported on global secondary indexes"),
    ("scan", {"Select": "count"}, ONE + "Value 'count' at 'select' failed to satisfy constraint: Member must satisfy enum value set: "
     "[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]"),
    ("query", {**P, "ReturnConsumedCapacity": "ALL"}, ONE + "Value 'ALL' at 'returnConsumedCapacity' failed to satisfy constraint: "
     "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"),
    ("query", {**P, "Select": "ALL_PROJECTED_ATTRIBUTES"}, ONE + "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"),
    ("scan", {"Segment": 0}, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"),
    ("scan", {"TotalSegments": 1}, "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"),
    ("scan", {"Segment": 1, "TotalSegments": 1},
     "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 1 is not less than TotalSegments: 1"),
]


@pytest.mark.parametrize("operation, arguments, message", [pytest.param(*row, id=f"{i}-{row[0]}") for i, row in enumerate(ROWS)])
def test_messages(client, table, operation, arguments, message):
    with pytest.raises(ClientError) as caught:
        getattr(client("dynamodb"), operation)(TableName=table, **arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException" and message == error["Message"], error


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


def test_batches_and_transactions(client, table):
    dynamodb = client("dynamodb")
    duplicates = {"Code": "ValidationException", "Message": "Provided list of item keys contains duplicates"}
    assert refused(dynamodb.batch_get_item, RequestItems={table: {"Keys": [KEY, KEY]}}) == duplicates
    assert refused(dynamodb.batch_write_item, RequestItems={table: [{"DeleteRequest": {"Key": KEY}}, {"PutRequest": {"Item": KEY}}]}) == duplicates
    twice = {"Code": "ValidationException", "Message": "Transaction request cannot include multiple operations on one item"}
    put, get = {"Put": {"TableName": table, "Item": KEY}}, {"Get": {"TableName": table, "Key": KEY}}
    assert refused(dynamodb.transact_write_items, TransactItems=[put, put]) == twice
    assert refused(dynamodb.transact_get_items, TransactItems=[get, get]) == twice
    many = [{"Delete": {"TableName": table, "Key": {"p": {"S": "a"}, "s": {"N": str(n)}}}} for n in range(101)]
    assert refused(dynamodb.transact_write_items, TransactItems=many)["Message"].endswith("Member must have length less than or equal to 100")
    assert refused(dynamodb.transact_write_items, TransactItems=[{}])["Message"] == (
        "TransactItems can only contain one of Check, Put, Update or Delete")
    # What is wrong with an expression or an item's depth is told before tables are looked up, in the order of the actions.
    absent = {"Put": {"TableName": "no-such-table", "Item": KEY}}
    check = {"ConditionCheck": {"TableName": table, "Key": KEY, "ConditionExpression": "attribute_not_exists("}}
    unused = {"ConditionCheck": {"TableName": table, "Key": KEY, "ConditionExpression": "attribute_exists(p)", "ExpressionAttributeValues": A}}
    deep = {"Put": {"TableName": table, "Item": {**KEY, "d": nested(32)}}}
    syntax = 'Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "("'
    for actions, message in (([absent, check], syntax), ([check, deep], syntax), ([deep, check], TOO_DEEP),
                             ([absent, unused], "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}")):
        assert refused(dynamodb.transact_write_items, TransactItems=actions) == {"Code": "ValidationException", "Message": message}
    # One item that cannot be updated cancels all.
    update = {"Update": {"TableName": table, "Key": KEY, "UpdateExpression": "SET a = b"}}
    other = {"Put": {"TableName": table, "Item": {**KEY, "p": {"S": "b"}}}}
    assert refused(dynamodb.transact_write_items, TransactItems=[other, update]) == {
        "Code": "TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ValidationError]"}
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_a_snapshot_of_several_items(client, table):
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item={**KEY, "v": {"S": "x"}})
    gets = [{"Get": {"TableName": table, "Key": KEY, "ProjectionExpression": "v"}}, {"Get": {"TableName": table, "Key": {**KEY, "p": {"S": "b"}}}}]
    answer = dynamodb.transact_get_items(TransactItems=gets, ReturnConsumedCapacity="TOTAL")
    assert answer["Responses"] == [{"Item": {"v": {"S": "x"}}}, {}]
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 4.0, "ReadCapacityUnits": 4.0}]

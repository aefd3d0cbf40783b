"""The parameters that expressions replaced, through stock boto3; runs against any DynamoDB endpoint with --endpoint."""
import pytest
from botocore.exceptions import ClientError


def item(p="a", s=1, **attributes):
    return {"p": {"S": p}, "s": {"N": str(s)}, **attributes}


def key(p="a", s=1):
    return {"p": {"S": p}, "s": {"N": str(s)}}


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


def validation(call, **arguments):
    error = error_of(call, **arguments)
    assert error["Code"] == "ValidationException"
    return error["Message"]


def test_expected_guards_writes(client, table):
    dynamodb = client("dynamodb")
    fresh = {"p": {"Exists": False}}
    dynamodb.put_item(TableName=table, Item=item(v={"N": "1"}), Expected=fresh)
    assert error_of(dynamodb.put_item, TableName=table, Item=item(), Expected=fresh)["Code"] == "ConditionalCheckFailedException"
    assert error_of(dynamodb.delete_item, TableName=table, Key=key(),
                    Expected={"v": {"Value": {"N": "2"}}})["Code"] == "ConditionalCheckFailedException"
    either = {"v": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "5"}]}, "p": {"Value": {"S": "a"}}}
    assert error_of(dynamodb.delete_item, TableName=table, Key=key(),
                    Expected=either)["Code"] == "ConditionalCheckFailedException"
    old = dynamodb.delete_item(TableName=table, Key=key(), Expected=either, ConditionalOperator="OR", ReturnValues="ALL_OLD")
    assert old["Attributes"] == item(v={"N": "1"})


def test_attribute_updates(client, table):
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item(n={"N": "1"}, tags={"SS": ["a", "b"]}, gone={"S": "x"}, list={"L": []}))
    answer = dynamodb.update_item(TableName=table, Key=key(), ReturnValues="ALL_NEW", AttributeUpdates={
        "n": {"Action": "ADD", "Value": {"N": "4"}}, "tags": {"Action": "DELETE", "Value": {"SS": ["b"]}},
        "gone": {"Action": "DELETE"}, "fresh": {"Value": {"S": ""}}, "list": {"Action": "ADD", "Value": {"L": [{"S": "z"}]}}})
    assert answer["Attributes"] == item(n={"N": "5"}, tags={"SS": ["a"]}, fresh={"S": ""}, list={"L": [{"S": "z"}]})
    touched = dynamodb.update_item(TableName=table, Key=key(), ReturnValues="UPDATED_NEW", Expected={"n": {"Value": {"N": "5"}}},
                                   AttributeUpdates={"n": {"Action": "PUT", "Value": {"N": "7"}}})
    assert touched["Attributes"] == {"n": {"N": "7"}}
    assert validation(dynamodb.update_item, TableName=table, Key=key(),
                      AttributeUpdates={"fresh": {"Action": "ADD", "Value": {"N": "1"}}}) == "Type mismatch for attribute to update"
    assert "This attribute is part of the key" in validation(
        dynamodb.update_item, TableName=table, Key=key(), AttributeUpdates={"p": {"Value": {"S": "b"}}})


def test_key_conditions_and_query_filter(client, table):
    dynamodb = client("dynamodb")
    for s in range(5):
        dynamodb.put_item(TableName=table, Item=item(s=s, even={"BOOL": s % 2 == 0}, word={"S": "x" * s}))
    conditions = {"p": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]},
                  "s": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "1"}, {"N": "3"}]}}
    page = dynamodb.query(TableName=table, KeyConditions=conditions, AttributesToGet=["s"], ScanIndexForward=False,
                          QueryFilter={"even": {"ComparisonOperator": "EQ", "AttributeValueList": [{"BOOL": False}]},
                                       "word": {"ComparisonOperator": "CONTAINS", "AttributeValueList": [{"S": "x"}]}})
    assert page["Items"] == [{"s": {"N": "3"}}, {"s": {"N": "1"}}]
    assert (page["Count"], page["ScannedCount"]) == (2, 3)
    # KeyConditions may stand beside a FilterExpression.
    page = dynamodb.query(TableName=table, KeyConditions=conditions, FilterExpression="even = :t",
                          ExpressionAttributeValues={":t": {"BOOL": True}})
    assert [each["s"]["N"] for each in page["Items"]] == ["2"]
    assert validation(dynamodb.query, TableName=table, KeyConditions=conditions, QueryFilter={
        "s": {"ComparisonOperator": "NOT_NULL"}}) == "QueryFilter can only contain non-primary key attributes: Primary key attribute: s"


def test_scan_filter(client, table):
    dynamodb = client("dynamodb")
    for s in range(4):
        dynamodb.put_item(TableName=table, Item=item(s=s, **({"v": {"N": str(s)}} if s else {})))
    def found(**arguments):
        return sorted(int(each["s"]["N"]) for each in dynamodb.scan(TableName=table, **arguments)["Items"])
    absent = {"v": {"ComparisonOperator": "NULL"}}
    assert found(ScanFilter=absent) == [0]
    assert found(ScanFilter={"v": {"ComparisonOperator": "IN", "AttributeValueList": [{"N": "1"}, {"N": "3"}]}}) == [1, 3]
    assert found(ScanFilter={**absent, "s": {"ComparisonOperator": "GE", "AttributeValueList": [{"N": "3"}]}},
                 ConditionalOperator="OR") == [0, 3]


def test_attributes_to_get(client, table):
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item(v={"N": "1"}, w={"N": "2"}))
    assert dynamodb.get_item(TableName=table, Key=key(), AttributesToGet=["v", "absent"])["Item"] == {"v": {"N": "1"}}
    answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": [key()], "AttributesToGet": ["w"]}})
    assert answer["Responses"][table] == [{"w": {"N": "2"}}]
    assert validation(dynamodb.get_item, TableName=table, Key=key(), AttributesToGet=["v", "v"]) == (
        "One or more parameter values were invalid: Duplicate value in attribute name: v")


ENVELOPE = "1 validation error detected: "  # of PutItem, UpdateItem and DeleteItem
INVALID = "One or more parameter values were invalid: "
MIXED = "Can not use both expression and non-expression parameters in the same request: "
ONE = {"x": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}}


@pytest.mark.parametrize("operation, arguments, message", [
    ("get_item", {"Key": key(), "AttributesToGet": ["a"], "ProjectionExpression": "a"},
     MIXED + "Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}"),
    ("put_item", {"Item": item(), "Expected": {"a": {}}, "ConditionExpression": "attribute_exists(a)"},
     ENVELOPE + MIXED + "Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"),
    ("update_item", {"Key": key(), "AttributeUpdates": {"a": {}}, "Expected": {"a": {}}, "UpdateExpression": "x",
                     "ConditionExpression": "x"},
     ENVELOPE + MIXED + "Non-expression parameters: {AttributeUpdates, Expected} Expression parameters: {UpdateExpression, ConditionExpression}"),
    ("query", {"KeyConditions": ONE, "QueryFilter": ONE, "ConditionalOperator": "OR", "AttributesToGet": ["a"],
               "ProjectionExpression": "a", "FilterExpression": "a", "KeyConditionExpression": "a"},
     MIXED + "Non-expression parameters: {AttributesToGet, QueryFilter, ConditionalOperator, KeyConditions} "
     "Expression parameters: {ProjectionExpression, FilterExpression, KeyConditionExpression}"),
    ("scan", {"ScanFilter": ONE, "FilterExpression": "a"},
     MIXED + "Non-expression parameters: {ScanFilter} Expression parameters: {FilterExpression}"),
    ("delete_item", {"Key": key(), "Expected": {"a": {"Exists": True}}}, ENVELOPE + INVALID + "Value must be provided when Exists is true for Attribute: a"),
    ("delete_item", {"Key": key(), "Expected": {"a": {"Exists": False, "Value": {"S": "x"}}}},
     ENVELOPE + INVALID + "Value cannot be used when Exists is false for Attribute: a"),
    ("put_item", {"Item": item(), "Expected": {"a": {"ComparisonOperator": "EQ"}}},
     ENVELOPE + INVALID + "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a"),
    ("delete_item", {"Key": key(), "Expected": {"a": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"S": "x"}]}}},
     ENVELOPE + INVALID + "Invalid number of argument(s) for the BETWEEN ComparisonOperator"),
    ("query", {"KeyConditions": ONE, "Select": "COUNT", "AttributesToGet": ["a"]},
     ENVELOPE + "Cannot specify the AttributesToGet when choosing to get only the Count"),
    ("put_item", {"Item": item(), "ConditionalOperator": "OR"}, ENVELOPE + "ConditionalOperator cannot be used without Filter or Expected"),
    ("scan", {"ScanFilter": ONE, "ConditionalOperator": "OR"},
     "ConditionalOperator can only be used when Filter or Expected has two or more elements"),
    ("query", {"KeyConditions": {"p": {"ComparisonOperator": "NE", "AttributeValueList": [{"S": "a"}]}}},
     "Attempted conditional constraint is not an indexable operation"),
    ("query", {"KeyConditions": {**ONE, "y": ONE["x"], "z": ONE["x"]}}, "Conditions can be of length 1 or 2 only"),
    ("query", {"KeyConditions": ONE}, "Query condition missed key schema element: p"),
    ("query", {"KeyConditions": {"p": {"ComparisonOperator": "EQ", "AttributeValueList": [{"N": "1"}]}}},
     "One or more parameter values were invalid: Condition parameter type does not match schema type"),
    ("query", {}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
    ("scan", {"ScanFilter": {"a": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "2"}, {"N": "1"}]}}},
     "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"),
])
def test_wrong_legacy_parameters(client, table, operation, arguments, message):
    assert validation(getattr(client("dynamodb"), operation), TableName=table, **arguments) == message

"""Items through stock boto3; runs against any DynamoDB endpoint with --endpoint."""
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


def test_item_of_every_type_comes_back(client, table):
    dynamodb = client("dynamodb")
    whole = item(text={"S": "ü"}, number={"N": "1.5"}, bytes={"B": b"\x00\xff"}, yes={"BOOL": True}, nothing={"NULL": True},
                 list={"L": [{"S": "x"}, {"N": "2"}]}, map={"M": {"deep": {"L": []}}}, words={"SS": ["a", "b"]},
                 numbers={"NS": ["1", "2"]}, blobs={"BS": [b"1", b"2"]})
    dynamodb.put_item(TableName=table, Item=whole)
    back = dynamodb.get_item(TableName=table, Key=key(), ConsistentRead=True)["Item"]
    for name in ("words", "numbers", "blobs"):
        kind = next(iter(back[name]))
        back[name][kind].sort()
    assert back == whole


def test_condition_that_fails_writes_nothing(client, table):
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item(v={"N": "1"}))
    error = error_of(dynamodb.put_item, TableName=table, Item=item(v={"N": "2"}), ConditionExpression="attribute_not_exists(p)")
    assert error["Code"] == "ConditionalCheckFailedException"
    assert error["Message"] == "The conditional request failed"
    assert dynamodb.get_item(TableName=table, Key=key())["Item"]["v"] == {"N": "1"}


def test_update_expression_clauses(client, table):
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item(n={"N": "1"}, gone={"S": "x"}, tags={"SS": ["a", "b"]}, list={"L": [{"N": "1"}]}))
    answer = dynamodb.update_item(
        TableName=table, Key=key(), ReturnValues="ALL_NEW",
        UpdateExpression="SET #new = if_not_exists(#new, :one), #l = list_append(#l, :more) REMOVE gone ADD n :one DELETE tags :drop",
        ExpressionAttributeNames={"#new": "fresh", "#l": "list"},
        ExpressionAttributeValues={":one": {"N": "1"}, ":more": {"L": [{"N": "2"}]}, ":drop": {"SS": ["a"]}})
    assert answer["Attributes"] == item(n={"N": "2"}, fresh={"N": "1"}, tags={"SS": ["b"]}, list={"L": [{"N": "1"}, {"N": "2"}]})


def test_query_pages_in_both_directions(client, table):
    dynamodb = client("dynamodb")
    for s in range(7):
        dynamodb.put_item(TableName=table, Item=item(s=s - 3))
    query = {"TableName": table, "KeyConditionExpression": "p = :p AND s BETWEEN :low AND :high",
             "ExpressionAttributeValues": {":p": {"S": "a"}, ":low": {"N": "-2"}, ":high": {"N": "2"}}}
    for forward in (True, False):
        seen, start = [], {}
        while True:
            page = dynamodb.query(**query, ScanIndexForward=forward, Limit=2, **start)
            seen += [int(found["s"]["N"]) for found in page["Items"]]
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        assert seen == sorted([-2, -1, 0, 1, 2], reverse=not forward)


def test_index_follows_its_items(client, table):
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item(kind={"S": "x"}))
    query = {"TableName": table, "IndexName": "byKind", "KeyConditionExpression": "kind = :k"}

    def found(kind):
        return [i["p"]["S"] for i in dynamodb.query(**query, ExpressionAttributeValues={":k": {"S": kind}})["Items"]]

    assert found("x") == ["a"]
    dynamodb.update_item(TableName=table, Key=key(), UpdateExpression="SET kind = :y", ExpressionAttributeValues={":y": {"S": "y"}})
    assert (found("x"), found("y")) == ([], ["a"])
    dynamodb.delete_item(TableName=table, Key=key())
    assert found("y") == []


def test_transaction_is_all_or_nothing(client, table):
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item(s=1))
    error = error_of(dynamodb.transact_write_items, TransactItems=[
        {"Put": {"TableName": table, "Item": item(s=2)}},
        {"Put": {"TableName": table, "Item": item(s=1), "ConditionExpression": "attribute_not_exists(p)"}}])
    assert error["Code"] == "TransactionCanceledException"
    assert "[None, ConditionalCheckFailed]" in error["Message"]
    assert "Item" not in dynamodb.get_item(TableName=table, Key=key(s=2))


@pytest.mark.parametrize("arguments, code, message", [
    ({"Key": {"p": {"S": "a"}}}, "ValidationException", "The provided key element does not match the schema"),
    ({"Key": {"p": {"N": "1"}, "s": {"N": "1"}}}, "ValidationException", "The provided key element does not match the schema"),
    ({"Key": {"p": {"S": ""}, "s": {"N": "1"}}}, "ValidationException", "empty string value"),
    ({"Key": {"p": {"S": "a"}, "s": {"N": "1e126"}}}, "ValidationException", "Number overflow"),
    ({"Key": {"p": {"S": "a"}, "s": {"N": "one"}}}, "ValidationException", "cannot be converted to a numeric value"),
], ids=["key_incomplete", "key_of_wrong_type", "key_empty", "number_too_large", "number_of_words"])
def test_bad_keys_are_refused(client, table, arguments, code, message):
    error = error_of(client("dynamodb").get_item, TableName=table, **arguments)
    assert error["Code"] == code
    assert message in error["Message"]


def test_missing_table_is_named_as_aws_does(client):
    error = error_of(client("dynamodb").get_item, TableName="nowhere", Key=key())
    assert error == {"Code": "ResourceNotFoundException", "Message": "Requested resource not found"}

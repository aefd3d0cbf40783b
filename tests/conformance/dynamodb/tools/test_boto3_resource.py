"""boto3's resource interface: Table, conditions, batch_writer, collections; runs against any DynamoDB endpoint with --endpoint."""
import decimal

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key


@pytest.fixture
def resource(client):
    session = client("dynamodb")
    credentials = session._request_signer._credentials.get_frozen_credentials()
    return boto3.resource("dynamodb", endpoint_url=session.meta.endpoint_url, region_name=session.meta.region_name,
                          aws_access_key_id=credentials.access_key, aws_secret_access_key=credentials.secret_key)


def test_table_resource(resource, table):
    rows = resource.Table(table)
    assert rows.table_status == "ACTIVE" and rows.key_schema[0]["AttributeName"] == "p"
    with rows.batch_writer(overwrite_by_pkeys=["p", "s"]) as batch:
        for s in list(range(60)) + [0]:  # the last one replaces the first in the batch
            batch.put_item(Item={"p": "a", "s": s, "kind": f"k{s % 2}", "price": decimal.Decimal("1.10"), "tags": {"x", "y"}, "raw": b"\x00", "n": None, "v": s})
    item = rows.get_item(Key={"p": "a", "s": 3})["Item"]
    assert item["price"] == decimal.Decimal("1.1") and item["tags"] == {"x", "y"} and item["raw"].value == b"\x00" and item["n"] is None
    assert rows.query(KeyConditionExpression=Key("p").eq("a") & Key("s").between(10, 12))["Count"] == 3
    filtered = rows.query(IndexName="byKind", KeyConditionExpression=Key("kind").eq("k1"), FilterExpression=Attr("v").gt(50) & Attr("tags").contains("x"))
    assert [int(row["s"]) for row in filtered["Items"]] == [51, 53, 55, 57, 59] and filtered["ScannedCount"] == 30
    answer = rows.update_item(Key={"p": "a", "s": 3}, UpdateExpression="SET price = price + :d", ExpressionAttributeValues={":d": decimal.Decimal("0.2")},
                              ConditionExpression=Attr("price").eq(decimal.Decimal("1.1")), ReturnValues="UPDATED_NEW")
    assert answer["Attributes"] == {"price": decimal.Decimal("1.3")}
    with pytest.raises(resource.meta.client.exceptions.ConditionalCheckFailedException):
        rows.put_item(Item={"p": "a", "s": 3}, ConditionExpression=Attr("p").not_exists())
    keys = [{"p": "a", "s": s} for s in (1, 2)]
    assert len(resource.batch_get_item(RequestItems={table: {"Keys": keys}})["Responses"][table]) == 2
    assert table in [each.name for each in resource.tables.all()]
    with rows.batch_writer() as batch:
        for s in range(60):
            batch.delete_item(Key={"p": "a", "s": s})
    assert rows.scan()["Count"] == 0

"""Provisioned tables throttle when their burst is used up, and can be told not to."""
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import Platform


def slow_table(platform):
    client = boto3.client("dynamodb", endpoint_url=platform.url, region_name="us-east-1", aws_access_key_id="000000000000",
                          aws_secret_access_key="x", config=Config(retries={"total_max_attempts": 1}))
    client.create_table(TableName="slow", ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
                        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
                        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}])
    return client


# One item of 390 KB takes all that 300 seconds of one unit hold.
LARGE = {"p": {"S": "a"}, "v": {"S": "x" * 390_000}}


def test_throttles(request, tmp_path):
    platform = Platform(request.config.getoption("--binary"), tmp_path, "--empty")
    try:
        client = slow_table(platform)
        client.put_item(TableName="slow", Item=LARGE)
        with pytest.raises(ClientError) as caught:
            client.put_item(TableName="slow", Item={"p": {"S": "b"}})
        answer = caught.value.response
        assert answer["Error"]["Code"] == "ProvisionedThroughputExceededException"
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert answer["ThrottlingReasons"] == [{"reason": "TableWriteProvisionedThroughputExceeded",
                                                "resource": "arn:aws:dynamodb:us-east-1:000000000000:table/slow"}]
        # Reads have a bucket of their own, and other tables are not touched.
        assert "Item" in client.get_item(TableName="slow", Key={"p": {"S": "a"}})
        # More capacity fills the bucket at its own rate, on demand needs none.
        client.update_table(TableName="slow", BillingMode="PAY_PER_REQUEST")
        client.put_item(TableName="slow", Item={"p": {"S": "b"}})
    finally:
        platform.stop()


def test_can_be_switched_off(request, tmp_path):
    platform = Platform(request.config.getoption("--binary"), tmp_path, "--empty", "--no-throughput-limits")
    try:
        client = slow_table(platform)
        for _ in range(3):
            client.put_item(TableName="slow", Item=LARGE)
    finally:
        platform.stop()


def test_on_demand_maxima_throttle(request, tmp_path):
    platform = Platform(request.config.getoption("--binary"), tmp_path, "--empty")
    try:
        client = slow_table(platform)
        client.update_table(TableName="slow", BillingMode="PAY_PER_REQUEST", OnDemandThroughput={"MaxWriteRequestUnits": 1})
        client.put_item(TableName="slow", Item=LARGE)  # paid for by the next minutes
        with pytest.raises(ClientError) as caught:
            client.put_item(TableName="slow", Item={"p": {"S": "b"}})
        answer = caught.value.response
        assert answer["Error"]["Code"] == "ThrottlingException"
        assert [each["reason"] for each in answer["throttlingReasons"]] == ["TableWriteMaxOnDemandThroughputExceeded"]
        with pytest.raises(ClientError) as caught:
            client.transact_write_items(TransactItems=[{"Put": {"TableName": "slow", "Item": {"p": {"S": "b"}}}}])
        assert [each["Code"] for each in caught.value.response["CancellationReasons"]] == ["ThrottlingError"]
        assert "Item" in client.get_item(TableName="slow", Key={"p": {"S": "a"}})  # no maximum of reads
        client.update_table(TableName="slow", OnDemandThroughput={"MaxWriteRequestUnits": -1})
        client.put_item(TableName="slow", Item={"p": {"S": "b"}})
    finally:
        platform.stop()

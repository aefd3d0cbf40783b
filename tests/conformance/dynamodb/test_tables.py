"""Tables: what CreateTable and UpdateTable refuse and in which words, settings, tags, listing, policies; runs against any
DynamoDB endpoint with --endpoint. Messages are those that peers' test suites recorded from the service."""
import json
import uuid

import pytest
from botocore.exceptions import ClientError

INVALID = "One or more parameter values were invalid: "
NOTHING = (
    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, "
    "MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or "
    "TableClass is required")
HASH, RANGE = {"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


def definitions(names):
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def schema(**changes):
    return {"TableName": "refused", "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": definitions("ps"), "KeySchema": [HASH, RANGE], **changes}


def index(name="index", keys=(HASH, RANGE), projection=None, **more):
    return {"IndexName": name, "KeySchema": list(keys), "Projection": projection or {"ProjectionType": "ALL"}, **more}


@pytest.mark.parametrize("changes, message", [
    ({"BillingMode": "PROVISIONED"}, INVALID + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"),
    ({"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
     INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"),
    ({"BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": 1000000000001, "WriteCapacityUnits": 1}},
     "Given value 1000000000001 for ReadCapacityUnits is out of bounds"),
    ({"AttributeDefinitions": definitions("p")}, "Invalid KeySchema: Some index key attribute have no definition"),
    ({"AttributeDefinitions": definitions("pq")},
     INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [p, s], AttributeDefinitions: [p, q]"),
    ({"KeySchema": [HASH, {"AttributeName": "p", "KeyType": "RANGE"}]},
     "Both the Hash Key and the Range Key element in the KeySchema have the same name"),
    ({"KeySchema": [RANGE, HASH]}, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
    ({"KeySchema": [HASH, {"AttributeName": "s", "KeyType": "HASH"}]}, "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"),
    ({"KeySchema": [HASH]}, INVALID + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"),
    ({"LocalSecondaryIndexes": []}, INVALID + "List of LocalSecondaryIndexes is empty"),
    ({"GlobalSecondaryIndexes": []}, INVALID + "List of GlobalSecondaryIndexes is empty"),
    ({"AttributeDefinitions": definitions("p"), "KeySchema": [HASH], "LocalSecondaryIndexes": [index(keys=[HASH])]},
     INVALID + "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"),
    ({"LocalSecondaryIndexes": [index(keys=[HASH])]}, INVALID + "Index KeySchema does not have a range key for index: index"),
    ({"LocalSecondaryIndexes": [index(keys=[{"AttributeName": "s", "KeyType": "HASH"}, {"AttributeName": "p", "KeyType": "RANGE"}])]},
     INVALID + "Index KeySchema does not have the same leading hash key as table KeySchema for index: index. index hash key: s, table hash key: p"),
    ({"GlobalSecondaryIndexes": [index(keys=[{"AttributeName": "q", "KeyType": "HASH"}])]},
     INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [q], AttributeDefinitions: [p, s]"),
    ({"GlobalSecondaryIndexes": [index(projection={"ProjectionType": "ALL", "NonKeyAttributes": ["x"]})]},
     INVALID + "ProjectionType is ALL, but NonKeyAttributes is specified"),
    ({"GlobalSecondaryIndexes": [index(projection={"NonKeyAttributes": ["x"]})]}, INVALID + "Unknown ProjectionType: null"),
    ({"GlobalSecondaryIndexes": [index(projection={"ProjectionType": "INCLUDE"})]},
     INVALID + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified"),
    ({"GlobalSecondaryIndexes": [index(), index()]}, INVALID + "Duplicate index name: index"),
    ({"LocalSecondaryIndexes": [index()], "GlobalSecondaryIndexes": [index()]}, INVALID + "Duplicate index name: index"),
    ({"LocalSecondaryIndexes": [index(f"index{i}") for i in range(6)]}, INVALID + "Number of LocalSecondaryIndexes exceeds per-table limit of 5"),
    ({"GlobalSecondaryIndexes": [index(f"index{i}") for i in range(21)]}, INVALID + "GlobalSecondaryIndex count exceeds the per-table limit of 20"),
    ({"GlobalSecondaryIndexes": [index(ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})]},
     INVALID + "ProvisionedThroughput should not be specified for index: index when BillingMode is PAY_PER_REQUEST"),
    ({"BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}, "GlobalSecondaryIndexes": [index()]},
     INVALID + "ProvisionedThroughput is not specified for index: index"),
    ({"AttributeDefinitions": definitions("psp")}, "Attribute Name is duplicated: p"),
    ({"StreamSpecification": {"StreamEnabled": True}}, INVALID + "Table is being created with a stream enabled, UpdateViewType is required"),
    ({"StreamSpecification": {"StreamEnabled": False, "StreamViewType": "KEYS_ONLY"}},
     INVALID + "Table is being created with a stream disabled, UpdateViewType should not be specified"),
    ({"GlobalSecondaryIndexes": [index(OnDemandThroughput={"MaxReadRequestUnits": 0})]},
     INVALID + "Requested MaxReadRequestUnits for OnDemandThroughput for index : index is outside of valid range"),
    ({"BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}, "OnDemandThroughput": {"MaxReadRequestUnits": 1}},
     INVALID + "MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED"),
    ({"Tags": [{"Key": "aws:a", "Value": "1"}]}, "Tag Key cannot be prefixed with aws:, Key: aws:a"),
    ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "Duplicate Tag Keys provided as input: Duplicate Tag Key found a"),
    ({"Tags": [{"Key": str(n), "Value": "1"} for n in range(51)]}, "Number of Tags exceed the current limit for the provided ResourceArn"),
])
def test_tables_that_are_refused(client, changes, message):
    assert error_of(client("dynamodb").create_table, **schema(**changes)) == {"Code": "ValidationException", "Message": message}


@pytest.mark.parametrize("changes, message", [
    ({}, NOTHING), ({"GlobalSecondaryIndexUpdates": []}, NOTHING),
    ({"SSESpecification": {"Enabled": True}, "DeletionProtectionEnabled": True},
     INVALID + "Server-Side Encryption modification must be the only operation in the request"),
    ({"TableClass": "STANDARD", "BillingMode": "PAY_PER_REQUEST"}, INVALID + "TableClass modification must be the only operation in the request"),
    ({"DeletionProtectionEnabled": True, "BillingMode": "PAY_PER_REQUEST"},
     INVALID + "DeletionProtection modification must be the only operation in the request"),
    ({"WarmThroughput": {"ReadUnitsPerSecond": 13000}, "BillingMode": "PAY_PER_REQUEST"}, INVALID + "WarmThroughput must be the only operation in the request"),
    ({"OnDemandThroughput": {"MaxReadRequestUnits": 5}, "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
     INVALID + "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request"),
    ({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}, "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
     INVALID + "You cannot modify stream status while updating table IOPS"),
    ({"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "byKind"}}], "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
     INVALID + "You cannot create or delete index while updating table IOPS"),
    ({"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "byKind"}}], "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
     INVALID + "You cannot create or delete index while changing stream status"),
    ({"StreamSpecification": {"StreamEnabled": True}}, INVALID + "If stream is being enabled then UpdateViewType is required"),
    ({"StreamSpecification": {"StreamEnabled": False, "StreamViewType": "KEYS_ONLY"}},
     INVALID + "If stream is being disabled, then UpdateViewType must not be specified"),
    ({"OnDemandThroughput": {"MaxWriteRequestUnits": 0}}, INVALID + "Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid range"),
    ({"WarmThroughput": {"ReadUnitsPerSecond": 5}},
     INVALID + "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, decreasing WarmThroughput is not supported"),
    ({"SSESpecification": {"Enabled": False, "SSEType": "KMS"}}, INVALID + "SSEType can not be specified if Enabled is false"),
    ({"SSESpecification": {"Enabled": True, "KMSMasterKeyId": "alias/x"}}, INVALID + "SSEType KMS is required if KMSMasterKeyId is specified"),
    ({"GlobalSecondaryIndexUpdates": [{}]}, INVALID + "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
     "GlobalSecondaryIndexUpdate.Delete must not be null"),
    ({"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "abc"}}, {"Delete": {"IndexName": "abc"}}]},
     INVALID + "Only one global secondary index update per index is allowed simultaneously. Index: abc"),
])
def test_updates_that_are_refused(client, table, changes, message):
    assert error_of(client("dynamodb").update_table, TableName=table, **changes) == {"Code": "ValidationException", "Message": message}


@pytest.fixture
def made(client):
    """made(members): the description of a table that goes after the test."""
    dynamodb, names = client("dynamodb"), []

    def make(**members):
        name = f"table-{uuid.uuid4().hex[:8]}"
        names.append(name)
        dynamodb.create_table(**{**schema(), "TableName": name, **members})
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        return dynamodb.describe_table(TableName=name)["Table"]
    yield make
    for name in names:
        dynamodb.delete_table(TableName=name)


def test_capacity_that_does_not_change(client, made):
    dynamodb = client("dynamodb")
    name = made(BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 4})["TableName"]
    assert error_of(dynamodb.update_table, TableName=name, ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 4})["Message"] == (
        "The provisioned throughput for the table will not change. The requested value equals the current value. Current ReadCapacityUnits "
        "provisioned for the table: 5. Requested ReadCapacityUnits: 5. Current WriteCapacityUnits provisioned for the table: 4. Requested "
        "WriteCapacityUnits: 4. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.")
    dynamodb.update_table(TableName=name, ProvisionedThroughput={"ReadCapacityUnits": 6, "WriteCapacityUnits": 4})
    assert dynamodb.describe_table(TableName=name)["Table"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 6


def test_on_demand_maximum(client, made):
    dynamodb = client("dynamodb")
    described = made(OnDemandThroughput={"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 50},
                     GlobalSecondaryIndexes=[index(OnDemandThroughput={"MaxReadRequestUnits": 7})])
    assert described["OnDemandThroughput"] == {"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 50}
    assert described["GlobalSecondaryIndexes"][0]["OnDemandThroughput"]["MaxReadRequestUnits"] == 7
    dynamodb.update_table(TableName=described["TableName"], OnDemandThroughput={"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 60})
    assert dynamodb.describe_table(TableName=described["TableName"])["Table"]["OnDemandThroughput"]["MaxWriteRequestUnits"] == 60
    assert error_of(dynamodb.create_table, **schema(OnDemandThroughput={"MaxReadRequestUnits": 0}))["Code"] == "ValidationException"
    assert error_of(dynamodb.create_table, **schema(BillingMode="PROVISIONED", OnDemandThroughput={"MaxReadRequestUnits": 5},
                                                    ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}))["Code"] == "ValidationException"


def test_warm_throughput(client, made):
    dynamodb = client("dynamodb")
    assert made()["WarmThroughput"] == {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"}
    described = made(WarmThroughput={"ReadUnitsPerSecond": 13000, "WriteUnitsPerSecond": 5000})
    assert described["WarmThroughput"] == {"ReadUnitsPerSecond": 13000, "WriteUnitsPerSecond": 5000, "Status": "ACTIVE"}
    refused = error_of(dynamodb.update_table, TableName=described["TableName"], WarmThroughput={"ReadUnitsPerSecond": 12500})
    assert refused["Code"] == "ValidationException" and "decreasing WarmThroughput is not supported" in refused["Message"]


def test_encryption_is_shown(client, made):
    dynamodb = client("dynamodb")
    assert "SSEDescription" not in made()
    described = made(SSESpecification={"Enabled": True, "SSEType": "KMS"})["SSEDescription"]
    assert (described["Status"], described["SSEType"]) == ("ENABLED", "KMS") and described["KMSMasterKeyArn"].startswith("arn:aws:kms:")
    assert error_of(dynamodb.create_table, **schema(SSESpecification={"Enabled": True, "SSEType": "AES256"}))["Code"] == "ValidationException"


def test_names_and_pages_of_the_list(client, made):
    dynamodb = client("dynamodb")
    names = {made()["TableName"], made()["TableName"]}
    listed = [name for page in dynamodb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 1}) for name in page["TableNames"]]
    assert listed == sorted(listed) and names <= set(listed) and len(set(listed)) == len(listed)
    first = dynamodb.list_tables(Limit=1)
    assert first["LastEvaluatedTableName"] == first["TableNames"][0]
    assert first["TableNames"][0] not in dynamodb.list_tables(ExclusiveStartTableName=first["TableNames"][0])["TableNames"]


def test_tags(client, made):
    dynamodb = client("dynamodb")
    arn = made(Tags=[{"Key": "a", "Value": "1"}])["TableArn"]
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["b", "absent"])
    assert dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "3"}]
    assert error_of(dynamodb.tag_resource, ResourceArn=arn, Tags=[])["Message"] == "Atleast one Tag needs to be provided as Input."
    assert error_of(dynamodb.untag_resource, ResourceArn=arn, TagKeys=[])["Message"] == "Atleast one Tag Key needs to be provided as Input."
    assert error_of(dynamodb.tag_resource, ResourceArn=arn, Tags=[{"Key": "aws:x", "Value": "1"}])["Message"] == "Tag Key cannot be prefixed with aws:, Key: aws:x"
    assert error_of(dynamodb.list_tags_of_resource, ResourceArn="table/a")["Message"] == INVALID + "ARNs must start with 'arn:': table/a"
    for call, more in ((dynamodb.tag_resource, {"Tags": [{"Key": "a", "Value": "1"}]}), (dynamodb.untag_resource, {"TagKeys": ["a"]}),
                       (dynamodb.list_tags_of_resource, {})):
        assert error_of(call, ResourceArn=arn + "x", **more) == {
            "Code": "ResourceNotFoundException", "Message": f"Requested resource not found: ResourcArn: {arn}x not found"}


def test_policies_of_a_table_and_its_stream(client, made):
    dynamodb = client("dynamodb")
    described = made(StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    for arn in (described["TableArn"], described["LatestStreamArn"]):
        assert error_of(dynamodb.get_resource_policy, ResourceArn=arn)["Code"] == "PolicyNotFoundException"
        revision = dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy, ExpectedRevisionId="NO_POLICY")["RevisionId"]
        assert dynamodb.get_resource_policy(ResourceArn=arn)["RevisionId"] == revision
        assert json.loads(dynamodb.get_resource_policy(ResourceArn=arn)["Policy"]) == json.loads(policy)
        absent, name = "Resource-based policy not found for the provided ResourceArn: ", described["TableName"]
        assert error_of(dynamodb.delete_resource_policy, ResourceArn=arn, ExpectedRevisionId="1") == {
            "Code": "PolicyNotFoundException", "Message": f"{absent}Requested update for policy with revision id 1, but the policy associated "
                                                          f"to target table {name} has revision id {revision}."}
        other = json.dumps({"Version": "2012-10-17", "Statement": [], "Id": "x"})
        assert error_of(dynamodb.put_resource_policy, ResourceArn=arn, Policy=other, ExpectedRevisionId="NO_POLICY") == {
            "Code": "PolicyNotFoundException", "Message": f"{absent}Requested policy update expecting none to be present for table {name}, "
                                                          f"but a policy exists with revision id {revision}."}
        later = dynamodb.put_resource_policy(ResourceArn=arn, Policy=other)["RevisionId"]
        assert int(later) > int(revision)
        revision = later
        dynamodb.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=revision)
    other = described["LatestStreamArn"][:-3] + "000"
    assert error_of(dynamodb.get_resource_policy, ResourceArn=other)["Code"] == "ResourceNotFoundException"


def test_limits_and_endpoints(client):
    dynamodb = client("dynamodb")
    limits = dynamodb.describe_limits()
    assert limits["TableMaxReadCapacityUnits"] <= limits["AccountMaxReadCapacityUnits"]
    assert dynamodb.describe_endpoints()["Endpoints"][0]["CachePeriodInMinutes"] == 1440


@pytest.mark.parametrize("name", ["describe_table", "delete_table", "describe_time_to_live"])
def test_a_table_that_is_not_there(client, name):
    assert error_of(getattr(client("dynamodb"), name), TableName="no-such-table") == {
        "Code": "ResourceNotFoundException", "Message": "Requested resource not found: Table: no-such-table not found"}


@pytest.mark.parametrize("operation, arguments", [
    ("create_global_table", {"GlobalTableName": "abc", "ReplicationGroup": []}), ("describe_contributor_insights", {"TableName": "abc"}),
    ("enable_kinesis_streaming_destination", {"TableName": "abc", "StreamArn": "arn:aws:kinesis:eu-west-1:111122223333:stream/abcdefghijklmnop"}),
    ("describe_table_replica_auto_scaling", {"TableName": "abc"})])
def test_what_is_not_here_is_refused_by_name(client, request, operation, arguments):
    if request.config.getoption("--endpoint"):
        pytest.skip("other endpoints have it")
    dynamodb = client("dynamodb")
    assert dynamodb.meta.method_to_api_mapping[operation] in error_of(getattr(dynamodb, operation), **arguments)["Message"]

"""What the manifests say of members happens: refused by name, or accepted with a warning in the event stream."""
import io
import re
import zipfile

import pytest
from botocore.exceptions import ClientError

from events import events_of

TABLE = dict(AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}], KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
             BillingMode="PAY_PER_REQUEST")


def package():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("index.js", "exports.handler = async () => 1;")
    return out.getvalue()


FUNCTION = dict(Runtime="nodejs22.x", Role="arn:aws:iam::111122223333:role/r", Handler="index.handler", Code={"ZipFile": package()})

REFUSED = [
    ("source_of_a_global_table", "dynamodb", "create_table",
     dict(TABLE, TableName="refused", GlobalTableSourceArn="arn:aws:dynamodb:us-east-1:111122223333:table/other"), "ValidationException",
     "GlobalTableSourceArn"),
    ("replicas", "dynamodb", "update_table", dict(TableName="refused", ReplicaUpdates=[{"Create": {"RegionName": "us-east-1"}}]),
     "ValidationException", "ReplicaUpdates"),
    ("storage_class", "s3", "put_object", dict(Bucket="refused", Key="k", StorageClass="GLACIER"), "NotImplemented", "x-amz-storage-class"),
    ("network", "lambda", "create_function", dict(FUNCTION, FunctionName="refused", VpcConfig={"Ipv6AllowedForDualStack": True}),
     "ValidationException", "VpcConfig.Ipv6AllowedForDualStack 'true'"),
    ("functions_at_the_edge", "lambda", "list_functions", dict(MasterRegion="us-east-1"), "ValidationException", "MasterRegion 'us-east-1'"),
]


@pytest.mark.parametrize("service, operation, members, code, part", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refused_by_name(client, service, operation, members, code, part):
    with pytest.raises(ClientError) as failed:
        getattr(client(service), operation)(**members)
    assert failed.value.response["Error"]["Code"] == code
    assert part in failed.value.response["Error"]["Message"]


ACCEPTED = [
    ("encryption_of_a_table", "dynamodb", "CreateTable", "create_table", dict(TABLE, TableName="encryption-of-a-table", SSESpecification={"Enabled": True}),
     "SSESpecification.Enabled 'true' is accepted without effect in CreateTable", "items are stored without encryption"),
    ("policy_of_a_bucket", "s3", "PutBucketPolicy", "put_bucket_policy", dict(Bucket="policy-of-a-bucket", Policy='{"Statement": []}'),
     "is accepted without effect in PutBucketPolicy", "policies are not evaluated"),
    ("encryption_of_an_object", "s3", "PutObject", "put_object", dict(Bucket="encryption-of-an-object", Key="k", Body=b"1", ServerSideEncryption="AES256"),
     "ServerSideEncryption 'AES256' is accepted without effect in PutObject", "without encryption"),
    ("tracing", "lambda", "CreateFunction", "create_function", dict(FUNCTION, FunctionName="members", TracingConfig={"Mode": "Active"}),
     "TracingConfig.Mode 'Active' is accepted without effect in CreateFunction", "not to X-Ray"),
]


@pytest.mark.parametrize("service, operation, method, members, named, part", [r[1:] for r in ACCEPTED], ids=[r[0] for r in ACCEPTED])
def test_accepted_with_a_warning(empty, service, operation, method, members, named, part):
    if service == "s3":
        empty.client("s3").create_bucket(Bucket=members["Bucket"], CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with events_of(empty) as events:
        getattr(empty.client(service), method)(**members)
        warnings = events.call(operation)["warnings"]
    assert len(warnings) == 1 and part in warnings[0]
    assert named in warnings[0]
    empty.said(re.escape(warnings[0]))


def test_defaults_are_no_news(empty):
    with events_of(empty) as events:
        empty.client("lambda").create_function(**dict(FUNCTION, FunctionName="defaults", EphemeralStorage={"Size": 512},
                                                      TracingConfig={"Mode": "PassThrough"}, Architectures=["x86_64"]))
        assert events.call("CreateFunction")["warnings"] == []

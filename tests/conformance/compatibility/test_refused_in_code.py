"""What a manifest says that a handler refuses is refused: a row for each kind of member."""
import pytest
from botocore.exceptions import ClientError

from test_members import FUNCTION

PUT = dict(Bucket="refused-in-code", Key="k", Body=b"1")
GET = dict(Bucket="refused-in-code", Key="k")
ROLE = dict(RoleArn="arn:aws:iam::111122223333:role/r", RoleSessionName="session")
ROWS = [
    *[("s3", "put_object", dict(PUT, **members)) for members in (
        {"ACL": "public-read"}, {"GrantRead": "id=1"}, {"StorageClass": "GLACIER"}, {"ServerSideEncryption": "aws:kms"}, {"SSEKMSKeyId": "key"},
        {"BucketKeyEnabled": True}, {"WebsiteRedirectLocation": "/x"}, {"ObjectLockMode": "GOVERNANCE"}, {"ObjectLockLegalHoldStatus": "ON"}, {"WriteOffsetBytes": 1},
        {"ChecksumXXHASH64": "AAAAAAAAAAA="}, {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0" * 32})],
    ("s3", "get_object", dict(GET, ResponseExpires="2026-01-01")),
    ("s3", "get_object", dict(GET, SSECustomerAlgorithm="AES256", SSECustomerKey="0" * 32)),
    ("s3", "delete_object", dict(GET, MFA="serial 123456")),
    ("s3", "delete_object", dict(GET, IfMatchSize=1)),
    ("s3", "copy_object", dict(GET, CopySource="refused-in-code/k", CopySourceSSECustomerAlgorithm="AES256", CopySourceSSECustomerKey="0" * 32)),
    ("s3", "list_objects_v2", dict(Bucket="refused-in-code", OptionalObjectAttributes=["RestoreStatus"])),
    ("s3", "put_bucket_acl", dict(Bucket="refused-in-code", ACL="private")),
    ("s3", "put_bucket_versioning", dict(Bucket="refused-in-code", VersioningConfiguration={"MFADelete": "Enabled", "Status": "Enabled"})),
    ("s3", "put_bucket_ownership_controls", dict(Bucket="refused-in-code", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})),
    ("s3", "create_bucket", dict(Bucket="refused-in-code-2", ObjectLockEnabledForBucket=True)),
    ("s3", "create_bucket", dict(Bucket="refused-in-code-2", CreateBucketConfiguration={"Location": {"Type": "AvailabilityZone", "Name": "a"}})),
    *[("lambda", "create_function", dict(FUNCTION, FunctionName="refused-in-code", **members)) for members in (
        {"VpcConfig": {"SubnetIds": ["subnet-1"]}}, {"PackageType": "Image"}, {"CodeSigningConfigArn": "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-01234567890123456"},
        {"FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-01234567890123456", "LocalMountPath": "/mnt/a"}]},
        {"KMSKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/1"}, {"SnapStart": {"ApplyOn": "PublishedVersions"}})],
    ("logs", "create_log_group", dict(logGroupName="refused-in-code", kmsKeyId="key")),
    ("logs", "create_log_group", dict(logGroupName="refused-in-code", logGroupClass="INFREQUENT_ACCESS")),
    ("sts", "assume_role", dict(ROLE, Policy="{}")), ("sts", "assume_role", dict(ROLE, Tags=[{"Key": "a", "Value": "b"}])),
    ("sts", "assume_role", dict(ROLE, SerialNumber="arn:aws:iam::111122223333:mfa/a", TokenCode="123456")), ("sts", "assume_role", dict(ROLE, SourceIdentity="ada")),
    ("dynamodb", "list_tags_of_resource", dict(ResourceArn="arn:aws:dynamodb:eu-west-1:111122223333:table/refused", NextToken="1")),
]


@pytest.fixture(scope="module", autouse=True)
def bucket(empty):
    s3 = empty.client("s3")
    s3.create_bucket(Bucket="refused-in-code", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(**PUT)


def name_of(row):
    service, operation, members = row
    return f"{service}-{operation}-" + "-".join(name for name in members if name not in PUT and name not in FUNCTION and name not in ROLE)


@pytest.mark.parametrize("service, operation, members", ROWS, ids=[name_of(row) for row in ROWS])
def test_refused(empty, service, operation, members):
    with pytest.raises(ClientError) as failed:
        getattr(empty.client(service), operation)(**members)
    status = failed.value.response["ResponseMetadata"]["HTTPStatusCode"]
    code = failed.value.response["Error"]["Code"]
    assert 400 <= status < 500 or (status, code) == (501, "NotImplemented")
    assert code not in ("NoSuchBucket", "NoSuchKey", "ResourceNotFoundException", "SerializationException", "AccessDenied"), "refused for another reason"

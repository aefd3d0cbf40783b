"""Settings of buckets, tags, ACLs, copies and attributes as boto3 sees them."""
import hashlib
import os

import pytest
from botocore.exceptions import ClientError

from test_s3 import bucket, client, code, platform, s3  # noqa: F401


def message(call, **arguments):
    with pytest.raises(ClientError) as failed:
        call(**arguments)
    return failed.value.response["Error"]["Message"]


def test_what_a_new_bucket_answers(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    rule, = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule == {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert code(s3.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)
    grant, = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert grant["Permission"] == "FULL_CONTROL" and grant["Grantee"]["Type"] == "CanonicalUser"


def test_settings_are_kept_and_taken_back(s3, bucket):
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert block == {"BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}
    s3.delete_public_access_block(Bucket=bucket)
    assert code(s3.get_public_access_block, Bucket=bucket) == ("NoSuchPublicAccessBlockConfiguration", 404)
    encrypted = lambda **default: {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=encrypted(SSEAlgorithm="aws:kms", KMSMasterKeyID="alias/k"))
    rule, = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/k"}
    assert code(s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration=encrypted(SSEAlgorithm="AES256", KMSMasterKeyID="k")) == ("InvalidArgument", 400)
    s3.delete_bucket_encryption(Bucket=bucket)
    rule, = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    own = lambda who: {"Rules": [{"ObjectOwnership": who}]}
    assert code(s3.put_bucket_ownership_controls, Bucket=bucket, OwnershipControls=own("ObjectWriter")) == ("NotImplemented", 501)
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    assert code(s3.get_bucket_ownership_controls, Bucket=bucket) == ("OwnershipControlsNotFoundError", 404)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=own("BucketOwnerEnforced"))
    assert code(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "enabled"}) == ("MalformedXML", 400)


def test_there_are_no_acls(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ACL="bucket-owner-full-control")
    assert s3.get_object_acl(Bucket=bucket, Key="k")["Grants"][0]["Permission"] == "FULL_CONTROL"
    for call, more in [(s3.put_object_acl, {"Key": "k"}), (s3.put_bucket_acl, {})]:
        assert code(call, Bucket=bucket, ACL="public-read", **more) == ("AccessControlListNotSupported", 400)
    assert message(s3.put_object, Bucket=bucket, Key="k", ACL="public-read", Body=b"2") == "The bucket does not allow ACLs"
    assert code(s3.create_bucket, Bucket="open-bucket", ACL="public-read") == ("InvalidBucketAclWithObjectOwnership", 400)
    assert code(s3.get_object_acl, Bucket=bucket, Key="none") == ("NoSuchKey", 404)


def test_object_tags(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="a=1&b%20c=%C3%BC")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "ü"}]
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    many = {"TagSet": [{"Key": str(i), "Value": ""} for i in range(11)]}
    assert code(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=many) == ("BadRequest", 400)
    twice = {"TagSet": [{"Key": "a", "Value": ""}] * 2}
    assert message(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=twice) == "Cannot provide multiple Tags with the same key"
    assert code(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "aws:x", "Value": ""}]}) == ("InvalidTag", 400)
    assert code(s3.put_object_tagging, Bucket=bucket, Key="none", Tagging={"TagSet": []}) == ("NoSuchKey", 404)
    s3.copy_object(Bucket=bucket, Key="l", CopySource=f"{bucket}/k")
    assert len(s3.get_object_tagging(Bucket=bucket, Key="l")["TagSet"]) == 2
    s3.copy_object(Bucket=bucket, Key="l", CopySource=f"{bucket}/k", TaggingDirective="REPLACE", Tagging="z=9")
    assert s3.get_object_tagging(Bucket=bucket, Key="l")["TagSet"] == [{"Key": "z", "Value": "9"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert "TagCount" not in s3.get_object(Bucket=bucket, Key="k")


def test_copies(s3, bucket):
    body = os.urandom(600_000)
    etag = s3.put_object(Bucket=bucket, Key="from ü+", Body=body, ContentType="text/x", Metadata={"a": "b"})["ETag"]
    done = s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from ü+"})
    assert done["CopyObjectResult"]["ETag"] == etag and done["CopyObjectResult"]["LastModified"]
    got = s3.get_object(Bucket=bucket, Key="to")
    assert got["Body"].read() == body and got["ContentType"] == "text/x" and got["Metadata"] == {"a": "b"}
    s3.copy_object(Bucket=bucket, Key="to", CopySource=f"/{bucket}/to", MetadataDirective="REPLACE", Metadata={"c": "d"}, ContentType="q/r")
    got = s3.get_object(Bucket=bucket, Key="to")
    assert got["Body"].read() == body and got["ContentType"] == "q/r" and got["Metadata"] == {"c": "d"}
    assert code(s3.copy_object, Bucket=bucket, Key="to", CopySource=f"{bucket}/to") == ("InvalidRequest", 400)
    assert code(s3.copy_object, Bucket=bucket, Key="to", CopySource=f"{bucket}/none") == ("NoSuchKey", 404)
    assert code(s3.copy_object, Bucket=bucket, Key="to", CopySource="no-such-bucket/k") == ("NoSuchBucket", 404)
    source = dict(Bucket=bucket, Key="x", CopySource=f"{bucket}/to")
    assert code(s3.copy_object, **source, CopySourceIfMatch='"0"') == ("PreconditionFailed", 412)
    assert code(s3.copy_object, **source, CopySourceIfNoneMatch=etag) == ("PreconditionFailed", 412)
    assert code(s3.copy_object, **source, MetadataDirective="MOVE") == ("InvalidArgument", 400)
    s3.copy({"Bucket": bucket, "Key": "to"}, bucket, "managed")
    assert s3.get_object(Bucket=bucket, Key="managed")["Body"].read() == body


def test_part_copies_parts_and_attributes(s3, bucket):
    body = os.urandom(6 << 20)
    s3.put_object(Bucket=bucket, Key="source", Body=body)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    at = dict(Bucket=bucket, Key="k", UploadId=upload, CopySource=f"{bucket}/source")
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    assert code(s3.upload_part_copy, **at, PartNumber=1, CopySourceRange=f"bytes=0-{len(body)}") == ("InvalidArgument", 400)
    assert code(s3.upload_part_copy, **at, PartNumber=1, CopySourceRange="0-1") == ("InvalidArgument", 400)
    one = s3.upload_part_copy(**at, PartNumber=2)["CopyPartResult"]
    two = s3.upload_part_copy(**at, PartNumber=7, CopySourceRange="bytes=5-104")["CopyPartResult"]
    parts = [{"PartNumber": n, "ETag": p["ETag"], "ChecksumSHA256": p["ChecksumSHA256"]} for n, p in [(2, one), (7, two)]]
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    part = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert part["Body"].read() == body[5:105] and part["PartsCount"] == 2 and part["ContentRange"].endswith(f"/{len(body) + 100}")
    with pytest.raises(ClientError, match="416|InvalidPartNumber"):
        s3.get_object(Bucket=bucket, Key="k", PartNumber=3)
    is_ = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"])
    assert is_["ObjectSize"] == len(body) + 100 and is_["StorageClass"] == "STANDARD" and is_["ETag"].endswith("-2")
    assert is_["Checksum"]["ChecksumType"] == "COMPOSITE" and is_["ObjectParts"]["TotalPartsCount"] == 2
    assert [(p["PartNumber"], p["Size"]) for p in is_["ObjectParts"]["Parts"]] == [(2, len(body)), (7, 100)]
    assert is_["ObjectParts"]["Parts"][0]["ChecksumSHA256"] == one["ChecksumSHA256"]
    assert s3.get_object_attributes(Bucket=bucket, Key="source", ObjectAttributes=["ObjectSize"]).get("ETag") is None


def test_the_first_listing(s3, bucket):
    for key in ["a", "b/1", "b/2", "c/1", "d"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    page = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=2)
    assert [o["Key"] for o in page["Contents"]] == ["a"] and page["NextMarker"] == "b/" and page["Contents"][0]["Owner"]["ID"]
    page = s3.list_objects(Bucket=bucket, Delimiter="/", Marker="b/")
    assert [o["Key"] for o in page["Contents"]] == ["d"] and [p["Prefix"] for p in page["CommonPrefixes"]] == ["c/"]
    page = s3.list_objects(Bucket=bucket, MaxKeys=2)
    assert page["IsTruncated"] and [o["Key"] for o in page["Contents"]] == ["a", "b/1"]
    assert [o["Key"] for o in s3.list_objects(Bucket=bucket, Marker="b/1", Prefix="b/")["Contents"]] == ["b/2"]
    assert code(s3.list_objects, Bucket=bucket, MaxKeys=-1) == ("InvalidArgument", 400)
    keys = [o["Key"] for page in s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}) for o in page["Contents"]]
    assert keys == ["a", "b/1", "b/2", "c/1", "d"]


def test_an_answer_ends_with_the_bytes_it_began_with(s3, bucket):
    """An object of several parts is replaced and deleted while it is being read."""
    first = os.urandom(16 << 20)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = [first[:8 << 20], first[8 << 20:]]
    tags = [s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=n, Body=p)["ETag"] for n, p in enumerate(parts, 1)]
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload,
                                 MultipartUpload={"Parts": [{"PartNumber": n, "ETag": t} for n, t in enumerate(tags, 1)]})
    body = s3.get_object(Bucket=bucket, Key="k")["Body"]
    got = hashlib.sha256(body.read(1 << 20))
    s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    s3.delete_object(Bucket=bucket, Key="k")
    for piece in iter(lambda: body.read(1 << 20), b""):
        got.update(piece)
    assert got.digest() == hashlib.sha256(first).digest()
